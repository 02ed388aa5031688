//! Acts: judged at the last moment, performed once, written down before and after.
//!
//! Not here: what a policy says (`policy`), HTTP (`http`). Invariant: between the reading that decides and the call of
//! the system stands nothing that can wait.

mod budget;
mod effect;
mod log;
mod moment;
mod perform;
mod record;
mod remembered;
mod request;

use std::sync::Arc;

use curfew_agent_api::{ActResult, HostSession, Problem};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use self::budget::Budget;
pub use self::log::{ActLog, ActLogError};
use self::remembered::Remembered;
use crate::policy::Policy;

/// What came of an act.
pub(crate) type Outcome = Result<Taken, Problem>;

/// How an act was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) result: ActResult,
    pub(crate) session: Option<HostSession>,
}

impl Taken {
    /// The system took it, and nobody looked for its effect.
    fn unseen() -> Self {
        Self {
            result: ActResult::Accepted,
            session: None,
        }
    }
}

/// What an agent keeps about acts.
#[derive(Debug)]
pub(crate) struct Acts {
    places: Arc<Semaphore>,
    budget: Mutex<Budget>,
    remembered: Mutex<Remembered>,
}

impl Acts {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            places: Arc::new(Semaphore::new(policy.concurrency)),
            budget: Mutex::new(Budget::new(policy.max_logoffs_per_minute)),
            remembered: Mutex::default(),
        }
    }
}
