//! Turns an answer or a refusal into an HTTP response.
//!
//! Not here: when something is refused (`door`, `extract`).
//! Invariant: the status follows from the ending and the one table of codes, nothing else.

use axum::body::Body;
use axum::response::Response;
use curfew_graphql::{Answer, Ending, ErrorCode, error_body};
use http::{HeaderValue, StatusCode, header};

use super::MediaType;

/// Why the door does not let a request through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code; it decides the status.
    pub code: ErrorCode,
    /// What happened, what was not done, what to do.
    pub message: String,
    /// The value of `Allow`, for a method that does not fit.
    pub allow: Option<&'static str>,
    /// When to come again, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            allow: None,
            retry_after_ms: None,
        }
    }

    /// With the methods that are allowed.
    pub fn allow(mut self, methods: &'static str) -> Self {
        self.allow = Some(methods);
        self
    }

    /// With the time after which it may be tried again.
    pub fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// The response.
    pub fn into_response(self, media_type: MediaType) -> Response {
        let body = error_body(self.code, &self.message, None, self.retry_after_ms);
        let status = status(self.code);
        let mut response = response(status, media_type, Body::from(body));
        code_headers(&mut response, Some(self.code), self.allow, self.retry_after_ms);
        response
    }
}

/// The response to a request that the executor has answered.
pub fn answered(answer: Answer, media_type: MediaType) -> Response {
    let status = match answer.ending {
        Ending::Data => StatusCode::OK,
        Ending::NotRun => match media_type {
            MediaType::GraphqlResponse => StatusCode::BAD_REQUEST,
            // The legacy rule of the GraphQL-over-HTTP specification.
            MediaType::Json => StatusCode::OK,
        },
        Ending::Refused | Ending::DataNull => answer
            .first_code
            .map_or(StatusCode::INTERNAL_SERVER_ERROR, status),
    };
    let not_allowed = status == StatusCode::METHOD_NOT_ALLOWED;
    let mut response = response(status, media_type, Body::from(answer.body));
    code_headers(
        &mut response,
        answer.first_code,
        not_allowed.then_some("POST"),
        answer.retry_after_ms,
    );
    response
}

/// A plain answer without GraphQL, for paths that do not exist.
pub fn plain(status: StatusCode, content_type: &'static str, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn response(status: StatusCode, media_type: MediaType, body: Body) -> Response {
    let mut response = plain(status, media_type.content_type(), body);
    // The media type depends on `Accept`.
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("accept"));
    response
}

fn code_headers(
    response: &mut Response,
    code: Option<ErrorCode>,
    allow: Option<&'static str>,
    retry_after_ms: Option<u64>,
) {
    if let Some(code) = code {
        // For the door's own metrics; not sent.
        response.extensions_mut().insert(code);
    }
    let status = response.status();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(allow) = allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    if let Some(ms) = retry_after_ms {
        // Whole seconds (RFC 9110, section 10.2.3), rounded up.
        headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
    }
}

fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
