//! The ports to storage.
//!
//! Not here: SQL. `curfew-store` implements both ports on Postgres and SQLite, `fakes` in memory; one contract
//! suite (`fakes::store_contract`) holds all three to the same behaviour.
//! Invariant: each method is one transaction that includes its audit rows; there is no method that changes or
//! removes an audit record.

use async_trait::async_trait;

use crate::ledger::ActionKind;
use crate::{
    AuditFilter, AuditRecord, BackendId, Course, Operation, OperationEvent, OperationId, OperationState,
    ProcessId, SessionId, Timestamp,
};

/// Why a store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or did not answer in time; provably nothing was committed.
    #[error("the database is unavailable")]
    Unavailable {
        /// What lay beneath.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection was lost during COMMIT: it may or may not have happened.
    #[error("the commit's answer was lost")]
    CommitUnknown {
        /// What lay beneath.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process drives the operation, or it has ended.
    #[error("the lease of operation {operation} is lost")]
    LeaseLost {
        /// Which operation.
        operation: OperationId,
    },
    /// A row cannot be what we wrote.
    #[error("inconsistent row in {table}, column {column}, id {id}")]
    Inconsistent {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
        /// Which row.
        id: String,
    },
    /// The database refused the statement: a bug, or a schema that is not ours.
    #[error("the database refused the statement")]
    Refused {
        /// What lay beneath.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The right to drive an operation for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which operation.
    pub operation: OperationId,
    /// Who drives it.
    pub owner: ProcessId,
    /// Grows with every claim; a write with an older one is refused.
    pub fence: i64,
    /// Until when, by the database's clock.
    pub until: Timestamp,
}

impl Lease {
    /// The lease that opening an operation gives.
    pub fn first(operation: OperationId, owner: ProcessId, until: Timestamp) -> Self {
        Self {
            operation,
            owner,
            fence: 1,
            until,
        }
    }
}

/// One arrow of an operation, to be committed with its audit records.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// Where it comes from.
    pub from: OperationState,
    /// How it goes on.
    pub course: Course,
    /// When.
    pub at: Timestamp,
    /// What goes on record in the same transaction; for a final course exactly one OUTCOME.
    pub records: Vec<AuditRecord>,
}

/// A place in a total order by (instant, id), newest first.
pub type Place = (Timestamp, uuid::Uuid);

/// Which page of a newest-first order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyset {
    /// The newest, or what follows (is older than) a place.
    After(Option<Place>),
    /// What precedes (is newer than) a place, nearest to it; without one, the oldest.
    Before(Option<Place>),
}

/// One page, always newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordPage<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there are more beyond the far end, in the direction of paging.
    pub more: bool,
}

/// Which operations to list. Every field that is given must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OperationFilter {
    /// In one of these states.
    pub states: Option<Vec<OperationState>>,
    /// One of these acts.
    pub actions: Option<Vec<ActionKind>>,
    /// On one of these backends.
    pub backends: Option<Vec<BackendId>>,
    /// On this session.
    pub session: Option<SessionId>,
    /// Asked for by this subject of this issuer.
    pub requested_by: Option<(String, String)>,
    /// With this ticket.
    pub ticket: Option<String>,
    /// Asked for at or after.
    pub requested_after: Option<Timestamp>,
    /// Asked for before.
    pub requested_before: Option<Timestamp>,
}

/// Storage of operations and of the records that belong to them.
#[async_trait]
pub trait ActionStore: Send + Sync {
    /// Commits an operation with its records, leased to `owner` with fence 1. With ids that are already there
    /// (a repeated call after a lost answer) it changes nothing and gives the lease as it stands.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] if the answer to COMMIT was lost; else nothing was committed.
    async fn operation_open(
        &self,
        operation: &Operation,
        owner: ProcessId,
        records: &[AuditRecord],
    ) -> Result<Lease, StoreError>;

    /// Takes up to `limit` unfinished operations whose lease has run out or was handed over, oldest first.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_claim(
        &self,
        owner: ProcessId,
        limit: u32,
    ) -> Result<Vec<(Operation, Lease)>, StoreError>;

    /// Prolongs a lease.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another process has it or the operation has ended.
    async fn operation_renew(&self, lease: &Lease) -> Result<Lease, StoreError>;

    /// Lets a lease go at once, so that any runner may claim the operation.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another process has it or the operation has ended.
    async fn operation_release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Commits one arrow to a state that is not final, and its records.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another process has it or the operation has ended.
    async fn operation_advance(&self, lease: &Lease, step: &Move) -> Result<(), StoreError>;

    /// Commits the last arrow and the OUTCOME record; the lease ends with it. A repeated call after a lost answer
    /// (same records) changes nothing and succeeds.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if another process has it or the operation has ended otherwise.
    async fn operation_finish(&self, lease: &Lease, step: &Move) -> Result<(), StoreError>;

    /// Operations that ended UNKNOWN since `since`, can be settled by a read, and are not settled; oldest first.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_unresolved(&self, since: Timestamp, limit: u32) -> Result<Vec<Operation>, StoreError>;

    /// Commits the RESOLUTION of an operation that ended UNKNOWN. `false` if it was settled before.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_resolve(
        &self,
        id: OperationId,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<bool, StoreError>;

    /// One operation.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_get(&self, id: OperationId) -> Result<Option<Operation>, StoreError>;

    /// The way of one operation, first arrow first.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_events(&self, id: OperationId) -> Result<Vec<OperationEvent>, StoreError>;

    /// A page of operations, newest first by (`requested_at`, id).
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_page(
        &self,
        filter: &OperationFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<Operation>, StoreError>;

    /// How many operations there are.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_count(&self, filter: &OperationFilter) -> Result<u64, StoreError>;

    /// How many operations have not ended.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn operation_open_count(&self) -> Result<u64, StoreError>;

    /// A cheap read that shows that the database answers.
    ///
    /// # Errors
    /// If it does not.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// The audit log, for what is no act.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Commits one record.
    ///
    /// # Errors
    /// If it is not (certainly) committed.
    async fn audit_append(&self, record: &AuditRecord) -> Result<(), StoreError>;

    /// A page of records, newest first by (`recorded_at`, id).
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn audit_page(
        &self,
        filter: &AuditFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<AuditRecord>, StoreError>;

    /// How many records there are.
    ///
    /// # Errors
    /// If the database cannot do it.
    async fn audit_count(&self, filter: &AuditFilter) -> Result<u64, StoreError>;
}
