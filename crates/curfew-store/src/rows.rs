//! Rows as the databases give them, and what they mean.
//!
//! Not here: SQL. The same row types serve both drivers.
//! Invariant: a value that Curfew cannot have written is [`StoreError::Inconsistent`] with its table and column,
//! never a panic and never a guess. In audit records a spoilt JSON value alone is left out, so that the rest of
//! the evidence can still be read.

use chrono::{DateTime, Utc};
use curfew_core::audit::AuditRecord;
use curfew_core::{
    Actor, AuditAction, AuditId, AuditPhase, Course, EndReason, EndedBy, JobRef, Lease, Operation,
    OperationEvent, OperationEvidence, OperationId, OperationState, Outcome, ProcessId, RequestId,
    RequestMeta, Sent, StoreError, Verb,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

/// A row type that both drivers can fill.
pub(crate) trait AnyRow:
    for<'r> sqlx::FromRow<'r, PgRow> + for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin
{
}
impl<T> AnyRow for T where
    T: for<'r> sqlx::FromRow<'r, PgRow> + for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin
{
}

/// Names a place in the database.
#[derive(Clone, Copy)]
struct Place<'a> {
    table: &'static str,
    id: &'a dyn std::fmt::Display,
}

impl Place<'_> {
    fn wrong(self, column: &'static str) -> StoreError {
        StoreError::Inconsistent {
            table: self.table,
            column,
            id: self.id.to_string(),
        }
    }

    fn number<T: TryFrom<i64>>(self, column: &'static str, number: i64) -> Result<T, StoreError> {
        T::try_from(number).map_err(|_| self.wrong(column))
    }

    fn json<T: DeserializeOwned>(self, column: &'static str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|_| self.wrong(column))
    }

    fn parsed<T>(
        self,
        column: &'static str,
        text: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(text).ok_or_else(|| self.wrong(column))
    }

    /// As [`Self::parsed`], for what may be missing.
    fn maybe<T>(
        self,
        column: &'static str,
        text: Option<&str>,
        parse: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.parsed(column, text, parse)).transpose()
    }

    /// JSON of an audit record: what cannot be read is reported and left out.
    fn shown<T: DeserializeOwned>(self, column: &'static str, text: Option<&str>) -> Option<T> {
        let parsed = serde_json::from_str(text?);
        if let Err(error) = &parsed {
            tracing::error!(%error, table = self.table, column, id = %self.id, "A stored JSON value cannot be read");
        }
        parsed.ok()
    }
}

fn address<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// The words of a message.
#[derive(Deserialize)]
struct Words {
    title: String,
    text: String,
}

/// A row of `operation`.
#[derive(sqlx::FromRow)]
pub(crate) struct OperationRow {
    id: Uuid,
    action: String,
    params: Option<String>,
    session_id: String,
    target: String,
    actor_issuer: String,
    actor_subject: String,
    actor_name: String,
    request_id: Uuid,
    source_address: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
    requested_at: DateTime<Utc>,
    state: String,
    sent: String,
    attempt: i64,
    job: Option<String>,
    progress_percent: Option<i64>,
    deadline_at: Option<DateTime<Utc>>,
    end_reason: Option<String>,
    evidence: String,
    ended_by: Option<String>,
    finished_at: Option<DateTime<Utc>>,
    lease_owner: Option<Uuid>,
    lease_until: Option<DateTime<Utc>>,
    fence: i64,
}

impl OperationRow {
    /// The lease that the row shows; `None` if nobody holds one.
    pub fn lease(&self) -> Option<Lease> {
        Some(Lease {
            operation: OperationId(self.id),
            owner: ProcessId(self.lease_owner?),
            fence: self.fence,
            until: self.lease_until?,
        })
    }

    fn verb(&self, place: Place<'_>) -> Result<Verb, StoreError> {
        match self.action.as_str() {
            "DISCONNECT" => Ok(Verb::Disconnect),
            "LOGOFF" => Ok(Verb::Logoff),
            "MESSAGE" => {
                let params = self.params.as_deref().ok_or_else(|| place.wrong("params"))?;
                let Words { title, text } = place.json("params", params)?;
                Ok(Verb::Message { title, text })
            }
            _ => Err(place.wrong("action")),
        }
    }
}

impl TryFrom<OperationRow> for Operation {
    type Error = StoreError;

