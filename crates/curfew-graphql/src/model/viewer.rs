//! The caller, as the gateway sees them.
//!
//! Not here: tokens.
//! Invariant: everybody who is logged on may ask for it, also without any right.

use async_graphql::{ID, Object, SimpleObject};
use curfew_core::{Caller, Scope};

use super::operation::Actor;

/// The caller: who they are and what they may.
pub struct Viewer(pub Caller);

/// The caller: who they are and what they may.
#[Object]
impl Viewer {
    /// Who they are.
    async fn actor(&self) -> Actor {
        Actor::from(&self.0.actor)
    }

    /// Their roles.
    async fn roles(&self) -> Vec<&'static str> {
        self.0.roles.iter().map(|role| role.as_str()).collect()
    }

    /// What they may, and where.
    async fn grants(&self) -> Vec<ViewerGrant> {
        let grant = |grant: &curfew_core::Grant| ViewerGrant {
            permissions: grant
                .permissions
                .iter()
                .map(|permission| permission.as_str())
                .collect(),
            backend_ids: match &grant.scope {
                Scope::All => None,
                Scope::Only(ids) => Some(ids.iter().map(|id| ID(id.to_string())).collect()),
            },
        };
        self.0.grants.iter().map(grant).collect()
    }
}

/// Permissions, and the backends they hold on.
#[derive(SimpleObject)]
pub struct ViewerGrant {
    /// Such as `sessions:read`.
    permissions: Vec<&'static str>,
    /// The backends; null for all.
    backend_ids: Option<Vec<ID>>,
}
