//! Coded GraphQL errors.
//!
//! Not here: the table of codes (`code`).
//! Invariant: every error of ours has a code, and says what happened, what was not done and what to do.

use async_graphql::{Error, ErrorExtensions as _};
use curfew_app::{ActError, Denied};
use curfew_core::{OperationId, Permission, StoreError};
use tracing::error;

use crate::ErrorCode;

/// What else an error says.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// When to try again.
    pub retry_after_ms: Option<u64>,
    /// Whether to try again, where the code alone does not say.
    pub retryable: Option<bool>,
    /// The operation to follow.
    pub operation: Option<OperationId>,
    /// The backend concerned.
    pub backend: Option<String>,
    /// What else there is to say.
    pub hint: Option<String>,
}

/// An error with a code.
pub fn coded(code: ErrorCode, message: impl Into<String>) -> Error {
    coded_with(code, message, Extras::default())
}

/// An error with a code and more.
pub fn coded_with(code: ErrorCode, message: impl Into<String>, extras: Extras) -> Error {
    Error::new(message).extend_with(|_, e| {
        e.set("code", code.as_str());
        e.set("retryable", extras.retryable.unwrap_or_else(|| code.retryable()));
        if let Some(ms) = extras.retry_after_ms {
            e.set("retryAfterMs", ms);
        }
        if let Some(operation) = extras.operation {
            e.set("operationId", operation.to_string());
        }
        if let Some(backend) = extras.backend {
            e.set("backend", backend);
        }
        if let Some(hint) = extras.hint {
            e.set("hint", hint);
        }
    })
}

/// BAD_USER_INPUT.
pub fn bad_input(message: impl Into<String>) -> Error {
    coded(ErrorCode::BadUserInput, message)
}

/// The text of the contract for a missing right to disconnect, and one of its kind for each other right.
pub fn forbidden(missing: Permission) -> Error {
    let message = match missing {
        Permission::SessionsDisconnect => "Admin access required to disconnect sessions",
        Permission::SessionsLogoff => "The right sessions:logoff is required to log sessions off",
        Permission::SessionsMessage => "The right sessions:message is required to send messages to sessions",
        Permission::AuditRead => "The right audit:read is required to read the audit log",
        Permission::OperationsRead => "The right operations:read is required to see operations",
        _ => "The right sessions:read is required to see sessions",
    };
    let hint =
        format!("Nothing was done. The right {missing} is missing; ask whoever maps your groups to roles.");
    coded_with(
        ErrorCode::Forbidden,
        message,
        Extras {
            hint: Some(hint),
            ..Extras::default()
        },
    )
}

/// SESSION_NOT_FOUND, with the contract's text.
pub fn session_not_found(extras: Extras) -> Error {
    coded_with(
        ErrorCode::SessionNotFound,
        "Session not found or already disconnected",
        extras,
    )
}

/// OUTCOME_UNKNOWN.
pub fn outcome_unknown(operation: OperationId, why: &str) -> Error {
    let message = format!(
        "{why} It is not known whether the act took effect. Do not repeat it: follow operation {operation}."
    );
    coded_with(
        ErrorCode::OutcomeUnknown,
        message,
        Extras {
            operation: Some(operation),
            ..Extras::default()
        },
    )
}

/// A missing right.
pub fn from_denied(denied: Denied) -> Error {
    forbidden(denied.missing)
}

/// An act that was not begun.
pub fn from_act(error: ActError) -> Error {
    match error {
        ActError::Forbidden { missing } => forbidden(missing),
        ActError::AuditUnavailable { operation: Some(id) } => {
            let message = format!(
                "The audit record cannot be written, so nothing was sent. Whether the intent is on record is not known: \
                 look at operation {id} when the database is back, before you ask again."
            );
            let extras = Extras {
                operation: Some(id),
                retryable: Some(false),
                ..Extras::default()
            };
            coded_with(ErrorCode::AuditUnavailable, message, extras)
        }
        ActError::AuditUnavailable { operation: None } => {
            let message = "The audit record cannot be written, so nothing was sent. Try again when the database is back.";
            let extras = Extras {
                retry_after_ms: Some(2000),
                ..Extras::default()
            };
            coded_with(ErrorCode::AuditUnavailable, message, extras)
        }
        ActError::ShuttingDown => {
            let message = "The gateway is stopping; nothing was sent. Send the request again.";
            let extras = Extras {
                retry_after_ms: Some(1000),
                ..Extras::default()
            };
            coded_with(ErrorCode::ShuttingDown, message, extras)
        }
        ActError::Internal { operation: Some(id) } => {
            outcome_unknown(id, "The gateway failed while it acted.")
        }
        ActError::Internal { operation: None } => coded(
            ErrorCode::Internal,
            "The gateway failed. Whether an operation was begun stands in `operations`.",
        ),
    }
}

/// A store that could not read.
pub fn from_store(error: StoreError) -> Error {
    match error {
        StoreError::Unavailable { .. } | StoreError::CommitUnknown { .. } => {
            let message =
                "The database does not answer, so this cannot be read now. Nothing was changed. Try again.";
            let extras = Extras {
                retry_after_ms: Some(2000),
                ..Extras::default()
            };
            coded_with(ErrorCode::AuditUnavailable, message, extras)
        }
        error => internal(&error),
    }
}

/// Our own fault: logged with an id, shown as that id alone.
pub fn internal(error: &dyn std::error::Error) -> Error {
    let id = curfew_core::Clock::uuid(&curfew_core::SystemClock);
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text = format!("{text}: {next}");
        source = next.source();
    }
    error!(fault.id = %id, error = text, "Internal fault `{id}`");
    coded(
        ErrorCode::Internal,
        format!("The gateway failed. Nothing was sent by this. Quote {id} to its operators."),
    )
}
