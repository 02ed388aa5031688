//! The users and their online sessions: rows of RADIUS accounting, as the vendor shows them.
//!
//! Not HTTP, not GraphQL. Invariant: at start the estate is a function of its size, the seed and the epoch; a
//! `sessionId` is given once for as far as it reaches, unless a session is replaced on purpose.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::config::{KillsBy, Reach};

/// Id of the first user.
const FIRST_USER: i32 = 101;
/// What `connectInfoStart` says, in turn.
const PROTOCOLS: [&str; 4] = ["WireGuard", "OpenConnect", "OpenVPN", "IKEv2"];
const FIRST_NAMES: [&str; 12] = [
    "maria", "john", "soren", "aisha", "wei", "zoe", "pedro", "ingrid", "tomasz", "fatima", "luca", "yuki",
];
const LAST_NAMES: [&str; 10] = [
    "smith", "garcia", "khan", "zhang", "obrien", "larsen", "nowak", "rossi", "tanaka", "petrova",
];

/// One row, as the vendor documents it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Whose session it is; not part of the vendor's row.
    pub user_id: i32,
    /// Its number, from 1; not part of the vendor's row.
    pub number: u64,
    /// The row's own id (`active_001`).
    pub id: String,
    /// The session's id (`sess_live_abc123`).
    pub session_id: String,
    /// Address of the gateway.
    pub nas_ip_address: String,
    /// Port on the gateway.
    pub nas_port_id: String,
    /// Kind of port.
    pub nas_port_type: String,
    /// When it began (ISO 8601, UTC).
    pub start_time: String,
    /// The protocol.
    pub connect_info_start: String,
    /// The client's device (a MAC address).
    pub calling_station_id: String,
    /// The client's address inside the VPN.
    pub framed_ip_address: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserView {
    /// The vendor's number.
    pub id: i32,
    /// Name for people; the simulated API does not show it, as the real one does not.
    pub name: String,
}

/// A request to add sessions by hand.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSession {
    /// Whose; must exist.
    pub user_id: i32,
    /// How many; one by default.
    #[serde(default = "one")]
    pub count: usize,
}

fn one() -> usize {
    1
}

#[derive(Debug)]
struct User {
    name: String,
    /// How many sessions there ever were.
    made: u64,
    sessions: Vec<SessionView>,
}

/// All users with their sessions.
#[derive(Debug)]
pub(crate) struct Estate {
    users: BTreeMap<i32, User>,
    /// How many sessions there ever were.
    made: u64,
    seed: u64,
    ids: Reach,
}

impl Estate {
    pub(crate) fn new(users: usize, sessions: usize, seed: u64, epoch: DateTime<Utc>, ids: Reach) -> Self {
        let mut estate = Self {
            users: BTreeMap::new(),
            made: 0,
            seed,
            ids,
        };
        for number in 0..users {
            let first = FIRST_NAMES[number % FIRST_NAMES.len()];
            let last = LAST_NAMES[number / FIRST_NAMES.len() % LAST_NAMES.len()];
            let id = match number / (FIRST_NAMES.len() * LAST_NAMES.len()) {
                0 => estate.add_user(&format!("{first}.{last}")),
                round => estate.add_user(&format!("{first}.{last}{}", round + 1)),
            };
            for _ in 0..sessions {
                let minutes = mixed(estate.seed, estate.made) % (8 * 60);
                let began = epoch - TimeDelta::minutes(1 + i64::try_from(minutes).unwrap_or(0));
                estate.add_session(id, began);
            }
        }
        estate
    }

    /// Adds a user without sessions.
    pub(crate) fn add_user(&mut self, name: &str) -> i32 {
        let id = self
            .users
            .last_key_value()
            .map_or(FIRST_USER, |(id, _)| id.saturating_add(1));
        let user = User {
            name: name.to_owned(),
            made: 0,
            sessions: Vec::new(),
        };
        self.users.insert(id, user);
        id
    }

