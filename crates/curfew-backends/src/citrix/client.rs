//! One call of the vendor's API: address, headers, token, site, the single repetition after a 401, and waking a
//! frozen site.
//!
//! Not here: what an answer means (`answer.rs`, `reads.rs`, `acts.rs`).
//! Invariant: an act is sent once, and once more only if the site refused it with 401; whatever fails before it
//! is sent is `Unavailable`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use curfew_core::{BackendError, BackendErrorKind as Kind, Clock, Evidence, PartName, Timestamp};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::answer::{FROZEN, Reply, SITE_FROZEN, nonsense};
use super::auth::{Desk, Token, Tokens};
use super::config::{Credentials, Settings, is_identifier};
use super::map::Frame;
use super::wire;
use crate::http::{BODY_CAP, Call, HttpClient, HttpError, HttpOptions, Names, Purpose, Trust, millis};

/// How long one reading request may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// First and longest pause between two looks at a site that is waking up.
const WAKE_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// How often a frozen site is asked to wake up.
const ACTIVATION_INTERVAL: Duration = Duration::from_secs(30);

const CUSTOMER_ID: HeaderName = HeaderName::from_static("citrix-customerid");
const INSTANCE_ID: HeaderName = HeaderName::from_static("citrix-instanceid");
const TRANSACTION_ID: HeaderName = HeaderName::from_static("citrix-transactionid");

/// The site's door.
pub(super) struct Client {
    pub(super) settings: Settings,
    pub(super) frame: Frame,
    pub(super) clock: Arc<dyn Clock>,
    http: HttpClient,
    tokens: Tokens,
    site: OnceCell<Site>,
    activated: Mutex<Option<Instant>>,
}

/// The site that all calls but `/me` are about.
#[derive(Debug, Clone)]
pub(super) struct Site {
    id: HeaderValue,
}

/// What `/me` says.
#[derive(Debug)]
pub(super) struct Me {
    /// Who we are.
    pub(super) who: Option<String>,
    /// Id and name of each site of our customer.
    pub(super) sites: Vec<(String, Option<String>)>,
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) operation: &'static str,
    pub(super) purpose: Purpose,
    pub(super) method: Method,
    /// Behind `/cvad/manage/`.
    pub(super) path: String,
    pub(super) body: Option<Bytes>,
    pub(super) cap: usize,
    pub(super) deadline: Instant,
    /// Nothing is sent after this instant.
    pub(super) not_after: Option<Timestamp>,
}

impl Ask {
    /// A read.
    pub(super) fn get(operation: &'static str, path: String, deadline: Instant) -> Self {
        Self {
            operation,
            purpose: Purpose::Read,
            method: Method::GET,
            path,
            body: None,
            cap: BODY_CAP,
            deadline,
            not_after: None,
        }
    }

    /// What a failure before sending is to this call.
    fn unsent(&self, error: BackendError) -> BackendError {
        match self.purpose {
            Purpose::Read => error,
            Purpose::Act => BackendError {
                kind: Kind::Unavailable,
                public: format!("{}; nothing was sent", error.public),
                ..error
            },
        }
    }
}

impl Client {
    pub(super) fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, HttpError> {
        let http = HttpClient::new(&HttpOptions {
            backend: &settings.id,
            loopback: settings.loopback,
            base: &settings.base,
            trust: Trust::of(settings.ca.as_deref()),
            names: Names::System,
        })?;
        let frame = Frame {
            backend: settings.id.clone(),
            part: PartName::new("site"),
            zone_less: settings.zone_less,
        };
        // The configuration has been checked: a site id is a valid header.
        let site = settings
            .site
            .as_deref()
            .and_then(|id| HeaderValue::from_str(id).ok());
        Ok(Self {
            settings,
            frame,
            clock,
            http,
            tokens: Tokens::new(),
            site: OnceCell::new_with(site.map(|id| Site { id })),
            activated: Mutex::new(None),
        })
    }

    /// A read; wakes a frozen site and waits for it as long as the deadline allows.
    pub(super) async fn read(&self, ask: Ask) -> Result<Reply, BackendError> {
        let site = self.site(ask.deadline).await?;
        self.awake(&ask, Some(&site)).await
    }

