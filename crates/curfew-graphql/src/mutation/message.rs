//! Messages to sessions' users.
//!
//! Not here: warnings before a log-off.
//! Invariant: a message is never repeated; whether somebody read it cannot be seen.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use curfew_app::{ActRequest, Upshot};
use curfew_core::Verb;

use super::{Outline, SHORT_WAIT, act};
use crate::input::{
    MAX_REASON, MAX_TEXT, MAX_TICKET, MAX_TITLE, MAX_WORD, free_text, session_id, shown_text,
};
use crate::model::{OnlineSession, Operation};

/// The title of a message that is given none.
const DEFAULT_TITLE: &str = "Message from your administrator";

/// How sending a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum SendMessageStatus {
    /// The backend accepted it.
    Sent,
    /// The backend works on it. Follow the operation.
    Accepted,
    /// The session was not there at the first live read. Nothing was sent.
    AlreadyGone,
    /// Another logon has the session's place. Nothing was sent to that one.
    Superseded,
    /// There is no such backend, or none that the caller can see.
    NotFound,
    /// This backend cannot show messages.
    Unsupported,
    /// Known not to have happened: the backend could not be reached, or asked to slow down.
    BackendUnavailable,
    /// The backend refused.
    Failed,
    /// Sent, and its fate cannot be told. It is not repeated.
    Unknown,
}

impl From<Upshot> for SendMessageStatus {
    fn from(upshot: Upshot) -> Self {
        match upshot {
            Upshot::Done => Self::Sent,
            Upshot::Accepted => Self::Accepted,
            Upshot::AlreadyGone | Upshot::AlreadyDisconnected => Self::AlreadyGone,
            Upshot::Superseded => Self::Superseded,
            Upshot::NotFound => Self::NotFound,
            Upshot::Unsupported => Self::Unsupported,
            Upshot::BackendUnavailable => Self::BackendUnavailable,
            Upshot::Failed => Self::Failed,
            Upshot::Unknown => Self::Unknown,
        }
    }
}

/// What to say to whom.
#[derive(Debug, InputObject)]
pub struct SendMessageInput {
    /// The session's id, as `onlineSessions` gives it.
    online_session_id: ID,
    /// Title of the box. At most 100 characters.
    title: Option<String>,
    /// What it says: 1 to 1,000 characters, line feeds but no other controls. Kept in the audit record.
    text: String,
    /// Why; kept in the audit record. At most 1,000 characters.
    reason: Option<String>,
    /// The ticket it belongs to; kept in the audit record. At most 128 characters.
    ticket: Option<String>,
    /// Given back as it is.
    client_mutation_id: Option<String>,
}

/// What became of a message.
#[derive(SimpleObject)]
pub struct SendMessagePayload {
    /// How it ended.
    status: SendMessageStatus,
    /// The operation, if one was begun.
    operation: Option<Operation>,
    /// The session as it is known now; null if it is gone. `operation.session` says what it was.
    session: Option<OnlineSession>,
    /// The same in words, with what to do.
    message: String,
    /// As it was given.
    client_mutation_id: Option<String>,
}

/// Messages to sessions' users.
pub struct MessageMutations;

#[Object]
impl MessageMutations {
    /// Show a message in a session. Waits up to 10 seconds for the backend to accept it.
    async fn send_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to say to whom.")] input: SendMessageInput,
    ) -> Result<SendMessagePayload> {
        let session = session_id("onlineSessionId", &input.online_session_id)?;
        let title = input.title.unwrap_or_else(|| DEFAULT_TITLE.to_owned());
        shown_text("title", &title, MAX_TITLE, false)?;
        shown_text("text", &input.text, MAX_TEXT, true)?;
        let client_mutation_id = free_text("clientMutationId", input.client_mutation_id, MAX_WORD)?;
        let request = ActRequest {
            verb: Verb::Message {
                title,
                text: input.text,
            },
            session,
            named_as: None,
            reason: free_text("reason", input.reason, MAX_REASON)?,
            ticket: free_text("ticket", input.ticket, MAX_TICKET)?,
            wait: SHORT_WAIT,
        };
        let Outline {
            upshot,
            operation,
            session,
            message,
        } = act(ctx, request).await?;
        Ok(SendMessagePayload {
            status: upshot.into(),
            message,
            operation,
            session,
            client_mutation_id,
        })
    }
}
