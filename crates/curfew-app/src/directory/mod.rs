//! The session directory: every online session of every backend, answered from memory.
//!
//! Not a cache that is filled by queries: a background task reads each backend on its own interval, so that fifty
//! dashboards cost a vendor one listing.
//! Invariant: a backend that fails makes a listing partial; it never makes it empty or an error.

mod board;
mod find;
mod marks;
mod page;
mod row;
mod seen;
mod slot;
mod snapshot;
mod twins;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use curfew_core::{
    Authorizer, BackendErrorKind, BackendId, BackendKind, Capabilities, Clock, Session, SessionBackend,
    SessionFilter, SessionId, TargetSnapshot, Timestamp,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use find::{Found, Meant, TargetName, Unread};
pub use page::{Cursor, Direction, PageSpec, SessionOrder};
pub use row::{OrderField, Row};
pub(crate) use slot::chain;

use crate::policy::{Authorized, ViewSessions};
use board::{Board, Picture};
use row::Matcher;
use slot::Slot;
use twins::{Side, side};

/// The longest a query waits for a reading.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// A reading older than this many intervals is stale.
const STALE_INTERVALS: u32 = 3;

/// How the reading of a backend stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadingStatus {
    /// Not read since the start.
    Pending,
    /// The last reading was good and is young.
    Ok,
    /// The last good reading is older than three intervals.
    Stale,
    /// Some parts could not be read; their rows are those of their last good reading.
    Partial,
    /// The last reading failed; the rows are those of the last good one.
    Failed,
    /// The last reading took too long; the rows are those of the last good one.
    TimedOut,
}

/// How the reading of one backend stands.
#[derive(Debug, Clone)]
pub struct BackendReading {
    /// Which backend.
    pub backend: BackendInfo,
    /// How it stands.
    pub status: ReadingStatus,
    /// How many sessions the directory has of it, before any filter.
    pub session_count: usize,
    /// When the last good reading was made.
    pub observed_at: Option<Timestamp>,
    /// How many parts it has.
    pub parts: usize,
    /// The parts that could not be read, and why.
    pub failed_parts: Vec<(String, String)>,
    /// Why the last reading failed, in words that a caller may read.
    pub error: Option<String>,
}

/// A configured backend.
#[derive(Debug, Clone)]
pub struct BackendInfo {
    /// Its name.
    pub id: BackendId,
    /// The product.
    pub kind: BackendKind,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// What to list.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Which sessions.
    pub filter: SessionFilter,
    /// In which order.
    pub order: SessionOrder,
    /// Which page.
    pub page: PageSpec,
    /// The oldest data that is accepted; `None` takes the snapshot as it is.
    pub max_age: Option<Duration>,
    /// Whether to count all that match.
    pub count: bool,
}

/// A session as one caller is shown it: its row, and that of the same session on another backend they see.
#[derive(Debug, Clone)]
pub struct Listed {
    row: Arc<Row>,
    twin: Option<Arc<Row>>,
}

impl Listed {
    /// The rows that are this session, the one whose backend brokers it first.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Row>> {
        let pair = match (&self.twin, side(self.row.kind)) {
            (Some(twin), Some(Side::Host)) => [Some(twin), Some(&self.row)],
            (twin, _) => [Some(&self.row), twin.as_ref()],
        };
        pair.into_iter().flatten()
    }
}

impl Deref for Listed {
    type Target = Row;

    fn deref(&self) -> &Row {
        &self.row
    }
}

/// One page of sessions.
#[derive(Debug)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Listed>,
    /// The order they are in.
    pub order: SessionOrder,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
    /// How many match, if it was asked for.
    pub total: Option<usize>,
    /// How each backend's reading stands.
    pub readings: Vec<BackendReading>,
}

/// Every online session of every backend.
pub struct Directory {
    slots: Vec<Arc<Slot>>,
    board: Arc<Board>,
    authorizer: Arc<dyn Authorizer>,
    clock: Arc<dyn Clock>,
}

