//! The HTTP door: the one way from the network to the schema.
//!
//! Not here: GraphQL (`curfew-graphql` behind [`Executor`]), tokens (`auth` behind
//! [`Authenticate`](crate::auth::Authenticate)), health and metrics ([`ops`](crate::ops), another listener).
//! Invariant: no document is parsed before its sender is authenticated, and what is not a POST of
//! `application/json` or a GET never reaches the executor.

mod accept;
mod cors;
mod door;
mod extract;
mod first_bytes;
mod listen;
mod respond;
mod source;

pub use accept::{MediaType, negotiate};
pub use door::{Door, DoorOptions, Executor, router};
pub use listen::{Bound, ListenError, Running, ServerHandle};
pub use source::source_address;
