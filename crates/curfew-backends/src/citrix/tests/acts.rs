//! Acts and jobs: what is sent, what each answer means, and that nothing is sent twice.

use curfew_core::{BackendErrorKind as Kind, Evidence, JobRef, Progress};
use curfew_sim::{JobStatus, LocationStyle};

use super::*;

async fn kind_of(rig: &SimRig, verb: Verb) -> Kind {
    let (_, session) = rig.someone();
    rig.act(&session, verb).await.expect_err("the act fails").kind
}

/// What a disconnect answered so comes to.
async fn on_status(code: u16, body: FaultBody) -> (Kind, Evidence) {
    let rig = SimRig::cloud().await;
    let (native, session) = rig.someone();
    rig.fault(Operation::Disconnect, status(code, body));
    let error = rig
        .act(&session, Verb::Disconnect)
        .await
        .expect_err("the act fails");
    assert_eq!(rig.sim.acts().len(), 1, "{code} was repeated");
    assert!(rig.sim.session(native).is_some());
    (error.kind, error.evidence.expect("an answer is evidence"))
}

#[tokio::test]
async fn a_disconnect_leaves_evidence_and_sends_one_request() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    let reply = rig.act(&session, Verb::Disconnect).await.expect("it starts");
    assert_eq!(reply.value, Started::Done);
    let acts = rig.sim.acts();
    assert_eq!(acts.len(), 1);
    assert_eq!(reply.evidence.status, Some(200));
    assert_eq!(
        reply.evidence.transaction_id.as_deref(),
        Some(&*acts[0].transaction_id)
    );
    assert!(reply.evidence.latency_ms.is_some());
}

#[tokio::test]
async fn a_message_is_sent_as_it_was_written() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    let verb = Verb::Message {
        title: "Störung \"A\"".to_owned(),
        text: "one\ntwo \\ three".to_owned(),
    };
    let reply = rig.act(&session, verb).await.expect("it is sent");
    assert_eq!(reply.value, Started::Done);
    let acts = rig.sim.acts();
    let message = acts[0].message.as_ref().expect("the site saw the message");
    assert_eq!(
        (&*message.style, &*message.title),
        ("Information", "Störung \"A\"")
    );
    assert_eq!(message.text, "one\ntwo \\ three");
}

#[tokio::test]
async fn every_status_has_one_meaning() {
    let native = FaultBody::Native;
    let mut said = Vec::new();
    for code in [400, 403, 405, 406, 408, 409, 415, 429, 500, 502, 503, 504, 530] {
        let (kind, evidence) = on_status(code, native.clone()).await;
        said.push(format!(
            "{code} -> {kind:?}, {}",
            evidence.native_code.unwrap_or_default()
        ));
        assert_eq!(evidence.status, Some(code));
    }
    for code in [404, 502, 503] {
        let (kind, evidence) = on_status(code, FaultBody::Html).await;
        said.push(format!("{code} of a proxy -> {kind:?}"));
        assert_eq!(evidence.transaction_id, None);
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_404_of_the_vendor_means_that_the_session_is_gone() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    rig.fault(Operation::Logoff, FaultAction::Ghost);
    let reply = rig.act(&session, Verb::Logoff).await.expect("an answer");
    assert_eq!(reply.value, Started::AlreadyGone);
    assert_eq!(
        reply.evidence.native_code.as_deref(),
        Some("https://errors-api.cloud.com/common/notFound")
    );
}

#[tokio::test]
async fn the_wait_that_the_site_asks_for_is_passed_on() {
    let rig = SimRig::cloud().await;
    let headers = [("Retry-After".to_owned(), "30".to_owned())].into();
    rig.fault(
        Operation::Any,
        FaultAction::Status {
            code: 429,
            body: FaultBody::Native,
            headers,
        },
    );
    let rate_limited = Kind::RateLimited {
        retry_after: Some(Duration::from_secs(30)),
    };
    // Even the token service limits, and then nothing was sent.
    assert_eq!(rig.backend.list(&soon()).await.unwrap_err().kind, rate_limited);
    let (_, session) = rig.someone();
    let error = rig.act(&session, Verb::Disconnect).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert_eq!(
        error.evidence.and_then(|evidence| evidence.retry_after_ms),
        Some(30_000)
    );
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = SimRig::cloud().await;
    let rig = SimRig::cloud().await;
    let to = format!("{}/cvad/manage/Sessions", elsewhere.sim.url());
    rig.fault(
        Operation::Disconnect,
        FaultAction::Redirect {
            to: to.clone(),
            code: 307,
        },
    );
    rig.fault(Operation::List, FaultAction::Redirect { to, code: 302 });
    assert_eq!(kind_of(&rig, Verb::Disconnect).await, Kind::Protocol);
    assert_eq!(rig.backend.list(&soon()).await.unwrap_err().kind, Kind::Protocol);
    assert_eq!(elsewhere.sim.counters().requests.values().sum::<u64>(), 0);
}

#[tokio::test]
async fn a_job_on_another_host_is_followed_at_home() {
    let elsewhere = SimRig::cloud().await;
    let mut config = CitrixSimConfig::cloud().logoff_takes(Duration::from_secs(60));
    config.location = LocationStyle::Foreign(elsewhere.sim.url().replace("127.0.0.1", "localhost"));
    let rig = SimRig::start(config).await;
    let (_, session) = rig.someone();
    let Started::Job(job) = rig.act(&session, Verb::Logoff).await.expect("it starts").value else {
        panic!("a log-off is a job");
    };
    let reply = rig
        .backend
        .poll(&job, &soon())
        .await
        .expect("the site knows its job");
    assert!(matches!(reply.value, Progress::Running { .. }));
    assert_eq!(elsewhere.sim.counters().requests.values().sum::<u64>(), 0);
}

#[tokio::test]
async fn a_logoff_answers_with_its_job() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    let reply = rig.act(&session, Verb::Logoff).await.expect("it starts");
    let Started::Job(JobRef(job)) = reply.value else {
        panic!("{reply:?}")
    };
    assert_eq!(reply.evidence.job_id, Some(job));
    assert_eq!(reply.evidence.status, Some(202));
}

