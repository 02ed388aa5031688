//! The use cases of Curfew over the ports of `curfew-core`.
//!
//! - [`directory`]: one snapshot per backend, refreshed in the background; pages are answered from it.
//! - [`actions`]: disconnect, log off, message: authorize, record, act, confirm, record.
//! - [`driver`] and [`runner`]: carry an operation to its end, also one whose first driver is gone.
//! - [`operations`] and [`audit`]: reading operations and the audit log.
//! - [`policy`]: the built-in roles behind `Authorizer`.
//!
//! Not here: drivers of databases, vendors' protocols, GraphQL, HTTP.
//! Invariant: whoever is not allowed to is refused here, whatever the layer above forgot.

pub mod actions;
pub mod app;
pub mod audit;
pub mod directory;
pub mod driver;
pub mod operations;
pub mod policy;
pub mod runner;
#[cfg(test)]
mod testing;
pub mod upshot;

pub use actions::{ActError, ActRequest, Acted, Actions, Resolve};
pub use app::{App, BackendEntry, Check, Parts, Settings};
pub use audit::{AuditPage, AuditQuery};
pub use directory::{
    BackendReading, Cursor, Direction, Directory, Found, ListQuery, Listed, Meant, OrderField, Page,
    PageSpec, ReadingStatus, Row, SessionOrder, TargetName, Unread,
};
pub use policy::{Authorized, BuiltInRoles, Denied, ReadAudit, ReadOperations, Right, ViewSessions};
pub use upshot::Upshot;
