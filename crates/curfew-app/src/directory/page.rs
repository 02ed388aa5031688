//! Pages over the views of several backends: merged, filtered, with cursors.
//!
//! Not here: refreshing, rights.
//! Invariant: the order is total, so a row that stays where it is comes on exactly one page.

use std::cmp::Ordering;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curfew_core::SessionId;
use serde::{Deserialize, Serialize};

use super::row::{Matcher, OrderField, OrderKey, Row};
use super::seen::Seen;

/// Which way an order runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// The order of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOrder {
    /// By what; rows that are alike are ordered by id.
    pub field: OrderField,
    /// Which way.
    pub direction: Direction,
}

impl Default for SessionOrder {
    fn default() -> Self {
        Self {
            field: OrderField::User,
            direction: Direction::Ascending,
        }
    }
}

/// A place in an order, as it is handed to callers: opaque to them, and valid in that order alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    order: SessionOrder,
    key: OrderKey<Box<str>>,
    id: SessionId,
}

#[derive(Serialize, Deserialize)]
struct WireCursor<'a>(
    u8,
    bool,
    i64,
    std::borrow::Cow<'a, str>,
    std::borrow::Cow<'a, str>,
);

impl Cursor {
    /// The place of a row.
    pub fn of(row: &Row, order: SessionOrder) -> Self {
        let key = match row.key(order.field) {
            OrderKey::Number(number) => OrderKey::Number(number),
            OrderKey::Text(text) => OrderKey::Text(text.into()),
        };
        Self {
            order,
            key,
            id: row.session.id.clone(),
        }
    }

    /// The text for callers.
    pub fn encode(&self) -> String {
        let (number, text) = match &self.key {
            OrderKey::Number(number) => (*number, ""),
            OrderKey::Text(text) => (0, &**text),
        };
        let wire = WireCursor(
            self.order.field as u8,
            self.order.direction == Direction::Descending,
            number,
            text.into(),
            self.id.as_str().into(),
        );
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&wire).unwrap_or_default())
    }

    /// Reads a cursor that was given out for `order`; `None` if it is none, or one of another order.
    pub fn decode(text: &str, order: SessionOrder) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let WireCursor(field, descending, number, text, id) = serde_json::from_slice(&bytes).ok()?;
        let same = field == order.field as u8 && descending == (order.direction == Direction::Descending);
        let key = match order.field {
            OrderField::User | OrderField::Machine => OrderKey::Text(text.into()),
            OrderField::StartedAt | OrderField::State => OrderKey::Number(number),
        };
        same.then_some(Self {
            order,
            key,
            id: SessionId::parse(&id).ok()?,
        })
    }

    /// How `row` stands to this place in ascending order.
    fn ascending(&self, row: &Row) -> Ordering {
        let key = match &self.key {
            OrderKey::Number(number) => OrderKey::Number(*number),
            OrderKey::Text(text) => OrderKey::Text(&**text),
        };
        row.key(self.order.field)
            .cmp(&key)
            .then_with(|| row.session.id.cmp(&self.id))
    }
}

/// Which page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageSpec {
    /// The first rows (after a place).
    First(usize, Option<Cursor>),
    /// The last rows (before a place).
    Last(usize, Option<Cursor>),
}

/// One page of rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub rows: Vec<Arc<Row>>,
    pub has_next: bool,
    pub has_previous: bool,
}

