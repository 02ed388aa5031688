//! Reading the audit log; each reading is itself on record.
//!
//! Not here: writing records of acts (`curfew_core::Ledger` and the driver do).
//! Invariant: no record is handed out before the record of its reading is committed.

use std::sync::Arc;

use curfew_core::{
    ActionStore, AuditFilter, AuditLog, AuditRecord, Authorizer, BackendId, Clock, Decision, Keyset,
    Permission, RequestMeta, StoreError, audit,
};
use serde_json::Value;

use crate::directory::Directory;
use crate::policy::{Authorized, ReadAudit};

/// What to read of the log.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// Which records.
    pub filter: AuditFilter,
    /// Which page.
    pub keyset: Keyset,
    /// How many at most.
    pub limit: u32,
    /// Whether to count all that match.
    pub count: bool,
    /// The filter as the caller gave it, for the record.
    pub params: Value,
}

/// One page of the log, newest first.
#[derive(Debug)]
pub struct AuditPage {
    /// The records.
    pub records: Vec<AuditRecord>,
    /// Whether there are more in the direction of paging.
    pub more: bool,
    /// How many match, if it was asked for.
    pub total: Option<u64>,
}

/// Reading the audit log.
#[derive(Clone)]
pub struct AuditReader {
    pub(crate) log: Arc<dyn AuditLog>,
    pub(crate) store: Arc<dyn ActionStore>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl AuditReader {
    /// One page of the log, after a READ record is committed.
    ///
    /// # Errors
    /// If the READ record cannot be committed, or the log not be read.
    pub async fn page(
        &self,
        who: &Authorized<'_, ReadAudit>,
        request: &RequestMeta,
        query: AuditQuery,
    ) -> Result<AuditPage, StoreError> {
        let caller = who.caller();
        let record = audit::read(caller, request, query.params, &*self.clock, self.clock.now());
        self.log.audit_append(&record).await?;
        let mut filter = query.filter;
        // A role that is limited to backends reads what concerns those alone.
        let everywhere = caller.grants.iter().any(|grant| {
            grant.permissions.contains(&Permission::AuditRead) && grant.scope == curfew_core::Scope::All
        });
        if !everywhere {
            let visible: Vec<BackendId> = self
                .directory
                .backends()
                .map(|backend| backend.id().clone())
                .filter(|id| {
                    self.authorizer
                        .decide(caller, Permission::AuditRead, Some(id.as_str()))
                        == Decision::Allow
                })
                .collect();
            filter.backends = Some(match filter.backends.take() {
                Some(wanted) => wanted.into_iter().filter(|id| visible.contains(id)).collect(),
                None => visible,
            });
        }
        let page = self.log.audit_page(&filter, query.keyset, query.limit).await?;
        let total = if query.count {
            Some(self.log.audit_count(&filter).await?)
        } else {
            None
        };
        Ok(AuditPage {
            records: page.rows,
            more: page.more,
            total,
        })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

#[cfg(test)]
mod tests;
