//! Operations, arrows and records with every field filled, for checks and tests.
//!
//! Not for production. Invariant: two samples never share an id, whatever thread makes them.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{TimeDelta, TimeZone, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::clock::uuid_v7;
use crate::operation::TargetFacts;
use crate::{
    Actor, AuditAction, AuditId, AuditPhase, AuditRecord, BackendId, Course, EndReason, EndedBy, Evidence,
    Generation, JobRef, Lease, Move, Operation, OperationEvidence, OperationId, OperationState, Outcome,
    ProcessId, RequestId, RequestMeta, Seen, Sent, SessionClient, SessionId, SessionMachine, SessionState,
    SessionUser, TargetSnapshot, Timestamp, Verb,
};

/// `seconds` after the samples' beginning, 2026-01-16T14:40:00.123456Z: an instant with microseconds.
pub fn at(seconds: i64) -> Timestamp {
    let start = Utc
        .timestamp_micros(1_768_574_400_123_456)
        .single()
        .unwrap_or_default();
    start + TimeDelta::seconds(seconds)
}

/// A fresh UUID version 7 of `at(0)`; later ones are greater.
pub fn uuid() -> Uuid {
    static DRAWN: AtomicU64 = AtomicU64::new(1);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    uuid_v7(at(0), random)
}

/// A fresh process.
pub fn process() -> ProcessId {
    ProcessId(uuid())
}

/// A backend's name.
///
/// # Panics
/// If it is none.
pub fn backend(name: &str) -> BackendId {
    BackendId::parse(name).expect("a backend's name")
}

/// Session `native` on `site-a`.
///
/// # Panics
/// If `native` is empty.
pub fn session(native: &str) -> SessionId {
    SessionId::new(&backend("site-a"), native, Generation::of(&[Some(native)])).expect("a session id")
}

/// A target of which everything is known.
pub fn target(native: &str) -> TargetSnapshot {
    TargetSnapshot {
        session: session(native),
        facts: Some(TargetFacts {
            user: SessionUser {
                name: "Anna.Müller".to_owned(),
                domain: Some("CORP".to_owned()),
                upn: Some("anna.mueller@corp.example".to_owned()),
                sid: Some("S-1-5-21-1-2-3-1104".to_owned()),
                display_name: Some("Müller, Anna".to_owned()),
            },
            machine: SessionMachine {
                name: Some("TERM04".to_owned()),
                dns_name: Some("term04.corp.example".to_owned()),
                address: Some("10.1.2.3".to_owned()),
            },
            client: SessionClient {
                name: Some("LAPTOP-7".to_owned()),
                address: Some("192.0.2.7".to_owned()),
                platform: Some("Windows".to_owned()),
                version: Some("24.2".to_owned()),
            },
            state: SessionState::Disconnected,
            started_at: Some(at(-7200)),
            observed_at: at(-1),
        }),
        named_as: Some("RDP-Tcp#3".to_owned()),
    }
}

/// Somebody.
pub fn actor(subject: &str) -> Actor {
    Actor {
        issuer: "https://login.example/realms/it".to_owned(),
        subject: subject.to_owned(),
        name: format!("Name of {subject}"),
    }
}

/// How a backend answered.
pub fn evidence(code: &str) -> Evidence {
    Evidence {
        status: Some(202),
        native_code: Some(code.to_owned()),
        transaction_id: Some("b4c1".to_owned()),
        job_id: Some("job-9".to_owned()),
        latency_ms: Some(41),
        retry_after_ms: Some(1500),
    }
}

/// Every piece of evidence there can be.
pub fn full_evidence() -> OperationEvidence {
    OperationEvidence {
        act: Some(evidence("act")),
        job: Some(evidence("job")),
        read: Some(evidence("read")),
        seen: Some(Seen::StillThere),
        detail: Some("the site said \"no\"".to_owned()),
    }
}

/// The course of an operation that was just opened.
pub fn course(requested_at: Timestamp) -> Course {
    Course {
        state: OperationState::Dispatching,
        sent: Sent::No,
        attempt: 1,
        job: None,
        progress_percent: None,
        deadline: Some(requested_at + TimeDelta::seconds(15)),
        reason: None,
        evidence: OperationEvidence::default(),
        ended_by: None,
        finished_at: None,
    }
}

