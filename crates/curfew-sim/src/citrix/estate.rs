//! The sessions of a site with their users and machines, and the changes that can befall them.
//!
//! Not the wire format. Rows keep the order in which they came, under numbers that are never used again.
//! Invariant: paging by "after number n" meets every row that stays, whatever comes and goes meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The state of a session, in the vendor's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the vendor's words, see SessionResponseModel.State")]
pub enum SessionState {
    Unknown,
    Connected,
    Active,
    Disconnected,
}

impl SessionState {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Connected => "Connected",
            Self::Active => "Active",
            Self::Disconnected => "Disconnected",
        }
    }
}

/// A user as the directory knows them; one whose look-up failed has a SID and nothing else.
#[derive(Debug)]
pub(crate) struct User {
    /// `DOMAIN\user`.
    pub(crate) name: String,
    pub(crate) sam: String,
    pub(crate) display: String,
    pub(crate) principal: String,
    pub(crate) sid: String,
    pub(crate) lookup_failed: bool,
}

impl User {
    /// One of the user's own texts, unless the look-up failed.
    pub(crate) fn known<'a>(&self, text: &'a str) -> Option<&'a str> {
        (!self.lookup_failed).then_some(text)
    }
}

/// A delivery group with its catalog and zone.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Uuid,
    pub(crate) uid: u32,
    pub(crate) name: &'static str,
    pub(crate) catalog_id: Uuid,
    pub(crate) catalog: &'static str,
    pub(crate) zone_id: Uuid,
    pub(crate) zone: &'static str,
    pub(crate) hosting: &'static str,
    pub(crate) multi_session: bool,
    pub(crate) prefix: &'static str,
    pub(crate) os: &'static str,
}

/// A machine that hosts sessions.
#[derive(Debug)]
pub(crate) struct Machine {
    /// The vendor's sample has none, its model demands one; so here some have one.
    pub(crate) id: Option<Uuid>,
    pub(crate) uid: u32,
    pub(crate) host: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) maintenance: bool,
    pub(crate) group: Arc<Group>,
}

/// The device from which a session is used.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) platform: &'static str,
    pub(crate) product: u16,
    pub(crate) version: &'static str,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) uid: u32,
    /// `None`: the site does not say, as for an anonymous session.
    pub(crate) user: Option<Arc<User>>,
    /// What the machine reports; not to be trusted.
    pub(crate) untrusted_name: Option<String>,
    pub(crate) machine: Arc<Machine>,
    pub(crate) client: Option<Client>,
    /// Where in the list of applications those in use begin, and how many they are.
    pub(crate) apps: (u8, u8),
    pub(crate) app_state: &'static str,
    pub(crate) published_desktop: bool,
    pub(crate) protocol: &'static str,
    pub(crate) state: SessionState,
    pub(crate) anonymous: bool,
    pub(crate) hidden: bool,
    pub(crate) logoff_in_progress: bool,
    pub(crate) logon_in_progress: bool,
    pub(crate) started: DateTime<Utc>,
    /// `None` while the user is still logging on.
    pub(crate) established: Option<DateTime<Utc>>,
    pub(crate) state_changed: DateTime<Utc>,
}

impl Session {
    /// The name by which a search finds the session.
    pub(crate) fn user_name(&self) -> Option<&str> {
        self.user.as_deref().map(|user| user.name.as_str())
    }
}

/// What a test may know of a session without asking the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// The session's GUID.
    pub id: Uuid,
    /// `DOMAIN\user`, if the site says whose it is.
    pub user: Option<String>,
    /// The user's SID, if the site says whose it is.
    pub sid: Option<String>,
    /// `DOMAIN\HOST`.
    pub machine: String,
    /// When it began.
    pub started: DateTime<Utc>,
    /// The state.
    pub state: SessionState,
    /// Since when it is in that state.
    pub state_changed: DateTime<Utc>,
    /// A log-off was accepted and has not ended yet.
    pub logoff_in_progress: bool,
    /// The user is still logging on.
    pub logon_in_progress: bool,
    /// The session of an anonymous user.
    pub anonymous: bool,
}

impl From<&Session> for SessionView {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id,
            user: session.user_name().map(str::to_owned),
            sid: session.user.as_deref().map(|user| user.sid.clone()),
            machine: format!("CORP\\{}", session.machine.host),
            started: session.started,
            state: session.state,
            state_changed: session.state_changed,
            logoff_in_progress: session.logoff_in_progress,
            logon_in_progress: session.logon_in_progress,
            anonymous: session.anonymous,
        }
    }
}

/// All sessions of the site.
#[derive(Debug, Default)]
pub(crate) struct Estate {
    rows: BTreeMap<u64, Session>,
    numbers: HashMap<Uuid, u64>,
    last: u64,
    pub(crate) users: HashMap<String, Arc<User>>,
    pub(crate) machines: Vec<Arc<Machine>>,
}

impl Estate {
    /// Adds a session and gives it the next number, which is its `Uid` too.
    pub(crate) fn insert(&mut self, mut session: Session) -> Uuid {
        self.last += 1;
        session.uid = u32::try_from(self.last).unwrap_or(u32::MAX);
        let id = session.id;
        self.numbers.insert(id, self.last);
        self.rows.insert(self.last, session);
        id
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> bool {
        self.numbers
            .remove(&id)
            .is_some_and(|number| self.rows.remove(&number).is_some())
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<&Session> {
        self.rows.get(self.numbers.get(&id)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.rows.values().map(|session| session.id).collect()
    }

    /// The rows after a number, in order.
    pub(crate) fn after(&self, number: u64) -> impl Iterator<Item = (u64, &Session)> {
        self.rows
            .range((Bound::Excluded(number), Bound::Unbounded))
            .map(|(number, row)| (*number, row))
    }

    /// The number that lies `rows` rows before a number.
    pub(crate) fn before(&self, number: u64, rows: usize) -> u64 {
        self.rows
            .range(..=number)
            .rev()
            .nth(rows)
            .map_or(0, |(number, _)| *number)
    }

    /// Disconnects; of a session that has no user at it anyway nothing changes.
    pub(crate) fn disconnect(&mut self, id: Uuid, now: DateTime<Utc>) {
        if let Some(session) = self.get_mut(id)
            && session.state != SessionState::Disconnected
        {
            session.state = SessionState::Disconnected;
            session.state_changed = now;
        }
    }

    pub(crate) fn set_logoff(&mut self, id: Uuid, in_progress: bool) {
        if let Some(session) = self.get_mut(id) {
            session.logoff_in_progress = in_progress;
        }
    }

    /// Puts a session into a state, as if its user (or its machine) had done so.
    pub(crate) fn set_state(&mut self, id: Uuid, state: SessionState, now: DateTime<Utc>) -> bool {
        let Some(session) = self.get_mut(id) else {
            return false;
        };
        session.state = state;
        session.state_changed = now;
        session.logon_in_progress = false;
        session.established.get_or_insert(now);
        true
    }

    fn get_mut(&mut self, id: Uuid) -> Option<&mut Session> {
        self.rows.get_mut(self.numbers.get(&id)?)
    }
}
