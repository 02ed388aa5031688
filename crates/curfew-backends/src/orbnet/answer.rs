//! What an answer of the vendor proves: evidence and errors.
//!
//! `errors[].extensions.code` goes before the HTTP status, which is 200, 400, 401 or 403 for the same error depending on
//! whom one asks; a message is never read.
//! Not here: asking. Invariant: an act whose answer is not one of the documented ones is of unknown outcome.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use curfew_core::{BackendError, BackendErrorKind as Kind, Evidence, Timestamp};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde_json::value::RawValue;

use super::wire;
use crate::http::{Purpose, TransportError, millis};

/// Longest code of the vendor that is kept, in bytes.
const MAX_CODE: usize = 64;
/// Longest time that `Retry-After` can ask us to wait: as long as the directory leaves a failing backend alone at most.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// Longest time until a window of a minute is over, however far the two clocks are apart.
const MAX_RESET: Duration = Duration::from_secs(60);
/// A larger `X-RateLimit-Reset` is a time of day, not a number of seconds.
const EPOCH_FROM: u64 = 1_000_000_000;

/// What the vendor says in an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// `SESSION_NOT_FOUND`.
    SessionNotFound,
    /// `NOT_FOUND`.
    NotFound,
    /// `FORBIDDEN`, or HTTP 403 without a code.
    Forbidden,
    /// `UNAUTHENTICATED`, `AUTHENTICATION_ERROR`, or HTTP 401 without a code.
    Unauthenticated,
    /// `RATE_LIMITED`, or HTTP 429 without a code.
    RateLimited,
    /// Its server failed: `INTERNAL_SERVER_ERROR`, or HTTP 5xx without a code.
    Failed,
    /// Anything else.
    Other,
}

impl Code {
    fn of(code: Option<&str>, status: StatusCode) -> Self {
        match (code, status.as_u16()) {
            (Some("SESSION_NOT_FOUND"), _) => Self::SessionNotFound,
            (Some("NOT_FOUND"), _) => Self::NotFound,
            (Some("FORBIDDEN"), _) | (None, 403) => Self::Forbidden,
            (Some("UNAUTHENTICATED" | "AUTHENTICATION_ERROR"), _) | (None, 401) => Self::Unauthenticated,
            (Some("RATE_LIMITED"), _) | (_, 429) => Self::RateLimited,
            (Some("INTERNAL_SERVER_ERROR"), _) | (_, 500..=599) => Self::Failed,
            _ => Self::Other,
        }
    }
}

/// An answer, with what it proves.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) evidence: Evidence,
    status: StatusCode,
    body: Result<Bytes, TransportError>,
    code: Code,
}

/// A body that is GraphQL's, without errors and with a good status.
#[derive(Debug)]
pub(super) struct Data<'a>(pub(super) &'a RawValue);

impl Reply {
    pub(super) fn new(answer: crate::http::Answer, now: Timestamp) -> Self {
        let errors = answer.body.as_deref().ok().and_then(wire::answer);
        let given = errors
            .and_then(|answer| answer.errors.flatten())
            .map(Cow::into_owned);
        let code = Code::of(given.as_deref(), answer.status);
        let retry_after = (code == Code::RateLimited)
            .then(|| retry_after(&answer.headers, now))
            .flatten();
        Self {
            evidence: Evidence {
                status: Some(answer.status.as_u16()),
                native_code: given.as_deref().and_then(printable),
                latency_ms: Some(millis(answer.latency)),
                retry_after_ms: retry_after.map(millis),
                ..Evidence::default()
            },
            status: answer.status,
            body: answer.body,
            code,
        }
    }

    /// How long the vendor wants to be left alone.
    pub(super) fn rest(&self) -> Option<Duration> {
        self.evidence.retry_after_ms.map(Duration::from_millis)
    }

    pub(super) fn code(&self) -> Code {
        self.code
    }

