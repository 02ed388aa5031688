//! The HTTP client that adapters share: time-outs, TLS, no redirects, capped bodies, one clear word about
//! whether a request may have left.
//!
//! Not here: what a status means to a vendor (each adapter's `client.rs`), and repeating anything.
//! Invariant: [`TransportError::NotSent`] is said only if not one byte of the request can have reached the
//! backend, and no acting request is ever written twice.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use curfew_core::{BackendError, BackendErrorKind, BackendId, Evidence};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::{Certificate, redirect, retry};
use tokio::time::Instant;
use tracing::Instrument as _;
use url::Url;

use crate::address::{GuardedResolver, Loopback};

/// Longest body of an ordinary answer, in bytes.
pub const BODY_CAP: usize = 8 << 20;
/// Longest body of one page of a listing, in bytes. (A thousand rows of a vendor's full form are about ten
/// million bytes.)
pub const PAGE_CAP: usize = 32 << 20;
/// How long DNS, TCP and TLS may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections that are kept to each host of a backend with a TLS set-up of its own: it may have a thousand.
const MUTUAL_IDLE: usize = 2;
/// How long they are kept. An agent closes them after 75 s; it is better to be the first.
const MUTUAL_IDLE_TIME: Duration = Duration::from_secs(60);
/// What the backend's access log shows.
const USER_AGENT: &str = concat!("curfew/", env!("CARGO_PKG_VERSION"));

/// What a client is made of.
#[derive(Debug)]
pub struct HttpOptions<'a> {
    /// Whose client it is, for metrics and traces.
    pub backend: &'a BackendId,
    /// Whether the backend may live on this machine.
    pub loopback: Loopback,
    /// Where it will be used; a plain `http` client needs no certificate authorities.
    pub base: &'a Url,
    /// Whom to trust, and as whom to appear.
    pub trust: Trust<'a>,
    /// Where names lead.
    pub names: Names,
}

/// Whom a client trusts, and as whom it appears.
#[derive(Debug)]
pub enum Trust<'a> {
    /// The system's certificate authorities.
    System,
    /// PEM text of the only certificate authorities.
    Only(&'a str),
    /// A TLS set-up of the backend's own, with a certificate for us and rules for theirs. HTTP/1.1 is spoken over it.
    Mutual(Box<rustls::ClientConfig>),
}

impl<'a> Trust<'a> {
    /// The authorities of the configuration's `ca`, else the system's.
    pub fn of(ca: Option<&'a str>) -> Self {
        ca.map_or(Self::System, Self::Only)
    }
}

/// Where names lead. Whatever they lead to passes the rules for addresses.
#[derive(Debug, Clone)]
pub enum Names {
    /// To what the system's name service says.
    System,
    /// The name in a URL stands for the address (a name, or an IP address) that the configuration gives for it.
    Configured(Arc<HashMap<String, String>>),
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The PEM text holds no certificate.
    #[error("`ca` holds no readable PEM certificate")]
    Ca(#[source] Option<reqwest::Error>),
    /// The process has not installed a TLS provider.
    #[error("no TLS provider is installed in this process")]
    NoProvider,
    /// The TLS set-up failed, most often because the system has no certificate authorities and none were given.
    #[error("the TLS client could not be set up; if this system has no CA certificates, give `ca`")]
    Tls(#[source] reqwest::Error),
}

/// Whether a call only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It may be repeated without harm.
    Read,
    /// It acts on a session or reaches its user.
    Act,
}

/// One request.
#[derive(Debug)]
pub struct Call<'a> {
    /// Its name in metrics and traces.
    pub operation: &'static str,
    /// Whether it only reads.
    pub purpose: Purpose,
    /// HTTP method.
    pub method: Method,
    /// The whole URL.
    pub url: &'a str,
    /// Headers beside `User-Agent`.
    pub headers: HeaderMap,
    /// The body, if any.
    pub body: Option<Bytes>,
    /// Longest body of the answer that is accepted, in bytes.
    pub cap: usize,
    /// When the answer must be there, body included.
    pub deadline: Instant,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body, or why it could not be read to its end.
    pub body: Result<Bytes, TransportError>,
    /// From sending to the end of the body.
    pub latency: Duration,
}

