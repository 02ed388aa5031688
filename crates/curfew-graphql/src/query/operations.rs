//! Queries about operations.
//!
//! Not here: which operations a caller may see (`curfew_app::operations`).
//! Invariant: an operation that the caller may not see is null, as one that does not exist.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use curfew_app::{App, Authorized, ReadOperations};
use curfew_core::Caller;

use super::sessions::into_all;
use crate::connection::{PageArgs, place_cursor, place_info};
use crate::error::{from_denied, from_store};
use crate::input::{backend_ids, list, operation_id, session_id, word};
use crate::model::{Operation, OperationConnection, OperationState, SessionAction};

/// Which operations to list. Every field that is given must match.
#[derive(Debug, Default, InputObject)]
pub struct OperationFilter {
    /// In one of these states.
    states: Option<Vec<OperationState>>,
    /// One of these acts.
    actions: Option<Vec<SessionAction>>,
    /// On one of these backends.
    backend_ids: Option<Vec<ID>>,
    /// On this session.
    online_session_id: Option<ID>,
    /// With this ticket.
    ticket: Option<String>,
    /// Asked for at or after.
    requested_after: Option<DateTime<Utc>>,
    /// Asked for before.
    requested_before: Option<DateTime<Utc>>,
}

impl OperationFilter {
    fn read(self) -> Result<curfew_core::OperationFilter> {
        Ok(curfew_core::OperationFilter {
            states: into_all(list("states", self.states)?),
            actions: into_all(list("actions", self.actions)?),
            backends: backend_ids("backendIds", self.backend_ids)?,
            session: self
                .online_session_id
                .map(|id| session_id("onlineSessionId", &id))
                .transpose()?,
            requested_by: None,
            ticket: word("ticket", self.ticket)?,
            requested_after: self.requested_after,
            requested_before: self.requested_before,
        })
    }
}

/// Queries about operations.
pub struct OperationQueries;

#[Object]
impl OperationQueries {
    /// One operation: one's own, or anybody's for who may act in bulk. Null if there is none to see.
    async fn operation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The operation's id.")] id: ID,
    ) -> Result<Option<Operation>> {
        let app = ctx.data::<Arc<App>>()?;
        let who = Authorized::<ReadOperations>::ask(&*app.authorizer, ctx.data::<Caller>()?)
            .map_err(from_denied)?;
        let id = operation_id("id", &id)?;
        Ok(app
            .operations
            .get(&who, id)
            .await
            .map_err(from_store)?
            .map(Operation))
    }

    /// A page of operations, newest first: one's own, or everybody's for who may act in bulk.
    async fn operations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which operations; all without it.")] filter: Option<OperationFilter>,
        #[graphql(desc = "How many, from the newest; 50 without it, 1,000 at the most.")] first: Option<i32>,
        #[graphql(desc = "Only what follows (is older than) this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the oldest; 1,000 at the most.")] last: Option<i32>,
        #[graphql(desc = "Only what precedes (is newer than) this cursor.")] before: Option<String>,
    ) -> Result<OperationConnection> {
        let app = ctx.data::<Arc<App>>()?;
        let who = Authorized::<ReadOperations>::ask(&*app.authorizer, ctx.data::<Caller>()?)
            .map_err(from_denied)?;
        let filter = filter.unwrap_or_default().read()?;
        let (keyset, limit) = PageArgs {
            first,
            after,
            last,
            before,
        }
        .span(ctx)?
        .keyset()?;
        let page = app
            .operations
            .page(&who, filter.clone(), keyset, limit)
            .await
            .map_err(from_store)?;
        let counted = ctx.look_ahead().field("totalCount").exists();
        let total_count = match counted {
            true => app.operations.count(&who, filter).await.map_err(from_store)?,
            false => page.rows.len() as u64,
        };
        Ok(OperationConnection::of(page, keyset, total_count))
    }
}

impl OperationConnection {
    fn of(
        page: curfew_core::RecordPage<curfew_core::Operation>,
        keyset: curfew_core::Keyset,
        total_count: u64,
    ) -> Self {
        let place = |operation: &curfew_core::Operation| (operation.requested_at, operation.id.0);
        Self {
            page_info: place_info(
                keyset,
                page.more,
                page.rows.first().map(place),
                page.rows.last().map(place),
            ),
            edges: page
                .rows
                .iter()
                .map(|row| Self::edge(place_cursor(place(row)), row))
                .collect(),
            nodes: page.rows.into_iter().map(Operation).collect(),
            total_count,
        }
    }
}
