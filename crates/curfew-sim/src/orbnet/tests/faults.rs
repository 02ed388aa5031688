//! Scripted faults, chaos, and what happens to sessions by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{DISCONNECT, Desk, code};
use crate::Chaos;
use crate::orbnet::{Fault, FaultAction, FaultBody, Operation, OrbnetSimConfig};

async fn desk_with(operation: Operation, then: FaultAction) -> Desk {
    Desk::open(OrbnetSimConfig::default().fault(Fault::on(operation, then))).await
}

#[tokio::test]
async fn a_lost_answer_tells_nothing_of_the_act() {
    for (then, performed) in [
        (FaultAction::DropBefore, false),
        (FaultAction::ActThenDrop, true),
        (FaultAction::TruncatedBody, true),
    ] {
        let desk = desk_with(Operation::Disconnect, then.clone()).await;
        let (session, _) = desk.first();
        let body = json!({ "query": DISCONNECT, "variables": { "onlineSessionId": session } });
        let answer = match desk.send(desk.sim.token(), &body).await {
            Ok(answer) => answer.bytes().await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(answer.is_err(), "{then:?}");
        assert_eq!(desk.sim.session(&session).is_none(), performed, "{then:?}");
        assert_eq!(desk.sim.acts()[0].performed, performed, "{then:?}");
    }
}

#[tokio::test]
async fn an_answer_can_be_wrong_in_many_ways() {
    let status = |code, body| FaultAction::Status {
        code,
        body,
        headers: BTreeMap::from([("Retry-After".to_owned(), "7".to_owned())]),
    };
    let custom = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        text: "{}".to_owned(),
    };
    let error = |status| FaultAction::GraphqlError {
        code: "FORBIDDEN".to_owned(),
        message: "no".to_owned(),
        status,
    };
    for (then, wanted, text, performed) in [
        (status(503, custom), 503, "{}", false),
        (FaultAction::Html, 200, "<html>", false),
        (FaultAction::BadGatewayAfterAct, 502, "<html>", true),
        (FaultAction::RateLimited, 429, "RATE_LIMITED", false),
        (error(None), 403, "FORBIDDEN", false),
        (error(Some(200)), 200, "FORBIDDEN", false),
        (FaultAction::WrongTypes, 200, r#""true""#, true),
        (FaultAction::NullData, 200, r#"{"data":null}"#, true),
        (
            FaultAction::ErrorBesideData {
                code: "ODD".to_owned(),
            },
            200,
            "ODD",
            true,
        ),
        (FaultAction::AcceptButIgnore, 200, "true", false),
        (FaultAction::Ghost, 400, "SESSION_NOT_FOUND", false),
        (FaultAction::False, 200, "false", false),
        (FaultAction::Delay { ms: 1 }, 200, "true", true),
        (FaultAction::DelayAnswer { ms: 1 }, 200, "true", true),
    ] {
        let desk = desk_with(Operation::Disconnect, then.clone()).await;
        let (session, _) = desk.first();
        let body = json!({ "query": DISCONNECT, "variables": { "onlineSessionId": session } });
        let answer = desk.send(desk.sim.token(), &body).await.expect("an answer");
        assert_eq!(answer.status(), wanted, "{then:?}");
        let said = answer.text().await.expect("a body");
        assert!(said.contains(text), "{then:?}: {said}");
        assert_eq!(desk.sim.session(&session).is_none(), performed, "{then:?}");
        assert_eq!(desk.list(101).await.0, 200);
    }
}

#[tokio::test]
async fn a_body_need_not_end() {
    let desk = desk_with(Operation::List, FaultAction::EndlessBody).await;
    let body = json!({ "query": super::LIST, "variables": { "userId": 101 } });
    let mut endless = desk.send(desk.sim.token(), &body).await.expect("an answer");
    let mut read = 0;
    while read < 5_000_000 {
        read += endless.chunk().await.expect("it goes on").expect("and on").len();
    }
}

#[tokio::test]
async fn a_fault_is_for_whom_it_is_meant_and_as_often_as_told() {
    let desk = Desk::open(OrbnetSimConfig::default()).await;
    desk.sim.add_fault(
        Fault::on(Operation::List, FaultAction::Html)
            .user(102)
            .skip(1)
            .times(1),
    );
    let mut seen = Vec::new();
    for user in [101, 102, 101, 102, 102] {
        let body = json!({ "query": super::LIST, "variables": { "userId": user } });
        let answer = desk.send(desk.sim.token(), &body).await.expect("an answer");
        seen.push(answer.text().await.expect("a body").starts_with("<html>"));
    }
    assert_eq!(seen, [false, false, false, true, false]);
    let (session, _) = desk.first();
    let id = desk
        .sim
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::False).session(&session));
    assert_eq!(
        desk.disconnect(&session).await.1["data"]["disconnectBySessionId"],
        false
    );
    assert!(desk.sim.remove_fault(id));
    assert_eq!(
        desk.disconnect(&session).await.1["data"]["disconnectBySessionId"],
        true
    );
    assert_eq!(desk.sim.counters().faults_fired, 2);
}

