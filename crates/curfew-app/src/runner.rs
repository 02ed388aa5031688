//! Takes up operations that nobody drives any more, and settles what ended UNKNOWN.
//!
//! Not here: what happens to an operation then (`driver`).
//! Invariant: an operation is driven only under a lease of its own; what cannot be leased is left alone.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use curfew_core::operation::Seen;
use curfew_core::{
    EndedBy, Operation, OperationEvidence, Outcome, ProcessId, ReadCtx, Verdict, audit, reached,
};
use futures::StreamExt as _;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::directory::chain;
use crate::driver::{Begin, Driver, Leased, settles};

/// How often abandoned operations are looked for.
const EVERY: Duration = Duration::from_secs(5);
/// How often what ended UNKNOWN is looked at again.
const SETTLE_EVERY: Duration = Duration::from_secs(30);
/// How many of those are looked at side by side.
const SETTLE_AT_ONCE: usize = 8;
/// How long after its end an UNKNOWN operation is still looked at.
const SETTLE_FOR: TimeDelta = TimeDelta::hours(1);
/// How many operations are driven at once that others began.
const AT_ONCE: usize = 512;
/// How many UNKNOWN operations one round looks at.
const SETTLE_MOST: u32 = 1024;
/// What one look at a session may take.
const LOOK: Duration = Duration::from_secs(10);

/// Looks for abandoned operations at start and every five seconds.
pub struct Runner {
    pub(crate) driver: Driver,
    pub(crate) process: ProcessId,
    pub(crate) tasks: TaskTracker,
}

impl Runner {
    /// Runs until the gateway stops.
    pub async fn run(self) {
        // Side by side: a backend that does not answer holds up what is settled on it, not what is taken up.
        tokio::join!(self.taking_up(), self.settling());
    }

    async fn taking_up(&self) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        loop {
            self.take_up(&places).await;
            tokio::select! {
                () = self.driver.stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn settling(&self) {
        let round = async {
            loop {
                self.settle().await;
                tokio::time::sleep(SETTLE_EVERY).await;
            }
        };
        tokio::select! {
            () = self.driver.stop.cancelled() => {}
            () = round => {}
        }
    }

    async fn take_up(&self, places: &Arc<Semaphore>) {
        let free = places.available_permits() as u32;
        if free == 0 || self.driver.lease_in_doubt() {
            return;
        }
        let since = Instant::now();
        match self.driver.store.operation_claim(self.process, free).await {
            Ok(claimed) => {
                for (operation, lease) in claimed {
                    let Ok(place) = places.clone().try_acquire_owned() else {
                        return;
                    };
                    info!(operation.id = %operation.id, state = %operation.course.state,
                        "Took up operation `{}`", operation.id);
                    metrics::counter!("curfew_operations_taken_up_total").increment(1);
                    let driver = self.driver.clone();
                    self.tasks.spawn(async move {
                        driver
                            .drive(operation, Leased { lease, since }, Begin::TakenUp, None)
                            .await;
                        drop(place);
                    });
                }
            }
            Err(error) => warn!(error = %chain(&error), "Could not look for abandoned operations"),
        }
        if let Ok(open) = self.driver.store.operation_open_count().await {
            metrics::gauge!("curfew_operations_open").set(open as f64);
        }
    }

    /// Reads the sessions of what ended UNKNOWN; where a read decides, that goes on record.
    async fn settle(&self) {
        let since = self.driver.clock.now() - SETTLE_FOR;
        match self.driver.store.operation_unresolved(since, SETTLE_MOST).await {
            Ok(operations) => {
                futures::stream::iter(&operations)
                    .for_each_concurrent(SETTLE_AT_ONCE, |operation| self.settle_one(operation))
                    .await;
            }
            Err(error) => warn!(error = %chain(&error), "Could not look for unresolved operations"),
        }
    }

    async fn settle_one(&self, operation: &Operation) {
        let id = &operation.target.session;
        let Some(backend) = self.driver.directory.adapter(id.backend_str()) else {
            return;
        };
        let ctx = ReadCtx::within(LOOK);
        let Ok(Ok(reply)) = tokio::time::timeout_at(ctx.deadline, backend.get(id, &ctx)).await else {
            return;
        };
        let verdict = reached(&operation.verb, &backend.capabilities(), &reply.value);
        if !settles(verdict) {
            return;
        }
        let (outcome, seen) = match verdict {
            Verdict::Reached(seen) => (Outcome::Succeeded, seen),
            _ => (Outcome::Superseded, Seen::Replaced),
        };
        let evidence = OperationEvidence {
            read: Some(reply.evidence),
            seen: Some(seen),
            ..operation.course.evidence.clone()
        };
        let (clock, now) = (&*self.driver.clock, self.driver.clock.now());
        let record = audit::resolution(operation, outcome, evidence, EndedBy::Runner, clock, now);
        match self
            .driver
            .store
            .operation_resolve(operation.id, now, &record)
            .await
        {
            Ok(true) => info!(operation.id = %operation.id, "Settled operation `{}` by a read", operation.id),
            Ok(false) => {}
            Err(error) => {
                warn!(operation.id = %operation.id, error = %chain(&error), "Could not record a resolution");
            }
        }
    }
}

#[cfg(test)]
mod tests;
