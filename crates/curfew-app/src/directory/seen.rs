//! The views of some backends as one query sees them: without the rows whose session another of them lists.
//!
//! Not here: which backends a query asks for (`mod`) and which rows are twins (`twins`).
//! Invariant: a row is hidden only if a row of the same session is in this very answer: if that is of a backend that
//! the query asks for, and passes the query's filter.

use std::ops::Range;
use std::sync::Arc;

use super::board::Picture;
use super::marks::{Marks, unmarked};
use super::row::{Matcher, OrderField, Row};
use super::snapshot::{Snapshot, View};

/// One view as a query sees it.
pub(super) struct Seen<'a> {
    view: &'a View,
    /// The rows that give way whatever they hold; empty if none does in this query.
    hidden: Vec<&'a Marks>,
    /// Where the twin of a row is looked up that gives way only to one that passes the filter; `None` if none does.
    pairs: Option<Pairs<'a>>,
}

/// The rows that one view's rows may give way to.
#[derive(Clone, Copy)]
struct Pairs<'a> {
    picture: &'a Picture,
    slot: usize,
    listed: &'a [bool],
}

impl Picture {
    /// The views of the slots in `listed`. Where the filter lets every row pass, the marked ones are passed over;
    /// a real one says of each pair anew which of its rows pass, and looks at every row anyway.
    pub fn seen<'a>(&'a self, listed: &'a [bool], matcher: &Matcher<'_>) -> Vec<Seen<'a>> {
        let views = self.views.iter().enumerate().filter(|(slot, _)| listed[*slot]);
        let seen = |(slot, view): (usize, &'a Arc<View>)| {
            let hidden = self.twins.hidden(slot, listed);
            let pairs = Pairs {
                picture: self,
                slot,
                listed,
            };
            let evaluated = !hidden.is_empty() && !matcher.selects_all();
            Seen {
                view,
                hidden: if evaluated { Vec::new() } else { hidden },
                pairs: evaluated.then_some(pairs),
            }
        };
        views.map(seen).collect()
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
        Self {
            view,
            hidden: Vec::new(),
            pairs: None,
        }
    }

    /// Whether a row of this view is in the answer: it passes the filter, and no twin of it does that is listed.
    pub fn answers(&self, row: &Row, matcher: &Matcher<'_>) -> bool {
        matcher.matches(row) && !self.gives_way(row, matcher)
    }

    fn gives_way(&self, row: &Row, matcher: &Matcher<'_>) -> bool {
        let Some(Pairs {
            picture,
            slot,
            listed,
        }) = self.pairs
        else {
            return false;
        };
        let twin = picture.twin_of(slot, row);
        twin.is_some_and(|(broker, twin)| listed[broker] && matcher.matches(twin))
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
