//! What an answer of the vendor proves: evidence, errors and absence.
//!
//! Not here: asking. Statuses, headers and codes decide; the texts of the four error shapes are localised and
//! never read.
//! Invariant: "the session is not there" is concluded only from an answer that the vendor itself gave.

use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use curfew_core::{BackendError, BackendErrorKind as Kind, Evidence, Timestamp};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::wire;
use crate::http::{Purpose, TransportError, millis};

/// The cloud's status for a site that has to be woken up first.
pub(super) const SITE_FROZEN: u16 = 530;
/// Longest code of the vendor that is kept, in bytes.
const MAX_CODE: usize = 160;
/// Longest time that a backend can ask us to wait.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// An answer, with what it proves.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Result<Bytes, TransportError>,
    pub(super) evidence: Evidence,
    /// The vendor itself answered, not something in front of it.
    pub(super) vendor: bool,
}

/// What a "not found" proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// The vendor says that there is no such session.
    Proven,
    /// The vendor misses something, but not clearly the session.
    Doubtful,
    /// Something in front of the vendor does not know the address.
    NotTheVendor,
}

impl Reply {
    pub(super) fn new(answer: crate::http::Answer, now: Timestamp) -> Self {
        let transaction = answer
            .headers
            .get("citrix-transactionid")
            .and_then(|value| value.to_str().ok())
            .and_then(code);
        let error = if answer.status.is_success() {
            None
        } else {
            ErrorFacts::of(answer.body.as_deref().ok())
        };
        let retry_after = retry_after(&answer.headers, now);
        Self {
            vendor: transaction.is_some() || error.is_some(),
            evidence: Evidence {
                status: Some(answer.status.as_u16()),
                native_code: error.and_then(|facts| facts.code),
                transaction_id: transaction,
                job_id: None,
                latency_ms: Some(millis(answer.latency)),
                retry_after_ms: retry_after.map(millis),
            },
            status: answer.status,
            headers: answer.headers,
            body: answer.body,
        }
    }

    /// The body of an answer to a read.
    pub(super) fn into_body(self) -> Result<(Bytes, Evidence), BackendError> {
        match self.body {
            Ok(body) => Ok((body, self.evidence)),
            Err(error) => Err(error.into_backend(Purpose::Read, self.evidence)),
        }
    }

    /// What a 404 proves about the session that was asked for.
    pub(super) fn absence(&self) -> Absence {
        if !self.vendor {
            return Absence::NotTheVendor;
        }
        // The documented 404 names what is missing; a site or customer is not the session.
        let facts = ErrorFacts::of(self.body.as_deref().ok());
        match facts {
            Some(ErrorFacts {
                entity_type: Some(entity),
                ..
            }) => {
                if entity.to_ascii_lowercase().contains("session") {
                    Absence::Proven
                } else {
                    Absence::Doubtful
                }
            }
            Some(ErrorFacts { documented: true, .. }) => Absence::Proven,
            // A proxy may answer with a problem document of its own, or hand back our transaction id.
            _ => Absence::Doubtful,
        }
    }

    /// The error that an unexpected answer to a read is.
    pub(super) fn read_error(self) -> BackendError {
        let (kind, public) = match self.status.as_u16() {
            401 => (
                Kind::Credentials,
                "Citrix does not accept Curfew's credentials".to_owned(),
            ),
            403 => (
                Kind::Denied,
                "Citrix does not allow Curfew to read this".to_owned(),
            ),
            429 => (self.rate_limited(), "Citrix asks Curfew to slow down".to_owned()),
            SITE_FROZEN => (Kind::Unavailable, FROZEN.to_owned()),
            404 | 408 | 425 => (Kind::Unavailable, self.says("Citrix could not be read")),
            400..=499 => (Kind::Denied, self.says("Citrix refused the reading")),
            500..=599 => (Kind::Unavailable, self.says("Citrix could not be read")),
            _ => (Kind::Protocol, self.says("Citrix gave an unexpected answer")),
        };
        BackendError::new(kind, public).with_evidence(self.evidence)
    }

