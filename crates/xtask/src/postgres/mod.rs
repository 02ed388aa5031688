//! A throw-away Postgres for tests and benchmarks: find or install the server, start it, stop it.
//!
//! Never touches a packaged cluster: it has its own data directory, socket and port, and all of it is gone
//! afterwards. Invariant: no server outlives the process that started it, however that process ends.

mod find;
mod install;
mod launch;

pub use find::{Binaries, find};
pub use install::install;
pub use launch::{Durability, Server, is_root};
