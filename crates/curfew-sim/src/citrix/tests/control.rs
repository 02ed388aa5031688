//! The control listener.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::citrix::CitrixSimConfig;

#[tokio::test]
async fn the_control_listener_does_what_the_handle_does() {
    let desk = Desk::open(CitrixSimConfig::cloud().control(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).await;
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

    let new = json!({ "user": "CORP\\newcomer", "count": 2, "state": "Disconnected" });
    let (_, added) = call(Method::POST, "/sessions", new).await;
    let id = added["ids"][1].as_str().expect("an id").to_owned();
    let (_, session) = call(Method::GET, &format!("/sessions/{id}"), Value::Null).await;
    assert_eq!(
        (&session["user"], &session["state"]),
        (&json!("CORP\\newcomer"), &json!("Disconnected"))
    );
    let state = json!({ "state": "Active" });
    assert_eq!(
        call(Method::POST, &format!("/sessions/{id}/state"), state)
            .await
            .0,
        204
    );
    assert_eq!(desk.json(&format!("Sessions/{id}")).await["State"], "Active");
    assert_eq!(
        call(Method::DELETE, &format!("/sessions/{id}"), Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(
        call(Method::GET, &format!("/sessions/{id}"), Value::Null).await.0,
        404
    );

    let fault = json!({ "when": { "operation": "me" }, "then": "refuse" });
    assert_eq!(
        call(Method::POST, "/faults", fault).await,
        (200, json!({ "id": 1 }))
    );
    assert_eq!(desk.status("me").await, 403);
    call(Method::DELETE, "/faults", Value::Null).await;
    assert_eq!(desk.status("me").await, 200);

    desk.post(&format!("Sessions/{}/$disconnect", desk.first())).await;
    let (_, acts) = call(Method::GET, "/acts", Value::Null).await;
    assert_eq!(
        (&acts[0]["verb"], &acts[0]["performed"]),
        (&json!("disconnect"), &json!(true))
    );
    let (_, counters) = call(Method::GET, "/counters", Value::Null).await;
    assert_eq!(
        (&counters["requests"]["me"], &counters["faultsFired"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(
        call(Method::POST, "/release", Value::Null).await.1,
        json!({ "released": 0 })
    );
}
