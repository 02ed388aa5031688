//! The control listener: the handle's methods over HTTP, for tests that run in another process.
//!
//! Not part of the contract with agents and without any protection: it belongs on loopback. Invariant: whatever it can
//! do, the in-process handle can do too.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use curfew_agent_api::SessionState;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::Fault;
use super::host::Host;
use super::state::{Act, Counters, Fleet};
use super::view::NewSession;
use crate::chaos;

/// The routes of the control listener.
pub(crate) fn router(fleet: Arc<Fleet>) -> Router {
    Router::new()
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/acts", get(acts))
        .route("/counters", get(counters))
        .route("/release", post(release))
        .route("/chaos", get(reigning).post(set_chaos))
        .route("/hosts", get(hosts))
        .route("/hosts/{host}/connections", delete(cut))
        .route("/sessions", get(list_all))
        .route("/sessions/{host}", get(list).post(add_sessions))
        .route("/sessions/{host}/{number}", get(session).delete(end_session))
        .route("/sessions/{host}/{number}/state", post(set_state))
        .route("/sessions/{host}/{number}/replace", post(replace))
        .with_state(fleet)
}

type Shared = State<Arc<Fleet>>;

async fn add_fault(State(fleet): Shared, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({ "id": fleet.faults.lock().add(fault) }))
}

async fn clear_faults(State(fleet): Shared) -> StatusCode {
    fleet.faults.lock().clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(fleet): Shared, Path(id): Path<u64>) -> StatusCode {
    found(fleet.faults.lock().remove(id))
}

async fn acts(State(fleet): Shared) -> Json<Vec<Act>> {
    Json(fleet.acts())
}

async fn counters(State(fleet): Shared) -> Json<Counters> {
    Json(fleet.counters())
}

async fn release(State(fleet): Shared) -> Json<Value> {
    Json(json!({ "released": fleet.board.release() }))
}

async fn reigning(State(fleet): Shared) -> Json<chaos::Order> {
    let chaos = fleet.chaos.get();
    Json(chaos::Order { chaos })
}

async fn set_chaos(State(fleet): Shared, Json(order): Json<chaos::Order>) -> StatusCode {
    fleet.chaos.set(order.chaos);
    StatusCode::NO_CONTENT
}

async fn hosts(State(fleet): Shared) -> Json<Vec<String>> {
    Json(fleet.hosts.iter().map(|host| host.name.clone()).collect())
}

async fn cut(State(fleet): Shared, Path(host): Path<String>) -> StatusCode {
    found(fleet.cut(&host).await)
}

async fn list_all(State(fleet): Shared) -> Json<Value> {
    let rows: Vec<Value> = fleet
        .hosts
        .iter()
        .map(|host| json!({ "host": host.name, "sessions": host.sessions() }))
        .collect();
    Json(json!(rows))
}

async fn list(State(fleet): Shared, Path(host): Path<String>) -> Response {
    answer(fleet.host(&host).map(|host| json!(host.sessions())))
}

async fn add_sessions(
    State(fleet): Shared,
    Path(host): Path<String>,
    Json(new): Json<NewSession>,
) -> Response {
    answer(fleet.host(&host).map(|host| json!({ "numbers": host.add(&new) })))
}

async fn session(State(fleet): Shared, Path((host, number)): Path<(String, u32)>) -> Response {
    answer(with(&fleet, &host, |host| host.session(number)).map(|it| json!(it)))
}

async fn end_session(State(fleet): Shared, Path((host, number)): Path<(String, u32)>) -> StatusCode {
    found(with(&fleet, &host, |host| host.platform.end(number).then_some(())).is_some())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewState {
    state: SessionState,
}

async fn set_state(
    State(fleet): Shared,
    Path((host, number)): Path<(String, u32)>,
    Json(new): Json<NewState>,
) -> StatusCode {
    found(
        fleet
            .host(&host)
            .is_some_and(|host| host.set_state(number, new.state)),
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    user: String,
}

async fn replace(
    State(fleet): Shared,
    Path((host, number)): Path<(String, u32)>,
    Json(new): Json<NewUser>,
) -> Response {
    answer(with(&fleet, &host, |host| host.replace(number, &new.user)).map(|it| json!(it)))
}

fn with<T>(fleet: &Fleet, host: &str, look: impl FnOnce(&Host) -> Option<T>) -> Option<T> {
    fleet.host(host).and_then(|host| look(host))
}

fn answer(it: Option<Value>) -> Response {
    match it {
        Some(value) => Json(value).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn found(it: bool) -> StatusCode {
    if it {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}