    /// The error that an unsuccessful answer to an act is; absence is judged before.
    pub(super) fn act_error(self) -> BackendError {
        let (kind, public) = match self.status.as_u16() {
            401 => (
                Kind::Credentials,
                "Citrix does not accept Curfew's credentials".to_owned(),
            ),
            403 => (Kind::Denied, "Citrix does not allow Curfew to do this".to_owned()),
            404 => (
                Kind::NotFound,
                "Citrix did not find what was to be acted on".to_owned(),
            ),
            429 => (
                self.rate_limited(),
                "Citrix asks Curfew to slow down and did nothing".to_owned(),
            ),
            SITE_FROZEN => (Kind::Unavailable, FROZEN.to_owned()),
            // Whether a proxy that gives up waiting had passed the request on, it does not say.
            408 => (
                Kind::OutcomeUnknown,
                self.says("It is unknown whether Citrix did it"),
            ),
            400..=499 => (Kind::Denied, self.says("Citrix refused")),
            // A gateway's 502 to 504 may follow a request that was carried out (terraform-provider-citrix #39,
            // #278, #352), and so may a server's own 500.
            500..=599 => (
                Kind::OutcomeUnknown,
                self.says("It is unknown whether Citrix did it"),
            ),
            _ => (Kind::Protocol, self.says("Citrix gave an unexpected answer")),
        };
        BackendError::new(kind, public).with_evidence(self.evidence)
    }

    /// An answer that makes no sense.
    pub(super) fn nonsense(self) -> BackendError {
        let public = self.says("Citrix gave an answer that cannot be read");
        BackendError::new(Kind::Protocol, public).with_evidence(self.evidence)
    }

    fn says(&self, what: &str) -> String {
        format!("{what} (HTTP {})", self.status.as_u16())
    }

    fn rate_limited(&self) -> Kind {
        Kind::RateLimited {
            retry_after: self.evidence.retry_after_ms.map(Duration::from_millis),
        }
    }
}

/// What a frozen site is called before callers.
pub(super) const FROZEN: &str = "the Citrix site is asleep and has not woken up yet";

/// An answer that makes no sense, seen while its body was read.
pub(super) fn nonsense(error: serde_json::Error, evidence: Evidence) -> BackendError {
    // The position alone: serde's text may quote the body.
    let place = format!(
        "not the expected JSON at line {}, column {}",
        error.line(),
        error.column()
    );
    BackendError::new(Kind::Protocol, "Citrix gave an answer that cannot be read")
        .with_evidence(evidence)
        .with_source(Box::<dyn std::error::Error + Send + Sync>::from(place))
}

/// What an error body says in codes.
struct ErrorFacts {
    code: Option<String>,
    entity_type: Option<String>,
    /// It is of one of the vendor's two documented shapes beyond doubt.
    documented: bool,
}

impl ErrorFacts {
    /// `None` if it is no error body of the vendor.
    fn of(body: Option<&[u8]>) -> Option<Self> {
        let error: wire::ErrorAnswer<'_> = wire::decode(body?).ok()?;
        let found = [&error.kind, &error.sdk_error_id, &error.error_type]
            .into_iter()
            .find_map(wire::Text::get)?;
        let entity_type = error
            .parameters
            .0
            .iter()
            .find(|parameter| parameter.name.get() == Some("entityType"))
            .and_then(|parameter| parameter.value.get());
        let of_cloud = error
            .kind
            .get()
            .is_some_and(|kind| kind.starts_with("https://errors-api.cloud.com/"));
        Some(Self {
            documented: of_cloud || error.sdk_error_id.get().is_some(),
            code: code(found),
            entity_type: entity_type.map(str::to_owned),
        })
    }
}

/// A code as it may stand in evidence: printable ASCII of moderate length.
pub(super) fn code(text: &str) -> Option<String> {
    let text: String = text
        .trim()
        .chars()
        .filter(char::is_ascii_graphic)
        .take(MAX_CODE)
        .collect();
    (!text.is_empty()).then_some(text)
}

/// Seconds, an HTTP date or (as another product of the vendor sends) an RFC 3339 date. This API documents none.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = DateTime::parse_from_rfc2822(text)
                .or_else(|_| DateTime::parse_from_rfc3339(text))
                .ok()?;
            (at.to_utc() - now).to_std().unwrap_or_default()
        }
    };
    Some(wait.min(MAX_WAIT))
}
