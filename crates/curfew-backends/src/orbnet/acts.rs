//! The one act: a disconnect, which ends the session.
//!
//! The user is listed first, at the last moment, and the generation compared: the mutation takes an id that the next
//! logon may have.
//! Not here: sending (`client.rs`) and looking whether it worked (a later `get`).
//! Invariant: only `true` is a success; only `SESSION_NOT_FOUND` and a listing that agrees say that there was nothing to
//! end.

use curfew_core::{
    BackendError, BackendErrorKind as Kind, Evidence, Reply as Answered, SessionAction, SessionId, Started,
    Timestamp, Verb,
};
use tokio::time::Instant;

use super::answer::Code;
use super::client::Client;
use super::config::{DisconnectBy, User};
use super::map::{self, Found};
use super::wire;

impl Client {
    /// Sends one act.
    pub(super) async fn start(&self, action: &SessionAction) -> Result<Answered<Started>, BackendError> {
        if action.verb != Verb::Disconnect {
            return Err(BackendError::new(
                Kind::Unsupported,
                "a VPN session can be disconnected, not logged off or sent a message; nothing was sent",
            ));
        }
        self.in_time(action.not_after)?;
        let budget = self.settings.act_timeout;
        let deadline = Instant::now() + budget;
        let native = action.session.native();
        let Some((user, session_id)) = self.place_of(&native)? else {
            return Ok(Answered {
                value: Started::AlreadyGone,
                evidence: Evidence::default(),
            });
        };
        self.pace.count();
        // The look may take half of the time; an act that could hardly be waited for is not sent.
        let look = self.sessions(user, deadline - budget / 2).await.map_err(unsent)?;
        let exact = look.found.iter().find(|found| found.session.id == action.session);
        let untouched = |value| {
            Ok(Answered {
                value,
                evidence: look.evidence.clone(),
            })
        };
        let argument = match exact {
            Some(found) => self
                .argument(user, found, &look.found)
                .map_err(|error| error.with_evidence(look.evidence.clone()))?,
            None if look.found.iter().any(|found| found.session_id == session_id) => {
                return untouched(Started::Replaced);
            }
            None => return untouched(Started::AlreadyGone),
        };
        self.in_time(action.not_after)?;
        self.pace.count();
        let reply = self.disconnect(argument, deadline).await?;
        let said = reply.data().and_then(|data| wire::disconnected(data.0));
        match said {
            Some(true) => Ok(Answered {
                value: Started::Done,
                evidence: reply.evidence,
            }),
            None if reply.code() == Code::SessionNotFound && reply.refuses() => {
                self.not_found(user, &action.session, reply.evidence, deadline)
                    .await
            }
            // `false` is not documented. Whether it means "not done" or "not there" a read decides.
            Some(false) | None => Err(reply.act_error()),
        }
    }

    /// The vendor says that there is no such session, which it has just listed. Either it ended in between, or the
    /// mutation wants the other id of the two: the word alone would then call a session gone that goes on.
    async fn not_found(
        &self,
        user: &User,
        session: &SessionId,
        evidence: Evidence,
        deadline: Instant,
    ) -> Result<Answered<Started>, BackendError> {
        self.pace.count();
        let public = match self.sessions(user, deadline).await {
            Ok(look) if look.found.iter().all(|found| found.session.id != *session) => {
                return Ok(Answered {
                    value: Started::AlreadyGone,
                    evidence,
                });
            }
            Ok(_) => {
                "OrbNet lists this session and does not find it by the id that it was given; the configuration's \
                 `disconnect_by` may name the wrong one of the two"
            }
            Err(_) => {
                "OrbNet says that there is no such session, and cannot be read to see whether that is so"
            }
        };
        Err(BackendError::new(Kind::NotFound, public).with_evidence(evidence))
    }

    /// What the mutation is given for this session, which is one of `all` of its user, if that means no other session.
    fn argument<'a>(&self, user: &User, found: &'a Found, all: &[Found]) -> Result<&'a str, BackendError> {
        let by = self.settings.disconnect_by;
        let unclear = |why: &str| {
            let public = format!("OrbNet {why}; nothing was sent");
            Err(BackendError::new(Kind::Unavailable, public))
        };
        let id = match by {
            DisconnectBy::SessionId => "sessionId",
            DisconnectBy::Id => "id",
        };
        let Some(argument) = found.argument(by) else {
            return unclear("gave no `id` for this session, which `disconnect_by` asks for");
        };
        if map::shared(found, all, by) {
            let same = match by {
                DisconnectBy::SessionId => "this `sessionId`",
                DisconnectBy::Id => "this `id`, or with nothing else to tell them apart",
            };
            return unclear(&format!(
                "lists two sessions under {same}, and either could be hit"
            ));
        }
        let place = self.place(user.id);
        if place.is_some_and(|place| self.arguments.another_has(place, argument)) {
            return unclear(&format!(
                "lists a session of another user under this `{id}`, and either could be hit"
            ));
        }
        Ok(argument)
    }

    fn in_time(&self, not_after: Timestamp) -> Result<(), BackendError> {
        if self.clock.now() > not_after {
            let late = "the act came too late and was not sent";
            return Err(BackendError::new(Kind::Unavailable, late));
        }
        Ok(())
    }
}

/// What a failed look before the act is to the act.
fn unsent(error: BackendError) -> BackendError {
    BackendError {
        kind: Kind::Unavailable,
        public: format!("{}; nothing was sent", error.public),
        ..error
    }
}
