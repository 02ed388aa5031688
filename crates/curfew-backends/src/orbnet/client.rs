//! One call: the document, the token, the evidence.
//!
//! Not here: what a call is for (`reads.rs`, `acts.rs`) and what its answer means (`answer.rs`).
//! Invariant: the token goes to the configured endpoint and nowhere else, and nothing is ever sent twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use curfew_core::{BackendError, BackendErrorKind as Kind, Clock, Evidence};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;
use tokio::time::Instant;

use super::answer::Reply;
use super::arguments::Arguments;
use super::config::{Settings, User};
use super::pace::Pace;
use super::wire;
use crate::http::{BODY_CAP, Call, HttpClient, HttpError, HttpOptions, Names, Purpose, Trust, millis};

/// How long one read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What is needed to ask OrbNet.
pub(super) struct Client {
    pub(super) settings: Settings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pace: Pace,
    /// The user that the next listing begins with.
    pub(super) first: AtomicUsize,
    /// What stands for whose session.
    pub(super) arguments: Arguments,
    /// Where a user stands in the settings.
    places: HashMap<i32, usize>,
    http: HttpClient,
}

impl Client {
    pub(super) fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, HttpError> {
        let http = HttpClient::new(&HttpOptions {
            backend: &settings.id,
            loopback: settings.loopback,
            base: &settings.url,
            trust: Trust::of(settings.ca.as_deref()),
            names: Names::System,
        })?;
        let users = settings.users.iter().enumerate();
        Ok(Self {
            places: users.map(|(place, user)| (user.id, place)).collect(),
            pace: Pace::new(settings.rate),
            first: AtomicUsize::new(0),
            arguments: Arguments::of(settings.users.len()),
            settings,
            clock,
            http,
        })
    }

    /// A configured user.
    pub(super) fn user(&self, id: i32) -> Option<&User> {
        self.place(id).map(|place| &self.settings.users[place])
    }

    /// Where a configured user stands in the settings.
    pub(super) fn place(&self, id: i32) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// Asks for the sessions of one user.
    pub(super) async fn ask(&self, user: i32, deadline: Instant) -> Result<Reply, BackendError> {
        let request = wire::Request {
            query: wire::LIST,
            variables: wire::ListVariables { user_id: user },
        };
        let deadline = deadline.min(Instant::now() + READ_TIMEOUT);
        self.send("list", Purpose::Read, &request, deadline).await
    }

    /// Asks to end one session.
    pub(super) async fn disconnect(&self, argument: &str, deadline: Instant) -> Result<Reply, BackendError> {
        let request = wire::Request {
            query: wire::DISCONNECT,
            variables: wire::DisconnectVariables {
                online_session_id: argument,
            },
        };
        self.send("disconnect", Purpose::Act, &request, deadline).await
    }

    async fn send(
        &self,
        operation: &'static str,
        purpose: Purpose,
        request: &impl Serialize,
        deadline: Instant,
    ) -> Result<Reply, BackendError> {
        let body = serde_json::to_vec(request).map_err(|error| {
            let source = Box::<dyn std::error::Error + Send + Sync>::from(error);
            let public = "the request cannot be written as JSON; nothing was sent";
            BackendError::new(Kind::Unavailable, public).with_source(source)
        })?;
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, self.settings.authorization.clone()),
            (ACCEPT, json.clone()),
            (CONTENT_TYPE, json),
        ]);
        let started = Instant::now();
        let call = Call {
            operation,
            purpose,
            method: Method::POST,
            url: self.settings.url.as_str(),
            headers,
            body: Some(Bytes::from(body)),
            cap: BODY_CAP,
            deadline,
        };
        match self.http.send(call).await {
            Ok(answer) => {
                let reply = Reply::new(answer, self.clock.now());
                if let Some(pause) = reply.rest() {
                    self.pace.rest(pause);
                }
                Ok(reply)
            }
            Err(error) => {
                let evidence = Evidence {
                    latency_ms: Some(millis(started.elapsed())),
                    ..Evidence::default()
                };
                Err(error.into_backend(purpose, evidence))
            }
        }
    }
}
