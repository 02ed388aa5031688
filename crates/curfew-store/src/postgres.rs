//! The Postgres driver: a pool, and changes that are one statement each.
//!
//! Not here: what the statements say (`sql`).
//! Invariant: nothing waits without a limit, neither for a connection, nor for a lock, nor for an answer that a
//! dead network will never bring.

use std::borrow::Cow;
use std::time::Duration;

use curfew_core::StoreError;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::types::Json;
use sqlx::{Arguments, ConnectOptions, Connection, PgConnection, Postgres, QueryBuilder};
use tokio::time::timeout;

use crate::driver::driver;
use crate::error::{self, NoAnswer, Stage};
use crate::filter::{Piece, Query};
use crate::options::StoreOptions;
use crate::params::Param;
use crate::rows::AnyRow;
use crate::sql::{self, Change, Changes};
use crate::store::Driver;

driver!(Postgres, PgArguments, PgConnection);

/// A connection that was idle for longer is asked whether it still lives before it is used.
const FRESH: Duration = Duration::from_secs(1);

/// How long that may take.
const PING: Duration = Duration::from_millis(500);

pub(crate) struct PgDriver {
    pool: PgPool,
    connect: PgConnectOptions,
    statement: Duration,
}

impl PgDriver {
    /// A pool that has not connected yet.
    pub fn new(connect: PgConnectOptions, options: &StoreOptions) -> Self {
        let connect = connect.application_name("curfew");
        let limited = connect.clone().options([
            ("statement_timeout", "5s"),
            ("lock_timeout", "2s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.postgres_connections)
            .acquire_timeout(options.postgres_acquire)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for < FRESH {
                        return Ok(true);
                    }
                    match timeout(PING, connection.ping()).await {
                        Ok(alive) => alive.map(|()| true),
                        // An error, not `false`: a graceful close would wait for the network as well.
                        Err(_) => Err(sqlx::Error::PoolTimedOut),
                    }
                })
            })
            .connect_lazy_with(limited);
        Self {
            pool,
            connect,
            statement: options.statement,
        }
    }

    /// A connection of its own for migrations, which may take longer than a statement of an act.
    pub async fn unlimited(&self) -> Result<PgConnection, sqlx::Error> {
        let patient = self
            .connect
            .clone()
            .options([("statement_timeout", "0"), ("lock_timeout", "60s")]);
        patient.connect().await
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The pool.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl Driver for PgDriver {
    const CHANGES: &'static Changes = &sql::POSTGRES;

    fn until(&self, lease: Duration) -> Param<'static> {
        Param::Seconds(lease.as_secs_f64())
    }

    fn now(&self) -> Option<Param<'static>> {
        None
    }

    async fn change<T: AnyRow>(
        &self,
        change: &Change,
        params: Vec<Param<'_>>,
    ) -> Result<Vec<T>, StoreError> {
        let arguments = arguments(params)?;
        let mut connection = self.pool.acquire().await.map_err(error::of_read)?;
        // The statement commits by itself, so from here on an answer that does not come leaves it open whether it
        // did. `fetch_all` reads until the server is ready again, that is, until after the commit.
        let query = sqlx::query_as_with::<Postgres, T, _>(change.first, arguments);
        match timeout(self.statement, query.fetch_all(&mut *connection)).await {
            Ok(rows) => rows.map_err(|source| error::of_change(source, Stage::Committing)),
            Err(_) => {
                // Back in the pool it would wait for the network, and keep its place from a living one.
                drop(connection.detach());
                Err(error::commit_unknown(NoAnswer))
            }
        }
    }

    async fn read<T: AnyRow>(&self, query: Query<'_>) -> Result<Vec<T>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(error::of_read)?;
        match timeout(self.statement, fetch(&mut connection, query)).await {
            Ok(rows) => rows,
            Err(_) => {
                drop(connection.detach());
                Err(error::unavailable(NoAnswer))
            }
        }
    }
}
