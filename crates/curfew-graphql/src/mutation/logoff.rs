//! Logging sessions off.
//!
//! Not here: bulk.
//! Invariant: "accepted" is not "done": LOGGED_OFF is said only after a read showed the session gone.

use std::time::Duration;

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use curfew_app::{ActRequest, Meant, Unread, Upshot};
use curfew_core::Verb;
use curfew_core::ledger::ActionKind;

use super::target::{Looked, SessionTarget, Wanted};
use super::words::listed;
use super::{Outline, act};
use crate::error::bad_input;
use crate::input::{MAX_REASON, MAX_TICKET, MAX_WORD, free_text};
use crate::model::{OnlineSession, Operation};

/// Longest wait for a log-off, in seconds.
const MAX_WAIT: i32 = 300;

/// How a log-off ended, or how it stood when the answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum LogoffStatus {
    /// A reading after the act shows that it is gone.
    LoggedOff,
    /// It is on its way. Follow the operation.
    Accepted,
    /// It was not there at the first live read. Nothing was done.
    AlreadyGone,
    /// Another logon has its place, or another session the name that it was asked for by. That one was not touched.
    Superseded,
    /// There is no such backend, or none that the caller can see; or nothing that is known matches the target.
    NotFound,
    /// This backend cannot log off.
    Unsupported,
    /// Known not to have happened: the backend could not be reached, or asked to slow down.
    BackendUnavailable,
    /// The backend refused, or the session is still there at the deadline.
    Failed,
    /// Sent, and its fate cannot be told.
    Unknown,
}

impl From<Upshot> for LogoffStatus {
    fn from(upshot: Upshot) -> Self {
        match upshot {
            Upshot::Done => Self::LoggedOff,
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

/// What to log off.
#[derive(Debug, InputObject)]
pub struct LogoffSessionInput {
    /// Which session.
    target: SessionTarget,
    /// Whether to answer only when it has ended, or `waitSeconds` are over. Without it the answer is ACCEPTED as
    /// soon as the intent is on record.
    #[graphql(default)]
    wait: bool,
    /// How long to wait, in seconds; at most 300.
    #[graphql(default = 60)]
    wait_seconds: i32,
    /// Why; kept in the audit record. At most 1,000 characters.
    reason: Option<String>,
    /// The ticket it belongs to; kept in the audit record. At most 128 characters.
    ticket: Option<String>,
    /// Given back as it is.
    client_mutation_id: Option<String>,
}

/// What became of a log-off.
#[derive(SimpleObject)]
pub struct LogoffSessionPayload {
    /// How it ended, or how it stands.
    status: LogoffStatus,
    /// The operation to follow, if one was begun.
    operation: Option<Operation>,
    /// The session as it is known now; null if it is gone. `operation.session` says what it was.
    session: Option<OnlineSession>,
    /// The same in words, with what to do.
    message: String,
    /// As it was given.
    client_mutation_id: Option<String>,
}

impl LogoffSessionPayload {
    /// Nothing that the caller can see is called so, as far as could be read.
    fn not_found(wanted: &Wanted, unread: &[Unread], client_mutation_id: Option<String>) -> Self {
        let message = match unread {
            [] => format!(
                "Nothing was sent: no session of a Windows host that you can see is called `{wanted}`, also not after a \
                 fresh reading. Reload the list."
            ),
            unread => format!(
                "Nothing was sent: nothing that is known fits the target `{wanted}`, and {} could not be read just now; \
                 it may be there all the same. Try again.",
                listed(unread)
            ),
        };
        Self {
            message,
            status: Upshot::NotFound.into(),
            operation: None,
            session: None,
            client_mutation_id,
        }
    }
}

/// Logging sessions off.
pub struct LogoffMutations;

#[Object]
impl LogoffMutations {
    /// End a session and its applications. Unsaved work is lost, so think of `sendMessage` first.
    async fn logoff_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to log off.")] input: LogoffSessionInput,
    ) -> Result<LogoffSessionPayload> {
        let wanted = input.target.read()?;
        if !(0..=MAX_WAIT).contains(&input.wait_seconds) {
            return Err(bad_input(format!(
                "`waitSeconds` must be from 0 to {MAX_WAIT}. Nothing was done."
            )));
        }
        let client_mutation_id = free_text("clientMutationId", input.client_mutation_id, MAX_WORD)?;
        let seconds = if input.wait {
            input.wait_seconds.unsigned_abs()
        } else {
            0
        };
        let reason = free_text("reason", input.reason, MAX_REASON)?;
        let ticket = free_text("ticket", input.ticket, MAX_TICKET)?;
        let Meant { session, named_as } =
            match wanted.session(ctx, ActionKind::Logoff, &reason, &ticket).await? {
                Looked::Found(meant) => meant,
                Looked::InVain(unread) => {
                    return Ok(LogoffSessionPayload::not_found(
                        &wanted,
                        &unread,
                        client_mutation_id,
                    ));
                }
            };
        let request = ActRequest {
            verb: Verb::Logoff,
            session,
            named_as,
            reason,
            ticket,
            wait: Duration::from_secs(seconds.into()),
        };
        let Outline {
            upshot,
            operation,
            session,
            message,
        } = act(ctx, request).await?;
        Ok(LogoffSessionPayload {
            status: upshot.into(),
            message,
            operation,
            session,
            client_mutation_id,
        })
    }
}
