//! A store in memory that breaks on request.
//!
//! Not for production, and no substitute for a test on a database where SQL matters.
//! Invariant: it passes `store_contract`, as the databases do; a fault never leaves half a method done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use parking_lot::Mutex;

use super::filter;
use crate::{
    ActionStore, AuditFilter, AuditLog, AuditPhase, AuditRecord, Clock, Keyset, Lease, Move, Operation,
    OperationEvent, OperationFilter, OperationId, OperationState, ProcessId, RecordPage, StoreError,
    Timestamp,
};

/// What goes wrong in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// [`StoreError::Unavailable`]; nothing was done.
    Unavailable,
    /// [`StoreError::Refused`]; nothing was done.
    Refused,
    /// [`StoreError::CommitUnknown`], though everything was committed.
    AnswerLost,
    /// [`StoreError::CommitUnknown`], and nothing was committed.
    CommitLost,
}

/// An in-memory [`ActionStore`] and [`AuditLog`]. Leases go by the clock it is given.
#[derive(Debug)]
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    lease: TimeDelta,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    operations: BTreeMap<OperationId, Held>,
    records: Vec<AuditRecord>,
    calls: Vec<&'static str>,
    faults: Vec<Planned>,
}

#[derive(Debug)]
struct Held {
    operation: Operation,
    events: Vec<OperationEvent>,
    owner: Option<ProcessId>,
    until: Option<Timestamp>,
    fence: i64,
    resolved: Option<Timestamp>,
}

#[derive(Debug)]
struct Planned {
    fault: Fault,
    /// Any method, if none is named.
    method: Option<&'static str>,
    /// Calls that still pass.
    skip: usize,
    /// Calls that then fail; `None` for all.
    times: Option<usize>,
}

impl Inner {
    fn fault(&mut self, method: &'static str) -> Option<Fault> {
        self.calls.push(method);
        let mut found = None;
        for plan in &mut self.faults {
            if plan.method.is_some_and(|only| only != method) {
                continue;
            }
            if plan.skip > 0 {
                plan.skip -= 1;
                continue;
            }
            match &mut plan.times {
                Some(0) => continue,
                Some(times) => *times -= 1,
                None => {}
            }
            found = found.or(Some(plan.fault));
        }
        found
    }

    fn record(&mut self, record: &AuditRecord) {
        let place = (record.recorded_at, record.id);
        if !self.records.iter().any(|it| (it.recorded_at, it.id) == place) {
            self.records.push(record.clone());
        }
    }

    /// The operation, if `lease` still holds it.
    fn held(&mut self, lease: &Lease) -> Result<&mut Held, StoreError> {
        self.operations
            .get_mut(&lease.operation)
            .filter(|held| {
                held.owner == Some(lease.owner)
                    && held.fence == lease.fence
                    && !held.operation.course.state.is_final()
            })
            .ok_or(StoreError::LeaseLost {
                operation: lease.operation,
            })
    }

    fn go(&mut self, lease: &Lease, step: &Move) -> Result<(), StoreError> {
        let held = self.held(lease)?;
        let course = &held.operation.course;
        if course.state != step.from {
            return Err(StoreError::LeaseLost {
                operation: lease.operation,
            });
        }
        if course.state != step.course.state || course.attempt != step.course.attempt {
            held.events.push(OperationEvent {
                seq: u32::try_from(held.events.len()).unwrap_or(u32::MAX),
                at: step.at,
                from: Some(step.from),
                to: step.course.state,
                attempt: step.course.attempt,
                reason: step.course.reason,
            });
        }
        held.operation.course = step.course.clone();
        if step.course.state.is_final() {
            held.owner = None;
            held.until = None;
        }
        for record in &step.records {
            self.record(record);
        }
        Ok(())
    }
}

impl Held {
    fn lease(&self) -> Option<Lease> {
        Some(Lease {
            operation: self.operation.id,
            owner: self.owner?,
            fence: self.fence,
            until: self.until?,
        })
    }
}

