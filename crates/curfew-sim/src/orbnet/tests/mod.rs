//! What the simulator promises, asked through its public door by a raw client.

mod control;
mod documents;
mod faults;

use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::{OrbnetSim, OrbnetSimConfig};

const LIST: &str = "query getOnlineSessions($userId: Int!) { getOnlineSessions(userId: $userId) { id sessionId \
                    nasIpAddress nasPortId nasPortType startTime connectInfoStart callingStationId \
                    framedIpAddress } }";
const DISCONNECT: &str = "mutation disconnectBySessionId($onlineSessionId: String!) { \
                          disconnectBySessionId(onlineSessionId: $onlineSessionId) }";

/// A simulator with a client.
struct Desk {
    sim: OrbnetSim,
    http: Client,
}

impl Desk {
    async fn open(config: OrbnetSimConfig) -> Self {
        Self {
            sim: OrbnetSim::start(config).await.expect("the simulator starts"),
            http: client(),
        }
    }

    async fn send(&self, token: &str, body: &Value) -> reqwest::Result<Response> {
        let request = self.http.post(self.sim.url()).bearer_auth(token).json(body);
        request.send().await
    }

    /// Status and body of an answer to the admin.
    async fn ask(&self, query: &str, variables: Value) -> (u16, Value) {
        self.ask_as(self.sim.token(), query, variables).await
    }

    async fn ask_as(&self, token: &str, query: &str, variables: Value) -> (u16, Value) {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.send(token, &body).await.expect("the simulator answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("it answers in JSON"))
    }

    async fn list(&self, user: i32) -> (u16, Value) {
        self.ask(LIST, json!({ "userId": user })).await
    }

    async fn disconnect(&self, session: &str) -> (u16, Value) {
        self.ask(DISCONNECT, json!({ "onlineSessionId": session })).await
    }

    /// The first session: `sessionId` and `id`.
    fn first(&self) -> (String, String) {
        let session = self.sim.sessions().swap_remove(0);
        (session.session_id, session.id)
    }
}

fn client() -> Client {
    // An error means that another test was faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(Duration::from_secs(20))
        .build()
        .expect("the client is built")
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
}
