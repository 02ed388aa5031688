//! An agent for a fake host, behind TLS on a free port, and a gateway's client.
//!
//! Invariant: the agent's clock moves only when the test moves it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use curfew_agent::listen::serve;
use curfew_agent::platform::{FakePlatform, Platform};
use curfew_agent::{Agent, AgentSettings, Verb};
use curfew_agent_api::tls::{agent_config, gateway_config};
use curfew_agent_api::{ActAnswer, HostSession, Problem, ProblemCode, SessionAnswer, SessionList};
use curfew_core::Clock;
use curfew_core::fakes::MockClock;
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::pki::{Authority, Issued, domain};

pub const HOST: &str = "TERM04";
/// The server name that a gateway uses for [`HOST`].
pub const SERVER_NAME: &str = "term04";

pub struct Stage {
    pub fake: Arc<FakePlatform>,
    pub clock: Arc<MockClock>,
    pub agent: Arc<Agent>,
    pub address: SocketAddr,
    pub authority: Authority,
    pub gateway: Issued,
    client: reqwest::Client,
    operations: AtomicU32,
    stop: DropGuard,
}

/// An agent with the settings of the default.
pub async fn stage() -> Stage {
    stage_with(|_| {}).await
}

/// An agent with other settings.
pub async fn stage_with(change: impl FnOnce(&mut AgentSettings)) -> Stage {
    let clock = Arc::new(MockClock::default());
    let fake = Arc::new(FakePlatform::new(HOST, Arc::clone(&clock) as _));
    let platform = Arc::clone(&fake) as Arc<dyn Platform>;
    Stage::new(change, fake, platform, clock).await
}

/// An agent for a platform of its own.
pub async fn stage_on(platform: impl Platform) -> Stage {
    let clock = Arc::new(MockClock::default());
    let fake = Arc::new(FakePlatform::new(HOST, Arc::clone(&clock) as _));
    Stage::new(|_| {}, fake, Arc::new(platform), clock).await
}

impl Stage {
    async fn new(
        change: impl FnOnce(&mut AgentSettings),
        fake: Arc<FakePlatform>,
        platform: Arc<dyn Platform>,
        clock: Arc<MockClock>,
    ) -> Self {
        let mut settings = AgentSettings::new(HOST);
        change(&mut settings);
        let agent = Agent::new(settings, platform, Arc::clone(&clock) as _);
        let authority = Authority::new("agents of a test");
        let identity = authority.issue(&domain().agent(HOST)).identity();
        let tls = agent_config(&domain(), &authority.pem(), identity).expect("the agent's TLS");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("its address");
        let stop = CancellationToken::new();
        let router = agent.router();
        tokio::spawn(serve(listener, Arc::new(tls), Arc::new(router), stop.clone()));
        let gateway = authority.issue(&domain().gateway());
        let tls = gateway_config(&domain(), &authority.pem(), gateway.identity()).expect("the gateway's TLS");
        Self {
            client: client(tls, address),
            fake,
            clock,
            agent,
            address,
            authority,
            gateway,
            operations: AtomicU32::new(0),
            stop: stop.drop_guard(),
        }
    }

    /// Tells the listener to stop.
    pub fn stop(&self) {
        self.stop.token().cancel();
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{SERVER_NAME}:{}{path}", self.address.port())
    }

    pub async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Response {
        self.client
            .request(method, self.url(path))
            .body(body)
            .send()
            .await
            .expect("the agent answers")
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, "").await
    }

    pub async fn list(&self) -> SessionList {
        read(self.get("/v1/sessions").await).await
    }

    pub async fn session(&self, number: u32) -> HostSession {
        let answer: SessionAnswer = read(self.get(&format!("/v1/sessions/{number}")).await).await;
        answer.session
    }

    /// The body of an act on a session as it is now, as an operation of its own.
    pub async fn request(&self, number: u32) -> Value {
        let generation = self.session(number).await.generation;
        self.request_for(&generation)
    }

    /// The body of an act on a generation, as an operation of its own.
    pub fn request_for(&self, generation: &str) -> Value {
        let operation = self.operations.fetch_add(1, Ordering::Relaxed);
        json!({
            "generation": generation,
            "notAfter": self.clock.now() + TimeDelta::seconds(15),
            "operation": format!("operation-{operation}"),
            "attempt": 1,
            "onBehalf": { "issuer": "https://id.corp.example", "subject": "0a1b", "name": "Dana Operator" },
            "reason": "patching tonight",
        })
    }

    pub async fn post(&self, number: impl std::fmt::Display, verb: Verb, body: &Value) -> Response {
        let path = format!("/v1/sessions/{number}/{}", verb.as_str());
        self.send(Method::POST, &path, body.to_string()).await
    }

    /// Asks for an act and expects that it is taken.
    pub async fn act(&self, number: u32, verb: Verb, body: &Value) -> ActAnswer {
        read(self.post(number, verb, body).await).await
    }

    /// Asks for an act and expects a refusal.
    pub async fn refused(&self, number: impl std::fmt::Display, verb: Verb, body: &Value) -> Problem {
        problem(self.post(number, verb, body).await).await
    }
}

pub fn client(tls: rustls::ClientConfig, address: SocketAddr) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .resolve(SERVER_NAME, address)
        .no_proxy()
        .build()
        .expect("a client")
}

/// The body of a success.
pub async fn read<T: DeserializeOwned>(response: Response) -> T {
    let status = response.status();
    let text = response.text().await.expect("a body");
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).expect("a body of the contract")
}

/// The body of a refusal, whose status must be that of its code.
pub async fn problem(response: Response) -> Problem {
    let status = response.status();
    let kind = response.headers().get("content-type").cloned();
    let text = response.text().await.expect("a body");
    let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
    assert_eq!(status.as_u16(), problem.code.status(), "{text}");
    assert_eq!(kind.expect("a content type"), "application/json");
    assert_ne!(problem.code, ProblemCode::Unknown, "{text}");
    problem
}

/// Waits until something is so; a test that waits in vain fails.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never came: {what}"));
}
