//! What an answer of an agent proves: values, evidence, errors.
//!
//! Not here: asking (`client.rs`). Status and code decide; the texts of a [`Problem`] are for the host's own log and
//! never read.
//! Invariant: "nothing was done" is concluded only from a [`Problem`] of the agent itself whose code says so.

use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use curfew_agent_api::{self as api, Problem, ProblemCode};
use curfew_core::{BackendError, BackendErrorKind as Kind, Evidence, Reply as Answered, Started, Timestamp};
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::host::Host;
use crate::http::{Answer, Purpose, TransportError, millis};

/// Longest time that a host can ask us to wait.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// An answer that names the host it comes from.
pub(super) trait Said: DeserializeOwned {
    /// Who answers.
    fn host(&self) -> &api::Host;
}

macro_rules! said {
    ($($Type:ident),*) => {
        $(impl Said for api::$Type {
            fn host(&self) -> &api::Host {
                &self.host
            }
        })*
    };
}
said!(Health, SessionList, SessionAnswer, ActAnswer);

/// An answer, with what it proves.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    body: Result<Bytes, TransportError>,
    /// The agent's own word for why not; absent if it succeeded, or if something else answered.
    problem: Option<Problem>,
    evidence: Evidence,
    /// When the request left, and when the answer was here.
    between: (Timestamp, Timestamp),
    latency: Duration,
}

/// A value that the right host gave.
#[derive(Debug)]
pub(super) struct Heard<T> {
    pub(super) value: T,
    pub(super) evidence: Evidence,
    /// When the answer was here, by our clock.
    pub(super) at: Timestamp,
    /// How long it took.
    pub(super) latency: Duration,
    /// How far the host's clock is ahead of ours, as far as that matters.
    pub(super) ahead: TimeDelta,
}

impl Reply {
    pub(super) fn new(answer: Answer, between: (Timestamp, Timestamp)) -> Self {
        let problem = match &answer.body {
            Ok(body) if !answer.status.is_success() => problem(answer.status, body),
            _ => None,
        };
        Self {
            status: answer.status,
            evidence: Evidence {
                status: Some(answer.status.as_u16()),
                native_code: problem.as_ref().map(native_code),
                latency_ms: Some(millis(answer.latency)),
                retry_after_ms: problem.as_ref().and_then(retry_after).map(millis),
                ..Evidence::default()
            },
            problem,
            body: answer.body,
            between,
            latency: answer.latency,
        }
    }

    /// The agent's own code, if it is one of its problems.
    pub(super) fn code(&self) -> Option<ProblemCode> {
        self.problem.as_ref().map(|problem| problem.code)
    }

    /// Names the act in the evidence, as the host's own log names it.
    pub(super) fn of_operation(mut self, operation: String) -> Self {
        self.evidence.transaction_id = Some(operation);
        self
    }

    /// The evidence alone.
    pub(super) fn into_evidence(self) -> Evidence {
        self.evidence
    }

    /// The value of a successful answer to a read, if it is one and the host itself gave it.
    pub(super) fn read<T: Said>(self, host: &Host) -> Result<Heard<T>, BackendError> {
        if self.status != StatusCode::OK {
            return Err(self.read_error(host));
        }
        self.value(host, Purpose::Read)
    }

    fn value<T: Said>(self, host: &Host, purpose: Purpose) -> Result<Heard<T>, BackendError> {
        let body = match self.body {
            Ok(body) => body,
            Err(error) => return Err(unanswered(host, error, purpose, self.evidence)),
        };
        let value: T = match serde_json::from_slice(&body) {
            Ok(value) => value,
            Err(error) => {
                let error = Box::<dyn std::error::Error + Send + Sync>::from(error);
                return Err(nonsense(host, "something that is no answer of an agent", purpose)
                    .with_evidence(self.evidence)
                    .with_source(error));
            }
        };
        let who = value.host();
        if !who.name.eq_ignore_ascii_case(host.name()) {
            // What it calls itself goes to callers only if it can be a name.
            let other = match api::identity::check_host(&who.name) {
                Ok(()) => format!("as `{}`", who.name),
                Err(_) => "under another name".to_owned(),
            };
            return Err(nonsense(host, &other, purpose).with_evidence(self.evidence));
        }
        let ahead = host.heard_clock(who.now, self.between);
        Ok(Heard {
            value,
            evidence: self.evidence,
            at: self.between.1,
            latency: self.latency,
            ahead,
        })
    }

    /// The error that an answer to a read is.
    pub(super) fn read_error(self, host: &Host) -> BackendError {
        use ProblemCode as Is;
        let (kind, public) = match self.code() {
            Some(Is::AccessDenied) => (
                Kind::Denied,
                format!("Windows on {host} refuses its agent the right to read sessions"),
            ),
            Some(Is::TooManyActs) => (self.rate_limited(), format!("{host} asks Curfew to slow down")),
            Some(Is::HostNotReady) => (
                Kind::Unavailable,
                format!("Remote Desktop Services on {host} do not answer yet"),
            ),
            Some(code @ (Is::HostFailed | Is::Internal)) => (
                Kind::Unavailable,
                format!("{host} could not read its sessions ({})", code.as_str()),
            ),
            Some(code) => (
                Kind::Protocol,
                format!("{host} does not understand what it is asked ({})", code.as_str()),
            ),
            None => (
                Kind::Unavailable,
                format!(
                    "on {host} something else than its agent answered (HTTP {})",
                    self.status.as_u16()
                ),
            ),
        };
        BackendError::new(kind, public).with_evidence(self.evidence)
    }

