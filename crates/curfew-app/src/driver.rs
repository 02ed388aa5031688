//! Carries one operation to its end: does what the pure machine says, and commits where it stands.
//!
//! Not here: who may begin an operation (`actions`) and which abandoned ones are taken up (`runner`). Both use
//! this driver, so a log-off after a crash ends by the same rules as one without.
//! Invariant: an act is sent only with a [`Recorded`] in hand and a lease that outlasts the call.

mod ends;
mod look;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use curfew_core::machine::Failure;
use curfew_core::{
    ActionStore, BackendErrorKind, Capabilities, Clock, Deadlines, EndedBy, Event, Evidence, Lease, Ledger,
    LedgerError, Move, Next, Operation, OperationId, OperationState, ReadCtx, Recorded, Reply, Sent,
    SessionAction, SessionBackend, Sight, Sighting, Started, StoreError, Verb, Verdict, audit, step,
};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::directory::{Directory, chain};

/// How long a lease lasts, and how often it is renewed.
pub const LEASE: Duration = Duration::from_secs(15);
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// When a lease that is renewed as it should be has been renewed again. A claim that begins before and takes its 8 s
/// (the store's limit) still ends before the lease does.
const RENEWED_BY: Duration = Duration::from_secs(6);
/// What an acting call may take. The adapter has its own limit; this one guards against an adapter that hangs.
const ACT_BUDGET: Duration = Duration::from_secs(9);
/// What the read before an act may take.
const FIRST_READ: Duration = Duration::from_secs(5);
/// What a later read may take.
const LATER_READ: Duration = Duration::from_secs(10);
/// Waits before the reads after an act; the last one repeats.
const READ_WAITS: [Duration; 8] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];
/// Waits before asking for a job; the last one repeats.
const POLL_WAITS: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

/// How an operation stands, for whoever waits for it.
#[derive(Debug, Clone)]
pub enum Standing {
    /// It goes on.
    Open(Operation),
    /// It has ended, and that is committed.
    Ended(Operation),
    /// It has ended, but that cannot be committed at present.
    Unwritten(Operation),
}

impl Standing {
    /// The operation.
    pub fn operation(&self) -> &Operation {
        match self {
            Self::Open(operation) | Self::Ended(operation) | Self::Unwritten(operation) => operation,
        }
    }
}

/// How a drive begins.
pub enum Begin {
    /// With the right to send, right after the intent was committed.
    Fresh(Box<Recorded<SessionAction>>),
    /// With an operation whose former driver is gone.
    TakenUp,
}

/// A lease, and when it was asked for: it lasts at least [`LEASE`] from then on.
#[derive(Debug, Clone)]
pub struct Leased {
    /// The lease.
    pub lease: Lease,
    /// When it was asked for, which may be long before the answer came.
    pub since: Instant,
}

/// What every drive needs.
#[derive(Clone)]
pub struct Driver {
    pub(crate) store: Arc<dyn ActionStore>,
    pub(crate) ledger: Ledger,
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limits: Deadlines,
    pub(crate) stop: CancellationToken,
    pub(crate) unwritten: Arc<AtomicUsize>,
    /// Operations whose caller was told that nothing was sent, though they may be on record.
    pub(crate) withdrawn: Arc<parking_lot::Mutex<HashSet<OperationId>>>,
    /// What is driven here, and when its lease was last asked for.
    pub(crate) driving: Arc<parking_lot::Mutex<HashMap<OperationId, LeasedAt>>>,
}

/// When a lease was last asked for with success.
type LeasedAt = Arc<parking_lot::Mutex<Instant>>;

/// Says that an operation is driven here, for as long as it lives.
struct Driving<'a> {
    driver: &'a Driver,
    operation: OperationId,
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.driver.driving.lock().remove(&self.operation);
    }
}

impl Driver {
    /// How many ends are known but not committed; while there are any, no act should be begun here.
    pub fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Whether a lease of what is driven here was not renewed when it was due, as happens while the database is away.
    /// It may have run out, though its driver lives and may know more than any read can show: nothing should be
    /// taken up here until that driver has renewed it or lost it.
    pub(crate) fn lease_in_doubt(&self) -> bool {
        self.driving
            .lock()
            .values()
            .any(|since| since.lock().elapsed() > RENEWED_BY)
    }

