//! Disconnecting sessions.
//!
//! Not here: log-offs. A disconnected session keeps its applications.
//! Invariant: `disconnectBySessionId` keeps the contract that VPN dashboards already use, to the letter.

use std::sync::Arc;

use async_graphql::{Context, Enum, Error, ID, InputObject, Object, Result, SimpleObject};
use curfew_app::{ActRequest, App, Found, Resolve, TargetName, Upshot};
use curfew_core::ledger::ActionKind;
use curfew_core::{Caller, RequestMeta, SessionId, Verb};

use super::words::listed;
use super::{Outline, SHORT_WAIT, act};
use crate::ErrorCode;
use crate::error::{Extras, coded_with, from_act, session_not_found};
use crate::input::{MAX_REASON, MAX_TICKET, MAX_WORD, free_text, session_id};
use crate::model::{OnlineSession, Operation};

/// How a disconnect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum DisconnectStatus {
    /// A reading after the act shows it disconnected, or gone.
    Disconnected,
    /// The backend accepted it; its effect has not shown yet. Follow the operation.
    Accepted,
    /// It was not there at the first live read. Nothing was done.
    AlreadyGone,
    /// It was disconnected already. Nothing was sent.
    AlreadyDisconnected,
    /// Another logon has its place. That one was not touched.
    Superseded,
    /// There is no such backend, or none that the caller can see.
    NotFound,
    /// This backend cannot disconnect.
    Unsupported,
    /// Known not to have happened: the backend could not be reached, or asked to slow down.
    BackendUnavailable,
    /// The backend refused, or the session is still connected at the deadline.
    Failed,
    /// Sent, and its fate cannot be told.
    Unknown,
}

impl From<Upshot> for DisconnectStatus {
    fn from(upshot: Upshot) -> Self {
        match upshot {
            Upshot::Done => Self::Disconnected,
            Upshot::Accepted => Self::Accepted,
            Upshot::AlreadyGone => Self::AlreadyGone,
            Upshot::AlreadyDisconnected => Self::AlreadyDisconnected,
            Upshot::Superseded => Self::Superseded,
            Upshot::NotFound => Self::NotFound,
            Upshot::Unsupported => Self::Unsupported,
            Upshot::BackendUnavailable => Self::BackendUnavailable,
            Upshot::Failed => Self::Failed,
            Upshot::Unknown => Self::Unknown,
        }
    }
}

/// What to disconnect.
#[derive(Debug, InputObject)]
pub struct DisconnectSessionInput {
    /// The session's id, as `onlineSessions` gives it.
    online_session_id: ID,
    /// Why; kept in the audit record. At most 1,000 characters.
    reason: Option<String>,
    /// The ticket it belongs to; kept in the audit record. At most 128 characters.
    ticket: Option<String>,
    /// Given back as it is.
    client_mutation_id: Option<String>,
}

/// What became of a disconnect.
#[derive(SimpleObject)]
pub struct DisconnectSessionPayload {
    /// How it ended.
    status: DisconnectStatus,
    /// The operation, if one was begun.
    operation: Option<Operation>,
    /// The session as it is known now; null if it is gone. `operation.session` says what it was.
    session: Option<OnlineSession>,
    /// The same in words, with what to do.
    message: String,
    /// As it was given.
    client_mutation_id: Option<String>,
}

/// Disconnecting sessions.
pub struct DisconnectMutations;

#[Object]
impl DisconnectMutations {
    /// Cut a session's client off. Its applications keep running and the user may reconnect, except on VPNs, where
    /// the session ends. Waits up to 10 seconds for the effect.
    async fn disconnect_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to disconnect.")] input: DisconnectSessionInput,
    ) -> Result<DisconnectSessionPayload> {
        let session = session_id("onlineSessionId", &input.online_session_id)?;
        let client_mutation_id = free_text("clientMutationId", input.client_mutation_id, MAX_WORD)?;
        let request = request(session, input.reason, input.ticket)?;
        let Outline {
            upshot,
            operation,
            session,
            message,
        } = act(ctx, request).await?;
        Ok(DisconnectSessionPayload {
            status: upshot.into(),
            message,
            operation,
            session,
            client_mutation_id,
        })
    }

    /// Disconnect a session by its id: the contract of the VPN API that dashboards already use. `true`, or an error
    /// with a code. Takes the ids of `onlineSessions`, and bare ids of VPN sessions as dashboards send them.
    async fn disconnect_by_session_id(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session's id, or a bare VPN session id such as `sess_abc123xyz789`.")]
        online_session_id: String,
        #[graphql(desc = "Why; kept in the audit record. At most 1,000 characters.")] reason: Option<String>,
        #[graphql(desc = "The ticket it belongs to; kept in the audit record. At most 128 characters.")]
        ticket: Option<String>,
    ) -> Result<bool> {
        let session = if online_session_id.contains(':') {
            session_id("onlineSessionId", &online_session_id)?
        } else {
            bare(ctx, online_session_id, &reason, &ticket).await?
        };
        let backend = session.backend_str().to_owned();
        yes_or_error(act(ctx, request(session, reason, ticket)?).await?, backend)
    }
}