impl Directory {
    /// A directory of these backends, each with the interval it is read at. [`Directory::start`] begins reading.
    pub fn new(
        backends: Vec<(Arc<dyn SessionBackend>, Duration)>,
        authorizer: Arc<dyn Authorizer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let mut backends = backends;
        backends.sort_by(|(a, _), (b, _)| a.id().cmp(b.id()));
        let board = Arc::new(Board::new(backends.iter().map(|(backend, _)| backend.kind())));
        let slots = backends
            .into_iter()
            .zip(0..)
            .map(|((backend, interval), place)| Arc::new(Slot::new(backend, interval, board.clone(), place)))
            .collect();
        Self {
            slots,
            board,
            authorizer,
            clock,
        }
    }

    /// Begins reading every backend, until `stop`.
    pub fn start(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        for slot in &self.slots {
            tasks.spawn(slot.clone().run(self.clock.clone(), stop.clone()));
        }
    }

    /// Waits until every backend has been read once (or could not be), `longest` at the most.
    pub async fn first_readings(&self, longest: Duration) {
        let until = Instant::now() + longest;
        for slot in &self.slots {
            slot.first_reading(until).await;
        }
    }

    /// One page of sessions.
    pub async fn page(&self, who: &Authorized<'_, ViewSessions>, query: &ListQuery) -> Page {
        let visible = self.visible(who);
        let wanted: Vec<&Arc<Slot>> = visible
            .iter()
            .copied()
            .filter(|slot| covers(&query.filter, slot))
            .collect();
        self.await_readings(&wanted, query.max_age).await;
        let picture = self.board.picture();
        let listed = self.places(&wanted);
        let matcher = Matcher::new(&query.filter);
        let views = picture.seen(&listed, &matcher);
        let rows = page::page(&views, &matcher, query.order, &query.page);
        let total = query.count.then(|| {
            if matcher.selects_all() {
                picture.len(&listed)
            } else {
                page::count(&views, &matcher)
            }
        });
        let sees = self.places(&visible);
        let show = |row| self.listed(&picture, row, |slot| sees[slot]);
        Page {
            rows: rows.rows.into_iter().map(show).collect(),
            order: query.order,
            has_next: rows.has_next,
            has_previous: rows.has_previous,
            total,
            readings: wanted.iter().map(|slot| self.reading_of(slot)).collect(),
        }
    }

    /// Which places on the board these slots have.
    fn places(&self, slots: &[&Arc<Slot>]) -> Vec<bool> {
        let mut places = vec![false; self.slots.len()];
        slots.iter().for_each(|slot| places[slot.place] = true);
        places
    }

    /// A row as it is shown to somebody who sees the slots that `sees` lets through.
    fn listed(&self, picture: &Picture, row: Arc<Row>, sees: impl Fn(usize) -> bool) -> Listed {
        let slot = self.slot(row.session.id.backend_str());
        let twin = slot.and_then(|slot| picture.twin_of(slot.place, &row));
        let twin = twin.filter(|(slot, _)| sees(*slot)).map(|(_, row)| row.clone());
        Listed { row, twin }
    }

    /// Waits until each of these was read, or could not be: once, or within the last `max_age`. Not longer
    /// than [`LONGEST_WAIT`].
    async fn await_readings(&self, slots: &[&Arc<Slot>], max_age: Option<Duration>) {
        let now = Instant::now();
        let until = now + LONGEST_WAIT;
        let waits = slots.iter().map(|slot| async move {
            match max_age {
                Some(age) => slot.fresh(now.checked_sub(age).unwrap_or(now), until).await,
                None => slot.first_reading(until).await,
            }
        });
        futures::future::join_all(waits).await;
    }

    /// One session, from the snapshot; `None` if it is gone, hidden, or another generation has its place. Joins the
    /// first reading of its backend, as [`Directory::page`] does.
    pub async fn session(&self, who: &Authorized<'_, ViewSessions>, id: &SessionId) -> Option<Listed> {
        let sees = |backend: &str| who.on(&*self.authorizer, backend);
        let slot = self.slot(id.backend_str()).filter(|_| sees(id.backend_str()))?;
        slot.first_reading(Instant::now() + LONGEST_WAIT).await;
        self.shown(sees, id)
    }

    /// How each visible backend's reading stands.
    pub fn readings(&self, who: &Authorized<'_, ViewSessions>) -> Vec<BackendReading> {
        self.visible(who)
            .into_iter()
            .map(|slot| self.reading_of(slot))
            .collect()
    }