    /// Drives `operation` until it ends, the lease is lost, or the gateway stops.
    pub async fn drive(
        &self,
        operation: Operation,
        leased: Leased,
        begin: Begin,
        watch: Option<watch::Sender<Standing>>,
    ) {
        let Leased { lease, since } = leased;
        // Its lease ran out before it could be withdrawn.
        let untouched = operation.course.sent == Sent::No && operation.course.attempt == 1;
        if untouched && self.withdrawn.lock().contains(&operation.id) {
            return self.end_unsent(&lease, operation).await;
        }
        let backend = self.directory.adapter(operation.target.session.backend_str());
        let id = operation.id;
        let mut ride = Ride {
            driver: self,
            by: if matches!(begin, Begin::Fresh(_)) {
                EndedBy::Request
            } else {
                EndedBy::Runner
            },
            capabilities: backend
                .as_ref()
                .map(|backend| backend.capabilities())
                .unwrap_or_default(),
            backend,
            committed: operation.course.clone(),
            operation,
            lease: lease.clone(),
            leased_at: Arc::new(parking_lot::Mutex::new(since)),
            pending: None,
            last_sight: None,
            watch,
        };
        let leased_at = ride.leased_at.clone();
        self.driving.lock().insert(id, leased_at.clone());
        let _driving = Driving {
            driver: self,
            operation: id,
        };
        tokio::select! {
            // First, so that an end that was committed is told even if the lease is seen to be gone with it.
            biased;
            () = ride.run(begin) => {}
            () = self.keep(&lease, &leased_at) => {
                warn!(operation.id = %id, "Lost the lease of operation `{id}`; another gateway has it now");
            }
        }
    }

    /// Renews a lease until it is lost.
    async fn keep(&self, lease: &Lease, leased_at: &parking_lot::Mutex<Instant>) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let asked = Instant::now();
            match self.store.operation_renew(lease).await {
                Ok(_) => *leased_at.lock() = asked,
                Err(StoreError::LeaseLost { .. }) => return,
                Err(error) => warn!(operation.id = %lease.operation, error = %chain(&error),
                    "Could not renew the lease of operation `{}`", lease.operation),
            }
        }
    }
}

/// One drive of one operation.
struct Ride<'a> {
    driver: &'a Driver,
    by: EndedBy,
    backend: Option<Arc<dyn SessionBackend>>,
    capabilities: Capabilities,
    operation: Operation,
    /// The course as the database has it.
    committed: curfew_core::Course,
    lease: Lease,
    leased_at: LeasedAt,
    pending: Option<Recorded<SessionAction>>,
    last_sight: Option<Reply<Sight>>,
    watch: Option<watch::Sender<Standing>>,
}

/// Somebody else drives the operation now.
struct Lost;