#[tokio::test]
async fn answers_and_requests_are_held_until_released() {
    for (then, performed_before) in [(FaultAction::Hold, true), (FaultAction::HoldBefore, false)] {
        let desk = desk_with(Operation::Disconnect, then).await;
        let (session, _) = desk.first();
        let watch = async {
            desk.sim.wait_for_held(1).await;
            let act = desk.sim.acts().swap_remove(0);
            assert_eq!((act.performed, act.answer), (performed_before, None));
            assert_eq!(desk.sim.release(), 1);
        };
        let (answer, ()) = tokio::join!(desk.disconnect(&session), watch);
        assert_eq!(answer.0, 200);
        assert!(desk.sim.session(&session).is_none());
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_what_hangs() {
    let desk = desk_with(Operation::Disconnect, FaultAction::Hang).await;
    let body = json!({ "query": DISCONNECT, "variables": { "onlineSessionId": desk.first().0 } });
    let request = desk
        .http
        .post(desk.sim.url())
        .bearer_auth(desk.sim.token())
        .json(&body);
    let hanging = tokio::spawn(request.send());
    assert_eq!(desk.sim.wait_for_act(1).await[0].answer, None);
    desk.sim.shutdown().await;
    assert!(hanging.await.expect("the task ends").is_err());
}

#[tokio::test]
async fn a_replaced_session_keeps_its_session_id_and_nothing_else_that_names_it() {
    let desk = Desk::open(OrbnetSimConfig::default()).await;
    let (session, id) = desk.first();
    let old = desk.sim.session(&session).expect("it is there");
    let new = desk.sim.replace_session(&session).expect("it is there");
    assert_eq!((&new.session_id, new.user_id), (&session, old.user_id));
    assert!(new.id != id && new.start_time > old.start_time);
    assert_eq!(desk.sim.session(&session), Some(new));
    assert!(desk.sim.end_session(&session) && !desk.sim.end_session(&session));
}

#[tokio::test]
async fn clients_come_back_as_another_session() {
    let config = OrbnetSimConfig::default()
        .users(1)
        .sessions_per_user(1)
        .reconnect(Duration::from_secs(3));
    let desk = Desk::open(config).await;
    let (session, _) = desk.first();
    assert_eq!(desk.disconnect(&session).await.0, 200);
    assert_eq!(desk.sim.sessions(), []);
    tokio::time::pause();
    while desk.sim.sessions().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_ne!(desk.first().0, session);
}

#[tokio::test]
async fn chaos_is_of_the_whole_service_and_ends_without_a_trace() {
    let desk = Desk::open(OrbnetSimConfig::default()).await;
    desk.sim.chaos(Some(Chaos::Ghost));
    let (first, second) = {
        let mut sessions = desk.sim.sessions();
        (sessions.remove(0).session_id, sessions.remove(0).session_id)
    };
    let (_, body) = desk.disconnect(&first).await;
    assert_eq!(code(&body), "SESSION_NOT_FOUND");
    assert_eq!(desk.disconnect(&second).await.0, 200);

    desk.sim.chaos(Some(Chaos::Flap));
    let mut met = Vec::new();
    let body = json!({ "query": super::LIST, "variables": { "userId": 101 } });
    for _ in 0..4 {
        let sent = desk.send(desk.sim.token(), &body).await;
        met.push(sent.ok().map(|answer| answer.status().as_u16()));
    }
    assert_eq!(met, [Some(502), Some(200), None, Some(200)]);

    desk.sim.chaos(Some(Chaos::Hang));
    let body = json!({ "query": DISCONNECT, "variables": { "onlineSessionId": first } });
    let request = desk
        .http
        .post(desk.sim.url())
        .bearer_auth(desk.sim.token())
        .json(&body);
    let hanging = tokio::spawn(request.send());
    desk.sim.wait_for_act(3).await;
    desk.sim.chaos(None);
    assert!(hanging.await.expect("the task ends").is_err());
    assert!(desk.sim.session(&first).is_some());
    assert_eq!(desk.disconnect(&first).await.0, 200);
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
        json!({ "when": { "operation": "list", "user": 101, "times": 2 },
                "then": { "graphqlError": { "code": "NOT_FOUND" } } }),
        &Fault::on(
            Operation::List,
            FaultAction::GraphqlError {
                code: "NOT_FOUND".to_owned(),
                message: String::new(),
                status: None,
            },
        )
        .user(101)
        .times(2),
    );
}