    /// How one backend's reading stands, whoever asks.
    pub fn reading(&self, id: &str) -> Option<BackendReading> {
        self.slot(id).map(|slot| self.reading_of(slot))
    }

    /// What is known of a backend.
    pub fn backend(&self, id: &str) -> Option<BackendInfo> {
        self.slot(id).map(|slot| info(slot))
    }

    /// Every backend, whoever asks; for wiring and checks, not for callers.
    pub fn backends(&self) -> impl Iterator<Item = &Arc<dyn SessionBackend>> {
        self.slots.iter().map(|slot| &slot.backend)
    }

    pub(crate) fn adapter(&self, id: &str) -> Option<Arc<dyn SessionBackend>> {
        self.slot(id).map(|slot| slot.backend.clone())
    }

    /// What the directory knows of a session, also shortly after it has gone.
    pub(crate) fn recall(&self, id: &SessionId) -> Option<TargetSnapshot> {
        self.slot(id.backend_str())?.recall(id)
    }

    /// The row of a session as the directory has it.
    pub(crate) fn row(&self, id: &SessionId) -> Option<Arc<Row>> {
        self.slot(id.backend_str())?.view().get(id).cloned()
    }

    /// The same as it is shown to somebody who sees sessions on the backends that `sees` lets through.
    pub(crate) fn shown(&self, sees: impl Fn(&str) -> bool, id: &SessionId) -> Option<Listed> {
        let slot = self.slot(id.backend_str())?;
        if !sees(id.backend_str()) {
            return None;
        }
        let picture = self.board.picture();
        let row = picture.views[slot.place].get(id)?.clone();
        Some(self.listed(&picture, row, |slot| sees(self.slots[slot].backend.id().as_str())))
    }

    /// Takes what a live read has just shown into the directory.
    pub(crate) fn saw(&self, id: &SessionId, session: Option<&Session>) {
        if let Some(slot) = self.slot(id.backend_str()) {
            slot.saw(id, session);
        }
    }

    fn slot(&self, id: &str) -> Option<&Arc<Slot>> {
        self.slots.iter().find(|slot| slot.backend.id().as_str() == id)
    }

    fn visible(&self, who: &Authorized<'_, ViewSessions>) -> Vec<&Arc<Slot>> {
        self.slots
            .iter()
            .filter(|slot| who.on(&*self.authorizer, slot.backend.id().as_str()))
            .collect()
    }

    fn reading_of(&self, slot: &Slot) -> BackendReading {
        let readings = slot.readings();
        let old = readings
            .good_since
            .is_none_or(|since| since.elapsed() > slot.interval * STALE_INTERVALS);
        let status = match &readings.error {
            _ if readings.last_start.is_none() => ReadingStatus::Pending,
            Some(error) if error.kind == BackendErrorKind::TimedOut => ReadingStatus::TimedOut,
            Some(_) => ReadingStatus::Failed,
            None if old => ReadingStatus::Stale,
            None if !readings.failed_parts.is_empty() => ReadingStatus::Partial,
            None => ReadingStatus::Ok,
        };
        BackendReading {
            backend: info(slot),
            status,
            session_count: slot.view().len(),
            observed_at: readings.observed_at,
            parts: readings.parts.len(),
            failed_parts: readings
                .failed_parts
                .iter()
                .map(|(part, why)| (part.to_string(), why.clone()))
                .collect(),
            error: readings.error.as_ref().map(|error| error.public.clone()),
        }
    }
}

fn info(slot: &Slot) -> BackendInfo {
    BackendInfo {
        id: slot.backend.id().clone(),
        kind: slot.kind,
        capabilities: slot.backend.capabilities(),
    }
}

/// Whether a filter's backends and kinds include this one.
fn covers(filter: &SessionFilter, slot: &Slot) -> bool {
    filter
        .backend_ids
        .as_ref()
        .is_none_or(|ids| ids.contains(slot.backend.id()))
        && filter
            .backend_kinds
            .as_ref()
            .is_none_or(|kinds| kinds.contains(&slot.kind))
}

#[cfg(test)]
mod tests;
