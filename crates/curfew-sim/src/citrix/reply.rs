//! Answers before they become HTTP, and the vendor's error bodies.
//!
//! Not the decision what to answer. The texts and codes inside the error bodies that the vendor documents
//! are its own; the rest (most `SdkErrorId`s) is invented, so a client must not lean on them.
//! Invariant: an answer carries a transaction id unless a gateway, not the site, is supposed to have made it.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::config::ErrorStyle;
use crate::bodies;

const JSON: &str = "application/json; charset=utf-8";
const ENDLESS_ROW: &str = r#"{"Id":"00000000-0000-0000-0000-000000000000","State":"Active"},"#;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) payload: Payload,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
    by_gateway: bool,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Payload {
    Full(Bytes),
    /// The first half, then the connection breaks.
    Half(Bytes),
    Endless,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            payload: Payload::Full(Bytes::new()),
            content_type: None,
            headers: Vec::new(),
            by_gateway: false,
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
        Self::rendered(status, value.to_string())
    }

    /// JSON that is text already.
    pub(crate) fn rendered(status: StatusCode, json: String) -> Self {
        Self::text(status, JSON, json)
    }

    /// A page of HTML by something that is not Citrix.
    pub(crate) fn html(status: StatusCode) -> Self {
        Self::text(status, "text/html", bodies::html(status)).by_gateway()
    }

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

    pub(crate) fn location(self, to: impl Into<String>) -> Self {
        self.header(LOCATION.as_str(), to)
    }

    pub(crate) fn by_gateway(mut self) -> Self {
        self.by_gateway = true;
        self
    }

    /// Lets the answer break off in the middle; `None` if it has nothing to break.
    pub(crate) fn truncated(mut self) -> Option<Self> {
        match self.payload {
            Payload::Full(bytes) if !bytes.is_empty() => {
                self.payload = Payload::Half(bytes);
                Some(self)
            }
            _ => None,
        }
    }

    pub(crate) fn into_response(self, transaction: &str) -> Response {
        let (body, promised) = match self.payload {
            Payload::Half(bytes) => (bodies::half(&bytes), Some(bytes.len())),
            Payload::Full(bytes) => (Body::from(bytes), None),
            Payload::Endless => (bodies::endless(r#"{"Items":["#, ENDLESS_ROW), None),
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
        let transaction =
            (!self.by_gateway).then(|| ("citrix-transactionid".to_owned(), transaction.to_owned()));
        for (name, value) in named.chain(self.headers).chain(transaction) {
            // A fault may ask for a header that HTTP cannot carry; it is left out.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// What went wrong, before it has a shape.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    /// The last two parts of the cloud's `type` URL.
    kind: &'static str,
    detail: String,
    parameters: Vec<(&'static str, String)>,
}

impl Problem {
    fn new(status: u16, kind: &'static str, detail: &str, parameters: Vec<(&'static str, String)>) -> Self {
        Self {
            status,
            kind,
            detail: detail.to_owned(),
            parameters,
        }
    }

    /// 401; the reason is `missing`, `invalid` or `expired`.
    pub(crate) fn unauthenticated(reason: &str) -> Self {
        Self::new(
            401,
            "common/authentication",
            "Missing or invalid authentication details",
            vec![("reason", reason.to_owned())],
        )
    }

    /// 403 about an entity.
    pub(crate) fn denied(entity: &str, id: &str) -> Self {
        Self::new(
            403,
            "common/authorization",
            "Access denied",
            entity_parameters(entity, id),
        )
    }

    /// 400; the kind is one of the documented `missing`, `outOfRange`, `invalidString`, `invalidEnum`, ...
    pub(crate) fn bad_request(kind: &'static str, parameter: &str) -> Self {
        let detail = format!("Parameter {parameter} is not acceptable");
        Self::new(400, kind, &detail, vec![("name", parameter.to_owned())])
    }

    /// 404 about an entity.
    pub(crate) fn not_found(entity: &str, id: &str) -> Self {
        Self::new(
            404,
            "common/notFound",
            "Object does not exist.",
            entity_parameters(entity, id),
        )
    }

    /// The 500 that means "not found".
    pub(crate) fn does_not_exist() -> Self {
        Self::new(500, "common/serverError", "Object does not exist.", Vec::new())
    }

    /// Any other status.
    pub(crate) fn of(status: u16) -> Self {
        let kind = match status {
            401 => return Self::unauthenticated("invalid"),
            403 => "common/authorization",
            404 => "common/notFound",
            405 => "common/methodNotAllowed",
            406 => "common/notAcceptable",
            409 => "common/conflict",
            415 => "common/unsupportedMediaType",
            429 => "common/tooManyRequests",
            503 => "common/serviceUnavailable",
            530 => "common/siteFrozen",
            _ => "common/serverError",
        };
        let reason = StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason());
        Self::new(
            status,
            kind,
            reason.unwrap_or("The site cannot serve the request"),
            Vec::new(),
        )
    }

    pub(crate) fn reply(self, style: ErrorStyle) -> Reply {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let parameters = self.parameters.iter();
        let body = match style {
            ErrorStyle::ErrorResponse => json!({
                "type": format!("https://errors-api.cloud.com/{}", self.kind),
                "detail": self.detail,
                "parameters": parameters.map(|(n, v)| json!({ "name": n, "value": v })).collect::<Vec<_>>(),
            }),
            ErrorStyle::ErrorData => json!({
                "ErrorMessage": self.detail,
                "SdkErrorId": format!("Citrix.Simulator.{}", self.kind.replace('/', ".")),
                "ErrorType": self.kind.rsplit('/').next(),
                "ErrorDetails": parameters.map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("; "),
                "SupportLink": null,
                "ErrorReportXml": null,
                "ErrorReport": {
                    "CitrixErrorId": format!("XDDS:{}", self.status),
                    "ComponentName": "Citrix.Orchestration",
                    "ComponentVersion": "7.41.0.0",
                    "ErrorData": {},
                },
            }),
        };
        Reply::json(status, &body)
    }
}

fn entity_parameters(entity: &str, id: &str) -> Vec<(&'static str, String)> {
    vec![("entityType", entity.to_owned()), ("id", id.to_owned())]
}
