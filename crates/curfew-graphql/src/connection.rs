//! Relay paging: arguments, cursors and page information.
//!
//! Not here: what is paged.
//! Invariant: a page has at most `Limits::page_max` rows, whatever is asked for.

use async_graphql::{Context, Result, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use curfew_core::Keyset;
use curfew_core::store::Place;
use uuid::Uuid;

use crate::Limits;
use crate::error::bad_input;

/// Where a page stands among all rows.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether rows follow this page.
    pub has_next_page: bool,
    /// Whether rows precede this page.
    pub has_previous_page: bool,
    /// The cursor of the first row.
    pub start_cursor: Option<String>,
    /// The cursor of the last row; give it as `after` to get the next page.
    pub end_cursor: Option<String>,
}

/// The four arguments of a page.
#[derive(Debug, Clone, Default)]
pub struct PageArgs {
    /// `first`.
    pub first: Option<i32>,
    /// `after`.
    pub after: Option<String>,
    /// `last`.
    pub last: Option<i32>,
    /// `before`.
    pub before: Option<String>,
}

/// The arguments, checked: how many, after or before which cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// The first rows (after a cursor).
    First(u32, Option<String>),
    /// The last rows (before a cursor).
    Last(u32, Option<String>),
}

impl PageArgs {
    /// Checks the arguments.
    pub fn span(self, ctx: &Context<'_>) -> Result<Span> {
        let limits = ctx.data::<Limits>()?;
        self.within(limits.page_default, limits.page_max)
    }

    fn within(self, default: u32, most: u32) -> Result<Span> {
        let size = |name: &str, n: i32| match n {
            0.. if n.unsigned_abs() <= most => Ok(n.unsigned_abs()),
            _ => Err(bad_input(format!(
                "`{name}` is {n}; it must be from 0 to {most}. Follow the cursors for more."
            ))),
        };
        match self {
            Self {
                first: Some(_),
                last: Some(_),
                ..
            } => Err(bad_input("`first` and `last` exclude each other.")),
            Self {
                after: Some(_),
                before: Some(_),
                ..
            } => Err(bad_input("`after` and `before` exclude each other.")),
            Self {
                first: Some(_),
                before: Some(_),
                ..
            } => Err(bad_input("`first` goes with `after`, not with `before`.")),
            Self {
                last: Some(_),
                after: Some(_),
                ..
            } => Err(bad_input("`last` goes with `before`, not with `after`.")),
            Self {
                last: Some(n),
                before,
                ..
            } => Ok(Span::Last(size("last", n)?, before)),
            Self {
                before: Some(cursor), ..
            } => Ok(Span::Last(default, Some(cursor))),
            Self { first, after, .. } => Ok(Span::First(
                first.map_or(Ok(default), |n| size("first", n))?,
                after,
            )),
        }
    }
}

/// A cursor that this listing did not give out.
pub fn foreign_cursor(name: &str) -> async_graphql::Error {
    bad_input(format!(
        "`{name}` is not a cursor of this listing in this order. Begin again without it."
    ))
}

/// The cursor of a row in a newest-first listing.
pub fn place_cursor((at, id): Place) -> String {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&at.timestamp_micros().to_be_bytes());
    bytes[8..].copy_from_slice(id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_place(name: &str, text: &str) -> Result<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign_cursor(name))?;
    let bytes: [u8; 24] = bytes.try_into().map_err(|_| foreign_cursor(name))?;
    let (mut micros, mut id) = ([0; 8], [0; 16]);
    micros.copy_from_slice(&bytes[..8]);
    id.copy_from_slice(&bytes[8..]);
    let at =
        DateTime::from_timestamp_micros(i64::from_be_bytes(micros)).ok_or_else(|| foreign_cursor(name))?;
    Ok((at, Uuid::from_bytes(id)))
}

impl Span {
    /// The page of a newest-first listing, and how many rows.
    pub fn keyset(self) -> Result<(Keyset, u32)> {
        Ok(match self {
            Self::First(n, cursor) => (
                Keyset::After(cursor.map(|text| read_place("after", &text)).transpose()?),
                n,
            ),
            Self::Last(n, cursor) => (
                Keyset::Before(cursor.map(|text| read_place("before", &text)).transpose()?),
                n,
            ),
        })
    }
}

/// Page information of a newest-first listing.
pub fn place_info(keyset: Keyset, more: bool, first: Option<Place>, last: Option<Place>) -> PageInfo {
    let (has_next_page, has_previous_page) = match keyset {
        Keyset::After(place) => (more, place.is_some()),
        Keyset::Before(place) => (place.is_some(), more),
    };
    PageInfo {
        has_next_page,
        has_previous_page,
        start_cursor: first.map(place_cursor),
        end_cursor: last.map(place_cursor),
    }
}

#[cfg(test)]
mod tests;
