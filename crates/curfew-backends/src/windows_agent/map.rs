//! From an agent's session to ours. Pure; never fails on an unknown state or protocol.
//!
//! Not here: reading JSON (the contract's own types) and asking for it (`client.rs`).
//!
//! A row's instants are ours: Curfew compares when a state began with when an act was asked for, and a host that is
//! five minutes off would hide a client that came back, or invent one. The start of the session goes with it, so that
//! one row has one clock and agrees with what a Citrix site says of the same session. The generation is none of this:
//! the agent makes it of the host's own instants, and it is taken as it comes.
//!
//! Invariant: an id holds the host's name as it is configured, whatever case the host writes it in, and an instant
//! that Windows did not give is `None`.

use chrono::{DateTime, TimeDelta, Utc};
use curfew_agent_api::{self as api, is_user_session};
use curfew_core::clock::to_micros;
use curfew_core::{
    BackendId, Generation, PartName, Session, SessionClient, SessionId, SessionKind, SessionMachine,
    SessionProtocol, SessionState, SessionUser, Timestamp,
};

/// Longest text that is taken from an agent, in bytes.
const MAX_TEXT: usize = 512;

/// What is the same for all sessions of one answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) backend: &'a BackendId,
    /// The host as it is configured.
    pub(super) part: &'a PartName,
    pub(super) dns_name: Option<&'a str>,
    /// How far the host's clock is ahead of ours.
    pub(super) ahead: TimeDelta,
    pub(super) observed_at: Timestamp,
}

impl Frame<'_> {
    /// The same instant by our clock.
    fn ours(&self, at: Option<DateTime<Utc>>) -> Option<Timestamp> {
        at?.checked_sub_signed(self.ahead).map(to_micros)
    }
}

/// Why a row is no session of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RowError {
    /// The services' session, a listener, or one of Windows' special words.
    #[error("{0} is no number that a user's session can have")]
    Number(u32),
    /// Not 16 hex digits.
    #[error("the generation of session {0} is none")]
    Generation(u32),
}

/// What we call the session with this number.
pub(super) fn native(host: &str, number: u32) -> String {
    format!("{host}/{number}")
}

/// What a host calls itself in the name service, if that is this host: its first label is the name as it is configured,
/// whatever the case. A host speaks for no other.
pub(super) fn own_dns_name<'a>(host: &str, said: &'a str) -> Option<&'a str> {
    let label = said.split('.').next()?;
    label.eq_ignore_ascii_case(host).then_some(said)
}

/// Takes [`native`] apart: the host and the number. `None` for what can be no session of a user, and for a spelling
/// that was never given out (`TERM04/012`).
pub(super) fn parse_native(native: &str) -> Option<(&str, u32)> {
    let (host, digits) = native.rsplit_once('/')?;
    let number: u32 = digits.parse().ok()?;
    (is_user_session(number) && number.to_string() == digits).then_some((host, number))
}

/// Our session.
pub(super) fn session(row: api::HostSession, frame: Frame<'_>) -> Result<Session, RowError> {
    if !is_user_session(row.number) {
        return Err(RowError::Number(row.number));
    }
    let generation = Generation::parse(&row.generation).map_err(|_| RowError::Generation(row.number))?;
    let native = native(&frame.part.0, row.number);
    // A host's name is at most 63 characters: the id is never too long.
    let id = SessionId::new(frame.backend, &native, generation).map_err(|_| RowError::Number(row.number))?;
    let (kind, protocol) = kind(&row);
    let state = state(&row);
    Ok(Session {
        id,
        part: frame.part.clone(),
        kind,
        session_name: text(row.name),
        state,
        protocol,
        machine: SessionMachine {
            name: Some(frame.part.0.as_ref().to_owned()),
            dns_name: frame.dns_name.and_then(cut),
            address: None,
        },
        client: SessionClient {
            name: text(row.client_name),
            address: text(row.client_address),
            ..SessionClient::default()
        },
        virtual_addresses: Vec::new(),
        applications: Vec::new(),
        started_at: frame.ours(row.logged_on_at),
        state_changed_at: frame.ours(changed_at(row.state, row.connected_at, row.disconnected_at)),
        idle_seconds: row.idle_seconds,
        bytes_received: row.bytes_received,
        bytes_sent: row.bytes_sent,
        protected: row.protected,
        user: SessionUser {
            name: text(Some(row.user)).unwrap_or_else(|| "unknown".to_owned()),
            domain: text(row.domain),
            upn: text(row.upn),
            sid: text(row.sid),
            display_name: None,
        },
        observed_at: frame.observed_at,
    })
}

fn state(row: &api::HostSession) -> SessionState {
    use api::SessionState as Is;
    match row.state {
        Is::Active | Is::Shadow => SessionState::Active,
        Is::Connected | Is::ConnectQuery if row.logged_on_at.is_none() => SessionState::LoggingOn,
        Is::Connected | Is::ConnectQuery => SessionState::Connected,
        Is::Disconnected => SessionState::Disconnected,
        Is::Reset | Is::Down => SessionState::LoggingOff,
        Is::Unknown => SessionState::Unknown,
    }
}

fn kind(row: &api::HostSession) -> (SessionKind, SessionProtocol) {
    use api::SessionProtocol as Is;
    match row.protocol {
        // Nobody is attached to a disconnected session, and 0 ("console") is also what Windows has instead of nothing:
        // only an attached one is at the machine's own screen.
        Is::Console if row.state == api::SessionState::Disconnected => {
            (SessionKind::Desktop, SessionProtocol::Unknown)
        }
        Is::Console => (SessionKind::Console, SessionProtocol::Console),
        Is::Ica => (SessionKind::Desktop, SessionProtocol::Hdx),
        Is::Rdp => (SessionKind::Desktop, SessionProtocol::Rdp),
        Is::Unknown => (SessionKind::Desktop, SessionProtocol::Unknown),
    }
}

fn changed_at(
    state: api::SessionState,
    connected_at: Option<DateTime<Utc>>,
    disconnected_at: Option<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    use api::SessionState as Is;
    match state {
        Is::Disconnected => disconnected_at,
        Is::Active | Is::Shadow | Is::Connected | Is::ConnectQuery => connected_at,
        // When a reset began, Windows does not say.
        Is::Reset | Is::Down | Is::Unknown => None,
    }
}

fn text(text: Option<String>) -> Option<String> {
    let text = text?;
    if text.len() <= MAX_TEXT {
        return (!text.is_empty()).then_some(text);
    }
    cut(&text)
}

fn cut(text: &str) -> Option<String> {
    let end = text.floor_char_boundary(MAX_TEXT);
    (end > 0).then(|| text[..end].to_owned())
}

#[cfg(test)]
mod tests;
