//! A drive's looks at its session: what a sight means to the operation, and what it shows the directory.
//!
//! Not here: when to look, and what follows (`driver`, `curfew_core::machine`).
//! Invariant: a session that lost the name it was asked for by before anything was sent is never the one that is meant.

use std::time::Duration;

use curfew_core::{
    BackendErrorKind, Operation, OperationState, ReadCtx, Reading, Reply, Sent, Session, Sight, Verdict,
    reached,
};
use tracing::warn;

use super::{Ride, failure};
use crate::directory::chain;

impl Ride<'_> {
    /// Looks at the session, for `budget` at most.
    pub(super) async fn read(&mut self, budget: Duration) -> Reading {
        let id = self.operation.target.session.clone();
        let Some(backend) = &self.backend else {
            return Reading::Failed(failure(
                BackendErrorKind::Unavailable,
                "the backend is not configured any more",
            ));
        };
        let ctx = ReadCtx::within(budget);
        match tokio::time::timeout_at(ctx.deadline, backend.get(&id, &ctx)).await {
            Ok(Ok(reply)) => {
                self.show(&reply.value);
                let reply = Reply {
                    value: self.as_meant(reply.value),
                    ..reply
                };
                let verdict = reached(&self.operation.verb, &self.capabilities, &reply.value);
                let evidence = reply.evidence.clone();
                self.last_sight = Some(reply);
                Reading::Seen(verdict, evidence)
            }
            Ok(Err(error)) => {
                warn!(operation.id = %self.operation.id, session.id = %id, kind = ?error.kind, error = %chain(&error),
                    "Could not read session `{id}`");
                Reading::Failed((&error).into())
            }
            Err(_) => Reading::Failed(failure(
                BackendErrorKind::TimedOut,
                "the backend did not answer in time",
            )),
        }
    }

    /// What a sight means to an operation that asked for the session by name and has not sent anything: if the name
    /// has passed to another session, that is the one that was meant, and this one is left alone.
    fn as_meant(&self, sight: Sight) -> Sight {
        let Operation {
            target, course, verb, ..
        } = &self.operation;
        let Sight::Here(session) = &sight else {
            return sight;
        };
        if course.state != OperationState::Dispatching
            || target.is_still_called(session.session_name.as_deref())
        {
            return sight;
        }
        // Whoever began may have sent it. A goal that shows was not reached by what is sent now; and what is on its way
        // there, such as a disconnected session, has lost its name by that.
        let may_be_ours = course.sent != Sent::No
            && matches!(
                reached(verb, &self.capabilities, &sight),
                Verdict::Reached(_) | Verdict::UnderWay
            );
        match sight {
            Sight::Here(session) if !may_be_ours => Sight::Replaced(session),
            sight => sight,
        }
    }

    /// Shows in the directory what a live read has shown.
    fn show(&self, sight: &Sight) {
        let directory = &self.driver.directory;
        let id = &self.operation.target.session;
        match sight {
            Sight::Gone | Sight::Replaced(_) => directory.saw(id, None),
            Sight::Here(session) => {
                let stands =
                    |row: &Session| row.state == session.state && row.session_name == session.session_name;
                if directory.row(id).is_none_or(|row| !stands(&row.session)) {
                    directory.saw(id, Some(session));
                }
            }
        }
    }
}
