//! From the vendor's rows to our sessions. Pure; never fails on an unknown word.
//!
//! The rows are those of RADIUS accounting: `sessionId` is Acct-Session-Id, `nasIpAddress` the gateway,
//! `framedIpAddress` the address inside the VPN, `callingStationId` the client (a MAC address in the vendor's example,
//! an IP address from many gateways).
//!
//! Not here: reading JSON (`wire.rs`). Invariant: every row becomes a session or spoils the reading; none is passed over.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, SocketAddr};

use chrono::DateTime;
use curfew_core::clock::to_micros;
use curfew_core::{
    BackendId, Generation, Session, SessionClient, SessionId, SessionKind, SessionMachine, SessionProtocol,
    SessionState, SessionUser, Timestamp,
};

use super::config::{DisconnectBy, User};
use super::wire;

/// Longest text that is taken from the vendor, in bytes.
const MAX_TEXT: usize = 512;

/// A session with what the vendor calls it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) session: Session,
    /// `sessionId`.
    pub(super) session_id: String,
    /// `id`.
    pub(super) row_id: Option<String>,
}

impl Found {
    /// The one of its two ids that the mutation is given; `None` if the vendor did not give it.
    pub(super) fn argument(&self, by: DisconnectBy) -> Option<&str> {
        match by {
            DisconnectBy::SessionId => Some(&self.session_id),
            DisconnectBy::Id => self.row_id.as_deref(),
        }
    }
}

/// Whether one of `all`, the rows of its user, could be meant as well by what the mutation is given for `found`: one
/// with the same argument, or one that nothing but its row's `id` tells apart, so that nobody can say which was meant.
pub(super) fn shared(found: &Found, all: &[Found], by: DisconnectBy) -> bool {
    let argument = found.argument(by);
    all.iter()
        // A row that stands there twice is one session.
        .filter(|other| (&other.session.id, &other.row_id) != (&found.session.id, &found.row_id))
        .any(|other| {
            other.session.id == found.session.id || (argument.is_some() && other.argument(by) == argument)
        })
}

/// Of the rows with one `sessionId` the one to show: the one that began last, of equal ones the first. A gateway that
/// lost the end of a session lists it beside the one that has its number now.
pub(super) fn shown(found: Vec<Found>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::with_capacity(found.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(found.len());
    for one in found {
        match places.entry(one.session_id.clone()) {
            Entry::Vacant(free) => {
                free.insert(all.len());
                all.push(one);
            }
            Entry::Occupied(place) => {
                let kept = &mut all[*place.get()];
                if one.session.started_at > kept.session.started_at {
                    *kept = one;
                }
            }
        }
    }
    all
}

/// The user and the `sessionId` in the native part of an id; `None` if we never wrote it so.
pub(super) fn native(text: &str) -> Option<(i32, &str)> {
    let (user, session_id) = text.split_once('/')?;
    let number: i32 = user.parse().ok()?;
    (number.to_string() == user && !session_id.is_empty()).then_some((number, session_id))
}

/// The sessions of one user, one for each row; `None` if a row has no usable `sessionId`.
pub(super) fn sessions(
    rows: &[wire::Row<'_>],
    backend: &BackendId,
    user: &User,
    observed_at: Timestamp,
) -> Option<Vec<Found>> {
    rows.iter()
        .map(|row| session(row, backend, user, observed_at))
        .collect()
}

fn session(row: &wire::Row<'_>, backend: &BackendId, user: &User, observed_at: Timestamp) -> Option<Found> {
    let session_id = wire::text(row.session_id)?;
    let number = user.id.to_string();
    let start = wire::spelled(row.start_time);
    let generation = Generation::of(&[Some(&number), Some(&session_id), start.as_deref()]);
    let id = SessionId::new(backend, &format!("{number}/{session_id}"), generation).ok()?;
    let text = |field| wire::text(field).map(|text| cut(text.trim()).to_owned());
    let session = Session {
        id,
        part: user.name.clone(),
        session_name: None,
        protected: false,
        kind: SessionKind::Vpn,
        // Only those that are online are listed.
        state: SessionState::Active,
        protocol: protocol(text(row.connect_info_start).as_deref()),
        user: SessionUser {
            name: user.name.to_string(),
            ..SessionUser::default()
        },
        machine: SessionMachine {
            address: text(row.nas_ip_address),
            ..SessionMachine::default()
        },
        client: text(row.calling_station_id).map(client).unwrap_or_default(),
        virtual_addresses: text(row.framed_ip_address).into_iter().collect(),
        applications: Vec::new(),
        started_at: start.as_deref().and_then(date),
        state_changed_at: None,
        idle_seconds: None,
        bytes_received: None,
        bytes_sent: None,
        observed_at,
    };
    Some(Found {
        session,
        session_id,
        row_id: wire::text(row.id),
    })
}

fn protocol(word: Option<&str>) -> SessionProtocol {
    let Some(word) = word else {
        return SessionProtocol::Unknown;
    };
    let word = word.to_ascii_lowercase();
    let says = |names: &[&str]| names.iter().any(|name| word.contains(name));
    match () {
        () if says(&["wireguard"]) => SessionProtocol::WireGuard,
        () if says(&["openvpn"]) => SessionProtocol::OpenVpn,
        () if says(&["openconnect", "anyconnect"]) => SessionProtocol::AnyConnect,
        () if says(&["ikev2", "ipsec"]) => SessionProtocol::IkeV2,
        () => SessionProtocol::Other,
    }
}

/// Gateways put an IP address there, one with a port, or the MAC address or name of the device.
fn client(station: String) -> SessionClient {
    let address = station
        .parse::<IpAddr>()
        .or_else(|_| station.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok();
    match address {
        Some(address) => SessionClient {
            address: Some(address.to_string()),
            ..SessionClient::default()
        },
        None => SessionClient {
            name: Some(station),
            ..SessionClient::default()
        },
    }
}

fn date(text: &str) -> Option<Timestamp> {
    DateTime::parse_from_rfc3339(text.trim())
        .ok()
        .map(|date| to_micros(date.to_utc()))
}

fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_TEXT))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests;
