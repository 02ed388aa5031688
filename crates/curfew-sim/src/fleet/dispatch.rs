//! The way of a request through a host: read, suffer a fault, let the agent answer.
//!
//! Every request runs in a task of its own, so a client that hangs up does not undo or prevent what it asked for: that
//! is what makes "the request arrived, the answer did not" testable. Invariant: a fault either stands before the agent
//! (which then sees nothing) or behind it (and all of it is done), never between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use curfew_agent::platform::{FakeAct, FakeVerb};
use curfew_agent_api::{ActAnswer, ActResult, Problem, ProblemCode};
use http::request::Parts;
use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;

use super::call::Call;
use super::fault::{self, FaultAction, FaultBody, Operation};
use super::host::Host;
use super::reply::{self, Answer, BODY_LIMIT};
use super::state::{Fleet, Outcome};
use crate::chaos::{Chaos, Flap, SLOW};
use crate::serve::Dropped;

/// What becomes of a request before the agent sees it.
enum Before {
    /// The agent is to answer.
    Passes,
    /// This is the answer.
    Answers(Answer),
    /// This is the answer, and not one that can be held in the hand.
    Streams(Response),
}

/// Answers one request to a host.
pub(crate) async fn answer(
    fleet: Arc<Fleet>,
    host: Arc<Host>,
    request: Request<Body>,
) -> Result<Response, Dropped> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| Dropped)?;
    let call = Call::read(&parts, &body);
    let worker = Arc::clone(&fleet);
    let task = fleet.tasks.spawn(async move {
        tokio::select! {
            answer = serve(&worker, &host, call, parts, body) => answer,
            () = worker.board.stop.cancelled() => Err(Dropped),
        }
    });
    task.await.map_err(|_| Dropped)?
}

async fn serve(
    fleet: &Fleet,
    host: &Host,
    mut call: Call,
    parts: Parts,
    body: Bytes,
) -> Result<Response, Dropped> {
    host.count(call.operation);
    let scripted = fault::fire(&mut fleet.faults.lock(), &host.name, call.operation, call.session);
    let fault = match scripted {
        Some(fault) => {
            fleet.faults_fired.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(host = host.name, operation = ?call.operation, ?fault, "A fault fires");
            Some(fault)
        }
        None => suffer_chaos(fleet, host, &mut call).await?,
    };
    let done = match before(fleet, host, &mut call, fault.as_ref()).await? {
        Before::Passes => {
            let answer = perform(fleet, host, &mut call, parts, body).await?;
            after(fleet, &call, fault, answer).await?
        }
        Before::Answers(answer) => {
            fleet.note(host, &mut call);
            note_answer(fleet, &call, &answer);
            answer.into_response()
        }
        Before::Streams(response) => response,
    };
    tracing::debug!(host = host.name, operation = ?call.operation, status = done.status().as_u16(), "Answered");
    Ok(done)
}

/// What the chaos does to a request that no fault befalls, in terms of a fault.
async fn suffer_chaos(fleet: &Fleet, host: &Host, call: &mut Call) -> Result<Option<FaultAction>, Dropped> {
    let Some(present) = fleet.chaos.present() else {
        return Ok(None);
    };
    Ok(match present.chaos {
        Chaos::Slow => Some(FaultAction::DelayAnswer {
            ms: SLOW.as_millis().try_into().unwrap_or(u64::MAX),
        }),
        Chaos::Hang if host.place.is_multiple_of(10) => {
            fleet.note(host, call);
            present.end().await;
            return Err(Dropped);
        }
        Chaos::Hang => None,
        Chaos::Flap => match host.flapper.next() {
            Flap::Passes => None,
            Flap::BadGateway => Some(FaultAction::Status {
                code: 502,
                body: FaultBody::Html,
                headers: BTreeMap::new(),
            }),
            Flap::Closes => Some(FaultAction::DropBefore),
        },
        // The first session of a user who is not at the console has the number 2.
        Chaos::Ghost => call
            .session
            .filter(|number| number % 10 == 2)
            .map(|_| FaultAction::Ghost),
    })
}

/// Suffers what comes before the agent: an answer of its own, no answer at all, or a delay.
async fn before(
    fleet: &Fleet,
    host: &Host,
    call: &mut Call,
    fault: Option<&FaultAction>,
) -> Result<Before, Dropped> {
    let answer = match fault {
        Some(FaultAction::Status { code, body, headers }) => {
            let answer = status_answer(*code, body);
            headers
                .iter()
                .fold(answer, |answer, (name, value)| answer.header(name, value))
        }
        Some(FaultAction::Refuse { code }) => Answer::problem(*code, None),
        Some(FaultAction::TooMany { retry_after_ms }) => {
            Answer::problem(ProblemCode::TooManyActs, Some(*retry_after_ms))
        }
        Some(FaultAction::Ghost) => Answer::problem(ProblemCode::SessionGone, None),
        Some(FaultAction::AcceptButIgnore) => accepted(host, call).await?,
        Some(FaultAction::Html) => Answer::html(StatusCode::OK),
        Some(FaultAction::EndlessBody) => {
            fleet.note(host, call);
            return Ok(Before::Streams(reply::endless()));
        }
        Some(FaultAction::DropBefore) => {
            fleet.note(host, call);
            return Err(Dropped);
        }
        Some(FaultAction::Hang) => {
            fleet.note(host, call);
            return std::future::pending().await;
        }
        Some(FaultAction::HoldBefore) => {
            fleet.note(host, call);
            fleet.board.hold().await;
            return Ok(Before::Passes);
        }
        Some(FaultAction::Delay { ms }) => {
            fleet.note(host, call);
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            return Ok(Before::Passes);
        }
        _ => return Ok(Before::Passes),
    };
    Ok(Before::Answers(answer))
}

