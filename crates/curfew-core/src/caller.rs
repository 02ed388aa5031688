//! Who asks, and what they may.
//!
//! Not here: tokens (the server reads them) and the table of roles' permissions' use (`curfew-app`'s policy).
//! Invariant: a caller without a grant may do nothing; there is no default permission.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::session::spelled;
use crate::{BackendId, RequestId};

/// One thing that can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// See sessions and backends.
    SessionsRead,
    /// See operations: one's own, and others' together with [`Permission::SessionsBulk`].
    OperationsRead,
    /// Show a message to a session's user.
    SessionsMessage,
    /// Disconnect sessions.
    SessionsDisconnect,
    /// Log sessions off.
    SessionsLogoff,
    /// Act on many sessions at once.
    SessionsBulk,
    /// End a session's processes when a log-off does not end.
    SessionsForce,
    /// Approve the plans of others.
    PlansApprove,
    /// Read the audit log.
    AuditRead,
    /// Export the audit log.
    AuditExport,
    /// Enrol Windows agents.
    AgentsEnrol,
    /// Keep users out.
    UsersHold,
}
spelled!(Permission {
    SessionsRead => "sessions:read", OperationsRead => "operations:read", SessionsMessage => "sessions:message",
    SessionsDisconnect => "sessions:disconnect", SessionsLogoff => "sessions:logoff", SessionsBulk => "sessions:bulk",
    SessionsForce => "sessions:force", PlansApprove => "plans:approve", AuditRead => "audit:read",
    AuditExport => "audit:export", AgentsEnrol => "agents:enrol", UsersHold => "users:hold",
});

/// A named set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Sees sessions.
    Viewer,
    /// Messages, disconnects and logs off single sessions.
    Helpdesk,
    /// As help desk, in bulk, by force, and approves plans.
    Operator,
    /// As operator, for programs: without force and approval.
    Automation,
    /// Reads and exports the audit log, and nothing else.
    Auditor,
    /// Everything.
    Admin,
}
spelled!(Role {
    Viewer => "viewer", Helpdesk => "helpdesk", Operator => "operator", Automation => "automation",
    Auditor => "auditor", Admin => "admin",
});

impl Role {
    /// What the role may.
    pub const fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Viewer => &[P::SessionsRead, P::OperationsRead],
            Self::Helpdesk => &[
                P::SessionsRead,
                P::OperationsRead,
                P::SessionsMessage,
                P::SessionsDisconnect,
                P::SessionsLogoff,
            ],
            Self::Automation => &[
                P::SessionsRead,
                P::OperationsRead,
                P::SessionsMessage,
                P::SessionsDisconnect,
                P::SessionsLogoff,
                P::SessionsBulk,
            ],
            Self::Operator => &[
                P::SessionsRead,
                P::OperationsRead,
                P::SessionsMessage,
                P::SessionsDisconnect,
                P::SessionsLogoff,
                P::SessionsBulk,
                P::SessionsForce,
                P::PlansApprove,
            ],
            Self::Auditor => &[P::AuditRead, P::AuditExport],
            Self::Admin => Permission::ALL,
        }
    }
}

/// The backends a grant holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every backend, also those to come.
    All,
    /// These alone; any other does not exist for the caller.
    Only(BTreeSet<BackendId>),
}

impl Scope {
    /// Whether the scope holds for `backend`.
    pub fn covers(&self, backend: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(backends) => backends.iter().any(|id| id.as_str() == backend),
        }
    }
}

/// Permissions and where they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What is allowed.
    pub permissions: BTreeSet<Permission>,
    /// Where.
    pub scope: Scope,
}

impl Grant {
    /// A role's permissions in a scope.
    pub fn role(role: Role, scope: Scope) -> Self {
        Self {
            permissions: role.permissions().iter().copied().collect(),
            scope,
        }
    }
}

/// Who somebody is, for the record: issuer and subject are what identifies, the name is for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// Who vouches for them (`iss`).
    pub issuer: String,
    /// Who they are there (`sub`).
    pub subject: String,
    /// Name for people.
    pub name: String,
}

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub actor: Actor,
    /// The roles they hold, for showing.
    pub roles: Vec<Role>,
    /// What they may, and where.
    pub grants: Vec<Grant>,
}

/// What the record wants to know of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMeta {
    /// Names the request.
    pub id: RequestId,
    /// Where it came from, after trusted proxies.
    pub source_address: Option<IpAddr>,
}

/// The answer of an [`Authorizer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// The right is missing.
    Deny,
    /// The backend does not exist for this caller.
    Hidden,
}

/// Decides who may do what. Deny by default.
pub trait Authorizer: Send + Sync {
    /// Whether `caller` may use `permission`, on `backend` or anywhere at all.
    fn decide(&self, caller: &Caller, permission: Permission, backend: Option<&str>) -> Decision;

    /// Whether `backend` exists for this caller.
    fn sees(&self, caller: &Caller, backend: &str) -> bool;
}
