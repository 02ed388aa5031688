//! Reading the audit log.
//!
//! Not here: the record of the reading (`curfew_app::audit`).
//! Invariant: what was looked for is itself on record.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use curfew_app::{App, AuditPage, AuditQuery, Authorized, ReadAudit};
use curfew_core::{Caller, Keyset, RequestMeta};
use serde_json::{Value, json};

use super::sessions::into_all;
use crate::connection::{PageArgs, place_cursor, place_info};
use crate::error::{bad_input, from_denied, from_store};
use crate::input::{backend_ids, list, operation_id, word};
use crate::model::{AuditAction, AuditPhase, AuditRecord, AuditRecordConnection, Outcome};

/// Which records to list. Every field that is given must match.
#[derive(Debug, Default, InputObject)]
pub struct AuditFilter {
    /// Recorded at or after.
    recorded_after: Option<DateTime<Utc>>,
    /// Recorded before.
    recorded_before: Option<DateTime<Utc>>,
    /// Who asked: subject or name, whole and case-insensitive.
    actor: Option<String>,
    /// Whose session: name, `DOMAIN\name` or UPN, whole and case-insensitive.
    user: Option<String>,
    /// On which machine: short or DNS name, whole and case-insensitive.
    machine: Option<String>,
    /// On one of these backends.
    backend_ids: Option<Vec<ID>>,
    /// One of these acts.
    actions: Option<Vec<AuditAction>>,
    /// One of these steps.
    phases: Option<Vec<AuditPhase>>,
    /// Ended in one of these ways.
    outcomes: Option<Vec<Outcome>>,
    /// With this ticket.
    ticket: Option<String>,
    /// Of this operation.
    operation_id: Option<ID>,
    /// On this session.
    online_session_id: Option<ID>,
}

impl AuditFilter {
    fn read(self) -> Result<curfew_core::AuditFilter> {
        if let (Some(before), Some(after)) = (self.recorded_before, self.recorded_after)
            && before <= after
        {
            return Err(bad_input(
                "`recordedBefore` is not after `recordedAfter`, so nothing can match.",
            ));
        }
        Ok(curfew_core::AuditFilter {
            after: self.recorded_after,
            before: self.recorded_before,
            actor: word("actor", self.actor)?,
            user: word("user", self.user)?,
            machine: word("machine", self.machine)?,
            backends: backend_ids("backendIds", self.backend_ids)?,
            actions: into_all(list("actions", self.actions)?),
            phases: into_all(list("phases", self.phases)?),
            outcomes: into_all(list("outcomes", self.outcomes)?),
            ticket: word("ticket", self.ticket)?,
            operation: self
                .operation_id
                .map(|id| operation_id("operationId", &id))
                .transpose()?,
            session: word("onlineSessionId", self.online_session_id.map(|id| id.0))?,
        })
    }
}

/// What was looked for, for the record of the reading.
fn looked_for(filter: &curfew_core::AuditFilter, limit: u32) -> Value {
    let mut all = json!({
        "first": limit,
        "recordedAfter": filter.after,
        "recordedBefore": filter.before,
        "actor": filter.actor,
        "user": filter.user,
        "machine": filter.machine,
        "backendIds": filter.backends,
        "actions": filter.actions,
        "phases": filter.phases,
        "outcomes": filter.outcomes,
        "ticket": filter.ticket,
        "operationId": filter.operation,
        "onlineSessionId": filter.session,
    });
    if let Value::Object(fields) = &mut all {
        fields.retain(|_, value| !value.is_null());
    }
    all
}

/// Queries about the audit log.
pub struct AuditQueries;

#[Object]
impl AuditQueries {
    /// A page of the audit log, newest first. The reading itself is put on record first.
    async fn audit_records(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which records; all without it.")] filter: Option<AuditFilter>,
        #[graphql(desc = "How many, from the newest; 50 without it, 1,000 at the most.")] first: Option<i32>,
        #[graphql(desc = "Only what follows (is older than) this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the oldest; 1,000 at the most.")] last: Option<i32>,
        #[graphql(desc = "Only what precedes (is newer than) this cursor.")] before: Option<String>,
    ) -> Result<AuditRecordConnection> {
        let app = ctx.data::<Arc<App>>()?;
        let who =
            Authorized::<ReadAudit>::ask(&*app.authorizer, ctx.data::<Caller>()?).map_err(from_denied)?;
        let filter = filter.unwrap_or_default().read()?;
        let (keyset, limit) = PageArgs {
            first,
            after,
            last,
            before,
        }
        .span(ctx)?
        .keyset()?;
        let params = looked_for(&filter, limit);
        let count = ctx.look_ahead().field("totalCount").exists();
        let query = AuditQuery {
            filter,
            keyset,
            limit,
            count,
            params,
        };
        let page = app
            .audit
            .page(&who, ctx.data::<RequestMeta>()?, query)
            .await
            .map_err(from_store)?;
        Ok(AuditRecordConnection::of(page, keyset))
    }
}

impl AuditRecordConnection {
    fn of(page: AuditPage, keyset: Keyset) -> Self {
        let place = |record: &curfew_core::AuditRecord| (record.recorded_at, record.id.0);
        let records = &page.records;
        Self {
            page_info: place_info(
                keyset,
                page.more,
                records.first().map(place),
                records.last().map(place),
            ),
            edges: records
                .iter()
                .map(|record| Self::edge(place_cursor(place(record)), record))
                .collect(),
            total_count: page.total.unwrap_or(records.len() as u64),
            nodes: page.records.into_iter().map(AuditRecord).collect(),
        }
    }
}
