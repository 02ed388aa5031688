//! One call of an agent: address, connection, evidence.
//!
//! Not here: what an answer means (`answer.rs`), which host is asked when (`reads.rs`).
//! Invariant: an act is sent once, over a connection of its own; a read may be asked once more if its connection broke.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use curfew_core::{BackendError, BackendId, Clock, Evidence};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::{Reply, unanswered};
use super::config::Settings;
use super::host::Host;
use crate::http::{Call, HttpClient, HttpError, HttpOptions, Names, Purpose, TransportError, Trust, millis};

/// Longest listing of one host, in bytes: some five thousand sessions.
pub(super) const LIST_CAP: usize = 4 << 20;
/// Longest other answer, in bytes.
pub(super) const ANSWER_CAP: usize = 64 << 10;
/// How many silent hosts are probed at the same time.
const PROBES: usize = 16;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The hosts of a backend, and the one client for all of them.
pub(super) struct Fleet {
    pub(super) id: BackendId,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hosts: Vec<Host>,
    by_name: HashMap<String, usize>,
    pub(super) host_timeout: Duration,
    pub(super) act_timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) probes: Semaphore,
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
        Ok(Self {
            by_name: by_name.map(|(at, host)| (host.name.clone(), at)).collect(),
            hosts: settings.hosts.iter().map(Host::new).collect(),
            id: settings.id,
            clock,
            host_timeout: settings.host_timeout,
            act_timeout: settings.act_timeout,
            concurrency: settings.concurrency,
            probes: Semaphore::new(PROBES),
            stop: CancellationToken::new(),
            http,
        })
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
        operation: &'static str,
        path: &str,
        cap: usize,
        deadline: Instant,
    ) -> Result<Reply, BackendError> {
        let url = host.url(path);
        let began = Instant::now();
        let mut again = true;
        loop {
            let call = Call {
                operation,
                purpose: Purpose::Read,
                method: Method::GET,
                url: &url,
                headers: HeaderMap::from_iter([(ACCEPT, JSON)]),
                body: None,
                cap,
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