/// Why there is no answer, or only a part of one.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// DNS, TCP or TLS failed: provably nothing was sent.
    #[error("no connection to the backend")]
    NotSent(#[source] reqwest::Error),
    /// The connection ended before the request was written to it: provably nothing was sent.
    #[error("the connection to the backend ended before anything was sent")]
    Closed(#[source] reqwest::Error),
    /// The backend's certificate is not accepted: provably nothing was sent.
    #[error("the backend is not trusted: {why}")]
    Untrusted {
        /// What is wrong with it, as a clause of its own (`the certificate has expired`).
        why: String,
        /// What lay beneath.
        #[source]
        source: reqwest::Error,
    },
    /// The backend does not accept our certificate. It says so instead of taking the request: nothing was done.
    #[error("the backend does not accept the gateway's certificate")]
    NotAccepted(#[source] reqwest::Error),
    /// The deadline has passed.
    #[error("the backend did not answer in time")]
    TimedOut {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The connection broke after the request may have been written.
    #[error("the connection to the backend broke")]
    Broken(#[source] reqwest::Error),
    /// The body is longer than the cap.
    #[error("the backend's answer is longer than {cap} bytes")]
    TooLong {
        /// The cap.
        cap: usize,
    },
}

impl TransportError {
    /// What kind of failure that is, for a read or an act.
    pub fn kind(&self, purpose: Purpose) -> BackendErrorKind {
        match (self, purpose) {
            (Self::NotSent(_) | Self::Closed(_) | Self::Untrusted { .. }, _) => BackendErrorKind::Unavailable,
            (Self::NotAccepted(_), _) => BackendErrorKind::Credentials,
            (_, Purpose::Act) => BackendErrorKind::OutcomeUnknown,
            (Self::TimedOut { .. }, Purpose::Read) => BackendErrorKind::TimedOut,
            (Self::Broken(_), Purpose::Read) => BackendErrorKind::Unavailable,
            (Self::TooLong { .. }, Purpose::Read) => BackendErrorKind::Protocol,
        }
    }

    /// The failure of a call with such a `purpose`.
    pub fn into_backend(self, purpose: Purpose, evidence: Evidence) -> BackendError {
        BackendError::new(self.kind(purpose), self.to_string())
            .with_evidence(evidence)
            .with_source(Arc::new(self) as Arc<dyn std::error::Error + Send + Sync>)
    }

    fn label(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "no_connection",
            Self::Closed(_) => "closed",
            Self::Untrusted { .. } => "untrusted",
            Self::NotAccepted(_) => "not_accepted",
            Self::TimedOut { .. } => "timed_out",
            Self::Broken(_) => "broken",
            Self::TooLong { .. } => "too_long",
        }
    }
}

/// A backend's HTTP client.
#[derive(Clone)]
pub struct HttpClient {
    backend: BackendId,
    /// Whether we show a certificate that could be refused.
    mutual: bool,
    reads: reqwest::Client,
    /// Acts have a client of their own: HTTP/1.1 and a fresh connection for each, so that a failure to connect
    /// proves that nothing was sent, no idle connection dies under a request, and reads cannot starve acts.
    acts: reqwest::Client,
}

impl HttpClient {
    /// A client.
    ///
    /// # Errors
    /// [`HttpError`] if TLS cannot be set up as asked.
    pub fn new(options: &HttpOptions<'_>) -> Result<Self, HttpError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(HttpError::NoProvider);
        }
        let roots = match options.trust {
            Trust::System | Trust::Mutual(_) => None,
            Trust::Only(pem) => match Certificate::from_pem_bundle(pem.as_bytes()) {
                Ok(roots) if roots.is_empty() => return Err(HttpError::Ca(None)),
                Ok(roots) => Some(roots),
                Err(error) => return Err(HttpError::Ca(Some(error))),
            },
        };
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .redirect(redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .dns_resolver(GuardedResolver {
                    rules: options.loopback,
                    names: options.names.clone(),
                });
            match (&roots, &options.trust) {
                (Some(roots), _) => builder.tls_certs_only(roots.iter().cloned()),
                (None, Trust::Mutual(tls)) => builder
                    .tls_backend_preconfigured((**tls).clone())
                    .http1_only()
                    .pool_max_idle_per_host(MUTUAL_IDLE)
                    .pool_idle_timeout(MUTUAL_IDLE_TIME),
                (None, _) if options.base.scheme() == "http" => builder.tls_certs_only([]),
                (None, _) => builder,
            }
        };
        let reads = builder().build().map_err(HttpError::Tls)?;
        let acts = builder()
            .http1_only()
            .pool_max_idle_per_host(0)
            .retry(retry::never())
            .build()
            .map_err(HttpError::Tls)?;
        Ok(Self {
            backend: options.backend.clone(),
            mutual: matches!(options.trust, Trust::Mutual(_)),
            reads,
            acts,
        })
    }

    /// Sends one request and reads the answer.
    ///
    /// # Errors
    /// [`TransportError`] if not even the head of an answer came.
    pub async fn send(&self, call: Call<'_>) -> Result<Answer, TransportError> {
        let operation = call.operation;
        let span = tracing::debug_span!("backend_request", backend.id = %self.backend, operation);
        let started = Instant::now();
        let result = self.exchange(call, started).instrument(span).await;
        let status = match &result {
            Ok(Answer {
                body: Ok(_), status, ..
            }) => status.as_u16().to_string(),
            Ok(Answer { body: Err(error), .. }) | Err(error) => error.label().to_owned(),
        };
        metrics::histogram!(
            "curfew_backend_request_seconds",
            "backend" => self.backend.to_string(),
            "operation" => operation,
            "status" => status,
        )
        .record(started.elapsed());
        result
    }

    async fn exchange(&self, call: Call<'_>, started: Instant) -> Result<Answer, TransportError> {
        let client = match call.purpose {
            Purpose::Read => &self.reads,
            Purpose::Act => &self.acts,
        };
        let mut request = client.request(call.method, call.url).headers(call.headers);
        if let Some(body) = call.body {
            // An empty POST without a length is refused with 411 by IIS, and hyper would send none.
            if body.is_empty() {
                request = request.header(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            request = request.body(body);
        }
        let response = match tokio::time::timeout_at(call.deadline, request.send()).await {
            Err(_) => {
                let waited = started.elapsed();
                return Err(TransportError::TimedOut { waited });
            }
            Ok(Err(error)) => {
                let error = error.without_url();
                let tls = tls_error(&error);
                if let Some(why) = tls.and_then(untrusted) {
                    return Err(TransportError::Untrusted { why, source: error });
                }
                // Whoever is shown no certificate may mean anything by such an alert, and may say it at any time.
                if self.mutual && tls.is_some_and(not_accepted) {
                    return Err(TransportError::NotAccepted(error));
                }
                return Err(if error.is_connect() || error.is_builder() {
                    TransportError::NotSent(error)
                } else if never_written(&error) {
                    TransportError::Closed(error)
                } else if error.is_timeout() {
                    TransportError::TimedOut {
                        waited: started.elapsed(),
                    }
                } else {
                    TransportError::Broken(error)
                });
            }
            Ok(Ok(response)) => response,
        };
        let status = response.status();
        let headers = response.headers().clone();
        let body = match tokio::time::timeout_at(call.deadline, read(response, call.cap)).await {
            Ok(body) => body,
            Err(_) => Err(TransportError::TimedOut {
                waited: started.elapsed(),
            }),
        };
        let latency = started.elapsed();
        tracing::debug!(
            status = status.as_u16(),
            latency_ms = millis(latency),
            "Backend answered"
        );
        Ok(Answer {
            status,
            headers,
            body,
            latency,
        })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpClient({})", self.backend)
    }
}

async fn read(mut response: reqwest::Response, cap: usize) -> Result<Bytes, TransportError> {
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > cap {
        return Err(TransportError::TooLong { cap });
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| TransportError::Broken(error.without_url()))?
    {
        if body.len() + chunk.len() > cap {
            return Err(TransportError::TooLong { cap });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Every error beneath an error, itself first. An I/O error hides what it is made of from `source`.
fn beneath<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// What TLS had to say, somewhere beneath an error.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    beneath(error).find_map(|error| error.downcast_ref())
}

/// Whether the connection ended before hyper began to write the request. hyper cancels a request only while it is
/// still queued (`proto/h1/dispatch.rs`, `client/dispatch.rs`); one that it has begun to write ends in other errors.
fn never_written(error: &(dyn std::error::Error + 'static)) -> bool {
    beneath(error)
        .filter_map(|error| error.downcast_ref::<hyper::Error>())
        .any(hyper::Error::is_canceled)
}

/// What is wrong with the other side's certificate, if that is what an error is about.
fn untrusted(error: &rustls::Error) -> Option<String> {
    use rustls::CertificateError as Is;
    let rustls::Error::InvalidCertificate(what) = error else {
        return None;
    };
    Some(match what {
        Is::Expired | Is::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        Is::NotValidYet | Is::NotValidYetContext { .. } => "the certificate is not valid yet".to_owned(),
        // An authority of the same name with another key shows as a bad signature.
        Is::UnknownIssuer | Is::BadSignature => {
            "the certificate is of an authority that is not trusted here".to_owned()
        }
        Is::NotValidForName | Is::NotValidForNameContext { .. } => {
            "the certificate is that of another name".to_owned()
        }
        Is::InvalidPurpose | Is::InvalidPurposeContext { .. } => {
            "the certificate is not one for servers".to_owned()
        }
        Is::Revoked => "the certificate has been revoked".to_owned(),
        Is::Other(other) => other.to_string(),
        other => format!("the certificate is not valid ({other:?})"),
    })
}

/// Whether the other side refused our certificate. In TLS 1.3 our side of the handshake is over by then, so this can
/// come in place of an answer; the other side still says it before it reads a request.
fn not_accepted(error: &rustls::Error) -> bool {
    use rustls::AlertDescription as Is;
    let rustls::Error::AlertReceived(alert) = error else {
        return false;
    };
    matches!(
        alert,
        Is::CertificateRequired
            | Is::BadCertificate
            | Is::UnsupportedCertificate
            | Is::CertificateRevoked
            | Is::CertificateExpired
            | Is::CertificateUnknown
            | Is::UnknownCA
            | Is::AccessDenied
            // Of handshakes alone (RFC 8446, section 6.2): a signature of ours that does not verify, as that of an
            // authority with the name of theirs and another key.
            | Is::DecryptError
    )
}

/// Whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
