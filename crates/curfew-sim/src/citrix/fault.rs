//! Scripted faults: which request misbehaves, and how.
//!
//! Not permanent behaviour (that is the configuration's). A fault sees only requests that passed
//! authentication, so one with `times: 1` is not used up by a refused call.
//! Invariant: everything here round-trips through JSON, as the control listener takes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::faults::Scripted;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Every operation; as a matcher only, no request is of it.
    #[default]
    Any,
    /// A token is asked for, in either flavour.
    Token,
    /// `GET /me`.
    Me,
    /// The cloud's wake-up call of a frozen site.
    Activate,
    /// `GET /Sessions`.
    List,
    /// `POST /Sessions/$search`.
    Search,
    /// `GET /Sessions/{id}`.
    Get,
    /// `POST /Sessions/{id}/$disconnect`.
    Disconnect,
    /// `POST /Sessions/{id}/$logoff`.
    Logoff,
    /// `POST /Sessions/{id}/$sendMessage`.
    SendMessage,
    /// `GET /Jobs/{id}`.
    Job,
    /// Anything else.
    Other,
}

impl Operation {
    /// Whether the request changes a session or reaches its user.
    pub fn acts(self) -> bool {
        matches!(self, Self::Disconnect | Self::Logoff | Self::SendMessage)
    }
}

/// Which requests a fault is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Matcher {
    /// The operation; [`Operation::Any`] by default.
    pub operation: Operation,
    /// Only requests for this session (of a job: the session that the job is about).
    pub session: Option<Uuid>,
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

    /// Only for this session.
    pub fn session(mut self, id: Uuid) -> Self {
        self.when.session = Some(id);
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
    /// The error shape that the site uses anyway.
    #[default]
    Native,
    /// `{type, detail, parameters}`.
    ErrorResponse,
    /// `{ErrorMessage, SdkErrorId, ErrorType, ...}`.
    ErrorData,
    /// A proxy's HTML page, without a transaction id.
    Html,
    /// Nothing, without a transaction id.
    Empty,
    /// Any text.
    Custom {
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        text: String,
    },
}

/// The last word of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the vendor's words, see JobResponseModel.Status")]
pub enum JobStatus {
    Complete,
    CompleteWithWarning,
    Failed,
    Canceled,
    NonTerminatingError,
}

impl JobStatus {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::CompleteWithWarning => "CompleteWithWarning",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::NonTerminatingError => "NonTerminatingError",
        }
    }
}

fn temporary_redirect() -> u16 {
    307
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
    /// 403 with the documented body; nothing is performed.
    Refuse,
    /// Withdraws every token and answers 401; nothing is performed.
    RevokeTokens,
    /// 200 with an HTML page, as a captive portal answers; nothing is performed.
    Html,
    /// A redirect; nothing is performed.
    Redirect {
        /// The `Location`.
        to: String,
        /// The status, 307 by default.
        #[serde(default = "temporary_redirect")]
        code: u16,
    },
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
    /// Performs the request, then closes the connection without an answer.
    ActThenDrop,
    /// Closes the connection without an answer; nothing is performed.
    DropBefore,
    /// 200 with a JSON body that never ends; nothing is performed.
    EndlessBody,
    /// Performs the request, sends half of the answer, then closes the connection.
    TruncatedBody,
    /// Performs the request and answers 200 with JSON whose members have the wrong types.
    WrongTypes,
    /// Sessions in the answer carry enum values that no client knows.
    GarbageEnum,
    /// A continuation page gives the token again that asked for it.
    RepeatContinuationToken,
    /// Performs the request; a gateway answers 502 in HTML, without a transaction id.
    BadGatewayAfterAct,
    /// Answers as if all was well; the session stays as it is.
    AcceptButIgnore,
    /// The job never ends.
    JobNeverEnds,
    /// The job fails; the session stays.
    JobFails {
        /// The vendor's `ErrorCode`, such as `MachineNotRegistered`.
        code: String,
    },
    /// The job ends with this status.
    JobEnds {
        /// The status.
        status: JobStatus,
        /// Whether the session ends (or is disconnected) all the same.
        performs: bool,
    },
    /// The job cannot be found; what it was to do is done all the same.
    JobVanishes,
    /// The session is listed, but reading or acting on it answers "not found".
    Ghost,
    /// 530 until the site is activated, and for this many matched requests after that.
    FrozenSite {
        /// Requests that still fail after activation.
        tries: u32,
    },
}

impl FaultAction {
    /// Whether a request of this operation can suffer the fault at all.
    fn fits(&self, operation: Operation) -> bool {
        use Operation::{Activate, Get, Job, List, Search, Token};
        match self {
            Self::AcceptButIgnore => operation.acts(),
            Self::JobNeverEnds | Self::JobFails { .. } | Self::JobEnds { .. } | Self::JobVanishes => {
                operation.acts() || operation == Job
            }
            Self::Ghost => operation.acts() || operation == Get,
            Self::GarbageEnum => matches!(operation, List | Search | Get | Operation::Disconnect),
            Self::RepeatContinuationToken => matches!(operation, List | Search),
            Self::FrozenSite { .. } => !matches!(operation, Token | Activate),
            _ => true,
        }
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

/// The faults of a running site.
pub(crate) type FaultBook = crate::faults::FaultBook<Fault>;

/// Counts the request and says what is to happen to it.
pub(crate) fn fire(book: &mut FaultBook, operation: Operation, session: Option<Uuid>) -> Option<FaultAction> {
    let fault = book.fire(|fault| {
        let wanted = &fault.when;
        (wanted.operation == Operation::Any || wanted.operation == operation)
            && wanted.session.is_none_or(|id| session == Some(id))
            && fault.then.fits(operation)
    });
    fault.map(|fault| fault.then.clone())
}

/// The site was asked to wake up: what froze it fires as often as it says, and no more.
pub(crate) fn activate(book: &mut FaultBook) {
    book.run_out(|fault| match fault.then {
        FaultAction::FrozenSite { tries } => Some(tries),
        _ => None,
    });
}
