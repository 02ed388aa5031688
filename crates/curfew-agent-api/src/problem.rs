//! What an agent answers when it does not do what it was asked.
//!
//! Invariant: the code alone tells whether something was done; texts are for people.

use serde::{Deserialize, Serialize};

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// What it is.
    pub code: ProblemCode,
    /// The same in words: what happened, what was not done, what to do.
    pub message: String,
    /// Windows' own error number, where one lies beneath.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub win32: Option<u32>,
    /// Milliseconds to wait before asking again, where that makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $Name:ident = $word:literal, $status:literal, $done:expr;)*) => {
        /// What kind of problem it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum ProblemCode {
            $($(#[doc = $doc])* #[serde(rename = $word)] $Name,)*
            /// A code of a later version.
            #[serde(other, rename = "UNKNOWN")]
            Unknown,
        }

        impl ProblemCode {
            /// Every code that an agent gives.
            pub const ALL: &[Self] = &[$(Self::$Name),*];

            /// Its spelling.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$Name => $word,)* Self::Unknown => "UNKNOWN" }
            }

            /// What it says, for documentation.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$Name => concat!($($doc),*).trim_ascii(),)*
                    Self::Unknown => "A code of a later version.",
                }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$Name => $status,)* Self::Unknown => 500 }
            }

            /// Whether an act that was answered with it was certainly not done.
            pub const fn nothing_was_done(self) -> bool {
                match self { $(Self::$Name => $done,)* Self::Unknown => false }
            }
        }
    };
}

codes! {
    /// The request cannot be read, or means something else than an earlier one of its operation and attempt.
    BadRequest = "BAD_REQUEST", 400, true;
    /// The agent has no such path.
    NoSuchPath = "NO_SUCH_PATH", 404, true;
    /// The path is not for this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 405, true;
    /// The body is too long.
    BodyTooLarge = "BODY_TOO_LARGE", 413, true;
    /// The number is not one that a user's session can have: 0, from 65,536 on, or one of Windows' special words.
    NotAUserSession = "NOT_A_USER_SESSION", 422, true;
    /// No session has the number.
    SessionGone = "SESSION_GONE", 404, true;
    /// Another logon has the number.
    SessionReplaced = "SESSION_REPLACED", 409, true;
    /// It came after `notAfter`.
    TooLate = "TOO_LATE", 410, true;
    /// The host's own policy protects this session, or Windows does not tell enough to know it from another logon.
    Protected = "PROTECTED", 403, true;
    /// The host's own policy refuses every act, or every act of this kind.
    RefusedByPolicy = "REFUSED_BY_POLICY", 403, true;
    /// Too many acts at once, or in this minute.
    TooManyActs = "TOO_MANY_ACTS", 429, true;
    /// The host cannot do that.
    Unsupported = "UNSUPPORTED", 501, true;
    /// Windows refused for lack of a right: the agent's account is not set up for it.
    AccessDenied = "ACCESS_DENIED", 502, true;
    /// Remote Desktop Services do not answer yet, the session could not be read, or the agent is stopping; nothing was done.
    HostNotReady = "HOST_NOT_READY", 503, true;
    /// The host cannot write its act log, so it does nothing.
    ActLogFailed = "ACT_LOG_FAILED", 503, true;
    /// Windows failed in another way; `win32` says how. What was done cannot be told.
    HostFailed = "HOST_FAILED", 502, false;
    /// The agent itself failed. What was done cannot be told.
    Internal = "INTERNAL", 500, false;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_an_unknown_one_is_unknown() {
        for code in ProblemCode::ALL {
            let text = serde_json::to_string(code).expect("it is written");
            assert_eq!(text, format!("\"{}\"", code.as_str()));
            let back: ProblemCode = serde_json::from_str(&text).expect("it reads");
            assert_eq!(back, *code);
        }
        let later: ProblemCode = serde_json::from_str("\"OUT_OF_PAPER\"").expect("it reads");
        assert_eq!(later, ProblemCode::Unknown);
        assert!(!later.nothing_was_done());
    }
}
