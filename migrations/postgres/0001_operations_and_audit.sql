-- Operations, the arrows of their way, and the audit log.
-- Held against migrations/sqlite/0001_*.sql by the parity test of curfew-store.

-- The enums, as domains: Postgres parses a table's CHECK anew for every statement, a domain's once per connection.
-- Mirrors curfew_core::ledger::ActionKind.
CREATE DOMAIN action_kind AS TEXT CONSTRAINT action_kind_check CHECK (VALUE IN ('DISCONNECT', 'LOGOFF', 'MESSAGE'));
-- Mirrors curfew_core::OperationState.
CREATE DOMAIN operation_state AS TEXT CONSTRAINT operation_state_check CHECK (VALUE IN (
    'RECEIVED', 'NOTIFYING', 'DISPATCHING', 'RUNNING', 'CONFIRMING',
    'SUCCEEDED', 'ALREADY_GONE', 'SUPERSEDED', 'FAILED', 'CANCELED', 'UNKNOWN'));
-- Mirrors curfew_core::Sent.
CREATE DOMAIN sent AS TEXT CONSTRAINT sent_check CHECK (VALUE IN ('NO', 'YES', 'UNKNOWN'));
-- Mirrors curfew_core::EndReason.
CREATE DOMAIN end_reason AS TEXT CONSTRAINT end_reason_check CHECK (VALUE IN (
    'STILL_PRESENT', 'HOST_DOWN', 'ANSWER_LOST', 'BACKEND_UNAVAILABLE', 'RATE_LIMITED',
    'REFUSED', 'CREDENTIALS', 'UNSUPPORTED', 'JOB_FAILED', 'NOT_SENT'));
-- Mirrors curfew_core::EndedBy.
CREATE DOMAIN ended_by AS TEXT CONSTRAINT ended_by_check CHECK (VALUE IN ('REQUEST', 'RUNNER', 'PERSON'));
-- Mirrors curfew_core::AuditPhase.
CREATE DOMAIN audit_phase AS TEXT CONSTRAINT audit_phase_check CHECK (VALUE IN (
    'DENIED', 'INTENT', 'ATTEMPT', 'OUTCOME', 'RESOLUTION', 'READ'));
-- Mirrors curfew_core::AuditAction.
CREATE DOMAIN audit_action AS TEXT CONSTRAINT audit_action_check CHECK (VALUE IN (
    'DISCONNECT', 'LOGOFF', 'MESSAGE', 'AUDIT_READ', 'MANY_ACTS'));
-- Mirrors curfew_core::Outcome.
CREATE DOMAIN outcome AS TEXT CONSTRAINT outcome_check CHECK (VALUE IN (
    'SUCCEEDED', 'ALREADY_GONE', 'SUPERSEDED', 'FAILED', 'CANCELED', 'UNKNOWN'));

CREATE TABLE operation (
    id               UUID PRIMARY KEY,
    action           action_kind NOT NULL,
    params           JSONB,
    session_id       TEXT NOT NULL,
    backend          TEXT NOT NULL,
    target           JSONB NOT NULL,
    actor_issuer     TEXT NOT NULL,
    actor_subject    TEXT NOT NULL,
    actor_name       TEXT NOT NULL,
    request_id       UUID NOT NULL,
    source_address   TEXT,
    reason           TEXT,
    ticket           TEXT,
    requested_at     TIMESTAMPTZ NOT NULL,
    state            operation_state NOT NULL,
    sent             sent NOT NULL,
    attempt          BIGINT NOT NULL CHECK (attempt >= 1),
    job              TEXT,
    progress_percent BIGINT CHECK (progress_percent BETWEEN 0 AND 100),
    deadline_at      TIMESTAMPTZ,
    end_reason       end_reason,
    evidence         JSONB NOT NULL,
    ended_by         ended_by,
    finished_at      TIMESTAMPTZ,
    resolved_at      TIMESTAMPTZ,
    lease_owner      UUID,
    -- Set and compared by this database's own clock, never by a gateway's.
    lease_until      TIMESTAMPTZ,
    fence            BIGINT NOT NULL CHECK (fence >= 1),
    -- How many rows of operation_event it has.
    event_count      BIGINT NOT NULL CHECK (event_count >= 1),
    -- Mirrors curfew_core::OperationState::is_final: a final state has an end and somebody who ended it.
    CONSTRAINT operation_ends_whole CHECK (
        (state IN ('SUCCEEDED', 'ALREADY_GONE', 'SUPERSEDED', 'FAILED', 'CANCELED', 'UNKNOWN'))
        = (finished_at IS NOT NULL)
        AND (finished_at IS NULL) = (ended_by IS NULL)),
    -- Only what nobody could tell is settled later.
    CONSTRAINT operation_settled_unknown CHECK (resolved_at IS NULL OR state = 'UNKNOWN'),
    -- A lease has an owner and an end, or is not there; it ends with the operation.
    CONSTRAINT operation_lease_whole CHECK (
        (lease_owner IS NULL) = (lease_until IS NULL)
        AND (finished_at IS NULL OR lease_owner IS NULL))
) WITH (fillfactor = 80);

