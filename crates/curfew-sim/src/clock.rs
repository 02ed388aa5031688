//! The wall clock and fresh ids of the simulators. Not for delays: those use `tokio::time`, so that paused
//! time works. Invariant: the only place of this crate that reads the system clock or makes a random id.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The time of day, in UTC.
#[expect(
    clippy::disallowed_methods,
    reason = "the system clock of the simulators lives here"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// A fresh random id.
#[expect(
    clippy::disallowed_methods,
    reason = "the ids of the simulators are made here"
)]
pub(crate) fn fresh_id() -> Uuid {
    Uuid::new_v4()
}
