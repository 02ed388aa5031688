//! Every fixed statement, as text.
//!
//! Not here: filters (`filter`), whose text depends on what is asked for, and the values that are bound (`params`).
//! Invariant: the two databases get the same text, except for the clauses that the macros take as parameters:
//! the lease's clock, `SKIP LOCKED`, and whether one statement or several make up a change. A test prepares every
//! text on both.
//!
//! On Postgres a change is one statement whose parts are common table expressions: it commits by itself, so an
//! act costs one round trip and not five. SQLite knows no such expressions, and has no round trips to save.

/// A change to the database, committed as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// Gives at least one row, or the change does not apply and nothing of it happens.
    pub first: &'static str,
    /// What belongs to it. Sees the same parameters.
    pub rest: &'static [&'static str],
}

/// The changes, as one database wants them; those in arrays by the number of audit records, from 0.
#[derive(Debug)]
pub(crate) struct Changes {
    pub open: [Change; MAX_RECORDS + 1],
    pub advance: [Change; MAX_RECORDS + 1],
    pub finish: [Change; MAX_RECORDS + 1],
    pub resolve: Change,
    pub claim: Change,
    pub renew: Change,
    pub release: Change,
    pub append: Change,
}

/// Most audit records that one change may carry.
pub(crate) const MAX_RECORDS: usize = 2;

/// Columns as rows are read; JSON comes as text, so that one bad value does not spoil a page.
macro_rules! operation_columns {
    () => {
        "id, action, CAST(params AS TEXT) AS params, session_id, CAST(target AS TEXT) AS target, actor_issuer, \
         actor_subject, actor_name, request_id, source_address, reason, ticket, requested_at, state, sent, attempt, \
         job, progress_percent, deadline_at, end_reason, CAST(evidence AS TEXT) AS evidence, ended_by, finished_at, \
         lease_owner, lease_until, fence"
    };
}

macro_rules! audit_columns {
    () => {
        "recorded_at, id, code, phase, action, outcome, cause, actor_issuer, actor_subject, actor_name, request_id, \
         source_address, operation_id, attempt, backend, session_id, target, reason, ticket, sent, ended_by, evidence, \
         latency_ms, params, actor_subject_key, actor_name_key, target_user_key, target_account_key, target_upn_key, \
         target_machine_key, target_dns_key"
    };
}

/// The parameters of the n-th audit record of a change, in the order of `audit_columns`.
macro_rules! audit_parameters {
    (open 1) => {
        "$27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, \
             $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57"
    };
    (open 2) => {
        "$58, $59, $60, $61, $62, $63, $64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, \
             $75, $76, $77, $78, $79, $80, $81, $82, $83, $84, $85, $86, $87, $88"
    };
    (step 1) => {
        "$16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, \
             $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46"
    };
    (step 2) => {
        "$47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, \
             $64, $65, $66, $67, $68, $69, $70, $71, $72, $73, $74, $75, $76, $77"
    };
    (resolve 1) => {
        "$3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
             $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33"
    };
    (append 1) => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
             $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31"
    };
}

/// One INSERT for all records of a change: every INSERT of its own would read the table's CHECKs again.
macro_rules! audit_insert {
    ($change:ident $first:tt $(, $more:tt)* from $op:literal) => {
        concat!(
            "INSERT INTO audit_record (",
            audit_columns!(),
            ") SELECT r.* FROM ",
            $op,
            " CROSS JOIN (VALUES (",
            audit_parameters!($change $first),
            ")"
            $(, ", (", audit_parameters!($change $more), ")")*,
            ") AS r WHERE op.id = $1 ON CONFLICT (recorded_at, id) DO NOTHING"
        )
    };
}

macro_rules! open_first {
    ($until:literal) => {
        concat!(
            "INSERT INTO operation (id, action, params, session_id, backend, target, actor_issuer, actor_subject, \
             actor_name, request_id, source_address, reason, ticket, requested_at, state, sent, attempt, job, \
             progress_percent, deadline_at, end_reason, evidence, ended_by, finished_at, lease_owner, lease_until, \
             fence, event_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, \
             $18, $19, $20, $21, $22, $23, $24, $25, ",
            $until,
            ", 1, 1) ON CONFLICT (id) DO NOTHING \
             RETURNING id, event_count, lease_owner, fence, lease_until"
        )
    };
}

macro_rules! open_event {
    (from $op:literal) => {
        concat!(
            "INSERT INTO operation_event (operation_id, seq, at, from_state, to_state, attempt, reason) \
             SELECT $1, op.event_count - 1, $14, NULL, $15, $17, $21 FROM ",
            $op,
            " WHERE op.id = $1"
        )
    };
}

