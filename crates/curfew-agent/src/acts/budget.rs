//! How many log-offs a host bears in a minute.
//!
//! Invariant: in any 60 seconds no more are granted than the limit says, but for those that were given back.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Budget {
    limit: Option<usize>,
    granted: VecDeque<Instant>,
}

impl Budget {
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self {
            limit: limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            granted: VecDeque::new(),
        }
    }

    /// Grants one more, or says when to ask again.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        while self
            .granted
            .front()
            .is_some_and(|at| now.duration_since(*at) >= WINDOW)
        {
            self.granted.pop_front();
        }
        if self.granted.len() >= limit {
            let free = self
                .granted
                .front()
                .map_or(WINDOW, |at| WINDOW - now.duration_since(*at));
            return Err(free);
        }
        self.granted.push_back(now);
        Ok(())
    }

    /// One that was granted at `at` did nothing.
    pub(super) fn give_back(&mut self, at: Instant) {
        if let Some(index) = self.granted.iter().rposition(|granted| *granted == at) {
            self.granted.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn in_any_minute_no_more_than_the_limit_are_granted() {
        let mut budget = Budget::new(Some(2));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(budget.take(at(0)), Ok(()));
        assert_eq!(budget.take(at(50)), Ok(()));
        assert_eq!(budget.take(at(59)), Err(Duration::from_secs(1)));
        assert_eq!(budget.take(at(60)), Ok(()));
        assert_eq!(budget.take(at(60)), Err(Duration::from_secs(50)));
        assert_eq!(budget.take(at(110)), Ok(()));
    }

    #[tokio::test]
    async fn what_is_given_back_can_be_granted_again() {
        let mut budget = Budget::new(Some(2));
        let start = Instant::now();
        let later = start + Duration::from_secs(10);
        assert_eq!(budget.take(start), Ok(()));
        assert_eq!(budget.take(later), Ok(()));
        budget.give_back(start);
        assert_eq!(budget.take(later), Ok(()));
        assert_eq!(budget.take(later), Err(WINDOW));
        budget.give_back(start);
        assert_eq!(budget.take(later), Err(WINDOW), "it was given back already");
    }

    #[tokio::test]
    async fn a_limit_of_none_in_a_minute_grants_nothing_and_no_limit_everything() {
        let now = Instant::now();
        assert_eq!(Budget::new(Some(0)).take(now), Err(WINDOW));
        let mut unlimited = Budget::new(None);
        assert!((0..1_000).all(|_| unlimited.take(now).is_ok()));
    }
}
