//! Committing ends, also when the database does not take them at once.
//!
//! Not here: how an operation comes to its end.
//! Invariant: an end that is known is tried until it is committed or somebody else has committed one, and counted
//! until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use curfew_core::{EndReason, EndedBy, Lease, Move, Operation, OperationState, StoreError, audit};
use tracing::{error, warn};

use super::Driver;
use crate::directory::chain;

/// An end that is known but not committed; counted for as long as it lives, however it ends.
struct Unwritten(Arc<AtomicUsize>);

impl Unwritten {
    fn count(all: &Arc<AtomicUsize>) -> Self {
        let now = all.fetch_add(1, Ordering::Relaxed) + 1;
        metrics::gauge!("curfew_outcomes_unwritten").set(now as f64);
        Self(all.clone())
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        let now = self.0.fetch_sub(1, Ordering::Relaxed) - 1;
        metrics::gauge!("curfew_outcomes_unwritten").set(now as f64);
    }
}

impl Driver {
    /// Commits an end until it is committed, or somebody else has ended the operation.
    pub(super) async fn commit_end(&self, lease: &Lease, end: &Move, mut on_trouble: impl FnMut()) -> bool {
        let mut wait = Duration::from_millis(100);
        let mut counted = None;
        loop {
            match self.store.operation_finish(lease, end).await {
                Ok(()) => return true,
                Err(StoreError::LeaseLost { operation }) => {
                    warn!(operation.id = %operation, "Operation `{operation}` was ended by another gateway");
                    return false;
                }
                Err(error) => {
                    if counted.is_none() {
                        counted = Some(Unwritten::count(&self.unwritten));
                        on_trouble();
                        error!(operation.id = %lease.operation, error = %chain(&error),
                            "Could not commit the end of operation `{}`; trying on", lease.operation);
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(2));
                }
            }
        }
    }

    /// Sees to it that an operation whose opening commit may or may not have happened ends unsent.
    pub async fn withdraw(&self, lease: Lease, operation: Operation) {
        let _counted = Unwritten::count(&self.unwritten);
        let id = operation.id;
        self.withdrawn.lock().insert(id);
        let mut absent = 0;
        // The commit may still be under way in the database when it first answers again: absence counts twice.
        while absent < 2 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            match self.store.operation_get(id).await {
                Ok(None) => absent += 1,
                Ok(Some(operation)) if operation.course.state.is_final() => break,
                Ok(Some(operation)) => {
                    self.end_unsent(&lease, operation).await;
                    break;
                }
                Err(error) => {
                    warn!(operation.id = %id, error = %chain(&error), "Operation `{id}` is not settled yet");
                }
            }
        }
        self.withdrawn.lock().remove(&id);
    }

    /// Ends an operation of which nothing was sent, and says so.
    pub(super) async fn end_unsent(&self, lease: &Lease, mut operation: Operation) {
        let now = self.clock.now();
        let from = operation.course.state;
        let course = &mut operation.course;
        course.state = OperationState::Failed;
        course.reason = Some(EndReason::NotSent);
        course.deadline = None;
        course.ended_by = Some(EndedBy::Request);
        course.finished_at = Some(now);
        let records = vec![audit::outcome(&operation, &*self.clock, now)];
        let end = Move {
            from,
            course: operation.course,
            at: now,
            records,
        };
        self.commit_end(lease, &end, || {}).await;
    }
}
