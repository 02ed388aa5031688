//! Answers that stand in for the agent's, and changes to those that it gave.
//!
//! Not the decision which. Invariant: a change touches the body alone; the status stays.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use curfew_agent_api::{Problem, ProblemCode};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::response::Parts;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::bodies;

/// The largest body that is read, of requests and of answers.
pub(crate) const BODY_LIMIT: usize = 16 << 20;

const ENDLESS_ROW: &str =
    r#"{"number":2,"generation":"0000000000000000","state":"ACTIVE","protocol":"RDP","user":"x"},"#;

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    parts: Parts,
    body: Bytes,
}

impl Answer {
    /// Reads an answer to its end.
    pub(crate) async fn read(response: Response) -> Result<Self, axum::Error> {
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, BODY_LIMIT).await?;
        Ok(Self { parts, body })
    }

    fn new(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = status;
        // A fault may ask for a type that HTTP cannot carry; it is left out.
        if let Ok(value) = HeaderValue::try_from(content_type) {
            parts.headers.insert(CONTENT_TYPE, value);
        }
        let body = body.into();
        Self { parts, body }
    }

    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::new(status, "application/json", value.to_string())
    }

    pub(crate) fn text(status: StatusCode, content_type: &str, text: String) -> Self {
        Self::new(status, content_type, text)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        let mut answer = Self::new(status, "", Bytes::new());
        answer.parts.headers.clear();
        answer
    }

    pub(crate) fn html(status: StatusCode) -> Self {
        Self::new(status, "text/html", bodies::html(status))
    }

    /// The agent's refusal of this code, with the status that goes with it.
    pub(crate) fn problem(code: ProblemCode, retry_after_ms: Option<u64>) -> Self {
        let problem = Problem {
            code,
            message: "The simulator was told to answer so; nothing was done.".to_owned(),
            win32: None,
            retry_after_ms,
        };
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::json(status, &json!(problem))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let header = http::HeaderName::try_from(name)
            .ok()
            .zip(HeaderValue::try_from(value).ok());
        // A fault may ask for a header that HTTP cannot carry; it is left out.
        if let Some((name, value)) = header {
            self.parts.headers.insert(name, value);
        }
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.parts.status
    }

    /// The body as `T`, if it is one.
    pub(crate) fn body<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// Changes the JSON in the body; of a body that is none nothing changes.
    pub(crate) fn change(mut self, change: impl FnOnce(&mut Value)) -> Self {
        if let Some(mut value) = self.body::<Value>() {
            change(&mut value);
            self.body = Bytes::from(value.to_string());
        }
        self
    }

    pub(crate) fn into_response(mut self) -> Response {
        // The body may have been changed since the length was written.
        self.parts.headers.remove(CONTENT_LENGTH);
        Response::from_parts(self.parts, Body::from(self.body))
    }

    /// The head and half of the body; then the connection breaks.
    pub(crate) fn into_half(mut self) -> Response {
        let length = HeaderValue::from(self.body.len());
        self.parts.headers.insert(CONTENT_LENGTH, length);
        Response::from_parts(self.parts, bodies::half(&self.body))
    }
}

/// 200 with a list that never ends.
pub(crate) fn endless() -> Response {
    let mut response = Response::new(bodies::endless(r#"{"sessions":["#, ENDLESS_ROW));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// JSON that has the members of every answer, each of another type.
pub(crate) fn wrong_types() -> Answer {
    let body = json!({
        "host": "TERM", "sessions": { "number": "two" }, "session": [2], "result": 7, "apiVersions": "1",
    });
    Answer::json(StatusCode::OK, &body)
}

/// Gives sessions in an answer words that no client knows.
pub(crate) fn garble(answer: &mut Value) {
    let garble = |session: &mut Value| {
        if let Some(session) = session.as_object_mut() {
            session.insert("state".to_owned(), json!("HIBERNATING"));
            session.insert("protocol".to_owned(), json!("SMOKE_SIGNALS"));
            session.insert("addedLater".to_owned(), json!({ "by": ["version", 9] }));
        }
    };
    if let Some(session) = answer.get_mut("session") {
        garble(session);
    }
    if let Some(sessions) = answer.get_mut("sessions").and_then(Value::as_array_mut) {
        sessions.iter_mut().for_each(garble);
    }
    if let Some(result) = answer.get_mut("result") {
        *result = json!("DONE_OTHERWISE");
    }
}
