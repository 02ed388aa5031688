//! The gateway: command line, configuration, authentication, HTTP, life cycle.
//!
//! Not here: what the gateway does for a caller (`curfew-app`), the schema (`curfew-graphql`), vendors
//! (`curfew-backends`) and SQL (`curfew-store`). The binary is [`run`] and nothing else, so that tests can use
//! every part of it.
//!
//! Invariant: this is the only crate of the gateway that reads the environment, files and the command line,
//! and configuration is read and checked before anything is bound.

pub mod auth;
pub mod cli;
pub mod commands;
pub mod config;
pub mod failure;
pub mod http;
pub mod lifecycle;
pub mod ops;
pub mod telemetry;
pub mod tls;
pub mod wiring;

pub use cli::run;
