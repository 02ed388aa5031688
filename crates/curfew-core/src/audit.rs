//! Audit records: what is kept of every act, every refusal and every reading of the log.
//!
//! Not here: storage and paging (`store`).
//! Invariant: a record is complete when it is made and is never changed afterwards.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::ledger::ActionKind;
use crate::session::spelled;
use crate::{
    Actor, AuditId, BackendId, Caller, Clock, EndedBy, Operation, OperationEvidence, OperationId, Outcome,
    Permission, RequestId, RequestMeta, Seen, Sent, SessionId, TargetSnapshot, Timestamp, Verb,
};

/// Which step of an act a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AuditPhase {
    /// It was refused; nothing was sent.
    Denied,
    /// It is wanted and allowed.
    Intent,
    /// From here at most one request may leave for the backend.
    Attempt,
    /// It has ended.
    Outcome,
    /// What had ended UNKNOWN was settled later.
    Resolution,
    /// The audit log was read.
    Read,
}
spelled!(AuditPhase {
    Denied => "DENIED", Intent => "INTENT", Attempt => "ATTEMPT", Outcome => "OUTCOME",
    Resolution => "RESOLUTION", Read => "READ",
});

/// What was done, or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AuditAction {
    /// Disconnecting a session.
    Disconnect,
    /// Logging a session off.
    Logoff,
    /// Showing a message.
    Message,
    /// Reading the audit log.
    AuditRead,
    /// A document with more than one act in it; none was done.
    ManyActs,
}
spelled!(AuditAction {
    Disconnect => "DISCONNECT", Logoff => "LOGOFF", Message => "MESSAGE", AuditRead => "AUDIT_READ",
    ManyActs => "MANY_ACTS",
});

impl From<ActionKind> for AuditAction {
    fn from(kind: ActionKind) -> Self {
        match kind {
            ActionKind::Disconnect => Self::Disconnect,
            ActionKind::Logoff => Self::Logoff,
            ActionKind::Message => Self::Message,
        }
    }
}

/// Why an act was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenyReason {
    /// The right is missing.
    Forbidden,
    /// The backend does not exist, or not for this caller.
    HiddenBackend,
    /// The backend cannot do that.
    Unsupported,
    /// More than one act in one document.
    TooManyActs,
    /// Nothing that the caller can see matches the target.
    NoSuchTarget,
    /// More than one session matches the target.
    AmbiguousTarget,
}
spelled!(DenyReason {
    Forbidden => "FORBIDDEN", HiddenBackend => "HIDDEN_BACKEND", Unsupported => "UNSUPPORTED",
    TooManyActs => "TOO_MANY_ACTS", NoSuchTarget => "NO_SUCH_TARGET", AmbiguousTarget => "AMBIGUOUS_TARGET",
});

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Names it (UUID version 7, made before the insert).
    pub id: AuditId,
    /// When it was made.
    pub recorded_at: Timestamp,
    /// Stable code of the event: `S2001I` and so on; see `docs/auditors-guide.md`.
    pub code: String,
    /// Which step.
    pub phase: AuditPhase,
    /// What was done, or asked for.
    pub action: AuditAction,
    /// How it ended (OUTCOME, RESOLUTION).
    pub outcome: Option<Outcome>,
    /// Why: the spelling of a [`DenyReason`] (DENIED), an [`crate::EndReason`] (OUTCOME), or what the later read has
    /// shown, a [`Seen`] (RESOLUTION).
    pub cause: Option<String>,
    /// Who asked.
    pub actor: Actor,
    /// The request it came in.
    pub request: RequestId,
    /// Where that came from.
    pub source_address: Option<IpAddr>,
    /// The operation it belongs to.
    pub operation: Option<OperationId>,
    /// Which attempt.
    pub attempt: Option<u32>,
    /// The backend concerned, as it was named.
    pub backend: Option<String>,
    /// The session concerned, as it was named.
    pub session: Option<String>,
    /// What was known of it.
    pub target: Option<TargetSnapshot>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// The caller's ticket.
    pub ticket: Option<String>,
    /// Whether an acting request left (OUTCOME).
    pub sent: Option<Sent>,
    /// Who ended it (OUTCOME, RESOLUTION).
    pub ended_by: Option<EndedBy>,
    /// How the backend answered.
    pub evidence: Option<OperationEvidence>,
    /// From the intent to this record, in milliseconds (OUTCOME, RESOLUTION).
    pub latency_ms: Option<u64>,
    /// What else belongs to it: the words of a message, the filter of a reading.
    pub params: Option<Value>,
}

