//! Curfew's storage on Postgres and SQLite: the ports [`curfew_core::ActionStore`] and [`curfew_core::AuditLog`].
//!
//! Not here: what is recorded and when (`curfew-core`, `curfew-app`), and reading configuration (the server).
//! Invariant: a method of a port is one transaction that includes its audit rows, and no statement of this crate
//! changes or removes an audit record; the databases' triggers would refuse it.
//!
//! Adding a statement:
//! 1. Write its text in `sql`, in the subset that both databases speak, with `$n` for values.
//! 2. Say in `params` what is bound, in that order; rows that come back get a type in `rows`.
//! 3. Call it in `store`, in a method that is one transaction.
//! 4. Extend the contract suite (`curfew_core::fakes::store_contract`) and the in-memory store.
//!
//! Changing a table: `migrations/README.md`.

mod connections;
mod database;
mod driver;
mod error;
mod filter;
mod options;
mod params;
mod postgres;
mod rows;
mod sql;
mod sqlite;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use database::{Database, DatabaseError, MigrationStatus};
pub use options::{DatabaseKind, DatabaseUrl, DatabaseUrlError, StoreOptions};

#[cfg(test)]
mod tests;
