//! Databases for tests, gone afterwards.

use std::sync::Arc;
use std::time::Duration;

use curfew_core::SystemClock;
use curfew_core::fakes::store_contract::Stores;
use tempfile::TempDir;

use crate::testing::{OwnPostgres, POSTGRES_URL};
use crate::{Database, StoreOptions};

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
    Server(OwnPostgres),
}

/// The address of the server for tests; `None`, and a line that says so, if there is none.
pub fn postgres_url() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where tests learn of the server"
    )]
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
    let own = OwnPostgres::create(&server).await;
    let url = own.url().to_owned();
    let database = Database::connect(&url, options(lease), Arc::new(SystemClock)).await;
    Some(TestDatabase {
        database: database.expect("a Postgres database"),
        url,
        _home: Home::Server(own),
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

/// `url` with another user and no password.
pub fn with_role(url: &str, role: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a scheme");
    let slash = rest.find('/').unwrap_or(rest.len());
    let host = rest[..slash].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{role}@{}", &rest[host..])
}
