//! What the fleet promises, asked through its public door: mutual TLS as a gateway speaks it.

mod acts;
mod chaos;
mod connections;
mod control;
mod faults;
mod reads;

use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use curfew_agent_api::{ActRequest, HostSession, OnBehalf, SessionAnswer, SessionList};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{FleetSim, FleetSimConfig};
use crate::clock;

/// A fleet with a gateway's client.
struct Desk {
    sim: FleetSim,
    http: Client,
}

impl Desk {
    async fn open(config: FleetSimConfig) -> Self {
        let sim = FleetSim::start(config).await.expect("the fleet starts");
        let http = client(&sim, sim.gateway_tls().expect("a gateway's TLS"));
        Self { sim, http }
    }

    fn url(&self, host: &str, path: &str) -> String {
        let port = self.sim.address().port();
        format!("https://{}:{port}/v1/{path}", host.to_ascii_lowercase())
    }

    fn get(&self, host: &str, path: &str) -> RequestBuilder {
        self.http.get(self.url(host, path))
    }

    async fn status(&self, host: &str, path: &str) -> u16 {
        let sent = self.get(host, path).send().await;
        sent.expect("the host answers").status().as_u16()
    }

    async fn json(&self, host: &str, path: &str) -> Value {
        let sent = self.get(host, path).send().await.expect("the host answers");
        sent.json().await.expect("it answers in JSON")
    }

    async fn list(&self, host: &str) -> SessionList {
        serde_json::from_value(self.json(host, "sessions").await).expect("a list")
    }

    async fn read(&self, host: &str, number: u32) -> SessionAnswer {
        let answer = self.json(host, &format!("sessions/{number}")).await;
        serde_json::from_value(answer).expect("a session")
    }

    /// A session that somebody uses, and that is not the console's.
    async fn active(&self, host: &str) -> HostSession {
        let number = self
            .sim
            .add_session(host, "CORP\\zoe")
            .expect("there is the host");
        self.read(host, number).await.session
    }

    fn act(&self, host: &str, session: &HostSession, verb: &str) -> RequestBuilder {
        let path = format!("sessions/{}/{verb}", session.number);
        let request = request(session, clock::fresh_id().to_string());
        self.http.post(self.url(host, &path)).json(&request)
    }
}

fn request(session: &HostSession, operation: String) -> Value {
    let request = ActRequest {
        generation: session.generation.clone(),
        not_after: clock::now() + TimeDelta::minutes(1),
        operation,
        attempt: 1,
        on_behalf: OnBehalf {
            issuer: "https://login.example".to_owned(),
            subject: "7".to_owned(),
            name: "Olga Operator".to_owned(),
        },
        reason: Some("maintenance".to_owned()),
        ticket: None,
        message: None,
    };
    json!(request)
}

fn client(sim: &FleetSim, tls: rustls::ClientConfig) -> Client {
    let address = SocketAddr::new(sim.address().ip(), 0);
    let builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .timeout(Duration::from_secs(20));
    let names = sim.hosts().into_iter().map(|name| name.to_ascii_lowercase());
    let builder = names
        .chain(["unknown-host".to_owned()])
        .fold(builder, |builder, name| builder.resolve(&name, address));
    builder.build().expect("the client is built")
}

async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}
