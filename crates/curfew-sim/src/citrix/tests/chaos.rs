//! Chaos of the whole site.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::Desk;
use crate::Chaos;
use crate::chaos::SLOW;
use crate::citrix::{CitrixSimConfig, Fault, FaultAction, Operation, SessionState};

#[tokio::test]
async fn slow_answers_late_and_acts_at_once() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim.chaos(Some(Chaos::Slow));
    let path = format!("Sessions/{}/$disconnect", desk.first());
    let sent = tokio::spawn(desk.request(Method::POST, &path).send());
    desk.sim.wait_for_performed(1).await;
    assert!(!sent.is_finished());
    tokio::time::pause();
    tokio::time::advance(SLOW).await;
    tokio::time::resume();
    let answer = sent.await.expect("the task ends").expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_hangs_is_closed_at_the_end_and_was_never_performed() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim.chaos(Some(Chaos::Hang));
    let path = format!("Sessions/{}/$disconnect", desk.first());
    let sent = tokio::spawn(desk.request(Method::POST, &path).send());
    desk.sim.wait_for_act(1).await;
    desk.sim.chaos(None);
    assert!(sent.await.expect("the task ends").is_err());
    assert_eq!(
        desk.sim.session(desk.first()).map(|session| session.state),
        Some(SessionState::Active)
    );
    assert_eq!(desk.status("me").await, 200);
}

#[tokio::test]
async fn every_other_request_fails_while_it_flaps() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim.chaos(Some(Chaos::Flap));
    let mut met = Vec::new();
    for _ in 0..4 {
        let sent = desk.request(Method::GET, "me").send().await;
        met.push(sent.ok().map(|answer| answer.status().as_u16()));
    }
    assert_eq!(met, [Some(502), Some(200), None, Some(200)]);
}

#[tokio::test]
async fn ghosts_are_listed_and_cannot_be_found_until_the_chaos_ends() {
    let desk = Desk::open(CitrixSimConfig::cloud().control(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).await;
    let control = format!("{}/chaos", desk.sim.control_url().expect("a control listener"));
    let turn = async |chaos: Value| {
        let order = desk.http.post(&control).json(&json!({ "chaos": chaos }));
        order.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(turn(json!("ghost")).await, 204);
    let reigning: Value = desk
        .http
        .get(&control)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(reigning, json!({ "chaos": "ghost" }));

    let ids = desk.sim.session_ids();
    let listed = desk.json("Sessions").await["Items"].as_array().map(Vec::len);
    assert_eq!(listed, Some(ids.len()));
    let mut found = Vec::new();
    for id in &ids[..11] {
        found.push(desk.status(&format!("Sessions/{id}")).await == 200);
    }
    let wanted: Vec<bool> = (0..11).map(|row| row % 10 != 0).collect();
    assert_eq!(found, wanted);
    let logoff = desk.post(&format!("Sessions/{}/$logoff", ids[0])).await;
    assert_eq!(logoff.status(), 404);

    assert_eq!(turn(Value::Null).await, 204);
    assert_eq!(desk.status(&format!("Sessions/{}", ids[0])).await, 200);
    assert_eq!(turn(json!("noise")).await, 422);
}

#[tokio::test]
async fn a_fault_comes_before_the_chaos_and_outlives_it() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    desk.sim.add_fault(Fault::on(Operation::Me, FaultAction::Refuse));
    desk.sim.chaos(Some(Chaos::Hang));
    assert_eq!(desk.status("me").await, 403);
    desk.sim.chaos(None);
    assert_eq!(desk.status("me").await, 403);
    let listed = tokio::time::timeout(Duration::from_secs(20), desk.status("Sessions")).await;
    assert_eq!(listed.ok(), Some(200));
}
