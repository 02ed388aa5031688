//! Scripted faults.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::citrix::{CitrixSimConfig, Fault, FaultAction, FaultBody, Operation, SessionState, Variant};

#[tokio::test]
async fn a_status_comes_with_its_headers_as_often_as_told() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let headers = BTreeMap::from([("Retry-After".to_owned(), "7".to_owned())]);
    let busy = FaultAction::Status {
        code: 429,
        body: FaultBody::Native,
        headers,
    };
    desk.sim
        .add_fault(Fault::on(Operation::List, busy).skip(1).times(1));
    assert_eq!(desk.status("Sessions").await, 200);
    assert_eq!(desk.status("me").await, 200);
    let answer = desk.get("Sessions").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse().expect("ASCII"))
    );
    assert_eq!(desk.status("Sessions").await, 200);
}

#[tokio::test]
async fn a_dropped_answer_tells_nothing_of_the_act() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let path = format!("Sessions/{}/$disconnect", desk.first());
    let state = || desk.sim.session(desk.first()).map(|session| session.state);
    for (then, expected) in [
        (FaultAction::DropBefore, SessionState::Active),
        (FaultAction::ActThenDrop, SessionState::Disconnected),
    ] {
        desk.sim
            .add_fault(Fault::on(Operation::Disconnect, then).times(1));
        let sent = desk.request(Method::POST, &path).send().await;
        assert!(sent.is_err(), "{sent:?}");
        assert_eq!(state(), Some(expected));
    }
    let acts = desk.sim.acts();
    assert_eq!(
        acts.iter()
            .map(|act| (act.performed, act.answer))
            .collect::<Vec<_>>(),
        [(false, None), (true, None)]
    );
}

#[tokio::test]
async fn a_gateway_answers_for_the_site() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::BadGatewayAfterAct));
    let answer = desk.post(&format!("Sessions/{}/$disconnect", desk.first())).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.headers()["content-type"], "text/html");
    assert!(!answer.headers().contains_key("citrix-transactionid"));
    assert_eq!(
        desk.sim.session(desk.first()).map(|session| session.state),
        Some(SessionState::Disconnected)
    );
}

#[tokio::test]
async fn an_answer_is_held_until_released() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::Hold));
    let path = format!("Sessions/{}/$disconnect", desk.first());
    let watch = async {
        desk.sim.wait_for_held(1).await;
        let act = desk.sim.acts().remove(0);
        assert_eq!((act.performed, act.answer), (true, None));
        assert_eq!(desk.sim.release(), 1);
    };
    let (answer, ()) = tokio::join!(desk.post(&path), watch);
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_request_can_arrive_after_its_client_has_gone() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let id = desk.first();
    desk.sim
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::HoldBefore));
    let sent = desk
        .request(Method::POST, &format!("Sessions/{id}/$disconnect"))
        .timeout(Duration::from_millis(50));
    assert!(sent.send().await.is_err_and(|error| error.is_timeout()));
    desk.sim.wait_for_held(1).await;
    assert_eq!(
        desk.sim.session(id).map(|session| session.state),
        Some(SessionState::Active)
    );
    desk.sim.release();
    assert_eq!(desk.sim.wait_for_performed(1).await.len(), 1);
    assert_eq!(
        desk.sim.session(id).map(|session| session.state),
        Some(SessionState::Disconnected)
    );
}

#[tokio::test]
async fn a_frozen_site_wakes_up_when_asked() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim
        .add_fault(Fault::on(Operation::Me, FaultAction::FrozenSite { tries: 2 }));
    assert_eq!((desk.status("me").await, desk.status("me").await), (530, 530));
    let customer = &desk.sim.config().customer;
    let url = format!(
        "{}/resourceprovider/{customer}/site/activation?customerId={customer}",
        desk.sim.url()
    );
    let wake = desk
        .http
        .post(url)
        .header("Authorization", format!("CWSAuth bearer={}", desk.token));
    assert_eq!(
        wake.header("Citrix-CustomerId", customer)
            .send()
            .await
            .expect("an answer")
            .status(),
        202
    );
    assert_eq!(
        [
            desk.status("me").await,
            desk.status("me").await,
            desk.status("me").await
        ],
        [530, 530, 200]
    );
}

