//! The control listener.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::orbnet::OrbnetSimConfig;

#[tokio::test]
async fn the_control_listener_does_what_the_handle_does() {
    let desk =
        Desk::open(OrbnetSimConfig::default().control(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).await;
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

    let (_, user) = call(Method::POST, "/users", json!({ "name": "newcomer" })).await;
    let user = user["id"].clone();
    let (_, added) = call(Method::POST, "/sessions", json!({ "userId": user, "count": 2 })).await;
    let session = added[1]["sessionId"].as_str().expect("an id").to_owned();
    let path = format!("/sessions/{session}");
    assert_eq!(call(Method::GET, &path, Value::Null).await.1, added[1]);
    let (_, replaced) = call(Method::POST, &format!("{path}/replace"), Value::Null).await;
    assert_ne!(replaced["startTime"], added[1]["startTime"]);
    assert_eq!(call(Method::DELETE, &path, Value::Null).await.0, 204);
    assert_eq!(call(Method::DELETE, &path, Value::Null).await.0, 404);
    let (_, users) = call(Method::GET, "/users", Value::Null).await;
    assert_eq!(users[5], json!({ "id": user, "name": "newcomer" }));
    assert_eq!(
        call(Method::DELETE, &format!("/users/{user}"), Value::Null)
            .await
            .0,
        204
    );
    let (_, sessions) = call(Method::GET, "/sessions", Value::Null).await;
    assert_eq!(sessions.as_array().map(Vec::len), Some(10));

    let fault = json!({ "when": { "operation": "disconnect" }, "then": "false" });
    assert_eq!(
        call(Method::POST, "/faults", fault).await,
        (200, json!({ "id": 1 }))
    );
    let (first, _) = desk.first();
    assert_eq!(
        desk.disconnect(&first).await.1["data"]["disconnectBySessionId"],
        false
    );
    assert_eq!(call(Method::DELETE, "/faults/1", Value::Null).await.0, 204);
    assert_eq!(
        call(Method::POST, "/reconnect", json!({ "ms": 60_000 })).await.0,
        204
    );
    assert_eq!(
        desk.disconnect(&first).await.1["data"]["disconnectBySessionId"],
        true
    );
    let (_, acts) = call(Method::GET, "/acts", Value::Null).await;
    assert_eq!(
        (&acts[0]["performed"], &acts[1]["performed"], &acts[1]["scope"]),
        (&json!(false), &json!(true), &json!("admin"))
    );
    let (_, counters) = call(Method::GET, "/counters", Value::Null).await;
    assert_eq!(
        (&counters["requests"]["disconnect"], &counters["faultsFired"]),
        (&json!(2), &json!(1))
    );

    assert_eq!(
        call(Method::POST, "/chaos", json!({ "chaos": "slow" })).await.0,
        204
    );
    assert_eq!(
        call(Method::GET, "/chaos", Value::Null).await.1,
        json!({ "chaos": "slow" })
    );
    assert_eq!(
        call(Method::POST, "/chaos", json!({ "chaos": null })).await.0,
        204
    );
    assert_eq!(
        call(Method::POST, "/release", Value::Null).await.1,
        json!({ "released": 0 })
    );
}