/// Which records to list. Every field that is given must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    /// Recorded at or after.
    pub after: Option<Timestamp>,
    /// Recorded before.
    pub before: Option<Timestamp>,
    /// Who asked: subject or name, whole and case-insensitive.
    pub actor: Option<String>,
    /// Whose session: name, `DOMAIN\name` or UPN, whole and case-insensitive.
    pub user: Option<String>,
    /// On which machine: short or DNS name, whole and case-insensitive.
    pub machine: Option<String>,
    /// On one of these backends.
    pub backends: Option<Vec<BackendId>>,
    /// One of these acts.
    pub actions: Option<Vec<AuditAction>>,
    /// One of these steps.
    pub phases: Option<Vec<AuditPhase>>,
    /// Ended in one of these ways.
    pub outcomes: Option<Vec<Outcome>>,
    /// With this ticket.
    pub ticket: Option<String>,
    /// Of this operation.
    pub operation: Option<OperationId>,
    /// On this session.
    pub session: Option<String>,
}

/// The stable code of an event: area, number, and I (information), W (warning) or E (error).
pub const fn code(phase: AuditPhase, outcome: Option<Outcome>) -> &'static str {
    match (phase, outcome) {
        (AuditPhase::Denied, _) => "P1001W",
        (AuditPhase::Intent, _) => "S2001I",
        (AuditPhase::Outcome, Some(Outcome::Succeeded)) => "S2002I",
        (AuditPhase::Outcome, Some(Outcome::AlreadyGone | Outcome::Superseded)) => "S2003W",
        (AuditPhase::Outcome, Some(Outcome::Failed)) => "S2004E",
        (AuditPhase::Outcome, Some(Outcome::Unknown) | None) => "S2005W",
        (AuditPhase::Resolution, _) => "S2006I",
        (AuditPhase::Attempt, _) => "S2007I",
        (AuditPhase::Outcome, Some(Outcome::Canceled)) => "S2008I",
        (AuditPhase::Read, _) => "A3001I",
    }
}

/// INTENT of an operation.
pub fn intent(operation: &Operation, clock: &dyn Clock, now: Timestamp) -> AuditRecord {
    of_operation(operation, AuditPhase::Intent, clock, now)
}

/// ATTEMPT `attempt` of an operation.
pub fn attempt(operation: &Operation, attempt: u32, clock: &dyn Clock, now: Timestamp) -> AuditRecord {
    AuditRecord {
        attempt: Some(attempt),
        params: None,
        ..of_operation(operation, AuditPhase::Attempt, clock, now)
    }
}

/// OUTCOME of an operation whose course is final.
pub fn outcome(operation: &Operation, clock: &dyn Clock, now: Timestamp) -> AuditRecord {
    let course = &operation.course;
    let outcome = course.state.outcome();
    AuditRecord {
        code: code(AuditPhase::Outcome, outcome).to_owned(),
        outcome,
        cause: course.reason.map(|reason| reason.as_str().to_owned()),
        attempt: Some(course.attempt),
        sent: Some(course.sent),
        ended_by: course.ended_by,
        evidence: Some(course.evidence.clone()),
        latency_ms: Some(millis_between(operation.requested_at, now)),
        params: None,
        ..of_operation(operation, AuditPhase::Outcome, clock, now)
    }
}

