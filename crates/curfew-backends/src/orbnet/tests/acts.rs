//! The disconnect: what is sent, and what its answer is taken for.

use curfew_core::BackendErrorKind as Kind;

use super::*;

async fn kind_of(rig: &SimRig) -> Kind {
    let (_, id) = rig.first().await;
    rig.disconnect(&id).await.expect_err("the act fails").kind
}

#[tokio::test]
async fn exactly_what_the_vendor_documents_is_sent() {
    for (variants, lines) in [(None, ""), (Some(Variant::KillsById), "disconnect_by = 'id'")] {
        let config = variants
            .into_iter()
            .fold(OrbnetSimConfig::default(), OrbnetSimConfig::with);
        let rig = SimRig::with(config, lines).await;
        let (session_id, id) = rig.first().await;
        let row = rig.sim.session(&session_id).expect("it is there");
        let reply = rig.disconnect(&id).await.expect("it is done");
        assert_eq!(reply.value, Started::Done);
        assert_eq!(reply.evidence.status, Some(200));
        let acts = rig.sim.acts();
        let argument = if lines.is_empty() { row.session_id } else { row.id };
        assert_eq!(
            (acts.len(), &acts[0].session, acts[0].performed),
            (1, &argument, true)
        );
        assert_eq!(rig.sight(&id).await.expect("it can be read"), Sight::Gone);
    }
}

#[tokio::test]
async fn the_wrong_id_ends_nothing_and_is_not_taken_for_gone() {
    for (variant, lines) in [(Some(Variant::KillsById), ""), (None, "disconnect_by = 'id'")] {
        let config = variant
            .into_iter()
            .fold(OrbnetSimConfig::default(), OrbnetSimConfig::with);
        let rig = SimRig::with(config, lines).await;
        let (_, id) = rig.first().await;
        let error = rig.disconnect(&id).await.expect_err("it is there");
        assert_eq!(error.kind, Kind::NotFound);
        insta::allow_duplicates! {
            insta::assert_snapshot!(error.public, @"OrbNet lists this session and does not find it by the id that it was given; the configuration's `disconnect_by` may name the wrong one of the two");
        }
        let evidence = error.evidence.expect("evidence");
        assert_eq!(evidence.native_code.as_deref(), Some("SESSION_NOT_FOUND"));
        assert!(matches!(rig.sight(&id).await, Ok(Sight::Here(_))));
        assert_eq!(rig.sim.acts().len(), 1);
    }
}

#[tokio::test]
async fn a_session_that_ends_between_look_and_act_is_already_gone() {
    for variant in [None, Some(Variant::Errors200)] {
        let config = variant
            .into_iter()
            .fold(OrbnetSimConfig::default(), OrbnetSimConfig::with);
        let rig = SimRig::start(config).await;
        let (session_id, id) = rig.first().await;
        rig.fault(Operation::Disconnect, FaultAction::HoldBefore);
        let ends = async {
            rig.sim.wait_for_held(1).await;
            assert!(rig.sim.end_session(&session_id));
            rig.sim.release();
        };
        let (reply, ()) = tokio::join!(rig.disconnect(&id), ends);
        let reply = reply.expect("it has ended");
        assert_eq!(reply.value, Started::AlreadyGone);
        assert_eq!(reply.evidence.native_code.as_deref(), Some("SESSION_NOT_FOUND"));
        assert!(rig.sim.acts().iter().all(|act| !act.performed));
    }
}

#[tokio::test]
async fn a_session_that_cannot_be_found_and_not_be_looked_for_is_not_taken_for_gone() {
    let rig = SimRig::usual().await;
    let (_, id) = rig.first().await;
    rig.fault(Operation::Disconnect, FaultAction::Ghost);
    rig.sim
        .add_fault(Fault::on(Operation::List, status(502, FaultBody::Html)).skip(1));
    let error = rig.disconnect(&id).await.expect_err("nobody can tell");
    assert_eq!(error.kind, Kind::NotFound);
}

#[tokio::test]
async fn a_token_that_may_list_and_not_disconnect_is_denied() {
    for variant in [None, Some(Variant::Errors200)] {
        let config = variant
            .into_iter()
            .fold(OrbnetSimConfig::default(), OrbnetSimConfig::with);
        let rig = SimRig::start(config).await;
        let reseller = rig.reseller();
        assert_eq!(reseller.list(&soon()).await.expect("it lists").sessions.len(), 10);
        let (_, id) = rig.first().await;
        let error = act(&*reseller, &id, Verb::Disconnect)
            .await
            .expect_err("it may not");
        assert_eq!(error.kind, Kind::Denied);
        insta::allow_duplicates! {
            insta::assert_snapshot!(error.public, @"OrbNet does not allow the token to disconnect: it may list, but scope admin is needed to disconnect");
        }
        let evidence = error.evidence.expect("evidence");
        assert_eq!(evidence.native_code.as_deref(), Some("FORBIDDEN"));
        assert_eq!(rig.sim.acts().len(), 1);
        assert!(matches!(rig.sight(&id).await, Ok(Sight::Here(_))));
    }
}