async fn job_that(then: FaultAction) -> (Progress, Option<String>) {
    let rig = SimRig::start(CitrixSimConfig::cloud().logoff_takes(Duration::from_millis(1))).await;
    let (_, session) = rig.someone();
    rig.fault(Operation::Logoff, then);
    let Started::Job(job) = rig.act(&session, Verb::Logoff).await.expect("it starts").value else {
        panic!("a log-off is a job");
    };
    tokio::time::sleep(Duration::from_millis(60)).await;
    let reply = rig
        .backend
        .poll(&job, &soon())
        .await
        .expect("the job can be asked for");
    (reply.value, reply.evidence.native_code)
}

#[tokio::test]
async fn every_end_of_a_job_is_understood() {
    let ends = |status| FaultAction::JobEnds {
        status,
        performs: true,
    };
    let mut said = Vec::new();
    for then in [
        ends(JobStatus::Complete),
        ends(JobStatus::CompleteWithWarning),
        ends(JobStatus::NonTerminatingError),
        ends(JobStatus::Canceled),
        FaultAction::JobFails {
            code: "MachineNotRegistered".to_owned(),
        },
        FaultAction::JobNeverEnds,
        FaultAction::JobVanishes,
    ] {
        let (progress, code) = job_that(then.clone()).await;
        said.push(format!("{then:?} -> {progress:?}, {}", code.unwrap_or_default()));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_job_that_cannot_be_asked_for_in_passing_is_not_lost() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    let Started::Job(job) = rig.act(&session, Verb::Logoff).await.expect("it starts").value else {
        panic!("a log-off is a job");
    };
    for (then, kind) in [
        (status(502, FaultBody::Html), Kind::Unavailable),
        (status(404, FaultBody::Html), Kind::Unavailable),
        (FaultAction::Html, Kind::Protocol),
        (FaultAction::WrongTypes, Kind::Protocol),
        (FaultAction::DropBefore, Kind::Unavailable),
        (FaultAction::TruncatedBody, Kind::Unavailable),
    ] {
        rig.fault(Operation::Job, then.clone());
        let error = rig
            .backend
            .poll(&job, &soon())
            .await
            .expect_err("it cannot be asked for");
        assert_eq!(error.kind, kind, "{then:?}");
        rig.sim.clear_faults();
    }
    assert!(rig.backend.poll(&job, &soon()).await.is_ok());
    let other = rig
        .backend
        .poll(&JobRef("../../Sessions".to_owned()), &soon())
        .await
        .expect("no such job");
    assert_eq!(other.value, Progress::Lost);
}

#[tokio::test]
async fn an_act_refused_for_its_token_goes_once_more_with_another() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    rig.backend.list(&soon()).await.expect("signed in");
    rig.sim.revoke_tokens();
    rig.act(&session, Verb::Disconnect).await.expect("it starts");
    let performed: Vec<bool> = rig.sim.acts().iter().map(|act| act.performed).collect();
    assert_eq!(performed, [false, true]);
    assert_eq!(rig.sim.counters().tokens_issued, 2);
}

