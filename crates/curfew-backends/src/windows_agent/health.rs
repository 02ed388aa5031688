//! What `curfew check` says of a host that answers.
//!
//! Not here: asking it. Invariant: what will bite later (a certificate that ends, a clock that is off, a host that
//! refuses every act) is said with the word `WARN`.

use std::time::Duration;

use chrono::TimeDelta;
use curfew_agent_api::Health;
use curfew_core::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::answer::seconds;
use super::host::{Offset, SKEW};

/// A certificate that ends sooner is worth a warning.
const ENDS_SOON: TimeDelta = TimeDelta::days(14);
/// How often it is said that our own certificate ends soon.
const REMINDER: Duration = Duration::from_secs(6 * 3600);
/// Where real sessions come from.
const WINDOWS: &str = "windows";

/// The end of our own certificate, which is worth a word again and again: whoever missed the first one has hosts that
/// do not answer.
#[derive(Debug)]
pub(super) struct Reminder {
    ends: Option<Timestamp>,
    /// When it was said last.
    said: Mutex<Option<Instant>>,
}

impl Reminder {
    pub(super) fn of(ends: Option<Timestamp>) -> Self {
        Self {
            ends,
            said: Mutex::new(None),
        }
    }

    /// When the certificate ends, if that is to be said at `now`.
    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.ends.filter(|ends| *ends - now < ENDS_SOON)?;
        let mut said = self.said.lock();
        if said.is_some_and(|said| said.elapsed() < REMINDER) {
            return None;
        }
        *said = Some(Instant::now());
        Some(ends)
    }
}

/// One line about a host.
pub(super) fn words(health: &Health, offset: Option<Offset>, now: Timestamp) -> String {
    let mut said = vec![
        match health.sessions {
            1 => "1 session".to_owned(),
            number => format!("{number} sessions"),
        },
        format!("agent {}", printable(&health.host.agent_version)),
    ];
    if let Some(ends) = health.certificate_ends_at {
        let warn = if ends - now < ENDS_SOON { "WARN " } else { "" };
        said.push(format!("{warn}certificate ends {}", ends.format("%Y-%m-%d")));
    }
    if let Some(offset) = offset {
        let (amount, side) = match offset.likely {
            ahead if ahead >= TimeDelta::zero() => (ahead, "ahead"),
            behind => (-behind, "behind"),
        };
        // Acts and rows take it into account; people who read the host's log do not.
        let warn = if amount > SKEW { "WARN " } else { "" };
        let amount = seconds(amount.to_std().unwrap_or_default());
        said.push(format!("{warn}clock {amount} {side}"));
    }
    if health.read_only {
        said.push("WARN read-only: its own policy refuses every act".to_owned());
    }
    if health.platform != WINDOWS {
        said.push(format!("WARN not Windows but `{}`", printable(&health.platform)));
    }
    said.join(", ")
}

/// What a host calls things, fit for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
