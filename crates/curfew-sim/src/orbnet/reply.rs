//! Answers before they become HTTP, and GraphQL errors.
//!
//! Not the decision what to answer. The messages and codes that the vendor documents are its own; the rest (those
//! about documents and variables) is invented, so a client must not lean on them.
//! Invariant: an answer that the service itself made is JSON.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::config::ErrorStatus;
use crate::bodies;

const JSON: &str = "application/json; charset=utf-8";
const ENDLESS_START: &str = r#"{"data":{"getOnlineSessions":["#;
const ENDLESS_ROW: &str = r#"{"id":"active_000","sessionId":"sess_live_000000000000"},"#;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    payload: Payload,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
}

#[derive(Debug)]
enum Payload {
    Full(Bytes),
    /// The first half, then the connection breaks.
    Half(Bytes),
    Endless,
}

impl Reply {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            payload: Payload::Full(Bytes::new()),
            content_type: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn text(status: StatusCode, content_type: &str, text: impl Into<Bytes>) -> Self {
        Self {
            payload: Payload::Full(text.into()),
            content_type: Some(content_type.to_owned()),
            ..Self::empty(status)
        }
    }

    pub(crate) fn json(status: StatusCode, value: &Value) -> Self {
        Self::text(status, JSON, value.to_string())
    }

    /// 200 with data.
    pub(crate) fn data(key: &str, value: Value) -> Self {
        let mut data = serde_json::Map::new();
        data.insert(key.to_owned(), value);
        Self::json(StatusCode::OK, &json!({ "data": data }))
    }

    /// A page of HTML by something that is not OrbNet.
    pub(crate) fn html(status: StatusCode) -> Self {
        Self::text(status, "text/html", bodies::html(status))
    }

    /// JSON that never ends.
    pub(crate) fn endless() -> Self {
        Self {
            payload: Payload::Endless,
            ..Self::text(StatusCode::OK, JSON, "")
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Lets the answer break off in the middle.
    pub(crate) fn truncated(mut self) -> Self {
        if let Payload::Full(bytes) = self.payload {
            self.payload = Payload::Half(bytes);
        }
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let (body, promised) = match self.payload {
            Payload::Half(bytes) => (bodies::half(&bytes), Some(bytes.len())),
            Payload::Full(bytes) => (Body::from(bytes), None),
            Payload::Endless => (bodies::endless(ENDLESS_START, ENDLESS_ROW), None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(length) = promised {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let named = self
            .content_type
            .into_iter()
            .map(|value| (CONTENT_TYPE.to_string(), value));
        for (name, value) in named.chain(self.headers) {
            // A fault may ask for a header that HTTP cannot carry; it is left out.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// A GraphQL error, before it is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) code: String,
    message: String,
    /// The status that the vendor's pages label it with.
    status: u16,
    path: Option<String>,
}

impl Problem {
    fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status,
            path: None,
        }
    }

    /// A request that cannot be understood; invented.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// No token.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(401, "UNAUTHENTICATED", "Authentication required")
    }

    /// A token that nobody knows.
    pub(crate) fn authentication() -> Self {
        Self::new(401, "AUTHENTICATION_ERROR", "Invalid or expired token")
    }

    /// A token that may not list.
    pub(crate) fn may_not_list() -> Self {
        Self::new(403, "FORBIDDEN", "Insufficient permissions").at("getOnlineSessions")
    }

    /// A token that may not disconnect.
    pub(crate) fn may_not_disconnect() -> Self {
        Self::new(403, "FORBIDDEN", "Admin access required to disconnect sessions")
            .at("disconnectBySessionId")
    }

    /// No such session.
    pub(crate) fn no_session() -> Self {
        Self::new(
            400,
            "SESSION_NOT_FOUND",
            "Session not found or already disconnected",
        )
        .at("disconnectBySessionId")
    }

    /// No such user.
    pub(crate) fn no_user() -> Self {
        Self::new(400, "NOT_FOUND", "User not found").at("getOnlineSessions")
    }

    /// Too many requests.
    pub(crate) fn too_many() -> Self {
        Self::new(429, "RATE_LIMITED", "Too many requests")
    }

    /// Any error, by a fault.
    pub(crate) fn other(code: &str, message: &str) -> Self {
        let status = match code {
            "UNAUTHENTICATED" | "AUTHENTICATION_ERROR" => 401,
            "FORBIDDEN" => 403,
            "RATE_LIMITED" => 429,
            "INTERNAL_SERVER_ERROR" => 500,
            _ => 400,
        };
        Self::new(status, code, message)
    }

    fn at(mut self, field: &str) -> Self {
        self.path = Some(field.to_owned());
        self
    }

    /// The error as it stands in `errors`.
    pub(crate) fn entry(&self) -> Value {
        let mut entry = json!({ "message": self.message, "extensions": { "code": self.code } });
        if let Some(field) = &self.path {
            entry["path"] = json!([field]);
        }
        entry
    }

    pub(crate) fn reply(&self, style: ErrorStatus) -> Reply {
        let status = match (style, self.status) {
            // The limit stands before GraphQL and says so in either case.
            (ErrorStatus::Documented, status) | (ErrorStatus::Ok200, status @ 429) => status,
            (ErrorStatus::Ok200, _) => 200,
        };
        self.with_status(status)
    }

    pub(crate) fn with_status(&self, status: u16) -> Reply {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Reply::json(status, &json!({ "errors": [self.entry()], "data": null }))
    }
}
