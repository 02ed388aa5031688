//! From the vendor's session to ours. Pure; never fails on an unknown enum value.
//!
//! Not here: reading JSON (`wire.rs`) and asking for it (`client.rs`).
//! Invariant: an id is the GUID alone, in lower case, and an unparsable date is `None`.

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};
use curfew_core::clock::to_micros;
use curfew_core::{
    BackendId, Generation, PartName, Session, SessionApplication, SessionClient, SessionId, SessionKind,
    SessionMachine, SessionProtocol, SessionState, SessionUser, Timestamp,
};

use super::config::{ZoneLessDates, is_identifier};
use super::wire;

/// Id of an application that the vendor did not name.
const ZERO_GUID: &str = "00000000-0000-0000-0000-000000000000";
/// Longest text that is taken from the vendor, in bytes.
const MAX_TEXT: usize = 512;

/// What is the same for all sessions of a reading.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) backend: BackendId,
    pub(super) part: PartName,
    pub(super) zone_less: Option<ZoneLessDates>,
}

/// What the vendor calls the session: its GUID in lower case, or `None` for a text that is no id.
pub(super) fn native(id: &str) -> Option<String> {
    is_identifier(id).then(|| id.to_ascii_lowercase())
}

/// Our id of the session with this native id. Uids are deprecated and dates may appear later, so the GUID alone
/// is what a generation is made of.
pub(super) fn session_id(backend: &BackendId, native: &str) -> Option<SessionId> {
    SessionId::new(backend, native, Generation::of(&[Some(native)])).ok()
}

/// Our session; `None` if the row has no usable id.
pub(super) fn session(row: &wire::Session<'_>, frame: &Frame, observed_at: Timestamp) -> Option<Session> {
    let id = session_id(&frame.backend, &native(row.id.get()?)?)?;
    let date = |formatted: &wire::Text<'_>, plain: &wire::Text<'_>| {
        date(formatted, frame.zone_less).or_else(|| date(plain, frame.zone_less))
    };
    Some(Session {
        id,
        part: frame.part.clone(),
        session_name: None,
        protected: false,
        kind: kind(row),
        state: state(row),
        protocol: protocol(row),
        user: user(row),
        machine: machine(&row.machine.0),
        client: client(&row.client.0),
        virtual_addresses: Vec::new(),
        applications: row.applications_in_use.0.iter().filter_map(application).collect(),
        started_at: date(&row.formatted_start_time, &row.start_time),
        state_changed_at: date(&row.formatted_state_change_time, &row.state_change_time),
        // Not in this API; Monitor OData has it, late and for one caller at a time.
        idle_seconds: None,
        bytes_received: None,
        bytes_sent: None,
        observed_at,
    })
}

fn kind(row: &wire::Session<'_>) -> SessionKind {
    match row.session_type.get() {
        Some("Desktop") => SessionKind::Desktop,
        Some("Application") => SessionKind::Application,
        _ => SessionKind::Unknown,
    }
}

fn state(row: &wire::Session<'_>) -> SessionState {
    match row.state.get() {
        _ if row.logoff_in_progress.0 => SessionState::LoggingOff,
        _ if row.logon_in_progress.0 => SessionState::LoggingOn,
        Some("Active") => SessionState::Active,
        Some("Connected") => SessionState::Connected,
        Some("Disconnected") => SessionState::Disconnected,
        _ => SessionState::Unknown,
    }
}

fn protocol(row: &wire::Session<'_>) -> SessionProtocol {
    match row.connection.0.protocol.get() {
        Some("Hdx") => SessionProtocol::Hdx,
        Some("Rdp") => SessionProtocol::Rdp,
        Some("Console") => SessionProtocol::Console,
        None | Some("Unknown") => SessionProtocol::Unknown,
        Some(_) => SessionProtocol::Other,
    }
}

fn user(row: &wire::Session<'_>) -> SessionUser {
    let (user, brokering) = (&row.user.0, &row.brokering.0);
    // The last is what the VDA reports and explicitly not trustworthy: only if there is nothing else.
    let account = [&user.name, &brokering.user_name, &row.untrusted_user_name]
        .into_iter()
        .find_map(text);
    let (domain, name) = match account {
        Some(account) => match account.split_once('\\') {
            Some((domain, name)) if !name.is_empty() => (non_empty(domain), name.to_owned()),
            _ => (None, account),
        },
        None if row.is_anonymous_user.0 => (None, "anonymous".to_owned()),
        None => (None, "unknown".to_owned()),
    };
    SessionUser {
        name,
        domain,
        upn: text(&user.principal_name),
        sid: text(&user.sid).or_else(|| text(&brokering.user_sid)),
        display_name: text(&user.display_name),
    }
}

fn machine(machine: &wire::Machine<'_>) -> SessionMachine {
    let short = |name: String| match name.rsplit_once('\\') {
        Some((_, host)) => non_empty(host),
        None => Some(name),
    };
    SessionMachine {
        name: text(&machine.name).and_then(short),
        dns_name: text(&machine.dns_name),
        address: text(&machine.ip_address),
    }
}

fn client(client: &wire::Client<'_>) -> SessionClient {
    SessionClient {
        name: text(&client.name),
        address: text(&client.ip_address),
        platform: text(&client.platform).filter(|platform| platform != "Unknown"),
        version: text(&client.version),
    }
}

fn application(application: &wire::Application<'_>) -> Option<SessionApplication> {
    Some(SessionApplication {
        id: text(&application.id).filter(|id| id != ZERO_GUID),
        name: text(&application.name)?,
    })
}

fn text(text: &wire::Text<'_>) -> Option<String> {
    text.get().and_then(non_empty)
}

fn non_empty(text: &str) -> Option<String> {
    let end = (0..=text.len().min(MAX_TEXT))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    (end > 0).then(|| text[..end].to_owned())
}

/// The vendor's servers send the first day of year 1 for "never".
const FIRST_YEAR: i32 = 1990;

/// A date with a zone is taken as it is. One without (`11/16/2020 2:01:04 PM`, in US order and the time of some
/// server) is unknown unless the configuration says which zone it is.
fn date(text: &wire::Text<'_>, zone_less: Option<ZoneLessDates>) -> Option<Timestamp> {
    parsed(text.get()?, zone_less).filter(|date| date.year() >= FIRST_YEAR)
}

fn parsed(text: &str, zone_less: Option<ZoneLessDates>) -> Option<Timestamp> {
    const ZONE_LESS: [&str; 3] = [
        "%m/%d/%Y %I:%M:%S %p",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
    ];
    if let Ok(date) = DateTime::parse_from_rfc3339(text) {
        return Some(to_micros(date.with_timezone(&Utc)));
    }
    let ZoneLessDates::Utc = zone_less?;
    ZONE_LESS
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|date| to_micros(date.and_utc()))
}

#[cfg(test)]
mod tests;
