//! Finding a session that somebody names without its id: by a bare VPN id, or by host and name or number.
//!
//! Not here: who may look, and the record of a search in vain (`actions::resolve`).
//! Invariant: a name that fits more than one session, or more than one host, finds none of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use curfew_core::id::MAX_SESSION_ID_BYTES;
use curfew_core::{BackendId, BackendKind, PartName, SessionId};
use tokio::time::Instant;

use super::Directory;
use super::row::Row;
use super::slot::Slot;

/// A session as somebody names it who does not have its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetName {
    /// A VPN session by what its backend calls it, or by what follows the first `/` in that.
    Bare(String),
    /// What can be the bare id of no session, as far as it is worth a record: without controls, and not longer than an
    /// id may be.
    Unfit(String),
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
            Self::Bare(native) | Self::Unfit(native) => f.write_str(native),
            Self::Named { server, session_name } => write!(f, "{server}/{session_name}"),
            Self::Numbered { server, session_id } => write!(f, "{server}/{session_id}"),
        }
    }
}

/// What a name led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// One session.
    One(Meant),
    /// No session that is known.
    Nothing {
        /// Where it may be all the same: what could not be read since it was asked for.
        unread: Vec<Unread>,
    },
    /// More than one, or one whose host's name fits another host too.
    Several {
        /// How many.
        count: usize,
        /// How many hosts have the name of the server; 0 if none was named.
        hosts: usize,
        /// Their ids, in order.
        ids: Vec<SessionId>,
    },
}

/// The session that a name led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// Its id.
    pub session: SessionId,
    /// Its name on its host, if it was asked for by that; see [`curfew_core::TargetSnapshot::named_as`].
    pub named_as: Option<String>,
}

/// A backend, or a part of one, that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Which backend.
    pub backend: BackendId,
    /// Which part of it; `None` for all of it.
    pub part: Option<PartName>,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "{part} of {}", self.backend),
            None => self.backend.fmt(f),
        }
    }
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
    /// A bare id as a client sends it, which may be any text.
    pub fn bare(text: String) -> Self {
        if text.len() <= MAX_SESSION_ID_BYTES && !text.contains(char::is_control) {
            return Self::Bare(text);
        }
        let end = text.floor_char_boundary(MAX_SESSION_ID_BYTES);
        Self::Unfit(text[..end].replace(char::is_control, "\u{FFFD}"))
    }

    /// Whether sessions of a kind of backend are named so.
    fn is_of(&self, kind: BackendKind) -> bool {
        match self {
            Self::Bare(_) => named_by(kind) == NamedBy::BareId,
            Self::Named { .. } | Self::Numbered { .. } => named_by(kind) == NamedBy::Host,
            Self::Unfit(_) => false,
        }
    }

    /// What the rows it may mean are indexed by; see [`handles`].
    fn handle(&self) -> String {
        match self {
            Self::Bare(native) | Self::Unfit(native) => native.clone(),
            Self::Named { server, .. } | Self::Numbered { server, .. } => server.to_lowercase(),
        }
    }

    /// Whether a row with its handle is meant.
    fn means(&self, row: &Row) -> bool {
        match self {
            Self::Bare(_) => true,
            Self::Unfit(_) => false,
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

    /// A session that is called so.
    fn led_to(&self, session: SessionId) -> Meant {
        let named_as = match self {
            Self::Named { session_name, .. } => Some(session_name.clone()),
            Self::Bare(_) | Self::Unfit(_) | Self::Numbered { .. } => None,
        };
        Meant { session, named_as }
    }

    /// Whether it may mean a session on this part of a backend: a host by its short name, whatever its domain, since
    /// of a host that does not answer no other may be known. A VPN session may be on any.
    fn may_be_on(&self, part: &PartName) -> bool {
        let short = |name: &str| name.split('.').next().unwrap_or_default().to_lowercase();
        match self {
            Self::Bare(_) => true,
            Self::Unfit(_) => false,
            Self::Named { server, .. } | Self::Numbered { server, .. } => short(&part.0) == short(server),
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
            // OrbNet's are `user/session`, and a session's own id may hold slashes.
            handles.extend(native.split_once('/').map(|(_, bare)| bare.to_owned()));
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
    /// Looks for a session on the backends that `may_find` lets through: in the directory as it stands, once each of
    /// them has been read, and, if nothing is there, once more after a fresh reading. Either is waited for 3 s at most;
    /// after that, what is known counts.
    pub(crate) async fn find(&self, may_find: impl Fn(&str) -> bool, name: &TargetName) -> Found {
        let began = Instant::now();
        let among: Vec<&Arc<Slot>> = self
            .slots
            .iter()
            .filter(|slot| name.is_of(slot.kind) && may_find(slot.backend.id().as_str()))
            .collect();
        // Or, right after a start, "exactly one" would be said of the backends that happen to answer first.
        self.await_readings(&among, None).await;
        let found = look_up(&among, name);
        if !matches!(found, Found::Nothing { .. }) {
            return found;
        }
        self.await_readings(&among, Some(Duration::ZERO)).await;
        match look_up(&among, name) {
            Found::Nothing { .. } => Found::Nothing {
                unread: among.iter().flat_map(|slot| unread(slot, name, began)).collect(),
            },
            found => found,
        }
    }
}

/// What of a backend has had no good reading since `since` and may have a session that is called so.
fn unread(slot: &Slot, name: &TargetName, since: Instant) -> Vec<Unread> {
    let readings = slot.readings();
    let backend = slot.backend.id();
    let of = |part: Option<&PartName>| Unread {
        backend: backend.clone(),
        part: part.cloned(),
    };
    if readings.good_since.is_none_or(|good| good < since) {
        return vec![of(None)];
    }
    let failed = readings.failed_parts.iter().map(|(part, _)| part);
    failed
        .filter(|part| name.may_be_on(part))
        .map(|part| of(Some(part)))
        .collect()
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
    match (found.len(), hosts.len(), found.first()) {
        (_, _, None) => Found::Nothing { unread: Vec::new() },
        (1, ..=1, Some(only)) => Found::One(name.led_to(only.clone())),
        (count, hosts, _) => Found::Several {
            count,
            hosts,
            ids: found.into_iter().collect(),
        },
    }
}
