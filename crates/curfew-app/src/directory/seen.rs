//! The views of some backends as one query sees them: without the rows whose session another of them lists.
//!
//! Not here: which backends a query asks for (`mod`) and which rows are twins (`twins`).
//! Invariant: a row is hidden only together with a row of the same session that is listed.

use std::ops::Range;
use std::sync::Arc;

use super::board::Picture;
use super::marks::{Marks, unmarked};
use super::row::{OrderField, Row};
use super::snapshot::{Snapshot, View};

/// One view as a query sees it.
pub(super) struct Seen<'a> {
    view: &'a View,
    /// The rows that give way; empty if none does in this query.
    hidden: Vec<&'a Marks>,
}

impl Picture {
    /// The views of the slots in `listed`.
    pub fn seen(&self, listed: &[bool]) -> Vec<Seen<'_>> {
        let views = self.views.iter().enumerate().filter(|(slot, _)| listed[*slot]);
        let seen = |(slot, view)| Seen {
            view,
            hidden: self.twins.hidden(slot, listed),
        };
        views
            .map(|(slot, view): (usize, &Arc<View>)| seen((slot, &**view)))
            .collect()
    }

    /// How many rows the slots in `listed` have together.
    pub fn len(&self, listed: &[bool]) -> usize {
        let views = self.views.iter().zip(listed).filter(|(_, listed)| **listed);
        let rows: usize = views.map(|(view, _)| view.len()).sum();
        rows - self.twins.count(listed)
    }
}

impl<'a> Seen<'a> {
    /// The view with nothing hidden.
    #[cfg(test)]
    pub fn whole(view: &'a View) -> Self {
        let hidden = Vec::new();
        Self { view, hidden }
    }

    pub fn base(&self) -> &'a Snapshot {
        &self.view.base
    }

    /// What is left of a stretch in an order after the hidden rows at its beginning, or at its end.
    pub fn skip(&self, field: OrderField, left: Range<usize>, from_start: bool) -> Range<usize> {
        if self.hidden.is_empty() {
            return left;
        }
        unmarked(&self.hidden, field, left, from_start)
    }

    /// The row at a place in the base that is not hidden, unless an act removed or restated it.
    pub fn unpatched(&self, place: usize) -> Option<&'a Arc<Row>> {
        self.view.unpatched(place)
    }

    /// The restated rows that are listed.
    pub fn restated(&self) -> impl Iterator<Item = &'a Arc<Row>> {
        let is_hidden = |row: &Row| {
            self.hidden
                .iter()
                .any(|marks| marks.holds_restated(&row.session.id))
        };
        self.view.restated().filter(move |row| !is_hidden(row))
    }

    /// Every row that is listed, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &'a Arc<Row>> {
        self.listed(0..self.base().rows.len())
    }

    /// The rows whose user may have this spelling, in no order, and every restated one.
    pub fn of_user(&self, spelling: &str) -> impl Iterator<Item = &'a Arc<Row>> {
        self.listed(self.base().of_user(spelling))
    }

    fn listed(&self, places: impl Iterator<Item = usize>) -> impl Iterator<Item = &'a Arc<Row>> {
        places
            .filter(|place| !self.hidden.iter().any(|marks| marks.holds(*place)))
            .filter_map(|place| self.unpatched(place))
            .chain(self.restated())
    }
}
