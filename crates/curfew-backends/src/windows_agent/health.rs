//! What `curfew check` says of a host that answers.
//!
//! Not here: asking it. Invariant: what will bite later (a certificate that ends, a clock that is off, a host that
//! refuses every act) is said with the word `WARN`.

use chrono::TimeDelta;
use curfew_agent_api::Health;
use curfew_core::Timestamp;

use super::answer::seconds;
use super::host::Offset;

/// A clock that is further off is worth a warning. Acts take it into account; people reading logs do not.
const SKEW: TimeDelta = TimeDelta::seconds(2);
/// A certificate that ends sooner is worth a warning.
pub(super) const ENDS_SOON: TimeDelta = TimeDelta::days(14);
/// Where real sessions come from.
const WINDOWS: &str = "windows";

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
