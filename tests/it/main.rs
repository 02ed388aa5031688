//! The behaviour of the whole gateway, through its public doors; one file for each behaviour.
//!
//! Not unit tests. Invariant: status, body and audit records are looked at, and no test sleeps.

mod coverage;
mod crash;
mod database_faults;
mod dev_and_cli;
mod documents;
mod first_thread;
mod http_door;
mod listing;
mod ops;
mod shutdown;
mod tokens;
mod vendor_faults;
