//! Databases for tests, gone afterwards.

use std::sync::Arc;
use std::time::Duration;

use curfew_core::SystemClock;
use curfew_core::fakes::store_contract::Stores;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, SqlSafeStr};
use tempfile::TempDir;

use crate::{Database, StoreOptions};

/// Names the server for tests.
const POSTGRES_URL: &str = "CURFEW_TEST_POSTGRES_URL";

/// A database and what it lives in.
pub struct TestDatabase {
    pub database: Database,
    /// Its address, password and all.
    pub url: String,
    _home: Home,
}

#[expect(dead_code, reason = "held for its drop")]
enum Home {
    Directory(TempDir),
    Server(Dropper),
}

/// The address of the server for tests; `None`, and a line that says so, if there is none.
pub fn postgres_url() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place where tests learn of the server")]
    let url = std::env::var(POSTGRES_URL).ok();
    if url.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        eprintln!("NOT RUN: {test} on Postgres ({POSTGRES_URL} is not set; `cargo xtask test` sets it)");
    }
    url
}

pub fn options(lease: Duration) -> StoreOptions {
    StoreOptions {
        lease,
        ..StoreOptions::default()
    }
}

/// A SQLite file without tables.
pub async fn empty_sqlite(lease: Duration) -> TestDatabase {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let url = format!("sqlite://{}", directory.path().join("curfew.db").display());
    let database = Database::connect(&url, options(lease), Arc::new(SystemClock)).await;
    TestDatabase {
        database: database.expect("a SQLite database"),
        url,
        _home: Home::Directory(directory),
    }
}

/// A database of its own without tables, on the server for tests.
pub async fn empty_postgres(lease: Duration) -> Option<TestDatabase> {
    let server = postgres_url()?;
    let name = format!("curfew_{}", curfew_core::Clock::uuid(&SystemClock).simple());
    run_ddl(&server, "CREATE", &name).await;
    let url = with_database(&server, &name);
    let database = Database::connect(&url, options(lease), Arc::new(SystemClock)).await;
    Some(TestDatabase {
        database: database.expect("a Postgres database"),
        url,
        _home: Home::Server(Dropper { server, name }),
    })
}

pub async fn sqlite() -> TestDatabase {
    migrated(empty_sqlite(Duration::from_secs(15)).await).await
}

pub async fn postgres() -> Option<TestDatabase> {
    Some(migrated(empty_postgres(Duration::from_secs(15)).await?).await)
}

/// A database of each kind that there is.
pub async fn each() -> Vec<TestDatabase> {
    let mut all = vec![sqlite().await];
    all.extend(postgres().await);
    all
}

pub async fn migrated(test: TestDatabase) -> TestDatabase {
    test.database.migrate().await.expect("the migrations apply");
    test
}

pub fn stores(test: TestDatabase) -> Stores {
    Stores {
        actions: Arc::clone(&test.database.actions),
        audit: Arc::clone(&test.database.audit),
        keep: Box::new(test),
    }
}

/// `url` with another database in its path.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, ""), |(base, query)| (base, query));
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let end = base[scheme..].find('/').map_or(base.len(), |at| scheme + at);
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{}/{name}{query}", &base[..end])
}

/// Text that is not static: names of databases cannot be bound.
#[expect(clippy::disallowed_types, reason = "the name was made here, of hexadecimal digits")]
pub fn made_here(text: String) -> impl SqlSafeStr {
    sqlx::AssertSqlSafe(text)
}

async fn run_ddl(server: &str, verb: &str, name: &str) {
    let options: PgConnectOptions = server.parse().expect("the URL of the server for tests");
    let mut connection: PgConnection = options.connect().await.expect("the server for tests answers");
    let suffix = if verb == "DROP" { " WITH (FORCE)" } else { "" };
    let text = format!("{verb} DATABASE {name}{suffix}");
    connection.execute(made_here(text)).await.expect("a database of one's own");
    _ = connection.close().await;
}

/// Drops the database. On a runtime of its own, because a drop cannot wait on the one it runs on.
struct Dropper {
    server: String,
    name: String,
}

impl Drop for Dropper {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(run_ddl(&server, "DROP", &name));
        };
        if std::thread::spawn(drop).join().is_err() {
            eprintln!("The test's database `{}` was left behind", self.name);
        }
    }
}
