//! The three acts.
//!
//! Not here: what the answer means (`answer.rs`) and looking whether it worked (a later `get`).
//! Invariant: what is sent names one generation, one operation and attempt, and an instant of the *host's* clock after
//! which the host must not begin; that instant is never later than the one that was given to us.

use bytes::Bytes;
use curfew_agent_api as api;
use curfew_core::{
    BackendError, BackendErrorKind as Kind, Evidence, Recorded, Reply as Answered, SessionAction, Started,
    Timestamp, Verb,
};
use tokio::time::Instant;

use super::client::Fleet;
use super::host::Host;
use super::reads::Place;

impl Fleet {
    /// Sends one act.
    pub(super) async fn start(
        &self,
        recorded: &Recorded<SessionAction>,
    ) -> Result<Answered<Started>, BackendError> {
        let action = recorded.get();
        let native = action.session.native();
        let (host, number) = match self.place(&native) {
            Place::At(host, number) => (host, number),
            Place::Nowhere => {
                return Ok(Answered {
                    value: Started::AlreadyGone,
                    evidence: Evidence::default(),
                });
            }
            Place::Unknown(error) => return Err(unsent(error)),
        };
        let deadline = Instant::now() + self.act_timeout;
        self.in_time(action.not_after)?;
        let not_after = self.in_hosts_time(host, action.not_after, deadline).await?;
        // Asking for the host's clock has taken time.
        self.in_time(action.not_after)?;
        if deadline.saturating_duration_since(Instant::now()) < self.act_timeout / 4 {
            let late =
                format!("{host} took so long to answer that no time was left for the act; nothing was sent");
            return Err(BackendError::new(Kind::Unavailable, late));
        }
        let (operation, message) = match &action.verb {
            Verb::Disconnect => ("disconnect", None),
            Verb::Logoff => ("logoff", None),
            Verb::Message { title, text } => (
                "message",
                Some(api::Message {
                    title: title.clone(),
                    text: text.clone(),
                }),
            ),
        };
        let body = body(recorded, not_after, message)?;
        let path = format!("/sessions/{number}/{operation}");
        let id = recorded.operation().to_string();
        match self.act(host, operation, &path, body, deadline).await {
            Ok(reply) => {
                let taken = reply.of_operation(id).taken(host);
                if taken.is_ok() {
                    self.lives(host);
                }
                taken
            }
            Err(mut error) => {
                if let Some(evidence) = &mut error.evidence {
                    evidence.transaction_id = Some(id);
                }
                Err(error)
            }
        }
    }

    fn in_time(&self, not_after: Timestamp) -> Result<(), BackendError> {
        if self.clock.now() <= not_after {
            return Ok(());
        }
        let late = "the act came too late and was not sent";
        Err(BackendError::new(Kind::Unavailable, late))
    }

    /// The instant in the host's own time. Clocks of a Windows domain may be minutes apart (Kerberos tolerates five),
    /// so that an instant of ours would be past there, or far off.
    async fn in_hosts_time(
        &self,
        host: &Host,
        not_after: Timestamp,
        deadline: Instant,
    ) -> Result<Timestamp, BackendError> {
        if host.offset().is_none() {
            let half = Instant::now() + self.act_timeout / 2;
            self.health(host, half.min(deadline)).await.map_err(unsent)?;
        }
        host.offset()
            .and_then(|offset| not_after.checked_add_signed(offset.least))
            .ok_or_else(|| {
                let public = format!("{host} has a clock that makes no sense; nothing was sent");
                BackendError::new(Kind::Unavailable, public)
            })
    }
}

/// What a failure before the act was sent is to it.
fn unsent(error: BackendError) -> BackendError {
    BackendError {
        kind: match error.kind {
            Kind::Credentials => Kind::Credentials,
            _ => Kind::Unavailable,
        },
        public: format!("{}; nothing was sent", error.public),
        ..error
    }
}

fn body(
    recorded: &Recorded<SessionAction>,
    not_after: Timestamp,
    message: Option<api::Message>,
) -> Result<Bytes, BackendError> {
    let on_behalf = recorded.on_behalf();
    let request = api::ActRequest {
        generation: recorded.get().session.generation().to_string(),
        not_after,
        operation: recorded.operation().to_string(),
        attempt: recorded.attempt(),
        on_behalf: api::OnBehalf {
            issuer: on_behalf.actor.issuer.clone(),
            subject: on_behalf.actor.subject.clone(),
            name: on_behalf.actor.name.clone(),
        },
        reason: on_behalf.reason.clone(),
        ticket: on_behalf.ticket.clone(),
        message,
    };
    serde_json::to_vec(&request).map(Bytes::from).map_err(|error| {
        let public = "the act cannot be written as JSON; nothing was sent";
        BackendError::new(Kind::Unavailable, public)
            .with_source(Box::<dyn std::error::Error + Send + Sync>::from(error))
    })
}
