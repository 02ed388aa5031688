//! Opening a database, and bringing it to the version that this build wants.
//!
//! Not here: what is stored (`store`), and deciding when to migrate: `curfew dev` and tests do at start, `serve`
//! only when told to.
//! Invariant: nothing here changes a table except [`Database::migrate`].

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use curfew_core::{ActionStore, AuditLog, Clock, Timestamp};
use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migrator};

use crate::connections::Held;
use crate::options::{Address, DatabaseKind, DatabaseUrl, DatabaseUrlError, StoreOptions};
use crate::postgres::PgDriver;
use crate::sqlite::SqliteDriver;
use crate::store::Store;

pub(crate) static POSTGRES: Migrator = sqlx::migrate!("../../migrations/postgres");
pub(crate) static SQLITE: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Why a database could not be opened or migrated. No text of it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address is not one.
    #[error(transparent)]
    Url(#[from] DatabaseUrlError),
    /// It does not answer, or not to us.
    #[error("the database {database} cannot be opened")]
    Open {
        /// Which database.
        database: String,
        /// What lay beneath.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A migration failed; the ones before it stand.
    #[error("migrating the database {database} failed")]
    Migrate {
        /// Which database.
        database: String,
        /// What lay beneath.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Which migrations a database has seen, by version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Applied, as this build knows them.
    pub applied: Vec<i64>,
    /// Known to this build and not applied.
    pub pending: Vec<i64>,
    /// Applied, and not known to this build: the database is newer.
    pub unknown: Vec<i64>,
    /// Applied with another text than this build has.
    pub changed: Vec<i64>,
}

impl MigrationStatus {
    /// Whether the database is exactly what this build wants.
    pub fn is_current(&self) -> bool {
        self.pending.is_empty() && self.unknown.is_empty() && self.changed.is_empty()
    }
}

impl fmt::Display for MigrationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} applied, {} pending",
            self.applied.len(),
            self.pending.len()
        )?;
        for (what, versions) in [("unknown", &self.unknown), ("changed", &self.changed)] {
            if !versions.is_empty() {
                write!(f, ", {what}: {versions:?}")?;
            }
        }
        Ok(())
    }
}

/// One open database.
#[derive(Clone)]
pub struct Database {
    /// Operations and their records.
    pub actions: Arc<dyn ActionStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    engine: Engine,
    url: DatabaseUrl,
}

#[derive(Clone)]
pub(crate) enum Engine {
    Sqlite(Arc<SqliteDriver>),
    Postgres(Arc<PgDriver>),
}