/// Lets the agent answer, and writes down what it did.
async fn perform(
    fleet: &Fleet,
    host: &Host,
    call: &mut Call,
    parts: Parts,
    body: Bytes,
) -> Result<Answer, Dropped> {
    let before = times_done(host, call);
    let answer = ask(host, Request::from_parts(parts, Body::from(body))).await?;
    if call.operation.acts() {
        let taken: Option<ActAnswer> = answer.body();
        let problem: Option<Problem> = answer.body();
        let result = taken.map(|taken| taken.result);
        let code = problem.map(|problem| problem.code);
        let performed = match (result, code) {
            (Some(result), _) => result != ActResult::Already,
            (None, Some(code)) if code.nothing_was_done() => false,
            // The agent cannot tell; its platform can.
            _ => times_done(host, call) > before,
        };
        let outcome = Outcome {
            performed,
            result,
            code,
        };
        fleet.note_outcome(host, call, &outcome);
    }
    Ok(answer)
}

async fn ask(host: &Host, request: Request<Body>) -> Result<Answer, Dropped> {
    let response = match host.agent.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    Answer::read(response).await.map_err(|_| Dropped)
}

/// How often the host has done to the session what is asked.
fn times_done(host: &Host, call: &Call) -> usize {
    if !call.operation.acts() {
        return 0;
    }
    let same = |act: &&FakeAct| {
        let verb = matches!(
            (call.operation, &act.verb),
            (Operation::Disconnect, FakeVerb::Disconnect)
                | (Operation::Logoff, FakeVerb::Logoff)
                | (Operation::Message, FakeVerb::Message(_))
        );
        verb && call.session == Some(act.number)
    };
    host.platform.acts().iter().filter(same).count()
}

/// What the agent would say if it had accepted the act: the session as it reads it, and a result.
async fn accepted(host: &Host, call: &Call) -> Result<Answer, Dropped> {
    let number = call.session.unwrap_or_default();
    let request = Request::get(format!("/v1/sessions/{number}"))
        .body(Body::empty())
        .map_err(|_| Dropped)?;
    let answer = ask(host, request).await?;
    if answer.status() != StatusCode::OK {
        return Ok(answer);
    }
    Ok(answer.change(|value| value["result"] = json!(ActResult::Accepted)))
}

/// Suffers what comes behind the agent: the answer is late, broken, replaced or lost.
async fn after(
    fleet: &Fleet,
    call: &Call,
    fault: Option<FaultAction>,
    answer: Answer,
) -> Result<Response, Dropped> {
    let answer = match fault {
        Some(FaultAction::ActThenDrop) => return Err(Dropped),
        Some(FaultAction::TruncatedBody) => {
            note_answer(fleet, call, &answer);
            return Ok(answer.into_half());
        }
        Some(FaultAction::BadGatewayAfterAct) => Answer::html(StatusCode::BAD_GATEWAY),
        Some(FaultAction::WrongTypes) => reply::wrong_types(),
        Some(FaultAction::Garbage) => {
            let text = "{\"host\": {\"name\": \"TERM\u{fffd}\", ]]".to_owned();
            Answer::text(StatusCode::OK, "application/json", text)
        }
        Some(FaultAction::GarbageEnum) => answer.change(reply::garble),
        Some(FaultAction::AnswerAs { host }) => answer.change(|value| {
            if let Some(name) = value.pointer_mut("/host/name") {
                *name = json!(host);
            }
        }),
        Some(FaultAction::Hold) => {
            fleet.board.hold().await;
            answer
        }
        Some(FaultAction::DelayAnswer { ms }) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            answer
        }
        _ => answer,
    };
    note_answer(fleet, call, &answer);
    Ok(answer.into_response())
}

fn note_answer(fleet: &Fleet, call: &Call, answer: &Answer) {
    let problem: Option<Problem> = answer.body();
    let code = problem.map(|problem| problem.code);
    fleet.note_answer(call, answer.status().as_u16(), code);
}

fn status_answer(code: u16, body: &FaultBody) -> Answer {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        FaultBody::Native => {
            let fitting = ProblemCode::ALL.iter().find(|known| known.status() == code);
            let word = fitting.map_or("OUT_OF_PAPER", |known| known.as_str());
            let problem = json!({ "code": word, "message": "The simulator was told to answer so." });
            Answer::json(status, &problem)
        }
        FaultBody::Html => Answer::html(status),
        FaultBody::Empty => Answer::empty(status),
        FaultBody::Custom { content_type, text } => Answer::text(status, content_type, text.clone()),
    }
}
