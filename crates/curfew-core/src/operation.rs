//! An operation: one act on one session, from the committed intent to its end.
//!
//! Not here: how it moves (`machine`) and where it is kept (`store`).
//! Invariant: a final state never changes, and it has a `finished_at` and who ended it.

use serde::{Deserialize, Serialize};

use crate::session::spelled;
use crate::{
    Actor, Evidence, JobRef, OperationId, RequestMeta, Session, SessionClient, SessionId, SessionMachine,
    SessionState, SessionUser, Timestamp, Verb,
};

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OperationState {
    /// Accepted, nothing begun.
    Received,
    /// The user has been warned; the grace period runs.
    Notifying,
    /// The session is looked at, and the act sent.
    Dispatching,
    /// The backend works on it as a job.
    Running,
    /// The session is read until the goal shows.
    Confirming,
    /// The goal was seen after the act.
    Succeeded,
    /// The goal held before anything was sent, or the backend said that there is no such session.
    AlreadyGone,
    /// Another generation has the session's place, or the name that it was asked for by has passed to another session;
    /// that one was not touched.
    Superseded,
    /// The act did not happen, or did not have its effect.
    Failed,
    /// Called off before anything was sent.
    Canceled,
    /// Whether it happened cannot be told.
    Unknown,
}
spelled!(OperationState {
    Received => "RECEIVED", Notifying => "NOTIFYING", Dispatching => "DISPATCHING", Running => "RUNNING",
    Confirming => "CONFIRMING", Succeeded => "SUCCEEDED", AlreadyGone => "ALREADY_GONE", Superseded => "SUPERSEDED",
    Failed => "FAILED", Canceled => "CANCELED", Unknown => "UNKNOWN",
});

impl OperationState {
    /// How it ended; `None` while it has not.
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Received | Self::Notifying | Self::Dispatching | Self::Running | Self::Confirming => None,
            Self::Succeeded => Some(Outcome::Succeeded),
            Self::AlreadyGone => Some(Outcome::AlreadyGone),
            Self::Superseded => Some(Outcome::Superseded),
            Self::Failed => Some(Outcome::Failed),
            Self::Canceled => Some(Outcome::Canceled),
            Self::Unknown => Some(Outcome::Unknown),
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        self.outcome().is_some()
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// See [`OperationState::Succeeded`].
    Succeeded,
    /// See [`OperationState::AlreadyGone`].
    AlreadyGone,
    /// See [`OperationState::Superseded`].
    Superseded,
    /// See [`OperationState::Failed`].
    Failed,
    /// See [`OperationState::Canceled`].
    Canceled,
    /// See [`OperationState::Unknown`].
    Unknown,
}
spelled!(Outcome {
    Succeeded => "SUCCEEDED", AlreadyGone => "ALREADY_GONE", Superseded => "SUPERSEDED", Failed => "FAILED",
    Canceled => "CANCELED", Unknown => "UNKNOWN",
});

/// Whether an acting request left for the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sent {
    /// None did.
    No,
    /// One did, and was answered.
    Yes,
    /// It cannot be told.
    Unknown,
}
spelled!(Sent { No => "NO", Yes => "YES", Unknown => "UNKNOWN" });

/// Why an operation ended as it did, where the state alone does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The session is still there at the deadline.
    StillPresent,
    /// No read decided before the deadline.
    HostDown,
    /// The answer was lost, and no read can show what became of the act.
    AnswerLost,
    /// The backend could not be reached; nothing was sent.
    BackendUnavailable,
    /// The backend asked us to slow down; it did nothing.
    RateLimited,
    /// The backend refused.
    Refused,
    /// The backend does not accept our credentials.
    Credentials,
    /// The backend cannot do that.
    Unsupported,
    /// The backend's job ended without doing its work.
    JobFailed,
    /// The record could not be settled in time, so nothing was sent.
    NotSent,
}
spelled!(EndReason {
    StillPresent => "STILL_PRESENT", HostDown => "HOST_DOWN", AnswerLost => "ANSWER_LOST",
    BackendUnavailable => "BACKEND_UNAVAILABLE", RateLimited => "RATE_LIMITED", Refused => "REFUSED",
    Credentials => "CREDENTIALS", Unsupported => "UNSUPPORTED", JobFailed => "JOB_FAILED", NotSent => "NOT_SENT",
});

