//! Which rows of different backends are one session: a broker of desktops and the agent on their host both report it.
//!
//! Not here: what a query does with that (`page`) and when it is worked out anew (`board`).
//! Invariant: two rows are twins only if either is the other's only match; whatever is doubtful is two rows.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::TimeDelta;
use curfew_core::{BackendKind, Session, SessionId, Timestamp};

use super::marks::Marks;
use super::row::Row;
use super::snapshot::{Place, View};

/// How far apart the two sides may say that a session began. The host stamps the logon, the broker the launch.
const CLOCKS: TimeDelta = TimeDelta::minutes(2);

/// From which side a backend sees a session that another backend may see too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// It brokers sessions on hosts. Its row is listed: the broker has to know that a session ends.
    Broker,
    /// It is on the host itself.
    Host,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Broker => Self::Host,
            Self::Host => Self::Broker,
        }
    }
}

/// The side of a kind of backend; `None` if nobody else sees its sessions.
pub(super) const fn side(kind: BackendKind) -> Option<Side> {
    match kind {
        BackendKind::Citrix => Some(Side::Broker),
        BackendKind::Windows => Some(Side::Host),
        BackendKind::Orbnet => None,
    }
}

/// What twins have in common: a hash of machine (in lower case) and SID; `None` for what can have no twin.
pub(super) fn key(kind: BackendKind, machine: &str, session: &Session) -> Option<u64> {
    side(kind)?;
    session.started_at?;
    let sid = session.user.sid.as_deref().filter(|sid| !sid.is_empty())?;
    if machine.is_empty() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (machine, sid.to_ascii_lowercase()).hash(&mut hasher);
    Some(hasher.finish())
}

/// Whether a session began so long before another one that they are not the same.
pub(super) fn is_before(began: Option<Timestamp>, other: Timestamp) -> bool {
    began.is_none_or(|began| other - began > CLOCKS)
}

/// Whether a session that began at `began` can be one that began at `other`.
pub(super) fn is_about(began: Option<Timestamp>, other: Timestamp) -> bool {
    began.is_some_and(|began| (began - other).abs() <= CLOCKS)
}

/// Whether a broker's and a host's row can be one session.
fn same(broker: &Row, host: &Row) -> bool {
    #[cfg(test)]
    COMPARED.set(COMPARED.get() + 1);
    let (a, b) = (&broker.session, &host.session);
    let sids = a.user.sid.as_ref().zip(b.user.sid.as_ref());
    broker.machine == host.machine
        && (broker.dns.is_empty() || host.dns.is_empty() || broker.dns == host.dns)
        && sids.is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
        && b.started_at.is_some_and(|b| is_about(a.started_at, b))
}

#[cfg(test)]
thread_local! {
    /// How many pairs this thread has looked at.
    pub(super) static COMPARED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// A row that may have a twin.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    key: u64,
    slot: usize,
    place: Place,
    row: &'a Arc<Row>,
}

impl Candidate<'_> {
    fn began(&self) -> Option<Timestamp> {
        self.row.session.started_at
    }
}

/// Those of rows of one key, in the order in which they began, that can be the same session as `row`. Whoever asks for
/// the only one is answered after two.
fn beside<'c, 'a>(sorted: &'c [Candidate<'a>], row: &'c Row) -> impl Iterator<Item = &'c Candidate<'a>> {
    let began = row.session.started_at;
    let start = sorted.partition_point(|it| began.is_none_or(|began| is_before(it.began(), began)));
    sorted[start..]
        .iter()
        .take_while(move |it| began.is_some_and(|began| is_about(it.began(), began)))
        .filter(move |it| same(it.row, row))
}

/// A broker's row and its twin.
type Pair<'a> = (Candidate<'a>, Candidate<'a>);

/// The pairs among rows of one key, which are in the order in which they began.
fn pairs<'a>(brokers: &[Candidate<'a>], hosts: &[Candidate<'a>]) -> impl Iterator<Item = Pair<'a>> {
    brokers.iter().filter_map(|broker| {
        let host = only(beside(hosts, broker.row))?;
        only(beside(brokers, host.row))?;
        Some((*broker, *host))
    })
}

/// What a pair means to a query.
fn standing<'a>((broker, host): &Pair<'a>) -> (usize, &'a SessionId, usize, Place, &'a SessionId) {
    let id = |of: &Candidate<'a>| &of.row.session.id;
    (broker.slot, id(broker), host.slot, host.place, id(host))
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// The views of all backends, by slot, as far as they can hold twins.
fn on<'a>(
    views: &'a [Arc<View>],
    sides: &[Option<Side>],
    wanted: Side,
) -> impl Iterator<Item = (usize, &'a View)> {
    let views = views.iter().zip(sides).enumerate();
    views.filter_map(move |(slot, (view, side))| (*side == Some(wanted)).then_some((slot, &**view)))
}

/// Every row of one side that may have a twin, by key and beginning.
fn candidates<'a>(views: &'a [Arc<View>], sides: &[Option<Side>], side: Side) -> Vec<Candidate<'a>> {
    let mut all = Vec::new();
    for (slot, view) in on(views, sides, side) {
        let of_slot = |(key, place, row)| Candidate {
            key,
            slot,
            place,
            row,
        };
        all.extend(view.twin_keys().map(of_slot));
    }
    // Each view's are sorted already, which the stable sort makes use of.
    all.sort_by(|a, b| a.key.cmp(&b.key).then_with(|| a.began().cmp(&b.began())));
    all
}