    /// Removes a user with all sessions; false if there is none.
    pub(crate) fn remove_user(&mut self, id: i32) -> bool {
        self.users.remove(&id).is_some()
    }

    /// Adds a session; `None` if there is no such user.
    pub(crate) fn add_session(&mut self, user: i32, began: DateTime<Utc>) -> Option<SessionView> {
        let (number, dice) = (self.made, mixed(self.seed, self.made));
        let user_id = user;
        let user = self.users.get_mut(&user_id)?;
        let named = match self.ids {
            Reach::Account => number,
            Reach::User => user.made,
        };
        self.made += 1;
        user.made += 1;
        let [_, _, a, b, c, d, e, f] = dice.to_be_bytes();
        let row = SessionView {
            user_id,
            number: number + 1,
            id: format!("active_{:03}", named + 1),
            // The running number keeps it unique.
            session_id: format!("sess_live_{:08x}{named:04x}", mixed(self.seed, named) >> 32),
            nas_ip_address: Ipv4Addr::new(203, 0, 113, 10 + a % 8).to_string(),
            nas_port_id: format!("wg{}", b % 4),
            nas_port_type: "Virtual".to_owned(),
            start_time: spelled(began),
            connect_info_start: PROTOCOLS[usize::from(c) % PROTOCOLS.len()].to_owned(),
            calling_station_id: format!("02:{a:02X}:{b:02X}:{d:02X}:{e:02X}:{f:02X}"),
            framed_ip_address: Ipv4Addr::new(10, 8, (number >> 8) as u8, number as u8).to_string(),
        };
        user.sessions.push(row.clone());
        Some(row)
    }

    /// The rows of one user; `None` if there is no such user.
    pub(crate) fn of(&self, user: i32) -> Option<&[SessionView]> {
        self.users.get(&user).map(|user| &*user.sessions)
    }

    pub(crate) fn users(&self) -> Vec<UserView> {
        self.users
            .iter()
            .map(|(id, user)| UserView {
                id: *id,
                name: user.name.clone(),
            })
            .collect()
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = &SessionView> {
        self.users.values().flat_map(|user| &user.sessions)
    }

    pub(crate) fn session(&self, session_id: &str) -> Option<&SessionView> {
        self.sessions().find(|row| row.session_id == session_id)
    }

    /// The session that the mutation's argument means.
    pub(crate) fn named(&self, argument: &str, by: KillsBy) -> Option<&SessionView> {
        let means = |row: &&SessionView| match by {
            KillsBy::SessionId => row.session_id == argument,
            KillsBy::Id => row.id == argument,
            KillsBy::Either => row.session_id == argument || row.id == argument,
        };
        self.sessions().find(means)
    }

    /// Ends a session and says what it was.
    pub(crate) fn end(&mut self, session_id: &str) -> Option<SessionView> {
        self.users.values_mut().find_map(|user| {
            let place = user
                .sessions
                .iter()
                .position(|row| row.session_id == session_id)?;
            Some(user.sessions.remove(place))
        })
    }

    /// Gives the `sessionId` to another logon of the same user; `None` if nobody has it.
    pub(crate) fn replace(&mut self, session_id: &str, now: DateTime<Utc>) -> Option<SessionView> {
        let old = self.end(session_id)?;
        // A later second than the old one's, so that the two can be told apart.
        let began = DateTime::parse_from_rfc3339(&old.start_time)
            .map_or(now, |old| now.max(old.to_utc() + TimeDelta::seconds(1)));
        let new = self.add_session(old.user_id, began)?;
        let row = self
            .users
            .get_mut(&old.user_id)?
            .sessions
            .iter_mut()
            .find(|row| row.session_id == new.session_id)?;
        row.session_id = old.session_id;
        Some(row.clone())
    }
}

fn spelled(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut z = seed
        .wrapping_add(number.wrapping_add(1))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
