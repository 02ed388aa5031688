//! Scripted faults of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use curfew_agent_api::{ProblemCode, SessionList, SessionProtocol, SessionState};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Desk, code};
use crate::fleet::{Fault, FaultAction, FaultBody, FleetSimConfig, Operation};
use crate::pki::Flaw;

const HOST: &str = "TERM0001";
const OTHER: &str = "TERM0002";

async fn desk() -> Desk {
    Desk::open(FleetSimConfig::new(2, 3)).await
}

#[tokio::test]
async fn a_fault_is_for_its_host_its_operation_its_session_and_its_turn() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    let path = format!("sessions/{}", session.number);
    let refuse = FaultAction::Refuse {
        code: ProblemCode::HostNotReady,
    };
    desk.sim.add_fault(
        Fault::on(Operation::Get, refuse)
            .host("term0001")
            .session(session.number)
            .skip(1)
            .times(1),
    );
    let mut met = Vec::new();
    for (host, path) in [
        (HOST, "sessions"),
        (HOST, "sessions/2"),
        (OTHER, path.as_str()),
        (HOST, &path),
        (HOST, &path),
        (HOST, &path),
    ] {
        met.push(desk.status(host, path).await);
    }
    assert_eq!(met, [200, 200, 404, 200, 503, 200]);
    assert_eq!(desk.sim.counters().faults_fired, 1);
}

#[tokio::test]
async fn refusals_are_the_agents_own_words_and_nothing_is_done() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    let status = |status, body| FaultAction::Status {
        code: status,
        body,
        headers: BTreeMap::from([("Retry-After".to_owned(), "7".to_owned())]),
    };
    let custom = FaultBody::Custom {
        content_type: "text/plain".to_owned(),
        text: "no".to_owned(),
    };
    let refuse = |code| FaultAction::Refuse { code };
    for (then, wanted) in [
        (refuse(ProblemCode::Protected), (403, "PROTECTED")),
        (refuse(ProblemCode::RefusedByPolicy), (403, "REFUSED_BY_POLICY")),
        (refuse(ProblemCode::TooLate), (410, "TOO_LATE")),
        (
            FaultAction::TooMany { retry_after_ms: 1500 },
            (429, "TOO_MANY_ACTS"),
        ),
        (FaultAction::Ghost, (404, "SESSION_GONE")),
        (status(503, FaultBody::Native), (503, "HOST_NOT_READY")),
        (status(418, FaultBody::Native), (418, "OUT_OF_PAPER")),
        (status(502, FaultBody::Html), (502, "")),
        (status(500, FaultBody::Empty), (500, "")),
        (status(500, custom), (500, "")),
        (FaultAction::Html, (200, "")),
    ] {
        desk.sim
            .add_fault(Fault::on(Operation::Logoff, then.clone()).times(1));
        let answer = desk
            .act(HOST, &session, "logoff")
            .send()
            .await
            .expect("an answer");
        let (status, code) = code(answer).await;
        assert_eq!((status, code.as_str()), wanted, "{then:?}");
        let act = desk.sim.acts().pop().expect("a line");
        assert_eq!((act.performed, act.answer), (false, Some(status)), "{then:?}");
    }
    assert!(desk.sim.session(HOST, session.number).is_some());
    assert!(desk.sim.platform(HOST).expect("a host").acts().is_empty());

    desk.sim.add_fault(Fault::on(
        Operation::List,
        FaultAction::TooMany { retry_after_ms: 1500 },
    ));
    assert_eq!(desk.json(HOST, "sessions").await["retryAfterMs"], 1500);
    desk.sim.clear_faults();
    desk.sim
        .add_fault(Fault::on(Operation::List, status(503, FaultBody::Native)));
    let answer = desk.get(HOST, "sessions").send().await.expect("an answer");
    assert_eq!(answer.headers()["retry-after"], "7");
}

#[tokio::test]
async fn a_lost_answer_tells_nothing_of_the_act() {
    let desk = desk().await;
    for (then, performed, status) in [
        (FaultAction::DropBefore, false, None),
        (FaultAction::ActThenDrop, true, None),
        (FaultAction::BadGatewayAfterAct, true, Some(502)),
    ] {
        let session = desk.active(HOST).await;
        desk.sim
            .add_fault(Fault::on(Operation::Disconnect, then.clone()).times(1));
        let sent = desk.act(HOST, &session, "disconnect").send().await;
        assert_eq!(
            sent.ok().map(|answer| answer.status().as_u16()),
            status,
            "{then:?}"
        );
        let state = desk.sim.session(HOST, session.number).map(|row| row.state);
        let wanted = if performed {
            SessionState::Disconnected
        } else {
            SessionState::Active
        };
        assert_eq!(state, Some(wanted), "{then:?}");
        let act = desk.sim.acts().pop().expect("a line");
        assert_eq!((act.performed, act.answer), (performed, status), "{then:?}");
    }
}

#[tokio::test]
async fn an_answer_is_held_until_released() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    desk.sim
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::Hold));
    let watch = async {
        desk.sim.wait_for_held(1).await;
        let act = desk.sim.acts().remove(0);
        assert_eq!((act.performed, act.answer), (true, None));
        assert_eq!(desk.sim.release(), 1);
    };
    let (answer, ()) = tokio::join!(desk.act(HOST, &session, "disconnect").send(), watch);
    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_request_can_arrive_after_its_client_has_gone() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    desk.sim
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::HoldBefore));
    let sent = tokio::spawn(desk.act(HOST, &session, "disconnect").send());
    desk.sim.wait_for_held(1).await;
    sent.abort();
    assert!(sent.await.is_err_and(|error| error.is_cancelled()));
    let state = || desk.sim.session(HOST, session.number).map(|row| row.state);
    assert_eq!(state(), Some(SessionState::Active));
    desk.sim.release();
    desk.sim.wait_for_performed(1).await;
    assert_eq!(state(), Some(SessionState::Disconnected));
}