/// What has ended has no lease (`operation_lease_whole`), so its owner says that it has not. `finished_at IS NULL`
/// would say it too, but Postgres would then take the index of unfinished operations for the key's.
macro_rules! step_first {
    ($lease:literal) => {
        concat!(
            "UPDATE operation SET event_count = event_count + CASE WHEN state <> $6 OR attempt <> $8 THEN 1 ELSE 0 END, \
             state = $6, sent = $7, attempt = $8, job = $9, progress_percent = $10, deadline_at = $11, \
             end_reason = $12, evidence = $13, ended_by = $14, finished_at = $15",
            $lease,
            " WHERE id = $1 AND fence = $2 AND lease_owner = $3 AND state = $4 \
             RETURNING id, event_count, lease_owner, fence, lease_until"
        )
    };
}

/// A step that leaves state and attempt alone has not counted `event_count` up, so its place is taken.
macro_rules! step_event {
    (from $op:literal) => {
        concat!(
            "INSERT INTO operation_event (operation_id, seq, at, from_state, to_state, attempt, reason) \
             SELECT $1, op.event_count - 1, $5, $4, $6, $8, $12 FROM ",
            $op,
            " WHERE op.id = $1 AND NOT EXISTS (SELECT 1 FROM operation_event AS e \
             WHERE e.operation_id = $1 AND e.seq = op.event_count - 1)"
        )
    };
}

macro_rules! resolve_first {
    () => {
        "UPDATE operation SET resolved_at = $2 WHERE id = $1 AND state = 'UNKNOWN' AND resolved_at IS NULL \
         RETURNING id, event_count, lease_owner, fence, lease_until"
    };
}

macro_rules! claim {
    (until $until:literal, now $now:literal, $lock:literal) => {
        concat!(
            "WITH due AS (SELECT id FROM operation WHERE finished_at IS NULL AND (lease_until IS NULL OR lease_until <= ",
            $now,
            ") ORDER BY requested_at, id LIMIT $3",
            $lock,
            ") UPDATE operation SET lease_owner = $1, lease_until = ",
            $until,
            ", fence = fence + 1 WHERE id IN (SELECT due.id FROM due) RETURNING ",
            operation_columns!()
        )
    };
}

macro_rules! renew {
    ($until:literal) => {
        concat!(
            "UPDATE operation SET lease_until = ",
            $until,
            " WHERE id = $1 AND fence = $2 AND lease_owner = $3 \
             RETURNING lease_owner, fence, lease_until"
        )
    };
}

const RELEASE: &str = "UPDATE operation SET lease_owner = NULL, lease_until = NULL \
     WHERE id = $1 AND fence = $2 AND lease_owner = $3 \
     RETURNING lease_owner, fence, lease_until";

const APPEND: &str = concat!(
    "INSERT INTO audit_record (",
    audit_columns!(),
    ") VALUES (",
    audit_parameters!(append 1),
    ") ON CONFLICT (recorded_at, id) DO NOTHING RETURNING id"
);

const fn alone(first: &'static str) -> Change {
    Change { first, rest: &[] }
}

/// One statement out of a first part and what belongs to it.
macro_rules! joined {
    ($first:expr $(, $name:literal $part:expr)*) => {
        alone(concat!(
            "WITH op AS (", $first, ")"
            $(, ", ", $name, " AS (", $part, ")")*,
            " SELECT lease_owner, fence, lease_until FROM op"
        ))
    };
}

pub(crate) static POSTGRES: Changes = Changes {
    open: [
        joined!(open_first!("clock_timestamp() + make_interval(secs => $26)"), "ev" open_event!(from "op")),
        joined!(open_first!("clock_timestamp() + make_interval(secs => $26)"), "ev" open_event!(from "op"),
            "au" audit_insert!(open 1 from "op")),
        joined!(open_first!("clock_timestamp() + make_interval(secs => $26)"), "ev" open_event!(from "op"),
            "au" audit_insert!(open 1, 2 from "op")),
    ],
    advance: [
        joined!(step_first!(""), "ev" step_event!(from "op")),
        joined!(step_first!(""), "ev" step_event!(from "op"), "au" audit_insert!(step 1 from "op")),
        joined!(step_first!(""), "ev" step_event!(from "op"), "au" audit_insert!(step 1, 2 from "op")),
    ],
    finish: [
        joined!(step_first!(", lease_owner = NULL, lease_until = NULL"), "ev" step_event!(from "op")),
        joined!(step_first!(", lease_owner = NULL, lease_until = NULL"), "ev" step_event!(from "op"),
            "au" audit_insert!(step 1 from "op")),
        joined!(step_first!(", lease_owner = NULL, lease_until = NULL"), "ev" step_event!(from "op"),
            "au" audit_insert!(step 1 from "op"), "a2" audit_insert!(step 2 from "op")),
    ],
    resolve: joined!(resolve_first!(), "au" audit_insert!(resolve 1 from "op")),
    claim: alone(
        claim!(until "clock_timestamp() + make_interval(secs => $2)", now "clock_timestamp()",
        " FOR UPDATE SKIP LOCKED"),
    ),
    renew: alone(renew!("clock_timestamp() + make_interval(secs => $4)")),
    release: alone(RELEASE),
    append: alone(APPEND),
};