fn because(why: &'static str) -> Box<dyn std::error::Error + Send + Sync> {
    why.into()
}

/// The databases take no more either.
const MAX_RECORDS: usize = 2;

fn check_records(records: &[AuditRecord]) -> Result<(), StoreError> {
    if records.len() > MAX_RECORDS {
        let source = because("a change carries at most 2 audit records");
        return Err(StoreError::Refused { source });
    }
    records.iter().try_for_each(check_record)
}

/// What the databases' CHECKs say.
fn check_record(record: &AuditRecord) -> Result<(), StoreError> {
    let whole = match record.phase {
        AuditPhase::Outcome => {
            record.operation.is_some()
                && record.outcome.is_some()
                && record.sent.is_some()
                && record.ended_by.is_some()
        }
        AuditPhase::Resolution => record.operation.is_some() && record.outcome.is_some(),
        _ => record.outcome.is_none(),
    };
    whole.then_some(()).ok_or_else(|| StoreError::Refused {
        source: because("a record lacks what its phase demands, or has an outcome without being one"),
    })
}

fn outcomes(step: &Move) -> usize {
    let phases = step.records.iter().map(|record| record.phase);
    phases.filter(|phase| *phase == AuditPhase::Outcome).count()
}

fn page<T: Clone>(
    mut rows: Vec<T>,
    place: impl Fn(&T) -> crate::store::Place,
    keyset: Keyset,
    limit: u32,
) -> RecordPage<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    rows.sort_by_key(|row| std::cmp::Reverse(place(row)));
    match keyset {
        Keyset::After(from) => {
            rows.retain(|row| from.is_none_or(|from| place(row) < from));
            let more = rows.len() > limit;
            rows.truncate(limit);
            RecordPage { rows, more }
        }
        Keyset::Before(from) => {
            rows.retain(|row| from.is_none_or(|from| place(row) > from));
            let more = rows.len() > limit;
            let rows = rows.split_off(rows.len().saturating_sub(limit));
            RecordPage { rows, more }
        }
    }
}

impl MemoryStore {
    /// An empty store whose leases last 15 s.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_lease(clock, Duration::from_secs(15))
    }

    /// An empty store.
    pub fn with_lease(clock: Arc<dyn Clock>, lease: Duration) -> Self {
        Self {
            clock,
            lease: TimeDelta::from_std(lease).unwrap_or(TimeDelta::MAX),
            inner: Mutex::default(),
        }
    }

    /// Every record, in the order of writing.
    pub fn records(&self) -> Vec<AuditRecord> {
        self.inner.lock().records.clone()
    }

    /// Every operation, in the order of ids.
    pub fn operations(&self) -> Vec<Operation> {
        let inner = self.inner.lock();
        inner
            .operations
            .values()
            .map(|held| held.operation.clone())
            .collect()
    }

    /// The names of the methods that were called, in order.
    pub fn calls(&self) -> Vec<&'static str> {
        self.inner.lock().calls.clone()
    }

    /// Lets the next `times` calls of `method` (its name in the port, such as `operation_open`) fail.
    pub fn fail_next(&self, method: &'static str, times: usize, fault: Fault) {
        self.plan(Some(method), 0, Some(times), fault);
    }

    /// Lets the `n`-th call from now (1 is the next), of whatever method, fail.
    pub fn fail_nth_call(&self, n: usize, fault: Fault) {
        self.plan(None, n.saturating_sub(1), Some(1), fault);
    }

    /// Lets every call from the `n`-th on fail until [`MemoryStore::heal`]: as if the process ended there.
    pub fn fail_from_call(&self, n: usize, fault: Fault) {
        self.plan(None, n.saturating_sub(1), None, fault);
    }

    /// Forgets every planned fault.
    pub fn heal(&self) {
        self.inner.lock().faults.clear();
    }

    fn plan(&self, method: Option<&'static str>, skip: usize, times: Option<usize>, fault: Fault) {
        self.inner.lock().faults.push(Planned {
            fault,
            method,
            skip,
            times,
        });
    }

    fn call<T>(
        &self,
        method: &'static str,
        work: impl FnOnce(&mut Inner) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut inner = self.inner.lock();
        match inner.fault(method) {
            None => work(&mut inner),
            Some(Fault::Unavailable) => Err(StoreError::Unavailable {
                source: because("the test took the store away"),
            }),
            Some(Fault::Refused) => Err(StoreError::Refused {
                source: because("the test made the store refuse"),
            }),
            Some(Fault::CommitLost) => Err(StoreError::CommitUnknown {
                source: because("the test lost the commit"),
            }),
            Some(Fault::AnswerLost) => {
                work(&mut inner)?;
                Err(StoreError::CommitUnknown {
                    source: because("the test lost the answer"),
                })
            }
        }
    }

    fn until(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add_signed(self.lease).unwrap_or(now)
    }
}

