//! A clock that tests move.
//!
//! Not a timer: sleeping tasks wake by tokio's paused clock.
//! Invariant: it never moves by itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, TimeZone, Utc};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::clock::{Clock, Timestamp, uuid_v7};

/// Stands at 2026-01-16T14:40:00Z until it is moved; its UUIDs count upwards.
#[derive(Debug)]
pub struct MockClock {
    now: Mutex<Timestamp>,
    drawn: AtomicU64,
}

impl Default for MockClock {
    fn default() -> Self {
        let start = Utc
            .with_ymd_and_hms(2026, 1, 16, 14, 40, 0)
            .single()
            .unwrap_or_default();
        Self {
            now: Mutex::new(start),
            drawn: AtomicU64::new(0),
        }
    }
}

impl MockClock {
    /// Moves the clock.
    pub fn advance(&self, by: Duration) {
        *self.now.lock() += TimeDelta::from_std(by).unwrap_or(TimeDelta::zero());
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        *self.now.lock()
    }

    fn uuid(&self) -> Uuid {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        uuid_v7(self.now(), random)
    }
}
