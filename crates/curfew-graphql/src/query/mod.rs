//! The queries.
//!
//! Not here: rules about who may see what; resolvers ask for the right and call the use case.
//! Invariant: no query acts, and none but `auditRecords` leaves a record.

mod audit;
mod operations;
mod sessions;

use async_graphql::{Context, MergedObject, Object, Result};
use curfew_core::Caller;

use crate::model::Viewer;

/// Everything that can be asked for.
#[derive(MergedObject)]
#[graphql(name = "Query")]
pub struct QueryRoot(
    sessions::SessionQueries,
    operations::OperationQueries,
    audit::AuditQueries,
    ViewerQueries,
);

/// The type of the schema's root.
pub type Query = QueryRoot;

/// The root, of which there is one.
#[expect(
    non_upper_case_globals,
    reason = "reads as the value of the type of the same name"
)]
pub const Query: Query = QueryRoot(
    sessions::SessionQueries,
    operations::OperationQueries,
    audit::AuditQueries,
    ViewerQueries,
);

/// Queries about the caller.
struct ViewerQueries;

#[Object]
impl ViewerQueries {
    /// Who the caller is, and what they may. Needs no right.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        Ok(Viewer(ctx.data::<Caller>()?.clone()))
    }
}

#[cfg(test)]
mod tests;
