//! The control listener: the handle's methods over HTTP, for tests that run in another process.
//!
//! Not part of the simulated API and without any protection: it belongs on loopback. Invariant: whatever
//! it can do, the in-process handle can do too, and the other way round (but for waiting).

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::estate::{SessionState, SessionView};
use super::fault::Fault;
use super::site::{Act, Counters, NewSession, Site};
use crate::{chaos, clock};

/// The routes of the control listener.
pub(crate) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/acts", get(acts))
        .route("/counters", get(counters))
        .route("/release", post(release))
        .route("/chaos", get(reigning).post(set_chaos))
        .route("/tokens", delete(revoke_tokens))
        .route("/sessions", get(list).post(add_sessions))
        .route("/sessions/{id}", get(session).delete(remove_session))
        .route("/sessions/{id}/state", post(set_state))
        .with_state(site)
}

type Shared = State<Arc<Site>>;

async fn add_fault(State(site): Shared, Json(fault): Json<Fault>) -> Json<Value> {
    Json(json!({ "id": site.faults.lock().add(fault) }))
}

async fn clear_faults(State(site): Shared) -> StatusCode {
    site.faults.lock().clear();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(site): Shared, Path(id): Path<u64>) -> StatusCode {
    found(site.faults.lock().remove(id))
}

async fn acts(State(site): Shared) -> Json<Vec<Act>> {
    Json(site.acts())
}

async fn counters(State(site): Shared) -> Json<Counters> {
    Json(site.counters.lock().clone())
}

async fn release(State(site): Shared) -> Json<Value> {
    Json(json!({ "released": site.board.release() }))
}

async fn reigning(State(site): Shared) -> Json<chaos::Order> {
    let chaos = site.chaos.get();
    Json(chaos::Order { chaos })
}

async fn set_chaos(State(site): Shared, Json(order): Json<chaos::Order>) -> StatusCode {
    site.chaos.set(order.chaos);
    StatusCode::NO_CONTENT
}

async fn revoke_tokens(State(site): Shared) -> StatusCode {
    site.revoke_tokens();
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default = "all")]
    limit: usize,
}

fn all() -> usize {
    usize::MAX
}

async fn list(State(site): Shared, Query(page): Query<Page>) -> Json<Value> {
    let estate = site.estate.read();
    let rows: Vec<SessionView> = estate
        .after(0)
        .take(page.limit)
        .map(|(_, row)| row.into())
        .collect();
    Json(json!({ "count": estate.len(), "sessions": rows }))
}

async fn add_sessions(State(site): Shared, Json(new): Json<NewSession>) -> Json<Value> {
    Json(json!({ "ids": site.add_sessions(&new) }))
}

async fn session(State(site): Shared, Path(id): Path<Uuid>) -> Response {
    match site.estate.read().get(id) {
        Some(session) => Json(SessionView::from(session)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn remove_session(State(site): Shared, Path(id): Path<Uuid>) -> StatusCode {
    found(site.estate.write().remove(id))
}

#[derive(Debug, Deserialize)]
struct NewState {
    state: SessionState,
}

async fn set_state(State(site): Shared, Path(id): Path<Uuid>, Json(new): Json<NewState>) -> StatusCode {
    found(site.estate.write().set_state(id, new.state, clock::now()))
}

fn found(it: bool) -> StatusCode {
    if it {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}
