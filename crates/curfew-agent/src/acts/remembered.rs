//! Which acts were taken already, so that none is performed twice.
//!
//! Remembered for ten minutes from its end and never longer than the process lives; an act that is asked for later than
//! that, or after a restart, is stopped by its `notAfter`, which is never more than five minutes away.
//! Invariant: while an act is remembered, another request of its operation and attempt starts nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use curfew_agent_api::Message;
use curfew_core::Generation;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Outcome;
use crate::policy::Verb;

/// How long.
const REMEMBERED: Duration = Duration::from_mins(10);
/// How many; beyond that new acts are refused, for forgetting one would let it be done again.
const MOST: usize = 4_096;

/// An attempt of one of the gateway's operations.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) operation: String,
    pub(super) attempt: u32,
}

/// What it is meant to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) verb: Verb,
    pub(super) number: u32,
    pub(super) generation: Generation,
    /// What is shown, for [`Verb::Message`] alone.
    pub(super) message: Option<Arc<Message>>,
}

#[derive(Debug, Default)]
pub(super) struct Remembered {
    acts: HashMap<Key, Entry>,
}

#[derive(Debug)]
struct Entry {
    target: Target,
    outcome: watch::Receiver<Option<Outcome>>,
    ended: Option<Instant>,
}

/// What is known of an act that is asked for.
pub(super) enum Entered {
    /// Nothing: it is to be performed, and its outcome said here.
    New(watch::Sender<Option<Outcome>>, watch::Receiver<Option<Outcome>>),
    /// It is being performed, or was: here is what comes of it.
    Known(watch::Receiver<Option<Outcome>>),
    /// The same operation and attempt was something else.
    Other,
    /// Too many are remembered.
    Full,
}

impl Remembered {
    pub(super) fn enter(&mut self, key: Key, target: Target, now: Instant) -> Entered {
        let live = |entry: &Entry| {
            entry
                .ended
                .is_none_or(|ended| now.duration_since(ended) < REMEMBERED)
        };
        if let Some(entry) = self.acts.get(&key)
            && live(entry)
        {
            return if entry.target == target {
                Entered::Known(entry.outcome.clone())
            } else {
                Entered::Other
            };
        }
        self.acts.retain(|_, entry| live(entry));
        if self.acts.len() >= MOST {
            return Entered::Full;
        }
        let (sender, receiver) = watch::channel(None);
        let entry = Entry {
            target,
            outcome: receiver.clone(),
            ended: None,
        };
        self.acts.insert(key, entry);
        Entered::New(sender, receiver)
    }

    /// The act has ended. One that is to come again by its own answer is forgotten: nothing was done.
    pub(super) fn end(&mut self, key: &Key, outcome: &Outcome, now: Instant) {
        let again = matches!(outcome, Err(problem) if problem.retry_after_ms.is_some());
        if again {
            self.acts.remove(key);
        } else if let Some(entry) = self.acts.get_mut(key) {
            entry.ended = Some(now);
        }
    }
}

#[cfg(test)]
mod tests;
