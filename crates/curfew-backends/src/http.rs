//! The HTTP client that adapters share: time-outs, TLS, no redirects, capped bodies, one clear word about
//! whether a request may have left.
//!
//! Not here: what a status means to a vendor (each adapter's `client.rs`), and repeating anything.
//! Invariant: [`TransportError::NotSent`] is said only if not one byte of the request can have reached the
//! backend, and no acting request is ever written twice.

use std::fmt;
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
    /// PEM text of the only certificate authorities to trust; without it the system's are trusted.
    pub ca: Option<&'a str>,
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
            (Self::NotSent(_), _) => BackendErrorKind::Unavailable,
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
            .with_source(std::sync::Arc::new(self) as std::sync::Arc<dyn std::error::Error + Send + Sync>)
    }

    fn label(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "no_connection",
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
        let roots = match options.ca {
            None => None,
            Some(pem) => match Certificate::from_pem_bundle(pem.as_bytes()) {
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
                .dns_resolver(GuardedResolver(options.loopback));
            match &roots {
                Some(roots) => builder.tls_certs_only(roots.iter().cloned()),
                None if options.base.scheme() == "http" => builder.tls_certs_only([]),
                None => builder,
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
                return Err(if error.is_connect() || error.is_builder() {
                    TransportError::NotSent(error)
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

/// Whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
