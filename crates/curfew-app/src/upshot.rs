//! What a caller is told of an act: the one table of the contract.
//!
//! Not here: the words of GraphQL statuses and codes, which have one value for each line of this table.
//! Invariant: every end of an operation has exactly one line.

use curfew_core::{EndReason, Operation, OperationState, Seen};

use crate::actions::Acted;

/// One line of the table "every end".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upshot {
    /// Seen gone, seen disconnected, or (a message) accepted.
    Done,
    /// Accepted, and not yet seen when the wait ended.
    Accepted,
    /// Not there at the first live read, or by the backend's answer.
    AlreadyGone,
    /// Already disconnected at the first live read.
    AlreadyDisconnected,
    /// Another generation is there; it was not touched.
    Superseded,
    /// No such backend, or none that the caller can see.
    NotFound,
    /// The backend cannot do that.
    Unsupported,
    /// Provably not acted on.
    BackendUnavailable,
    /// Refused by the backend, or still there at the deadline.
    Failed,
    /// Sent, fate unknown.
    Unknown,
}

impl Upshot {
    /// The line that `acted` stands on. An end that is not committed yet counts as unknown: there is no record of
    /// it to point to.
    pub fn of(acted: &Acted) -> Self {
        match acted {
            Acted::NotFound => Self::NotFound,
            Acted::Unsupported { .. } => Self::Unsupported,
            Acted::Unwritten { .. } => Self::Unknown,
            Acted::Operation { operation, .. } => Self::of_operation(operation),
        }
    }

    fn of_operation(operation: &Operation) -> Self {
        let course = &operation.course;
        match (course.state, course.reason) {
            (OperationState::Succeeded, _) => Self::Done,
            (OperationState::AlreadyGone, _) => match course.evidence.seen {
                Some(Seen::Disconnected | Seen::LoggingOff) => Self::AlreadyDisconnected,
                _ => Self::AlreadyGone,
            },
            (OperationState::Superseded, _) => Self::Superseded,
            (
                OperationState::Failed,
                Some(EndReason::BackendUnavailable | EndReason::RateLimited | EndReason::NotSent),
            ) => Self::BackendUnavailable,
            (OperationState::Failed, Some(EndReason::Unsupported)) => Self::Unsupported,
            (OperationState::Failed | OperationState::Canceled, _) => Self::Failed,
            (OperationState::Unknown, _) => Self::Unknown,
            _ => Self::Accepted,
        }
    }
}