/// One page of the merged views.
pub(super) fn page(views: &[Seen<'_>], matcher: &Matcher<'_>, order: SessionOrder, spec: &PageSpec) -> Rows {
    let (count, cursor, backwards) = match spec {
        PageSpec::First(count, cursor) => (*count, cursor.as_ref(), false),
        PageSpec::Last(count, cursor) => (*count, cursor.as_ref(), true),
    };
    let ascending = (order.direction == Direction::Ascending) != backwards;
    let mut rows: Vec<Arc<Row>> = if matcher.user.is_some() {
        by_user(views, matcher, order.field, cursor, ascending, count + 1)
    } else {
        let walks = views
            .iter()
            .map(|view| Walk::new(view, order.field, cursor, ascending))
            .collect();
        Merge {
            walks,
            field: order.field,
            ascending,
        }
        .filter(|(view, row)| views[*view].answers(row, matcher))
        .take(count + 1)
        .map(|(_, row)| row.clone())
        .collect()
    };
    let more = rows.len() > count;
    rows.truncate(count);
    if backwards {
        rows.reverse();
        Rows {
            rows,
            has_next: cursor.is_some(),
            has_previous: more,
        }
    } else {
        Rows {
            rows,
            has_next: more,
            has_previous: cursor.is_some(),
        }
    }
}

/// How many rows of the views match.
pub(super) fn count(views: &[Seen<'_>], matcher: &Matcher<'_>) -> usize {
    if matcher.user.is_some() {
        return of_user(views, matcher).count();
    }
    let of = |view: &Seen<'_>| view.iter().filter(|row| view.answers(row, matcher)).count();
    views.iter().map(of).sum()
}

/// A user has few sessions: they are looked up and sorted, not walked to.
fn by_user(
    views: &[Seen<'_>],
    matcher: &Matcher<'_>,
    field: OrderField,
    cursor: Option<&Cursor>,
    ascending: bool,
    count: usize,
) -> Vec<Arc<Row>> {
    let beyond = if ascending {
        Ordering::Greater
    } else {
        Ordering::Less
    };
    let mut rows: Vec<Arc<Row>> = of_user(views, matcher)
        .filter(|row| cursor.is_none_or(|cursor| cursor.ascending(row) == beyond))
        .cloned()
        .collect();
    rows.sort_unstable_by(|a, b| {
        if ascending {
            a.compare(b, field)
        } else {
            b.compare(a, field)
        }
    });
    rows.truncate(count);
    rows
}

fn of_user<'a>(views: &'a [Seen<'_>], matcher: &'a Matcher<'_>) -> impl Iterator<Item = &'a Arc<Row>> {
    let spelling = matcher.user.as_deref().unwrap_or_default();
    views
        .iter()
        .flat_map(move |view| view.of_user(spelling).filter(|row| view.answers(row, matcher)))
}

/// The rows of one view from a place on, in one direction.
struct Walk<'a> {
    view: &'a Seen<'a>,
    field: OrderField,
    /// Rows of the base that are left: ascending from the front, descending from the back.
    left: std::ops::Range<usize>,
    ascending: bool,
    /// Restated rows, so ordered that the next one is at the end.
    restated: Vec<&'a Arc<Row>>,
}

impl<'a> Walk<'a> {
    fn new(view: &'a Seen<'a>, field: OrderField, cursor: Option<&Cursor>, ascending: bool) -> Self {
        let base = view.base();
        let len = base.rows.len();
        let left = match cursor {
            None => 0..len,
            Some(cursor) => {
                let place = |keep: fn(Ordering) -> bool| {
                    let (mut low, mut high) = (0, len);
                    while low < high {
                        let middle = low.midpoint(high);
                        if keep(cursor.ascending(&base.rows[base.nth(field, middle)])) {
                            low = middle + 1;
                        } else {
                            high = middle;
                        }
                    }
                    low
                };
                if ascending {
                    place(Ordering::is_le)..len
                } else {
                    0..place(Ordering::is_lt)
                }
            }
        };
        let beyond = if ascending {
            Ordering::Greater
        } else {
            Ordering::Less
        };
        let mut restated: Vec<&Arc<Row>> = view
            .restated()
            .filter(|row| cursor.is_none_or(|cursor| cursor.ascending(row) == beyond))
            .collect();
        restated.sort_unstable_by(|a, b| {
            if ascending {
                b.compare(a, field)
            } else {
                a.compare(b, field)
            }
        });
        Self {
            view,
            field,
            left,
            ascending,
            restated,
        }
    }

    fn peek(&mut self) -> Option<&'a Arc<Row>> {
        let base = loop {
            self.left = self.view.skip(self.field, self.left.clone(), self.ascending);
            if self.left.is_empty() {
                break None;
            }
            let next = if self.ascending {
                self.left.start
            } else {
                self.left.end - 1
            };
            if let Some(row) = self.view.unpatched(self.view.base().nth(self.field, next)) {
                break Some(row);
            }
            self.skip_base();
        };
        match (base, self.restated.last()) {
            (Some(base), Some(restated)) if comes_first(restated, base, self.field, self.ascending) => {
                Some(*restated)
            }
            (None, Some(restated)) => Some(*restated),
            (base, _) => base,
        }
    }

    fn skip_base(&mut self) {
        if self.ascending {
            self.left.start += 1;
        } else {
            self.left.end -= 1;
        }
    }

    fn advance(&mut self, taken: &Arc<Row>) {
        if self.restated.last().is_some_and(|row| Arc::ptr_eq(row, taken)) {
            self.restated.pop();
        } else {
            self.skip_base();
        }
    }
}

fn comes_first(a: &Row, b: &Row, field: OrderField, ascending: bool) -> bool {
    a.compare(b, field)
        == if ascending {
            Ordering::Less
        } else {
            Ordering::Greater
        }
}

/// Merges the walks; there are few backends, so the smallest is found by looking at each.
struct Merge<'a> {
    walks: Vec<Walk<'a>>,
    field: OrderField,
    ascending: bool,
}

impl<'a> Iterator for Merge<'a> {
    /// A row, and which of the views it is of.
    type Item = (usize, &'a Arc<Row>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut best: Option<(usize, &'a Arc<Row>)> = None;
        for (index, walk) in self.walks.iter_mut().enumerate() {
            if let Some(row) = walk.peek()
                && best.is_none_or(|(_, first)| comes_first(row, first, self.field, self.ascending))
            {
                best = Some((index, row));
            }
        }
        let (index, row) = best?;
        self.walks[index].advance(row);
        Some((index, row))
    }
}