/// RESOLUTION of an operation that ended UNKNOWN: what a later read has shown.
pub fn resolution(
    operation: &Operation,
    settled: Outcome,
    evidence: OperationEvidence,
    by: EndedBy,
    clock: &dyn Clock,
    now: Timestamp,
) -> AuditRecord {
    AuditRecord {
        outcome: Some(settled),
        sent: Some(operation.course.sent),
        ended_by: Some(by),
        cause: evidence.seen.map(|seen: Seen| seen.as_str().to_owned()),
        evidence: Some(evidence),
        latency_ms: Some(millis_between(operation.requested_at, now)),
        params: None,
        ..of_operation(operation, AuditPhase::Resolution, clock, now)
    }
}

/// What was asked for and refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What was asked for.
    pub action: AuditAction,
    /// Why it was refused.
    pub why: DenyReason,
    /// The right that is missing.
    pub missing: Option<Permission>,
    /// The session, as the caller named it.
    pub session: Option<String>,
    /// What is known of it.
    pub target: Option<TargetSnapshot>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// The caller's ticket.
    pub ticket: Option<String>,
}

/// DENIED: an act of an authenticated caller that was refused.
pub fn denied(
    caller: &Caller,
    request: &RequestMeta,
    refusal: Refusal,
    clock: &dyn Clock,
    now: Timestamp,
) -> AuditRecord {
    let named = refusal
        .session
        .as_deref()
        .and_then(|text| SessionId::parse(text).ok());
    AuditRecord {
        cause: Some(refusal.why.as_str().to_owned()),
        backend: named.as_ref().map(|id| id.backend_str().to_owned()),
        session: refusal.session,
        target: refusal.target,
        reason: refusal.reason,
        ticket: refusal.ticket,
        params: refusal.missing.map(|permission| json!({ "missing": permission })),
        ..bare(
            AuditPhase::Denied,
            refusal.action,
            &caller.actor,
            request,
            clock,
            now,
        )
    }
}

/// READ: a reading of the audit log, with what was looked for.
pub fn read(
    caller: &Caller,
    request: &RequestMeta,
    params: Value,
    clock: &dyn Clock,
    now: Timestamp,
) -> AuditRecord {
    AuditRecord {
        params: Some(params),
        ..bare(
            AuditPhase::Read,
            AuditAction::AuditRead,
            &caller.actor,
            request,
            clock,
            now,
        )
    }
}

fn bare(
    phase: AuditPhase,
    action: AuditAction,
    actor: &Actor,
    request: &RequestMeta,
    clock: &dyn Clock,
    now: Timestamp,
) -> AuditRecord {
    AuditRecord {
        id: AuditId(clock.uuid()),
        recorded_at: now,
        code: code(phase, None).to_owned(),
        phase,
        action,
        outcome: None,
        cause: None,
        actor: actor.clone(),
        request: request.id,
        source_address: request.source_address,
        operation: None,
        attempt: None,
        backend: None,
        session: None,
        target: None,
        reason: None,
        ticket: None,
        sent: None,
        ended_by: None,
        evidence: None,
        latency_ms: None,
        params: None,
    }
}

fn of_operation(operation: &Operation, phase: AuditPhase, clock: &dyn Clock, now: Timestamp) -> AuditRecord {
    let params = match &operation.verb {
        Verb::Message { title, text } => Some(json!({ "title": title, "text": text })),
        Verb::Disconnect | Verb::Logoff => None,
    };
    AuditRecord {
        operation: Some(operation.id),
        backend: Some(operation.target.session.backend_str().to_owned()),
        session: Some(operation.target.session.to_string()),
        target: Some(operation.target.clone()),
        reason: operation.reason.clone(),
        ticket: operation.ticket.clone(),
        params,
        ..bare(
            phase,
            operation.verb.kind().into(),
            &operation.actor,
            &operation.request,
            clock,
            now,
        )
    }
}

/// Whole milliseconds from `from` to `to`; 0 if the clock went back.
pub fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from((to - from).num_milliseconds()).unwrap_or(0)
}