    /// An act.
    pub(super) async fn act(&self, ask: Ask) -> Result<Reply, BackendError> {
        let site = self.site(ask.deadline).await.map_err(|error| ask.unsent(error))?;
        self.call(&ask, Some(&site)).await
    }

    /// `GET /me`: who we are and which sites there are.
    pub(super) async fn me(&self, deadline: Instant) -> Result<(Me, Evidence), BackendError> {
        let reply = self
            .awake(&Ask::get("me", "me".to_owned(), deadline), None)
            .await?;
        if reply.status != StatusCode::OK {
            return Err(reply.read_error());
        }
        let (body, evidence) = reply.into_body()?;
        let me: wire::Me<'_> = wire::decode(&body).map_err(|error| nonsense(error, evidence.clone()))?;
        let customers = &me.customers.0;
        let ours = |customer: &&wire::Customer<'_>| {
            customer
                .id
                .get()
                .is_some_and(|id| id.eq_ignore_ascii_case(&self.settings.customer))
        };
        // A partner's account may see other customers too; theirs is not our site.
        let only = customers.first().filter(|_| customers.len() == 1);
        let sites = customers
            .iter()
            .find(ours)
            .or(only)
            .map(|customer| &*customer.sites.0)
            .unwrap_or_default()
            .iter()
            .filter_map(|site| Some((site.id.get()?.to_owned(), site.name.get().map(str::to_owned))))
            .filter(|(id, _)| is_identifier(id))
            .collect();
        let who = me.display_name.get().map(str::to_owned);
        Ok((Me { who, sites }, evidence))
    }

    async fn site(&self, deadline: Instant) -> Result<Site, BackendError> {
        let look = async || {
            let (me, evidence) = self.me(deadline).await?;
            let public = match &*me.sites {
                [(id, _)] => {
                    if let Ok(id) = HeaderValue::from_str(id) {
                        return Ok(Site { id });
                    }
                    "Citrix gave a site id that cannot be used".to_owned()
                }
                [] => "Citrix lists no site of this customer for this account: give it rights there, or set `site`"
                    .to_owned(),
                several => {
                    format!(
                        "Citrix lists {} sites for this account: set `site` to one of them",
                        several.len()
                    )
                }
            };
            Err(BackendError::new(Kind::Denied, public).with_evidence(evidence))
        };
        // The look-up is boxed: it is rare, and every call's future would carry it otherwise. Whoever waits for
        // another's look-up waits no longer than its own deadline.
        let found = self.site.get_or_try_init(|| Box::pin(look()));
        match tokio::time::timeout_at(deadline, found).await {
            Ok(found) => found.cloned(),
            Err(_) => Err(BackendError::new(
                Kind::TimedOut,
                "looking up the Citrix site took too long",
            )),
        }
    }

    async fn awake(&self, ask: &Ask, site: Option<&Site>) -> Result<Reply, BackendError> {
        let (mut pause, longest) = WAKE_PAUSES;
        let mut waking = false;
        loop {
            let reply = self.call(ask, site).await?;
            let status = reply.status.as_u16();
            // While a site wakes up, what stands before it answers 502 to 504 too.
            let asleep = status == SITE_FROZEN || waking && (502..=504).contains(&status);
            let cloud = matches!(self.settings.credentials, Credentials::Client { .. });
            if !asleep || !cloud {
                return Ok(reply);
            }
            waking = true;
            self.activate(ask.deadline).await;
            if Instant::now() + pause >= ask.deadline {
                return Err(BackendError::new(Kind::Unavailable, FROZEN).with_evidence(reply.evidence));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Asks a frozen site to wake up, as the vendor's own client does. Its answer decides nothing.
    async fn activate(&self, deadline: Instant) {
        {
            let mut activated = self.activated.lock();
            if activated.is_some_and(|at| at.elapsed() < ACTIVATION_INTERVAL) {
                return;
            }
            *activated = Some(Instant::now());
        }
        let backend = &self.settings.id;
        tracing::info!(backend.id = %backend, "The site of `{backend}` is frozen; asking it to wake up");
        let Ok(token) = self.tokens.current(&self.desk(deadline)).await else {
            return;
        };
        let customer = &self.settings.customer;
        let path = format!("resourceprovider/{customer}/site/activation?customerId={customer}");
        let url = format!("{}/{path}", self.settings.origin);
        let ask = Ask {
            method: Method::POST,
            body: Some(Bytes::new()),
            ..Ask::get("activate", path, deadline)
        };
        match self.send(&ask, &url, &token, None).await {
            Ok(reply) if reply.status.is_success() => {}
            Ok(reply) => tracing::warn!(
                backend.id = %backend,
                status = reply.status.as_u16(),
                "The site of `{backend}` could not be asked to wake up",
            ),
            Err(error) => tracing::warn!(
                backend.id = %backend,
                %error,
                "The site of `{backend}` could not be asked to wake up",
            ),
        }
    }

    async fn call(&self, ask: &Ask, site: Option<&Site>) -> Result<Reply, BackendError> {
        let desk = self.desk(ask.deadline);
        let url = format!("{}/cvad/manage/{}", self.settings.origin, ask.path);
        let token = self
            .tokens
            .current(&desk)
            .await
            .map_err(|error| ask.unsent(error))?;
        let reply = self.send(ask, &url, &token, site).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            token.prove();
            return Ok(reply);
        }
        // Refused for its token: it was not carried out, so it may go once more with another.
        let token = match self.tokens.renew(&token, &desk).await {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(reply),
            Err(error) if error.kind == Kind::Credentials => return Err(error),
            Err(error) => return Err(ask.unsent(error)),
        };
        let reply = self.send(ask, &url, &token, site).await?;
        if reply.status != StatusCode::UNAUTHORIZED {
            token.prove();
        }
        Ok(reply)
    }

    async fn send(
        &self,
        ask: &Ask,
        url: &str,
        token: &Token,
        site: Option<&Site>,
    ) -> Result<Reply, BackendError> {
        if ask
            .not_after
            .is_some_and(|not_after| self.clock.now() > not_after)
        {
            let late = "the act came too late and was not sent";
            return Err(BackendError::new(Kind::Unavailable, late));
        }
        let left = ask.deadline.saturating_duration_since(Instant::now());
        if ask.purpose == Purpose::Act && left < self.settings.act_timeout / 4 {
            // Signing in has eaten the budget: an answer could hardly be waited for any more.
            let late = "no time was left for the act and it was not sent";
            return Err(BackendError::new(Kind::Unavailable, late));
        }
        let transaction = self.clock.uuid().to_string();
        let mut headers = HeaderMap::with_capacity(7);
        headers.insert(AUTHORIZATION, token.header.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in [
            (CUSTOMER_ID, &self.settings.customer),
            (TRANSACTION_ID, &transaction),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        if let Some(site) = site {
            headers.insert(INSTANCE_ID, site.id.clone());
        }
        if ask.body.as_ref().is_some_and(|body| !body.is_empty()) {
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
        }
        let started = Instant::now();
        let deadline = match ask.purpose {
            Purpose::Read => ask.deadline.min(started + READ_TIMEOUT),
            Purpose::Act => ask.deadline,
        };
        let call = Call {
            operation: ask.operation,
            purpose: ask.purpose,
            method: ask.method.clone(),
            url,
            headers,
            body: ask.body.clone(),
            cap: ask.cap,
            deadline,
        };
        match self.http.send(call).await {
            Ok(answer) => Ok(Reply::new(answer, self.clock.now())),
            Err(error) => {
                // There is no answer to quote; the id that we sent is what the vendor's support can look for.
                let evidence = Evidence {
                    transaction_id: Some(transaction),
                    latency_ms: Some(millis(started.elapsed())),
                    ..Evidence::default()
                };
                Err(error.into_backend(ask.purpose, evidence))
            }
        }
    }

    fn desk(&self, deadline: Instant) -> Desk<'_> {
        Desk {
            http: &self.http,
            settings: &self.settings,
            clock: &*self.clock,
            deadline,
        }
    }
}
