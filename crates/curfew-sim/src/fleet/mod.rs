//! A fleet of Windows hosts with an agent on each: the agent's own library on its fake platform, behind one listener
//! that tells the hosts apart by the name in the TLS handshake.
//!
//! Routes, policy, answers and the checks of certificates are the agent's. Simulated are the sessions beneath it, and
//! everything that may go wrong around it ([`Fault`]): on the connection, before the agent and behind it. Not simulated
//! is Windows: what its API does is the fake platform's.
//! Invariant: an answer that no fault touched is the agent's own.

mod call;
mod config;
mod control;
mod cut;
mod dispatch;
mod door;
mod fault;
mod handle;
mod host;
mod reply;
mod state;
#[cfg(test)]
mod tests;
mod view;

pub use config::FleetSimConfig;
pub use fault::{Fault, FaultAction, FaultBody, Matcher, Operation};
pub use handle::FleetSim;
pub use state::{Act, Counters};
pub use view::{NewSession, SessionView};
