//! Which rows of one view give way to their twins on one other backend, in every order that the view is walked in.
//!
//! Not here: which rows those are (`twins`).
//! Invariant: a walk passes over marked rows by 64 at a time, so a page costs the same however many lie in between.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use curfew_core::SessionId;

use super::row::{OrderField, Row};
use super::snapshot::{Place, Snapshot};

const WORD: usize = u64::BITS as usize;

/// One bit for each place in an order.
type Bits = Vec<u64>;

fn set(bits: &mut Bits, at: usize, to: bool) {
    let mask = 1 << (at % WORD);
    if to {
        bits[at / WORD] |= mask;
    } else {
        bits[at / WORD] &= !mask;
    }
}

fn get(bits: &Bits, at: usize) -> bool {
    bits[at / WORD] & (1 << (at % WORD)) != 0
}

/// The marked rows of one view.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    /// Of the snapshot's rows, for each of [`OrderField::ALL`]; the order by user is that of the rows themselves.
    base: Arc<[Bits; 4]>,
    /// Of the restated ones.
    restated: HashSet<SessionId>,
    count: usize,
}

impl Marks {
    /// Marks these rows of a view on `base`.
    pub fn new<'a>(base: &Snapshot, rows: impl IntoIterator<Item = (Place, &'a Arc<Row>)>) -> Self {
        let words = base.rows.len().div_ceil(WORD);
        let mut by_user = vec![0; words];
        let (mut restated, mut count) = (HashSet::new(), 0);
        for (place, row) in rows {
            count += 1;
            match place {
                Place::Base(place) => set(&mut by_user, place, true),
                Place::Restated => drop(restated.insert(row.session.id.clone())),
            }
        }
        let in_order = |field| {
            let mut bits = vec![0; words];
            for at in 0..base.rows.len() {
                if get(&by_user, base.nth(field, at)) {
                    set(&mut bits, at, true);
                }
            }
            bits
        };
        Self {
            base: Arc::new(OrderField::ALL.map(in_order)),
            restated,
            count,
        }
    }

    /// Marks one row more, or one less.
    pub fn put(&mut self, base: &Snapshot, place: Place, row: &Row, marked: bool) {
        match place {
            Place::Base(_) => {
                let bits = Arc::make_mut(&mut self.base);
                for (bits, field) in bits.iter_mut().zip(OrderField::ALL) {
                    bits.resize(base.rows.len().div_ceil(WORD), 0);
                    set(bits, base.position(field, row), marked);
                }
            }
            Place::Restated if marked => drop(self.restated.insert(row.session.id.clone())),
            Place::Restated => drop(self.restated.remove(&row.session.id)),
        }
        self.count = if marked { self.count + 1 } else { self.count - 1 };
    }

    /// How many rows are marked.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether the row at a place in the base is marked.
    pub fn holds(&self, place: usize) -> bool {
        self.word(OrderField::User, place / WORD) & (1 << (place % WORD)) != 0
    }

    /// Whether a restated row is marked.
    pub fn holds_restated(&self, id: &SessionId) -> bool {
        self.restated.contains(id)
    }

    fn word(&self, field: OrderField, word: usize) -> u64 {
        self.base[field as usize].get(word).copied().unwrap_or(0)
    }
}

/// What is left of a stretch in an order after the rows that one of `marks` marks at its beginning, or at its end.
pub(super) fn unmarked(
    marks: &[&Marks],
    field: OrderField,
    mut left: Range<usize>,
    from_start: bool,
) -> Range<usize> {
    while !left.is_empty() {
        let at = if from_start { left.start } else { left.end - 1 };
        let marked = marks
            .iter()
            .fold(0, |all, marks| all | marks.word(field, at / WORD));
        let bit = at % WORD;
        let run = if from_start {
            (marked >> bit).trailing_ones() as usize
        } else {
            (marked << (WORD - 1 - bit)).leading_ones() as usize
        };
        if run == 0 {
            break;
        }
        if from_start {
            left.start = (left.start + run).min(left.end);
        } else {
            left.end = left.end.saturating_sub(run).max(left.start);
        }
    }
    left
}
