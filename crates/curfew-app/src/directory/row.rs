//! A session prepared for filtering and ordering.
//!
//! Not here: which rows there are (`snapshot`) and how they are paged (`page`).
//! Invariant: what filters and orders compare is computed once, when the row is made, never per query; but for what a search
//! looks through.

use std::cmp::Ordering;
use std::net::IpAddr;

use curfew_core::{BackendKind, Session, SessionFilter};

use super::find::handles;
use super::twins;

/// What sessions are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderField {
    /// The user's name.
    User,
    /// When the session began; those that do not say come first.
    StartedAt,
    /// The machine's name.
    Machine,
    /// The state.
    State,
}

impl OrderField {
    /// Every field, in the order of the snapshot's permutations.
    pub const ALL: [Self; 4] = [Self::User, Self::StartedAt, Self::Machine, Self::State];
}

/// A value that rows are ordered by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderKey<T> {
    /// A number: an instant in microseconds, or a state.
    Number(i64),
    /// A lower-case text.
    Text(T),
}

/// A session with what filters and orders need.
#[derive(Debug)]
pub struct Row {
    /// The session as its backend reported it.
    pub session: Box<Session>,
    /// The product it is on.
    pub kind: BackendKind,
    pub(super) user: Box<str>,
    pub(super) machine: Box<str>,
    pub(super) dns: Box<str>,
    /// What rows of the same session on other backends have in common with it, if there can be any.
    pub(super) twin_key: Option<u64>,
    client: Option<IpAddr>,
}

impl Row {
    /// Prepares a session.
    pub fn new(session: impl Into<Box<Session>>, kind: BackendKind) -> Self {
        let session = session.into();
        let lower = |text: &Option<String>| {
            text.as_deref()
                .unwrap_or_default()
                .to_lowercase()
                .into_boxed_str()
        };
        let machine = lower(&session.machine.name);
        Self {
            user: session.user.name.to_lowercase().into(),
            twin_key: twins::key(kind, &machine, &session),
            machine,
            dns: lower(&session.machine.dns_name),
            client: session
                .client
                .address
                .as_deref()
                .and_then(|text| text.parse().ok()),
            kind,
            session,
        }
    }

    /// Everything that can be searched for, in lower case, a line each. Made anew for every search that comes to this row:
    /// searches are rare, and a copy of each row's texts would cost more memory than all that pages need.
    fn haystack(&self) -> String {
        let Session {
            user,
            machine,
            client,
            applications,
            ..
        } = &*self.session;
        let mut haystack = String::with_capacity(256);
        let mut add = |texts: &[&str]| {
            texts.iter().for_each(|text| haystack.push_str(text));
            haystack.push('\n');
        };
        match &user.domain {
            Some(domain) => add(&[domain, "\\", &user.name]),
            None => add(&[&user.name]),
        }
        for text in [
            &user.upn,
            &user.display_name,
            &machine.name,
            &machine.dns_name,
            &machine.address,
            &client.name,
            &client.address,
        ] {
            text.iter().for_each(|text| add(&[text]));
        }
        applications
            .iter()
            .for_each(|application| add(&[&application.name]));
        if haystack.is_ascii() {
            haystack.make_ascii_lowercase();
            haystack
        } else {
            haystack.to_lowercase()
        }
    }

    /// The spellings under which the user can be looked up, in lower case: name, `domain\name`, UPN.
    pub(super) fn user_spellings(&self) -> impl Iterator<Item = String> {
        let user = &self.session.user;
        [
            Some(self.user.to_string()),
            user.account().map(|text| text.to_lowercase()),
            user.upn.as_ref().map(|text| text.to_lowercase()),
        ]
        .into_iter()
        .flatten()
    }

    /// What the session is called by those who do not know its id; see [`handles`].
    pub(super) fn handles(&self) -> impl Iterator<Item = String> {
        handles(self)
    }

    pub(super) fn key(&self, field: OrderField) -> OrderKey<&str> {
        match field {
            OrderField::User => OrderKey::Text(&self.user),
            OrderField::Machine => OrderKey::Text(&self.machine),
            OrderField::StartedAt => OrderKey::Number(
                self.session
                    .started_at
                    .map_or(i64::MIN, |at| at.timestamp_micros()),
            ),
            OrderField::State => OrderKey::Number(self.session.state as i64),
        }
    }

    /// The total order: by the field, then by id.
    pub(super) fn compare(&self, other: &Self, field: OrderField) -> Ordering {
        self.key(field)
            .cmp(&other.key(field))
            .then_with(|| self.session.id.cmp(&other.session.id))
    }
}

/// A filter prepared once per query.
#[derive(Debug)]
pub struct Matcher<'a> {
    filter: &'a SessionFilter,
    pub(super) user: Option<String>,
    machine: Option<String>,
    application: Option<String>,
    words: Vec<String>,
}

impl<'a> Matcher<'a> {
    /// Prepares a filter.
    pub fn new(filter: &'a SessionFilter) -> Self {
        let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        Self {
            user: lower(&filter.user),
            machine: lower(&filter.machine),
            application: lower(&filter.application),
            words: filter
                .search
                .iter()
                .flat_map(|text| {
                    text.to_lowercase()
                        .split_whitespace()
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                })
                .collect(),
            filter,
        }
    }

    /// Whether every row passes.
    pub fn selects_all(&self) -> bool {
        let rows_alone = SessionFilter {
            backend_ids: None,
            backend_kinds: None,
            ..self.filter.clone()
        };
        rows_alone == SessionFilter::default()
    }

    /// Whether a row passes; the backend's own id and kind are looked at before any row is.
    pub fn matches(&self, row: &Row) -> bool {
        fn among<T: PartialEq>(wanted: Option<&Vec<T>>, value: &T) -> bool {
            wanted.is_none_or(|wanted| wanted.contains(value))
        }
        let Row { session, .. } = row;
        let f = self.filter;
        among(f.states.as_ref(), &session.state)
            && among(f.kinds.as_ref(), &session.kind)
            && among(f.protocols.as_ref(), &session.protocol)
            && self
                .user
                .as_ref()
                .is_none_or(|wanted| row.user_spellings().any(|spelling| spelling == *wanted))
            && self
                .machine
                .as_ref()
                .is_none_or(|wanted| **wanted == *row.machine || **wanted == *row.dns)
            && self.application.as_ref().is_none_or(|wanted| {
                session
                    .applications
                    .iter()
                    .any(|application| application.name.to_lowercase() == *wanted)
            })
            && f.client_address
                .is_none_or(|net| row.client.is_some_and(|address| net.contains(&address)))
            && f.started_before
                .is_none_or(|limit| session.started_at.is_some_and(|at| at < limit))
            && f.started_after
                .is_none_or(|limit| session.started_at.is_some_and(|at| at > limit))
            && f.idle_longer_than_seconds
                .is_none_or(|limit| session.idle_seconds.is_some_and(|idle| idle > limit))
            && (self.words.is_empty() || {
                let haystack = row.haystack();
                self.words.iter().all(|word| haystack.contains(word.as_str()))
            })
    }
}
