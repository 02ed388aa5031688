//! The proof that an intent is committed.
//!
//! Not here: SQL (the store) and what follows an intent (the drivers in `curfew-app`).
//! Invariant: a [`Recorded`] exists only after the commit of exactly one attempt, cannot be cloned, and is
//! consumed by the one request that it allows.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::machine::{Deadlines, Event, step};
use crate::session::spelled;
use crate::{
    ActionStore, Actor, Caller, Clock, Course, EndedBy, Lease, Move, Operation, OperationEvidence,
    OperationId, OperationState, ProcessId, Reply, RequestMeta, Sent, SessionId, Sight, StoreError,
    TargetSnapshot, Timestamp,
};

/// What to do to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// Cut the client off; the applications keep running where the backend has such a state.
    Disconnect,
    /// End the session and its applications.
    Logoff,
    /// Show a message to its user.
    Message {
        /// Title of the box.
        title: String,
        /// What it says.
        text: String,
    },
}

/// A [`Verb`] without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionKind {
    /// [`Verb::Disconnect`].
    Disconnect,
    /// [`Verb::Logoff`].
    Logoff,
    /// [`Verb::Message`].
    Message,
}
spelled!(ActionKind { Disconnect => "DISCONNECT", Logoff => "LOGOFF", Message => "MESSAGE" });

impl Verb {
    /// The verb without its words.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Disconnect => ActionKind::Disconnect,
            Self::Logoff => ActionKind::Logoff,
            Self::Message { .. } => ActionKind::Message,
        }
    }

    /// Whether it is a message.
    pub const fn is_message(&self) -> bool {
        matches!(self, Self::Message { .. })
    }
}

/// One act on one generation of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionAction {
    /// The generation that is meant.
    pub session: SessionId,
    /// What to do to it.
    pub verb: Verb,
    /// Whoever carries it out refuses after this instant.
    pub not_after: Timestamp,
}

/// What somebody wants, before it is on record.
#[derive(Debug, Clone)]
pub struct Intent {
    /// Who wants it.
    pub caller: Caller,
    /// In which request.
    pub request: RequestMeta,
    /// What to do.
    pub verb: Verb,
    /// To what, as far as it is known.
    pub target: TargetSnapshot,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
}

/// In whose name an act is sent: for backends that keep a record of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnBehalf {
    /// Who asked.
    pub actor: Actor,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
}

/// The right to send one acting request. Only [`Ledger`] makes one.
#[derive(Debug)]
pub struct Recorded<T> {
    value: T,
    operation: OperationId,
    attempt: u32,
    on_behalf: OnBehalf,
}

impl<T> Recorded<T> {
    /// What is on record.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// The operation it belongs to.
    pub fn operation(&self) -> OperationId {
        self.operation
    }

    /// Which attempt it is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// In whose name it is sent.
    pub fn on_behalf(&self) -> &OnBehalf {
        &self.on_behalf
    }
}

#[cfg(any(test, feature = "fakes"))]
impl<T> Recorded<T> {
    /// A record that no store knows, for the tests of adapters. Each is of an operation of its own: backends that
    /// know an operation again do nothing the second time.
    pub fn for_test(value: T) -> Self {
        static OPERATIONS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let number = OPERATIONS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            value,
            operation: OperationId(uuid::Uuid::from_u128(number.into())),
            attempt: 1,
            on_behalf: OnBehalf {
                actor: Actor {
                    issuer: "https://login.example.com".to_owned(),
                    subject: "otto".to_owned(),
                    name: "Otto Operator".to_owned(),
                },
                reason: Some("a test".to_owned()),
                ticket: None,
            },
        }
    }
}

/// Proof that a live read showed the same generation.
#[derive(Debug)]
pub struct Sighting {
    session: SessionId,
}

impl Sighting {
    /// A proof, if `reply` shows exactly the generation that `id` names.
    pub fn of(id: &SessionId, reply: &Reply<Sight>) -> Option<Self> {
        match &reply.value {
            Sight::Here(session) if session.id == *id => Some(Self { session: id.clone() }),
            _ => None,
        }
    }
}

/// Why an intent is not on record, or not certainly.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It is provably not on record. Nothing may be sent.
    #[error("the intent could not be recorded")]
    Unrecorded(#[source] StoreError),
    /// The commit's answer was lost, and the database has not come back to say. Nothing may be sent; whoever gets
    /// this must see to it that the operation, should it exist, ends unsent.
    #[error("the intent of operation {} may or may not be on record", .lease.operation)]
    Unsettled {
        /// What would be the lease, had it been committed.
        lease: Lease,
        /// The operation as it would stand.
        operation: Box<Operation>,
        /// What lay beneath.
        #[source]
        source: StoreError,
    },
    /// Somebody else drives the operation.
    #[error("the lease of operation {0} is lost")]
    LeaseLost(OperationId),
    /// The proof is of another session.
    #[error("the sighting is not of the session of operation {0}")]
    WrongSighting(OperationId),
}

/// The only maker of [`Recorded`].
#[derive(Clone)]
pub struct Ledger {
    store: Arc<dyn ActionStore>,
    clock: Arc<dyn Clock>,
    process: ProcessId,
    limits: Deadlines,
}

/// An operation that was opened: the right to send, the lease, and the operation as committed.
#[derive(Debug)]
pub struct Opened {
    /// The right to send one request.
    pub recorded: Recorded<SessionAction>,
    /// The right to drive the operation.
    pub lease: Lease,
    /// The operation as committed.
    pub operation: Operation,
}

