//! The listener for those who watch: `/livez`, `/readyz`, `/metrics`.
//!
//! Not the public door. Invariant: it says why the gateway is not ready, and holds no secret.

use curfew_tests::{Db, Gateway, on_both};
use serde_json::json;

on_both![a_gateway_in_order_says_so_and_counts];

async fn a_gateway_in_order_says_so_and_counts(db: Db) {
    let gw = Gateway::usual(&db).await;
    let alive = gw.ops("/livez").await;
    assert_eq!((alive.status, alive.text.trim()), (200, "ok"));
    let ready = gw.ops("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.header("cache-control"), "no-store");
    let check = |name: &str| json!({ "name": name, "ok": true, "detail": "in order" });
    assert_eq!(
        ready.body,
        json!({ "ready": true, "checks": [check("database"), check("outcomes"), check("running")] })
    );

    let (_, id) = gw.active(0);
    let document = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true }) { status } }";
    let done = gw.helpdesk().data(document, json!({ "id": id })).await;
    assert_eq!(done["logoffSession"]["status"], "LOGGED_OFF");
    assert_eq!(gw.viewer().query(document, json!({ "id": id })).await.status, 403);
    assert_eq!(
        gw.anonymous().query(document, json!({ "id": id })).await.status,
        401
    );

    let metrics = gw.ops("/metrics").await;
    assert_eq!(
        metrics.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    // Counters of all gateways in this process together, so that only their presence can be asked for.
    for name in [
        "curfew_http_requests_total{method=\"POST\",status=\"200\",code=\"none\"}",
        "curfew_http_requests_total{method=\"POST\",status=\"403\",code=\"FORBIDDEN\"}",
        "curfew_http_request_duration_seconds_bucket{le=\"0.1\"}",
        "curfew_http_requests_in_flight",
        "curfew_auth_failures_total{reason=\"missing\"}",
        "curfew_acts_total{action=\"LOGOFF\",outcome=\"SUCCEEDED\"}",
        "curfew_act_seconds_bucket{action=\"LOGOFF\"",
        "curfew_denied_total{reason=\"FORBIDDEN\"}",
        "curfew_listings_total{backend=\"citrix-eu\",result=\"good\"}",
        "curfew_listing_seconds_count{backend=\"citrix-eu\"}",
        "curfew_sessions{backend=\"citrix-eu\"}",
        "curfew_operations_open",
        "curfew_store_seconds_count{method=",
    ] {
        assert!(
            metrics.text.contains(&format!("\n{name}")),
            "{name} is missing:\n{}",
            metrics.text
        );
    }
    for secret in [&id, "s1m+Secret", "Bearer"] {
        assert!(!metrics.text.contains(secret), "{secret} stands in the metrics");
    }
    assert_eq!(gw.ops("/graphql").await.status, 404, "the door is elsewhere");
    let public = gw.url.replace("/graphql", "/metrics");
    let response = curfew_tests::Reply::of(curfew_tests::http_client().get(public)).await;
    assert_eq!(response.status, 404, "metrics are not public");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_gateway_is_alive_and_not_ready() {
    let gw = Gateway::usual(&Db::sqlite()).await;
    gw.begin_to_stop();
    assert_eq!(gw.ops("/livez").await.status, 200);
    let ready = gw.ops("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.body,
        json!({ "ready": false, "checks": [{ "name": "lifecycle", "ok": false, "detail": "the gateway is stopping" }] })
    );
}
