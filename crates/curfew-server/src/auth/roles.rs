//! From an issuer's groups to roles.
//!
//! Not here: what a role may (`curfew-core`).
//! Invariant: a group that is not mapped gives nothing.

use std::collections::{BTreeMap, BTreeSet};

use curfew_core::{BackendId, Role, Scope};

/// What one group gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleGrant {
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
}

/// Why a mapping is refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleMapError {
    /// No such role.
    #[error("there is no role `{0}`: viewer, helpdesk, operator, automation, auditor and admin are")]
    Role(String),
    /// No such backend in the configuration.
    #[error("there is no backend `{0}`: name one of [[backends]] by its `id`")]
    Backend(String),
    /// An empty list of backends.
    #[error("`backends` is empty, so the role would hold nowhere: leave it out for every backend")]
    NoBackend,
}

impl RoleGrant {
    /// A role by name, everywhere or on some of the `known` backends.
    ///
    /// # Errors
    /// A [`RoleMapError`] that names the role or the backend that does not exist.
    pub fn parse(
        role: &str,
        backends: Option<&[String]>,
        known: &BTreeSet<BackendId>,
    ) -> Result<Self, RoleMapError> {
        let role = Role::parse(role).ok_or_else(|| RoleMapError::Role(role.to_owned()))?;
        let Some(backends) = backends else {
            return Ok(Self {
                role,
                scope: Scope::All,
            });
        };
        if backends.is_empty() {
            return Err(RoleMapError::NoBackend);
        }
        let find = |name: &String| {
            let id = BackendId::parse(name).ok().filter(|it| known.contains(it));
            id.ok_or_else(|| RoleMapError::Backend(name.clone()))
        };
        let backends = backends.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self {
            role,
            scope: Scope::Only(backends),
        })
    }
}

/// Groups to roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoleMap(pub BTreeMap<String, RoleGrant>);

impl RoleMap {
    /// Each role under its own name, everywhere: for `curfew dev` and tests.
    pub fn by_name() -> Self {
        let grant = |role: &Role| {
            (
                role.as_str().to_owned(),
                RoleGrant {
                    role: *role,
                    scope: Scope::All,
                },
            )
        };
        Self(Role::ALL.iter().map(grant).collect())
    }

    /// What a group gives.
    pub fn get(&self, group: &str) -> Option<&RoleGrant> {
        self.0.get(group)
    }
}