#[async_trait]
impl ActionStore for MemoryStore {
    async fn operation_open(
        &self,
        operation: &Operation,
        owner: ProcessId,
        records: &[AuditRecord],
    ) -> Result<Lease, StoreError> {
        self.call("operation_open", |inner| {
            check_records(records)?;
            if let Some(held) = inner.operations.get(&operation.id) {
                return held
                    .lease()
                    .filter(|lease| lease.owner == owner && lease.fence == 1)
                    .ok_or(StoreError::LeaseLost {
                        operation: operation.id,
                    });
            }
            let until = self.until();
            let first = OperationEvent {
                seq: 0,
                at: operation.requested_at,
                from: None,
                to: operation.course.state,
                attempt: operation.course.attempt,
                reason: operation.course.reason,
            };
            let held = Held {
                operation: operation.clone(),
                events: vec![first],
                owner: Some(owner),
                until: Some(until),
                fence: 1,
                resolved: None,
            };
            inner.operations.insert(operation.id, held);
            for record in records {
                inner.record(record);
            }
            Ok(Lease::first(operation.id, owner, until))
        })
    }

    async fn operation_claim(
        &self,
        owner: ProcessId,
        limit: u32,
    ) -> Result<Vec<(Operation, Lease)>, StoreError> {
        self.call("operation_claim", |inner| {
            let (now, until) = (self.clock.now(), self.until());
            let mut due: Vec<_> = inner
                .operations
                .values_mut()
                .filter(|held| !held.operation.course.state.is_final())
                .filter(|held| held.until.is_none_or(|until| until <= now))
                .collect();
            due.sort_by_key(|held| (held.operation.requested_at, held.operation.id));
            due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let take = |held: &mut Held| {
                held.owner = Some(owner);
                held.until = Some(until);
                held.fence += 1;
                held.lease().map(|lease| (held.operation.clone(), lease))
            };
            Ok(due.into_iter().filter_map(take).collect())
        })
    }

    async fn operation_renew(&self, lease: &Lease) -> Result<Lease, StoreError> {
        self.call("operation_renew", |inner| {
            let until = self.until();
            inner.held(lease)?.until = Some(until);
            Ok(Lease {
                until,
                ..lease.clone()
            })
        })
    }