/// The session with this bare id: exactly one, or SESSION_NOT_FOUND in the contract's words.
async fn bare(
    ctx: &Context<'_>,
    native: String,
    reason: &Option<String>,
    ticket: &Option<String>,
) -> Result<SessionId> {
    let wanted = Resolve {
        name: TargetName::bare(native),
        kind: ActionKind::Disconnect,
        reason: free_text("reason", reason.clone(), MAX_REASON)?,
        ticket: free_text("ticket", ticket.clone(), MAX_TICKET)?,
    };
    let (caller, request) = (ctx.data::<Caller>()?, ctx.data::<RequestMeta>()?);
    let actions = &ctx.data::<Arc<App>>()?.actions;
    let hint = match actions.resolve(caller, request, wanted).await.map_err(from_act)? {
        Found::One(meant) => return Ok(meant.session),
        Found::Nothing { unread } if unread.is_empty() => None,
        Found::Nothing { unread } => Some(format!(
            "Nothing that is known has this id, and {} could not be read just now: it may be there all the same. Try \
             again.",
            listed(&unread)
        )),
        Found::Several { count, ids, .. } => Some(several(count, &ids)),
    };
    Err(session_not_found(Extras {
        hint,
        ..Extras::default()
    }))
}

fn several(count: usize, ids: &[SessionId]) -> String {
    let ids = match ids {
        [] => String::new(),
        ids => format!(": {}", listed(ids)),
    };
    format!("{count} VPN sessions have this id: use the id from onlineSessions{ids}")
}

fn request(session: SessionId, reason: Option<String>, ticket: Option<String>) -> Result<ActRequest> {
    Ok(ActRequest {
        verb: Verb::Disconnect,
        session,
        named_as: None,
        reason: free_text("reason", reason, MAX_REASON)?,
        ticket: free_text("ticket", ticket, MAX_TICKET)?,
        wait: SHORT_WAIT,
    })
}

/// The Boolean has no room for anything but success.
fn yes_or_error(outline: Outline, backend: String) -> Result<bool> {
    let Outline {
        upshot,
        operation,
        message: words,
        ..
    } = outline;
    let operation = operation.as_ref().map(|operation| &operation.0);
    let id = operation.map(|operation| operation.id);
    let evidence = operation.map(|operation| &operation.course.evidence);
    let calls = evidence
        .into_iter()
        .flat_map(|evidence| [&evidence.act, &evidence.read]);
    let extras = Extras {
        operation: id,
        backend: Some(backend),
        retry_after_ms: calls.flatten().find_map(|call| call.retry_after_ms),
        ..Extras::default()
    };
    let fail =
        |code, message: String, extras| -> Result<bool, Error> { Err(coded_with(code, message, extras)) };
    match (upshot, id) {
        (Upshot::Done, _) => Ok(true),
        (Upshot::AlreadyGone | Upshot::AlreadyDisconnected, _) => Err(session_not_found(Extras {
            hint: Some(words),
            ..extras
        })),
        (Upshot::NotFound, _) => Err(session_not_found(Extras::default())),
        (Upshot::Superseded, _) => fail(ErrorCode::SessionChanged, words, extras),
        (Upshot::Unsupported, _) => fail(ErrorCode::Unsupported, words, extras),
        (Upshot::BackendUnavailable, _) => fail(ErrorCode::BackendUnavailable, words, extras),
        (Upshot::Failed, _) => fail(ErrorCode::BackendRefused, words, extras),
        (Upshot::Accepted | Upshot::Unknown, _) => fail(ErrorCode::OutcomeUnknown, words, extras),
    }
}
