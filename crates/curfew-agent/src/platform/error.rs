//! Why the system did not do what it was asked, by Windows' error numbers.
//!
//! Not here: what the caller is told (`problem`). Invariant: the number is kept, whatever the kind.

use std::fmt;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlatformErrorKind {
    /// No session has the number.
    NotFound,
    /// The agent's account lacks a right.
    AccessDenied,
    /// The session is being connected, disconnected or ended; later it will do.
    Busy,
    /// Remote Desktop Services do not answer yet.
    NotReady,
    /// The host cannot do that.
    Unsupported,
    /// Anything else; whether something was done cannot be told.
    Other,
}

impl PlatformErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::NotFound => "no session has the number",
            Self::AccessDenied => "the agent's account lacks a right",
            Self::Busy => "the session is busy",
            Self::NotReady => "Remote Desktop Services do not answer",
            Self::Unsupported => "the host cannot do that",
            Self::Other => "the call failed",
        }
    }
}

/// Why the system did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlatformError {
    /// What kind of failure it is.
    pub kind: PlatformErrorKind,
    /// Windows' error number.
    pub win32: Option<u32>,
}

impl PlatformError {
    /// The failure that a number of `GetLastError` stands for.
    pub const fn from_win32(number: u32) -> Self {
        // Names from winerror.h. 1726 (RPC_S_CALL_FAILED) is not "not ready": the call may have arrived.
        let kind = match number {
            // ERROR_FILE_NOT_FOUND, ERROR_CTX_WINSTATION_NOT_FOUND
            2 | 7022 => PlatformErrorKind::NotFound,
            // ERROR_ACCESS_DENIED, ERROR_CTX_WINSTATION_ACCESS_DENIED
            5 | 7045 => PlatformErrorKind::AccessDenied,
            // ERROR_CTX_WINSTATION_BUSY
            7024 => PlatformErrorKind::Busy,
            // RPC_S_INVALID_BINDING, RPC_S_SERVER_UNAVAILABLE: TermService is not up.
            1702 | 1722 => PlatformErrorKind::NotReady,
            // ERROR_NOT_SUPPORTED, ERROR_CALL_NOT_IMPLEMENTED
            50 | 120 => PlatformErrorKind::Unsupported,
            _ => PlatformErrorKind::Other,
        };
        Self {
            kind,
            win32: Some(number),
        }
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.win32 {
            Some(number) => write!(f, "{} (Windows error {number})", self.kind.text()),
            None => f.write_str(self.kind.text()),
        }
    }
}

impl std::error::Error for PlatformError {}
