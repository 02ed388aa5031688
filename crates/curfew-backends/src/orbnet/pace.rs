//! How fast the vendor is asked: a pace for listings, and a reserve for everything that somebody waits for.
//!
//! Listings use at most nine tenths of what the vendor allows, evenly spread. Acts and single reads never wait; what
//! they use beyond the remaining tenth is taken from the listing. Time is tokio's, so that paused time works: the
//! `governor` crate waits by timers of its own (`futures-timer`), and cannot lend from one limit to another.
//!
//! Not here: what is asked for. Invariant: while listings wait their turn, all requests of a minute together are no
//! more than are allowed, unless acts and single reads alone are more.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
/// One request in this many is kept from listings.
const RESERVE: u32 = 10;
/// How many requests of a listing may go at once after a pause.
const BURST: u32 = 4;

/// How many requests the vendor allows, shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Between two requests of a listing.
    listing: Duration,
    /// How far a listing may catch up after a pause.
    slack: Duration,
    /// Until one request is back in the reserve.
    reserve: Duration,
}

impl Rate {
    /// So many requests a minute; 10 at least.
    pub(super) fn of(per_minute: u32) -> Self {
        let reserve = (per_minute / RESERVE).max(2);
        let burst = if per_minute > RESERVE * BURST { BURST } else { 0 };
        // What goes at once is on top of the even pace, and the minute that sees it must have room for it.
        let listing = MINUTE / per_minute.saturating_sub(reserve + burst).max(1);
        Self {
            listing,
            slack: listing * burst.saturating_sub(1),
            // One half stands ready, the other comes back within a minute: together no more than is reserved.
            reserve: MINUTE / (reserve / 2),
        }
    }

    /// How long so many requests of a listing take.
    pub(super) fn listing_takes(&self, requests: usize) -> Duration {
        self.listing
            .saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX))
    }
}

/// Why a listing gets no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// It would come after the deadline.
    TooLate,
    /// The vendor asked to be left alone for so long.
    Resting(Duration),
}

/// The pace of one backend.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// When the next request of a listing may go.
    listing: Instant,
    /// When the reserve will be whole again.
    reserve: Instant,
    /// The vendor wants no listing before.
    resting: Instant,
}

impl Pace {
    pub(super) fn new(rate: Rate) -> Self {
        let now = Instant::now();
        Self {
            rate,
            state: Mutex::new(State {
                listing: now,
                reserve: now,
                resting: now,
            }),
        }
    }

    /// Waits until a request of a listing may go.
    ///
    /// # Errors
    /// [`NoTurn`] at once if its turn does not come before `deadline`.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<(), NoTurn> {
        let at = {
            let now = Instant::now();
            let mut state = self.state.lock();
            if state.resting > now {
                return Err(NoTurn::Resting(state.resting - now));
            }
            let at = state.listing.max(now.checked_sub(self.rate.slack).unwrap_or(now));
            if at.max(now) >= deadline {
                return Err(NoTurn::TooLate);
            }
            state.listing = at + self.rate.listing;
            at
        };
        tokio::time::sleep_until(at).await;
        // Another request may have been told to slow down meanwhile.
        let state = self.state.lock();
        match state.resting.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Err(NoTurn::Resting(left)),
            _ => Ok(()),
        }
    }

    /// Counts a request that does not wait. One beyond the reserve costs the listing a turn.
    pub(super) fn count(&self) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let reserve = state.reserve.max(now) + self.rate.reserve;
        if reserve - now <= MINUTE {
            state.reserve = reserve;
        } else {
            // A minute's worth at most: more of it is not of this minute any more.
            state.listing = (state.listing.max(now) + self.rate.listing).min(now + MINUTE);
        }
    }

    /// The vendor asked to be left alone for so long.
    pub(super) fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state.lock();
        state.resting = state.resting.max(until);
    }
}

#[cfg(test)]
mod tests;