macro_rules! several {
    ($first:expr $(, $part:expr)*) => {
        Change { first: $first, rest: &[$($part),*] }
    };
}

pub(crate) static SQLITE: Changes = Changes {
    open: [
        several!(open_first!("$26"), open_event!(from "operation AS op")),
        several!(
            open_first!("$26"),
            open_event!(from "operation AS op"),
            audit_insert!(open 1 from "operation AS op")
        ),
        several!(
            open_first!("$26"),
            open_event!(from "operation AS op"),
            audit_insert!(open 1 from "operation AS op"),
            audit_insert!(open 2 from "operation AS op")
        ),
    ],
    advance: [
        several!(step_first!(""), step_event!(from "operation AS op")),
        several!(
            step_first!(""),
            step_event!(from "operation AS op"),
            audit_insert!(step 1 from "operation AS op")
        ),
        several!(
            step_first!(""),
            step_event!(from "operation AS op"),
            audit_insert!(step 1 from "operation AS op"),
            audit_insert!(step 2 from "operation AS op")
        ),
    ],
    finish: [
        several!(
            step_first!(", lease_owner = NULL, lease_until = NULL"),
            step_event!(from "operation AS op")
        ),
        several!(
            step_first!(", lease_owner = NULL, lease_until = NULL"),
            step_event!(from "operation AS op"),
            audit_insert!(step 1 from "operation AS op")
        ),
        several!(
            step_first!(", lease_owner = NULL, lease_until = NULL"),
            step_event!(from "operation AS op"),
            audit_insert!(step 1 from "operation AS op"),
            audit_insert!(step 2 from "operation AS op")
        ),
    ],
    resolve: several!(resolve_first!(), audit_insert!(resolve 1 from "operation AS op")),
    claim: alone(claim!(until "$2", now "$4", "")),
    renew: alone(renew!("$4")),
    release: alone(RELEASE),
    append: alone(APPEND),
};

/// The lease of one operation, as it stands.
pub(crate) const LEASE: &str = "SELECT lease_owner, fence, lease_until FROM operation WHERE id = $1";

/// Whether a record is there.
pub(crate) const RECORD_PRESENT: &str =
    "SELECT COUNT(*) AS count FROM audit_record WHERE recorded_at = $1 AND id = $2 AND operation_id = $3";

/// One operation.
pub(crate) const GET: &str = concat!("SELECT ", operation_columns!(), " FROM operation WHERE id = $1");

/// The way of one operation.
pub(crate) const EVENTS: &str = "SELECT operation_id, seq, at, from_state, to_state, attempt, reason \
     FROM operation_event WHERE operation_id = $1 ORDER BY seq";

/// What ended UNKNOWN and can be settled; no read shows what became of a message.
pub(crate) const UNRESOLVED: &str = concat!(
    "SELECT ",
    operation_columns!(),
    " FROM operation WHERE state = 'UNKNOWN' AND resolved_at IS NULL AND action <> 'MESSAGE' \
     AND finished_at >= $1 ORDER BY finished_at, id LIMIT $2"
);

/// How many have not ended.
pub(crate) const OPEN_COUNT: &str = "SELECT COUNT(*) AS count FROM operation WHERE finished_at IS NULL";

/// Touches a table of ours, so that a database without them does not pass for one that works.
pub(crate) const PING: &str = "SELECT COUNT(*) AS count FROM operation WHERE id IS NULL";

/// What the filters' statements begin with.
pub(crate) const PAGE_OF_OPERATIONS: &str =
    concat!("SELECT ", operation_columns!(), " FROM operation WHERE 1 = 1");
pub(crate) const COUNT_OF_OPERATIONS: &str = "SELECT COUNT(*) AS count FROM operation WHERE 1 = 1";
pub(crate) const PAGE_OF_RECORDS: &str = "SELECT recorded_at, id, code, phase, action, outcome, cause, actor_issuer, actor_subject, actor_name, request_id, \
     source_address, operation_id, attempt, backend, session_id, CAST(target AS TEXT) AS target, reason, ticket, sent, \
     ended_by, CAST(evidence AS TEXT) AS evidence, latency_ms, CAST(params AS TEXT) AS params \
     FROM audit_record WHERE 1 = 1";
pub(crate) const COUNT_OF_RECORDS: &str = "SELECT COUNT(*) AS count FROM audit_record WHERE 1 = 1";

/// The fixed reads, for the test that prepares every statement.
#[cfg(test)]
pub(crate) const READS: &[&str] = &[
    LEASE,
    RECORD_PRESENT,
    GET,
    EVENTS,
    UNRESOLVED,
    OPEN_COUNT,
    PING,
    PAGE_OF_OPERATIONS,
    COUNT_OF_OPERATIONS,
    PAGE_OF_RECORDS,
    COUNT_OF_RECORDS,
];
