//! What the simulator promises, asked through its public door by a raw client.

mod acts;
mod auth;
mod chaos;
mod control;
mod faults;
mod reads;

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use uuid::Uuid;

use super::{CitrixSim, CitrixSimConfig, Flavour};

/// A simulator with a signed-in client.
struct Desk {
    sim: CitrixSim,
    http: Client,
    token: String,
}

impl Desk {
    async fn open(config: CitrixSimConfig) -> Self {
        let sim = CitrixSim::start(config).await.expect("the simulator starts");
        let http = client();
        let (name, secret) = match sim.config().flavour {
            Flavour::Cloud => (sim.config().client_id.clone(), sim.config().client_secret.clone()),
            Flavour::OnPrem => (sim.config().username.clone(), sim.config().password.clone()),
        };
        let mut desk = Self {
            sim,
            http,
            token: String::new(),
        };
        desk.token = desk.sign_in(&name, &secret).await.1;
        desk
    }

    /// Asks for a token: the status, and the token if there is one.
    async fn sign_in(&self, name: &str, secret: &str) -> (u16, String) {
        let config = self.sim.config();
        let request = match config.flavour {
            Flavour::Cloud => {
                let url = format!(
                    "{}/cctrustoauth2/{}/tokens/clients",
                    self.sim.url(),
                    config.customer
                );
                self.http.post(url).form(&[
                    ("grant_type", "client_credentials"),
                    ("client_id", name),
                    ("client_secret", secret),
                ])
            }
            Flavour::OnPrem => self
                .http
                .post(format!("{}/cvad/manage/Tokens", self.sim.url()))
                .basic_auth(name, Some(secret)),
        };
        let response = request.send().await.expect("the token endpoint answers");
        let status = response.status().as_u16();
        let body: Value = response.json().await.expect("it answers in JSON");
        let token = ["access_token", "Token", "token"]
            .iter()
            .find_map(|name| body[*name].as_str());
        (status, token.unwrap_or_default().to_owned())
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}/cvad/manage/{path}", self.sim.url()))
            .header("Authorization", format!("CWSAuth bearer={}", self.token))
            .header("Citrix-CustomerId", self.sim.customer_id())
            .header("Citrix-InstanceId", &self.sim.config().site)
    }

    async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path)
            .send()
            .await
            .expect("the simulator answers")
    }

    async fn post(&self, path: &str) -> Response {
        self.request(Method::POST, path)
            .send()
            .await
            .expect("the simulator answers")
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("it answers in JSON")
    }

    async fn status(&self, path: &str) -> u16 {
        self.get(path).await.status().as_u16()
    }

    fn first(&self) -> Uuid {
        self.sim.session_ids()[0]
    }
}

fn client() -> Client {
    // An error means that another test was faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .expect("the client is built")
}

fn job_path(response: &Response) -> String {
    let location = response.headers()["location"]
        .to_str()
        .expect("an ASCII location");
    format!("Jobs/{}", location.rsplit('/').next().expect("a last segment"))
}