/// Who brought an operation to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// The request that began it.
    Request,
    /// A runner that took it over.
    Runner,
    /// A person.
    Person,
}
spelled!(EndedBy { Request => "REQUEST", Runner => "RUNNER", Person => "PERSON" });

/// What the last read of the session showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// It is gone.
    Gone,
    /// It is disconnected.
    Disconnected,
    /// It is being logged off.
    LoggingOff,
    /// It is there as before.
    StillThere,
    /// Another generation has its place, or it has lost the name that it was asked for by.
    Replaced,
    /// It could not be read.
    Unreadable,
}
spelled!(Seen {
    Gone => "GONE", Disconnected => "DISCONNECTED", LoggingOff => "LOGGING_OFF", StillThere => "STILL_THERE",
    Replaced => "REPLACED", Unreadable => "UNREADABLE",
});

/// What shows how the operation ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OperationEvidence {
    /// The backend's answer to the act.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Evidence>,
    /// The backend's last word on its job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Evidence>,
    /// The last read of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<Evidence>,
    /// What that read showed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// What the backend said when it failed, in words that a caller may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The session as it was when the act was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetSnapshot {
    /// The generation that is meant.
    pub session: SessionId,
    /// What was known of it; `None` if the id alone was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<TargetFacts>,
    /// The name on its host by which it was asked for; `None` if it was asked for otherwise. A session that has lost
    /// the name before anything was sent is not the one that is meant, though its generation is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_as: Option<String>,
}

/// The facts of a target that the record keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetFacts {
    /// Whose session it was.
    pub user: SessionUser,
    /// Where it ran.
    pub machine: SessionMachine,
    /// Where it was used from.
    pub client: SessionClient,
    /// Its state.
    pub state: SessionState,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When the backend said so.
    pub observed_at: Timestamp,
}

impl TargetSnapshot {
    /// A target of which the id alone is known.
    pub fn bare(session: SessionId) -> Self {
        Self {
            session,
            facts: None,
            named_as: None,
        }
    }

    /// A target as it was observed.
    pub fn of(session: &Session) -> Self {
        Self {
            session: session.id.clone(),
            facts: Some(TargetFacts {
                user: session.user.clone(),
                machine: session.machine.clone(),
                client: session.client.clone(),
                state: session.state,
                started_at: session.started_at,
                observed_at: session.observed_at,
            }),
            named_as: None,
        }
    }

    /// Whether a session that has the name `now` on its host is still the one that was asked for; any name is, if it
    /// was not asked for by one. Case does not matter.
    pub fn is_still_called(&self, now: Option<&str>) -> bool {
        let lower = |text: &str| text.to_lowercase();
        self.named_as
            .as_deref()
            .is_none_or(|wanted| now.is_some_and(|now| lower(now) == lower(wanted)))
    }
}

/// The part of an operation that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Where it stands.
    pub state: OperationState,
    /// Whether an acting request left.
    pub sent: Sent,
    /// Attempts on record; the first is committed with the intent.
    pub attempt: u32,
    /// The backend's job, if the act became one.
    pub job: Option<JobRef>,
    /// How far the job is, 0 to 100.
    pub progress_percent: Option<u8>,
    /// When the state must have been left; `None` in a final one.
    pub deadline: Option<Timestamp>,
    /// Why it ended so; while CONFIRMING after a failed job already `JobFailed`, and after an act for which the
    /// backend found no session already `Refused`.
    pub reason: Option<EndReason>,
    /// What shows it.
    pub evidence: OperationEvidence,
    /// Who ended it.
    pub ended_by: Option<EndedBy>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// One act on one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Names it.
    pub id: OperationId,
    /// What is to be done.
    pub verb: Verb,
    /// To what.
    pub target: TargetSnapshot,
    /// Who asked.
    pub actor: Actor,
    /// In which request.
    pub request: RequestMeta,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// How it goes.
    pub course: Course,
}

/// One arrow of an operation's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationEvent {
    /// 0 for the first.
    pub seq: u32,
    /// When.
    pub at: Timestamp,
    /// From where; `None` for the first.
    pub from: Option<OperationState>,
    /// To where.
    pub to: OperationState,
    /// The attempt in hand.
    pub attempt: u32,
    /// Why, where that is known.
    pub reason: Option<EndReason>,
}

#[cfg(test)]
mod tests;
