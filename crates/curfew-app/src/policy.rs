//! Who may do what: the built-in roles, and the proof that somebody was asked.
//!
//! Not here: where a caller's grants come from (the server reads tokens).
//! Invariant: an [`Authorized`] exists only for a caller who holds the permission it is named after.

use std::marker::PhantomData;

use curfew_core::{Authorizer, Caller, Decision, Permission};

/// The roles of the contract, and nothing else: a caller may what its grants say, where they say it.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltInRoles;

impl Authorizer for BuiltInRoles {
    fn decide(&self, caller: &Caller, permission: Permission, backend: Option<&str>) -> Decision {
        let mut held = caller
            .grants
            .iter()
            .filter(|grant| grant.permissions.contains(&permission))
            .peekable();
        if held.peek().is_none() {
            return Decision::Deny;
        }
        let Some(backend) = backend else {
            return Decision::Allow;
        };
        if held.any(|grant| grant.scope.covers(backend)) {
            Decision::Allow
        } else if self.sees(caller, backend) {
            Decision::Deny
        } else {
            Decision::Hidden
        }
    }

    fn sees(&self, caller: &Caller, backend: &str) -> bool {
        caller
            .grants
            .iter()
            .any(|grant| !grant.permissions.is_empty() && grant.scope.covers(backend))
    }
}

/// A right as a type.
pub trait Right {
    /// The permission it stands for.
    const PERMISSION: Permission;
}

macro_rules! rights {
    ($($(#[$doc:meta])* $Name:ident => $Permission:ident;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $Name {}
            impl Right for $Name {
                const PERMISSION: Permission = Permission::$Permission;
            }
        )+
    };
}

rights! {
    /// May see sessions.
    ViewSessions => SessionsRead;
    /// May see operations.
    ReadOperations => OperationsRead;
    /// May read the audit log.
    ReadAudit => AuditRead;
}

/// The right is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the right {missing} is missing")]
pub struct Denied {
    /// Which.
    pub missing: Permission,
}

/// Proof that `caller` holds the right `R` somewhere; use cases still ask for each backend.
#[derive(Debug)]
pub struct Authorized<'a, R> {
    caller: &'a Caller,
    right: PhantomData<R>,
}

impl<'a, R: Right> Authorized<'a, R> {
    /// Asks.
    ///
    /// # Errors
    /// [`Denied`] if the caller holds the right nowhere.
    pub fn ask(authorizer: &dyn Authorizer, caller: &'a Caller) -> Result<Self, Denied> {
        match authorizer.decide(caller, R::PERMISSION, None) {
            Decision::Allow => Ok(Self {
                caller,
                right: PhantomData,
            }),
            Decision::Deny | Decision::Hidden => Err(Denied {
                missing: R::PERMISSION,
            }),
        }
    }

    /// Who it is.
    pub fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// Whether the right holds on `backend`.
    pub fn on(&self, authorizer: &dyn Authorizer, backend: &str) -> bool {
        authorizer.decide(self.caller, R::PERMISSION, Some(backend)) == Decision::Allow
    }
}

#[cfg(test)]
mod tests;
