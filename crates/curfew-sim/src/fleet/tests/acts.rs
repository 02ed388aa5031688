//! The log of acts: who, what, and what came of it.

use curfew_agent::{Policy, Verb};
use curfew_agent_api::{ActAnswer, ActResult, ProblemCode, SessionState};

use super::{Desk, code, request};
use crate::fleet::{FleetSimConfig, Operation};

const HOST: &str = "TERM0001";

#[tokio::test]
async fn an_act_is_performed_and_in_the_log() {
    let desk = Desk::open(FleetSimConfig::new(2, 3).logoff_takes(std::time::Duration::ZERO)).await;
    let session = desk.active(HOST).await;
    for (verb, operation) in [
        ("disconnect", Operation::Disconnect),
        ("logoff", Operation::Logoff),
    ] {
        let answer = desk.act(HOST, &session, verb).send().await.expect("an answer");
        let answer: ActAnswer = answer.json().await.expect("an act's answer");
        assert_eq!(answer.result, ActResult::Done);
        let act = desk.sim.acts().pop().expect("a line");
        assert_eq!(
            (act.host.as_str(), act.operation, act.session),
            (HOST, operation, Some(session.number))
        );
        assert_eq!(
            (act.performed, act.result, act.answer),
            (true, Some(ActResult::Done), Some(200))
        );
        let asked = act.request.expect("its body");
        assert_eq!(
            (asked.generation, asked.on_behalf.name.as_str()),
            (session.generation.clone(), "Olga Operator")
        );
    }
    assert_eq!(desk.sim.session(HOST, session.number), None);
    assert_eq!(desk.sim.counters().of(HOST, Operation::Logoff), 1);
    assert_eq!(desk.sim.counters().of("TERM0002", Operation::Logoff), 0);
}

#[tokio::test]
async fn the_same_attempt_again_is_answered_and_not_performed_again() {
    let desk = Desk::open(FleetSimConfig::new(1, 3)).await;
    let session = desk.active(HOST).await;
    let body = request(&session, "one-operation".to_owned());
    let url = desk.url(HOST, &format!("sessions/{}/disconnect", session.number));
    for _ in 0..2 {
        let answer = desk.http.post(&url).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    let performed: Vec<bool> = desk.sim.acts().iter().map(|act| act.performed).collect();
    assert_eq!(performed, [true, false]);
    assert_eq!(desk.sim.platform(HOST).expect("a host").acts().len(), 1);
}

#[tokio::test]
async fn what_the_hosts_own_policy_refuses_is_in_the_log_as_refused() {
    let policy = Policy {
        deny: [Verb::Logoff].into(),
        protected_users: vec!["CORP\\zoe".to_owned()],
        ..Policy::default()
    };
    let desk = Desk::open(FleetSimConfig::new(1, 3).policy(policy)).await;
    let session = desk.active(HOST).await;
    assert!(session.protected);
    for (verb, wanted) in [
        ("disconnect", ProblemCode::Protected),
        ("logoff", ProblemCode::RefusedByPolicy),
    ] {
        let answer = desk.act(HOST, &session, verb).send().await.expect("an answer");
        assert_eq!(code(answer).await, (403, wanted.as_str().to_owned()));
        let act = desk.sim.acts().pop().expect("a line");
        assert_eq!((act.performed, act.code), (false, Some(wanted)));
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_the_agents_to_refuse() {
    let desk = Desk::open(FleetSimConfig::new(1, 3)).await;
    let session = desk.active(HOST).await;
    let url = desk.url(HOST, &format!("sessions/{}/logoff", session.number));
    let answer = desk.http.post(url).body("{").send().await.expect("an answer");
    assert_eq!(code(answer).await, (400, "BAD_REQUEST".to_owned()));
    let act = desk.sim.acts().pop().expect("a line");
    assert_eq!((act.request, act.performed), (None, false));
    let state = desk.sim.session(HOST, session.number).map(|row| row.state);
    assert_eq!(state, Some(SessionState::Active));
}
