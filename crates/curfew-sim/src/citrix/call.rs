//! Reads a request: which operation it is, on what, with which parameters.
//!
//! Not authentication, not the answer. Paths and parameter names are taken in any case, and in both
//! published forms (`/cvad/manage/...` and `/citrix/orchestration/api/{customer}/{site}/...`).
//! Invariant: reading never fails; what is not understood is [`Route::Unknown`].

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use uuid::Uuid;

use super::fault::Operation;
use crate::clock;

/// An acting verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// `$disconnect`.
    Disconnect,
    /// `$logoff`.
    Logoff,
    /// `$sendMessage`.
    SendMessage,
}

/// What a request is aimed at. Ids are kept as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    CloudToken { customer: String },
    OnPremToken,
    Me,
    Activate { customer: String },
    Sessions,
    Search,
    Session(String),
    Act(Verb, String),
    Job(String),
    WrongMethod,
    Unknown,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) route: Route,
    pub(crate) operation: Operation,
    /// The session that the request is for, as far as the path says so.
    pub(crate) session: Option<Uuid>,
    /// Customer and site, where the path names them.
    pub(crate) scope: Option<(String, String)>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) transaction: String,
    /// Who asks; set by authentication.
    pub(crate) principal: Option<String>,
    /// The number of this request's line in the log of acts, once it has one.
    pub(crate) act: Option<u64>,
}

impl Call {
    pub(crate) fn read(parts: Parts, body: Bytes) -> Self {
        let (scope, route) = route(&parts.method, parts.uri.path());
        let operation = match &route {
            Route::CloudToken { .. } | Route::OnPremToken => Operation::Token,
            Route::Me => Operation::Me,
            Route::Activate { .. } => Operation::Activate,
            Route::Sessions => Operation::List,
            Route::Search => Operation::Search,
            Route::Session(_) => Operation::Get,
            Route::Act(Verb::Disconnect, _) => Operation::Disconnect,
            Route::Act(Verb::Logoff, _) => Operation::Logoff,
            Route::Act(Verb::SendMessage, _) => Operation::SendMessage,
            Route::Job(_) => Operation::Job,
            Route::WrongMethod | Route::Unknown => Operation::Other,
        };
        let session = match &route {
            Route::Session(id) | Route::Act(_, id) => id.parse().ok(),
            _ => None,
        };
        let transaction = text_header(&parts.headers, "citrix-transactionid")
            .map_or_else(|| clock::fresh_id().to_string(), str::to_owned);
        Self {
            operation,
            session,
            scope,
            query: Query::parse(parts.uri.query().unwrap_or_default()),
            headers: parts.headers,
            body,
            transaction,
            principal: None,
            act: None,
            route,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        text_header(&self.headers, name)
    }

    /// The verb, and the session as the path spells it.
    pub(crate) fn verb(&self) -> Option<(Verb, &str)> {
        match &self.route {
            Route::Act(verb, id) => Some((*verb, id)),
            _ => None,
        }
    }
}

fn text_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The parameters of a request, found without regard to case.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(
            url::form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

fn route(method: &Method, path: &str) -> (Option<(String, String)>, Route) {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let lower: Vec<String> = segments
        .iter()
        .map(|segment| segment.to_ascii_lowercase())
        .collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let (scope, skipped) = match words.as_slice() {
        ["cctrustoauth2", _, "tokens", "clients"] => {
            let customer = segments[1].clone();
            return (None, when(method, &Method::POST, Route::CloudToken { customer }));
        }
        ["resourceprovider", _, "site", "activation"] => {
            let customer = segments[1].clone();
            return (None, when(method, &Method::POST, Route::Activate { customer }));
        }
        ["cvad", "manage", ..] => (None, 2),
        ["citrix", "orchestration", "api", "me" | "tokens"] => (None, 3),
        ["citrix", "orchestration", "api", _, _, ..] => (Some((segments[3].clone(), segments[4].clone())), 5),
        _ => return (None, Route::Unknown),
    };
    let id = || segments.get(skipped + 1).cloned().unwrap_or_default();
    let act = |verb| when(method, &Method::POST, Route::Act(verb, id()));
    let route = match words.get(skipped..).unwrap_or_default() {
        ["tokens"] => when(method, &Method::POST, Route::OnPremToken),
        ["me"] => when(method, &Method::GET, Route::Me),
        ["sessions" | "sessionsv2"] => when(method, &Method::GET, Route::Sessions),
        ["sessions", "$search"] => when(method, &Method::POST, Route::Search),
        ["sessions", _] => when(method, &Method::GET, Route::Session(id())),
        ["sessions", _, "$disconnect"] => act(Verb::Disconnect),
        ["sessions", _, "$logoff"] => act(Verb::Logoff),
        ["sessions", _, "$sendmessage"] => act(Verb::SendMessage),
        ["jobs", _] => when(method, &Method::GET, Route::Job(id())),
        _ => Route::Unknown,
    };
    (scope, route)
}

fn when(method: &Method, wanted: &Method, route: Route) -> Route {
    if method == wanted {
        route
    } else {
        Route::WrongMethod
    }
}
