//! Simulators of the vendors' servers, as a library for tests and as the binary `curfew-sim`.
//!
//! A simulator is a *stateful* stand-in: it keeps sessions, tokens and jobs, changes them when it is asked
//! to act, and can be told to misbehave ([`Fault`]) in every way a real server or the network before it is
//! known to. It is no mock: nothing in it expects a call, and what a test wants to know it asks afterwards
//! ([`CitrixSim::acts`], [`CitrixSim::counters`], [`CitrixSim::session`]).
//!
//! ```no_run
//! # async fn demo() -> anyhow::Result<()> {
//! use curfew_sim::{CitrixSim, CitrixSimConfig, Fault, FaultAction, Operation};
//!
//! let sim = CitrixSim::start(CitrixSimConfig::cloud().sessions(500)).await?;
//! sim.add_fault(Fault::on(Operation::Logoff, FaultAction::ActThenDrop).times(1));
//! println!("point the adapter at {}", sim.url());
//! sim.wait_for_act(1).await;
//! sim.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Beside them stand a certificate authority for development ([`DevPki`]) and one switch that makes any of the
//! simulators misbehave as a whole ([`Chaos`]).
//!
//! Adding a simulator: 1. a folder beside `citrix/` with its own `Config`, handle and `tests.rs`, over the shared `serve`
//! (listening), `faults` (the book of scripted faults), `board` (what tests wait for) and `chaos`; 2. a subcommand in
//! `main.rs` that prints one line of JSON when it is ready; 3. nothing of the gateway: this crate knows no adapter, so
//! that it cannot share a misunderstanding with one. What it does know is the agent ([`FleetSim`] is the agent's own
//! library on its fake platform), the contract that agent and gateway share, and the clock of `curfew-core`.
//!
//! Invariant: what a simulator answers comes from its state alone, never from what a test expects.

mod board;
mod bodies;
mod chaos;
mod citrix;
mod clock;
mod faults;
mod files;
pub mod fleet;
pub mod issuer;
pub mod orbnet;
pub mod pki;
mod serve;
mod vda;

pub use chaos::{Chaos, UnknownChaos};
pub use citrix::{
    Act, BadCredentials, CitrixSim, CitrixSimConfig, Counters, DateStyle, DisconnectBody, Discovery,
    EndOfPages, ErrorStyle, Fault, FaultAction, FaultBody, Flavour, JobStatus, LocationStyle, LogoffAnswer,
    Matcher, Message, NewSession, NotFoundStyle, OnPremToken, Operation, SessionState, SessionView, Variant,
    Verb,
};
pub use fleet::{FleetSim, FleetSimConfig};
pub use orbnet::{OrbnetSim, OrbnetSimConfig};
pub use pki::DevPki;
pub use serve::TlsPem;
pub use vda::Vda;
