//! The sessions of one backend at one time, immutable, with every order prepared.
//!
//! Not here: when a snapshot is replaced (`slot`).
//! Invariant: `rows` is in the order (user, id), and each permutation holds every row exactly once.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use curfew_core::{SessionId, Timestamp};

use super::row::{OrderField, Row};
use super::twins;

/// How many patched rows a view may carry before they are folded into a new snapshot.
pub(super) const FOLD_AT: usize = 512;

/// All rows of a backend, sorted.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub rows: Vec<Arc<Row>>,
    /// By start, machine and state; the order by user is that of `rows` itself.
    orders: [Vec<u32>; 3],
    by_id: Index,
    by_user: Index,
    by_handle: Index,
    /// Rows of one key in the order in which their sessions began.
    by_twin_key: Index,
}

/// (hash of a key, row), sorted; who looks something up compares the row itself.
#[derive(Debug, Default)]
struct Index(Vec<(u64, u32)>);

impl Index {
    fn new(keys: impl Iterator<Item = (u64, u32)>) -> Self {
        let mut index: Vec<_> = keys.collect();
        index.sort_unstable();
        index.dedup();
        index.shrink_to_fit();
        Self(index)
    }

    fn rows(&self, wanted: u64) -> impl Iterator<Item = u32> {
        let start = self.0.partition_point(|(key, _)| *key < wanted);
        self.0[start..]
            .iter()
            .take_while(move |(key, _)| *key == wanted)
            .map(|(_, row)| *row)
    }
}

impl Snapshot {
    pub fn new(mut rows: Vec<Arc<Row>>) -> Self {
        rows.sort_unstable_by(|a, b| a.compare(b, OrderField::User));
        let order = |field: OrderField| {
            let mut order: Vec<u32> = (0..rows.len() as u32).collect();
            order.sort_unstable_by(|a, b| rows[*a as usize].compare(&rows[*b as usize], field));
            order
        };
        let orders = [
            order(OrderField::StartedAt),
            order(OrderField::Machine),
            order(OrderField::State),
        ];
        let each = || rows.iter().zip(0..);
        let spellings = each().flat_map(|(row, at)| row.user_spellings().map(move |it| (hash(&it), at)));
        let handles = each().flat_map(|(row, at)| row.handles().map(move |it| (hash(&it), at)));
        let twin_keys = each().filter_map(|(row, at)| Some((row.twin_key?, at)));
        let mut by_twin_key: Vec<(u64, u32)> = twin_keys.collect();
        by_twin_key.sort_unstable_by_key(|(key, at)| (*key, rows[*at as usize].session.started_at, *at));
        Self {
            by_id: Index::new(each().map(|(row, at)| (hash(row.session.id.as_str()), at))),
            by_user: Index::new(spellings),
            by_handle: Index::new(handles),
            by_twin_key: Index(by_twin_key),
            orders,
            rows,
        }
    }

    /// Which row is the `n`-th in the order of `field`.
    pub fn nth(&self, field: OrderField, n: usize) -> usize {
        match field {
            OrderField::User => n,
            OrderField::StartedAt => self.orders[0][n] as usize,
            OrderField::Machine => self.orders[1][n] as usize,
            OrderField::State => self.orders[2][n] as usize,
        }
    }

