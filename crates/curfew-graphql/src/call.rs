//! The plain types between the HTTP door and the schema.
//!
//! Not here: HTTP (the server) and async-graphql (the rest of this crate).
//! Invariant: nothing of async-graphql shows in these types.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::ErrorCode;

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By POST: queries and mutations.
    Post,
    /// By GET: queries alone.
    Get,
}

/// One GraphQL request.
#[derive(Debug, Clone)]
pub struct GraphqlCall {
    /// The document.
    pub query: String,
    /// Which of its operations.
    pub operation_name: Option<String>,
    /// Its variables.
    pub variables: Map<String, Value>,
    /// How it came.
    pub via: Via,
}

/// How far a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The document did not parse or validate: no `data` key. Status 400 under
    /// `application/graphql-response+json`, 200 under `application/json`.
    NotRun,
    /// It was refused before it ran (limits, method): no `data` key. The status is that of the first code.
    Refused,
    /// It ran and `data` is null. The status is that of the first code.
    DataNull,
    /// It ran and there is data. The status is 200.
    Data,
}

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The JSON body.
    pub body: Bytes,
    /// How far it came.
    pub ending: Ending,
    /// The code of the first error.
    pub first_code: Option<ErrorCode>,
    /// When the caller may try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

/// The JSON body of an answer that carries one error and no `data`.
pub fn error_body(code: ErrorCode, message: &str, hint: Option<&str>, retry_after_ms: Option<u64>) -> Bytes {
    let mut extensions = Map::new();
    extensions.insert("code".into(), code.as_str().into());
    extensions.insert("retryable".into(), code.retryable().into());
    if let Some(ms) = retry_after_ms {
        extensions.insert("retryAfterMs".into(), ms.into());
    }
    if let Some(hint) = hint {
        extensions.insert("hint".into(), hint.into());
    }
    Bytes::from(json!({ "errors": [{ "message": message, "extensions": extensions }] }).to_string())
}
