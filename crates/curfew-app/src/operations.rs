//! Reading operations: one's own, and others' for who may act in bulk.
//!
//! Not here: acting.
//! Invariant: an operation on a backend that does not exist for the caller does not exist for them either.

use std::sync::Arc;

use curfew_core::{
    ActionStore, Authorizer, BackendId, Caller, Decision, Keyset, Operation, OperationEvent, OperationFilter,
    OperationId, Permission, RecordPage, StoreError,
};

use crate::directory::Directory;
use crate::policy::{Authorized, ReadOperations};

/// Reading operations.
#[derive(Clone)]
pub struct Operations {
    pub(crate) store: Arc<dyn ActionStore>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) directory: Arc<Directory>,
}

impl Operations {
    /// One operation; `None` if there is none that the caller may see.
    ///
    /// # Errors
    /// If the database cannot do it.
    pub async fn get(
        &self,
        who: &Authorized<'_, ReadOperations>,
        id: OperationId,
    ) -> Result<Option<Operation>, StoreError> {
        Ok(self
            .store
            .operation_get(id)
            .await?
            .filter(|operation| self.shows(who.caller(), operation)))
    }

    /// The way of one operation, first arrow first.
    ///
    /// # Errors
    /// If the database cannot do it.
    pub async fn events(&self, id: OperationId) -> Result<Vec<OperationEvent>, StoreError> {
        self.store.operation_events(id).await
    }

    /// A page of the operations that the caller may see, newest first.
    ///
    /// # Errors
    /// If the database cannot do it.
    pub async fn page(
        &self,
        who: &Authorized<'_, ReadOperations>,
        filter: OperationFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<Operation>, StoreError> {
        self.store
            .operation_page(&self.narrow(who.caller(), filter), keyset, limit)
            .await
    }

    /// How many operations the caller may see.
    ///
    /// # Errors
    /// If the database cannot do it.
    pub async fn count(
        &self,
        who: &Authorized<'_, ReadOperations>,
        filter: OperationFilter,
    ) -> Result<u64, StoreError> {
        self.store
            .operation_count(&self.narrow(who.caller(), filter))
            .await
    }

    fn shows(&self, caller: &Caller, operation: &Operation) -> bool {
        let backend = operation.target.session.backend_str();
        let may = |permission| self.authorizer.decide(caller, permission, Some(backend)) == Decision::Allow;
        let actor = &operation.actor;
        let own = actor.issuer == caller.actor.issuer && actor.subject == caller.actor.subject;
        may(Permission::OperationsRead) && (own || may(Permission::SessionsBulk))
    }

    /// Narrows a filter to what the caller may see: configured backends in scope; and, for who may not act in
    /// bulk on every one of those, their own.
    fn narrow(&self, caller: &Caller, mut filter: OperationFilter) -> OperationFilter {
        let may = |permission, backend: &str| {
            self.authorizer.decide(caller, permission, Some(backend)) == Decision::Allow
        };
        let visible: Vec<BackendId> = self
            .directory
            .backends()
            .map(|backend| backend.id().clone())
            .filter(|id| may(Permission::OperationsRead, id.as_str()))
            .collect();
        let others = visible
            .iter()
            .all(|id| may(Permission::SessionsBulk, id.as_str()));
        if !others {
            filter.requested_by = Some((caller.actor.issuer.clone(), caller.actor.subject.clone()));
        }
        let wanted = filter.backends.take();
        filter.backends = Some(match wanted {
            Some(wanted) => wanted.into_iter().filter(|id| visible.contains(id)).collect(),
            None => visible,
        });
        filter
    }
}

#[cfg(test)]
mod tests;
