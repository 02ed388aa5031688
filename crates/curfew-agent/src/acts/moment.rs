//! The last moment of an act: the reading that decides, and right after it the call of the system.
//!
//! Not here: the act log, the answer (`perform`). Invariant: the call is never begun once it was given up, and it is known
//! whether it was begun.

use std::sync::atomic::{AtomicU8, Ordering};

use curfew_agent_api::{Problem, ProblemCode};
use curfew_core::Timestamp;
use tokio::time::Instant;

use super::remembered::Target;
use crate::agent::Agent;
use crate::platform::{WtsSession, WtsState};
use crate::policy::Verb;
use crate::problem::{gone, host_silent, later, of_platform, of_policy, problem, replaced, unread};
use crate::rows;

const READING: u8 = 0;
const CALLING: u8 = 1;
const ABANDONED: u8 = 2;

/// How far it has come; shared by the thread that reads and calls and the task that waits for it.
#[derive(Debug, Default)]
pub(super) struct Moment(AtomicU8);

impl Moment {
    /// Gives the call up; whether that was in time. If not, it has begun.
    pub(super) fn abandon(&self) -> bool {
        self.leave_reading(ABANDONED)
    }

    /// The call begins now; not if it was given up.
    fn begin(&self) -> bool {
        self.leave_reading(CALLING)
    }

    fn leave_reading(&self, to: u8) -> bool {
        let left = self
            .0
            .compare_exchange(READING, to, Ordering::AcqRel, Ordering::Acquire);
        left.is_ok()
    }
}

/// The act that is meant.
pub(super) struct Meant {
    pub(super) target: Target,
    pub(super) not_after: Timestamp,
}

/// What the last moment came to.
pub(super) enum Called {
    /// The goal held; the system was not called.
    Already(Box<WtsSession>),
    /// The system was called and took it; the session as it was right before.
    Yes(Box<WtsSession>),
}

impl Agent {
    /// Reads, decides and calls on one thread, one after the other.
    pub(super) fn judge_and_call(&self, meant: &Meant, moment: &Moment) -> Result<Called, Problem> {
        let verb = meant.target.verb;
        let row = self.judge(meant)?;
        if verb == Verb::Disconnect && row.state == WtsState::Disconnected {
            return Ok(Called::Already(row));
        }
        let granted = Instant::now();
        if verb == Verb::Logoff {
            self.acts.budget.lock().take(granted).map_err(|after| {
                let text = "this host has done as many log-offs as it does in a minute; nothing was done";
                later(problem(ProblemCode::TooManyActs, text), after)
            })?;
        }
        let called = self.call(&meant.target, moment);
        let nothing_was_done = called
            .as_ref()
            .is_err_and(|problem| problem.code.nothing_was_done());
        if verb == Verb::Logoff && nothing_was_done {
            self.acts.budget.lock().give_back(granted);
        }
        called.map(|()| Called::Yes(row))
    }

    /// The session that is meant, if it may be acted on now.
    fn judge(&self, meant: &Meant) -> Result<Box<WtsSession>, Problem> {
        let Target {
            verb,
            number,
            generation,
            ..
        } = meant.target;
        let row = self.platform.get(number).map_err(|error| unread(error, number))?;
        let row = row.filter(rows::is_of_a_user).ok_or_else(|| gone(number))?;
        if rows::generation(&row) != generation {
            return Err(replaced(number));
        }
        if let Some(refusal) = self.settings.policy.refuses(verb, &row) {
            return Err(of_policy(refusal));
        }
        let now = self.clock.now();
        if now > meant.not_after {
            return Err(too_late(now, meant.not_after));
        }
        Ok(Box::new(row))
    }

    fn call(&self, target: &Target, moment: &Moment) -> Result<(), Problem> {
        let number = target.number;
        if !moment.begin() {
            return Err(host_silent());
        }
        match (target.verb, &target.message) {
            (Verb::Disconnect, _) => self.platform.disconnect(number),
            (Verb::Logoff, _) => self.platform.logoff(number),
            (Verb::Message, Some(message)) => self.platform.message(number, message),
            (Verb::Message, None) => return Err(problem(ProblemCode::BadRequest, "`message` is missing")),
        }
        .map_err(|error| of_platform(error, Some(number)))
    }
}

fn too_late(now: Timestamp, not_after: Timestamp) -> Problem {
    let late = (now - not_after).num_milliseconds();
    problem(
        ProblemCode::TooLate,
        format!("it came {late} ms after `notAfter` by this host's clock; nothing was done"),
    )
}
