//! The Postgres driver: changes that are one statement each.
//!
//! Not here: what the statements say (`sql`) and how connections are kept (`connections`).
//! Invariant: nothing waits without a limit, neither for a connection, nor for a lock, nor for an answer that a
//! dead network will never bring.

use std::borrow::Cow;
use std::time::Duration;

use curfew_core::StoreError;
use sqlx::postgres::{PgArguments, PgConnectOptions};
use sqlx::types::Json;
use sqlx::{Arguments, ConnectOptions, PgConnection, Postgres, QueryBuilder};
use tokio::time::timeout;

use crate::connections::{Connections, Held};
use crate::driver::driver;
use crate::error::{self, NoAnswer, Stage};
use crate::filter::{Piece, Query};
use crate::options::StoreOptions;
use crate::params::Param;
use crate::rows::AnyRow;
use crate::sql::{self, Change, Changes};
use crate::store::Driver;

driver!(Postgres, PgArguments, PgConnection);

pub(crate) struct PgDriver {
    connections: Connections,
    connect: PgConnectOptions,
    statement: Duration,
}

impl PgDriver {
    /// A driver that has not connected yet.
    pub fn new(connect: PgConnectOptions, options: &StoreOptions) -> Self {
        let connect = connect.application_name("curfew");
        let limited = connect.clone().options([
            ("statement_timeout", "5s"),
            ("lock_timeout", "2s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        Self {
            connections: Connections::new(limited, options.postgres_connections, options.postgres_acquire),
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

    /// A connection like those that statements use.
    pub async fn acquire(&self) -> Result<Held<'_>, sqlx::Error> {
        self.connections.acquire().await
    }

    pub async fn close(&self) {
        self.connections.close().await;
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

    async fn change<T: AnyRow>(&self, change: &Change, params: Vec<Param<'_>>) -> Result<Vec<T>, StoreError> {
        let arguments = arguments(params)?;
        let mut connection = self.acquire().await.map_err(error::of_read)?;
        // The statement commits by itself, so from here on an answer that does not come leaves it open whether it
        // did. `fetch_all` reads until the server is ready again, that is, until after the commit.
        let query = sqlx::query_as_with::<Postgres, T, _>(change.first, arguments);
        let answer = timeout(self.statement, query.fetch_all(&mut *connection)).await;
        let rows = answer
            .map_err(|_| error::commit_unknown(NoAnswer))?
            .map_err(|source| error::of_change(source, Stage::Committing))?;
        connection.keep();
        Ok(rows)
    }

    async fn read<T: AnyRow>(&self, query: Query<'_>) -> Result<Vec<T>, StoreError> {
        let mut connection = self.acquire().await.map_err(error::of_read)?;
        let answer = timeout(self.statement, fetch(&mut connection, query)).await;
        let rows = answer.map_err(|_| error::unavailable(NoAnswer))??;
        connection.keep();
        Ok(rows)
    }
}