/// A log-off that was asked for at `at(seconds)`.
pub fn operation(seconds: i64) -> Operation {
    Operation {
        id: OperationId(uuid()),
        verb: Verb::Logoff,
        target: target("TERM04/12"),
        actor: actor("anna"),
        request: RequestMeta {
            id: RequestId(uuid()),
            source_address: "2001:db8::7".parse().ok(),
        },
        reason: Some("Frozen since the morning".to_owned()),
        ticket: Some("INC-4711".to_owned()),
        requested_at: at(seconds),
        course: course(at(seconds)),
    }
}

/// A record about `operation` with every field filled that its phase allows.
pub fn record(operation: &Operation, phase: AuditPhase, seconds: i64) -> AuditRecord {
    let ends = matches!(phase, AuditPhase::Outcome | AuditPhase::Resolution);
    AuditRecord {
        id: AuditId(uuid()),
        recorded_at: at(seconds),
        code: crate::audit::code(phase, ends.then_some(Outcome::Succeeded)).to_owned(),
        phase,
        action: operation.verb.kind().into(),
        outcome: ends.then_some(Outcome::Succeeded),
        cause: Some("STILL_PRESENT".to_owned()),
        actor: operation.actor.clone(),
        request: operation.request.id,
        source_address: operation.request.source_address,
        operation: Some(operation.id),
        attempt: Some(2),
        backend: Some(operation.target.session.backend_str().to_owned()),
        session: Some(operation.target.session.to_string()),
        target: Some(operation.target.clone()),
        reason: operation.reason.clone(),
        ticket: operation.ticket.clone(),
        sent: Some(Sent::Unknown),
        ended_by: Some(EndedBy::Runner),
        evidence: Some(full_evidence()),
        latency_ms: Some(90_061),
        params: Some(
            json!({ "missing": "sessions:logoff", "first": 50, "nested": { "a": [1, null, true] } }),
        ),
    }
}

/// A record with nothing in it that may be missing.
pub fn bare_record(phase: AuditPhase, action: AuditAction, seconds: i64) -> AuditRecord {
    AuditRecord {
        code: "A3001I".to_owned(),
        action,
        cause: None,
        source_address: None,
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
        ..record(&operation(seconds), phase, seconds)
    }
}

/// INTENT and ATTEMPT of an operation, as they are committed with it.
pub fn first_records(operation: &Operation) -> [AuditRecord; 2] {
    let record = |phase| AuditRecord {
        recorded_at: operation.requested_at,
        ..record(operation, phase, 0)
    };
    [record(AuditPhase::Intent), record(AuditPhase::Attempt)]
}

/// An arrow to `state`, which is not final.
pub fn advance(operation: &Operation, state: OperationState, seconds: i64) -> Move {
    Move {
        from: operation.course.state,
        course: Course {
            state,
            sent: Sent::Yes,
            job: Some(JobRef("job-9".to_owned())),
            progress_percent: Some(40),
            deadline: Some(at(seconds + 600)),
            evidence: full_evidence(),
            ..operation.course.clone()
        },
        at: at(seconds),
        records: Vec::new(),
    }
}

/// The last arrow of an operation, to `state`.
pub fn finish(operation: &Operation, state: OperationState, seconds: i64) -> Move {
    let course = Course {
        state,
        sent: Sent::Yes,
        progress_percent: Some(100),
        deadline: None,
        reason: (state != OperationState::Succeeded).then_some(EndReason::StillPresent),
        evidence: full_evidence(),
        ended_by: Some(EndedBy::Request),
        finished_at: Some(at(seconds)),
        ..operation.course.clone()
    };
    let outcome = AuditRecord {
        outcome: state.outcome(),
        sent: Some(course.sent),
        ended_by: course.ended_by,
        ..record(operation, AuditPhase::Outcome, seconds)
    };
    Move {
        from: operation.course.state,
        course,
        at: at(seconds),
        records: vec![outcome],
    }
}

/// Opens an operation with its two records.
///
/// # Panics
/// If the store does not take it.
pub async fn open(stores: &super::Stores, operation: &Operation, owner: ProcessId) -> Lease {
    let records = first_records(operation);
    let opened = stores.actions.operation_open(operation, owner, &records).await;
    opened.expect("the store opens an operation")
}

/// Opens an operation and ends it in `state`.
///
/// # Panics
/// If the store does not take it.
pub async fn ended(
    stores: &super::Stores,
    operation: &Operation,
    state: OperationState,
    seconds: i64,
) -> Move {
    let lease = open(stores, operation, process()).await;
    let last = finish(operation, state, seconds);
    let finished = stores.actions.operation_finish(&lease, &last).await;
    finished.expect("the store ends an operation");
    last
}
