//! One backend's place in the directory: its view, its readings, and what acts have changed since.
//!
//! Not here: merging backends and pages.
//! Invariant: a reading that started before an act was confirmed cannot undo what the confirmation showed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use curfew_core::{
    BackendError, BackendErrorKind, BackendKind, Listing, PartName, ReadCtx, Session, SessionBackend,
    SessionId, TargetSnapshot, Timestamp,
};
use futures::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::board::Board;
use super::row::Row;
use super::snapshot::{Snapshot, View};

/// A refresh starts at most this often, whatever `maxAge` says.
const CLOSEST: Duration = Duration::from_secs(2);
/// The longest that a vendor may have us wait between readings.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// What one reading may take in all.
const READING_BUDGET: Duration = Duration::from_secs(120);
/// How long the facts of a session that is gone are kept for the record.
const TOMBSTONE_LIFE: Duration = Duration::from_secs(600);

/// How the last readings of a backend went.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings {
    /// When the last good (whole or partial) reading was made.
    pub observed_at: Option<Timestamp>,
    /// When that reading started.
    pub good_since: Option<Instant>,
    /// When the last reading that has ended started, good or not.
    pub last_start: Option<Instant>,
    /// Why the last reading failed.
    pub error: Option<BackendError>,
    /// Which parts the last good reading had, and which failed.
    pub parts: Vec<PartName>,
    pub failed_parts: Vec<(PartName, String)>,
}

/// What an act changed, until a younger reading has seen it.
struct Patch {
    row: Option<Arc<Row>>,
    confirmed: Instant,
}

/// The facts of a session that is gone.
struct Tombstone {
    facts: TargetSnapshot,
    since: Instant,
}

#[derive(Default)]
struct Written {
    patches: HashMap<SessionId, Patch>,
    tombstones: HashMap<SessionId, Tombstone>,
}

/// One backend's place in the directory.
pub(super) struct Slot {
    pub backend: Arc<dyn SessionBackend>,
    pub kind: BackendKind,
    pub interval: Duration,
    /// Which of the board's views is this backend's.
    pub place: usize,
    board: Arc<Board>,
    /// Held while the view is replaced.
    written: Mutex<Written>,
    readings: watch::Sender<Arc<Readings>>,
    wanted: Notify,
}

impl Slot {
    pub fn new(
        backend: Arc<dyn SessionBackend>,
        interval: Duration,
        board: Arc<Board>,
        place: usize,
    ) -> Self {
        Self {
            kind: backend.kind(),
            backend,
            interval,
            place,
            board,
            written: Mutex::default(),
            readings: watch::Sender::new(Arc::default()),
            wanted: Notify::new(),
        }
    }

    pub fn view(&self) -> Arc<View> {
        self.board.view(self.place)
    }

    pub fn readings(&self) -> Arc<Readings> {
        self.readings.borrow().clone()
    }

    /// What is known of a session, also shortly after it has gone.
    pub fn recall(&self, id: &SessionId) -> Option<TargetSnapshot> {
        if let Some(row) = self.view().get(id) {
            return Some(TargetSnapshot::of(&row.session));
        }
        self.written
            .lock()
            .tombstones
            .get(id)
            .map(|tombstone| tombstone.facts.clone())
    }

    /// Waits (until `until`) for a reading that started at or after `since`.
    pub async fn fresh(&self, since: Instant, until: Instant) {
        let mut readings = self.readings.subscribe();
        let enough = |readings: &Arc<Readings>| readings.last_start.is_some_and(|start| start >= since);
        if enough(&readings.borrow()) {
            return;
        }
        self.wanted.notify_one();
        // The time-out only means: answer from what there is.
        let _ = tokio::time::timeout_at(until, readings.wait_for(enough)).await;
    }

    /// Waits until the backend has been read once, or could not be.
    pub async fn first_reading(&self, until: Instant) {
        let mut readings = self.readings.subscribe();
        let _ =
            tokio::time::timeout_at(until, readings.wait_for(|readings| readings.last_start.is_some())).await;
    }

