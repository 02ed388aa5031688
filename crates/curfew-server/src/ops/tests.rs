//! The ops router. Not what is ready. Invariant: metrics can be installed many times in one process.

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

struct Fixed(Vec<Check>);

#[async_trait]
impl Readiness for Fixed {
    async fn checks(&self) -> Vec<Check> {
        self.0.clone()
    }
}

struct Stuck;

#[async_trait]
impl Readiness for Stuck {
    async fn checks(&self) -> Vec<Check> {
        std::future::pending().await
    }
}

fn check(name: &str, ok: bool) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail: "as it is".to_owned(),
    }
}

async fn get_path(router: &Router, path: &str) -> (u16, String) {
    let request = http::Request::get(path).body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn ops(readiness: impl Readiness) -> (Router, Shutdown) {
    let shutdown = Shutdown::new();
    (router(Arc::new(readiness), shutdown.clone(), metrics()), shutdown)
}

#[tokio::test]
async fn ready_means_that_every_check_is_in_order() {
    let (router, shutdown) = ops(Fixed(vec![check("database", true), check("runner", true)]));
    let (status, body) = get_path(&router, "/readyz").await;
    assert_eq!(status, 200);
    let expected = json!({ "ready": true, "checks": [
        { "name": "database", "ok": true, "detail": "as it is" },
        { "name": "runner", "ok": true, "detail": "as it is" },
    ] });
    assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON"), expected);
    assert_eq!(get_path(&router, "/livez").await, (200, "ok\n".to_owned()));

    shutdown.begin();
    let (status, body) = get_path(&router, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("stopping"));
    assert_eq!(get_path(&router, "/livez").await.0, 200);
}

#[tokio::test]
async fn one_failed_check_is_enough() {
    let (router, _) = ops(Fixed(vec![check("database", false), check("runner", true)]));
    let (status, body) = get_path(&router, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.starts_with(r#"{"ready":false"#));
    assert_eq!(get_path(&router, "/livez").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn checks_that_do_not_end_are_not_waited_for() {
    let (router, _) = ops(Stuck);
    let (status, body) = get_path(&router, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("did not end"));
    assert_eq!(get_path(&router, "/livez").await.0, 200);
}

#[tokio::test]
async fn metrics_are_rendered_with_buckets() {
    let (first, _) = ops(Fixed(Vec::new()));
    let (second, _) = ops(Fixed(Vec::new()));
    metrics::counter!("curfew_test_total", "kind" => "a").increment(3);
    metrics::histogram!("curfew_test_duration_seconds").record(0.02);
    for router in [first, second] {
        let (status, text) = get_path(&router, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("curfew_test_total{kind=\"a\"} 3"), "{text}");
        assert!(
            text.contains("curfew_test_duration_seconds_bucket{le=\"0.025\"} 1"),
            "{text}"
        );
    }
}
