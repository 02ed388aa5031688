//! The SQLite driver: one writer, a few readers, one transaction per change.
//!
//! Not here: what the statements say (`sql`). Not for several gateways: leases go by this process's clock.
//! Invariant: there is one connection that writes; callers queue for it and are turned away after a while.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use curfew_core::{Clock, StoreError};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::types::Json;
use sqlx::{Arguments, Connection, QueryBuilder, Sqlite, SqliteConnection};
use tokio::time::timeout;

use crate::driver::driver;
use crate::error::{self, NoAnswer, Stage};
use crate::filter::{Piece, Query};
use crate::options::StoreOptions;
use crate::params::Param;
use crate::rows::AnyRow;
use crate::sql::{self, Change, Changes};
use crate::store::Driver;

driver!(Sqlite, SqliteArguments, SqliteConnection);

pub(crate) struct SqliteDriver {
    writer: SqlitePool,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
    statement: Duration,
}

impl SqliteDriver {
    /// Pools that have not opened the file yet.
    pub fn new(path: &Path, options: &StoreOptions, clock: Arc<dyn Clock>) -> Self {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A committed intent must survive a power cut, or an act could be without a record.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // For other processes, such as `curfew migrate`; in this one, writers queue at the pool.
            .busy_timeout(Duration::from_secs(5))
            // Lets a REPLACE fire the trigger that refuses deletions.
            .pragma("recursive_triggers", "on");
        let pool = SqlitePoolOptions::new()
            .acquire_timeout(options.sqlite_acquire)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None);
        let writer = pool.clone().max_connections(1).connect_lazy_with(connect.clone());
        let readers = pool
            .max_connections(options.sqlite_readers)
            .connect_lazy_with(connect.pragma("query_only", "on"));
        Self {
            writer,
            readers,
            clock,
            statement: options.statement,
        }
    }

    /// The pool of the one connection that writes.
    pub fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Carries out a change in one transaction. `stage` says how far it has come, should it be cut off.
async fn transact<T: AnyRow>(
    connection: &mut SqliteConnection,
    change: &Change,
    params: Vec<Param<'_>>,
    stage: &mut Stage,
) -> Result<Vec<T>, StoreError> {
    let before = |source| error::of_change(source, Stage::Before);
    let arguments = arguments(params)?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(before)?;
    let rows = sqlx::query_as_with::<Sqlite, T, _>(change.first, arguments.clone())
        .fetch_all(&mut *transaction)
        .await
        .map_err(before)?;
    if rows.is_empty() {
        transaction.rollback().await.map_err(before)?;
        return Ok(rows);
    }
    for text in change.rest {
        sqlx::query_with::<Sqlite, _>(*text, arguments.clone())
            .execute(&mut *transaction)
            .await
            .map_err(before)?;
    }
    *stage = Stage::Committing;
    transaction
        .commit()
        .await
        .map_err(|source| error::of_change(source, Stage::Committing))?;
    Ok(rows)
}

impl Driver for SqliteDriver {
    const CHANGES: &'static Changes = &sql::SQLITE;

    fn until(&self, lease: Duration) -> Param<'static> {
        let lease = TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX);
        let now = self.clock.now();
        now.checked_add_signed(lease).unwrap_or(now).into()
    }

    fn now(&self) -> Option<Param<'static>> {
        Some(self.clock.now().into())
    }

    async fn change<T: AnyRow>(
        &self,
        change: &Change,
        params: Vec<Param<'_>>,
    ) -> Result<Vec<T>, StoreError> {
        let mut connection = self.writer.acquire().await.map_err(error::of_read)?;
        let mut stage = Stage::Before;
        match timeout(self.statement, transact(&mut connection, change, params, &mut stage)).await {
            Ok(done) => done,
            // The connection goes back to its pool, which waits until the disk has answered.
            Err(_) if stage == Stage::Committing => Err(error::commit_unknown(NoAnswer)),
            Err(_) => Err(error::unavailable(NoAnswer)),
        }
    }

    async fn read<T: AnyRow>(&self, query: Query<'_>) -> Result<Vec<T>, StoreError> {
        let mut connection = self.readers.acquire().await.map_err(error::of_read)?;
        match timeout(self.statement, fetch(&mut connection, query)).await {
            Ok(rows) => rows,
            Err(_) => Err(error::unavailable(NoAnswer)),
        }
    }
}