#[tokio::test]
async fn answers_come_late_before_or_behind_the_act() {
    let desk = desk().await;
    for then in [
        FaultAction::Delay { ms: 150 },
        FaultAction::DelayAnswer { ms: 150 },
    ] {
        desk.sim.add_fault(Fault::on(Operation::List, then).times(1));
        let before = Instant::now();
        assert_eq!(desk.status(HOST, "sessions").await, 200);
        assert!(before.elapsed() >= Duration::from_millis(150));
    }
}

#[tokio::test]
async fn bodies_can_be_broken_in_many_ways() {
    let desk = desk().await;
    let once = |then| desk.sim.add_fault(Fault::on(Operation::List, then).times(1));
    let send = async || desk.get(HOST, "sessions").send().await.expect("an answer");

    once(FaultAction::TruncatedBody);
    let answer = send().await;
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());

    once(FaultAction::EndlessBody);
    let mut endless = send().await;
    let mut read = 0;
    while read < 5_000_000 {
        read += endless.chunk().await.expect("it goes on").expect("and on").len();
    }
    drop(endless);

    for then in [FaultAction::WrongTypes, FaultAction::Garbage, FaultAction::Html] {
        once(then.clone());
        let answer = send().await;
        assert_eq!(answer.status(), 200);
        assert!(answer.json::<SessionList>().await.is_err(), "{then:?}");
    }

    once(FaultAction::GarbageEnum);
    let row = desk.list(HOST).await.sessions.remove(0);
    assert_eq!(
        (row.state, row.protocol),
        (SessionState::Unknown, SessionProtocol::Unknown)
    );

    once(FaultAction::AnswerAs {
        host: OTHER.to_owned(),
    });
    assert_eq!(desk.list(HOST).await.host.name, OTHER);
    assert_eq!(desk.list(HOST).await.host.name, HOST);
}

#[tokio::test]
async fn an_act_that_is_accepted_and_ignored_leaves_the_session_as_it_is() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    desk.sim
        .add_fault(Fault::on(Operation::Any, FaultAction::AcceptButIgnore));
    let answer = desk
        .act(HOST, &session, "logoff")
        .send()
        .await
        .expect("an answer");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (&body["result"], &body["session"]["number"], &body["host"]["name"]),
        (&json!("ACCEPTED"), &json!(session.number), &json!(HOST))
    );
    assert!(!desk.sim.acts()[0].performed);
    assert!(desk.sim.session(HOST, session.number).is_some());
}

#[tokio::test]
async fn a_ghost_is_listed_and_cannot_be_found() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    desk.sim
        .add_fault(Fault::on(Operation::Any, FaultAction::Ghost).session(session.number));
    let listed = desk.list(HOST).await.sessions;
    assert!(listed.iter().any(|row| row.number == session.number));
    let path = format!("sessions/{}", session.number);
    assert_eq!(desk.status(HOST, &path).await, 404);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_what_hangs() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    desk.sim
        .add_fault(Fault::on(Operation::Logoff, FaultAction::Hang));
    let hanging = tokio::spawn(desk.act(HOST, &session, "logoff").send());
    assert_eq!(desk.sim.wait_for_act(1).await[0].answer, None);
    desk.sim.shutdown().await;
    assert!(hanging.await.expect("the task ends").is_err());
}

#[tokio::test]
async fn the_platform_beneath_an_agent_can_fail_too() {
    let desk = desk().await;
    let session = desk.active(HOST).await;
    let platform = desk.sim.platform(HOST).expect("a host");
    // ERROR_GEN_FAILURE: what was done cannot be told, and here it was done.
    platform.act_then_fail(curfew_agent::platform::FakeCall::Disconnect, 31, 1);
    let answer = desk
        .act(HOST, &session, "disconnect")
        .send()
        .await
        .expect("an answer");
    assert_eq!(code(answer).await, (502, "HOST_FAILED".to_owned()));
    assert!(desk.sim.acts()[0].performed);
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
        json!({ "when": { "host": "TERM0007", "operation": "logoff", "session": 3, "times": 2 },
                "then": { "delay": { "ms": 5 } } }),
        &Fault::on(Operation::Logoff, FaultAction::Delay { ms: 5 })
            .host("TERM0007")
            .session(3)
            .times(2),
    );
    check(
        json!({ "then": { "refuse": {} } }),
        &Fault::on(
            Operation::Any,
            FaultAction::Refuse {
                code: ProblemCode::Protected,
            },
        ),
    );
    check(
        json!({ "then": { "wrongCertificate": { "flaw": "otherHost" } } }),
        &Fault::on(
            Operation::Any,
            FaultAction::WrongCertificate {
                flaw: Flaw::OtherHost,
            },
        ),
    );
    check(
        json!({ "then": { "tooMany": { "retryAfterMs": 9 } } }),
        &Fault::on(Operation::Any, FaultAction::TooMany { retry_after_ms: 9 }),
    );
}
