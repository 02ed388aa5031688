//! Whether the effect of an act shows.
//!
//! Invariant: what is called done was seen; what cannot be told apart is left open.

use std::time::Duration;

use curfew_agent_api::ActResult;
use tokio::time::{sleep, timeout};

use super::Taken;
use super::remembered::Target;
use crate::agent::Agent;
use crate::platform::{WtsSession, WtsState};
use crate::policy::Verb;
use crate::rows;

/// How long the effect of an act is waited for.
const EFFECT: Duration = Duration::from_secs(1);
/// How often is looked meanwhile.
const LOOK: Duration = Duration::from_millis(50);

impl Agent {
    /// Looks until the goal shows, or for as long as it is worth while. `before` is the session that was acted on.
    pub(super) async fn effect(&self, target: &Target, before: &WtsSession) -> Taken {
        let mut last = None;
        let shown = timeout(EFFECT, self.shows(target, before, &mut last)).await;
        Taken {
            // The act was accepted; that its effect cannot be seen does not undo it.
            result: if shown == Ok(true) {
                ActResult::Done
            } else {
                ActResult::Accepted
            },
            session: last.map(|row| rows::on_the_wire(&row, &self.settings.policy)),
        }
    }

    /// Comes back when the goal shows, or with `false` if it cannot be seen any more; leaves in `last` the session as it
    /// was seen last, unless it is gone.
    async fn shows(&self, target: &Target, before: &WtsSession, last: &mut Option<WtsSession>) -> bool {
        loop {
            let Ok(row) = self.row(target.number).await else {
                return false;
            };
            let (same, other) = match row {
                Some(row) if rows::generation(&row) == target.generation => (Some(row), None),
                other => (None, other),
            };
            last.clone_from(&same);
            match (same, other) {
                (Some(row), _) => {
                    if target.verb == Verb::Disconnect && row.state == WtsState::Disconnected {
                        return true;
                    }
                }
                // It has ended, and took with it whether it was disconnected first.
                _ if target.verb != Verb::Logoff => return false,
                (None, None) => return true,
                // A generation also changes when Windows does not tell SID or time of logon; that is no end.
                (None, Some(row)) => {
                    if row.logon_time > 0 && row.logon_time != before.logon_time {
                        return true;
                    }
                }
            }
            sleep(LOOK).await;
        }
    }
}