    /// The data, if nothing at all is wrong with the answer.
    pub(super) fn data(&self) -> Option<Data<'_>> {
        let answer = wire::answer(self.body.as_deref().ok()?)?;
        match answer {
            wire::Answer {
                data: Some(data),
                errors: None,
            } if self.status.is_success() => Some(Data(data)),
            _ => None,
        }
    }

    /// Whether there are errors, and nothing beside them that says that the act was done.
    pub(super) fn refuses(&self) -> bool {
        let answer = self.body.as_deref().ok().and_then(wire::answer);
        match answer {
            Some(answer) => {
                let done = answer.data.and_then(wire::disconnected) == Some(true);
                (answer.errors.is_some() || !self.status.is_success()) && !done
            }
            // Whatever stands before the vendor says by its status that it did not let the request pass.
            None => matches!(self.status.as_u16(), 401 | 403 | 429),
        }
    }

    /// The error that an answer to a read is, which holds nothing that could be used.
    pub(super) fn read_error(self) -> BackendError {
        let (kind, public) = match (self.code, self.status.as_u16()) {
            (Code::Forbidden, _) => (
                Kind::Denied,
                "OrbNet does not allow the token to list these sessions: scope admin or reseller is needed"
                    .to_owned(),
            ),
            (Code::NotFound, _) => (
                Kind::Denied,
                "OrbNet knows no such user: see `users` in the configuration".to_owned(),
            ),
            (Code::Unauthenticated, _) => (Kind::Credentials, CREDENTIALS.to_owned()),
            (Code::RateLimited, _) => (self.rate_limited(), SLOW_DOWN.to_owned()),
            (Code::Failed, _) | (Code::Other, 404 | 408 | 425) => {
                (Kind::Unavailable, self.says("OrbNet could not be read"))
            }
            (Code::SessionNotFound | Code::Other, _) => match self.body {
                Err(error) => return error.into_backend(Purpose::Read, self.evidence),
                Ok(_) => (
                    Kind::Protocol,
                    self.says("OrbNet gave an answer that cannot be used"),
                ),
            },
        };
        BackendError::new(kind, public).with_evidence(self.evidence)
    }

    /// The error that an answer to an act is, which neither says that it was done nor that there is no such session.
    pub(super) fn act_error(self) -> BackendError {
        let refuses = self.refuses();
        let (kind, public) = match self.code {
            Code::Forbidden if refuses => (
                Kind::Denied,
                "OrbNet does not allow the token to disconnect: it may list, but scope admin is needed to disconnect"
                    .to_owned(),
            ),
            Code::Unauthenticated if refuses => (Kind::Credentials, CREDENTIALS.to_owned()),
            Code::RateLimited if refuses => (self.rate_limited(), format!("{SLOW_DOWN} and did nothing")),
            _ => {
                let public = self.says("It is unknown whether OrbNet did it");
                return match self.body {
                    Err(error) => error.into_backend(Purpose::Act, self.evidence),
                    Ok(_) => BackendError::new(Kind::OutcomeUnknown, public).with_evidence(self.evidence),
                };
            }
        };
        BackendError::new(kind, public).with_evidence(self.evidence)
    }

    fn says(&self, what: &str) -> String {
        format!("{what} (HTTP {})", self.status.as_u16())
    }

    fn rate_limited(&self) -> Kind {
        Kind::RateLimited {
            retry_after: self.rest(),
        }
    }
}

const CREDENTIALS: &str = "OrbNet does not accept the token";
/// What a caller is told when there were too many requests.
pub(super) const SLOW_DOWN: &str = "OrbNet asks Curfew to slow down";

/// A code as it may stand in evidence: printable ASCII of moderate length.
fn printable(text: &str) -> Option<String> {
    let text: String = text
        .chars()
        .filter(char::is_ascii_graphic)
        .take(MAX_CODE)
        .collect();
    (!text.is_empty()).then_some(text)
}

/// `Retry-After` (seconds or an HTTP date), else `X-RateLimit-Reset`, which is documented without its unit.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let header = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let until = |at: DateTime<chrono::Utc>| (at - now).to_std().unwrap_or_default();
    if let Some(text) = header(RETRY_AFTER.as_str()) {
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => DateTime::parse_from_rfc2822(text)
                .ok()
                .map(|at| until(at.to_utc())),
        };
        if let Some(wait) = wait {
            return Some(wait.min(MAX_WAIT));
        }
    }
    let reset: u64 = header("x-ratelimit-reset")?.parse().ok()?;
    let wait = if reset < EPOCH_FROM {
        Duration::from_secs(reset)
    } else {
        until(DateTime::from_timestamp(i64::try_from(reset).ok()?, 0)?)
    };
    Some(wait.min(MAX_RESET))
}
