//! The types that the API answers with.
//!
//! Not here: inputs (beside the fields that take them).
//! Invariant: every type, field and value carries its description, since that is the documentation of the API.

mod audit;
mod backend;
mod enums;
mod operation;
mod scalars;
mod session;
mod viewer;

pub use audit::{AuditRecord, AuditRecordConnection};
pub use backend::Backend;
pub use enums::*;
pub use operation::{Operation, OperationConnection};
pub use session::{OnlineSession, OnlineSessionConnection};
pub use viewer::Viewer;
