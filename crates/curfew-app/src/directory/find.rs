//! Finding a session that somebody names without its id: by a bare VPN id, or by host and name or number.
//!
//! Not here: who may look, and the record of a search in vain (`actions::resolve`).
//! Invariant: a name that fits more than one session, or more than one host, finds none of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use curfew_core::{BackendKind, SessionId};

use super::Directory;
use super::row::Row;
use super::slot::Slot;

/// A session as somebody names it who does not have its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetName {
    /// A VPN session by what its backend calls it, or by the last part of that.
    Bare(String),
    /// A session of a Windows host, by the name that the host gives it.
    Named {
        /// The host's short or DNS name; its case does not matter.
        server: String,
        /// The session's name, whole; its case does not matter.
        session_name: String,
    },
    /// A session of a Windows host, by its number.
    Numbered {
        /// The host's short or DNS name; its case does not matter.
        server: String,
        /// The number.
        session_id: u16,
    },
}

impl fmt::Display for TargetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bare(native) => f.write_str(native),
            Self::Named { server, session_name } => write!(f, "{server}/{session_name}"),
            Self::Numbered { server, session_id } => write!(f, "{server}/{session_id}"),
        }
    }
}

/// What a name led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// One session.
    One(SessionId),
    /// No session.
    Nothing,
    /// More than one, or one whose host's name fits another host too.
    Several {
        /// How many.
        count: usize,
        /// Their ids, in order.
        ids: Vec<SessionId>,
    },
}

/// How the sessions of a kind of backend are named beside their ids.
#[derive(PartialEq, Eq)]
enum NamedBy {
    Nothing,
    BareId,
    Host,
}

const fn named_by(kind: BackendKind) -> NamedBy {
    match kind {
        _ if kind.is_vpn() => NamedBy::BareId,
        BackendKind::Windows => NamedBy::Host,
        BackendKind::Citrix | BackendKind::Orbnet => NamedBy::Nothing,
    }
}

impl TargetName {
    /// Whether sessions of a kind of backend are named so.
    fn is_of(&self, kind: BackendKind) -> bool {
        let by = match self {
            Self::Bare(_) => NamedBy::BareId,
            Self::Named { .. } | Self::Numbered { .. } => NamedBy::Host,
        };
        named_by(kind) == by
    }

    /// What the rows it may mean are indexed by; see [`handles`].
    fn handle(&self) -> String {
        match self {
            Self::Bare(native) => native.clone(),
            Self::Named { server, .. } | Self::Numbered { server, .. } => server.to_lowercase(),
        }
    }

    /// Whether a row with its handle is meant.
    fn means(&self, row: &Row) -> bool {
        match self {
            Self::Bare(_) => true,
            Self::Named { session_name, .. } => row
                .session
                .session_name
                .as_ref()
                .is_some_and(|name| name.to_lowercase() == session_name.to_lowercase()),
            Self::Numbered { session_id, .. } => {
                row.session.id.native() == format!("{}/{session_id}", row.session.part)
            }
        }
    }
}

/// What a row can be looked up by: a VPN session by its bare ids, one on a Windows host by the host's names in lower
/// case.
pub(super) fn handles(row: &Row) -> impl Iterator<Item = String> {
    let mut handles = Vec::new();
    match named_by(row.kind) {
        NamedBy::Nothing => {}
        NamedBy::BareId => {
            let native = row.session.id.native();
            handles.extend(native.rsplit_once('/').map(|(_, last)| last.to_owned()));
            handles.push(native.into_owned());
        }
        NamedBy::Host => {
            handles.push(row.session.part.0.to_lowercase());
            handles.extend([&row.machine, &row.dns].map(ToString::to_string));
        }
    }
    handles.into_iter().filter(|handle| !handle.is_empty())
}

impl Directory {
    /// Looks for a session on the backends that `may_find` lets through: in the directory as it stands and, if nothing
    /// is there, once more after a fresh reading, which is waited for 3 s at most.
    pub(crate) async fn find(&self, may_find: impl Fn(&str) -> bool, name: &TargetName) -> Found {
        let among: Vec<&Arc<Slot>> = self
            .slots
            .iter()
            .filter(|slot| name.is_of(slot.kind) && may_find(slot.backend.id().as_str()))
            .collect();
        let found = look_up(&among, name);
        if found != Found::Nothing || among.is_empty() {
            return found;
        }
        self.await_readings(&among, Some(Duration::ZERO)).await;
        look_up(&among, name)
    }
}

fn look_up(among: &[&Arc<Slot>], name: &TargetName) -> Found {
    let handle = name.handle();
    let mut found = BTreeSet::new();
    // A host without sessions has no rows, but its reading names it.
    let mut hosts = BTreeSet::new();
    for slot in among {
        for part in &slot.readings().parts {
            let part = part.0.to_lowercase();
            if named_by(slot.kind) == NamedBy::Host && part == handle {
                hosts.insert((slot.place, part));
            }
        }
        for row in slot.view().called(&handle) {
            // An index of hashes may hold what only looks alike.
            if !row.handles().any(|it| it == handle) {
                continue;
            }
            if named_by(slot.kind) == NamedBy::Host {
                hosts.insert((slot.place, row.session.part.0.to_lowercase()));
            }
            if name.means(row) {
                found.insert(row.session.id.clone());
            }
        }
    }
    match (found.len(), hosts.len()) {
        (0, _) => Found::Nothing,
        (1, ..=1) => found.pop_first().map_or(Found::Nothing, Found::One),
        (count, _) => Found::Several {
            count,
            ids: found.into_iter().collect(),
        },
    }
}
