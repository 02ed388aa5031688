//! The mutations. Each acts on one session, and each leaves a record, whatever becomes of it.
//!
//! Not here: how an act is carried out (`curfew_app::actions`).
//! Invariant: a payload has a status for every end; top-level errors are for malformed input, a missing right, and
//! our own failures.

mod disconnect;
mod logoff;
mod message;
mod target;
mod words;

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, MergedObject, Result};
use curfew_app::{ActRequest, Acted, App, Upshot};
use curfew_core::{Caller, RequestMeta};

use crate::error::{from_act, outcome_unknown};
use crate::model::{OnlineSession, Operation};
use words::sentence;

/// Everything that can be done.
#[derive(MergedObject)]
#[graphql(name = "Mutation")]
pub struct MutationRoot(
    disconnect::DisconnectMutations,
    logoff::LogoffMutations,
    message::MessageMutations,
);

/// The type of the schema's root.
pub type Mutation = MutationRoot;

/// The root, of which there is one.
#[expect(
    non_upper_case_globals,
    reason = "reads as the value of the type of the same name"
)]
pub const Mutation: Mutation = MutationRoot(
    disconnect::DisconnectMutations,
    logoff::LogoffMutations,
    message::MessageMutations,
);

/// How long a disconnect or a message is waited for.
const SHORT_WAIT: Duration = Duration::from_secs(10);

/// What all payloads have in common.
struct Outline {
    upshot: Upshot,
    operation: Option<Operation>,
    session: Option<OnlineSession>,
    /// What became of it, in words.
    message: String,
}

/// Acts, and sums up what became of it.
async fn act(ctx: &Context<'_>, request: ActRequest) -> Result<Outline> {
    let app = ctx.data::<Arc<App>>()?;
    let kind = request.verb.kind();
    let backend = app.directory.backend(request.session.backend_str());
    let can = backend.map(|backend| backend.capabilities).unwrap_or_default();
    let acted = app
        .actions
        .act(ctx.data::<Caller>()?, ctx.data::<RequestMeta>()?, request)
        .await
        .map_err(from_act)?;
    let upshot = Upshot::of(&acted);
    let told = |operation| sentence(kind, upshot, operation, &can);
    match acted {
        Acted::NotFound | Acted::Unsupported { .. } => Ok(Outline {
            upshot,
            operation: None,
            session: None,
            message: told(None),
        }),
        Acted::Operation { operation, row } => Ok(Outline {
            upshot,
            message: told(Some(&operation)),
            operation: Some(Operation(*operation)),
            session: row.map(OnlineSession),
        }),
        Acted::Unwritten { operation, .. } => Err(outcome_unknown(
            operation.id,
            "The act has ended, but its outcome cannot be put on record yet.",
        )),
    }
}

#[cfg(test)]
mod tests;