impl Ride<'_> {
    async fn run(&mut self, begin: Begin) {
        let mut tries = 0;
        let mut next = match begin {
            Begin::Fresh(recorded) => {
                self.pending = Some(*recorded);
                Next::Read
            }
            Begin::TakenUp => self.apply(Event::TakenUp),
        };
        while !self.operation.course.state.is_final() {
            let state = self.operation.course.state;
            let fresh = self.pending.is_some();
            let event = match next {
                Next::Read => {
                    let waits = if fresh { &READ_WAITS[..1] } else { &READ_WAITS[..] };
                    if !self.pause(waits, tries).await {
                        return self.hand_over().await;
                    }
                    Event::Read(self.read(if fresh { FIRST_READ } else { LATER_READ }).await)
                }
                Next::Poll => {
                    if !self.pause(&POLL_WAITS, tries).await {
                        return self.hand_over().await;
                    }
                    self.poll().await
                }
                Next::Send => match self.send().await {
                    Ok(Some(event)) => event,
                    // The attempt could not be recorded, so nothing was sent: read again, and see.
                    Ok(None) => {
                        next = Next::Read;
                        tries += 1;
                        continue;
                    }
                    Err(Lost) => return,
                },
                Next::End => break,
            };
            let read = matches!(event, Event::Read(_));
            next = self.apply(event);
            if self.overdue(read) {
                next = self.apply(Event::Overdue);
            }
            tries = if self.operation.course.state == state {
                tries + 1
            } else {
                0
            };
            if self.worth_committing(read) && self.commit().await.is_err() {
                return;
            }
        }
        self.finish().await;
    }

    fn apply(&mut self, event: Event) -> Next {
        let driver = self.driver;
        let transition = step(
            &self.operation,
            event,
            self.by,
            &driver.limits,
            driver.clock.now(),
        );
        self.operation.course = transition.course;
        if !self.operation.course.state.is_final() {
            self.publish(Standing::Open);
        }
        transition.next
    }

    /// Whether the state's time is over. CONFIRMING ends only right after a read.
    fn overdue(&self, read: bool) -> bool {
        let course = &self.operation.course;
        let late = course
            .deadline
            .is_some_and(|deadline| self.driver.clock.now() >= deadline);
        late && !course.state.is_final() && (read || course.state != OperationState::Confirming)
    }

    /// A short act goes from its intent to its end in two commits; what outlives its first read-back, and every
    /// job, is committed as it goes, so that whoever takes over knows of it.
    fn worth_committing(&self, read: bool) -> bool {
        let (now, then) = (&self.operation.course, &self.committed);
        if now.state.is_final() {
            return false;
        }
        let moved =
            now.state != then.state || now.job != then.job || now.progress_percent != then.progress_percent;
        match now.state {
            OperationState::Confirming => moved && (read || then.state == OperationState::Running),
            _ => moved,
        }
    }

    async fn commit(&mut self) -> Result<(), Lost> {
        let at = self.driver.clock.now();
        let course = self.operation.course.clone();
        let step = Move {
            from: self.committed.state,
            course,
            at,
            records: vec![],
        };
        match self.driver.store.operation_advance(&self.lease, &step).await {
            Ok(()) => {
                self.committed = step.course;
                Ok(())
            }
            Err(StoreError::LeaseLost { .. }) => Err(Lost),
            // Whoever takes over reads first, so a state that is not on record costs a read and nothing more.
            Err(error) => {
                warn!(operation.id = %self.operation.id, error = %chain(&error),
                    "Could not commit the state of operation `{}`", self.operation.id);
                Ok(())
            }
        }
    }

    /// Waits before try number `tries`, at most until the state's deadline. `false`: the gateway stops, and there
    /// would have been something to wait for.
    async fn pause(&self, waits: &[Duration], tries: usize) -> bool {
        let mut wait = waits[tries.min(waits.len() - 1)];
        if let Some(deadline) = self.operation.course.deadline {
            wait = wait.min(
                (deadline - self.driver.clock.now())
                    .to_std()
                    .unwrap_or(Duration::ZERO),
            );
        }
        // An act whose answer has just come is read back once even when the gateway stops: that is mostly its end, and
        // its caller is still there.
        if self.pending.is_some() || wait.is_zero() {
            return true;
        }
        tokio::select! {
            biased;
            () = self.driver.stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    async fn poll(&mut self) -> Event {
        let (Some(backend), Some(job)) = (&self.backend, &self.operation.course.job) else {
            return Event::PollFailed(failure(
                BackendErrorKind::Unavailable,
                "the job cannot be asked for",
            ));
        };
        let ctx = ReadCtx::within(LATER_READ);
        match tokio::time::timeout_at(ctx.deadline, backend.poll(job, &ctx)).await {
            Ok(Ok(reply)) => Event::Polled(reply.value, reply.evidence),
            Ok(Err(error)) => Event::PollFailed((&error).into()),
            Err(_) => Event::PollFailed(failure(
                BackendErrorKind::TimedOut,
                "the backend did not answer in time",
            )),
        }
    }

    /// Sends the act. `None`: the attempt could not be recorded, and nothing was sent.
    async fn send(&mut self) -> Result<Option<Event>, Lost> {
        let recorded = match self.pending.take() {
            Some(recorded) => recorded,
            None => match self.record_retry().await? {
                Some(recorded) => recorded,
                None => return Ok(None),
            },
        };
        let Some(backend) = self.backend.clone() else {
            let why = "the backend is not configured any more";
            return Ok(Some(Event::StartFailed(failure(
                BackendErrorKind::Unavailable,
                why,
            ))));
        };
        // A process that was paused may have lost its lease without noticing: ask before sending.
        let leased_at = *self.leased_at.lock();
        if leased_at.elapsed() + ACT_BUDGET >= LEASE {
            match self.driver.store.operation_renew(&self.lease).await {
                Ok(_) => *self.leased_at.lock() = Instant::now(),
                Err(StoreError::LeaseLost { .. }) => return Err(Lost),
                Err(_) => {
                    let why = "the lease could not be renewed, so nothing was sent";
                    return Ok(Some(Event::StartFailed(failure(
                        BackendErrorKind::Unavailable,
                        why,
                    ))));
                }
            }
        }
        let id = self.operation.id;
        Ok(Some(
            match tokio::time::timeout(ACT_BUDGET, backend.start(recorded)).await {
                Ok(Ok(Reply { value, evidence })) => {
                    if value == Started::AlreadyGone {
                        self.driver.directory.saw(&self.operation.target.session, None);
                    }
                    Event::Started(value, evidence)
                }
                Ok(Err(error)) => {
                    warn!(operation.id = %id, kind = ?error.kind, error = %chain(&error), "Act of operation `{id}` failed");
                    Event::StartFailed((&error).into())
                }
                Err(_) => Event::StartFailed(failure(
                    BackendErrorKind::OutcomeUnknown,
                    "the backend did not answer in time",
                )),
            },
        ))
    }

    /// Whether the session changed its state after the act was asked for. A disconnected user who has come back is in
    /// the same generation: the first attempt may have had its effect, and must not be repeated.
    fn came_back(&self) -> bool {
        let Some(Reply {
            value: Sight::Here(session),
            ..
        }) = &self.last_sight
        else {
            return false;
        };
        let changed = session
            .state_changed_at
            .is_some_and(|at| at >= self.operation.requested_at);
        changed && self.operation.verb == Verb::Disconnect && !self.capabilities.disconnect_ends_session
    }

    async fn record_retry(&mut self) -> Result<Option<Recorded<SessionAction>>, Lost> {
        let session = &self.operation.target.session;
        let Some(sighting) = self
            .last_sight
            .as_ref()
            .and_then(|reply| Sighting::of(session, reply))
        else {
            return Ok(None);
        };
        if self.came_back() {
            return Ok(None);
        }
        match self
            .driver
            .ledger
            .retry(&self.lease, &self.operation, sighting)
            .await
        {
            Ok((recorded, operation)) => {
                self.committed = operation.course.clone();
                self.operation = operation;
                Ok(Some(recorded))
            }
            Err(LedgerError::LeaseLost(_)) => Err(Lost),
            Err(error) => {
                warn!(operation.id = %self.operation.id, error = %chain(&error), "Could not record a further attempt");
                Ok(None)
            }
        }
    }

    async fn finish(&mut self) {
        let driver = self.driver;
        let operation = &self.operation;
        let now = driver.clock.now();
        let end = Move {
            from: self.committed.state,
            course: operation.course.clone(),
            at: now,
            records: vec![audit::outcome(operation, &*driver.clock, now)],
        };
        if !driver
            .commit_end(&self.lease, &end, || self.publish(Standing::Unwritten))
            .await
        {
            return;
        }
        self.publish(Standing::Ended);
        let (action, outcome) = (operation.verb.kind(), operation.course.state);
        let duration_ms = audit::millis_between(operation.requested_at, now);
        metrics::counter!("curfew_acts_total", "action" => action.as_str(), "outcome" => outcome.as_str())
            .increment(1);
        metrics::histogram!("curfew_act_seconds", "action" => action.as_str())
            .record(duration_ms as f64 / 1000.0);
        info!(operation.id = %operation.id, session.id = %operation.target.session, action = %action,
            outcome = %outcome, reason = ?operation.course.reason, duration_ms,
            "{action} of session `{}` ended {outcome}", operation.target.session);
    }

    /// The gateway stops: commits where the operation stands and lets another go on with it.
    async fn hand_over(&mut self) {
        if self.operation.course != self.committed && self.commit().await.is_err() {
            return;
        }
        // Let go at once, it would be taken up as it was before; after its lease it is read with more distance.
        if self.operation.course != self.committed {
            return;
        }
        match self.driver.store.operation_release(&self.lease).await {
            Ok(()) => {
                info!(operation.id = %self.operation.id, "Handed over operation `{}`", self.operation.id);
            }
            Err(error) => warn!(operation.id = %self.operation.id, error = %chain(&error),
                "Could not hand over operation `{}`; its lease will run out", self.operation.id),
        }
    }

    fn publish(&self, standing: fn(Operation) -> Standing) {
        if let Some(watch) = &self.watch {
            watch.send_replace(standing(self.operation.clone()));
        }
    }
}

fn failure(kind: BackendErrorKind, detail: &str) -> Failure {
    Failure {
        kind,
        detail: detail.to_owned(),
        evidence: None::<Evidence>,
    }
}

/// Whether a verdict shows the goal; for readers that settle what ended UNKNOWN.
pub(crate) fn settles(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Reached(_) | Verdict::Replaced)
}
