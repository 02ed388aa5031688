//! Signing in: one token at a time, renewed once for all who need it.
//!
//! Not here: which call needs a token, and what a 401 to it means (`client.rs`).
//! Invariant: however many callers wait, at most one request is at the token service, which is itself rate
//! limited; a token or secret is never logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime};
use curfew_core::{BackendError, BackendErrorKind as Kind, Clock};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use parking_lot::RwLock;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::answer::{Reply, code};
use super::config::{Credentials, Settings};
use super::wire;
use crate::http::{BODY_CAP, Call, HttpClient, Purpose, TransportError};

/// How long signing in may take.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a refusal is remembered instead of asking again.
const REMEMBER_REFUSAL: Duration = Duration::from_secs(5);
/// How long an unreachable token service is left alone.
const REMEMBER_OUTAGE: Duration = Duration::from_secs(1);
/// Longest that a token service can make us wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(90);
/// What a token without a word about its life is good for ("typically valid for an hour").
const USUAL_LIFE: Duration = Duration::from_secs(3600);
/// The life of a token whose end, by our clock, has passed already: the clocks disagree.
const SKEWED_LIFE: Duration = Duration::from_secs(300);

/// A token, with what is known of it.
pub(super) struct Token {
    /// The whole header, marked sensitive.
    pub(super) header: HeaderValue,
    issued: Instant,
    life: Duration,
    /// It was asked for because another was refused.
    replaces_refused: bool,
    /// The site has accepted it.
    proven: AtomicBool,
}

impl Token {
    /// The site has accepted it.
    pub(super) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    /// Worth using without looking for a new one: more than a minute and a tenth of its life are left.
    fn fresh(&self) -> bool {
        let spare = (self.life / 10).max(Duration::from_secs(60)).min(self.life / 2);
        self.issued.elapsed() + spare < self.life
    }

    fn alive(&self) -> bool {
        self.issued.elapsed() < self.life
    }
}

/// Holder of the backend's token.
pub(super) struct Tokens {
    current: RwLock<Option<Arc<Token>>>,
    /// Whoever holds it may sign in; inside, the last failure and until when it counts.
    gate: Mutex<Option<(BackendError, Instant)>>,
}

/// All that signing in needs.
pub(super) struct Desk<'a> {
    pub(super) http: &'a HttpClient,
    pub(super) settings: &'a Settings,
    pub(super) clock: &'a dyn Clock,
    pub(super) deadline: Instant,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            current: RwLock::new(None),
            gate: Mutex::new(None),
        }
    }

    /// A token that is good for a while, signing in if there is none.
    pub(super) async fn current(&self, desk: &Desk<'_>) -> Result<Arc<Token>, BackendError> {
        if let Some(token) = self.get().filter(|token| token.fresh()) {
            return Ok(token);
        }
        let mut gate = self.enter(desk).await?;
        let old = self.get();
        if let Some(token) = old.as_ref().filter(|token| token.fresh()) {
            return Ok(token.clone());
        }
        match self.sign_in(desk, &mut gate, false).await {
            Ok(token) => Ok(token),
            // The old one is short of its end but not over it: better than nothing.
            Err(error) => old.filter(|token| token.alive()).ok_or(error),
        }
    }

    /// A token instead of one that the site has refused; `None` if a new one is not worth asking for, because
    /// the refused one is itself brand new.
    pub(super) async fn renew(
        &self,
        refused: &Arc<Token>,
        desk: &Desk<'_>,
    ) -> Result<Option<Arc<Token>>, BackendError> {
        let mut gate = self.enter(desk).await?;
        match self.get() {
            Some(token) if !Arc::ptr_eq(&token, refused) => return Ok(Some(token)),
            _ => {}
        }
        let proven = refused.proven.load(Ordering::Relaxed);
        if refused.replaces_refused && !proven && refused.issued.elapsed() < REMEMBER_REFUSAL {
            return Ok(None);
        }
        *self.current.write() = None;
        self.sign_in(desk, &mut gate, true).await.map(Some)
    }

    fn get(&self) -> Option<Arc<Token>> {
        self.current.read().clone()
    }

    async fn enter<'a>(
        &'a self,
        desk: &Desk<'_>,
    ) -> Result<tokio::sync::MutexGuard<'a, Option<(BackendError, Instant)>>, BackendError> {
        let waiting = tokio::time::timeout_at(desk.deadline, self.gate.lock());
        waiting
            .await
            .map_err(|_| BackendError::new(Kind::TimedOut, "signing in to Citrix took too long"))
    }

    async fn sign_in(
        &self,
        desk: &Desk<'_>,
        last: &mut Option<(BackendError, Instant)>,
        replaces_refused: bool,
    ) -> Result<Arc<Token>, BackendError> {
        if let Some((error, until)) = last
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        let result = desk.ask().await;
        let outcome = if result.is_ok() { "ok" } else { "failed" };
        metrics::counter!(
            "curfew_citrix_sign_ins_total",
            "backend" => desk.settings.id.to_string(),
            "outcome" => outcome,
        )
        .increment(1);
        match result {
            Ok((header, life)) => {
                *last = None;
                let token = Arc::new(Token {
                    header,
                    issued: Instant::now(),
                    life,
                    replaces_refused,
                    proven: AtomicBool::new(false),
                });
                *self.current.write() = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                let pause = match error.kind {
                    // Whoever waited had little time left; the next may have more.
                    Kind::TimedOut => Duration::ZERO,
                    Kind::Unavailable => REMEMBER_OUTAGE,
                    Kind::RateLimited { retry_after } => retry_after
                        .unwrap_or_default()
                        .clamp(REMEMBER_REFUSAL, LONGEST_PAUSE),
                    _ => REMEMBER_REFUSAL,
                };
                *last = Some((error.clone(), Instant::now() + pause));
                Err(error)
            }
        }
    }
}

