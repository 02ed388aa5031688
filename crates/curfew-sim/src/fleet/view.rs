//! Sessions as a test may know them without asking an agent, and the states that it may put them into.
//!
//! Not the contract's rows, which the agent makes. Invariant: what is shown here is what the agent lists.

use chrono::{DateTime, Utc};
use curfew_agent::generation;
use curfew_agent::platform::{WtsSession, WtsState, from_filetime};
use curfew_agent_api::{SessionState, is_user_session};
use serde::{Deserialize, Serialize};

/// A session of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Its number.
    pub number: u32,
    /// Its generation, as the agent computes it.
    pub generation: String,
    /// `DOMAIN\user`.
    pub user: String,
    /// The state.
    pub state: SessionState,
    /// When the user logged on.
    pub logged_on_at: Option<DateTime<Utc>>,
}

/// A request to add sessions by hand.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSession {
    /// `DOMAIN\user`.
    pub user: String,
    /// How many; one by default.
    #[serde(default = "one")]
    pub count: usize,
    /// The state; `ACTIVE` by default.
    #[serde(default = "active")]
    pub state: SessionState,
}

fn one() -> usize {
    1
}

fn active() -> SessionState {
    SessionState::Active
}

/// The states that have a counterpart on both sides.
const STATES: [(SessionState, WtsState); 7] = [
    (SessionState::Active, WtsState::Active),
    (SessionState::Connected, WtsState::Connected),
    (SessionState::ConnectQuery, WtsState::ConnectQuery),
    (SessionState::Shadow, WtsState::Shadow),
    (SessionState::Disconnected, WtsState::Disconnected),
    (SessionState::Reset, WtsState::Reset),
    (SessionState::Down, WtsState::Down),
];

/// Windows' word for a state; for an unknown one, a number that no Windows has.
pub(crate) fn windows_state(state: SessionState) -> WtsState {
    let pair = STATES.iter().find(|(ours, _)| *ours == state);
    pair.map_or(WtsState::Other(99), |(_, windows)| *windows)
}

impl SessionView {
    /// `None` for rows that are nobody's: the services' session, listeners, logon screens.
    pub(crate) fn of(row: &WtsSession) -> Option<Self> {
        let user = row.user.as_deref().filter(|user| !user.is_empty())?;
        if !is_user_session(row.number) {
            return None;
        }
        let domain = row.domain.as_deref().unwrap_or_default();
        let pair = STATES.iter().find(|(_, windows)| *windows == row.state);
        Some(Self {
            number: row.number,
            generation: generation(row).to_string(),
            user: format!("{domain}\\{user}"),
            state: pair.map_or(SessionState::Unknown, |(ours, _)| *ours),
            logged_on_at: from_filetime(row.logon_time),
        })
    }
}
