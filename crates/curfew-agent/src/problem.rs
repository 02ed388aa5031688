//! What the gateway is told when something is not done.
//!
//! Not here: when it is told (`acts`, `http`). Invariant: a text says nothing that its code does not say too.

use std::time::Duration;

use curfew_agent_api::{Problem, ProblemCode};

use crate::platform::{PlatformError, PlatformErrorKind};
use crate::policy::{Refusal, Verb};

/// When to ask again if Windows is not ready, or the session busy.
const NOT_READY: Duration = Duration::from_secs(2);

pub(crate) fn problem(code: ProblemCode, message: impl Into<String>) -> Problem {
    Problem {
        code,
        message: message.into(),
        win32: None,
        retry_after_ms: None,
    }
}

pub(crate) fn later(problem: Problem, after: Duration) -> Problem {
    Problem {
        retry_after_ms: Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
        ..problem
    }
}

pub(crate) fn not_a_user_session() -> Problem {
    problem(
        ProblemCode::NotAUserSession,
        "the number of a user's session is 1 to 65535; nothing was done",
    )
}

pub(crate) fn gone(number: u32) -> Problem {
    problem(
        ProblemCode::SessionGone,
        format!("session {number} is not there (any more)"),
    )
}

pub(crate) fn replaced(number: u32) -> Problem {
    problem(
        ProblemCode::SessionReplaced,
        format!("the number {number} has been given to another logon; nothing was done"),
    )
}

pub(crate) fn host_silent() -> Problem {
    let text = "Remote Desktop Services did not answer in time; nothing was done";
    later(problem(ProblemCode::HostNotReady, text), NOT_READY)
}

/// A failure of the system.
pub(crate) fn of_platform(error: PlatformError, number: Option<u32>) -> Problem {
    let found = match error.kind {
        PlatformErrorKind::NotFound => number.map_or_else(
            || problem(ProblemCode::HostFailed, "the host's sessions cannot be listed"),
            gone,
        ),
        PlatformErrorKind::AccessDenied => problem(
            ProblemCode::AccessDenied,
            "Windows refused: the account of the agent lacks a right (Query Information, Disconnect, Reset, Message)",
        ),
        PlatformErrorKind::Busy => later(
            problem(
                ProblemCode::HostNotReady,
                "the session is being connected, disconnected or ended; nothing was done",
            ),
            NOT_READY,
        ),
        PlatformErrorKind::NotReady => later(
            problem(
                ProblemCode::HostNotReady,
                "Remote Desktop Services do not answer yet; nothing was done",
            ),
            NOT_READY,
        ),
        PlatformErrorKind::Unsupported => problem(ProblemCode::Unsupported, "this host cannot do that"),
        PlatformErrorKind::Other => problem(
            ProblemCode::HostFailed,
            "Windows failed; whether something was done cannot be told",
        ),
    };
    Problem {
        win32: error.win32,
        ..found
    }
}

/// A failure of the reading that an act begins with: nothing was done, whatever it was.
pub(crate) fn unread(error: PlatformError, number: u32) -> Problem {
    match error.kind {
        PlatformErrorKind::Other => Problem {
            win32: error.win32,
            ..not_read()
        },
        _ => of_platform(error, Some(number)),
    }
}

/// The reading that an act begins with failed.
pub(crate) fn not_read() -> Problem {
    let text = "the session could not be read; nothing was done";
    later(problem(ProblemCode::HostNotReady, text), NOT_READY)
}

/// The agent takes no acts any more.
pub(crate) fn stopping() -> Problem {
    let text = "the agent is stopping; nothing was done";
    later(problem(ProblemCode::HostNotReady, text), NOT_READY)
}

/// A refusal by the host's own policy.
pub(crate) fn of_policy(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::ReadOnly => problem(
            ProblemCode::RefusedByPolicy,
            "this host is read-only: it refuses every act",
        ),
        Refusal::Denied(verb) => problem(ProblemCode::RefusedByPolicy, denied(verb)),
        Refusal::ProtectedUser => problem(
            ProblemCode::Protected,
            "this host protects the user of the session; nothing was done",
        ),
        Refusal::Console => problem(
            ProblemCode::Protected,
            "this host protects the session at its console; nothing was done",
        ),
        Refusal::NoLogonTime => problem(
            ProblemCode::Protected,
            "Windows tells no time of logon for the session, so it cannot be told from another logon; nothing was done",
        ),
    }
}

fn denied(verb: Verb) -> &'static str {
    match verb {
        Verb::Disconnect => "this host refuses to disconnect sessions",
        Verb::Logoff => "this host refuses to log sessions off",
        Verb::Message => "this host refuses to show messages",
    }
}
