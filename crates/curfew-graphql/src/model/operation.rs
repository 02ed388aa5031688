//! Operations: what became of an act.
//!
//! Not here: the audit log; an operation shows no way round `audit:read`.
//! Invariant: `outcome` is there exactly when the operation has ended.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use curfew_app::App;

use super::enums::{EndReason, EndedBy, OperationState, Outcome, Seen, Sent, SessionAction, SessionState};
use super::session::{SessionClient, SessionMachine, SessionUser};
use crate::connection::PageInfo;
use crate::error::from_store;

/// One act on one session, from its committed intent to its end.
pub struct Operation(pub curfew_core::Operation);

/// One act on one session, from its committed intent to its end.
#[Object]
impl Operation {
    /// Names it.
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What is done.
    async fn action(&self) -> SessionAction {
        self.0.verb.kind().into()
    }

    /// Where it stands.
    async fn state(&self) -> OperationState {
        self.0.course.state.into()
    }

    /// How it ended; null while it has not.
    async fn outcome(&self) -> Option<Outcome> {
        self.0.course.state.outcome().map(Into::into)
    }

    /// Why it ended so, where its state alone does not say.
    async fn reason(&self) -> Option<EndReason> {
        self.0.course.reason.map(Into::into)
    }

    /// Whether an acting request left for the backend.
    async fn sent(&self) -> Sent {
        self.0.course.sent.into()
    }

    /// The session as it was when the act was asked for.
    async fn session(&self) -> Target {
        Target(self.0.target.clone())
    }

    /// Who asked for it.
    async fn requested_by(&self) -> Actor {
        Actor::from(&self.0.actor)
    }

    /// Why, in the caller's words.
    async fn request_reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The ticket it belongs to.
    async fn ticket(&self) -> Option<&str> {
        self.0.ticket.as_deref()
    }

    /// When it was asked for.
    async fn requested_at(&self) -> DateTime<Utc> {
        self.0.requested_at
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.course.finished_at
    }

    /// Who ended it.
    async fn ended_by(&self) -> Option<EndedBy> {
        self.0.course.ended_by.map(Into::into)
    }

    /// When its present state will have been left.
    async fn deadline(&self) -> Option<DateTime<Utc>> {
        self.0.course.deadline
    }

    /// How far the backend's job is, 0 to 100.
    async fn progress_percent(&self) -> Option<u8> {
        self.0.course.progress_percent
    }

    /// How many attempts are on record; each allows one request at most.
    async fn attempts(&self) -> u32 {
        self.0.course.attempt
    }

    /// What shows how it stands.
    async fn evidence(&self) -> OperationEvidence {
        OperationEvidence::from(&self.0.course.evidence)
    }

    /// Its way so far, first arrow first.
    async fn timeline(&self, ctx: &Context<'_>) -> Result<Vec<OperationEvent>> {
        let events = ctx
            .data::<Arc<App>>()?
            .operations
            .events(self.0.id)
            .await
            .map_err(from_store)?;
        Ok(events.into_iter().map(OperationEvent::from).collect())
    }
}

/// Somebody, as a token named them.
#[derive(SimpleObject)]
pub struct Actor {
    /// Who vouches for them.
    issuer: String,
    /// Who they are there; with the issuer, what identifies them.
    subject: String,
    /// Name for people.
    name: String,
}

impl From<&curfew_core::Actor> for Actor {
    fn from(actor: &curfew_core::Actor) -> Self {
        Self {
            issuer: actor.issuer.clone(),
            subject: actor.subject.clone(),
            name: actor.name.clone(),
        }
    }
}

/// A session as it was when an act was asked for.
pub struct Target(pub curfew_core::TargetSnapshot);

/// A session as it was when an act was asked for. All but `id`, `backendId` and `namedAs` is null if the id alone was
/// known.
#[Object]
impl Target {
    /// The session's id.
    async fn id(&self) -> ID {
        ID(self.0.session.to_string())
    }

    /// The backend's name.
    async fn backend_id(&self) -> ID {
        ID(self.0.session.backend_str().to_owned())
    }

    /// The name on its host that it was asked for by; null if it was asked for otherwise.
    async fn named_as(&self) -> Option<&str> {
        self.0.named_as.as_deref()
    }

    /// Its state then.
    async fn state(&self) -> Option<SessionState> {
        self.0.facts.as_ref().map(|facts| facts.state.into())
    }

