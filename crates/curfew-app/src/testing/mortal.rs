//! Ports of a process that dies at a chosen step: whatever it does from then on never comes to an end.
//!
//! Not an error: a dead process is told nothing.
//! Invariant: every call of every port is one step, so that dying at step 1, 2, 3 … visits every gap between two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use curfew_core::{
    ActionStore, AuditFilter, AuditLog, AuditRecord, BackendError, BackendId, BackendKind, Capabilities,
    JobRef, Keyset, Lease, Listing, Move, Operation, OperationEvent, OperationFilter, OperationId,
    PartHealth, ProcessId, Progress, ReadCtx, RecordPage, Recorded, Reply, SessionAction, SessionBackend,
    SessionId, Sight, Started, StoreError, Timestamp,
};

/// Whether the last call has its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dies {
    /// The process dies before it.
    Before,
    /// The process dies when its answer comes.
    After,
}

/// When a process dies.
#[derive(Debug)]
pub struct Fate {
    steps: AtomicUsize,
    last: usize,
    dies: Dies,
    dead: AtomicBool,
}

impl Fate {
    /// Dies at step `last`.
    pub fn at(last: usize, dies: Dies) -> Arc<Self> {
        Arc::new(Self {
            steps: AtomicUsize::new(0),
            last,
            dies,
            dead: AtomicBool::new(false),
        })
    }

    /// Dies now.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// Whether it has come to that.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    async fn step<T>(&self, call: impl Future<Output = T>) -> T {
        let last = self.steps.fetch_add(1, Ordering::Relaxed) + 1 == self.last;
        if last && self.dies == Dies::Before {
            self.dead.store(true, Ordering::Relaxed);
        }
        if self.is_dead() {
            return std::future::pending().await;
        }
        let answer = call.await;
        if last {
            self.dead.store(true, Ordering::Relaxed);
        }
        if self.is_dead() {
            return std::future::pending().await;
        }
        answer
    }
}

/// A port as a mortal process sees it.
pub struct Mortal<T> {
    pub port: Arc<T>,
    pub fate: Arc<Fate>,
}

impl<T> Mortal<T> {
    pub fn new(port: &Arc<T>, fate: &Arc<Fate>) -> Arc<Self> {
        Arc::new(Self {
            port: port.clone(),
            fate: fate.clone(),
        })
    }
}

#[async_trait]
impl<T: ActionStore> ActionStore for Mortal<T> {
    async fn operation_open(
        &self,
        operation: &Operation,
        owner: ProcessId,
        records: &[AuditRecord],
    ) -> Result<Lease, StoreError> {
        self.fate
            .step(self.port.operation_open(operation, owner, records))
            .await
    }

    async fn operation_claim(
        &self,
        owner: ProcessId,
        limit: u32,
    ) -> Result<Vec<(Operation, Lease)>, StoreError> {
        self.fate.step(self.port.operation_claim(owner, limit)).await
    }

    async fn operation_renew(&self, lease: &Lease) -> Result<Lease, StoreError> {
        self.fate.step(self.port.operation_renew(lease)).await
    }

    async fn operation_release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.fate.step(self.port.operation_release(lease)).await
    }

    async fn operation_advance(&self, lease: &Lease, step: &Move) -> Result<(), StoreError> {
        self.fate.step(self.port.operation_advance(lease, step)).await
    }

    async fn operation_finish(&self, lease: &Lease, step: &Move) -> Result<(), StoreError> {
        self.fate.step(self.port.operation_finish(lease, step)).await
    }

    async fn operation_unresolved(&self, since: Timestamp, limit: u32) -> Result<Vec<Operation>, StoreError> {
        self.fate.step(self.port.operation_unresolved(since, limit)).await
    }

    async fn operation_resolve(
        &self,
        id: OperationId,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        self.fate.step(self.port.operation_resolve(id, at, record)).await
    }

    async fn operation_get(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        self.fate.step(self.port.operation_get(id)).await
    }

    async fn operation_events(&self, id: OperationId) -> Result<Vec<OperationEvent>, StoreError> {
        self.fate.step(self.port.operation_events(id)).await
    }

    async fn operation_page(
        &self,
        filter: &OperationFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<Operation>, StoreError> {
        self.fate
            .step(self.port.operation_page(filter, keyset, limit))
            .await
    }

    async fn operation_count(&self, filter: &OperationFilter) -> Result<u64, StoreError> {
        self.fate.step(self.port.operation_count(filter)).await
    }

    async fn operation_open_count(&self) -> Result<u64, StoreError> {
        self.fate.step(self.port.operation_open_count()).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.fate.step(self.port.ping()).await
    }
}

#[async_trait]
impl<T: AuditLog> AuditLog for Mortal<T> {
    async fn audit_append(&self, record: &AuditRecord) -> Result<(), StoreError> {
        self.fate.step(self.port.audit_append(record)).await
    }

    async fn audit_page(
        &self,
        filter: &AuditFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<AuditRecord>, StoreError> {
        self.fate.step(self.port.audit_page(filter, keyset, limit)).await
    }

    async fn audit_count(&self, filter: &AuditFilter) -> Result<u64, StoreError> {
        self.fate.step(self.port.audit_count(filter)).await
    }
}

#[async_trait]
impl<T: SessionBackend> SessionBackend for Mortal<T> {
    fn id(&self) -> &BackendId {
        self.port.id()
    }

    fn kind(&self) -> BackendKind {
        self.port.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.port.capabilities()
    }

    async fn list(&self, ctx: &ReadCtx) -> Result<Listing, BackendError> {
        self.fate.step(self.port.list(ctx)).await
    }

    async fn get(&self, id: &SessionId, ctx: &ReadCtx) -> Result<Reply<Sight>, BackendError> {
        self.fate.step(self.port.get(id, ctx)).await
    }

    async fn start(&self, action: Recorded<SessionAction>) -> Result<Reply<Started>, BackendError> {
        self.fate.step(self.port.start(action)).await
    }

    async fn poll(&self, job: &JobRef, ctx: &ReadCtx) -> Result<Reply<Progress>, BackendError> {
        self.fate.step(self.port.poll(job, ctx)).await
    }

    async fn check(&self, ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        self.fate.step(self.port.check(ctx)).await
    }
}
