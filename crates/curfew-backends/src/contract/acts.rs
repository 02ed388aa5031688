//! Checks of acting: goals reached, nothing sent twice, nothing unknown called a success.
//!
//! Not here: reading for its own sake. Invariant: each check counts the acting requests that arrived.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use curfew_core::{BackendErrorKind as Kind, Recorded, Reply, SessionAction, Sight, Started, Verb};
use tokio::time::Instant;

use super::{
    Rig, Trouble, act, fails, first, list, message, one_of, patience, some_verb, until_reached, verbs,
};

pub(super) async fn a_disconnect_is_seen_in_the_session<R: Rig>(rig: R) {
    if rig.backend().capabilities().disconnect {
        let session = first(&rig).await;
        let started = rig
            .backend()
            .start(act(&rig, &session.id, Verb::Disconnect))
            .await;
        until_reached(&rig, &session.id, &Verb::Disconnect, started.expect("it starts")).await;
        assert_eq!(rig.acts().await, 1);
    }
}

pub(super) async fn a_logoff_ends_with_the_session_gone<R: Rig>(rig: R) {
    if rig.backend().capabilities().logoff {
        let session = first(&rig).await;
        let started = rig.backend().start(act(&rig, &session.id, Verb::Logoff)).await;
        until_reached(&rig, &session.id, &Verb::Logoff, started.expect("it starts")).await;
        assert_eq!(rig.acts().await, 1);
        let others: BTreeSet<String> = list(&rig)
            .await
            .sessions
            .iter()
            .map(|s| s.id.native().into())
            .collect();
        assert_eq!(others, rig.sessions().await, "no other session was touched");
    }
}

pub(super) async fn a_message_is_accepted_once<R: Rig>(rig: R) {
    if rig.backend().capabilities().message {
        let session = first(&rig).await;
        let started = rig
            .backend()
            .start(act(&rig, &session.id, message()))
            .await
            .expect("it starts");
        assert!(
            !matches!(started.value, Started::Replaced | Started::AlreadyGone),
            "{started:?}"
        );
        assert_eq!(rig.acts().await, 1);
    }
}

pub(super) async fn an_act_on_a_gone_session_changes_nothing<R: Rig>(rig: R) {
    let session = first(&rig).await;
    rig.end(&session.id).await;
    let started = rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await;
    match started {
        Ok(reply) => assert_eq!(reply.value, Started::AlreadyGone),
        // Some servers cannot say it clearly; then a read must.
        Err(error) => one_of(
            &error,
            &[Kind::NotFound, Kind::OutcomeUnknown],
            "an act on a gone session",
        ),
    }
    let sight = rig
        .backend()
        .get(&session.id, &patience())
        .await
        .expect("it can be read")
        .value;
    assert_eq!(sight, Sight::Gone);
    assert!(rig.acts().await <= 1);
}

pub(super) async fn a_hanging_act_is_of_unknown_outcome_within_its_budget<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsHang).await {
        let began = Instant::now();
        let error = fails(
            &rig,
            rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await,
            "an act",
        );
        one_of(&error, &[Kind::OutcomeUnknown], "a hanging act");
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "an act outlives its budget"
        );
        assert_eq!(rig.acts().await, 1);
    }
}

async fn unknown_and_once<R: Rig>(rig: R, trouble: Trouble) {
    for (_, verb) in verbs(&rig).into_iter().filter(|(can, _)| *can) {
        let session = first(&rig).await;
        let before = rig.acts().await;
        if rig.hurt(trouble).await {
            let error = fails(
                &rig,
                rig.backend().start(act(&rig, &session.id, verb.clone())).await,
                "an act",
            );
            // A session that a read shows is not one that the act has left alone.
            one_of(&error, &[Kind::OutcomeUnknown], "an act without a proper answer");
            assert_eq!(rig.acts().await, before + 1, "{verb:?} was repeated");
            rig.heal().await;
            if !verb.is_message() {
                let unknown = Reply {
                    value: Started::Accepted,
                    evidence: error.evidence.unwrap_or_default(),
                };
                until_reached(&rig, &session.id, &verb, unknown).await;
            }
        }
    }
}

pub(super) async fn an_act_whose_answer_is_lost_is_of_unknown_outcome_and_not_repeated<R: Rig>(rig: R) {
    unknown_and_once(rig, Trouble::AnswersAreLost).await;
}

pub(super) async fn a_gateway_error_after_an_act_is_of_unknown_outcome_and_not_repeated<R: Rig>(rig: R) {
    unknown_and_once(rig, Trouble::GatewayFailsAfterAct).await;
}

pub(super) async fn a_garbled_answer_to_an_act_is_no_success<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsAreGarbage).await {
        for (_, verb) in verbs(&rig).into_iter().filter(|(can, _)| *can) {
            let error = fails(
                &rig,
                rig.backend().start(act(&rig, &session.id, verb)).await,
                "an act",
            );
            one_of(
                &error,
                &[Kind::Protocol, Kind::OutcomeUnknown],
                "an act answered with garbage",
            );
        }
    }
}

pub(super) async fn a_refused_act_is_denied_and_not_repeated<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsAreRefused).await {
        let error = fails(
            &rig,
            rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await,
            "an act",
        );
        one_of(&error, &[Kind::Denied], "a refused act");
        assert_eq!(rig.acts().await, 1);
    }
}

pub(super) async fn a_rate_limited_act_is_not_repeated<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsAreTooMany).await {
        let error = fails(
            &rig,
            rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await,
            "an act",
        );
        assert!(matches!(error.kind, Kind::RateLimited { .. }), "{error:?}");
        assert_eq!(rig.acts().await, 1);
    }
}

pub(super) async fn an_act_that_comes_too_late_is_not_sent<R: Rig>(rig: R) {
    let session = first(&rig).await;
    let late = Recorded::for_test(SessionAction {
        session: session.id.clone(),
        verb: some_verb(&rig),
        not_after: rig.clock().now() - TimeDelta::seconds(1),
    });
    let error = fails(&rig, rig.backend().start(late).await, "a late act");
    one_of(&error, &[Kind::Unavailable], "a late act");
    assert_eq!(rig.acts().await, 0);
}

pub(super) async fn capabilities_are_honest<R: Rig>(rig: R) {
    for (can, verb) in verbs(&rig) {
        let session = first(&rig).await;
        let before = rig.acts().await;
        let started = rig.backend().start(act(&rig, &session.id, verb.clone())).await;
        if can {
            started.unwrap_or_else(|error| panic!("{verb:?} is said to be possible: {error:?}"));
        } else {
            one_of(
                &fails(&rig, started, "an impossible act"),
                &[Kind::Unsupported],
                "an impossible act",
            );
            assert_eq!(rig.acts().await, before);
        }
    }
}
