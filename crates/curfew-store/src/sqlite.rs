//! The SQLite driver: one writer, a few readers, one transaction per change.
//!
//! Not here: what the statements say (`sql`). Not for several gateways: leases go by this process's clock.
//! Invariant: there is one connection that writes; callers queue for it and are turned away after a while.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use curfew_core::{Clock, StoreError};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::types::Json;
use sqlx::{Arguments, ConnectOptions, Connection, QueryBuilder, Sqlite, SqliteConnection};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};
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
    /// `None` until somebody writes. A fair queue, and not a pool of one, because sqlx's pool sends a connection
    /// through its thread once more each time it comes back.
    writer: Mutex<Option<SqliteConnection>>,
    /// The writer's thread has ended; it needs a new one.
    ended: AtomicBool,
    connect: SqliteConnectOptions,
    acquire: Duration,
    readers: SqlitePool,
    clock: Arc<dyn Clock>,
    statement: Duration,
}

impl SqliteDriver {
    /// A driver that has not opened the file yet.
    pub fn new(path: &Path, options: &StoreOptions, clock: Arc<dyn Clock>) -> Self {
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A committed intent must survive a power cut, or an act could be without a record.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // For other processes, such as `curfew migrate`; in this one, writers queue.
            .busy_timeout(Duration::from_secs(5))
            // Lets a REPLACE fire the trigger that refuses deletions.
            .pragma("recursive_triggers", "on");
        let readers = SqlitePoolOptions::new()
            .acquire_timeout(options.sqlite_acquire)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .max_connections(options.sqlite_readers)
            .connect_lazy_with(connect.clone().pragma("query_only", "on"));
        Self {
            writer: Mutex::new(None),
            ended: AtomicBool::new(false),
            connect,
            acquire: options.sqlite_acquire,
            readers,
            clock,
            statement: options.statement,
        }
    }

    /// The one connection that writes, after all who asked for it before.
    ///
    /// # Errors
    /// If it is not to be had in time, or the file cannot be opened.
    pub async fn writer(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, sqlx::Error> {
        let acquired = timeout(self.acquire, async {
            let mut place = self.writer.lock().await;
            if place.is_none() || self.ended.swap(false, Ordering::Relaxed) {
                *place = Some(self.connect.connect().await?);
            }
            MutexGuard::try_map(place, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed)
        });
        acquired.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// What leases go by here.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub async fn close(&self) {
        self.readers.close().await;
        // Last, so that it empties the log into the file.
        if let Some(connection) = self.writer.lock().await.take() {
            _ = connection.close().await;
        }
    }
}

/// Carries out a change in one transaction. `stage` says how far it has come, should it fail or be cut off.
async fn transact<T: AnyRow>(
    connection: &mut SqliteConnection,
    change: &Change,
    arguments: SqliteArguments,
    stage: &mut Stage,
) -> Result<Vec<T>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let rows = sqlx::query_as_with::<Sqlite, T, _>(change.first, arguments.clone())
        .fetch_all(&mut *transaction)
        .await?;
    if rows.is_empty() {
        transaction.rollback().await?;
        return Ok(rows);
    }
    for text in change.rest {
        sqlx::query_with::<Sqlite, _>(*text, arguments.clone())
            .execute(&mut *transaction)
            .await?;
    }
    *stage = Stage::Committing;
    transaction.commit().await?;
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

    async fn change<T: AnyRow>(&self, change: &Change, params: Vec<Param<'_>>) -> Result<Vec<T>, StoreError> {
        let arguments = arguments(params)?;
        let mut connection = self.writer().await.map_err(error::of_read)?;
        let mut stage = Stage::Before;
        let work = transact(&mut connection, change, arguments, &mut stage);
        match timeout(self.statement, work).await {
            Ok(Ok(rows)) => Ok(rows),
            Ok(Err(source)) => {
                if matches!(source, sqlx::Error::WorkerCrashed) {
                    self.ended.store(true, Ordering::Relaxed);
                }
                Err(error::of_change(source, stage))
            }
            // The connection's thread is still at it; whoever has the connection next waits for that, and for the
            // rollback, in its turn.
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