    /// Reads the backend again and again until `stop`.
    pub async fn run(self: Arc<Self>, clock: Arc<dyn curfew_core::Clock>, stop: CancellationToken) {
        loop {
            // Whoever has asked for a reading until now is served by this one.
            let _ = self.wanted.notified().now_or_never();
            let start = Instant::now();
            let at = clock.now();
            let reading = tokio::select! {
                () = stop.cancelled() => return,
                reading = self.read() => reading,
            };
            self.take(start, at, reading);
            let next = start + self.interval;
            // What the vendor asks for comes before what a caller wants.
            if let Some(pause) = self.asked_to_wait() {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => {}
                () = self.wanted.notified() => {
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep_until(start + CLOSEST) => {}
                    }
                }
            }
        }
    }

    /// How long the vendor asked to be left alone, within reason.
    fn asked_to_wait(&self) -> Option<Duration> {
        match self.readings().error.as_ref()?.kind {
            BackendErrorKind::RateLimited { retry_after } => {
                retry_after.map(|pause| pause.min(LONGEST_PAUSE))
            }
            _ => None,
        }
    }

    async fn read(&self) -> Result<Listing, BackendError> {
        let ctx = ReadCtx::within(READING_BUDGET);
        let late = || {
            BackendError::new(
                BackendErrorKind::TimedOut,
                "the backend took longer than 120 s to list",
            )
        };
        tokio::time::timeout_at(ctx.deadline, self.backend.list(&ctx))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    /// Takes a reading that started at `start` into the view.
    fn take(&self, start: Instant, at: Timestamp, reading: Result<Listing, BackendError>) {
        let backend = self.backend.id();
        let before = self.readings();
        let duration_ms = start.elapsed().as_millis() as u64;
        metrics::histogram!("curfew_listing_seconds", "backend" => backend.as_str().to_owned())
            .record(start.elapsed().as_secs_f64());
        let readings = match reading {
            Ok(listing) => {
                let parts = listing.parts.iter().map(|part| part.name.clone()).collect();
                let failed: Vec<_> = listing
                    .parts
                    .iter()
                    .filter_map(|part| Some((part.name.clone(), part.outcome.as_ref().err()?.public.clone())))
                    .collect();
                let sessions = listing.sessions.len();
                self.publish(start, listing.sessions, &failed);
                if before.error.is_some() || before.good_since.is_none() {
                    info!(backend.id = %backend, sessions, duration_ms, "Read {sessions} sessions of `{backend}`");
                }
                Readings {
                    observed_at: Some(at),
                    good_since: Some(start),
                    last_start: Some(start),
                    error: None,
                    parts,
                    failed_parts: failed,
                }
            }
            Err(error) => {
                warn!(backend.id = %backend, kind = ?error.kind, duration_ms, error = %chain(&error),
                    "Could not read the sessions of `{backend}`");
                Readings {
                    last_start: Some(start),
                    error: Some(error),
                    ..(*before).clone()
                }
            }
        };
        let result = if readings.error.is_some() {
            "failed"
        } else {
            "good"
        };
        metrics::counter!("curfew_listings_total", "backend" => backend.as_str().to_owned(), "result" => result)
            .increment(1);
        metrics::gauge!("curfew_sessions", "backend" => backend.as_str().to_owned())
            .set(self.view().len() as f64);
        self.readings.send_replace(Arc::new(readings));
    }

    #[expect(clippy::vec_box, reason = "as listings have them")]
    fn publish(&self, start: Instant, sessions: Vec<Box<Session>>, failed: &[(PartName, String)]) {
        let mut rows: Vec<Arc<Row>> = sessions
            .into_iter()
            .map(|session| Arc::new(Row::new(session, self.kind)))
            .collect();
        if !failed.is_empty() {
            // What a failed part had at its last good reading stays, with its own `observed_at`; but for what has
            // moved to a part that answers.
            let kept = self.view();
            let read: HashSet<SessionId> = rows.iter().map(|row| row.session.id.clone()).collect();
            let failed: HashSet<&PartName> = failed.iter().map(|(part, _)| part).collect();
            let stays =
                |row: &&Arc<Row>| failed.contains(&row.session.part) && !read.contains(&row.session.id);
            rows.extend(kept.iter().filter(stays).cloned());
        }
        let base = Arc::new(Snapshot::new(rows));
        let mut written = self.written.lock();
        written.patches.retain(|_, patch| patch.confirmed > start);
        written
            .tombstones
            .retain(|_, tombstone| tombstone.since.elapsed() < TOMBSTONE_LIFE);
        let patches = written
            .patches
            .iter()
            .map(|(id, patch)| (id.clone(), patch.row.clone()))
            .collect();
        self.board.put(self.place, View { base, patches }, None);
    }

    /// Takes what a live read has just shown of one session into the view.
    pub fn saw(&self, id: &SessionId, session: Option<&Session>) {
        let row = session.map(|session| Arc::new(Row::new(session.clone(), self.kind)));
        let mut written = self.written.lock();
        let view = self.view();
        let known = view.get(id).cloned();
        if row.is_none()
            && let Some(known) = &known
        {
            let facts = TargetSnapshot::of(&known.session);
            written.tombstones.insert(
                id.clone(),
                Tombstone {
                    facts,
                    since: Instant::now(),
                },
            );
        }
        written.patches.insert(
            id.clone(),
            Patch {
                row: row.clone(),
                confirmed: Instant::now(),
            },
        );
        if known.is_none() && row.is_none() {
            return;
        }
        self.board.put(self.place, view.patched(id, row), Some(id));
    }
}

/// An error with all that lies beneath it, for logs.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
