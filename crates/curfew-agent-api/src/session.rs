//! What an agent says of its host and of the sessions there.
//!
//! Not here: what a state means to a caller (the gateway's `map`). Invariant: an instant that Windows did not give is
//! `None`, never 1601.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The first number of a session that a user can have; 0 is the services' own since Vista.
pub const FIRST_NUMBER: u32 = 1;
/// The last one; from 65,536 on there are listeners, whose end would end every session on them.
pub const LAST_NUMBER: u32 = 65_535;

/// Whether a number can be that of a user's session: neither the services' session, nor a listener, nor one of the
/// words `WTS_ANY_SESSION` (0xFFFFFFFE) and `WTS_CURRENT_SESSION` (0xFFFFFFFF).
pub const fn is_user_session(number: u32) -> bool {
    number >= FIRST_NUMBER && number <= LAST_NUMBER
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// The host's short name, the one in its certificate; compared without regard to case.
    pub name: String,
    /// Its DNS name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// Version of the agent.
    pub agent_version: String,
    /// The host's clock when it answered; `notAfter` is compared with it.
    pub now: DateTime<Utc>,
}

/// Every user session of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionList {
    /// Who answers.
    pub host: Host,
    /// Its sessions, each number once.
    pub sessions: Vec<HostSession>,
}

/// One session of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SessionAnswer {
    /// Who answers.
    pub host: Host,
    /// The session that has the number now, whichever generation it is.
    pub session: HostSession,
}

/// A session of a user. Sessions without a user, listeners and the services' session are never listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HostSession {
    /// Windows' number of it; given again to another logon once this one has ended.
    pub number: u32,
    /// Tells this logon from the next one that gets the number: 16 hex digits over number, time of logon and SID. If
    /// Windows told no time of logon it does not, and the session is `protected`.
    pub generation: String,
    /// Name of its WinStation, such as `RDP-Tcp#3` or `Console`; absent while nobody is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its state.
    pub state: SessionState,
    /// The protocol of its client.
    pub protocol: SessionProtocol,
    /// Account name, without its domain.
    pub user: String,
    /// NetBIOS domain, or the host's name for a local account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// User principal name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
    /// The user's security identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// When the user logged on; stays the same over reconnects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged_on_at: Option<DateTime<Utc>>,
    /// When a client last connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_at: Option<DateTime<Utc>>,
    /// When the last client went; absent while one is attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<DateTime<Utc>>,
    /// Seconds without input, by the host's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// Name of the client's device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Address that the client says it has; behind NAT a private one, and no proof of anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_address: Option<String>,
    /// Bytes received from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_received: Option<u64>,
    /// Bytes sent to the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
    /// The host refuses every act on it: a protected user, the console, a read-only host, or a session whose time of logon
    /// Windows does not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
}

/// States of `WTS_CONNECTSTATE_CLASS` that a user's session can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionState {
    /// A user is logged on and a client attached.
    Active,
    /// A client is attached; normally the logon screen.
    Connected,
    /// A client is being attached.
    ConnectQuery,
    /// It shadows another session.
    Shadow,
    /// The session lives, no client is attached.
    Disconnected,
    /// It is being reset.
    Reset,
    /// It is down because of an error.
    Down,
    /// Windows gave a number that this contract has no word for, or the agent a word of a later version.
    #[serde(other)]
    Unknown,
}

/// Protocols of `WTSClientProtocolType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionProtocol {
    /// 0: the physical console.
    Console,
    /// 1: "legacy", which Citrix' ICA reports.
    Ica,
    /// 2: RDP.
    Rdp,
    /// Windows did not say, or said something new.
    #[serde(other)]
    Unknown,
}
