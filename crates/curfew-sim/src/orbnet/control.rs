//! The control listener: the handle's methods over HTTP, for tests that run in another process.
//!
//! Not part of the simulated API and without any protection: it belongs on loopback. Invariant: whatever it can
//! do, the in-process handle can do too, and the other way round (but for waiting).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::estate::{NewSession, SessionView, UserView};
use super::fault::Fault;
use super::service::{Act, Counters, Service};
use crate::{chaos, clock};

/// The routes of the control listener.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/chaos", get(reigning).post(set_chaos))
        .route("/reconnect", post(set_reconnect))
        .route("/acts", get(acts))
        .route("/counters", get(counters))
        .route("/release", post(release))
        .route("/users", get(users).post(add_user))
        .route("/users/{id}", delete(remove_user))
        .route("/sessions", get(list).post(add_sessions))
        .route("/sessions/{id}", get(session).delete(end_session))
        .route("/sessions/{id}/replace", post(replace_session))
        .with_state(service)
}

type Shared = State<Arc<Service>>;

async fn add_fault(State(service): Shared, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({ "id": service.faults.lock().add(fault) }))
}

async fn clear_faults(State(service): Shared) -> StatusCode {
    service.faults.lock().clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(service): Shared, Path(id): Path<u64>) -> StatusCode {
    found(service.faults.lock().remove(id))
}

async fn reigning(State(service): Shared) -> Json<chaos::Order> {
    let chaos = service.chaos.get();
    Json(chaos::Order { chaos })
}

async fn set_chaos(State(service): Shared, Json(order): Json<chaos::Order>) -> StatusCode {
    service.chaos.set(order.chaos);
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reconnect {
    /// `null`: clients stay away.
    ms: Option<u64>,
}

async fn set_reconnect(State(service): Shared, Json(new): Json<Reconnect>) -> StatusCode {
    *service.reconnect.lock() = new.ms.map(Duration::from_millis);
    StatusCode::NO_CONTENT
}

async fn acts(State(service): Shared) -> Json<Vec<Act>> {
    Json(service.acts())
}

async fn counters(State(service): Shared) -> Json<Counters> {
    Json(service.counters.lock().clone())
}

async fn release(State(service): Shared) -> Json<Value> {
    Json(json!({ "released": service.board.release() }))
}

async fn users(State(service): Shared) -> Json<Vec<UserView>> {
    Json(service.estate.read().users())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    name: String,
}

async fn add_user(State(service): Shared, Json(new): Json<NewUser>) -> Json<Value> {
    Json(json!({ "id": service.estate.write().add_user(&new.name) }))
}

async fn remove_user(State(service): Shared, Path(id): Path<i32>) -> StatusCode {
    found(service.estate.write().remove_user(id))
}

async fn list(State(service): Shared) -> Json<Vec<SessionView>> {
    Json(service.estate.read().sessions().cloned().collect())
}

async fn add_sessions(State(service): Shared, Json(new): Json<NewSession>) -> Json<Vec<SessionView>> {
    Json(service.add_sessions(&new))
}

async fn session(State(service): Shared, Path(id): Path<String>) -> Response {
    shown(service.estate.read().session(&id).cloned())
}

async fn end_session(State(service): Shared, Path(id): Path<String>) -> StatusCode {
    found(service.estate.write().end(&id).is_some())
}

async fn replace_session(State(service): Shared, Path(id): Path<String>) -> Response {
    shown(service.estate.write().replace(&id, clock::now()))
}

fn shown(session: Option<SessionView>) -> Response {
    match session {
        Some(session) => Json(session).into_response(),
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
