//! The control listener.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::fleet::FleetSimConfig;

#[tokio::test]
async fn the_control_listener_does_what_the_handle_does() {
    let control = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let desk = Desk::open(FleetSimConfig::new(2, 3).control(control)).await;
    let base = desk.sim.control_url().expect("a control listener").to_owned();
    let call = async |method: Method, path: &str, body: Value| {
        let request = desk.http.request(method, format!("{base}{path}"));
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap_or_default())
    };
    let read = async |path: &str| call(Method::GET, path, Value::Null).await;

    assert_eq!(read("/hosts").await.1, json!(["TERM0001", "TERM0002"]));
    let new = json!({ "user": "CORP\\zoe", "count": 2, "state": "DISCONNECTED" });
    let (_, added) = call(Method::POST, "/sessions/term0001", new).await;
    let path = format!("/sessions/TERM0001/{}", added["numbers"][1]);
    let (_, session) = read(&path).await;
    assert_eq!(
        (&session["user"], &session["state"]),
        (&json!("CORP\\zoe"), &json!("DISCONNECTED"))
    );
    let state = json!({ "state": "ACTIVE" });
    assert_eq!(call(Method::POST, &format!("{path}/state"), state).await.0, 204);
    assert_eq!(read(&path).await.1["state"], "ACTIVE");
    let user = json!({ "user": "CORP\\yves" });
    let (_, next) = call(Method::POST, &format!("{path}/replace"), user).await;
    assert_eq!(next["user"], "CORP\\yves");
    assert_ne!(next["generation"], session["generation"]);
    assert_eq!(call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(read(&path).await.0, 404);
    assert_eq!(read("/sessions/TERM0009").await.0, 404);
    assert_eq!(read("/sessions").await.1.as_array().map(Vec::len), Some(2));

    let fault = json!({ "when": { "operation": "health" }, "then": { "refuse": { "code": "INTERNAL" } } });
    assert_eq!(
        call(Method::POST, "/faults", fault).await,
        (200, json!({ "id": 1 }))
    );
    assert_eq!(desk.status("TERM0001", "health").await, 500);
    assert_eq!(call(Method::DELETE, "/faults/1", Value::Null).await.0, 204);
    assert_eq!(call(Method::DELETE, "/faults/1", Value::Null).await.0, 404);
    assert_eq!(desk.status("TERM0001", "health").await, 200);
    assert_eq!(
        call(Method::POST, "/faults", json!({ "then": "explode" }))
            .await
            .0,
        422
    );

    assert_eq!(
        call(Method::POST, "/chaos", json!({ "chaos": "ghost" })).await.0,
        204
    );
    assert_eq!(desk.status("TERM0001", "sessions/2").await, 404);
    assert_eq!(
        call(Method::POST, "/chaos", json!({ "chaos": null })).await.0,
        204
    );
    assert_eq!(read("/chaos").await.1, json!({ "chaos": null }));

    let session = desk.active("TERM0002").await;
    let sent = desk.act("TERM0002", &session, "disconnect").send().await;
    assert_eq!(sent.expect("an answer").status(), 200);
    let (_, acts) = read("/acts").await;
    assert_eq!(
        (&acts[0]["operation"], &acts[0]["performed"], &acts[0]["host"]),
        (&json!("disconnect"), &json!(true), &json!("TERM0002"))
    );
    assert_eq!(acts[0]["request"]["onBehalf"]["name"], "Olga Operator");
    let (_, counters) = read("/counters").await;
    assert_eq!(counters["hosts"]["TERM0002"]["disconnect"], 1);
    assert_eq!(
        call(Method::POST, "/release", Value::Null).await.1,
        json!({ "released": 0 })
    );
    let cut = "/hosts/TERM0001/connections";
    assert_eq!(call(Method::DELETE, cut, Value::Null).await.0, 204);
}