    /// How an agent took an act.
    pub(super) fn taken(mut self, host: &Host) -> Result<Answered<Started>, BackendError> {
        if self.status.is_success() {
            let heard: Heard<api::ActAnswer> = self.value(host, Purpose::Act)?;
            let (word, value) = match heard.value.result {
                api::ActResult::Done => ("DONE", Started::Done),
                api::ActResult::Accepted => ("ACCEPTED", Started::Accepted),
                // A later read decides, and will find the goal there.
                api::ActResult::Already => ("ALREADY", Started::Done),
            };
            let mut evidence = heard.evidence;
            evidence.native_code = Some(word.to_owned());
            return Ok(Answered { value, evidence });
        }
        if let Err(error) = self.body {
            return Err(unanswered(host, error, Purpose::Act, self.evidence));
        }
        self.body = Ok(Bytes::new());
        let value = match self.code() {
            Some(ProblemCode::SessionGone) => Started::AlreadyGone,
            Some(ProblemCode::SessionReplaced) => Started::Replaced,
            _ => return Err(self.act_error(host)),
        };
        Ok(Answered {
            value,
            evidence: self.evidence,
        })
    }

    fn act_error(self, host: &Host) -> BackendError {
        use ProblemCode as Is;
        let (kind, public) = match self.code() {
            Some(Is::Protected) => (
                Kind::Denied,
                format!("{host} refuses: its own policy protects this session"),
            ),
            Some(Is::RefusedByPolicy) => (
                Kind::Denied,
                format!("{host} refuses: its own policy does not allow such acts"),
            ),
            Some(Is::AccessDenied) => (
                Kind::Denied,
                format!("Windows on {host} refuses its agent the right to do this"),
            ),
            Some(Is::TooManyActs) => (
                self.rate_limited(),
                format!("{host} does not take so many acts at once"),
            ),
            Some(Is::TooLate) => (
                Kind::Unavailable,
                format!("the act reached {host} too late; nothing was done"),
            ),
            Some(Is::HostNotReady) => (
                Kind::Unavailable,
                format!("Remote Desktop Services on {host} do not answer yet; nothing was done"),
            ),
            Some(Is::ActLogFailed) => (
                Kind::Unavailable,
                format!("{host} cannot write its log of acts; nothing was done"),
            ),
            // What the agent does not understand it cannot do, whatever may be wrong with it.
            Some(code) if code.nothing_was_done() => (
                Kind::Unsupported,
                format!("{host} cannot do this ({}); nothing was done", code.as_str()),
            ),
            Some(code) => (
                Kind::OutcomeUnknown,
                format!("{host} failed ({}); whether it acted is unknown", code.as_str()),
            ),
            None => (
                Kind::OutcomeUnknown,
                format!(
                    "on {host} something else than its agent answered (HTTP {}); whether it acted is unknown",
                    self.status.as_u16()
                ),
            ),
        };
        BackendError::new(kind, public).with_evidence(self.evidence)
    }

    fn rate_limited(&self) -> Kind {
        Kind::RateLimited {
            retry_after: self.problem.as_ref().and_then(retry_after),
        }
    }
}

/// The agent's own problem, if the body is one: a code that does not go with the status is not the agent's.
fn problem(status: StatusCode, body: &[u8]) -> Option<Problem> {
    let problem: Problem = serde_json::from_slice(body).ok()?;
    let fits = problem.code == ProblemCode::Unknown || problem.code.status() == status.as_u16();
    fits.then_some(problem)
}

/// `ACCESS_DENIED/5`: the code, and Windows' own number where one lies beneath.
fn native_code(problem: &Problem) -> String {
    let code = problem.code.as_str();
    problem
        .win32
        .map_or_else(|| code.to_owned(), |number| format!("{code}/{number}"))
}

fn retry_after(problem: &Problem) -> Option<Duration> {
    Some(Duration::from_millis(problem.retry_after_ms?).min(MAX_WAIT))
}

/// An answer that came over a good connection and makes no sense.
pub(super) fn nonsense(host: &Host, what: &str, purpose: Purpose) -> BackendError {
    match purpose {
        Purpose::Read => BackendError::new(Kind::Protocol, format!("{host} answers {what}")),
        Purpose::Act => BackendError::new(
            Kind::OutcomeUnknown,
            format!("{host} answered the act {what}; whether it acted is unknown"),
        ),
    }
}

/// No answer, or half of one.
pub(super) fn unanswered(
    host: &Host,
    error: TransportError,
    purpose: Purpose,
    evidence: Evidence,
) -> BackendError {
    use TransportError as Is;
    let kind = error.kind(purpose);
    let what = match &error {
        Is::NotSent(_) => format!("{host} cannot be reached"),
        Is::Closed(_) | Is::Broken(_) => format!("the connection to {host} broke"),
        Is::Untrusted { why, .. } => format!("{host}: {why}"),
        Is::NotAccepted(_) => format!("{host} does not accept the gateway's certificate"),
        Is::TimedOut { waited } => format!("{host} did not answer within {}", seconds(*waited)),
        Is::TooLong { cap } => format!("{host} answered more than {cap} bytes"),
    };
    let public = match (purpose, kind) {
        (Purpose::Read, _) => what,
        (Purpose::Act, Kind::OutcomeUnknown) => format!("{what}; whether it acted is unknown"),
        (Purpose::Act, _) => format!("{what}; nothing was done"),
    };
    BackendError {
        kind,
        public,
        evidence: Some(evidence),
        source: Some(std::sync::Arc::new(error)),
    }
}

/// `2 s`, `0.4 s`: for people.
pub(super) fn seconds(duration: Duration) -> String {
    let tenths = (duration.as_millis() + 50) / 100;
    match tenths % 10 {
        0 => format!("{} s", tenths / 10),
        rest => format!("{}.{rest} s", tenths / 10),
    }
}
