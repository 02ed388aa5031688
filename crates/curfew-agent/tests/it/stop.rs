//! How it stops. Invariant: what is in hand is answered.

use std::time::Duration;

use curfew_agent::Verb;
use curfew_agent::platform::FakeCall;
use curfew_agent_api::{ActResult, ProblemCode};
use tokio::net::TcpStream;

use crate::stage::{stage, until};

#[tokio::test]
async fn an_act_in_hand_is_answered_and_nobody_new_is_let_in() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    let (answer, ()) = tokio::join!(stage.act(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        stage.stop();
        while TcpStream::connect(stage.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        drop(held);
    });
    assert_eq!(answer.result, ActResult::Done);
}

#[tokio::test]
async fn the_end_waits_for_acts_that_nobody_waits_for() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    tokio::select! {
        _ = stage.post(number, Verb::Logoff, &request) => panic!("the log-off is held"),
        () = until("the call", || stage.fake.calls(FakeCall::Logoff) == 1) => {}
    }
    assert!(!stage.agent.finish(Duration::ZERO).await, "it is still in hand");
    drop(held);
    assert!(stage.agent.finish(Duration::from_secs(20)).await);
    assert_eq!(stage.fake.acts().len(), 1);
}

#[tokio::test]
async fn an_agent_that_stops_begins_nothing_and_answers_what_it_did() {
    let stage = stage().await;
    let [alice, bob] = ["alice", "bob"].map(|user| stage.fake.log_on(user));
    let [first, second] = [stage.request(alice).await, stage.request(bob).await];
    stage.act(alice, Verb::Logoff, &first).await;
    stage.agent.take_no_more();
    let found = stage.refused(bob, Verb::Logoff, &second).await;
    assert_eq!(found.code, ProblemCode::HostNotReady);
    assert!(found.retry_after_ms.is_some());
    let again = stage.act(alice, Verb::Logoff, &first).await;
    assert_eq!(again.result, ActResult::Done);
    assert_eq!(stage.fake.acts().len(), 1);
}