    fn try_from(row: OperationRow) -> Result<Self, StoreError> {
        let place = Place {
            table: "operation",
            id: &row.id,
        };
        let target: curfew_core::TargetSnapshot = place.json("target", &row.target)?;
        if target.session.as_str() != row.session_id {
            return Err(place.wrong("session_id"));
        }
        let progress = row.progress_percent;
        Ok(Self {
            id: OperationId(row.id),
            verb: row.verb(place)?,
            target,
            request: RequestMeta {
                id: RequestId(row.request_id),
                source_address: place.maybe("source_address", row.source_address.as_deref(), address)?,
            },
            requested_at: row.requested_at,
            course: Course {
                state: place.parsed("state", &row.state, OperationState::parse)?,
                sent: place.parsed("sent", &row.sent, Sent::parse)?,
                attempt: place.number("attempt", row.attempt)?,
                progress_percent: progress
                    .map(|it| place.number("progress_percent", it))
                    .transpose()?,
                deadline: row.deadline_at,
                reason: place.maybe("end_reason", row.end_reason.as_deref(), EndReason::parse)?,
                evidence: place.json("evidence", &row.evidence)?,
                ended_by: place.maybe("ended_by", row.ended_by.as_deref(), EndedBy::parse)?,
                finished_at: row.finished_at,
                job: row.job.map(JobRef),
            },
            actor: Actor {
                issuer: row.actor_issuer,
                subject: row.actor_subject,
                name: row.actor_name,
            },
            reason: row.reason,
            ticket: row.ticket,
        })
    }
}

/// A row of `operation_event`.
#[derive(sqlx::FromRow)]
pub(crate) struct EventRow {
    operation_id: Uuid,
    seq: i64,
    at: DateTime<Utc>,
    from_state: Option<String>,
    to_state: String,
    attempt: i64,
    reason: Option<String>,
}

impl TryFrom<EventRow> for OperationEvent {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let place = Place {
            table: "operation_event",
            id: &row.operation_id,
        };
        Ok(Self {
            seq: place.number("seq", row.seq)?,
            at: row.at,
            from: place.maybe("from_state", row.from_state.as_deref(), OperationState::parse)?,
            to: place.parsed("to_state", &row.to_state, OperationState::parse)?,
            attempt: place.number("attempt", row.attempt)?,
            reason: place.maybe("reason", row.reason.as_deref(), EndReason::parse)?,
        })
    }
}

/// A row of `audit_record`.
#[derive(sqlx::FromRow)]
pub(crate) struct AuditRow {
    recorded_at: DateTime<Utc>,
    id: Uuid,
    code: String,
    phase: String,
    action: String,
    outcome: Option<String>,
    cause: Option<String>,
    actor_issuer: String,
    actor_subject: String,
    actor_name: String,
    request_id: Uuid,
    source_address: Option<String>,
    operation_id: Option<Uuid>,
    attempt: Option<i64>,
    backend: Option<String>,
    session_id: Option<String>,
    target: Option<String>,
    reason: Option<String>,
    ticket: Option<String>,
    sent: Option<String>,
    ended_by: Option<String>,
    evidence: Option<String>,
    latency_ms: Option<i64>,
    params: Option<String>,
}

impl TryFrom<AuditRow> for AuditRecord {
    type Error = StoreError;

    fn try_from(row: AuditRow) -> Result<Self, StoreError> {
        let place = Place {
            table: "audit_record",
            id: &row.id,
        };
        Ok(Self {
            id: AuditId(row.id),
            recorded_at: row.recorded_at,
            phase: place.parsed("phase", &row.phase, AuditPhase::parse)?,
            action: place.parsed("action", &row.action, AuditAction::parse)?,
            outcome: place.maybe("outcome", row.outcome.as_deref(), Outcome::parse)?,
            request: RequestId(row.request_id),
            source_address: place.maybe("source_address", row.source_address.as_deref(), address)?,
            operation: row.operation_id.map(OperationId),
            attempt: row.attempt.map(|it| place.number("attempt", it)).transpose()?,
            target: place.shown("target", row.target.as_deref()),
            sent: place.maybe("sent", row.sent.as_deref(), Sent::parse)?,
            ended_by: place.maybe("ended_by", row.ended_by.as_deref(), EndedBy::parse)?,
            evidence: place.shown::<OperationEvidence>("evidence", row.evidence.as_deref()),
            latency_ms: row
                .latency_ms
                .map(|it| place.number("latency_ms", it))
                .transpose()?,
            params: place.shown("params", row.params.as_deref()),
            actor: Actor {
                issuer: row.actor_issuer,
                subject: row.actor_subject,
                name: row.actor_name,
            },
            code: row.code,
            cause: row.cause,
            backend: row.backend,
            session: row.session_id,
            reason: row.reason,
            ticket: row.ticket,
        })
    }
}

/// Whose an operation is.
#[derive(sqlx::FromRow)]
pub(crate) struct LeaseRow {
    lease_owner: Option<Uuid>,
    fence: i64,
    lease_until: Option<DateTime<Utc>>,
}

impl LeaseRow {
    /// The lease that the row shows; `None` if nobody holds one.
    pub fn lease(&self, operation: OperationId) -> Option<Lease> {
        Some(Lease {
            operation,
            owner: ProcessId(self.lease_owner?),
            fence: self.fence,
            until: self.lease_until?,
        })
    }
}

/// A number of rows.
#[derive(sqlx::FromRow)]
pub(crate) struct CountRow {
    pub count: i64,
}

/// The id of a row that was inserted.
#[derive(sqlx::FromRow)]
pub(crate) struct IdRow {
    #[expect(dead_code, reason = "that there is a row says all")]
    pub id: Uuid,
}
