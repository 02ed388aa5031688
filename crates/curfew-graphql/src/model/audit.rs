//! Records of the audit log.
//!
//! Not here: the right to read them.
//! Invariant: a record is shown as it was written.

use async_graphql::{ID, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::enums::{AuditAction, AuditPhase, EndedBy, Outcome, Sent};
use super::operation::{Actor, OperationEvidence, Target};
use crate::connection::PageInfo;

/// One record of the audit log. Records are only ever added.
pub struct AuditRecord(pub curfew_core::AuditRecord);

/// One record of the audit log. Records are only ever added.
#[Object]
impl AuditRecord {
    /// Names it.
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// When it was made.
    async fn recorded_at(&self) -> DateTime<Utc> {
        self.0.recorded_at
    }

    /// Stable code of the event, such as S2001I; the auditor's guide lists them.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// Which step of an act it is about.
    async fn phase(&self) -> AuditPhase {
        self.0.phase.into()
    }

    /// What was done, or asked for.
    async fn action(&self) -> AuditAction {
        self.0.action.into()
    }

    /// How it ended (OUTCOME, RESOLUTION).
    async fn outcome(&self) -> Option<Outcome> {
        self.0.outcome.map(Into::into)
    }

    /// Why it was refused (DENIED), why it ended so (OUTCOME), or what the later read has shown (RESOLUTION).
    async fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Who asked.
    async fn actor(&self) -> Actor {
        Actor::from(&self.0.actor)
    }

    /// The request it came in.
    async fn request_id(&self) -> ID {
        ID(self.0.request.to_string())
    }

    /// Where the request came from, after trusted proxies.
    async fn source_address(&self) -> Option<String> {
        self.0.source_address.map(|address| address.to_string())
    }

    /// The operation it belongs to.
    async fn operation_id(&self) -> Option<ID> {
        self.0.operation.map(|id| ID(id.to_string()))
    }

    /// Which attempt.
    async fn attempt(&self) -> Option<u32> {
        self.0.attempt
    }

    /// The backend concerned, as it was named.
    async fn backend(&self) -> Option<&str> {
        self.0.backend.as_deref()
    }

    /// The session concerned, as it was named.
    async fn session_id(&self) -> Option<&str> {
        self.0.session.as_deref()
    }

    /// What was known of the session when the act was asked for.
    async fn target(&self) -> Option<Target> {
        self.0.target.clone().map(Target)
    }

    /// Why, in the caller's words.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The ticket it belongs to.
    async fn ticket(&self) -> Option<&str> {
        self.0.ticket.as_deref()
    }

    /// Whether an acting request left for the backend (OUTCOME, RESOLUTION).
    async fn sent(&self) -> Option<Sent> {
        self.0.sent.map(Into::into)
    }

    /// Who ended it (OUTCOME, RESOLUTION).
    async fn ended_by(&self) -> Option<EndedBy> {
        self.0.ended_by.map(Into::into)
    }

    /// How the backend answered, and what the last read showed (OUTCOME, RESOLUTION).
    async fn evidence(&self) -> Option<OperationEvidence> {
        self.0.evidence.as_ref().map(OperationEvidence::from)
    }

    /// From the intent to this record, in milliseconds (OUTCOME, RESOLUTION).
    async fn latency_ms(&self) -> Option<u64> {
        self.0.latency_ms
    }

    /// What else belongs to it, as JSON text: the words of a message, the filter of a reading, the missing right.
    async fn params(&self) -> Option<String> {
        self.0.params.as_ref().map(ToString::to_string)
    }
}

/// A page of the audit log, newest first.
#[derive(SimpleObject)]
pub struct AuditRecordConnection {
    /// The records with their cursors.
    pub edges: Vec<AuditRecordEdge>,
    /// The records.
    pub nodes: Vec<AuditRecord>,
    /// Where this page stands among all records that match.
    pub page_info: PageInfo,
    /// How many records match; counted only if it is asked for.
    pub total_count: u64,
}

impl AuditRecordConnection {
    pub(crate) fn edge(cursor: String, record: &curfew_core::AuditRecord) -> AuditRecordEdge {
        AuditRecordEdge {
            cursor,
            node: AuditRecord(record.clone()),
        }
    }
}

/// A record and its place in the log.
#[derive(SimpleObject)]
pub struct AuditRecordEdge {
    /// Its place; give it as `after` or `before`.
    pub cursor: String,
    /// The record.
    pub node: AuditRecord,
}
