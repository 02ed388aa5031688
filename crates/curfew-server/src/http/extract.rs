//! Reads a GraphQL request out of an HTTP request.
//!
//! Not here: who asks, and the document itself, which stays text.
//! Invariant: never more than the body limit is held, whatever the client announces or sends.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use curfew_graphql::{ErrorCode, GraphqlCall, Via};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::respond::Refusal;

/// Reads the request out of a URL's query string.
pub fn from_query_string(query: &str) -> Result<GraphqlCall, Refusal> {
    let mut found: HashMap<&str, String> = HashMap::new();
    for pair in query.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = ["query", "operationName", "variables"]
            .into_iter()
            .find(|it| *it == name)
        else {
            continue;
        };
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value)
            .decode_utf8()
            .map_err(|_| bad(format!("the parameter `{name}` is not percent-encoded UTF-8")))?;
        if found.insert(name, value.into_owned()).is_some() {
            return Err(bad(format!("the parameter `{name}` is there twice")));
        }
    }
    let variables = match found.remove("variables") {
        None => Value::Null,
        Some(text) => serde_json::from_str(&text).map_err(|error| {
            bad(format!(
                "the parameter `variables` is not JSON ({})",
                place(&error)
            ))
        })?,
    };
    call(
        found.remove("query").map(Value::String),
        found.remove("operationName").map(Value::String),
        Some(variables),
        Via::Get,
    )
}

/// Reads the request out of a JSON body.
pub fn from_body(body: &[u8]) -> Result<GraphqlCall, Refusal> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| bad(format!("the body is not JSON ({})", place(&error))))?;
    let mut members = match value {
        Value::Object(members) => members,
        Value::Array(_) => {
            return Err(Refusal::new(
                ErrorCode::BatchingDisabled,
                "Several requests in one array are not taken, and none of these was run: send one request at a time",
            ));
        }
        _ => return Err(bad("the body is not a JSON object")),
    };
    // Accepted and ignored, but it has a form (GraphQL over HTTP, "Request parameters").
    if !matches!(
        members.get("extensions"),
        None | Some(Value::Null | Value::Object(_))
    ) {
        return Err(bad("`extensions` is not an object"));
    }
    call(
        members.remove("query"),
        members.remove("operationName"),
        members.remove("variables"),
        Via::Post,
    )
}

fn call(
    query: Option<Value>,
    operation_name: Option<Value>,
    variables: Option<Value>,
    via: Via,
) -> Result<GraphqlCall, Refusal> {
    let query = match query {
        Some(Value::String(query)) if !query.trim().is_empty() => query,
        Some(Value::String(_)) => return Err(bad("`query` is empty")),
        Some(Value::Null) | None => return Err(bad("there is no `query`")),
        Some(_) => return Err(bad("`query` is not a string")),
    };
    let operation_name = match operation_name {
        None | Some(Value::Null) => None,
        // Some clients send an empty name for "none"; no operation can be called so.
        Some(Value::String(name)) => (!name.is_empty()).then_some(name),
        Some(_) => return Err(bad("`operationName` is not a string")),
    };
    let variables = match variables {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(variables)) => variables,
        Some(_) => return Err(bad("`variables` is not an object")),
    };
    Ok(GraphqlCall {
        query,
        operation_name,
        variables,
        via,
    })
}

/// Whether the body may be read as JSON at all, by its headers alone.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refused = |what: &str| {
        Err(Refusal::new(
            ErrorCode::UnsupportedMediaType,
            format!(
                "{what}; nothing was run: send `Content-Type: application/json` in UTF-8, not compressed"
            ),
        ))
    };
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return refused("The request does not have exactly one content type");
    };
    if !is_json(value) {
        return refused("The content type is not taken");
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            refused("The body is compressed")
        }
        _ => Ok(()),
    }
}

fn is_json(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|it| it.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    })
}

/// Reads a body of at most `limit` bytes within `patience`.
pub async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Refusal> {
    let too_large = || {
        Refusal::new(
            ErrorCode::BodyTooLarge,
            format!("The body is larger than {limit} bytes; nothing was run: send less"),
        )
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| it.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let read = async {
        let mut body = body;
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| bad("the body broke off"))?;
            // Trailers are of no interest.
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > limit {
                return Err(too_large());
            }
            read.extend_from_slice(&data);
        }
        Ok(read.freeze())
    };
    tokio::time::timeout(patience, read).await.unwrap_or_else(|_| {
        Err(bad(format!(
            "the body did not arrive within {} s",
            patience.as_secs()
        )))
    })
}

fn bad(what: impl std::fmt::Display) -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        format!("Not a GraphQL request: {what}; nothing was run"),
    )
}

/// Where JSON is wrong, without what stands there.
fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}
