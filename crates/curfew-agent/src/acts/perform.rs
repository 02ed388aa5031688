//! One act, from the request to the answer.
//!
//! Not here: retries; the gateway decides about those. Invariant: while an operation and attempt is remembered the system
//! is not called for it a second time, unless the answer to the first was that nothing was done; and it is called only
//! after the line `asked` is in the act log.

use std::sync::Arc;
use std::time::Duration;

use curfew_agent_api::{ActAnswer, ActRequest, ActResult, Problem, ProblemCode};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout};

use super::log::Asked;
use super::moment::{Called, Meant, Moment};
use super::remembered::{Entered, Key, Target};
use super::{Outcome, Taken, request};
use crate::agent::Agent;
use crate::policy::Verb;
use crate::problem::{host_silent, later, not_read, problem, stopping};
use crate::rows;

/// How long the system may take for an act.
const ACT: Duration = Duration::from_secs(30);
/// When to come again if too many acts are in hand.
const BUSY: Duration = Duration::from_millis(500);

/// A call that was begun and has not come back.
type Late = JoinHandle<Result<Called, Problem>>;

impl Agent {
    /// Acts on a session, or answers what came of it when it was asked for before. It goes on if nobody waits.
    ///
    /// # Errors
    /// A [`Problem`]; its code says whether something was done.
    pub(crate) async fn act(
        self: &Arc<Self>,
        verb: Verb,
        number: u32,
        request: ActRequest,
    ) -> Result<ActAnswer, Problem> {
        let generation = request::check(verb, &request, self.clock.now())?;
        let key = Key {
            operation: request.operation.clone(),
            attempt: request.attempt,
        };
        let target = Target {
            verb,
            number,
            generation,
            message: request.message.clone().map(Arc::new),
        };
        let entered = self
            .acts
            .remembered
            .lock()
            .enter(key.clone(), target.clone(), Instant::now());
        let outcome = match entered {
            Entered::New(sender, receiver) => {
                let agent = Arc::clone(self);
                self.tasks.spawn(async move {
                    // Looked at inside the task: the end of the agent waits for this one or comes before it.
                    let outcome = if agent.tasks.is_closed() {
                        Err(stopping())
                    } else {
                        agent.perform(target, request).await
                    };
                    agent.acts.remembered.lock().end(&key, &outcome, Instant::now());
                    // Nobody may be waiting any more.
                    let _ = sender.send(Some(outcome));
                });
                ended(receiver).await
            }
            Entered::Known(receiver) => ended(receiver).await,
            Entered::Other => Err(problem(
                ProblemCode::BadRequest,
                "this operation and attempt was another act; nothing was done",
            )),
            Entered::Full => Err(busy("this host has done too many acts in ten minutes")),
        };
        outcome.map(|taken| ActAnswer {
            host: self.host(),
            result: taken.result,
            session: taken.session,
        })
    }

    async fn perform(self: &Arc<Self>, target: Target, request: ActRequest) -> Outcome {
        let Ok(place) = Arc::clone(&self.acts.places).try_acquire_owned() else {
            return Err(busy("this host has as many acts in hand as it takes at once"));
        };
        let not_after = request.not_after;
        let mut asked = Asked::new(&self.settings.host, target.verb, target.number, request);
        // For the log alone; what is decided is decided by a reading of its own, after the log is written.
        let row = self.row(target.number).await.ok().flatten();
        asked.session = row.map(|row| rows::on_the_wire(&row, &self.settings.policy));
        let place = self.write_asked(&asked, place).await?;
        let (outcome, late) = self.perform_now(Meant { target, not_after }, place).await;
        self.write_ended(&asked, &outcome).await;
        if let Some(call) = late {
            let agent = Arc::clone(self);
            self.tasks
                .spawn(async move { agent.write_late(asked, call).await });
        }
        outcome
    }

    async fn perform_now(
        self: &Arc<Self>,
        meant: Meant,
        place: OwnedSemaphorePermit,
    ) -> (Outcome, Option<Late>) {
        let target = meant.target.clone();
        let moment = Arc::new(Moment::default());
        let (agent, its_moment) = (Arc::clone(self), Arc::clone(&moment));
        let mut call = spawn_blocking(move || {
            // The place is free again when the system has returned, also when nobody waits for it any more.
            let _place = place;
            agent.judge_and_call(&meant, &its_moment)
        });
        let outcome = match timeout(ACT, &mut call).await {
            Ok(Ok(Ok(called))) => Ok(self.taken(&target, called).await),
            Ok(Ok(Err(problem))) => Err(problem),
            Ok(Err(_panic)) if moment.abandon() => Err(not_read()),
            Ok(Err(_panic)) => Err(failed()),
            Err(_elapsed) if moment.abandon() => Err(host_silent()),
            Err(_elapsed) => {
                let text = "Windows has not returned from the act; whether it was done cannot be told";
                return (Err(problem(ProblemCode::HostFailed, text)), Some(call));
            }
        };
        (outcome, None)
    }

    async fn taken(&self, target: &Target, called: Called) -> Taken {
        match called {
            Called::Already(row) => Taken {
                result: ActResult::Already,
                session: Some(rows::on_the_wire(&row, &self.settings.policy)),
            },
            Called::Yes(_) if target.verb == Verb::Message => Taken {
                result: ActResult::Done,
                session: None,
            },
            Called::Yes(before) => self.effect(target, &before).await,
        }
    }
}

async fn ended(mut receiver: watch::Receiver<Option<Outcome>>) -> Outcome {
    match receiver.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(outcome)) => outcome.clone(),
        Ok(None) | Err(_) => Err(failed()),
    }
}

/// The agent itself failed, at a time when the system may have been called.
pub(super) fn failed() -> Problem {
    problem(
        ProblemCode::Internal,
        "the agent failed during the act; whether it was done cannot be told",
    )
}

fn busy(text: &str) -> Problem {
    later(
        problem(ProblemCode::TooManyActs, format!("{text}; nothing was done")),
        BUSY,
    )
}
