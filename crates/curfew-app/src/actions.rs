//! The acts: disconnect, log off, message. Authorize, record, act, confirm, record.
//!
//! Not here: finding a session that is named without its id (`resolve`), how an operation moves
//! (`curfew_core::machine`) and who carries it on after a crash (`runner`).
//! Invariant: everything after the intent's commit runs in a task of the gateway, so a client that hangs up
//! changes nothing.

mod resolve;

use std::sync::Arc;
use std::time::Duration;

use curfew_core::audit::{self, DenyReason, Refusal};
use curfew_core::ledger::{ActionKind, Opened};
use curfew_core::{
    AuditAction, AuditLog, Authorizer, BackendId, Caller, Capabilities, Clock, Decision, Intent, Ledger,
    LedgerError, Operation, OperationId, Permission, ReadCtx, RequestMeta, Session, SessionId, SessionState,
    Sight, TargetSnapshot, Verb,
};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use crate::directory::{Directory, Listed, chain};
use crate::driver::{Begin, Driver, Leased, Standing};

pub use resolve::Resolve;

/// What a live read may take that only looks for the facts of an unknown target.
const LOOK_UP: Duration = Duration::from_secs(3);
/// How often a waiter looks into the database, in case another gateway ends the operation.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An act that somebody asks for.
#[derive(Debug, Clone)]
pub struct ActRequest {
    /// What to do.
    pub verb: Verb,
    /// To which generation of which session.
    pub session: SessionId,
    /// The name it was asked for by, if [`Actions::resolve`] gave one: once it has lost that, nothing is sent.
    pub named_as: Option<String>,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
    /// How long to wait for the end, from the intent's commit.
    pub wait: Duration,
}

/// What became of a request to act.
#[derive(Debug)]
pub enum Acted {
    /// There is no such backend, or none that this caller can see. Nothing was sent.
    NotFound,
    /// The backend cannot do that. Nothing was sent.
    Unsupported {
        /// Which backend.
        backend: BackendId,
    },
    /// The operation as it stands: ended, or still under way when the wait was over.
    Operation {
        /// The operation.
        operation: Box<Operation>,
        /// The session as the directory has it now; `None` if it is gone.
        row: Option<Listed>,
    },
    /// It has ended, but the end could not be committed yet.
    Unwritten {
        /// The operation, as it will be committed.
        operation: Box<Operation>,
        /// The session as the directory has it now; `None` if it is gone.
        row: Option<Listed>,
    },
}

/// Why nothing was begun.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The right is missing; it is on record.
    #[error("the right {missing} is missing")]
    Forbidden {
        /// Which.
        missing: Permission,
    },
    /// The intent could not be recorded; nothing was sent.
    #[error("the audit record cannot be written")]
    AuditUnavailable {
        /// The operation that may or may not be on record; it will end unsent.
        operation: Option<OperationId>,
    },
    /// The gateway is stopping; nothing was sent.
    #[error("the gateway is stopping")]
    ShuttingDown,
    /// A task of ours ended without an answer.
    #[error("the act's task ended without an answer")]
    Internal {
        /// The operation, if one was opened.
        operation: Option<OperationId>,
    },
}

/// The right that a kind of act needs.
pub const fn permission_for(kind: ActionKind) -> Permission {
    match kind {
        ActionKind::Disconnect => Permission::SessionsDisconnect,
        ActionKind::Logoff => Permission::SessionsLogoff,
        ActionKind::Message => Permission::SessionsMessage,
    }
}

const fn supports(capabilities: &Capabilities, kind: ActionKind) -> bool {
    match kind {
        ActionKind::Disconnect => capabilities.disconnect,
        ActionKind::Logoff => capabilities.logoff,
        ActionKind::Message => capabilities.message,
    }
}

