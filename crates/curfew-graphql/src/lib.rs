//! The GraphQL schema over `curfew-app`; the only crate that knows async-graphql.
//!
//! Not here: HTTP, tokens, rules of the domain. A resolver parses, calls a use case and wraps the answer.
//! Invariant: what enters and leaves this crate are plain types ([`GraphqlCall`], [`Answer`]).
//!
//! Adding a mutation: 1. the input and payload in `mutation/`, every item with its description; 2. the use case in
//! `curfew-app`; 3. `cargo xtask codegen` for `schema/schema.graphql`; 4. its case in `tests/it/coverage.rs`,
//! without which the build fails.

mod call;
mod code;
mod connection;
mod error;
mod gate;
mod input;
mod model;
mod mutation;
mod query;
mod schema;
#[cfg(test)]
mod testing;

pub use call::{Answer, Ending, GraphqlCall, Via, error_body};
pub use code::ErrorCode;
pub use gate::Limits;
pub use schema::{Api, graphiql, sdl};
