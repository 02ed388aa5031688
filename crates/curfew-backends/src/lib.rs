//! Adapters that speak the vendors' protocols: the only crate that knows them.
//!
//! Each adapter is a folder (`config`, `client`, `wire`, `map`, `mod`, `tests`) that implements
//! [`curfew_core::SessionBackend`]; [`registry`] has one match arm for each. What all share stands beside them:
//! the HTTP client factory ([`http`]), the rules for addresses ([`address`]), references to secrets ([`secret`])
//! and the suite that every adapter passes (`contract`).
//!
//! Adding a backend: 1. a folder beside `citrix/`; 2. a variant of [`BackendConfig`] and its arms in
//! `registry.rs`; 3. a `Rig` for `contract.rs` in the adapter's `tests.rs`. The whole recipe is
//! `docs/adding-a-backend.md`.
//!
//! Not here: when to read and when to act (`curfew-app`), reading files and the environment (the binaries).
//!
//! Invariant: an adapter sends at most one acting request per [`curfew_core::Recorded`], and says
//! `Unavailable` of an act only if provably nothing was done.

pub mod address;
pub mod citrix;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod http;
pub mod orbnet;
pub mod registry;
pub mod secret;
pub mod windows_agent;

pub use registry::{BackendConfig, BuildError, Deps, build};
pub use secret::{SecretError, SecretRef, SecretSource};
