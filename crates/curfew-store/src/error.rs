//! What a database's error means.
//!
//! Not here: retries. Invariant: [`StoreError::Unavailable`] is said of a write only if nothing was committed;
//! where that cannot be known it is [`StoreError::CommitUnknown`].

use std::error::Error;

use curfew_core::StoreError;
use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

/// A connection could not be had, or a read failed.
pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Unavailable {
        source: source.into(),
    }
}

/// The database (or we) would not do it.
pub(crate) fn refused(source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::Refused {
        source: source.into(),
    }
}

/// It may or may not have been committed.
pub(crate) fn commit_unknown(source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::CommitUnknown {
        source: source.into(),
    }
}

/// No answer came in time.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time")]
pub(crate) struct NoAnswer;

/// How far a change had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// COMMIT was not sent.
    Before,
    /// COMMIT, or a statement that commits by itself, was sent.
    Committing,
}

/// An error of a statement that changes something.
pub(crate) fn of_change(source: sqlx::Error, stage: Stage) -> StoreError {
    match (verdict(&source), stage) {
        (Verdict::Undone, _) | (Verdict::Lost, Stage::Before) => unavailable(source),
        (Verdict::Refused, _) => refused(source),
        (Verdict::Lost, Stage::Committing) => commit_unknown(source),
    }
}

/// An error of a read.
pub(crate) fn of_read(source: sqlx::Error) -> StoreError {
    of_change(source, Stage::Before)
}

enum Verdict {
    /// The database itself says that it did not do it, and may do it later.
    Undone,
    /// The database says that it will never do this.
    Refused,
    /// Nobody said anything.
    Lost,
}

fn verdict(error: &sqlx::Error) -> Verdict {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => of_postgres(error.code()),
            None => of_sqlite(error.as_ref()),
        },
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::BeginFailed => Verdict::Undone,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            Verdict::Lost
        }
        _ => Verdict::Refused,
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_postgres(code: &str) -> Verdict {
    match code {
        // statement_completion_unknown says it itself. The server goes down: it may say so between the commit and
        // its answer.
        "40003" | "57P01" | "57P02" | "57P04" | "57P05" => Verdict::Lost,
        // cannot_connect_now, lock_not_available, query_canceled (statement_timeout), read_only_sql_transaction (a
        // standby), idle_in_transaction_session_timeout.
        "57P03" | "55P03" | "57014" | "25006" | "25P03" => Verdict::Undone,
        // connection exception
        _ if code.starts_with("08") => Verdict::Lost,
        // serialization failure, deadlock; insufficient resources; the login is refused
        _ if code.starts_with("40") || code.starts_with("53") || code.starts_with("28") => Verdict::Undone,
        _ => Verdict::Refused,
    }
}

/// <https://www.sqlite.org/rescode.html>
fn of_sqlite(error: &dyn DatabaseError) -> Verdict {
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    // The low byte is the primary code.
    match code.map(|code| code & 0xff) {
        // BUSY, LOCKED: somebody else writes. READONLY, CANTOPEN: the file cannot be written (any more).
        Some(5 | 6 | 8 | 14) => Verdict::Undone,
        // NOMEM, INTERRUPT, IOERR, FULL: before COMMIT the transaction is rolled back; a COMMIT whose write fails
        // half-way may still be found whole in the log afterwards.
        Some(7 | 9 | 10 | 13) => Verdict::Lost,
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests;
