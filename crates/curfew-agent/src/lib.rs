//! The agent on a Windows host: lists its sessions and acts on them for the gateway, over mutual TLS.
//!
//! The contract is `curfew-agent-api`; here is what stands behind it: which rows are sessions of users (`rows`), what
//! the host allows (`policy`), how an act is judged at the last moment, performed once and written down (`acts`), how it
//! is served (`http`, `listen`) and the port to the system (`platform`).
//!
//! Not here: retries, time-outs of the gateway, who may ask the gateway for what.
//! Invariant: no act without a line in the host's own log before it, and none on a session that is not exactly the one
//! that was meant.

mod acts;
mod agent;
pub mod cli;
mod commands;
mod config;
mod http;
pub mod listen;
pub mod platform;
mod policy;
mod problem;
mod rows;

pub use acts::{ActLog, ActLogError};
pub use agent::{Agent, AgentSettings};
pub use config::{Config, ConfigError, Credentials, CredentialsError};
pub use policy::{Policy, Refusal, Verb};
pub use rows::generation;