#[tokio::test]
async fn an_act_that_is_refused_for_ever_goes_twice_and_no_more() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    rig.fault(Operation::Disconnect, FaultAction::RevokeTokens);
    assert_eq!(
        rig.act(&session, Verb::Disconnect).await.unwrap_err().kind,
        Kind::Credentials
    );
    assert_eq!(rig.sim.acts().len(), 2);
}

#[tokio::test]
async fn an_act_whose_time_ran_out_while_signing_in_is_not_sent() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    rig.fault(Operation::Token, FaultAction::DelayAnswer { ms: 300 });
    let action = SessionAction {
        session,
        verb: Verb::Logoff,
        not_after: SystemClock.now() + TimeDelta::milliseconds(100),
    };
    let error = rig.backend.start(Recorded::for_test(action)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn an_act_with_too_little_time_left_is_not_sent() {
    let rig = SimRig::cloud().await;
    rig.fault(Operation::Token, FaultAction::DelayAnswer { ms: 850 });
    assert_eq!(kind_of(&rig, Verb::Logoff).await, Kind::Unavailable);
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn what_fails_before_an_act_is_sent_is_unavailable() {
    for (operation, then) in [
        (Operation::Token, FaultAction::Hang),
        (Operation::Token, FaultAction::WrongTypes),
        (Operation::Token, status(500, FaultBody::Html)),
        (Operation::Me, FaultAction::Html),
        (Operation::Me, FaultAction::EndlessBody),
        (Operation::Me, status(403, FaultBody::Native)),
    ] {
        let rig = SimRig::cloud().await;
        rig.fault(operation, then.clone());
        assert_eq!(
            kind_of(&rig, Verb::Logoff).await,
            Kind::Unavailable,
            "{operation:?} {then:?}"
        );
        assert_eq!(rig.sim.acts(), []);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_the_outcome_unknown() {
    for (operation, verb, then) in [
        (
            Operation::Disconnect,
            Verb::Disconnect,
            FaultAction::TruncatedBody,
        ),
        (Operation::Disconnect, Verb::Disconnect, FaultAction::EndlessBody),
        (Operation::Logoff, Verb::Logoff, FaultAction::TruncatedBody),
        (Operation::Logoff, Verb::Logoff, FaultAction::DropBefore),
        (
            Operation::Logoff,
            Verb::Logoff,
            FaultAction::DelayAnswer { ms: 1500 },
        ),
    ] {
        let rig = SimRig::cloud().await;
        rig.fault(operation, then.clone());
        assert_eq!(kind_of(&rig, verb).await, Kind::OutcomeUnknown, "{then:?}");
        assert_eq!(rig.sim.acts().len(), 1);
    }
}

#[tokio::test]
async fn a_lost_answer_still_names_the_transaction_that_the_vendor_saw() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    rig.fault(Operation::Logoff, FaultAction::ActThenDrop);
    let error = rig.act(&session, Verb::Logoff).await.unwrap_err();
    let sent = error.evidence.and_then(|evidence| evidence.transaction_id);
    assert_eq!(sent.as_deref(), Some(&*rig.sim.acts()[0].transaction_id));
}

#[tokio::test]
async fn an_id_that_is_no_path_segment_is_never_sent() {
    let rig = SimRig::cloud().await;
    for native in ["../..", "..", "a/b", "x?limit=1", "%2e%2e", "ä", "$search", ""] {
        let generation = curfew_core::Generation::of(&[Some(native)]);
        let Ok(id) = SessionId::new(rig.backend.id(), native, generation) else {
            continue;
        };
        let sight = rig.backend.get(&id, &soon()).await.expect("no question").value;
        assert_eq!(sight, curfew_core::Sight::Gone);
        assert_eq!(
            rig.act(&id, Verb::Logoff).await.expect("nothing sent").value,
            Started::AlreadyGone
        );
    }
    assert_eq!(rig.sim.counters().requests.values().sum::<u64>(), 0);
}
