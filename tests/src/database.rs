//! A database for each test, of each kind.
//!
//! Not here: what is in them. Invariant: two tests never share a database, and it is gone when the last handle is.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Once};

use curfew_store::testing::{OwnPostgres, POSTGRES_URL};
use tempfile::TempDir;

use crate::Proxy;

/// A database of a test's own; clones are the same one.
#[derive(Debug, Clone)]
pub struct Db {
    /// Its URL, password and all.
    pub url: String,
    home: Home,
}

#[derive(Debug, Clone)]
enum Home {
    Sqlite(Arc<TempDir>),
    Postgres(#[expect(dead_code, reason = "held for its drop")] Arc<OwnPostgres>),
}

impl Db {
    /// A SQLite file that is not there yet.
    ///
    /// # Panics
    /// If there is no temporary directory.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self {
            url: format!("sqlite://{}", folder.path().join("curfew.db").display()),
            home: Home::Sqlite(Arc::new(folder)),
        }
    }

    /// An empty database on the Postgres server for tests; `None`, and one loud line per run, without a server.
    pub async fn postgres() -> Option<Self> {
        static ONCE: Once = Once::new();
        let Some(server) = std::env::var_os(POSTGRES_URL).and_then(|it| it.into_string().ok()) else {
            ONCE.call_once(|| {
                not_run(&format!(
                    "every behaviour on Postgres ({POSTGRES_URL} is not set; `cargo xtask test` sets it)"
                ));
            });
            return None;
        };
        let own = OwnPostgres::create(&server).await;
        Some(Self {
            url: own.url().to_owned(),
            home: Home::Postgres(Arc::new(own)),
        })
    }

    /// The same database, reached through `proxy`.
    pub fn through(&self, proxy: &Proxy) -> Self {
        Self {
            url: proxy.url(&self.url),
            home: self.home.clone(),
        }
    }

    /// The SQLite file; `None` on Postgres.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.home {
            Home::Sqlite(folder) => Some(folder.path().join("curfew.db")),
            Home::Postgres(_) => None,
        }
    }
}

/// Says loudly, past the capture of test output, that something was not tested.
pub fn not_run(what: &str) {
    // Nothing is lost if stderr is closed.
    let _ = writeln!(std::io::stderr(), "NOT RUN: {what}");
}

/// Makes two tests of each function `async fn name(db: Db)`: `name::sqlite` and `name::postgres`.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                Box::pin(super::$name($crate::Db::sqlite())).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(db) = $crate::Db::postgres().await {
                    Box::pin(super::$name(db)).await;
                }
            }
        }
    )+};
}
