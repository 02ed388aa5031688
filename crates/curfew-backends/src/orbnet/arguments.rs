//! Which arguments of the mutation stand for a session of which user, as far as that is known.
//!
//! The mutation carries one bare id and no user. The rows are those of RADIUS accounting, whose Acct-Session-Id is
//! unique for each gateway only (RFC 2866, section 5.5), and no page of the vendor says how far a row's `id` reaches.
//! Not here: two rows of one user (`map.rs`). A user who is not configured cannot be seen here, nor one who was never
//! read.
//! Invariant: a user's arguments are those of their last good reading; a failed one takes nothing away.

use std::collections::HashSet;

use parking_lot::Mutex;

/// The arguments of each user, in the order of the settings.
#[derive(Debug)]
pub(super) struct Arguments(Mutex<Vec<HashSet<Box<str>>>>);

impl Arguments {
    pub(super) fn of(users: usize) -> Self {
        Self(Mutex::new(vec![HashSet::new(); users]))
    }

    /// The user at `place` has these now and no others.
    pub(super) fn learn<'a>(&self, place: usize, arguments: impl Iterator<Item = &'a str>) {
        let arguments = arguments.map(Box::from).collect();
        if let Some(known) = self.0.lock().get_mut(place) {
            *known = arguments;
        }
    }

    /// Whether a user other than the one at `place` has it.
    pub(super) fn another_has(&self, place: usize, argument: &str) -> bool {
        let all = self.0.lock();
        let mut others = all.iter().enumerate().filter(|(other, _)| *other != place);
        others.any(|(_, arguments)| arguments.contains(argument))
    }
}