/// The pairs of one key.
fn pairs_of<'a>(views: &'a [Arc<View>], sides: &[Option<Side>], key: u64) -> Vec<Pair<'a>> {
    let with_key = |side| -> Vec<Candidate<'a>> {
        let mut found = Vec::new();
        for (slot, view) in on(views, sides, side) {
            let of_slot = |(place, row)| Candidate {
                key,
                slot,
                place,
                row,
            };
            found.extend(view.of_twin_key(key).map(of_slot));
        }
        found.sort_by_key(Candidate::began);
        found
    };
    pairs(&with_key(Side::Broker), &with_key(Side::Host)).collect()
}

/// The slots of a host's and of a broker's backend.
type Slots = (usize, usize);

/// Which rows of the views are twins.
#[derive(Debug, Clone, Default)]
pub(super) struct Twins {
    /// The hosts' rows that have twins; slots without any are left out.
    pairs: HashMap<Slots, Marks>,
}

impl Twins {
    /// The twins among all rows.
    pub fn of(views: &[Arc<View>], sides: &[Option<Side>]) -> Self {
        let (brokers, hosts) = (
            candidates(views, sides, Side::Broker),
            candidates(views, sides, Side::Host),
        );
        let same_key = |a: &Candidate<'_>, b: &Candidate<'_>| a.key == b.key;
        let mut hosts = hosts.chunk_by(same_key).peekable();
        let mut found: HashMap<Slots, Vec<_>> = HashMap::new();
        for brokers in brokers.chunk_by(same_key) {
            let key = brokers[0].key;
            while hosts.next_if(|group| group[0].key < key).is_some() {}
            if let Some(hosts) = hosts.next_if(|group| group[0].key == key) {
                for (broker, host) in pairs(brokers, hosts) {
                    let of_slots = found.entry((host.slot, broker.slot)).or_default();
                    of_slots.push((host.place, host.row));
                }
            }
        }
        let mark = |(slots, rows): (Slots, Vec<_>)| (slots, Marks::new(&views[slots.0].base, rows));
        Self {
            pairs: found.into_iter().map(mark).collect(),
        }
    }

    /// The twins after the row of `id` in `slot` was removed, restated or added. No base is another one.
    pub fn patched(
        &self,
        sides: &[Option<Side>],
        before: &[Arc<View>],
        after: &[Arc<View>],
        id: &SessionId,
        slot: usize,
    ) -> Self {
        let key = |views: &[Arc<View>]| views[slot].get(id).and_then(|row| row.twin_key);
        let mut keys = vec![key(before), key(after)];
        keys.dedup();
        let mut twins = self.clone();
        for key in keys.into_iter().flatten() {
            let (parted, joined) = (pairs_of(before, sides, key), pairs_of(after, sides, key));
            // What most acts change is a state, which is nothing to a pair.
            if parted.iter().map(standing).eq(joined.iter().map(standing)) {
                continue;
            }
            parted.iter().for_each(|pair| twins.put(after, pair, false));
            joined.iter().for_each(|pair| twins.put(after, pair, true));
        }
        twins.pairs.retain(|_, marks| marks.count() > 0);
        twins
    }

    fn put(&mut self, views: &[Arc<View>], (broker, host): &Pair<'_>, joined: bool) {
        let marks = self.pairs.entry((host.slot, broker.slot)).or_default();
        marks.put(&views[host.slot].base, host.place, host.row, joined);
    }

    /// The rows of one slot's view that give way to those of the slots in `listed`.
    pub fn hidden(&self, slot: usize, listed: &[bool]) -> Vec<&Marks> {
        let gives_way = |(host, broker): &Slots| *host == slot && listed[*broker];
        let pairs = self.pairs.iter().filter(|(slots, _)| gives_way(slots));
        pairs.map(|(_, marks)| marks).collect()
    }

    /// How many rows give way if the slots in `listed` are.
    pub fn count(&self, listed: &[bool]) -> usize {
        let both = |(host, broker): &Slots| listed[*broker] && listed[*host];
        let pairs = self.pairs.iter().filter(|(slots, _)| both(slots));
        pairs.map(|(_, marks)| marks.count()).sum()
    }

    /// The slot and the row of the twin of a row in `slot`.
    pub fn twin_of<'a>(
        &self,
        views: &'a [Arc<View>],
        sides: &[Option<Side>],
        slot: usize,
        row: &Row,
    ) -> Option<(usize, &'a Arc<Row>)> {
        if !self
            .pairs
            .keys()
            .any(|(host, broker)| *broker == slot || *host == slot)
        {
            return None;
        }
        let own = sides[slot]?;
        let beside = |side, row: &Row| -> Option<(usize, &'a Arc<Row>)> {
            let (key, began) = (row.twin_key?, row.session.started_at?);
            let of_side = on(views, sides, side);
            let rows =
                of_side.flat_map(|(slot, view)| view.beside(key, began).map(move |other| (slot, other)));
            only(rows.filter(|(_, other)| same(other, row)))
        };
        let (other, twin) = beside(own.other(), row)?;
        beside(own, twin)?;
        Some((other, twin))
    }
}
