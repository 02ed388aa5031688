//! What a session is, in one vocabulary for all backends.
//!
//! Not here: how a vendor spells it (each adapter's `map.rs`) and how sessions are stored and paged
//! (`curfew-app`'s directory).
//! Invariant: a fact that the backend did not give is `None`, never a guess.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::backend::{BackendKind, PartName};
use crate::{BackendId, SessionId, Timestamp};

/// Gives an enum its one spelling: in GraphQL, in JSON and in the database.
macro_rules! spelled {
    ($Name:ident { $($Variant:ident => $text:literal),+ $(,)? }) => {
        impl $Name {
            /// Every value, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$Variant),+];

            /// The spelling in GraphQL, in JSON and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$Variant => $text),+ }
            }

            /// Reads the spelling back; `None` if there is no such value.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$Variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("no {} `{text}`", stringify!($Name))))
            }
        }
    };
}
pub(crate) use spelled;

/// What kind of session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionKind {
    /// A desktop.
    Desktop,
    /// One or more published applications without a desktop.
    Application,
    /// The physical console of a machine.
    Console,
    /// A VPN connection.
    Vpn,
    /// The backend does not say.
    Unknown,
}
spelled!(SessionKind { Desktop => "DESKTOP", Application => "APPLICATION", Console => "CONSOLE", Vpn => "VPN", Unknown => "UNKNOWN" });

/// The state of a session. A disconnected one still holds its applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionState {
    /// Somebody is connected and logged on.
    Active,
    /// A client is connected, but nobody works in the session (yet).
    Connected,
    /// No client is connected; the applications keep running.
    Disconnected,
    /// The logon is under way.
    LoggingOn,
    /// The log-off is under way.
    LoggingOff,
    /// The backend gave a state that Curfew does not know.
    Unknown,
}
spelled!(SessionState {
    Active => "ACTIVE", Connected => "CONNECTED", Disconnected => "DISCONNECTED",
    LoggingOn => "LOGGING_ON", LoggingOff => "LOGGING_OFF", Unknown => "UNKNOWN",
});

/// The protocol between client and session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionProtocol {
    /// Citrix HDX (ICA).
    Hdx,
    /// Microsoft RDP.
    Rdp,
    /// The physical console.
    Console,
    /// OpenVPN.
    OpenVpn,
    /// Cisco AnyConnect and what speaks it (OpenConnect, ocserv).
    AnyConnect,
    /// IPsec with IKEv2.
    IkeV2,
    /// WireGuard.
    WireGuard,
    /// A protocol that has no name here.
    Other,
    /// The backend does not say.
    Unknown,
}
spelled!(SessionProtocol {
    Hdx => "HDX", Rdp => "RDP", Console => "CONSOLE", OpenVpn => "OPENVPN", AnyConnect => "ANYCONNECT",
    IkeV2 => "IKEV2", WireGuard => "WIREGUARD", Other => "OTHER", Unknown => "UNKNOWN",
});

/// One session of one user, as its backend reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Names this generation of the session.
    pub id: SessionId,
    /// The part of the backend (site, host, hub, …) that reported it.
    pub part: PartName,
    /// What kind of session it is.
    pub kind: SessionKind,
    /// What its host calls it beside the number (`RDP-Tcp#3`, `Console`); changes when the user reconnects, and is
    /// `None` while nobody is connected.
    #[serde(default)]
    pub session_name: Option<String>,
    /// Its state when it was observed.
    pub state: SessionState,
    /// The protocol between client and session.
    pub protocol: SessionProtocol,
    /// Whose session it is.
    pub user: SessionUser,
    /// Where it runs.
    pub machine: SessionMachine,
    /// Where it is used from.
    pub client: SessionClient,
    /// Addresses given to the client inside a VPN.
    pub virtual_addresses: Vec<String>,
    /// Published applications in use.
    pub applications: Vec<SessionApplication>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When its state last changed.
    pub state_changed_at: Option<Timestamp>,
    /// Seconds without input.
    pub idle_seconds: Option<u64>,
    /// Bytes received from the client, as the server counts.
    pub bytes_received: Option<u64>,
    /// Bytes sent to the client, as the server counts.
    pub bytes_sent: Option<u64>,
    /// Its host's own policy refuses every act on it (a protected user, the console, a read-only host).
    #[serde(default)]
    pub protected: bool,
    /// When the backend said so.
    pub observed_at: Timestamp,
}

/// Whose session it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUser {
    /// Account name without its domain.
    pub name: String,
    /// NetBIOS domain.
    pub domain: Option<String>,
    /// User principal name.
    pub upn: Option<String>,
    /// Windows security identifier.
    pub sid: Option<String>,
    /// Name for people.
    pub display_name: Option<String>,
}

impl SessionUser {
    /// `DOMAIN\name`, if the domain is known.
    pub fn account(&self) -> Option<String> {
        self.domain
            .as_ref()
            .map(|domain| format!("{domain}\\{}", self.name))
    }
}

/// The host of a session, or the VPN gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionMachine {
    /// Short name.
    pub name: Option<String>,
    /// Fully qualified name.
    pub dns_name: Option<String>,
    /// IP address.
    pub address: Option<String>,
}

/// The device a session is used from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClient {
    /// Name of the device.
    pub name: Option<String>,
    /// IP address, without a port.
    pub address: Option<String>,
    /// Operating system.
    pub platform: Option<String>,
    /// Version of the client program.
    pub version: Option<String>,
}

/// A published application in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionApplication {
    /// The backend's id, if it gave a usable one.
    pub id: Option<String>,
    /// Name for people.
    pub name: String,
}

/// Which sessions to list. Every field that is given must match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionFilter {
    /// On one of these backends.
    pub backend_ids: Option<Vec<BackendId>>,
    /// On backends of one of these kinds.
    pub backend_kinds: Option<Vec<BackendKind>>,
    /// Of one of these kinds.
    pub kinds: Option<Vec<SessionKind>>,
    /// In one of these states.
    pub states: Option<Vec<SessionState>>,
    /// With one of these protocols.
    pub protocols: Option<Vec<SessionProtocol>>,
    /// Name, `DOMAIN\name` or UPN; whole and case-insensitive, never a substring.
    pub user: Option<String>,
    /// Short or DNS name of the machine; whole and case-insensitive.
    pub machine: Option<String>,
    /// The client's address is in this network.
    pub client_address: Option<IpNet>,
    /// Name of an application in use; whole and case-insensitive.
    pub application: Option<String>,
    /// Began before this instant.
    pub started_before: Option<Timestamp>,
    /// Began after this instant.
    pub started_after: Option<Timestamp>,
    /// Without input for longer than this many seconds.
    pub idle_longer_than_seconds: Option<u64>,
    /// Words that all occur somewhere in user, machine, client or application.
    pub search: Option<String>,
}
