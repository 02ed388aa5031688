//! Working in-memory fakes of the ports, for tests: they do what the real ones do, they do not expect.
//!
//! Not for production: nothing here survives the process.
//! Invariant: the in-memory store passes the same contract suite as the databases (`store_contract`).

pub mod backend;
mod clock;
mod filter;
mod memory;
pub mod store_contract;

pub use backend::FakeBackend;
pub use clock::MockClock;
pub use memory::{Fault, MemoryStore};
