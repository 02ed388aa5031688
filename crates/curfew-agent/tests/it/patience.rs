//! Clients that say nothing, hosts that do not come back. Invariant: neither holds anything for long.

use std::time::Duration;

use curfew_agent::Verb;
use curfew_agent::platform::FakeCall;
use curfew_agent_api::ProblemCode;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{problem, stage, until};

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_sent_away() {
    let stage = stage().await;
    let mut silent = TcpStream::connect(stage.address).await.expect("a connection");
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).await.expect("an end");
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_come_back_from_a_reading_is_not_ready() {
    let stage = stage().await;
    let held = stage.fake.hold(FakeCall::List);
    let (response, ()) = tokio::join!(stage.get("/v1/sessions"), async {
        until("the reading", || stage.fake.calls(FakeCall::List) == 1).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(11)).await;
    });
    let found = problem(response).await;
    assert_eq!(found.code, ProblemCode::HostNotReady);
    tokio::time::resume();
    drop(held);
    assert!(stage.list().await.sessions.is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_come_back_from_an_act_leaves_open_what_was_done() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    let (found, ()) = tokio::join!(stage.refused(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
    });
    assert_eq!(found.code, ProblemCode::HostFailed);
    assert!(!found.code.nothing_was_done());
    tokio::time::resume();
    drop(held);
    until("the log-off", || stage.fake.acts().len() == 1).await;
}

#[tokio::test]
async fn the_places_of_clients_are_bounded_and_given_again() {
    let stage = stage().await;
    let mut silent = Vec::new();
    for _ in 0..256 {
        silent.push(TcpStream::connect(stage.address).await.expect("a connection"));
    }
    let mut asking = std::pin::pin!(stage.get("/v1/sessions"));
    let early = timeout(Duration::from_millis(300), asking.as_mut()).await;
    assert!(early.is_err(), "there is no place for it yet");
    drop(silent);
    assert!(asking.await.status().is_success());
}
