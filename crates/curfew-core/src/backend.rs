//! The port to a vendor: what an adapter must be able to do, and the words it answers in.
//!
//! Not here: any vendor, any transport, any retry. An adapter lives in `curfew-backends`.
//! Invariant: an error's `kind` alone decides what happens next; its texts are for people.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::session::spelled;
use crate::{BackendId, Recorded, Session, SessionAction, SessionId, Timestamp};

/// The product behind a backend. Grows with the adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BackendKind {
    /// Citrix Virtual Apps and Desktops, or Citrix DaaS.
    Citrix,
    /// Windows hosts and RD Session Hosts, through an agent on each.
    Windows,
    /// OrbNet (OrbVPN), a hosted VPN.
    Orbnet,
}
spelled!(BackendKind { Citrix => "CITRIX", Windows => "WINDOWS", Orbnet => "ORBNET" });

impl BackendKind {
    /// Whether bare session ids, as VPN dashboards send them, are looked up on such a backend.
    pub const fn is_vpn(self) -> bool {
        match self {
            Self::Citrix | Self::Windows => false,
            Self::Orbnet => true,
        }
    }
}

/// What a backend can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Sessions can be disconnected.
    pub disconnect: bool,
    /// A disconnect ends the session: there is no disconnected state (VPNs).
    pub disconnect_ends_session: bool,
    /// Sessions can be logged off.
    pub logoff: bool,
    /// A log-off that does not end can be forced.
    pub force: bool,
    /// A message can be shown to the user.
    pub message: bool,
    /// A log-off is a job of the backend that can be followed.
    pub async_logoff: bool,
    /// Idle times are known.
    pub idle: bool,
    /// Byte counters are known.
    pub bytes: bool,
    /// A user can be kept out.
    pub hold: bool,
}

/// The unit of a backend that can fail alone: a site, host, hub, server or user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartName(pub Arc<str>);

impl PartName {
    /// A part's name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a read may take.
#[derive(Debug, Clone, Copy)]
pub struct ReadCtx {
    /// The read as a whole must be over by then.
    pub deadline: tokio::time::Instant,
}

impl ReadCtx {
    /// A read that may take `budget` from now.
    pub fn within(budget: Duration) -> Self {
        Self {
            deadline: tokio::time::Instant::now() + budget,
        }
    }

    /// What is left of the budget.
    pub fn left(&self) -> Duration {
        self.deadline
            .saturating_duration_since(tokio::time::Instant::now())
    }
}

/// All sessions of a backend at one time, with what each part had to say.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Each native id once. Boxed, so that a hundred thousand of them never need one piece of memory, nor twice that
    /// while it grows.
    pub sessions: Vec<Box<Session>>,
    /// Every part that was asked, good or bad.
    pub parts: Vec<Part>,
}

/// What became of reading one part.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which part.
    pub name: PartName,
    /// When it was read, or why it was not.
    pub outcome: Result<Timestamp, BackendError>,
}

/// What a live look at one session shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Sight {
    /// This generation is there.
    Here(Box<Session>),
    /// Another generation has its place.
    Replaced(Box<Session>),
    /// It is not there. Only on positive evidence: an authoritative 404, or a complete listing of its part.
    Gone,
}

/// A value with the evidence that came with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply<T> {
    /// What the backend said.
    pub value: T,
    /// How it said it.
    pub evidence: Evidence,
}

/// How a backend answered one call; stands in operations and audit records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// Status of the transport (HTTP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The vendor's own code for what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_code: Option<String>,
    /// The vendor's id of the call, to be quoted to its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The vendor's id of the job that the call began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// How long the call took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// How long the backend asked us to wait, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The backend's handle of an act that goes on after it was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobRef(pub String);

