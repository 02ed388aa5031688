//! Chaos of the whole fleet.

use curfew_agent_api::SessionState;

use super::Desk;
use crate::Chaos;
use crate::chaos::SLOW;
use crate::fleet::{Fault, FaultAction, FleetSimConfig, Operation};

const HOST: &str = "TERM0001";

#[tokio::test]
async fn slow_answers_late_and_acts_at_once() {
    let desk = Desk::open(FleetSimConfig::new(2, 3)).await;
    let session = desk.active(HOST).await;
    desk.sim.chaos(Some(Chaos::Slow));
    let sent = tokio::spawn(desk.act(HOST, &session, "disconnect").send());
    desk.sim.wait_for_performed(1).await;
    assert!(!sent.is_finished());
    tokio::time::pause();
    tokio::time::advance(SLOW).await;
    tokio::time::resume();
    let answer = sent.await.expect("the task ends").expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_tenth_of_the_hosts_hangs_until_the_end_and_performs_nothing() {
    let desk = Desk::open(FleetSimConfig::new(12, 3)).await;
    let session = desk.active(HOST).await;
    desk.sim.chaos(Some(Chaos::Hang));
    let act = tokio::spawn(desk.act(HOST, &session, "disconnect").send());
    desk.sim.wait_for_act(1).await;
    let eleventh = tokio::spawn(desk.get("TERM0011", "sessions").send());
    for host in (2..=10).chain([12]) {
        assert_eq!(desk.status(&format!("TERM{host:04}"), "sessions").await, 200);
    }
    assert!(!act.is_finished() && !eleventh.is_finished());
    desk.sim.chaos(None);
    assert!(act.await.expect("the task ends").is_err());
    let state = desk.sim.session(HOST, session.number).map(|row| row.state);
    assert_eq!(state, Some(SessionState::Active));
    assert_eq!(desk.status(HOST, "sessions").await, 200);
}

#[tokio::test]
async fn every_other_request_to_a_host_fails_while_it_flaps() {
    let desk = Desk::open(FleetSimConfig::new(2, 1)).await;
    desk.sim.chaos(Some(Chaos::Flap));
    for host in [HOST, "TERM0002"] {
        let mut met = Vec::new();
        for _ in 0..4 {
            let sent = desk.get(host, "sessions").send().await;
            met.push(sent.ok().map(|answer| answer.status().as_u16()));
        }
        assert_eq!(met, [Some(502), Some(200), None, Some(200)], "{host}");
    }
}

#[tokio::test]
async fn ghosts_are_listed_and_cannot_be_found_until_the_chaos_ends() {
    let desk = Desk::open(FleetSimConfig::new(1, 13)).await;
    desk.sim.chaos(Some(Chaos::Ghost));
    assert_eq!(desk.list(HOST).await.sessions.len(), 13);
    let mut gone = Vec::new();
    for number in 1..=13 {
        if desk.status(HOST, &format!("sessions/{number}")).await == 404 {
            gone.push(number);
        }
    }
    assert_eq!(gone, [2, 12]);
    desk.sim.chaos(None);
    assert_eq!(desk.status(HOST, "sessions/2").await, 200);
}

#[tokio::test]
async fn a_fault_comes_before_the_chaos_and_outlives_it() {
    let desk = Desk::open(FleetSimConfig::new(1, 1)).await;
    desk.sim.add_fault(Fault::on(
        Operation::Health,
        FaultAction::TooMany { retry_after_ms: 1 },
    ));
    desk.sim.chaos(Some(Chaos::Hang));
    assert_eq!(desk.status(HOST, "health").await, 429);
    desk.sim.chaos(None);
    assert_eq!(desk.status(HOST, "health").await, 429);
    assert_eq!(desk.status(HOST, "sessions").await, 200);
}
