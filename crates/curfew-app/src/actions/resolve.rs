//! From a name to the id of one generation of a session, on record if that leads nowhere.
//!
//! Not here: how names are looked up (`directory::find`) and the act that follows, which reads the session live.
//! Invariant: a name is resolved once, and only for who may act: what they may neither act on nor see is not found. It
//! runs in a task of the gateway, so whoever hangs up while it waits leaves the same record.

use curfew_core::audit::{DenyReason, Refusal};
use curfew_core::ledger::ActionKind;
use curfew_core::{Caller, Decision, Permission, RequestMeta};

use super::{ActError, Actions, permission_for};
use crate::directory::{Found, TargetName};

/// A session that somebody wants to act on and has no id of.
#[derive(Debug, Clone)]
pub struct Resolve {
    /// What it is called.
    pub name: TargetName,
    /// What is to be done to it.
    pub kind: ActionKind,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
}

impl Actions {
    /// Finds the session that is called so, waiting 3 s at most for backends that have not been read yet, and for a
    /// fresh reading if the directory has none. Of several, the ids are given that the caller may see.
    ///
    /// # Errors
    /// [`ActError::Forbidden`] if the caller may not act at all; then nothing is looked up. [`ActError::ShuttingDown`]
    /// if the gateway stops before the search is over; then nothing can be said of the target.
    pub async fn resolve(
        &self,
        caller: &Caller,
        request: &RequestMeta,
        wanted: Resolve,
    ) -> Result<Found, ActError> {
        let (this, caller, request) = (self.clone(), caller.clone(), request.clone());
        let search = self
            .tasks
            .spawn(async move { this.search(&caller, &request, wanted).await });
        search
            .await
            .unwrap_or(Err(ActError::Internal { operation: None }))
    }

    async fn search(
        &self,
        caller: &Caller,
        request: &RequestMeta,
        wanted: Resolve,
    ) -> Result<Found, ActError> {
        let Resolve {
            name,
            kind,
            reason,
            ticket,
        } = wanted;
        let permission = permission_for(kind);
        let refusal = |why, missing| Refusal {
            action: kind.into(),
            why,
            missing,
            session: Some(name.to_string()),
            target: None,
            reason,
            ticket,
        };
        if self.authorizer.decide(caller, permission, None) != Decision::Allow {
            self.deny(caller, request, refusal(DenyReason::Forbidden, Some(permission)))
                .await;
            return Err(ActError::Forbidden { missing: permission });
        }
        // Who may neither act nor see there must not learn from the answer what there is.
        let may_find = |backend: &str| {
            let may = |permission: Permission| {
                self.authorizer.decide(caller, permission, Some(backend)) == Decision::Allow
            };
            may(permission) || may(Permission::SessionsRead)
        };
        let found = tokio::select! {
            // A gateway that stops reads nothing any more, so there is nothing to wait for.
            biased;
            () = self.stop.cancelled() => return Err(ActError::ShuttingDown),
            found = self.directory.find(may_find, &name) => found,
        };
        let why = match &found {
            Found::One(_) => return Ok(found),
            Found::Nothing { .. } => DenyReason::NoSuchTarget,
            Found::Several { .. } => DenyReason::AmbiguousTarget,
        };
        self.deny(caller, request, refusal(why, None)).await;
        Ok(match found {
            Found::Several {
                count,
                hosts,
                mut ids,
            } => {
                ids.retain(|id| self.sees_sessions(caller, id.backend_str()));
                Found::Several { count, hosts, ids }
            }
            found => found,
        })
    }
}