#[tokio::test]
async fn bodies_can_be_broken_in_many_ways() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let once = |then| desk.sim.add_fault(Fault::on(Operation::List, then).times(1));

    once(FaultAction::TruncatedBody);
    assert!(desk.get("Sessions").await.bytes().await.is_err());

    once(FaultAction::EndlessBody);
    let mut endless = desk.get("Sessions").await;
    let mut read = 0;
    while read < 5_000_000 {
        read += endless.chunk().await.expect("it goes on").expect("and on").len();
    }
    drop(endless);

    once(FaultAction::Html);
    assert!(
        desk.get("Sessions")
            .await
            .text()
            .await
            .is_ok_and(|text| text.starts_with("<html>"))
    );

    once(FaultAction::WrongTypes);
    assert!(desk.json("Sessions").await["Items"].is_object());

    once(FaultAction::GarbageEnum);
    assert_eq!(
        desk.json("Sessions").await["Items"][0]["State"],
        "Reconnecting2031"
    );

    let first = desk.json("Sessions?limit=10").await;
    let token = first["ContinuationToken"].as_str().expect("a token");
    once(FaultAction::RepeatContinuationToken);
    let next = desk
        .request(Method::GET, "Sessions")
        .query(&[("limit", "10"), ("continuationToken", token)]);
    let next: Value = next.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(next["ContinuationToken"], token);
}

#[tokio::test]
async fn a_ghost_is_listed_and_cannot_be_found() {
    let desk = Desk::open(CitrixSimConfig::cloud().with(Variant::ErrorData)).await;
    let id = desk.first();
    desk.sim
        .add_fault(Fault::on(Operation::Any, FaultAction::Ghost).session(id));
    assert_eq!(desk.json("Sessions?limit=1").await["Items"][0]["Id"], json!(id));
    assert_eq!(desk.status(&format!("Sessions/{id}")).await, 404);
    assert_eq!(
        desk.post(&format!("Sessions/{id}/$logoff?async=true"))
            .await
            .status(),
        404
    );
    assert!(desk.sim.acts().iter().all(|act| !act.performed));
}

#[tokio::test]
async fn withdrawn_tokens_are_401_until_a_new_one_is_asked_for() {
    let mut desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::RevokeTokens).times(1));
    let path = format!("Sessions/{}/$disconnect", desk.first());
    assert_eq!(
        [desk.post(&path).await.status(), desk.post(&path).await.status()],
        [401, 401]
    );
    let (id, secret) = (
        desk.sim.config().client_id.clone(),
        desk.sim.config().client_secret.clone(),
    );
    desk.token = desk.sign_in(&id, &secret).await.1;
    assert_eq!(desk.post(&path).await.status(), 200);
    assert_eq!(desk.sim.counters().tokens_issued, 2);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_what_hangs() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim
        .add_fault(Fault::on(Operation::Logoff, FaultAction::Hang));
    let request = desk.request(Method::POST, &format!("Sessions/{}/$logoff", desk.first()));
    let hanging = tokio::spawn(request.send());
    assert_eq!(desk.sim.wait_for_act(1).await[0].answer, None);
    desk.sim.shutdown().await;
    assert!(hanging.await.expect("the task ends").is_err());
}

#[test]
fn faults_are_plain_json() {
    let check = |text: Value, expected: &Fault| {
        let fault: Fault = serde_json::from_value(text).expect("a fault");
        assert_eq!(fault, *expected);
        let again: Fault = serde_json::from_value(json!(fault)).expect("the same fault");
        assert_eq!(again, *expected);
    };
    check(
        json!({ "then": "hang" }),
        &Fault::on(Operation::Any, FaultAction::Hang),
    );
    check(
        json!({ "when": { "operation": "sendMessage", "skip": 1, "times": 2 }, "then": { "delay": { "ms": 5 } } }),
        &Fault::on(Operation::SendMessage, FaultAction::Delay { ms: 5 })
            .skip(1)
            .times(2),
    );
    let body = FaultBody::Custom {
        content_type: "text/plain".to_owned(),
        text: "no".to_owned(),
    };
    check(
        json!({ "then": { "status": {
            "code": 503, "body": { "custom": { "contentType": "text/plain", "text": "no" } },
        } } }),
        &Fault::on(
            Operation::Any,
            FaultAction::Status {
                code: 503,
                body,
                headers: BTreeMap::new(),
            },
        ),
    );
}
