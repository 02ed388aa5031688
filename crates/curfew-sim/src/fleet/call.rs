//! Reads a request to a host: what is asked for, of which session.
//!
//! Not the agent's reading of it, which decides. Invariant: reading never fails; what is not understood is
//! [`Operation::Other`], and the agent answers it.

use curfew_agent_api::ActRequest;
use http::Method;
use http::request::Parts;

use bytes::Bytes;

use super::fault::Operation;

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// The number of the session, as far as the path says so.
    pub(crate) session: Option<u32>,
    /// The body of an act, if it can be read.
    pub(crate) act: Option<ActRequest>,
    /// The number of this request's line in the log of acts, once it has one.
    pub(crate) line: Option<u64>,
}

impl Call {
    pub(crate) fn read(parts: &Parts, body: &Bytes) -> Self {
        let (operation, session) = target(&parts.method, parts.uri.path());
        Self {
            operation,
            session,
            act: operation
                .acts()
                .then(|| serde_json::from_slice(body).ok())
                .flatten(),
            line: None,
        }
    }
}

fn target(method: &Method, path: &str) -> (Operation, Option<u32>) {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let operation = match (method.as_str(), segments.as_slice()) {
        ("GET", ["v1", "health"]) => Operation::Health,
        ("GET", ["v1", "sessions"]) => Operation::List,
        ("GET", ["v1", "sessions", _]) => Operation::Get,
        ("POST", ["v1", "sessions", _, "disconnect"]) => Operation::Disconnect,
        ("POST", ["v1", "sessions", _, "logoff"]) => Operation::Logoff,
        ("POST", ["v1", "sessions", _, "message"]) => Operation::Message,
        _ => Operation::Other,
    };
    let session = segments.get(2).and_then(|number| number.parse().ok());
    (operation, session)
}
