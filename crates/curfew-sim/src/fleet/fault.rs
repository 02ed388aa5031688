//! Scripted faults of a fleet: which connection or request misbehaves, and how.
//!
//! Not what Windows itself may answer: that is the fake platform's. A fault of connections is met by handshakes, any
//! other one by requests that came through a handshake.
//! Invariant: everything here round-trips through JSON, as the control listener takes it.

use std::collections::BTreeMap;

use curfew_agent_api::ProblemCode;
use serde::{Deserialize, Serialize};

use crate::faults::Scripted;
use crate::pki::Flaw;

/// What a host is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Every request, and every handshake; as a matcher only.
    #[default]
    Any,
    /// A TLS handshake that names the host.
    Connect,
    /// `GET /v1/health`.
    Health,
    /// `GET /v1/sessions`.
    List,
    /// `GET /v1/sessions/{number}`.
    Get,
    /// `POST /v1/sessions/{number}/disconnect`.
    Disconnect,
    /// `POST /v1/sessions/{number}/logoff`.
    Logoff,
    /// `POST /v1/sessions/{number}/message`.
    Message,
    /// Anything else.
    Other,
}

impl Operation {
    /// Whether the request changes a session or reaches its user.
    pub fn acts(self) -> bool {
        matches!(self, Self::Disconnect | Self::Logoff | Self::Message)
    }
}

/// What a fault is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Matcher {
    /// Only this host, whatever the case of its name.
    pub host: Option<String>,
    /// The operation; [`Operation::Any`] by default.
    pub operation: Operation,
    /// Only requests for the session with this number.
    pub session: Option<u32>,
    /// How many matching requests (or handshakes) pass unharmed first.
    pub skip: u32,
    /// How often the fault fires; without it, for ever.
    pub times: Option<u32>,
}

/// A matcher and what happens to what it matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Which requests, or which handshakes.
    #[serde(default)]
    pub when: Matcher,
    /// What happens to them.
    pub then: FaultAction,
}

impl Fault {
    /// A fault of every request of one operation on every host, for ever. One of connections is for
    /// [`Operation::Any`] or [`Operation::Connect`]: no handshake is of another.
    pub fn on(operation: Operation, then: FaultAction) -> Self {
        Self {
            when: Matcher {
                operation,
                ..Matcher::default()
            },
            then,
        }
    }

    /// Only on this host.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.when.host = Some(name.into());
        self
    }

    /// Only for the session with this number.
    pub fn session(mut self, number: u32) -> Self {
        self.when.session = Some(number);
        self
    }

    /// Lets this many matching requests pass first.
    pub fn skip(mut self, requests: u32) -> Self {
        self.when.skip = requests;
        self
    }

    /// Fires this often and then no more.
    pub fn times(mut self, times: u32) -> Self {
        self.when.times = Some(times);
        self
    }
}

impl Scripted for Fault {
    fn skip(&self) -> u32 {
        self.when.skip
    }

    fn times(&self) -> Option<u32> {
        self.when.times
    }
}

/// The body of a [`FaultAction::Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultBody {
    /// A problem whose code fits the status; one that nobody knows where none does.
    #[default]
    Native,
    /// A proxy's HTML page.
    Html,
    /// Nothing.
    Empty,
    /// Any text.
    Custom {
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        text: String,
    },
}

fn protected() -> ProblemCode {
    ProblemCode::Protected
}

/// What happens to a matched request or handshake.
///
/// As JSON an action is a word (`"hang"`) or an object with one member (`{"delay": {"ms": 200}}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultAction {
    /// Neither performs nor answers, ever.
    Hang,
    /// Performs the request and holds the answer until released.
    Hold,
    /// Holds the request until released and performs it then, even if the client has gone.
    HoldBefore,
    /// Performs the request this much later, even if the client has gone by then.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Performs the request at once and answers this much later.
    DelayAnswer {
        /// Milliseconds.
        ms: u64,
    },
    /// Answers with a status; nothing is performed.
    Status {
        /// The HTTP status.
        code: u16,
        /// The body.
        #[serde(default)]
        body: FaultBody,
        /// Further headers, such as `Retry-After`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// The agent refuses with this code and the status that goes with it; nothing is performed.
    Refuse {
        /// The code, `PROTECTED` by default.
        #[serde(default = "protected")]
        code: ProblemCode,
    },
    /// 429 with `retryAfterMs`; nothing is performed.
    TooMany {
        /// Milliseconds to wait.
        retry_after_ms: u64,
    },
    /// 200 with an HTML page; nothing is performed.
    Html,
    /// Closes the connection without an answer; nothing is performed.
    DropBefore,
    /// Performs the request, then closes the connection without an answer.
    ActThenDrop,
    /// Performs the request; a proxy answers 502 in HTML.
    BadGatewayAfterAct,
    /// 200 with a JSON body that never ends; nothing is performed.
    EndlessBody,
    /// Performs the request, sends half of the answer, then closes the connection.
    TruncatedBody,
    /// Performs the request and answers 200 with JSON whose members have the wrong types.
    WrongTypes,
    /// Performs the request and answers 200 with something that is called JSON and is none.
    Garbage,
    /// Sessions in the answer carry words that no client knows.
    GarbageEnum,
    /// Performs the request; the answer says that another host gave it.
    AnswerAs {
        /// That host's name.
        host: String,
    },
    /// Answers `ACCEPTED`; the session stays as it is.
    AcceptButIgnore,
    /// The session is listed, but to read it or act on it answers `SESSION_GONE`.
    Ghost,
    /// The host shows a certificate with a flaw.
    WrongCertificate {
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The connection is closed in the middle of the handshake.
    RefuseConnection,
    /// The handshake is never answered.
    HangConnection,
}

impl FaultAction {
    /// Whether it befalls handshakes and not requests.
    pub fn is_of_connections(&self) -> bool {
        matches!(
            self,
            Self::WrongCertificate { .. } | Self::RefuseConnection | Self::HangConnection
        )
    }

    /// Whether a request of this operation, or a handshake, can suffer the fault at all.
    fn fits(&self, operation: Operation) -> bool {
        match self {
            action if action.is_of_connections() != (operation == Operation::Connect) => false,
            Self::AcceptButIgnore => operation.acts(),
            Self::Ghost => operation.acts() || operation == Operation::Get,
            Self::GarbageEnum => operation.acts() || matches!(operation, Operation::Get | Operation::List),
            _ => true,
        }
    }
}

/// The faults of a running fleet.
pub(crate) type FaultBook = crate::faults::FaultBook<Fault>;

/// Counts a request or a handshake, and says what is to happen to it.
pub(crate) fn fire(
    book: &mut FaultBook,
    host: &str,
    operation: Operation,
    session: Option<u32>,
) -> Option<FaultAction> {
    let fault = book.fire(|fault| {
        let wanted = &fault.when;
        (wanted.operation == Operation::Any || wanted.operation == operation)
            && wanted
                .host
                .as_deref()
                .is_none_or(|name| name.eq_ignore_ascii_case(host))
            && wanted.session.is_none_or(|number| session == Some(number))
            && fault.then.fits(operation)
    });
    fault.map(|fault| fault.then.clone())
}
