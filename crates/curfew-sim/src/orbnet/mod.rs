//! The GraphQL API of OrbNet (OrbVPN), a hosted VPN: what a session adapter needs of it.
//!
//! Simulated are `getOnlineSessions` of one user and `disconnectBySessionId`, with tokens of the three documented
//! scopes, the documented errors and the documented limit of requests. Not simulated are devices, histories,
//! `login` and the REST product. What the documentation leaves open is a [`Variant`]. The state is in memory and
//! ends with the handle.
//!
//! Invariant: two requests that see the same state get the same answer, but for fresh ids, dates and limits.

mod config;
mod control;
mod dispatch;
mod estate;
mod fault;
mod handle;
mod question;
mod reply;
mod service;
#[cfg(test)]
mod tests;

pub use config::{ErrorStatus, KillsBy, OrbnetSimConfig, Reach, ResetStyle, UnknownUser, Variant};
pub use estate::{NewSession, SessionView, UserView};
pub use fault::{Fault, FaultAction, FaultBody, Matcher, Operation};
pub use handle::OrbnetSim;
pub use service::{Act, Counters, Scope};
