//! Asking for every user once: at the pace, some at a time, and not to the end if there is no sense in it.
//!
//! Not here: what is asked (`reads.rs`). Invariant: every user has an outcome, and one who was not asked says why.

use std::future::Future;
use std::time::Duration;

use curfew_core::{BackendError, BackendErrorKind as Kind};
use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::answer::SLOW_DOWN;
use super::pace::{NoTurn, Pace};

/// How many users are asked for at the same time.
const AT_ONCE: usize = 8;
/// After so many failures in a row to get any answer the service is taken to be down: as many as go at once, so that
/// it costs the time of one.
const GIVE_UP_AFTER: usize = AT_ONCE;

/// What became of each user, in the order of the settings.
#[derive(Debug)]
pub(super) struct Swept<T> {
    pub(super) outcomes: Vec<Result<T, BackendError>>,
    /// Why some were not asked for.
    pub(super) stopped: Option<BackendError>,
    /// Who is to be asked for first the next time: the first who was not asked for this time.
    pub(super) next: usize,
}

/// Asks for `users` users, from the one at `first` on, until `deadline`.
pub(super) async fn sweep<T, F>(
    users: usize,
    first: usize,
    pace: &Pace,
    deadline: Instant,
    ask: impl Fn(usize) -> F,
) -> Swept<T>
where
    F: Future<Output = Result<T, BackendError>>,
{
    let course = Course::default();
    let (course, ask) = (&course, &ask);
    let one = |place: usize| async move {
        if let Some(stop) = course.stopped() {
            return (place, Err(stop), false);
        }
        if let Err(no_turn) = pace.turn(deadline).await {
            return (place, Err(course.stop(unasked(no_turn))), false);
        }
        // Meanwhile another may have learned that there is no sense in it.
        if let Some(stop) = course.stopped() {
            return (place, Err(stop), false);
        }
        let outcome = ask(place).await;
        let refused = matches!(
            outcome,
            Err(BackendError {
                kind: Kind::RateLimited { .. },
                ..
            })
        );
        course.saw(&outcome);
        (place, outcome, !refused)
    };
    let order = (0..users).map(|step| (first + step) % users);
    let mut asked = stream::iter(order).map(one).buffer_unordered(AT_ONCE);
    let mut outcomes: Vec<Option<Result<T, BackendError>>> = (0..users).map(|_| None).collect();
    let mut unread: Option<usize> = None;
    while let Some((place, outcome, was_asked)) = asked.next().await {
        outcomes[place] = Some(outcome);
        if !was_asked {
            let step = (place + users - first) % users;
            unread = Some(unread.map_or(step, |least| least.min(step)));
        }
    }
    drop(asked);
    Swept {
        outcomes: outcomes.into_iter().flatten().collect(),
        stopped: course.reason(),
        next: unread.map_or(first, |step| (first + step) % users),
    }
}

fn unasked(no_turn: NoTurn) -> BackendError {
    match no_turn {
        NoTurn::TooLate => BackendError::new(
            Kind::TimedOut,
            "the time of the reading was over before this user's turn came; the next reading begins here",
        ),
        NoTurn::Resting(left) => BackendError::new(
            Kind::RateLimited {
                retry_after: Some(left.max(Duration::from_millis(1))),
            },
            SLOW_DOWN,
        ),
    }
}

/// How a sweep goes.
#[derive(Debug, Default)]
struct Course(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    stop: Option<BackendError>,
    /// Failures to get any answer since the last answer.
    silent: usize,
}

impl Course {
    /// Why the rest is not asked for. Its evidence is that of another user's call and stays there.
    fn stopped(&self) -> Option<BackendError> {
        self.reason().map(|stop| BackendError {
            evidence: None,
            ..stop
        })
    }

    fn reason(&self) -> Option<BackendError> {
        self.0.lock().stop.clone()
    }

    /// Stops, for this reason unless there is one already.
    fn stop(&self, error: BackendError) -> BackendError {
        self.0.lock().stop.get_or_insert(error).clone()
    }

    fn saw<T>(&self, outcome: &Result<T, BackendError>) {
        let mut state = self.0.lock();
        let Err(error) = outcome else {
            state.silent = 0;
            return;
        };
        let pointless = match error.kind {
            // The same token asks for all of them.
            Kind::RateLimited { .. } | Kind::Credentials => true,
            Kind::Unavailable | Kind::TimedOut => {
                state.silent += 1;
                state.silent >= GIVE_UP_AFTER
            }
            _ => {
                state.silent = 0;
                false
            }
        };
        if pointless {
            state.stop.get_or_insert(error.clone());
        }
    }
}

#[cfg(test)]
mod tests;
