//! The sessions of one backend at one time, immutable, with every order prepared.
//!
//! Not here: when a snapshot is replaced (`slot`).
//! Invariant: `rows` is in the order (user, id), and each permutation holds every row exactly once.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use curfew_core::SessionId;

use super::row::{OrderField, Row};

/// How many patched rows a view may carry before they are folded into a new snapshot.
pub(super) const FOLD_AT: usize = 512;

/// All rows of a backend, sorted.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub rows: Vec<Arc<Row>>,
    /// By start, machine and state; the order by user is that of `rows` itself.
    orders: [Vec<u32>; 3],
    /// (hash of a spelling of the user, row), sorted; who looks something up compares the row itself.
    by_user: Vec<(u64, u32)>,
    by_id: HashMap<SessionId, u32>,
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
        let mut by_user = Vec::with_capacity(rows.len() * 3);
        for (index, row) in rows.iter().enumerate() {
            by_user.extend(
                row.user_spellings()
                    .map(|spelling| (hash(&spelling), index as u32)),
            );
        }
        by_user.sort_unstable();
        by_user.dedup();
        let by_id = rows
            .iter()
            .enumerate()
            .map(|(index, row)| (row.session.id.clone(), index as u32))
            .collect();
        Self {
            rows,
            orders,
            by_user,
            by_id,
        }
    }

    /// The `n`-th row in the order of `field`.
    pub fn nth(&self, field: OrderField, n: usize) -> &Arc<Row> {
        let index = match field {
            OrderField::User => n,
            OrderField::StartedAt => self.orders[0][n] as usize,
            OrderField::Machine => self.orders[1][n] as usize,
            OrderField::State => self.orders[2][n] as usize,
        };
        &self.rows[index]
    }

    pub fn get(&self, id: &SessionId) -> Option<&Arc<Row>> {
        self.by_id.get(id).map(|index| &self.rows[*index as usize])
    }

    /// Rows whose user may have this spelling, in no order.
    pub fn of_user(&self, spelling: &str) -> impl Iterator<Item = &Arc<Row>> {
        let wanted = hash(spelling);
        let start = self.by_user.partition_point(|(hash, _)| *hash < wanted);
        self.by_user[start..]
            .iter()
            .take_while(move |(hash, _)| *hash == wanted)
            .map(|(_, index)| &self.rows[*index as usize])
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What a query sees of one backend: a snapshot, and what acts have changed since.
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

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.base
            .rows
            .iter()
            .filter(|row| self.patches.is_empty() || !self.patches.contains_key(&row.session.id))
            .chain(self.patches.values().flatten())
    }

    pub fn get(&self, id: &SessionId) -> Option<&Arc<Row>> {
        match self.patches.get(id) {
            Some(patch) => patch.as_ref(),
            None => self.base.get(id),
        }
    }

    pub fn len(&self) -> usize {
        let mut len = self.base.rows.len();
        for (id, patch) in &self.patches {
            let before = usize::from(self.base.get(id).is_some());
            len = len - before + usize::from(patch.is_some());
        }
        len
    }
}