impl Desk<'_> {
    async fn ask(&self) -> Result<(HeaderValue, Duration), BackendError> {
        let settings = self.settings;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (url, body) = match &settings.credentials {
            Credentials::Client { id, secret } => {
                headers.insert(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/x-www-form-urlencoded"),
                );
                let url = format!(
                    "{}/cctrustoauth2/{}/tokens/clients",
                    settings.origin, settings.customer
                );
                (url, client_form(id, secret))
            }
            Credentials::Admin { name, password } => {
                headers.insert(AUTHORIZATION, basic(name, password)?);
                (format!("{}/cvad/manage/Tokens", settings.origin), Bytes::new())
            }
        };
        let call = Call {
            operation: "sign_in",
            purpose: Purpose::Read,
            method: Method::POST,
            url: &url,
            headers,
            body: Some(body),
            cap: BODY_CAP,
            deadline: self.deadline.min(Instant::now() + SIGN_IN_TIMEOUT),
        };
        let answer = self.http.send(call).await.map_err(failed_to_ask)?;
        let reply = Reply::new(answer, self.clock.now());
        if !reply.status.is_success() {
            return Err(refusal(reply));
        }
        let (body, evidence) = reply.into_body()?;
        let said: wire::TokenAnswer<'_> =
            wire::decode(&body).map_err(|error| super::answer::nonsense(error, evidence.clone()))?;
        // OAuth errors may come with HTTP 200 (the vendor's own client checks for them there).
        if let Some(error) = said.error.get() {
            let kind = match error {
                "temporarily_unavailable" | "server_error" => Kind::Unavailable,
                _ => Kind::Credentials,
            };
            let mut evidence = evidence;
            evidence.native_code = code(error);
            return Err(BackendError::new(kind, SIGN_IN_FAILED).with_evidence(evidence));
        }
        let nonsense = || BackendError::new(Kind::Protocol, "Citrix gave no usable token");
        let token = said
            .access_token
            .get()
            .ok_or_else(|| nonsense().with_evidence(evidence.clone()))?;
        // `CWSAuth bearer=`, with an equals sign; `Bearer` alone is not accepted.
        let header = sensitive(&format!("CWSAuth bearer={token}"))
            .ok_or_else(|| nonsense().with_evidence(evidence.clone()))?;
        Ok((header, self.life(&said)))
    }

    fn life(&self, said: &wire::TokenAnswer<'_>) -> Duration {
        if let Some(seconds) = said.expires_in.0 {
            return Duration::from_secs(seconds.clamp(1, 86_400));
        }
        let Some(text) = said.expires_at.get() else {
            return USUAL_LIFE;
        };
        let at = match DateTime::parse_from_rfc3339(text) {
            Ok(at) => at.to_utc(),
            // The specification calls it a UTC instant, with or without a zone.
            Err(_) => match NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
                Ok(at) => at.and_utc(),
                Err(_) => return USUAL_LIFE,
            },
        };
        match (at - self.clock.now()).to_std() {
            Ok(left) if !left.is_zero() => left.min(Duration::from_secs(86_400)),
            _ => {
                let backend = &self.settings.id;
                tracing::warn!(backend.id = %backend, "A token of `{backend}` ends in the past: compare the clocks");
                SKEWED_LIFE
            }
        }
    }
}

const SIGN_IN_FAILED: &str = "Curfew cannot sign in to Citrix";

fn failed_to_ask(error: TransportError) -> BackendError {
    error.into_backend(Purpose::Read, curfew_core::Evidence::default())
}

fn refusal(reply: Reply) -> BackendError {
    match reply.status.as_u16() {
        400 | 401 | 403 => BackendError::new(Kind::Credentials, SIGN_IN_FAILED).with_evidence(reply.evidence),
        404 => BackendError::new(
            Kind::Protocol,
            "there is no Citrix token service at the configured address",
        )
        .with_evidence(reply.evidence),
        _ => reply.read_error(),
    }
}

fn client_form(id: &SecretString, secret: &SecretString) -> Bytes {
    // Secrets end in `==`: the form encoding is not optional.
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", id.expose_secret())
        .append_pair("client_secret", secret.expose_secret())
        .finish();
    form.into()
}

fn basic(name: &SecretString, password: &SecretString) -> Result<HeaderValue, BackendError> {
    let pair = format!("{}:{}", name.expose_secret(), password.expose_secret());
    sensitive(&format!("Basic {}", STANDARD.encode(pair)))
        .ok_or_else(|| BackendError::new(Kind::Credentials, SIGN_IN_FAILED))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
