//! The vocabulary and the ports of Curfew.
//!
//! Everything the other crates say to each other is said in these types: ids and generations, sessions,
//! operations and their pure state machine, audit records, callers, and the ports (`SessionBackend`,
//! `ActionStore`, `AuditLog`, `Authorizer`, `Clock`) that adapters and stores implement.
//!
//! Not here: sockets, SQL, HTTP, GraphQL, configuration. Nothing in this crate reads a clock, a random number,
//! a file or the environment except [`clock::SystemClock`].
//!
//! Invariant: no backend can be asked to act without a committed intent, because [`SessionBackend::start`]
//! takes a [`Recorded`] by value and only [`Ledger`] makes one, after the commit.

pub mod audit;
pub mod backend;
pub mod caller;
pub mod clock;
#[cfg(any(test, feature = "fakes"))]
pub mod fakes;
pub mod id;
pub mod ledger;
pub mod machine;
pub mod operation;
pub mod session;
pub mod store;

pub use audit::{AuditAction, AuditFilter, AuditPhase, AuditRecord};
pub use backend::{
    BackendError, BackendErrorKind, BackendKind, Capabilities, Evidence, JobRef, Listing, Part, PartHealth,
    PartName, Progress, ReadCtx, Reply, SessionBackend, Sight, Started,
};
pub use caller::{Actor, Authorizer, Caller, Decision, Grant, Permission, RequestMeta, Role, Scope};
pub use clock::{Clock, SystemClock, Timestamp};
pub use id::{AuditId, BackendId, Generation, IdError, OperationId, ProcessId, RequestId, SessionId};
pub use ledger::{Intent, Ledger, LedgerError, Recorded, SessionAction, Sighting, Verb};
pub use machine::{Deadlines, Event, Next, Reading, Transition, Verdict, reached, step};
pub use operation::{
    Course, EndReason, EndedBy, Operation, OperationEvent, OperationEvidence, OperationState, Outcome, Seen,
    Sent, TargetSnapshot,
};
pub use session::{
    Session, SessionApplication, SessionClient, SessionFilter, SessionKind, SessionMachine, SessionProtocol,
    SessionState, SessionUser,
};
pub use store::{ActionStore, AuditLog, Keyset, Lease, Move, OperationFilter, RecordPage, StoreError};
