//! Databases for tests, also for those of other crates (feature `testing`): a Postgres database of one's own, and
//! somebody else who has the SQLite file.
//!
//! Not in any shipped build. Invariant: what is made here is gone when it is dropped.

use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};

/// Names the server for tests: a superuser's URL.
pub const POSTGRES_URL: &str = "CURFEW_TEST_POSTGRES_URL";

/// A database of its own on a Postgres server, without tables.
#[derive(Debug)]
pub struct OwnPostgres {
    server: String,
    name: String,
    url: String,
}

impl OwnPostgres {
    /// Makes one on the server with this URL.
    ///
    /// # Panics
    /// If the server does not answer or refuses.
    pub async fn create(server: &str) -> Self {
        let name = format!(
            "curfew_{}",
            curfew_core::Clock::uuid(&curfew_core::SystemClock).simple()
        );
        run_ddl(server, "CREATE", &name).await;
        Self {
            url: with_database(server, &name),
            server: server.to_owned(),
            name,
        }
    }

    /// Its address, password and all.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// On a runtime of its own, because a drop cannot wait on the one it runs on.
impl Drop for OwnPostgres {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .expect("a runtime")
                .block_on(run_ddl(&server, "DROP", &name));
        };
        if std::thread::spawn(drop).join().is_err() {
            eprintln!("The test's database `{}` was left behind", self.name);
        }
    }
}

/// Another process, as it were, that writes to a SQLite file and does not come to an end.
#[derive(Debug)]
pub struct SqliteHog(SqliteConnection);

impl SqliteHog {
    /// Begins a transaction that keeps every other writer out.
    ///
    /// # Panics
    /// If the file cannot be had.
    pub async fn on(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.expect("the file opens");
        connection
            .execute("BEGIN IMMEDIATE")
            .await
            .expect("the file is free");
        Self(connection)
    }

    /// Lets go.
    pub async fn end(self) {
        // The transaction is rolled back with the connection.
        _ = self.0.close().await;
    }
}

/// `url` with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url
        .split_once('?')
        .map_or((url, ""), |(base, query)| (base, query));
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let end = base[scheme..].find('/').map_or(base.len(), |at| scheme + at);
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    format!("{}/{name}{query}", &base[..end])
}

/// Text that is not static, for names of databases and roles: they cannot be bound, and were made here.
pub(crate) fn made_here(text: String) -> impl SqlSafeStr {
    sqlx::AssertSqlSafe(text)
}

async fn run_ddl(server: &str, verb: &str, name: &str) {
    let options: PgConnectOptions = server.parse().expect("the URL of the server for tests");
    let mut connection: PgConnection = options.connect().await.expect("the server for tests answers");
    let suffix = if verb == "DROP" { " WITH (FORCE)" } else { "" };
    let text = format!("{verb} DATABASE {name}{suffix}");
    connection
        .execute(made_here(text))
        .await
        .expect("a database of one's own");
    _ = connection.close().await;
}