/// How a backend took an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It says it is done. A later read decides.
    Done,
    /// It accepted the act. A later read decides.
    Accepted,
    /// It accepted the act as a job that can be followed.
    Job(JobRef),
    /// Another generation has the session's place; it was not touched.
    Replaced,
    /// It knows no such session (any more); nothing was touched.
    AlreadyGone,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It has not ended.
    Running {
        /// 0 to 100, where the backend says.
        percent: Option<u8>,
    },
    /// The backend did what it could. A later read decides.
    Complete,
    /// The job ended without doing its work.
    Failed {
        /// The vendor's code for why.
        code: Option<String>,
    },
    /// The backend no longer knows the job.
    Lost,
}

/// One line of `curfew check`: the result of a real, cheap read of one part.
#[derive(Debug, Clone)]
pub struct PartHealth {
    /// Which part.
    pub name: PartName,
    /// What was seen (for people), or why it could not be read.
    pub outcome: Result<String, BackendError>,
}

/// What kind of failure it was; the only thing decisions are made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackendErrorKind {
    /// The vendor answered 404 to an *act*, without proof that the session is gone.
    NotFound,
    /// The vendor knows us and refused.
    Denied,
    /// The vendor does not accept our credentials.
    Credentials,
    /// The vendor asked us to slow down; it did nothing.
    RateLimited {
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The vendor cannot be reached. For an act: provably nothing was sent.
    Unavailable,
    /// The vendor cannot do that.
    Unsupported,
    /// The vendor's answer makes no sense.
    Protocol,
    /// An acting request was sent and its fate is unknown.
    OutcomeUnknown,
    /// A read took longer than it may.
    TimedOut,
}

/// A failed call of a backend.
#[derive(Clone)]
pub struct BackendError {
    /// What kind of failure; decides what happens next.
    pub kind: BackendErrorKind,
    /// What a caller may read: no addresses, no secrets, no bodies.
    pub public: String,
    /// How the backend answered, if it did.
    pub evidence: Option<Evidence>,
    /// For operators: what lay beneath.
    pub source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl BackendError {
    /// An error of `kind` with a text that a caller may read.
    pub fn new(kind: BackendErrorKind, public: impl Into<String>) -> Self {
        Self {
            kind,
            public: public.into(),
            evidence: None,
            source: None,
        }
    }

    /// Adds how the backend answered.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(evidence);
        self
    }

    /// Adds what lay beneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Arc<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendError")
            .field("kind", &self.kind)
            .field("public", &self.public)
            .field("evidence", &self.evidence)
            .field("source", &self.source.as_ref().map(ToString::to_string))
            .finish()
    }
}

impl std::error::Error for BackendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

/// A vendor's system that holds sessions.
#[async_trait]
pub trait SessionBackend: Send + Sync {
    /// Its name in the configuration.
    fn id(&self) -> &BackendId;

    /// The product.
    fn kind(&self) -> BackendKind;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Reads every session. Pages to the end, drops repeated native ids, stops on a repeated cursor.
    ///
    /// # Errors
    /// Only if nothing at all could be read; a part that fails alone stands in [`Listing::parts`].
    async fn list(&self, ctx: &ReadCtx) -> Result<Listing, BackendError>;

    /// Reads one session, live.
    ///
    /// # Errors
    /// If it cannot be told whether the session is there: an unreachable host is `Unavailable`, never `Gone`.
    async fn get(&self, id: &SessionId, ctx: &ReadCtx) -> Result<Reply<Sight>, BackendError>;

    /// Sends at most ONE acting request; one that was refused with 401 may go again once with a fresh token.
    ///
    /// # Errors
    /// `Unavailable` only if provably nothing was sent; `OutcomeUnknown` if the fate of the request is unknown.
    async fn start(&self, action: Recorded<SessionAction>) -> Result<Reply<Started>, BackendError>;

    /// Asks how far a job is.
    ///
    /// # Errors
    /// If the backend could not be asked; the job goes on.
    async fn poll(&self, job: &JobRef, ctx: &ReadCtx) -> Result<Reply<Progress>, BackendError>;

    /// A real, cheap read of each part.
    ///
    /// # Errors
    /// Only if no part could be asked at all.
    async fn check(&self, ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError>;
}
