//! One call of an agent: address, connection, evidence.
//!
//! Not here: what an answer means (`answer.rs`), which host is asked when (`reads.rs`).
//! Invariant: an act is sent once, over a connection of its own; a read may be asked once more if its connection broke.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use curfew_core::{BackendError, BackendId, Clock, Evidence};
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::{Reply, unanswered};
use super::config::Settings;
use super::health::Reminder;
use super::host::Host;
use crate::http::{Call, HttpClient, HttpError, HttpOptions, Names, Purpose, TransportError, Trust, millis};

/// Longest listing of one host, in bytes: some five thousand sessions.
pub(super) const LIST_CAP: usize = 4 << 20;
/// Longest other answer, in bytes.
const ANSWER_CAP: usize = 64 << 10;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What becomes of the connection of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// It is kept for the next one.
    Keep,
    /// The agent is asked to close it, so that the next read looks at certificates again.
    Close,
}

/// A read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    /// Its name in metrics and traces.
    pub(super) operation: &'static str,
    pub(super) path: &'a str,
    /// Longest answer, in bytes.
    pub(super) cap: usize,
    pub(super) after: After,
}

impl<'a> Read<'a> {
    /// One whose answer is short and whose connection is kept.
    pub(super) fn of(operation: &'static str, path: &'a str) -> Self {
        Self {
            operation,
            path,
            cap: ANSWER_CAP,
            after: After::Keep,
        }
    }
}

/// The hosts of a backend, and the one client for all of them.
pub(super) struct Fleet {
    pub(super) id: BackendId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hosts: Vec<Host>,
    by_name: HashMap<String, usize>,
    pub(super) host_timeout: Duration,
    pub(super) act_timeout: Duration,
    pub(super) concurrency: usize,
    /// The host that the next listing begins with.
    pub(super) first: AtomicUsize,
    pub(super) probes: Semaphore,
    reminder: Reminder,
    /// Ends the probes.
    pub(super) stop: CancellationToken,
    http: HttpClient,
}

impl Fleet {
    pub(super) fn new(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, HttpError> {
        let http = HttpClient::new(&HttpOptions {
            backend: &settings.id,
            loopback: settings.loopback,
            // The configuration has been checked: there is a host.
            base: &settings.hosts[0].base,
            trust: Trust::Mutual(Box::new(settings.tls)),
            names: Names::Configured(settings.names),
        })?;
        let by_name = settings.hosts.iter().enumerate();
        let all = settings.hosts.len() as f64;
        let hosts = settings.hosts.iter().enumerate();
        let ends = settings.certificate_ends_at;
        Ok(Self {
            by_name: by_name.map(|(at, host)| (host.name.clone(), at)).collect(),
            hosts: hosts
                .map(|(at, host)| Host::new(host, (at + 1) as f64 / all))
                .collect(),
            id: settings.id,
            clock,
            host_timeout: settings.host_timeout,
            act_timeout: settings.act_timeout,
            concurrency: settings.concurrency,
            first: AtomicUsize::new(0),
            probes: Semaphore::new(settings.concurrency),
            reminder: Reminder::of(ends.and_then(|ends| DateTime::from_timestamp(ends, 0))),
            stop: CancellationToken::new(),
            http,
        })
    }

    /// Says that our certificate ends soon, if it does and has not been said lately.
    pub(super) fn remind(&self) {
        if let Some(ends) = self.reminder.due(self.clock.now()) {
            tracing::warn!(
                backend.id = %self.id,
                "The certificate of `{}` (`client_cert`) ends {ends}; no host will answer after that", self.id,
            );
        }
    }

    /// The host that is configured under exactly this name.
    pub(super) fn host(&self, name: &str) -> Option<&Host> {
        self.by_name.get(name).map(|at| &self.hosts[*at])
    }

    /// A read. One whose connection broke is asked once more: a kept connection may have died since, and an agent may
    /// have been about to close it.
    pub(super) async fn read(
        &self,
        host: &Host,
        read: Read<'_>,
        deadline: Instant,
    ) -> Result<Reply, BackendError> {
        let url = host.url(read.path);
        let mut headers = HeaderMap::from_iter([(ACCEPT, JSON)]);
        if read.after == After::Close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let began = Instant::now();
        let mut again = true;
        loop {
            let call = Call {
                operation: read.operation,
                purpose: Purpose::Read,
                method: Method::GET,
                url: &url,
                headers: headers.clone(),
                body: None,
                cap: read.cap,
                deadline,
            };
            match self.send(call).await {
                Err(TransportError::Broken(_) | TransportError::Closed(_)) if again => again = false,
                Ok(reply) => return Ok(reply),
                Err(error) => return Err(unanswered(host, error, Purpose::Read, since(began))),
            }
        }
    }

    /// An act.
    pub(super) async fn act(
        &self,
        host: &Host,
        operation: &'static str,
        path: &str,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Reply, BackendError> {
        let call = Call {
            operation,
            purpose: Purpose::Act,
            method: Method::POST,
            url: &host.url(path),
            headers: HeaderMap::from_iter([(ACCEPT, JSON), (CONTENT_TYPE, JSON)]),
            body: Some(body),
            cap: ANSWER_CAP,
            deadline,
        };
        let began = Instant::now();
        let sent = self.send(call).await;
        sent.map_err(|error| unanswered(host, error, Purpose::Act, since(began)))
    }

    async fn send(&self, call: Call<'_>) -> Result<Reply, TransportError> {
        let sent = self.clock.now();
        let answer = self.http.send(call).await?;
        Ok(Reply::new(answer, (sent, self.clock.now())))
    }
}

fn since(began: Instant) -> Evidence {
    Evidence {
        latency_ms: Some(millis(began.elapsed())),
        ..Evidence::default()
    }
}
