//! Scripted faults: which request misbehaves, and how.
//!
//! Not permanent behaviour (that is the configuration's). A fault sees only requests that a token, a scope and
//! the limit let in, so one with `times: 1` is not used up by a refused call.
//! Invariant: everything here round-trips through JSON, as the control listener takes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::faults::Scripted;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Every operation; as a matcher only, no request is of it.
    #[default]
    Any,
    /// `getOnlineSessions`.
    List,
    /// `disconnectBySessionId`.
    Disconnect,
    /// Anything else.
    Other,
}

/// Which requests a fault is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Matcher {
    /// The operation; [`Operation::Any`] by default.
    pub operation: Operation,
    /// Only listings of this user.
    pub user: Option<i32>,
    /// Only disconnects with this argument.
    pub session: Option<String>,
    /// How many matching requests pass unharmed first.
    pub skip: u32,
    /// How often the fault fires; without it, for ever.
    pub times: Option<u32>,
}

/// A matcher and what happens to the requests it matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    #[serde(default)]
    pub when: Matcher,
    /// What happens to them.
    pub then: FaultAction,
}

impl Fault {
    /// A fault of every request of one operation, for ever.
    pub fn on(operation: Operation, then: FaultAction) -> Self {
        Self {
            when: Matcher {
                operation,
                ..Matcher::default()
            },
            then,
        }
    }

    /// Only for listings of this user.
    pub fn user(mut self, id: i32) -> Self {
        self.when.user = Some(id);
        self
    }

    /// Only for disconnects with this argument.
    pub fn session(mut self, id: &str) -> Self {
        self.when.session = Some(id.to_owned());
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

/// The body of a [`FaultAction::Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultBody {
    /// Nothing.
    #[default]
    Empty,
    /// A proxy's HTML page.
    Html,
    /// Any text.
    Custom {
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        text: String,
    },
}

/// What happens to a matched request.
///
/// As JSON an action is a word (`"hang"`) or an object with one member (`{"delay": {"ms": 200}}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultAction {
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
    /// GraphQL `errors` with this code and `data: null`; nothing is performed.
    GraphqlError {
        /// `extensions.code`.
        code: String,
        /// The message.
        #[serde(default)]
        message: String,
        /// The HTTP status; by default that of the configuration for such a code.
        #[serde(default)]
        status: Option<u16>,
    },
    /// 429 with the code `RATE_LIMITED` and the time of the next window; nothing is performed.
    RateLimited,
    /// 200 with an HTML page, as a captive portal answers; nothing is performed.
    Html,
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
    /// Neither performs nor answers, ever.
    Hang,
    /// Performs the request and holds the answer until released.
    Hold,
    /// Holds the request until released and performs it then, even if the client has gone.
    HoldBefore,
    /// Closes the connection without an answer; nothing is performed.
    DropBefore,
    /// Performs the request, then closes the connection without an answer.
    ActThenDrop,
    /// Performs the request; a gateway answers 502 in HTML.
    BadGatewayAfterAct,
    /// 200 with a JSON body that never ends; nothing is performed.
    EndlessBody,
    /// Performs the request, sends half of the answer, then closes the connection.
    TruncatedBody,
    /// Performs the request and answers 200 with JSON whose members have the wrong types.
    WrongTypes,
    /// Performs the request and answers 200 with `data: null` and no errors.
    NullData,
    /// Performs the request and answers with its data and an error of this code beside it.
    ErrorBesideData {
        /// `extensions.code`.
        code: String,
    },
    /// Answers as if all was well; the session stays as it is.
    AcceptButIgnore,
    /// The session is listed, but acting on it answers `SESSION_NOT_FOUND`.
    Ghost,
    /// The mutation answers `false`; nothing is performed.
    False,
}

impl FaultAction {
    /// Whether a request of this operation can suffer the fault at all.
    fn fits(&self, operation: Operation) -> bool {
        match self {
            Self::AcceptButIgnore | Self::Ghost | Self::False => operation == Operation::Disconnect,
            _ => true,
        }
    }
}

/// What a fault is matched with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) operation: Operation,
    pub(crate) user: Option<i32>,
    pub(crate) session: Option<&'a str>,
}

impl Scripted for Fault {
    fn skip(&self) -> u32 {
        self.when.skip
    }

    fn times(&self) -> Option<u32> {
        self.when.times
    }
}

/// The faults of a running service.
pub(crate) type FaultBook = crate::faults::FaultBook<Fault>;

/// Counts the request and says what is to happen to it.
pub(crate) fn fire(book: &mut FaultBook, request: Seen<'_>) -> Option<FaultAction> {
    let fault = book.fire(|fault| {
        let wanted = &fault.when;
        (wanted.operation == Operation::Any || wanted.operation == request.operation)
            && wanted.user.is_none_or(|id| request.user == Some(id))
            && wanted
                .session
                .as_deref()
                .is_none_or(|id| request.session == Some(id))
            && fault.then.fits(request.operation)
    });
    fault.map(|fault| fault.then.clone())
}
