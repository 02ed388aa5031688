//! What an agent writes to its act log, and how long it waits for it.
//!
//! Not here: the lines (`log`). Invariant: an act whose line `asked` was not written in time is not begun, also if the
//! line gets there later.

use std::sync::Arc;
use std::time::Duration;

use curfew_agent_api::{Problem, ProblemCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::log::{Asked, Line};
use super::moment::Called;
use super::{Outcome, Taken};
use crate::agent::Agent;
use crate::problem::problem;

/// How long a line may take; a disk that hangs holds up nobody for longer.
const LINE: Duration = Duration::from_secs(5);

impl Agent {
    /// Writes down what is asked for. The act's place goes with it: lines that hang are never more than acts at once.
    pub(super) async fn write_asked(
        self: &Arc<Self>,
        asked: &Asked,
        place: OwnedSemaphorePermit,
    ) -> Result<OwnedSemaphorePermit, Problem> {
        let text = "the host's act log cannot be written; nothing was done";
        let failed = problem(ProblemCode::ActLogFailed, text);
        let Some(mut writing) = self.begin(Line::asked(self.clock.now(), asked.clone())) else {
            return Ok(place);
        };
        if let Ok(written) = timeout(LINE, &mut writing).await {
            return if written.unwrap_or(false) {
                Ok(place)
            } else {
                Err(failed)
            };
        }
        tracing::error!("A line of the act log takes too long; the act is not done");
        let agent = Arc::clone(self);
        let (asked, outcome) = (asked.clone(), Err(failed.clone()));
        self.tasks.spawn(async move {
            if writing.await.unwrap_or(false) {
                agent.write_ended(&asked, &outcome).await;
            }
            drop(place);
        });
        Err(failed)
    }

    /// Writes down what came of it. The act stands, whatever becomes of the line.
    pub(super) async fn write_ended(&self, asked: &Asked, outcome: &Outcome) {
        self.write(Line::ended(self.clock.now(), asked.clone(), outcome))
            .await;
    }

    /// Waits for a call that was given up after it had begun, and writes down what came of it.
    pub(super) async fn write_late(&self, asked: Asked, call: JoinHandle<Result<Called, Problem>>) {
        let outcome = match call.await {
            Ok(Ok(_)) => Ok(Taken::unseen()),
            Ok(Err(problem)) => Err(problem),
            Err(_panic) => Err(super::perform::failed()),
        };
        self.write(Line::late(self.clock.now(), asked, &outcome)).await;
    }

    async fn write(&self, line: Line) {
        if let Some(writing) = self.begin(line)
            && timeout(LINE, writing).await.is_err()
        {
            // It goes on, and the end of the agent waits for it.
            tracing::error!("A line of the act log takes too long; it is not waited for");
        }
    }

    /// Begins to write a line; `None` without an act log. It gives whether the line was written.
    fn begin(&self, line: Line) -> Option<JoinHandle<bool>> {
        let log = self.settings.act_log.clone()?;
        let writing = self.tasks.spawn_blocking(move || match log.write(&line) {
            Ok(()) => true,
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, source, "A line of the act log is lost");
                false
            }
        });
        Some(writing)
    }
}