    /// Where a row of this snapshot stands in the order of `field`; the reverse of [`Snapshot::nth`].
    pub fn position(&self, field: OrderField, row: &Row) -> usize {
        let (mut low, mut high) = (0, self.rows.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.rows[self.nth(field, middle)].compare(row, field).is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The place of a session's row.
    pub fn place(&self, id: &SessionId) -> Option<usize> {
        let mut rows = self.by_id.rows(hash(id.as_str())).map(|place| place as usize);
        rows.find(|place| self.rows[*place].session.id == *id)
    }

    /// Rows whose user may have this spelling, in no order.
    pub fn of_user(&self, spelling: &str) -> impl Iterator<Item = usize> {
        self.by_user.rows(hash(spelling)).map(|row| row as usize)
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Where in a view a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the snapshot.
    Base(usize),
    /// Among the patches.
    Restated,
}

/// What is known of one backend: a snapshot, and what acts have changed since.
#[derive(Debug, Default, Clone)]
pub(super) struct View {
    pub base: Arc<Snapshot>,
    /// Rows that acts removed (`None`) or restated, by id.
    pub patches: HashMap<SessionId, Option<Arc<Row>>>,
}

impl View {
    /// A view with one row removed or restated.
    pub fn patched(&self, id: &SessionId, row: Option<Arc<Row>>) -> Self {
        let mut view = self.clone();
        view.patches.insert(id.clone(), row);
        if view.patches.len() < FOLD_AT {
            return view;
        }
        Self {
            base: Arc::new(Snapshot::new(view.iter().cloned().collect())),
            patches: HashMap::new(),
        }
    }

    /// A row of the base, unless an act removed or restated it.
    pub fn unpatched(&self, place: usize) -> Option<&Arc<Row>> {
        let row = &self.base.rows[place];
        (self.patches.is_empty() || !self.patches.contains_key(&row.session.id)).then_some(row)
    }

    /// Rows that acts restated.
    pub fn restated(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.patches.values().flatten()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        (0..self.base.rows.len())
            .filter_map(|place| self.unpatched(place))
            .chain(self.restated())
    }

    pub fn get(&self, id: &SessionId) -> Option<&Arc<Row>> {
        match self.patches.get(id) {
            Some(patch) => patch.as_ref(),
            None => self.base.place(id).map(|place| &self.base.rows[place]),
        }
    }

    /// Rows that may be called `handle`, in no order; see [`super::find::handles`].
    pub fn called<'a>(&'a self, handle: &'a str) -> impl Iterator<Item = &'a Arc<Row>> {
        let base = self.base.by_handle.rows(hash(handle));
        let restated = self
            .restated()
            .filter(move |row| row.handles().any(|it| it == handle));
        base.filter_map(|place| self.unpatched(place as usize))
            .chain(restated)
    }

    /// Rows that may be of the same session as one with this key, and where they are.
    pub fn of_twin_key(&self, key: u64) -> impl Iterator<Item = (Place, &Arc<Row>)> {
        let base = self.base.by_twin_key.rows(key).map(|place| place as usize);
        let restated = self.restated().filter(move |row| row.twin_key == Some(key));
        base.filter_map(|place| Some((Place::Base(place), self.unpatched(place)?)))
            .chain(restated.map(|row| (Place::Restated, row)))
    }

    /// The same, as far as they began at about the same time as `began`.
    pub fn beside(&self, key: u64, began: Timestamp) -> impl Iterator<Item = &Arc<Row>> {
        let began_at = |row: &Row| row.session.started_at;
        let index = &self.base.by_twin_key.0;
        let place = |entry: &(u64, u32)| entry.1 as usize;
        let start = index.partition_point(|entry| {
            entry.0 < key
                || entry.0 == key && twins::is_before(began_at(&self.base.rows[place(entry)]), began)
        });
        let base = index[start..].iter().take_while(move |entry| {
            entry.0 == key && twins::is_about(began_at(&self.base.rows[place(entry)]), began)
        });
        let restated = self.restated().filter(move |row| row.twin_key == Some(key));
        base.filter_map(move |entry| self.unpatched(place(entry)))
            .chain(restated)
    }

    /// Every row that has a twin key, with the key and where it is; by key and beginning but for those restated.
    pub fn twin_keys(&self) -> impl Iterator<Item = (u64, Place, &Arc<Row>)> {
        let base = self.base.by_twin_key.0.iter();
        let base = base.filter_map(|(key, place)| {
            let place = *place as usize;
            Some((*key, Place::Base(place), self.unpatched(place)?))
        });
        let restated = self
            .restated()
            .filter_map(|row| Some((row.twin_key?, Place::Restated, row)));
        base.chain(restated)
    }

    pub fn len(&self) -> usize {
        let mut len = self.base.rows.len();
        for (id, patch) in &self.patches {
            let before = usize::from(self.base.place(id).is_some());
            len = len - before + usize::from(patch.is_some());
        }
        len
    }
}
