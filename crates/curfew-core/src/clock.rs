//! The only place where Curfew reads the time or draws a random number.
//!
//! Not a scheduler: deadlines and delays use tokio's clock, which tests pause.
//! Invariant: a [`Timestamp`] is in UTC and has whole microseconds, because that is what both databases keep.

use std::fmt::Debug;

use chrono::{DateTime, SubsecRound, Utc};
use parking_lot::Mutex;
use uuid::Uuid;
use uuid::timestamp::context::ContextV7;

/// An instant in UTC with whole microseconds.
pub type Timestamp = DateTime<Utc>;

/// Source of time and of ids. A parameter everywhere, so that tests decide both.
pub trait Clock: Send + Sync + Debug {
    /// The present instant, truncated to microseconds.
    fn now(&self) -> Timestamp;

    /// A fresh UUID version 7 (RFC 9562, section 5.7) of the present instant.
    fn uuid(&self) -> Uuid {
        uuid_v7(self.now(), rand::random())
    }
}

/// Builds a UUID version 7 of `at` (millisecond precision) and ten random bytes.
pub fn uuid_v7(at: Timestamp, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Truncates an instant to the precision that both databases keep.
pub fn to_micros(at: DateTime<Utc>) -> Timestamp {
    at.trunc_subsecs(6)
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the system clock lives here")]
    fn now(&self) -> Timestamp {
        to_micros(Utc::now())
    }

    /// Grows within the process, so that records of one instant sort in the order they were made (RFC 9562,
    /// section 6.2).
    fn uuid(&self) -> Uuid {
        static COUNTER: Mutex<ContextV7> = Mutex::new(ContextV7::new());
        let now = self.now();
        let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
        let counter = COUNTER.lock();
        Uuid::new_v7(uuid::Timestamp::from_unix(
            &*counter,
            seconds,
            now.timestamp_subsec_nanos(),
        ))
    }
}