    /// Whose session it was.
    async fn user(&self) -> Option<SessionUser> {
        self.0.facts.as_ref().map(|facts| SessionUser::from(&facts.user))
    }

    /// Where it ran.
    async fn machine(&self) -> Option<SessionMachine> {
        self.0
            .facts
            .as_ref()
            .map(|facts| SessionMachine::from(&facts.machine))
    }

    /// Where it was used from.
    async fn client(&self) -> Option<SessionClient> {
        self.0
            .facts
            .as_ref()
            .map(|facts| SessionClient::from(&facts.client))
    }

    /// When it had begun.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.facts.as_ref().and_then(|facts| facts.started_at)
    }

    /// When the backend had said so.
    async fn observed_at(&self) -> Option<DateTime<Utc>> {
        self.0.facts.as_ref().map(|facts| facts.observed_at)
    }
}

/// What shows how an operation stands or ended.
#[derive(SimpleObject)]
pub struct OperationEvidence {
    /// The backend's answer to the act.
    act: Option<CallEvidence>,
    /// The backend's last word on its job.
    job: Option<CallEvidence>,
    /// The last read of the session.
    read: Option<CallEvidence>,
    /// What that read showed.
    seen: Option<Seen>,
    /// What the backend said when it failed.
    detail: Option<String>,
}

impl From<&curfew_core::OperationEvidence> for OperationEvidence {
    fn from(evidence: &curfew_core::OperationEvidence) -> Self {
        let call = |call: &Option<curfew_core::Evidence>| call.clone().map(CallEvidence::from);
        Self {
            act: call(&evidence.act),
            job: call(&evidence.job),
            read: call(&evidence.read),
            seen: evidence.seen.map(Into::into),
            detail: evidence.detail.clone(),
        }
    }
}

/// How a backend answered one call.
#[derive(SimpleObject)]
pub struct CallEvidence {
    /// The HTTP status.
    status: Option<u16>,
    /// The vendor's own code.
    native_code: Option<String>,
    /// The vendor's id of the call, to be quoted to its support.
    transaction_id: Option<String>,
    /// The vendor's id of the job that the call began.
    job_id: Option<String>,
    /// How long the call took, in milliseconds.
    latency_ms: Option<u64>,
    /// How long the vendor asked to wait, in milliseconds.
    retry_after_ms: Option<u64>,
}

impl From<curfew_core::Evidence> for CallEvidence {
    fn from(evidence: curfew_core::Evidence) -> Self {
        let curfew_core::Evidence {
            status,
            native_code,
            transaction_id,
            job_id,
            latency_ms,
            retry_after_ms,
        } = evidence;
        Self {
            status,
            native_code,
            transaction_id,
            job_id,
            latency_ms,
            retry_after_ms,
        }
    }
}

/// One arrow of an operation's way.
#[derive(SimpleObject)]
pub struct OperationEvent {
    /// When.
    at: DateTime<Utc>,
    /// From where; null for the first.
    #[graphql(name = "from")]
    from_state: Option<OperationState>,
    /// To where.
    #[graphql(name = "to")]
    to_state: OperationState,
    /// The attempt in hand.
    attempt: u32,
    /// Why, where that is known.
    reason: Option<EndReason>,
}

impl From<curfew_core::OperationEvent> for OperationEvent {
    fn from(event: curfew_core::OperationEvent) -> Self {
        Self {
            at: event.at,
            from_state: event.from.map(Into::into),
            to_state: event.to.into(),
            attempt: event.attempt,
            reason: event.reason.map(Into::into),
        }
    }
}

/// A page of operations, newest first.
#[derive(SimpleObject)]
pub struct OperationConnection {
    /// The operations with their cursors.
    pub edges: Vec<OperationEdge>,
    /// The operations.
    pub nodes: Vec<Operation>,
    /// Where this page stands among all operations that match.
    pub page_info: PageInfo,
    /// How many operations match; counted only if it is asked for.
    pub total_count: u64,
}

impl OperationConnection {
    pub(crate) fn edge(cursor: String, operation: &curfew_core::Operation) -> OperationEdge {
        OperationEdge {
            cursor,
            node: Operation(operation.clone()),
        }
    }
}

/// An operation and its place in the listing.
#[derive(SimpleObject)]
pub struct OperationEdge {
    /// Its place; give it as `after` or `before`.
    pub cursor: String,
    /// The operation.
    pub node: Operation,
}
