//! One act, from the request to the answer.
//!
//! Not here: retries; the gateway decides about those. Invariant: the system is called at most once for an operation
//! and attempt, and only after the line `asked` is in the act log.

use std::sync::Arc;
use std::time::Duration;

use curfew_agent_api::{ActAnswer, ActRequest, ActResult, Message, Problem, ProblemCode};
use curfew_core::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::log::{Asked, Line};
use super::remembered::{Entered, Key, Target};
use super::{Outcome, Taken, request};
use crate::agent::Agent;
use crate::platform::{WtsSession, WtsState};
use crate::policy::Verb;
use crate::problem::{gone, later, of_platform, of_policy, problem, replaced};
use crate::rows;

/// How long the system may take for an act.
const ACT: Duration = Duration::from_secs(30);
/// How long the effect of an act is waited for.
const EFFECT: Duration = Duration::from_secs(1);
/// How often is looked meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// When to come again if too many acts are in hand.
const BUSY: Duration = Duration::from_millis(500);

/// The act that is meant, for the last moment.
struct Meant {
    target: Target,
    not_after: Timestamp,
    message: Option<Message>,
}

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
        let generation = request::check(verb, &request)?;
        let key = Key {
            operation: request.operation.clone(),
            attempt: request.attempt,
        };
        let target = Target {
            verb,
            number,
            generation,
        };
        let entered = self
            .acts
            .remembered
            .lock()
            .enter(key.clone(), target, Instant::now());
        let outcome = match entered {
            Entered::New(sender, receiver) => {
                let agent = Arc::clone(self);
                self.tasks.spawn(async move {
                    let outcome = agent.perform(target, request).await;
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
        let meant = Meant {
            target,
            not_after: request.not_after,
            message: request.message.clone(),
        };
        let mut asked = Asked::new(&self.settings.host, target.verb, target.number, request);
        // For the log alone; what is decided is decided by a reading of its own, after the log is written.
        let row = self.row(target.number).await.ok().flatten();
        asked.session = row.map(|row| rows::on_the_wire(&row, &self.settings.policy));
        self.write(Line::asked(self.clock.now(), asked.clone()))
            .await
            .map_err(|()| {
                let text = "the host's act log cannot be written; nothing was done";
                problem(ProblemCode::ActLogFailed, text)
            })?;
        let outcome = self.perform_now(meant, place).await;
        // The act stands, whatever becomes of its second line.
        let _ = self.write(Line::ended(self.clock.now(), asked, &outcome)).await;
        outcome
    }

    async fn perform_now(self: &Arc<Self>, meant: Meant, place: OwnedSemaphorePermit) -> Outcome {
        let target = meant.target;
        let agent = Arc::clone(self);
        let call = spawn_blocking(move || {
            // The place is free again when the system has returned, also when nobody waits for it any more.
            let _place = place;
            agent.judge_and_call(&meant)
        });
        let called = match timeout(ACT, call).await {
            Ok(Ok(called)) => called?,
            Ok(Err(_panic)) => return Err(problem(ProblemCode::Internal, "the agent failed during the act")),
            Err(_elapsed) => {
                let text = "Windows has not returned from the act; whether it was done cannot be told";
                return Err(problem(ProblemCode::HostFailed, text));
            }
        };
        match called {
            Called::Already(row) => Ok(Taken {
                result: ActResult::Already,
                session: Some(rows::on_the_wire(&row, &self.settings.policy)),
            }),
            Called::Yes if target.verb == Verb::Message => Ok(Taken {
                result: ActResult::Done,
                session: None,
            }),
            Called::Yes => Ok(self.effect(target).await),
        }
    }

    /// The last moment: reads, decides and calls on one thread, one after the other.
    fn judge_and_call(&self, meant: &Meant) -> Result<Called, Problem> {
        let Target {
            verb,
            number,
            generation,
        } = meant.target;
        let of_call = |error| of_platform(error, Some(number));
        let row = self.platform.get(number).map_err(of_call)?;
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
        if verb == Verb::Disconnect && row.state == WtsState::Disconnected {
            return Ok(Called::Already(Box::new(row)));
        }
        if verb == Verb::Logoff {
            let granted = self.acts.budget.lock().take(Instant::now());
            granted.map_err(|after| {
                let text = "this host has done as many log-offs as it does in a minute; nothing was done";
                later(problem(ProblemCode::TooManyActs, text), after)
            })?;
        }
        match (verb, &meant.message) {
            (Verb::Disconnect, _) => self.platform.disconnect(number),
            (Verb::Logoff, _) => self.platform.logoff(number),
            (Verb::Message, Some(message)) => self.platform.message(number, message),
            (Verb::Message, None) => return Err(problem(ProblemCode::BadRequest, "`message` is missing")),
        }
        .map_err(of_call)?;
        Ok(Called::Yes)
    }

    /// Looks until the goal shows, or for as long as it is worth while.
    async fn effect(&self, target: Target) -> Taken {
        let mut last = None;
        let shown = timeout(EFFECT, self.shows(target, &mut last)).await;
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

    /// Comes back when the goal shows, or with `false` if nothing can be seen; leaves in `last` what was seen last.
    async fn shows(&self, target: Target, last: &mut Option<WtsSession>) -> bool {
        loop {
            let Ok(row) = self.row(target.number).await else {
                return false;
            };
            *last = row.filter(|row| rows::generation(row) == target.generation);
            let goal = match last {
                None => true,
                Some(row) => target.verb == Verb::Disconnect && row.state == WtsState::Disconnected,
            };
            if goal {
                return true;
            }
            sleep(LOOK).await;
        }
    }

    async fn write(&self, line: Line) -> Result<(), ()> {
        let Some(log) = self.settings.act_log.clone() else {
            return Ok(());
        };
        let written = spawn_blocking(move || log.write(&line)).await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, source, "A line of the act log is lost");
                Err(())
            }
            Err(error) => {
                tracing::error!(%error, "A line of the act log is lost");
                Err(())
            }
        }
    }
}

/// What the last moment came to.
enum Called {
    /// The goal held; the system was not called.
    Already(Box<WtsSession>),
    /// The system was called and took it.
    Yes,
}

async fn ended(mut receiver: watch::Receiver<Option<Outcome>>) -> Outcome {
    match receiver.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(outcome)) => outcome.clone(),
        Ok(None) | Err(_) => Err(problem(
            ProblemCode::Internal,
            "the agent failed during the act; whether it was done cannot be told",
        )),
    }
}

fn busy(text: &str) -> Problem {
    later(
        problem(ProblemCode::TooManyActs, format!("{text}; nothing was done")),
        BUSY,
    )
}

fn too_late(now: Timestamp, not_after: Timestamp) -> Problem {
    let late = (now - not_after).num_milliseconds();
    problem(
        ProblemCode::TooLate,
        format!("it came {late} ms after `notAfter` by this host's clock; nothing was done"),
    )
}
