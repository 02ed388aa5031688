//! The agent through its public doors: real TLS, a real HTTP client, a host that is made up.
//!
//! Not here: rules that are functions of rows and settings; they have tests beside them. Invariant: no test waits for
//! time to pass where it can wait for a condition.

mod acts;
mod binary;
mod door;
mod host;
mod log;
mod patience;
mod pki;
mod policy;
mod reads;
mod stage;
mod stop;
mod tls;