impl Ledger {
    /// How often a commit whose answer was lost is asked for again, and how long to wait between.
    const SETTLE: [Duration; 4] = [
        Duration::from_millis(50),
        Duration::from_millis(250),
        Duration::from_millis(750),
        Duration::from_millis(1500),
    ];

    /// A ledger that writes to `store` in the name of `process`.
    pub fn new(
        store: Arc<dyn ActionStore>,
        clock: Arc<dyn Clock>,
        process: ProcessId,
        limits: Deadlines,
    ) -> Self {
        Self {
            store,
            clock,
            process,
            limits,
        }
    }

    /// Commits operation (DISPATCHING, leased to this process), intent and attempt 1 in one transaction.
    ///
    /// # Errors
    /// [`LedgerError::Unrecorded`] or [`LedgerError::Unsettled`]; in both cases nothing may be sent.
    pub async fn open(&self, intent: Intent) -> Result<Opened, LedgerError> {
        let now = self.clock.now();
        let operation = Operation {
            id: OperationId(self.clock.uuid()),
            verb: intent.verb,
            target: intent.target,
            actor: intent.caller.actor,
            request: intent.request,
            reason: intent.reason,
            ticket: intent.ticket,
            requested_at: now,
            course: Course {
                state: OperationState::Dispatching,
                sent: Sent::No,
                attempt: 1,
                job: None,
                progress_percent: None,
                deadline: self.limits.of(OperationState::Dispatching, now),
                reason: None,
                evidence: OperationEvidence::default(),
                ended_by: None,
                finished_at: None,
            },
        };
        let records = [
            audit::intent(&operation, &*self.clock, now),
            audit::attempt(&operation, 1, &*self.clock, now),
        ];
        let mut waits = Self::SETTLE.iter();
        let mut doubtful = None;
        let lease = loop {
            // The same ids again: a commit that did arrive is recognised by them (ON CONFLICT DO NOTHING).
            match self
                .store
                .operation_open(&operation, self.process, &records)
                .await
            {
                Ok(lease) => break lease,
                Err(source @ StoreError::CommitUnknown { .. }) => doubtful = Some(source),
                Err(source) if doubtful.is_none() => return Err(LedgerError::Unrecorded(source)),
                Err(source) => doubtful = Some(source),
            }
            match (waits.next(), doubtful.take()) {
                (Some(wait), left) => {
                    doubtful = left;
                    tokio::time::sleep(*wait).await;
                }
                (None, Some(source)) => {
                    let lease = Lease::first(operation.id, self.process, now);
                    return Err(LedgerError::Unsettled {
                        lease,
                        operation: Box::new(operation),
                        source,
                    });
                }
                (None, None) => unreachable!("the loop goes on only after a doubtful commit"),
            }
        };
        let recorded = self.recorded(&operation, 1);
        Ok(Opened {
            recorded,
            lease,
            operation,
        })
    }

    /// After a crash: commits attempt n. Demands the lease and the proof of a live read that showed the same
    /// generation.
    ///
    /// # Errors
    /// [`LedgerError::LeaseLost`], [`LedgerError::WrongSighting`] or [`LedgerError::Unrecorded`]; nothing may be
    /// sent then.
    pub async fn retry(
        &self,
        lease: &Lease,
        operation: &Operation,
        sighting: Sighting,
    ) -> Result<(Recorded<SessionAction>, Operation), LedgerError> {
        if sighting.session != operation.target.session {
            return Err(LedgerError::WrongSighting(operation.id));
        }
        let now = self.clock.now();
        let course = step(operation, Event::Retried, EndedBy::Runner, &self.limits, now).course;
        let attempt = course.attempt;
        let records = vec![audit::attempt(operation, attempt, &*self.clock, now)];
        let step = Move {
            from: operation.course.state,
            course: course.clone(),
            at: now,
            records,
        };
        let mut waits = Self::SETTLE.iter();
        let mut doubtful = false;
        loop {
            // The same records again: a commit that did arrive is recognised by them, so no attempt stands twice.
            match self.store.operation_advance(lease, &step).await {
                Ok(()) => break,
                Err(StoreError::LeaseLost { .. }) => return Err(LedgerError::LeaseLost(operation.id)),
                Err(source) => {
                    doubtful |= matches!(source, StoreError::CommitUnknown { .. });
                    match waits.next().filter(|_| doubtful) {
                        Some(wait) => tokio::time::sleep(*wait).await,
                        None => return Err(LedgerError::Unrecorded(source)),
                    }
                }
            }
        }
        let operation = Operation {
            course,
            ..operation.clone()
        };
        Ok((self.recorded(&operation, attempt), operation))
    }

    fn recorded(&self, operation: &Operation, attempt: u32) -> Recorded<SessionAction> {
        let budget = TimeDelta::from_std(self.limits.dispatching).unwrap_or(TimeDelta::MAX);
        let value = SessionAction {
            session: operation.target.session.clone(),
            verb: operation.verb.clone(),
            not_after: operation
                .course
                .deadline
                .unwrap_or_else(|| self.clock.now() + budget),
        };
        Recorded {
            value,
            operation: operation.id,
            attempt,
            on_behalf: OnBehalf {
                actor: operation.actor.clone(),
                reason: operation.reason.clone(),
                ticket: operation.ticket.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
