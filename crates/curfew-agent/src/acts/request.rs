//! What a request of an act must be like.
//!
//! Not here: whether it may be done. Invariant: what passes can be shown on a desktop and written in a line of a log.

use chrono::TimeDelta;
use curfew_agent_api::{ActRequest, Message, Problem, ProblemCode};
use curfew_core::{Generation, Timestamp};

use crate::policy::Verb;
use crate::problem::problem;

/// Longest title, in characters.
const TITLE: usize = 100;
/// Longest text, in characters.
const TEXT: usize = 1_000;
/// Longest name of an operation, in bytes.
const OPERATION: usize = 128;
/// How far away `notAfter` may be. Shorter than acts are remembered, so that none is forgotten while it could be sent
/// again; over a restart it is all there is.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// Checks a request and gives the generation that it means.
pub(super) fn check(verb: Verb, request: &ActRequest, now: Timestamp) -> Result<Generation, Problem> {
    let generation = Generation::parse(&request.generation)
        .map_err(|_| bad("`generation` is 16 lower-case hex digits, as listed"))?;
    if request.operation.is_empty() || request.operation.len() > OPERATION {
        return Err(bad(format!("`operation` is 1 to {OPERATION} bytes")));
    }
    if request.attempt == 0 {
        return Err(bad("`attempt` counts from 1"));
    }
    if request.not_after - now > AHEAD {
        return Err(bad(format!(
            "`notAfter` is more than {} minutes away by this host's clock; nothing was done",
            AHEAD.num_minutes()
        )));
    }
    match (verb, &request.message) {
        (Verb::Message, Some(message)) => check_message(message)?,
        (Verb::Message, None) => return Err(bad("`message` is missing")),
        (_, Some(_)) => return Err(bad("`message` is for /message alone")),
        (_, None) => {}
    }
    Ok(generation)
}

fn check_message(message: &Message) -> Result<(), Problem> {
    if message.title.chars().count() > TITLE {
        return Err(bad(format!("`message.title` has more than {TITLE} characters")));
    }
    if message.text.chars().count() > TEXT {
        return Err(bad(format!("`message.text` has more than {TEXT} characters")));
    }
    if message.title.chars().any(char::is_control) {
        return Err(bad("`message.title` has control characters"));
    }
    if message.text.chars().any(|it| it.is_control() && it != '\n') {
        return Err(bad("`message.text` has control characters other than line feeds"));
    }
    Ok(())
}

fn bad(text: impl Into<String>) -> Problem {
    problem(ProblemCode::BadRequest, text)
}