CREATE INDEX operation_requested ON operation (requested_at, id);
CREATE INDEX operation_session ON operation (session_id, requested_at);
-- What runners claim, oldest first. The lease is not in it, so that prolonging one touches no index.
CREATE INDEX operation_unfinished ON operation (requested_at, id) WHERE finished_at IS NULL;
CREATE INDEX operation_unresolved ON operation (finished_at, id) WHERE state = 'UNKNOWN' AND resolved_at IS NULL;

CREATE TABLE operation_event (
    operation_id     UUID NOT NULL REFERENCES operation (id),
    seq              BIGINT NOT NULL CHECK (seq >= 0),
    at               TIMESTAMPTZ NOT NULL,
    from_state       operation_state,
    to_state         operation_state NOT NULL,
    attempt          BIGINT NOT NULL CHECK (attempt >= 1),
    reason           end_reason,
    PRIMARY KEY (operation_id, seq),
    CONSTRAINT operation_event_first CHECK ((seq = 0) = (from_state IS NULL))
);

-- The key begins with the time, so that the table can be partitioned by month.
-- There is no foreign key to operation: evidence outlives what it is about.
CREATE TABLE audit_record (
    recorded_at        TIMESTAMPTZ NOT NULL,
    id                 UUID NOT NULL,
    code               TEXT NOT NULL,
    phase              audit_phase NOT NULL,
    action             audit_action NOT NULL,
    outcome            outcome,
    cause              TEXT,
    actor_issuer       TEXT NOT NULL,
    actor_subject      TEXT NOT NULL,
    actor_name         TEXT NOT NULL,
    request_id         UUID NOT NULL,
    source_address     TEXT,
    operation_id       UUID,
    attempt            BIGINT CHECK (attempt >= 1),
    backend            TEXT,
    session_id         TEXT,
    target             JSONB,
    reason             TEXT,
    ticket             TEXT,
    sent               sent,
    ended_by           ended_by,
    evidence           JSONB,
    latency_ms         BIGINT CHECK (latency_ms >= 0),
    params             JSONB,
    -- Lower-cased by the gateway, for searching only.
    actor_subject_key  TEXT NOT NULL,
    actor_name_key     TEXT NOT NULL,
    target_user_key    TEXT,
    target_account_key TEXT,
    target_upn_key     TEXT,
    target_machine_key TEXT,
    target_dns_key     TEXT,
    PRIMARY KEY (recorded_at, id),
    CONSTRAINT audit_record_outcome_whole CHECK (
        phase <> 'OUTCOME'
        OR (operation_id IS NOT NULL AND outcome IS NOT NULL AND sent IS NOT NULL AND ended_by IS NOT NULL)),
    CONSTRAINT audit_record_resolution_whole CHECK (
        phase <> 'RESOLUTION' OR (operation_id IS NOT NULL AND outcome IS NOT NULL)),
    CONSTRAINT audit_record_outcome_phase CHECK (
        outcome IS NULL OR phase IN ('OUTCOME', 'RESOLUTION'))
);

CREATE INDEX audit_record_operation ON audit_record (operation_id) WHERE operation_id IS NOT NULL;
CREATE INDEX audit_record_ticket ON audit_record (ticket, recorded_at) WHERE ticket IS NOT NULL;
CREATE INDEX audit_record_user ON audit_record (target_user_key, recorded_at) WHERE target_user_key IS NOT NULL;
CREATE INDEX audit_record_upn ON audit_record (target_upn_key, recorded_at) WHERE target_upn_key IS NOT NULL;
CREATE INDEX audit_record_backend ON audit_record (backend, recorded_at) WHERE backend IS NOT NULL;

CREATE FUNCTION audit_record_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_record is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END;
$$;

-- Row triggers, because partitions inherit them.
CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION audit_record_refuse();
CREATE TRIGGER audit_record_no_truncate BEFORE TRUNCATE ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION audit_record_refuse();
-- ALWAYS: session_replication_role does not switch them off.
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_record_append_only;
ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_record_no_truncate;
