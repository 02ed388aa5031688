//! A row as Windows has it.
//!
//! Not the wire type: nothing is filtered, renamed or computed here. Invariant: an instant is in `FILETIME` ticks, and
//! 0 says that Windows gave none.

use chrono::{DateTime, Utc};

/// A row of the enumeration with its `WTSINFOW` and client details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WtsSession {
    /// Its number.
    pub number: u32,
    /// Name of its WinStation; empty or absent while nobody is connected.
    pub station: Option<String>,
    /// Its state.
    pub state: WtsState,
    /// Account name, without its domain.
    pub user: Option<String>,
    /// NetBIOS domain, or the host's name for a local account.
    pub domain: Option<String>,
    /// The user's security identifier.
    pub sid: Option<String>,
    /// User principal name.
    pub upn: Option<String>,
    /// `LogonTime`; stays the same over reconnects.
    pub logon_time: i64,
    /// `ConnectTime`.
    pub connect_time: i64,
    /// `DisconnectTime`.
    pub disconnect_time: i64,
    /// `LastInputTime`.
    pub last_input_time: i64,
    /// `CurrentTime`, read together with the others.
    pub current_time: i64,
    /// `WTSClientProtocolType`: 0 console, 1 ICA, 2 RDP; absent if Windows did not say.
    pub protocol: Option<u16>,
    /// Name of the client's device; empty or absent while none is connected.
    pub client_name: Option<String>,
    /// Address that the client says it has.
    pub client_address: Option<String>,
    /// Bytes received from the client.
    pub bytes_in: Option<u64>,
    /// Bytes sent to the client.
    pub bytes_out: Option<u64>,
}

impl WtsSession {
    /// A row of which nothing is known but number and state.
    pub const fn new(number: u32, state: WtsState) -> Self {
        Self {
            number,
            station: None,
            state,
            user: None,
            domain: None,
            sid: None,
            upn: None,
            logon_time: 0,
            connect_time: 0,
            disconnect_time: 0,
            last_input_time: 0,
            current_time: 0,
            protocol: None,
            client_name: None,
            client_address: None,
            bytes_in: None,
            bytes_out: None,
        }
    }

    /// Whether it is the physical console: by its protocol or by the name of its station.
    pub fn is_console(&self) -> bool {
        let named = |station: &str| station.eq_ignore_ascii_case("Console");
        self.protocol == Some(0) && !self.is_detached() || self.station.as_deref().is_some_and(named)
    }

    /// A disconnected session reports protocol 0 as the console does, for it has no client to have a protocol.
    fn is_detached(&self) -> bool {
        self.state == WtsState::Disconnected
    }
}

/// A text of a row, if there is one: Windows says "" as well as nothing when it does not know.
pub(crate) fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// States of `WTS_CONNECTSTATE_CLASS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WtsState {
    /// 0: a user is logged on and a client attached.
    Active,
    /// 1: a client is attached; normally the logon screen.
    Connected,
    /// 2: a client is being attached.
    ConnectQuery,
    /// 3: it shadows another session.
    Shadow,
    /// 4: it lives, no client is attached.
    Disconnected,
    /// 5: it waits for a client; not "the user is idle".
    Idle,
    /// 6: a listener.
    Listen,
    /// 7: it is being reset.
    Reset,
    /// 8: it is down because of an error.
    Down,
    /// 9: it is being initialised.
    Init,
    /// A number of a later Windows.
    Other(u32),
}

impl From<u32> for WtsState {
    fn from(number: u32) -> Self {
        match number {
            0 => Self::Active,
            1 => Self::Connected,
            2 => Self::ConnectQuery,
            3 => Self::Shadow,
            4 => Self::Disconnected,
            5 => Self::Idle,
            6 => Self::Listen,
            7 => Self::Reset,
            8 => Self::Down,
            9 => Self::Init,
            other => Self::Other(other),
        }
    }
}

/// Ticks of 100 ns in a second.
const TICKS: i64 = 10_000_000;
/// Seconds from 1601 to 1970.
const TO_1970: i64 = 11_644_473_600;

/// An instant as `FILETIME` ticks: 100 ns since 1601, UTC.
pub fn filetime(at: DateTime<Utc>) -> i64 {
    (at.timestamp() + TO_1970) * TICKS + i64::from(at.timestamp_subsec_nanos() / 100)
}

/// The instant of `FILETIME` ticks; `None` for 0, for what is negative and for what no calendar reaches.
pub fn from_filetime(ticks: i64) -> Option<DateTime<Utc>> {
    if ticks <= 0 {
        return None;
    }
    let nanos = u32::try_from(ticks % TICKS).ok()? * 100;
    DateTime::from_timestamp(ticks / TICKS - TO_1970, nanos)
}
