//! Reading one session: what proves that it is there, and what that it is gone.

use curfew_core::{BackendErrorKind as Kind, Sight};

use super::*;

async fn look(rig: &SimRig, session: &SessionId) -> Result<Sight, Kind> {
    match rig.backend.get(session, &soon()).await {
        Ok(reply) => Ok(reply.value),
        Err(error) => Err(error.kind),
    }
}

fn error_body(code: u16, text: &str) -> FaultAction {
    status(
        code,
        FaultBody::Custom {
            content_type: "application/json".to_owned(),
            text: text.to_owned(),
        },
    )
}

#[tokio::test]
async fn a_500_is_gone_only_if_a_whole_listing_lacks_the_session() {
    let rig = SimRig::start(
        CitrixSimConfig::cloud()
            .sessions(SESSIONS)
            .with(Variant::NotFound500),
    )
    .await;
    let (native, session) = rig.someone();

    // Listed, although reading it fails in the words of what does not exist.
    let ghost = rig.sim.add_fault(Fault::on(Operation::Get, FaultAction::Ghost));
    assert_eq!(look(&rig, &session).await, Err(Kind::Unavailable));
    rig.sim.remove_fault(ghost);

    // Not listed, but nobody can say so.
    rig.sim.remove_session(native);
    for then in [
        status(502, FaultBody::Html),
        FaultAction::WrongTypes,
        FaultAction::RepeatContinuationToken,
    ] {
        let fault = rig.sim.add_fault(Fault::on(Operation::List, then).skip(1));
        assert_eq!(look(&rig, &session).await, Err(Kind::Unavailable));
        rig.sim.remove_fault(fault);
    }

    let reply = rig.backend.get(&session, &soon()).await.expect("it can be told");
    assert_eq!(reply.value, Sight::Gone);
    assert_eq!(reply.evidence.status, Some(200), "the listing is the evidence");
}

#[tokio::test]
async fn a_500_in_other_words_is_judged_alike() {
    let rig = SimRig::cloud().await;
    let (native, session) = rig.someone();
    rig.fault(Operation::Get, status(500, FaultBody::Html));
    assert_eq!(look(&rig, &session).await, Err(Kind::Unavailable));
    rig.sim.remove_session(native);
    assert_eq!(look(&rig, &session).await, Ok(Sight::Gone));
}

#[tokio::test]
async fn a_404_counts_only_if_the_vendor_gave_it() {
    let rig = SimRig::cloud().await;
    let (native, session) = rig.someone();
    for (then, seen) in [
        (status(404, FaultBody::Html), Err(Kind::Unavailable)),
        (status(404, FaultBody::Empty), Err(Kind::Unavailable)),
        (status(404, FaultBody::Native), Ok(Sight::Gone)),
        (status(404, FaultBody::ErrorData), Ok(Sight::Gone)),
        // A proxy's own problem document.
        (
            error_body(
                404,
                r#"{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.5","title":"Not Found"}"#,
            ),
            Err(Kind::Unavailable),
        ),
        // Something is missing, but it is not the session.
        (
            error_body(
                404,
                r#"{"type":"https://errors-api.cloud.com/common/notFound","detail":"Session not found",
                    "parameters":[{"name":"entityType","value":"Site"}]}"#,
            ),
            Err(Kind::Unavailable),
        ),
    ] {
        rig.fault(Operation::Get, then.clone());
        assert_eq!(look(&rig, &session).await, seen, "{then:?}");
        rig.sim.clear_faults();
    }
    assert!(rig.sim.session(native).is_some());
}

#[tokio::test]
async fn an_answer_about_another_session_is_not_believed() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    for text in [
        r#"{"Id":"41ba32e9-d12b-485c-afd2-c4d0d047cd8b","State":"Active"}"#,
        "{}",
        "null",
        "[]",
    ] {
        rig.fault(Operation::Get, error_body(200, text));
        assert_eq!(look(&rig, &session).await, Err(Kind::Protocol), "{text}");
        rig.sim.clear_faults();
    }
}

#[tokio::test]
async fn an_id_with_another_generation_names_no_session_of_ours() {
    let rig = SimRig::cloud().await;
    let (native, session) = rig.someone();
    let forged = SessionId::parse(&format!("citrix-eu:{native}@0123456789abcdef")).expect("an id");
    let Ok(Sight::Replaced(real)) = look(&rig, &forged).await else {
        panic!("not replaced")
    };
    assert_eq!(real.id, session);
    assert_eq!(
        rig.act(&forged, Verb::Logoff).await.expect("no send").value,
        Started::Replaced
    );
    rig.sim.remove_session(native);
    assert_eq!(look(&rig, &forged).await, Ok(Sight::Gone));
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn a_session_that_logs_off_says_so_until_it_is_gone() {
    let rig = SimRig::start(CitrixSimConfig::cloud().logoff_takes(Duration::from_millis(400))).await;
    let (_, session) = rig.someone();
    rig.act(&session, Verb::Logoff).await.expect("it starts");
    let Ok(Sight::Here(seen)) = look(&rig, &session).await else {
        panic!("gone at once")
    };
    assert_eq!(seen.state, curfew_core::SessionState::LoggingOff);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(look(&rig, &session).await, Ok(Sight::Gone));
}
