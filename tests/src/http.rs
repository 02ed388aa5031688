//! A caller of the GraphQL door.
//!
//! Not a GraphQL client: documents are text. Invariant: nothing is followed, repeated or hidden; a [`Reply`] is what
//! came over the wire.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// A client without redirects and proxies, and with a generous limit of time.
///
/// # Panics
/// If it cannot be built.
pub fn http_client() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .timeout(Duration::from_secs(120))
        .build()
        .expect("the client is built")
}

/// Somebody who calls the door, with a token or without.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null if it is none.
    pub body: Value,
}

impl Client {
    /// Calls `url`, with `token` if there is one.
    pub fn new(http: &reqwest::Client, url: &str, token: Option<String>) -> Self {
        Self {
            http: http.clone(),
            url: url.to_owned(),
            token,
        }
    }

    /// The same place, with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// A bare request with the token.
    pub fn request(&self, method: Method) -> RequestBuilder {
        let request = self.http.request(method, &self.url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends one document as most clients do: by POST, as JSON.
    pub async fn query(&self, document: &str, variables: Value) -> Reply {
        Reply::of(self.post(&json!({ "query": document, "variables": variables }))).await
    }

    /// As [`Client::query`], with an `Accept` of the caller's.
    pub async fn query_accepting(&self, accept: &str, document: &str, variables: Value) -> Reply {
        let body = json!({ "query": document, "variables": variables });
        Reply::of(self.post(&body).header(ACCEPT, accept)).await
    }

    /// Sends a body as JSON.
    pub fn post(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string())
    }

    /// The data of a document that must run without an error.
    ///
    /// # Panics
    /// If it does not.
    pub async fn data(&self, document: &str, variables: Value) -> Value {
        let reply = self.query(document, variables).await;
        assert_eq!(
            (reply.status, &reply.body["errors"]),
            (200, &Value::Null),
            "{document} was not answered: {}",
            reply.text
        );
        reply.body["data"].clone()
    }
}

impl Reply {
    /// Sends a request.
    ///
    /// # Panics
    /// If no answer comes.
    pub async fn of(request: RequestBuilder) -> Self {
        Self::try_of(request).await.expect("an answer")
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If no answer comes.
    pub async fn try_of(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        })
    }

    /// The code of the first error; empty if there is none.
    pub fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
    }

    /// The message of the first error; empty if there is none.
    pub fn message(&self) -> &str {
        self.body["errors"][0]["message"].as_str().unwrap_or_default()
    }

    /// Status and code, as most tests compare them.
    pub fn verdict(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|it| it.to_str().ok());
        value.unwrap_or_default()
    }
}
