//! From Windows' rows to the sessions that the gateway is told of.
//!
//! Pure. Not here: reading them, policy. Invariant: what is mapped has a user, a number from 1 to 65,535 and a state in
//! which a user can be.

use std::collections::BTreeMap;

use curfew_agent_api::{HostSession, SessionProtocol, SessionState, is_user_session};
use curfew_core::Generation;

use crate::platform::{WtsSession, WtsState, filled, from_filetime};
use crate::policy::Policy;

/// `FILETIME` ticks in a second.
const TICKS: i64 = 10_000_000;

/// Tells a logon from the next one that gets its number, if Windows tells the time of logon; if not, nothing does, and
/// the policy protects the session.
pub fn generation(session: &WtsSession) -> Generation {
    let number = session.number.to_string();
    let logon = (session.logon_time > 0).then(|| session.logon_time.to_string());
    Generation::of(&[Some(&number), logon.as_deref(), filled(&session.sid)])
}

/// Whether a row is the session of a user.
pub(crate) fn is_of_a_user(session: &WtsSession) -> bool {
    let state = !matches!(session.state, WtsState::Listen | WtsState::Idle | WtsState::Init);
    state && is_user_session(session.number) && filled(&session.user).is_some()
}

/// The users' sessions among rows, each number once, in the order of their numbers.
pub(crate) fn of_users(rows: Vec<WtsSession>, policy: &Policy) -> Vec<HostSession> {
    let sessions: BTreeMap<u32, WtsSession> = rows
        .into_iter()
        .filter(is_of_a_user)
        .map(|session| (session.number, session))
        .collect();
    sessions
        .values()
        .map(|session| on_the_wire(session, policy))
        .collect()
}

/// A row as the gateway is told of it.
pub(crate) fn on_the_wire(session: &WtsSession, policy: &Policy) -> HostSession {
    let owned = |text: &Option<String>| filled(text).map(str::to_owned);
    let detached = session.state == WtsState::Disconnected;
    HostSession {
        number: session.number,
        generation: generation(session).to_string(),
        name: owned(&session.station),
        state: state(session.state),
        protocol: protocol(session),
        user: session.user.clone().unwrap_or_default(),
        domain: owned(&session.domain),
        upn: owned(&session.upn),
        sid: owned(&session.sid),
        logged_on_at: from_filetime(session.logon_time),
        connected_at: from_filetime(session.connect_time),
        // It stays there after a reconnect, where it would say that the client is away.
        disconnected_at: detached.then(|| from_filetime(session.disconnect_time)).flatten(),
        idle_seconds: idle_seconds(session),
        client_name: owned(&session.client_name),
        client_address: owned(&session.client_address),
        bytes_received: session.bytes_in,
        bytes_sent: session.bytes_out,
        protected: policy.refuses_every_act(session).is_some(),
    }
}

fn state(state: WtsState) -> SessionState {
    match state {
        WtsState::Active => SessionState::Active,
        WtsState::Connected => SessionState::Connected,
        WtsState::ConnectQuery => SessionState::ConnectQuery,
        WtsState::Shadow => SessionState::Shadow,
        WtsState::Disconnected => SessionState::Disconnected,
        WtsState::Reset => SessionState::Reset,
        WtsState::Down => SessionState::Down,
        WtsState::Idle | WtsState::Listen | WtsState::Init | WtsState::Other(_) => SessionState::Unknown,
    }
}

fn protocol(session: &WtsSession) -> SessionProtocol {
    match session.protocol {
        Some(0) if session.is_console() => SessionProtocol::Console,
        Some(1) => SessionProtocol::Ica,
        Some(2) => SessionProtocol::Rdp,
        _ => SessionProtocol::Unknown,
    }
}

/// Seconds since the last input, both instants from one reading, so that no two clocks meet. The console's last input
/// may be 0, or the present instant whatever the user does; neither says anything.
fn idle_seconds(session: &WtsSession) -> Option<u64> {
    let since = match session.last_input_time {
        ..=0 if session.state == WtsState::Disconnected => session.disconnect_time,
        at if session.is_console() && at == session.current_time => 0,
        at => at,
    };
    if since <= 0 || session.current_time <= 0 {
        return None;
    }
    Some(u64::try_from((session.current_time - since) / TICKS).unwrap_or(0))
}

#[cfg(test)]
mod tests;
