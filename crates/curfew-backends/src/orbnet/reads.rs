//! The two reads: all sessions of all users, and one session, which is a listing of its user.
//!
//! Not here: acting. Invariant: a user's part is whole or failed, never silently short; a session is `Gone` only if a
//! whole listing of its user lacks it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use curfew_core::{
    BackendError, BackendErrorKind as Kind, Evidence, Listing, Part, PartHealth, ReadCtx, Reply as Answered,
    SessionId, Sight, Timestamp,
};
use tokio::time::Instant;

use super::client::Client;
use super::config::User;
use super::map::{self, Found};
use super::sweep::sweep;
use super::wire;

/// The most that is kept of a reading's time to come back with what there is.
const SLACK: Duration = Duration::from_secs(1);
/// The share of the time that is kept, if that is less.
const SHARE: u32 = 10;

/// The sessions of one user, one for each row.
pub(super) struct Sessions {
    pub(super) found: Vec<Found>,
    pub(super) evidence: Evidence,
    /// When they were asked for.
    asked: Timestamp,
}

impl Client {
    /// Reads all sessions of all users.
    pub(super) async fn list(&self, ctx: &ReadCtx) -> Result<Listing, BackendError> {
        let users = &self.settings.users;
        let slack = (ctx.left() / SHARE).min(SLACK);
        let deadline = ctx.deadline.checked_sub(slack).unwrap_or(ctx.deadline);
        let first = self.first.load(Ordering::Relaxed) % users.len();
        let ask = |place: usize| self.sessions(&users[place], deadline);
        let swept = sweep(users.len(), first, &self.pace, deadline, ask).await;
        self.first.store(swept.next, Ordering::Relaxed);
        let read = swept.outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        if let Some(stop) = &swept.stopped {
            let (backend, all) = (&self.settings.id, users.len());
            tracing::warn!(
                backend.id = %backend,
                users = all,
                read,
                reason = %stop,
                "`{backend}` was read for {read} of {all} users; the next reading begins with the others",
            );
        }
        let mut listing = Listing::default();
        let mut why = swept.stopped;
        for (user, outcome) in users.iter().zip(swept.outcomes) {
            let outcome = outcome.map(|sessions| {
                listing.sessions.extend(
                    map::shown(sessions.found)
                        .into_iter()
                        .map(|found| Box::new(found.session)),
                );
                sessions.asked
            });
            if let Err(error) = &outcome {
                why.get_or_insert_with(|| error.clone());
            }
            listing.parts.push(Part {
                name: user.name.clone(),
                outcome,
            });
        }
        match why {
            Some(error) if read == 0 => Err(error),
            _ => Ok(listing),
        }
    }

    /// Reads one session.
    pub(super) async fn get(&self, id: &SessionId, ctx: &ReadCtx) -> Result<Answered<Sight>, BackendError> {
        let native = id.native();
        let Some((user, session_id)) = self.place_of(&native)? else {
            return Ok(Answered {
                value: Sight::Gone,
                evidence: Evidence::default(),
            });
        };
        self.pace.count();
        let Sessions { found, evidence, .. } = self.sessions(user, ctx.deadline).await?;
        let (exact, others): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.session.id == *id);
        let value = match exact.into_iter().next() {
            Some(found) => Sight::Here(Box::new(found.session)),
            None => map::shown(others)
                .into_iter()
                .find(|found| found.session_id == session_id)
                .map_or(Sight::Gone, |found| Sight::Replaced(Box::new(found.session))),
        };
        Ok(Answered { value, evidence })
    }

    /// The user and the `sessionId` that a native id means. `None` if it has another form: then this backend never gave
    /// it out.
    ///
    /// # Errors
    /// `Unavailable` for a user who is not configured. No session of a stranger is looked at, let alone ended; and that a
    /// user has left the configuration does not prove that a session of theirs has ended.
    pub(super) fn place_of<'a>(&self, native: &'a str) -> Result<Option<(&User, &'a str)>, BackendError> {
        let Some((user, session_id)) = map::native(native) else {
            return Ok(None);
        };
        match self.user(user) {
            Some(user) => Ok(Some((user, session_id))),
            None => Err(BackendError::new(
                Kind::Unavailable,
                "the user of this session is not one that is configured; nothing was sent",
            )),
        }
    }

    /// Reads all sessions of one user: one for each row.
    pub(super) async fn sessions(&self, user: &User, deadline: Instant) -> Result<Sessions, BackendError> {
        let asked = self.clock.now();
        let reply = self.ask(user.id, deadline).await?;
        let found = reply.data().and_then(|data| {
            let rows = wire::rows(data.0)?;
            map::sessions(&rows, &self.settings.id, user, self.clock.now())
        });
        match found {
            Some(found) => {
                if let Some(place) = self.place(user.id) {
                    let by = self.settings.disconnect_by;
                    self.arguments
                        .learn(place, found.iter().filter_map(|found| found.argument(by)));
                }
                Ok(Sessions {
                    found,
                    evidence: reply.evidence,
                    asked,
                })
            }
            None => Err(reply.read_error()),
        }
    }

    /// Reads the first user's sessions, to see whether reading works.
    pub(super) async fn check(&self, ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        let users = &self.settings.users;
        let Some(user) = users.first() else {
            return Err(BackendError::new(Kind::Unavailable, "there is no user to read"));
        };
        self.pace.count();
        let sessions = map::shown(self.sessions(user, ctx.deadline).await?.found).len();
        let seen = format!(
            "{sessions} sessions of this user can be read (the first of {}); whether the token may disconnect too \
             (scope admin, not reseller) cannot be seen without doing so",
            users.len()
        );
        Ok(vec![PartHealth {
            name: user.name.clone(),
            outcome: Ok(seen),
        }])
    }
}