#[tokio::test]
async fn a_code_goes_before_the_status_and_a_message_says_nothing() {
    for status in [None, Some(200), Some(400), Some(500)] {
        for (code, wanted) in [
            // It is still listed.
            ("SESSION_NOT_FOUND", Kind::NotFound),
            ("FORBIDDEN", Kind::Denied),
            ("UNAUTHENTICATED", Kind::Credentials),
            ("AUTHENTICATION_ERROR", Kind::Credentials),
            ("NOT_FOUND", Kind::OutcomeUnknown),
            ("BAD_USER_INPUT", Kind::OutcomeUnknown),
            ("INTERNAL_SERVER_ERROR", Kind::OutcomeUnknown),
            // The message is the vendor's own for a session that is gone.
            ("SOMETHING_NEW", Kind::OutcomeUnknown),
        ] {
            let rig = SimRig::usual().await;
            let (_, id) = rig.first().await;
            rig.fault(Operation::Disconnect, error_code(code, status));
            let error = rig.disconnect(&id).await.expect_err("it is refused");
            assert_eq!(error.kind, wanted, "{code} {status:?}");
            assert_eq!(rig.sim.acts().len(), 1);
        }
    }
}

#[tokio::test]
async fn too_many_acts_are_told_how_long_to_wait() {
    for then in [FaultAction::RateLimited, error_code("RATE_LIMITED", Some(200))] {
        let rig = SimRig::usual().await;
        let (_, id) = rig.first().await;
        rig.fault(Operation::Disconnect, then);
        let error = rig.disconnect(&id).await.expect_err("it is refused");
        let Kind::RateLimited {
            retry_after: Some(after),
        } = error.kind
        else {
            panic!("{error:?}")
        };
        assert!((1..=61).contains(&after.as_secs()), "{after:?}");
        assert_eq!(rig.sim.acts().len(), 1);
    }
}

