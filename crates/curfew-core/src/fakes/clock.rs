//! A clock that tests move.
//!
//! Not a timer: sleeping tasks wake by tokio's paused clock, which a clock made by [`MockClock::following_tokio`]
//! goes along with.
//! Invariant: it never reads the machine's time; while tokio's clock is paused, only the test moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{TimeDelta, TimeZone, Utc};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::clock::{Clock, Timestamp, to_micros, uuid_v7};

/// Begins at 2026-01-16T14:40:00Z; its UUIDs count upwards.
#[derive(Debug)]
pub struct MockClock {
    now: Mutex<Timestamp>,
    /// Tokio's clock when this one began, if it goes along with it.
    origin: Option<tokio::time::Instant>,
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
            origin: None,
            drawn: AtomicU64::new(0),
        }
    }
}

impl MockClock {
    /// A clock that goes along with tokio's: `tokio::time::advance`, and every sleep of a paused runtime, moves both.
    pub fn following_tokio() -> Self {
        Self {
            origin: Some(tokio::time::Instant::now()),
            ..Self::default()
        }
    }

    /// Moves the clock; one that follows tokio's runs ahead of it from then on.
    pub fn advance(&self, by: Duration) {
        *self.now.lock() += TimeDelta::from_std(by).unwrap_or(TimeDelta::zero());
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        let gone = self.origin.map_or(Duration::ZERO, |origin| origin.elapsed());
        to_micros(*self.now.lock() + TimeDelta::from_std(gone).unwrap_or(TimeDelta::zero()))
    }

    fn uuid(&self) -> Uuid {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        uuid_v7(self.now(), random)
    }
}
