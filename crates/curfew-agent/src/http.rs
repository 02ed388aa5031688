//! The HTTP face of an agent: paths, bodies, problems.
//!
//! Not here: TLS and connections (`listen`), what is done (`agent`, `acts`). Invariant: every answer that is no success
//! is a [`Problem`] with the status of its code.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use curfew_agent_api::{ActAnswer, ActRequest, MAX_REQUEST_BYTES, Problem, ProblemCode, is_user_session};
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

use crate::agent::Agent;
use crate::policy::Verb;
use crate::problem::{not_a_user_session, problem};

/// How long a body may take.
const BODY: Duration = Duration::from_secs(10);

/// The number in a path, as it came.
type Number = Result<Path<String>, PathRejection>;

pub(crate) fn router(agent: Arc<Agent>) -> Router {
    let door = |verb| {
        post(
            async move |State(agent): State<Arc<Agent>>, number: Number, body: Body| {
                reply(act(&agent, verb, number, body).await)
            },
        )
    };
    Router::new()
        .route("/v1/health", get(health))
        .route("/v1/sessions", get(sessions))
        .route("/v1/sessions/{number}", get(session))
        .route("/v1/sessions/{number}/disconnect", door(Verb::Disconnect))
        .route("/v1/sessions/{number}/logoff", door(Verb::Logoff))
        .route("/v1/sessions/{number}/message", door(Verb::Message))
        .fallback(async || of_problem(problem(ProblemCode::NoSuchPath, "this agent has no such path")))
        .method_not_allowed_fallback(async || {
            let text = "the path is not for this method";
            of_problem(problem(ProblemCode::MethodNotAllowed, text))
        })
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(agent)
}

async fn health(State(agent): State<Arc<Agent>>) -> Response {
    reply(agent.health().await)
}

async fn sessions(State(agent): State<Arc<Agent>>) -> Response {
    reply(agent.sessions().await)
}

async fn session(State(agent): State<Arc<Agent>>, number: Number) -> Response {
    reply(match user_session(number) {
        Ok(number) => agent.session(number).await,
        Err(problem) => Err(problem),
    })
}

async fn act(agent: &Arc<Agent>, verb: Verb, number: Number, body: Body) -> Result<ActAnswer, Problem> {
    let number = user_session(number)?;
    let body = read(body).await?;
    let request: ActRequest = serde_json::from_slice(&body)
        .map_err(|error| problem(ProblemCode::BadRequest, format!("the body is no act: {error}")))?;
    agent.act(verb, number, request).await
}

/// The number in a path, if it is written as one and a user's session can have it.
fn user_session(number: Number) -> Result<u32, Problem> {
    let Path(text) = number.map_err(|_| not_a_user_session())?;
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let number = canonical.then(|| text.parse().ok()).flatten();
    number
        .filter(|number| is_user_session(*number))
        .ok_or_else(not_a_user_session)
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let limited = Limited::new(body, MAX_REQUEST_BYTES);
    match timeout(BODY, limited.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(problem(
            ProblemCode::BodyTooLarge,
            format!("a body has at most {MAX_REQUEST_BYTES} bytes"),
        )),
        Ok(Err(_broken)) => Err(problem(ProblemCode::BadRequest, "the body broke off")),
        Err(_elapsed) => Err(problem(ProblemCode::BadRequest, "the body did not come in time")),
    }
}

fn reply<T: Serialize>(answer: Result<T, Problem>) -> Response {
    answer.map_or_else(of_problem, |answer| Json(answer).into_response())
}

fn of_problem(problem: Problem) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(problem)).into_response()
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    of_problem(problem(ProblemCode::Internal, "the agent failed"))
}