#[tokio::test]
async fn whatever_is_not_documented_leaves_the_outcome_unknown() {
    let errors = |codes: &str| json(400, &format!(r#"{{"errors":[{codes}],"data":null}}"#));
    for then in [
        FaultAction::False,
        FaultAction::NullData,
        FaultAction::WrongTypes,
        FaultAction::Html,
        FaultAction::EndlessBody,
        FaultAction::TruncatedBody,
        FaultAction::DropBefore,
        FaultAction::ActThenDrop,
        FaultAction::BadGatewayAfterAct,
        FaultAction::DelayAnswer { ms: 1500 },
        FaultAction::ErrorBesideData {
            code: "FORBIDDEN".to_owned(),
        },
        FaultAction::ErrorBesideData {
            code: "SESSION_NOT_FOUND".to_owned(),
        },
        status(400, FaultBody::Html),
        status(404, FaultBody::Empty),
        status(500, FaultBody::Html),
        json(502, r#"{"data":{"disconnectBySessionId":true}}"#),
        json(403, r#"{"data":{"disconnectBySessionId":true}}"#),
        json(200, r#"{"data":{"disconnectBySessionId":null}}"#),
        json(200, r#"{"data":{"disconnectBySessionId":1}}"#),
        json(200, r#"[{"disconnectBySessionId":true}]"#),
        json(200, r#"{"data":[true]}"#),
        json(200, r#"{"errors":[{"message":"SESSION_NOT_FOUND"}],"data":null}"#),
        json(200, r#"{"errors":[{"extensions":{"code":7}}],"data":null}"#),
        errors(r#"{"extensions":{"code":"SESSION_NOT_FOUND"}},{"extensions":{"code":"FORBIDDEN"}}"#),
        errors(r#"{"extensions":{"code":"SESSION_NOT_FOUND"}},{"message":"x"}"#),
    ] {
        let rig = SimRig::usual().await;
        rig.fault(Operation::Disconnect, then.clone());
        assert_eq!(kind_of(&rig).await, Kind::OutcomeUnknown, "{then:?}");
        assert_eq!(rig.sim.acts().len(), 1, "{then:?}");
    }
}

#[tokio::test]
async fn a_refusal_by_status_alone_is_believed() {
    for (code, kind) in [
        (401, Kind::Credentials),
        (403, Kind::Denied),
        (429, Kind::RateLimited { retry_after: None }),
    ] {
        let config = OrbnetSimConfig::default().requests_per_minute(None);
        let rig = SimRig::start(config).await;
        rig.fault(Operation::Disconnect, status(code, FaultBody::Html));
        assert_eq!(kind_of(&rig).await, kind);
    }
}

#[tokio::test]
async fn a_session_that_was_replaced_or_has_ended_is_left_alone() {
    let rig = SimRig::usual().await;
    let (session_id, id) = rig.first().await;
    rig.sim.replace_session(&session_id).expect("it is there");
    assert_eq!(
        rig.disconnect(&id).await.expect("nothing sent").value,
        Started::Replaced
    );
    assert!(rig.sim.end_session(&session_id));
    let reply = rig.disconnect(&id).await.expect("nothing sent");
    assert_eq!(reply.value, Started::AlreadyGone);
    assert_eq!(reply.evidence.status, Some(200), "the listing is the evidence");
    assert_eq!(rig.sim.acts(), []);
    assert_eq!(rig.sim.sessions().len(), 9);
}

#[tokio::test]
async fn a_client_that_comes_back_is_another_session() {
    let config = OrbnetSimConfig::default().reconnect(Duration::from_millis(1));
    let rig = SimRig::start(config).await;
    let (_, id) = rig.first().await;
    rig.disconnect(&id).await.expect("it is done");
    while rig.sim.sessions().len() < 10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.sight(&id).await.expect("it can be read"), Sight::Gone);
}

#[tokio::test]
async fn an_act_that_cannot_be_looked_at_before_is_not_sent() {
    for then in [
        FaultAction::Hang,
        FaultAction::NullData,
        FaultAction::RateLimited,
        error_code("UNAUTHENTICATED", None),
        error_code("FORBIDDEN", None),
        status(502, FaultBody::Html),
    ] {
        let rig = SimRig::usual().await;
        let (_, id) = rig.first().await;
        rig.fault(Operation::List, then.clone());
        let error = rig.disconnect(&id).await.expect_err("it cannot be looked at");
        assert_eq!(error.kind, Kind::Unavailable, "{then:?}");
        assert!(error.public.ends_with("nothing was sent"), "{}", error.public);
        assert_eq!(rig.sim.acts(), [], "{then:?}");
    }
}

#[tokio::test]
async fn an_act_whose_time_ran_out_while_looking_is_not_sent() {
    let rig = SimRig::usual().await;
    let (_, id) = rig.first().await;
    rig.fault(Operation::List, FaultAction::DelayAnswer { ms: 300 });
    let action = SessionAction {
        session: id,
        verb: Verb::Disconnect,
        not_after: SystemClock.now() + TimeDelta::milliseconds(100),
    };
    let error = rig
        .backend
        .start(Recorded::for_test(action))
        .await
        .expect_err("too late");
    assert_eq!(error.kind, Kind::Unavailable);
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn a_row_without_the_id_that_is_asked_for_cannot_be_ended() {
    let rig = SimRig::with(OrbnetSimConfig::default(), "disconnect_by = 'id'").await;
    let text = r#"{"data":{"getOnlineSessions":[{"id":null,"sessionId":"sess_a","startTime":"2026-01-16T14:00:00Z"}]}}"#;
    rig.sim
        .add_fault(Fault::on(Operation::List, json(200, text)).user(101));
    let listing = rig.list().await.expect("it is read");
    let session = listing.sessions.iter().find(|s| s.id.native() == "101/sess_a");
    let error = rig
        .disconnect(&session.expect("it is listed").id)
        .await
        .expect_err("nothing to send");
    assert_eq!(error.kind, Kind::Unavailable);
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn nothing_is_asked_for_what_a_vpn_cannot_do() {
    let rig = SimRig::usual().await;
    let (_, id) = rig.first().await;
    let before = rig.sim.counters().requests;
    let message = Verb::Message {
        title: "Maintenance".to_owned(),
        text: "Please save.".to_owned(),
    };
    for verb in [Verb::Logoff, message] {
        let error = act(&*rig.backend, &id, verb).await.expect_err("it cannot");
        assert_eq!(error.kind, Kind::Unsupported);
    }
    assert_eq!(rig.sim.counters().requests, before);
}

#[tokio::test]
async fn of_two_rows_with_one_session_id_the_younger_can_be_ended_by_its_own_id() {
    let config = OrbnetSimConfig::default().with(Variant::KillsById);
    let rig = SimRig::with(config, "disconnect_by = 'id'").await;
    let (session_id, _) = rig.first().await;
    let real = rig.sim.session(&session_id).expect("it is there");
    let row = |id: &str, start: &str| {
        format!(r#"{{"id":"{id}","sessionId":"{session_id}","startTime":"{start}"}}"#)
    };
    let stale = row("active_000", "2020-01-01T00:00:00Z");
    let both = format!("{stale},{}", row(&real.id, &real.start_time));
    let text = format!(r#"{{"data":{{"getOnlineSessions":[{both}]}}}}"#);
    rig.sim
        .add_fault(Fault::on(Operation::List, json(200, &text)).user(101));
    let (_, id) = rig.first().await;
    assert_eq!(
        rig.disconnect(&id).await.expect("it is done").value,
        Started::Done
    );
    let acts = rig.sim.acts();
    assert_eq!((acts.len(), &acts[0].session), (1, &real.id));
}

/// A listing of this user that is not the simulator's own.
fn lists(rig: &SimRig, user: i32, rows: &[(&str, &str, Option<&str>)]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|(id, session_id, start)| {
            serde_json::json!({ "id": id, "sessionId": session_id, "startTime": start })
        })
        .collect();
    let data = serde_json::json!({ "data": { "getOnlineSessions": rows } });
    rig.sim
        .add_fault(Fault::on(Operation::List, json(200, &data.to_string())).user(user));
}

async fn refused(rig: &SimRig, id: &SessionId) -> String {
    let error = rig.disconnect(id).await.expect_err("somebody else could be hit");
    assert_eq!(error.kind, Kind::Unavailable, "{error:?}");
    assert_eq!(rig.sim.acts(), [], "something was sent");
    error.public
}

#[tokio::test]
async fn an_id_that_another_user_has_too_is_not_sent() {
    for (by, lines) in [("sessionId", ""), ("id", "disconnect_by = 'id'")] {
        let mut config = OrbnetSimConfig::default().with(Variant::SharedIds);
        if by == "id" {
            config = config.with(Variant::KillsById);
        }
        let rig = SimRig::with(config, lines).await;
        let listing = rig.list().await.expect("it is read");
        assert_eq!(listing.sessions.len(), 10, "all of them are shown");
        for session in &listing.sessions {
            assert_eq!(
                refused(&rig, &session.id).await,
                format!(
                    "OrbNet lists a session of another user under this `{by}`, and either could be hit; nothing was sent"
                )
            );
        }
        // As long as their lists cannot be read, the others are taken to have what they had.
        let id = &listing.sessions[0].id;
        rig.sim
            .add_fault(Fault::on(Operation::List, status(502, FaultBody::Html)).skip(1));
        assert!(rig.list().await.is_ok());
        rig.sim.clear_faults();
        refused(&rig, id).await;
        // Once it is theirs alone, they can be disconnected.
        for user in 102..=105 {
            lists(&rig, user, &[]);
        }
        rig.list().await.expect("it is read");
        let native = id.native().into_owned();
        assert!(native.starts_with("101/"), "{native}");
        assert_eq!(rig.disconnect(id).await.expect("it is done").value, Started::Done);
        assert_eq!(rig.sim.acts().len(), 1);
    }
}

#[tokio::test]
async fn rows_that_only_their_id_tells_apart_are_one_session_too_many() {
    for lines in ["", "disconnect_by = 'id'"] {
        let rig = SimRig::with(OrbnetSimConfig::default(), lines).await;
        lists(
            &rig,
            101,
            &[("active_1", "sess_a", None), ("active_2", "sess_a", None)],
        );
        let listing = rig.list().await.expect("it is read");
        let row = listing
            .sessions
            .iter()
            .find(|row| row.id.native() == "101/sess_a");
        let public = refused(&rig, &row.expect("it is listed").id).await;
        assert!(public.contains("either could be hit"), "{public}");
    }
}

#[tokio::test]
async fn a_row_that_is_not_shown_is_there_all_the_same() {
    let (old, new) = ("2026-01-16T08:00:00Z", "2026-01-16T09:00:00Z");
    let rig = SimRig::with(OrbnetSimConfig::default(), "disconnect_by = 'id'").await;
    lists(&rig, 101, &[("active_1", "sess_a", Some(old))]);
    let listed = async || {
        let listing = rig.list().await.expect("it is read").sessions;
        let mut rows = listing.into_iter().filter(|row| row.id.native() == "101/sess_a");
        let row = rows.next().expect("it is listed");
        assert_eq!(rows.next(), None, "one of a kind");
        row.id
    };
    let first = listed().await;
    rig.sim.clear_faults();
    lists(
        &rig,
        101,
        &[
            ("active_2", "sess_a", Some(new)),
            ("active_1", "sess_a", Some(old)),
        ],
    );
    let second = listed().await;
    assert_ne!(first, second, "the younger one is shown");
    for id in [&first, &second] {
        let sight = rig.sight(id).await.expect("it can be read");
        assert!(matches!(&sight, Sight::Here(row) if row.id == *id), "{sight:?}");
        // The simulator has no such row; what counts is what it was asked for, and that it is not taken for gone.
        let error = rig.disconnect(id).await.expect_err("it is still listed");
        assert_eq!(error.kind, Kind::NotFound, "{error:?}");
    }
    let asked: Vec<_> = rig.sim.acts().into_iter().map(|act| act.session).collect();
    assert_eq!(asked, ["active_1", "active_2"]);
}
