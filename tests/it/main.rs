//! The behaviour of the whole gateway, through its public doors; one file for each behaviour.
//!
//! Not unit tests. Invariant: status, body and audit records are looked at, and no test sleeps.

mod cli;
mod compose;
mod coverage;
mod crash;
mod database_faults;
mod dev;
mod documents;
mod first_thread;
mod hosts;
mod http_door;
mod listing;
mod ops;
mod shutdown;
mod three_kinds;
mod tokens;
mod twins;
mod vendor_faults;
mod vpn;