    async fn operation_release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.call("operation_release", |inner| {
            let held = inner.held(lease)?;
            held.owner = None;
            held.until = None;
            Ok(())
        })
    }

    async fn operation_advance(&self, lease: &Lease, step: &Move) -> Result<(), StoreError> {
        self.call("operation_advance", |inner| {
            check_records(&step.records)?;
            if step.course.state.is_final() || outcomes(step) > 0 {
                return Err(StoreError::Refused {
                    source: because("an arrow that is not the last leads to no final state"),
                });
            }
            inner.go(lease, step)
        })
    }

    async fn operation_finish(&self, lease: &Lease, step: &Move) -> Result<(), StoreError> {
        self.call("operation_finish", |inner| {
            check_records(&step.records)?;
            if !step.course.state.is_final() || outcomes(step) != 1 {
                return Err(StoreError::Refused {
                    source: because("the last arrow leads to a final state and carries exactly one OUTCOME"),
                });
            }
            let outcome = step
                .records
                .iter()
                .find(|record| record.phase == AuditPhase::Outcome);
            let repeated = inner
                .records
                .iter()
                .any(|record| Some(record.id) == outcome.map(|outcome| outcome.id));
            if repeated { Ok(()) } else { inner.go(lease, step) }
        })
    }

    async fn operation_unresolved(&self, since: Timestamp, limit: u32) -> Result<Vec<Operation>, StoreError> {
        self.call("operation_unresolved", |inner| {
            let mut found: Vec<Operation> = inner
                .operations
                .values()
                .filter(|held| held.resolved.is_none())
                .map(|held| &held.operation)
                .filter(|it| it.course.state == OperationState::Unknown && !it.verb.is_message())
                .filter(|it| it.course.finished_at.is_some_and(|at| at >= since))
                .cloned()
                .collect();
            found.sort_by_key(|it| (it.course.finished_at, it.id));
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(found)
        })
    }

    async fn operation_resolve(
        &self,
        id: OperationId,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        self.call("operation_resolve", |inner| {
            let held = inner.operations.get_mut(&id);
            let unsettled = held.filter(|held| {
                held.operation.course.state == OperationState::Unknown && held.resolved.is_none()
            });
            let Some(held) = unsettled else {
                return Ok(false);
            };
            held.resolved = Some(at);
            inner.record(record);
            Ok(true)
        })
    }

    async fn operation_get(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        self.call("operation_get", |inner| {
            Ok(inner.operations.get(&id).map(|held| held.operation.clone()))
        })
    }

    async fn operation_events(&self, id: OperationId) -> Result<Vec<OperationEvent>, StoreError> {
        self.call("operation_events", |inner| {
            let held = inner.operations.get(&id);
            Ok(held.map(|held| held.events.clone()).unwrap_or_default())
        })
    }

    async fn operation_page(
        &self,
        filter: &OperationFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<Operation>, StoreError> {
        self.call("operation_page", |inner| {
            let all = inner.operations.values().map(|held| &held.operation);
            let found = all.filter(|it| filter::operation(filter, it)).cloned().collect();
            Ok(page(found, |it| (it.requested_at, it.id.0), keyset, limit))
        })
    }

    async fn operation_count(&self, filter: &OperationFilter) -> Result<u64, StoreError> {
        self.call("operation_count", |inner| {
            let all = inner.operations.values();
            Ok(all
                .filter(|held| filter::operation(filter, &held.operation))
                .count() as u64)
        })
    }

    async fn operation_open_count(&self) -> Result<u64, StoreError> {
        self.call("operation_open_count", |inner| {
            let all = inner.operations.values();
            Ok(all.filter(|held| !held.operation.course.state.is_final()).count() as u64)
        })
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.call("ping", |_| Ok(()))
    }
}

#[async_trait]
impl AuditLog for MemoryStore {
    async fn audit_append(&self, record: &AuditRecord) -> Result<(), StoreError> {
        self.call("audit_append", |inner| {
            check_record(record)?;
            inner.record(record);
            Ok(())
        })
    }

    async fn audit_page(
        &self,
        filter: &AuditFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<AuditRecord>, StoreError> {
        self.call("audit_page", |inner| {
            let all = inner.records.iter();
            let found = all.filter(|it| filter::record(filter, it)).cloned().collect();
            Ok(page(found, |it| (it.recorded_at, it.id.0), keyset, limit))
        })
    }

    async fn audit_count(&self, filter: &AuditFilter) -> Result<u64, StoreError> {
        self.call("audit_count", |inner| {
            let all = inner.records.iter();
            Ok(all.filter(|it| filter::record(filter, it)).count() as u64)
        })
    }
}

#[cfg(test)]
mod tests;