/// The acts.
#[derive(Clone)]
pub struct Actions {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) ledger: Ledger,
    pub(crate) driver: Driver,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Actions {
    /// What `caller` could do to `session` now.
    pub fn allowed(
        &self,
        caller: &Caller,
        session: &Session,
        capabilities: &Capabilities,
    ) -> Vec<ActionKind> {
        let makes_sense = |kind| match (kind, session.state) {
            _ if session.protected => false,
            (_, SessionState::LoggingOff) => false,
            (ActionKind::Disconnect, SessionState::Disconnected) => capabilities.disconnect_ends_session,
            (ActionKind::Message, state) => state != SessionState::Disconnected,
            _ => true,
        };
        let backend = session.id.backend_str();
        ActionKind::ALL
            .iter()
            .copied()
            .filter(|kind| supports(capabilities, *kind) && makes_sense(*kind))
            .filter(|kind| {
                self.authorizer
                    .decide(caller, permission_for(*kind), Some(backend))
                    == Decision::Allow
            })
            .collect()
    }

    /// Records that a document held more than one act, none of which was done.
    pub async fn refuse_many(&self, caller: &Caller, request: &RequestMeta) {
        let refusal = Refusal {
            action: AuditAction::ManyActs,
            why: DenyReason::TooManyActs,
            missing: None,
            session: None,
            target: None,
            reason: None,
            ticket: None,
        };
        self.deny(caller, request, refusal).await;
    }

    /// Does one act and waits for its end, at most as long as the request says.
    ///
    /// # Errors
    /// If nothing was begun; see [`ActError`].
    pub async fn act(
        &self,
        caller: &Caller,
        request: &RequestMeta,
        act: ActRequest,
    ) -> Result<Acted, ActError> {
        let kind = act.verb.kind();
        let permission = permission_for(kind);
        let backend = act.session.backend_str().to_owned();
        let known = self.directory.backend(&backend);
        let decision = match self.authorizer.decide(caller, permission, Some(&backend)) {
            Decision::Allow if known.is_none() => Decision::Hidden,
            decision => decision,
        };
        let refusal = |why, missing| Refusal {
            action: kind.into(),
            why,
            missing,
            session: Some(act.session.to_string()),
            target: self.directory.recall(&act.session),
            reason: act.reason.clone(),
            ticket: act.ticket.clone(),
        };
        match decision {
            Decision::Allow => {}
            Decision::Deny => {
                self.deny(caller, request, refusal(DenyReason::Forbidden, Some(permission)))
                    .await;
                return Err(ActError::Forbidden { missing: permission });
            }
            Decision::Hidden => {
                self.deny(caller, request, refusal(DenyReason::HiddenBackend, None))
                    .await;
                return Ok(Acted::NotFound);
            }
        }
        let Some(known) = known else {
            return Ok(Acted::NotFound);
        };
        if !supports(&known.capabilities, kind) {
            self.deny(caller, request, refusal(DenyReason::Unsupported, None))
                .await;
            return Ok(Acted::Unsupported { backend: known.id });
        }
        if self.stop.is_cancelled() {
            return Err(ActError::ShuttingDown);
        }
        self.begin(caller, request, act).await
    }

    fn sees_sessions(&self, caller: &Caller, backend: &str) -> bool {
        self.authorizer
            .decide(caller, Permission::SessionsRead, Some(backend))
            == Decision::Allow
    }

    async fn begin(
        &self,
        caller: &Caller,
        request: &RequestMeta,
        act: ActRequest,
    ) -> Result<Acted, ActError> {
        let intent = Intent {
            caller: caller.clone(),
            request: request.clone(),
            verb: act.verb,
            target: TargetSnapshot {
                named_as: act.named_as,
                ..self.target(&act.session).await
            },
            reason: act.reason,
            ticket: act.ticket,
        };
        let (opened, was_opened) = oneshot::channel();
        let this = self.clone();
        self.tasks
            .spawn(async move { this.carry_out(intent, opened).await });
        let mut standing = match was_opened.await {
            Ok(Ok(standing)) => standing,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(ActError::Internal { operation: None }),
        };
        let last = self.watch(&mut standing, Instant::now() + act.wait).await;
        // The right to act is not the right to see.
        let row = self
            .directory
            .shown(|backend| self.sees_sessions(caller, backend), &act.session);
        Ok(match last {
            Standing::Open(operation) | Standing::Ended(operation) => Acted::Operation {
                operation: Box::new(operation),
                row,
            },
            Standing::Unwritten(operation) => Acted::Unwritten {
                operation: Box::new(operation),
                row,
            },
        })
    }

    /// Commits the intent and carries the act out; runs in a task of the gateway.
    async fn carry_out(
        self,
        intent: Intent,
        opened: oneshot::Sender<Result<watch::Receiver<Standing>, ActError>>,
    ) {
        // A gateway that stops waits for every task that began before; what begins later must not.
        if self.stop.is_cancelled() {
            let _ = opened.send(Err(ActError::ShuttingDown));
            return;
        }
        let since = Instant::now();
        match self.ledger.open(intent).await {
            Ok(Opened {
                recorded,
                lease,
                operation,
            }) => {
                info!(operation.id = %operation.id, session.id = %operation.target.session,
                    "Recorded the intent of operation `{}`", operation.id);
                let (watch, standing) = watch::channel(Standing::Open(operation.clone()));
                let _ = opened.send(Ok(standing));
                self.driver
                    .drive(
                        operation,
                        Leased { lease, since },
                        Begin::Fresh(Box::new(recorded)),
                        Some(watch),
                    )
                    .await;
            }
            Err(LedgerError::Unsettled {
                lease,
                operation,
                source,
            }) => {
                let id = operation.id;
                error!(operation.id = %id, error = %chain(&source), "The intent of operation `{id}` may not be on record");
                metrics::counter!("curfew_audit_unavailable_total").increment(1);
                let _ = opened.send(Err(ActError::AuditUnavailable { operation: Some(id) }));
                self.driver.withdraw(lease, *operation).await;
            }
            Err(error) => {
                error!(error = %chain(&error), "An intent could not be recorded; nothing was sent");
                metrics::counter!("curfew_audit_unavailable_total").increment(1);
                let _ = opened.send(Err(ActError::AuditUnavailable { operation: None }));
            }
        }
    }

    /// What is known of a target, from the directory or else from one live look, whose failure changes nothing.
    async fn target(&self, id: &SessionId) -> TargetSnapshot {
        if let Some(target) = self.directory.recall(id) {
            return target;
        }
        let Some(backend) = self.directory.adapter(id.backend_str()) else {
            return TargetSnapshot::bare(id.clone());
        };
        let ctx = ReadCtx::within(LOOK_UP);
        match tokio::time::timeout_at(ctx.deadline, backend.get(id, &ctx)).await {
            Ok(Ok(reply)) => match reply.value {
                Sight::Here(session) if session.id == *id => TargetSnapshot::of(&session),
                _ => TargetSnapshot::bare(id.clone()),
            },
            _ => TargetSnapshot::bare(id.clone()),
        }
    }

    /// Follows an operation until it ends or `until`.
    async fn watch(&self, standing: &mut watch::Receiver<Standing>, until: Instant) -> Standing {
        let mut driven = true;
        loop {
            let now = standing.borrow_and_update().clone();
            if !matches!(now, Standing::Open(_)) {
                return now;
            }
            tokio::select! {
                changed = standing.changed(), if driven => driven = changed.is_ok(),
                // Handed over because the gateway stops: whoever asked follows the operation elsewhere.
                () = self.stop.cancelled(), if !driven => return now,
                () = tokio::time::sleep(LOOK_AGAIN) => {
                    // Another gateway may have taken the operation over.
                    if let Ok(Some(operation)) = self.driver.store.operation_get(now.operation().id).await
                        && operation.course.state.is_final()
                    {
                        return Standing::Ended(operation);
                    }
                }
                () = tokio::time::sleep_until(until) => return standing.borrow().clone(),
            }
        }
    }

    /// Records a refusal. The act is refused whether or not that succeeds.
    async fn deny(&self, caller: &Caller, request: &RequestMeta, refusal: Refusal) {
        metrics::counter!("curfew_denied_total", "reason" => refusal.why.as_str()).increment(1);
        let record = audit::denied(caller, request, refusal, &*self.clock, self.clock.now());
        let log = Arc::clone(&self.audit);
        // In a task of the gateway, so that a client that hangs up does not escape the record.
        let recorded = self.tasks.spawn(async move {
            if let Err(error) = log.audit_append(&record).await {
                error!(error = %chain(&error), audit.id = %record.id, "A refusal could not be recorded");
            }
        });
        if let Err(error) = recorded.await {
            error!(%error, "The task that records a refusal was lost");
        }
    }
}

#[cfg(test)]
mod tests;
