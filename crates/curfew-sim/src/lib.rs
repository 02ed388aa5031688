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
//! Adding a simulator: 1. a folder beside `citrix/` with its own `Config`, handle and `tests.rs`; 2. a
//! subcommand in `main.rs` that prints one line of JSON when it is ready; 3. nothing of the gateway: this
//! crate knows no other Curfew crate, so that it cannot share a misunderstanding with an adapter.
//!
//! Invariant: what a simulator answers comes from its state alone, never from what a test expects.

mod citrix;
mod clock;
mod serve;

pub use citrix::{
    Act, BadCredentials, CitrixSim, CitrixSimConfig, Counters, DateStyle, DisconnectBody, Discovery,
    EndOfPages, ErrorStyle, Fault, FaultAction, FaultBody, Flavour, JobStatus, LocationStyle, LogoffAnswer,
    Matcher, Message, NewSession, NotFoundStyle, OnPremToken, Operation, SessionState, SessionView, Variant,
    Verb,
};
pub use serve::TlsPem;
