//! The listener for machines that watch the gateway: `/livez`, `/readyz`, `/metrics`.
//!
//! Not public: it has no authentication, and belongs on an address that only the monitoring reaches.
//! Invariant: `/livez` depends on nothing but the runtime; a gateway that waits for its database must not be killed.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Serialize;

use crate::lifecycle::Shutdown;

/// How long the checks may take together.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often histograms are tidied, whether somebody scrapes or not.
const UPKEEP: Duration = Duration::from_secs(5);
/// Upper bounds of `*_seconds`: from a snapshot read to a log-off that was waited for.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];
/// Upper bounds of every other histogram, which count things.
const COUNTS: &[f64] = &[1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0];

/// One thing that has to be in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What: `database`, `runner`, `outcomes` …
    pub name: String,
    /// Whether it is in order.
    pub ok: bool,
    /// What is to be said about it; no secrets.
    pub detail: String,
}

/// Says whether the gateway can do its work.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// Everything that has to be in order, cheaply looked at.
    async fn checks(&self) -> Vec<Check>;
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
struct Report {
    ready: bool,
    checks: Vec<Check>,
}

struct Inner {
    readiness: Arc<dyn Readiness>,
    shutdown: Shutdown,
    metrics: PrometheusHandle,
}

/// The router of the ops listener.
pub fn router(readiness: Arc<dyn Readiness>, shutdown: Shutdown, metrics: PrometheusHandle) -> Router {
    let inner = Arc::new(Inner {
        readiness,
        shutdown,
        metrics,
    });
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .with_state(inner)
}

async fn readyz(State(inner): State<Arc<Inner>>) -> Response {
    let report = report(&inner).await;
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

async fn report(inner: &Inner) -> Report {
    let failed = |name: &str, detail: &str| Check {
        name: name.to_owned(),
        ok: false,
        detail: detail.to_owned(),
    };
    if inner.shutdown.has_begun() {
        return Report {
            ready: false,
            checks: vec![failed("lifecycle", "the gateway is stopping")],
        };
    }
    let checks = tokio::time::timeout(PATIENCE, inner.readiness.checks()).await;
    let checks = checks.unwrap_or_else(|_| vec![failed("checks", "the checks did not end within 5 s")]);
    Report {
        ready: checks.iter().all(|it| it.ok),
        checks,
    }
}

async fn render(State(inner): State<Arc<Inner>>) -> Response {
    let text = inner.metrics.render();
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response()
}

/// Installs the recorder of metrics, once per process; every further call gives the same handle.
pub fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let builder = PrometheusBuilder::new();
    // Only empty bounds are refused, and these are not.
    let builder = builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|it| it.set_buckets(COUNTS))
        .unwrap_or_default();
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        // Somebody else's recorder, in a process that is not ours: /metrics stays empty.
        tracing::warn!("Another recorder of metrics was there first; /metrics will be empty");
    }
    describe();
    handle
}

fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!(
        "curfew_http_requests_total",
        "Requests answered at the public door"
    );
    describe_histogram!(
        "curfew_http_request_duration_seconds",
        Unit::Seconds,
        "Time to answer a request"
    );
    describe_gauge!("curfew_http_requests_in_flight", "Requests being answered");
    describe_counter!(
        "curfew_auth_failures_total",
        "Requests refused for their token, by reason"
    );
}

/// Keeps histograms small; to be spawned beside the listener.
pub async fn upkeep(metrics: PrometheusHandle, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        tokio::select! {
            _ = ticks.tick() => metrics.run_upkeep(),
            () = shutdown.begun() => return,
        }
    }
}

#[cfg(test)]
mod tests;