impl Database {
    /// Opens the database at `url` (see [`DatabaseUrl::parse`]) and makes sure that it answers. A SQLite file that
    /// is missing is created, for its owner's eyes only.
    ///
    /// # Errors
    /// If the address is not one, or the database does not answer.
    pub async fn connect(
        url: &str,
        options: StoreOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DatabaseError> {
        Self::open(DatabaseUrl::parse(url)?, options, clock).await
    }

    /// As [`Database::connect`], for an address that is parsed.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn open(
        url: DatabaseUrl,
        options: StoreOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DatabaseError> {
        if let Address::Sqlite(path) = &url.0 {
            create_private(path).map_err(|source| DatabaseError::Open {
                database: url.to_string(),
                source: source.into(),
            })?;
        }
        let database = Self::lazy(url, options, clock);
        database.answers().await.map_err(|source| DatabaseError::Open {
            database: database.describe(),
            source: source.into(),
        })?;
        Ok(database)
    }

    /// A database that was not connected to yet.
    pub(crate) fn lazy(url: DatabaseUrl, options: StoreOptions, clock: Arc<dyn Clock>) -> Self {
        match &url.0 {
            Address::Sqlite(path) => {
                let driver = Arc::new(SqliteDriver::new(path, &options, clock));
                let store = Arc::new(Store::new(Arc::clone(&driver), &options));
                Self {
                    actions: Arc::clone(&store) as _,
                    audit: store,
                    engine: Engine::Sqlite(driver),
                    url,
                }
            }
            Address::Postgres(connect) => {
                let driver = Arc::new(PgDriver::new(connect.as_ref().clone(), &options));
                let store = Arc::new(Store::new(Arc::clone(&driver), &options));
                Self {
                    actions: Arc::clone(&store) as _,
                    audit: store,
                    engine: Engine::Postgres(driver),
                    url,
                }
            }
        }
    }

    async fn answers(&self) -> Result<(), sqlx::Error> {
        match &self.engine {
            Engine::Sqlite(driver) => driver.writer().await.map(|_| ()),
            Engine::Postgres(driver) => driver.acquire().await.map(Held::keep),
        }
    }

    /// Which database it is.
    pub fn kind(&self) -> DatabaseKind {
        self.url.kind()
    }

    /// Its address without the password.
    pub fn describe(&self) -> String {
        self.url.to_string()
    }

    /// Applies the migrations that are pending. Gateways that do so at the same time wait for each other.
    ///
    /// # Errors
    /// If one fails, or if the database has seen migrations that this build does not know.
    pub async fn migrate(&self) -> Result<(), DatabaseError> {
        let done = match &self.engine {
            Engine::Sqlite(driver) => migrate_sqlite(driver).await,
            Engine::Postgres(driver) => migrate_postgres(driver).await,
        };
        done.map_err(|source| DatabaseError::Migrate {
            database: self.describe(),
            source: source.into(),
        })
    }

    /// Which migrations the database has seen. Changes nothing.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn migration_status(&self) -> Result<MigrationStatus, DatabaseError> {
        let (found, migrator) = match &self.engine {
            Engine::Sqlite(driver) => (applied_on_sqlite(driver).await, &SQLITE),
            Engine::Postgres(driver) => (applied_on_postgres(driver).await, &POSTGRES),
        };
        let found = found.map_err(|source| DatabaseError::Open {
            database: self.describe(),
            source: source.into(),
        })?;
        let mut status = MigrationStatus::default();
        for migration in migrator.iter() {
            match found.iter().find(|(version, _)| *version == migration.version) {
                None => status.pending.push(migration.version),
                Some((version, checksum)) if **checksum == *migration.checksum => {
                    status.applied.push(*version);
                }
                Some((version, _)) => status.changed.push(*version),
            }
        }
        let unknown = found
            .iter()
            .filter(|(version, _)| !migrator.version_exists(*version));
        status.unknown = unknown.map(|(version, _)| *version).collect();
        Ok(status)
    }

    /// What the database's clock shows; SQLite has none but this machine's.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn now(&self) -> Result<Timestamp, DatabaseError> {
        let now = match &self.engine {
            Engine::Sqlite(driver) => Ok(driver.clock().now()),
            Engine::Postgres(driver) => now_on_postgres(driver).await,
        };
        now.map_err(|source| DatabaseError::Open {
            database: self.describe(),
            source: source.into(),
        })
    }

    /// Waits until all connections are back, and closes them.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(driver) => driver.close().await,
            Engine::Postgres(driver) => driver.close().await,
        }
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.url)
    }
}

/// SQLite would create the file for everybody to read; its log beside it gets the mode of the file.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

async fn migrate_sqlite(driver: &SqliteDriver) -> Result<(), MigrateError> {
    SQLITE.run(&mut *driver.writer().await?).await
}

async fn migrate_postgres(driver: &PgDriver) -> Result<(), MigrateError> {
    let mut connection = driver.unlimited().await?;
    let done = POSTGRES.run(&mut connection).await;
    // The advisory lock goes with the connection, also after a failure.
    _ = connection.close().await;
    done
}

type Applied = Vec<(i64, Vec<u8>)>;

const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

async fn applied_on_sqlite(driver: &SqliteDriver) -> Result<Applied, sqlx::Error> {
    let mut writer = driver.writer().await?;
    let there = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
    let tables: i64 = sqlx::query_scalar(there).fetch_one(&mut *writer).await?;
    match tables {
        0 => Ok(Vec::new()),
        _ => sqlx::query_as(APPLIED).fetch_all(&mut *writer).await,
    }
}

async fn applied_on_postgres(driver: &PgDriver) -> Result<Applied, sqlx::Error> {
    let mut connection = driver.acquire().await?;
    let there = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    let known: bool = sqlx::query_scalar(there).fetch_one(&mut *connection).await?;
    let applied = match known {
        true => sqlx::query_as(APPLIED).fetch_all(&mut *connection).await?,
        false => Vec::new(),
    };
    connection.keep();
    Ok(applied)
}

async fn now_on_postgres(driver: &PgDriver) -> Result<Timestamp, sqlx::Error> {
    let mut connection = driver.acquire().await?;
    let now = sqlx::query_scalar("SELECT clock_timestamp()")
        .fetch_one(&mut *connection)
        .await?;
    connection.keep();
    Ok(now)
}
