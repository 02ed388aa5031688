//! What the host itself refuses. Invariant: what is refused is not done, and the list says so beforehand.

use curfew_agent::platform::{FakeCall, WtsSession};
use curfew_agent::{Policy, Verb};
use curfew_agent_api::{ActResult, Health, ProblemCode};

use crate::stage::{Stage, read, stage_with};

async fn stage_of(policy: Policy) -> Stage {
    stage_with(|settings| settings.policy = policy).await
}

fn protecting(entry: &str) -> Policy {
    Policy {
        protected_users: vec![entry.to_owned()],
        ..Policy::default()
    }
}

async fn message_to(stage: &Stage, number: u32) -> serde_json::Value {
    let mut request = stage.request(number).await;
    request["message"] = serde_json::json!({ "title": "a", "text": "b" });
    request
}

#[tokio::test]
async fn protected_users_are_left_alone() {
    for entry in [
        "CORP\\svc-kiosk",
        "corp\\SVC-KIOSK",
        "svc-kiosk",
        "svc-kiosk@corp.example",
    ] {
        let stage = stage_of(protecting(entry)).await;
        let number = stage.fake.log_on("CORP\\svc-kiosk");
        let other = stage.fake.log_on("CORP\\alice");
        assert!(stage.session(number).await.protected, "{entry}");
        assert!(!stage.session(other).await.protected, "{entry}");
        for verb in [Verb::Disconnect, Verb::Logoff] {
            let found = stage.refused(number, verb, &stage.request(number).await).await;
            assert_eq!(found.code, ProblemCode::Protected, "{entry}");
        }
        let found = stage
            .refused(number, Verb::Message, &message_to(&stage, number).await)
            .await;
        assert_eq!(found.code, ProblemCode::Protected, "{entry}");
        assert!(stage.fake.acts().is_empty());
        stage.act(other, Verb::Logoff, &stage.request(other).await).await;
    }
}

fn at_the_console(row: &mut WtsSession) {
    row.station = Some("Console".to_owned());
    row.protocol = Some(0);
}

#[tokio::test]
async fn the_console_is_left_alone() {
    let stage = stage_of(Policy::default()).await;
    let number = stage.fake.log_on("TERM04\\Administrator");
    for change in [
        at_the_console as fn(&mut WtsSession),
        |row| row.protocol = None,
        |row| {
            row.station = None;
            row.protocol = Some(0);
        },
    ] {
        stage.fake.change(number, change);
        assert!(stage.session(number).await.protected);
        let found = stage
            .refused(number, Verb::Logoff, &stage.request(number).await)
            .await;
        assert_eq!(found.code, ProblemCode::Protected);
    }
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn the_console_can_be_allowed() {
    let stage = stage_of(Policy {
        allow_console: true,
        ..Policy::default()
    })
    .await;
    let number = stage.fake.log_on("TERM04\\Administrator");
    stage.fake.change(number, at_the_console);
    assert!(!stage.session(number).await.protected);
    let answer = stage
        .act(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!(answer.result, ActResult::Done);
}

#[tokio::test]
async fn a_read_only_host_shows_everything_and_does_nothing() {
    for policy in [
        Policy {
            read_only: true,
            ..Policy::default()
        },
        Policy {
            deny: Verb::ALL.into(),
            ..Policy::default()
        },
    ] {
        let stage = stage_of(policy).await;
        let number = stage.fake.log_on("CORP\\alice");
        assert!(stage.session(number).await.protected);
        let health: Health = read(stage.get("/v1/health").await).await;
        assert!(health.read_only);
        for verb in [Verb::Disconnect, Verb::Logoff] {
            let found = stage.refused(number, verb, &stage.request(number).await).await;
            assert_eq!(found.code, ProblemCode::RefusedByPolicy);
        }
        assert!(stage.fake.acts().is_empty());
    }
}

#[tokio::test]
async fn one_kind_of_act_can_be_denied() {
    let stage = stage_of(Policy {
        deny: [Verb::Logoff].into(),
        ..Policy::default()
    })
    .await;
    let number = stage.fake.log_on("CORP\\alice");
    assert!(!stage.session(number).await.protected);
    let found = stage
        .refused(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!(found.code, ProblemCode::RefusedByPolicy);
    assert_eq!(stage.fake.calls(FakeCall::Logoff), 0);
    let answer = stage
        .act(number, Verb::Disconnect, &stage.request(number).await)
        .await;
    assert_eq!(answer.result, ActResult::Done);
}

#[tokio::test]
async fn log_offs_in_a_minute_can_be_limited_and_nothing_else_counts() {
    let stage = stage_of(Policy {
        max_logoffs_per_minute: Some(1),
        ..Policy::default()
    })
    .await;
    let alice = stage.fake.log_on("CORP\\alice");
    let bob = stage.fake.log_on("CORP\\bob");
    stage.act(bob, Verb::Disconnect, &stage.request(bob).await).await;
    stage.act(alice, Verb::Logoff, &stage.request(alice).await).await;
    let found = stage.refused(bob, Verb::Logoff, &stage.request(bob).await).await;
    assert_eq!(found.code, ProblemCode::TooManyActs);
    assert!(
        found
            .retry_after_ms
            .is_some_and(|after| (1..=60_000).contains(&after))
    );
    assert_eq!(stage.fake.calls(FakeCall::Logoff), 1);
}

#[tokio::test]
async fn an_empty_domain_is_an_unknown_one() {
    let stage = stage_of(protecting("CORP\\svc-kiosk")).await;
    let number = stage.fake.log_on("CORP\\svc-kiosk");
    stage.fake.change(number, |row| row.domain = Some(String::new()));
    assert!(stage.session(number).await.protected);
    let request = stage.request(number).await;
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::Protected);
}

#[tokio::test]
async fn a_dot_is_the_host_itself() {
    let stage = stage_of(protecting(".\\Administrator")).await;
    let own = stage.fake.log_on("term04\\administrator");
    let of_the_domain = stage.fake.log_on("CORP\\Administrator");
    assert!(stage.session(own).await.protected);
    assert!(!stage.session(of_the_domain).await.protected);
}

#[tokio::test]
async fn log_offs_that_did_nothing_do_not_count() {
    let stage = stage_of(Policy {
        max_logoffs_per_minute: Some(1),
        ..Policy::default()
    })
    .await;
    let number = stage.fake.log_on("CORP\\alice");
    stage.fake.fail_times(FakeCall::Logoff, 7024, 1);
    let request = stage.request(number).await;
    stage.refused(number, Verb::Logoff, &request).await;
    let answer = stage.act(number, Verb::Logoff, &request).await;
    assert_eq!(answer.result, ActResult::Done);
}

#[tokio::test]
async fn a_log_off_that_may_have_been_done_counts() {
    let stage = stage_of(Policy {
        max_logoffs_per_minute: Some(1),
        ..Policy::default()
    })
    .await;
    let number = stage.fake.log_on("CORP\\alice");
    stage.fake.fail_times(FakeCall::Logoff, 1726, 1);
    stage
        .refused(number, Verb::Logoff, &stage.request(number).await)
        .await;
    let found = stage
        .refused(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!(found.code, ProblemCode::TooManyActs);
}
