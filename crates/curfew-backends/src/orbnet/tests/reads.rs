//! Listings and looks: whole, or honest about what is missing.

use curfew_core::{BackendErrorKind as Kind, Generation};

use super::*;

/// A row with what tells sessions apart.
fn row(session_id: &str, start: &str) -> String {
    format!(
        r#"{{"id":"active_{start}","sessionId":"{session_id}","startTime":"2026-01-16T1{start}:00:00Z"}}"#
    )
}

fn rows(rows: &[String]) -> FaultAction {
    json(
        200,
        &format!(r#"{{"data":{{"getOnlineSessions":[{}]}}}}"#, rows.join(",")),
    )
}

/// The parts that failed, with their kinds.
fn failed(listing: &Listing) -> Vec<(String, Kind)> {
    let failed = listing.parts.iter().filter_map(|part| {
        let error = part.outcome.as_ref().err()?;
        Some((part.name.to_string(), error.kind))
    });
    failed.collect()
}

/// How often any user was asked for.
fn listings(rig: &SimRig) -> u64 {
    let requests = rig.sim.counters().requests;
    requests.get(&Operation::List).copied().unwrap_or_default()
}

fn name_of(rig: &SimRig, user: i32) -> String {
    let user = rig.sim.users().into_iter().find(|other| other.id == user);
    user.expect("a user").name
}

#[tokio::test]
async fn a_user_whose_answer_makes_no_sense_is_a_failed_part_and_not_an_empty_one() {
    let rig = SimRig::usual().await;
    let error = |code: &str| error_code(code, Some(200));
    for (then, kind) in [
        (
            json(200, r#"{"data":{"getOnlineSessions":null}}"#),
            Kind::Protocol,
        ),
        (json(200, r#"{"data":{"getOnlineSessions":{}}}"#), Kind::Protocol),
        (
            json(200, r#"{"data":{"getOnlineSessions":[null]}}"#),
            Kind::Protocol,
        ),
        (
            json(200, r#"{"data":{"getOnlineSessions":[[]]}}"#),
            Kind::Protocol,
        ),
        (
            json(200, r#"{"data":{"getOnlineSessions":[{"id":"active_1"}]}}"#),
            Kind::Protocol,
        ),
        (
            json(200, r#"{"data":{"getOnlineSessions":[{"sessionId":7}]}}"#),
            Kind::Protocol,
        ),
        (
            json(200, r#"{"data":{"getOnlineSessions":[{"sessionId":" "}]}}"#),
            Kind::Protocol,
        ),
        (json(200, r#"{"data":{}}"#), Kind::Protocol),
        (json(200, r#"{"data":[[]]}"#), Kind::Protocol),
        (json(200, r#"[{"getOnlineSessions":[]}]"#), Kind::Protocol),
        (json(200, r#"{"errors":"no"}"#), Kind::Protocol),
        (json(200, "{}"), Kind::Protocol),
        (json(200, "null"), Kind::Protocol),
        (FaultAction::NullData, Kind::Protocol),
        (FaultAction::WrongTypes, Kind::Protocol),
        (FaultAction::Html, Kind::Protocol),
        (FaultAction::EndlessBody, Kind::Protocol),
        (
            FaultAction::ErrorBesideData {
                code: "ODD".to_owned(),
            },
            Kind::Protocol,
        ),
        (
            FaultAction::ErrorBesideData {
                code: "FORBIDDEN".to_owned(),
            },
            Kind::Denied,
        ),
        (error("BAD_USER_INPUT"), Kind::Protocol),
        (error("SESSION_NOT_FOUND"), Kind::Protocol),
        (error("INTERNAL_SERVER_ERROR"), Kind::Unavailable),
        (error("NOT_FOUND"), Kind::Denied),
        (error("FORBIDDEN"), Kind::Denied),
        (status(403, FaultBody::Html), Kind::Denied),
        (status(404, FaultBody::Html), Kind::Unavailable),
        (status(502, FaultBody::Html), Kind::Unavailable),
        (status(204, FaultBody::Empty), Kind::Protocol),
        (FaultAction::DropBefore, Kind::Unavailable),
        (FaultAction::TruncatedBody, Kind::Unavailable),
    ] {
        rig.sim
            .add_fault(Fault::on(Operation::List, then.clone()).user(102));
        let listing = rig.list().await.expect("the others are read");
        assert_eq!(failed(&listing), [(name_of(&rig, 102), kind)], "{then:?}");
        assert_eq!(listing.sessions.len(), 8, "{then:?}");
        rig.sim.clear_faults();
    }
}

#[tokio::test]
async fn a_session_is_not_gone_because_its_user_cannot_be_read() {
    let rig = SimRig::usual().await;
    let (_, id) = rig.first().await;
    for then in [
        json(200, r#"{"data":{"getOnlineSessions":null}}"#),
        json(200, r#"{"data":{"getOnlineSessions":[{"id":"x"}]}}"#),
        json(502, r#"{"data":{"getOnlineSessions":[]}}"#),
        FaultAction::ErrorBesideData {
            code: "ODD".to_owned(),
        },
        FaultAction::NullData,
        FaultAction::Html,
        FaultAction::DropBefore,
        error_code("NOT_FOUND", None),
        error_code("SESSION_NOT_FOUND", None),
        status(404, FaultBody::Html),
    ] {
        rig.fault(Operation::List, then.clone());
        assert!(rig.sight(&id).await.is_err(), "{then:?}");
        rig.sim.clear_faults();
    }
    assert!(matches!(rig.sight(&id).await, Ok(Sight::Here(_))));
}

#[tokio::test]
async fn a_session_id_with_another_start_is_another_session() {
    let rig = SimRig::usual().await;
    let (session_id, id) = rig.first().await;
    rig.sim.replace_session(&session_id).expect("it is there");
    let Ok(Sight::Replaced(now)) = rig.sight(&id).await else {
        panic!("the same session id was taken for the same session");
    };
    assert_eq!((now.id.place(), now.id != id), (id.place(), true));
    assert!(rig.sim.end_session(&session_id));
    assert_eq!(rig.sight(&id).await.expect("it can be read"), Sight::Gone);
}

#[tokio::test]
async fn an_id_that_was_never_given_out_is_gone_and_nothing_is_asked() {
    let rig = SimRig::usual().await;
    let (session_id, _) = rig.first().await;
    let asked = rig.sim.counters().requests;
    for native in [
        "sess_live_1".to_owned(),
        "101".to_owned(),
        "101/".to_owned(),
        format!("0101/{session_id}"),
        format!("+101/{session_id}"),
        format!("99999999999/{session_id}"),
        format!("/{session_id}"),
    ] {
        let id = SessionId::new(rig.backend.id(), &native, Generation::of(&[Some("x")])).expect("an id");
        assert_eq!(
            rig.sight(&id).await.expect("it can be told"),
            Sight::Gone,
            "{native}"
        );
        let started = rig.disconnect(&id).await.expect("it can be told");
        assert_eq!(started.value, Started::AlreadyGone, "{native}");
    }
    assert_eq!(rig.sim.counters().requests, asked);
}

#[tokio::test]
async fn a_user_who_is_not_configured_is_not_looked_at_and_nobody_of_theirs_is_called_gone() {
    let rig = SimRig::usual().await;
    let asked = rig.sim.counters().requests;
    let id =
        SessionId::new(rig.backend.id(), "999/sess_live_1", Generation::of(&[Some("x")])).expect("an id");
    let error = rig.sight(&id).await.expect_err("it cannot be told");
    assert_eq!(
        (error.kind, error.public.as_str()),
        (
            Kind::Unavailable,
            "the user of this session is not one that is configured; nothing was sent"
        )
    );
    let error = rig.disconnect(&id).await.expect_err("nothing is sent");
    assert_eq!(error.kind, Kind::Unavailable);
    assert_eq!(rig.sim.counters().requests, asked);
}

#[tokio::test]
async fn a_session_id_that_is_listed_twice_is_one_session_the_younger_one() {
    let rig = SimRig::usual().await;
    for order in [[2, 4, 3], [4, 3, 2], [3, 2, 4]] {
        let double: Vec<String> = order
            .iter()
            .map(|hour| row("sess_a", &hour.to_string()))
            .collect();
        rig.sim
            .add_fault(Fault::on(Operation::List, rows(&double)).user(101));
        let listing = rig.list().await.expect("it is read");
        let listed: Vec<_> = listing
            .sessions
            .iter()
            .filter(|session| session.id.native() == "101/sess_a")
            .collect();
        let [one] = &*listed else { panic!("{listed:?}") };
        assert_eq!(
            one.started_at.map(|at| at.to_rfc3339()).as_deref(),
            Some("2026-01-16T14:00:00+00:00")
        );
        assert!(matches!(rig.sight(&one.id).await, Ok(Sight::Here(_))));
        // Either could be hit by `sessionId`.
        let error = rig.disconnect(&one.id).await.expect_err("nothing is sent");
        assert_eq!(error.kind, Kind::Unavailable);
        assert_eq!(rig.sim.acts(), []);
        rig.sim.clear_faults();
    }
    // Two rows that do not differ are one session, and it can be ended.
    let (session_id, id) = rig.first().await;
    let first = rig.sim.session(&session_id).expect("it is there");
    let same = format!(
        r#"{{"id":"{}","sessionId":"{}","startTime":"{}"}}"#,
        first.id, first.session_id, first.start_time
    );
    rig.sim
        .add_fault(Fault::on(Operation::List, rows(&[same.clone(), same])).user(101));
    assert_eq!(
        rig.disconnect(&id).await.expect("it is sent").value,
        Started::Done
    );
}

#[tokio::test]
async fn a_token_that_is_refused_once_is_not_tried_on_every_user() {
    let rig = SimRig::start(OrbnetSimConfig::default().users(60).sessions_per_user(1)).await;
    for (then, kind) in [
        (error_code("UNAUTHENTICATED", None), Kind::Credentials),
        (error_code("AUTHENTICATION_ERROR", Some(200)), Kind::Credentials),
        (status(401, FaultBody::Html), Kind::Credentials),
        (status(503, FaultBody::Html), Kind::Unavailable),
        (FaultAction::DropBefore, Kind::Unavailable),
    ] {
        rig.fault(Operation::List, then.clone());
        let before = listings(&rig);
        let error = rig.list().await.expect_err("nothing is read");
        assert_eq!(error.kind, kind, "{then:?}");
        let asked = listings(&rig) - before;
        assert!(asked <= 16, "{then:?}: {asked} users were asked for");
        rig.sim.clear_faults();
        // A dropped connection may be one that was idle; that is asked for once more by the next reading.
        let listing = rig.list().await.expect("it is healthy");
        assert_eq!((failed(&listing), listing.sessions.len()), (vec![], 60));
    }
}

#[tokio::test]
async fn beyond_the_limit_the_rest_of_a_listing_waits_for_the_next() {
    let config = OrbnetSimConfig::default()
        .users(40)
        .sessions_per_user(1)
        .requests_per_minute(Some(25));
    let rig = SimRig::start(config).await;
    let listing = rig.list().await.expect("some are read");
    let (read, unread) = (listing.sessions.len(), failed(&listing));
    assert_eq!((read, unread.len()), (25, 15));
    let asked = rig.sim.counters();
    assert!(asked.rate_limited <= 8, "{asked:?}");
    for (_, kind) in &unread {
        let Kind::RateLimited {
            retry_after: Some(after),
        } = kind
        else {
            panic!("{kind:?}")
        };
        assert!(after.as_secs() <= 60, "{after:?}");
    }
    // The vendor asked to be left alone: nothing more is asked for, and the directory is told how long.
    let error = rig.list().await.expect_err("nothing is read");
    let Kind::RateLimited {
        retry_after: Some(after),
    } = error.kind
    else {
        panic!("{error:?}")
    };
    assert!((50..=61).contains(&after.as_secs()), "{after:?}");
    assert_eq!(rig.sim.counters().requests, asked.requests);
}

#[tokio::test]
async fn who_was_not_read_comes_first_the_next_time() {
    let config = OrbnetSimConfig::default()
        .users(40)
        .sessions_per_user(1)
        .requests_per_minute(None);
    let rig = SimRig::start(config).await;
    rig.sim
        .add_fault(Fault::on(Operation::List, json(429, "{}")).skip(20).times(8));
    let listing = rig.list().await.expect("some are read");
    let unread: Vec<String> = failed(&listing).into_iter().map(|(name, _)| name).collect();
    assert!(unread.len() >= 12, "{unread:?}");
    rig.sim.clear_faults();
    // Without a time to wait for, the next listing goes on at once; it is cut short again, elsewhere. (Requests may
    // arrive in another order than they were sent in, as far as they are under way together.)
    rig.sim
        .add_fault(Fault::on(Operation::List, json(429, "{}")).skip(28));
    let listing = rig.list().await.expect("some are read");
    let again = failed(&listing);
    for name in &unread {
        assert!(
            again.iter().all(|(other, _)| other != name),
            "{name} was left out twice"
        );
    }
}

#[tokio::test]
async fn a_wait_is_taken_from_what_the_vendor_says() {
    for (name, value, seconds) in [
        ("Retry-After", "7", 7),
        ("X-RateLimit-Reset", "31", 31),
        ("X-RateLimit-Reset", "4102444800", 60),
        ("X-RateLimit-Reset", "1000000001", 0),
        ("Retry-After", "601", 600),
        ("Retry-After", "100000", 600),
    ] {
        let rig = SimRig::start(OrbnetSimConfig::default().requests_per_minute(None)).await;
        let then = FaultAction::Status {
            code: 429,
            body: FaultBody::Empty,
            headers: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        };
        rig.fault(Operation::List, then);
        let error = rig.list().await.expect_err("nothing is read");
        let Kind::RateLimited {
            retry_after: Some(after),
        } = error.kind
        else {
            panic!("{error:?}")
        };
        assert_eq!(after.as_secs(), seconds, "{name}: {value}");
        let evidence = error.evidence.expect("evidence");
        assert_eq!(
            (evidence.status, evidence.retry_after_ms),
            (Some(429), Some(seconds * 1000))
        );
    }
}

#[tokio::test]
async fn users_who_hang_cost_the_others_nothing() {
    // One more, and nobody could be asked beside them.
    let hanging = 103..110;
    let config = OrbnetSimConfig::default()
        .users(40)
        .sessions_per_user(2)
        .requests_per_minute(None);
    let rig = SimRig::start(config).await;
    for user in hanging.clone() {
        rig.sim
            .add_fault(Fault::on(Operation::List, FaultAction::Hang).user(user));
    }
    let ctx = ReadCtx::within(Duration::from_secs(1));
    let listing = rig.backend.list(&ctx).await.expect("the others are read");
    assert!(
        !ctx.left().is_zero(),
        "a listing that comes after its deadline is thrown away"
    );
    let unread: Vec<_> = hanging
        .map(|user| (name_of(&rig, user), Kind::TimedOut))
        .collect();
    assert_eq!(failed(&listing), unread);
    assert_eq!(listing.sessions.len(), 2 * (40 - 7));
}

#[tokio::test]
async fn five_thousand_sessions_of_five_hundred_users_are_read_eight_at_a_time() {
    let config = OrbnetSimConfig::default()
        .users(500)
        .sessions_per_user(10)
        .requests_per_minute(None);
    let rig = SimRig::start(config).await;
    let listing = rig
        .backend
        .list(&ReadCtx::within(Duration::from_secs(60)))
        .await
        .expect("it is read");
    assert_eq!((listing.sessions.len(), listing.parts.len()), (5000, 500));
    assert_eq!(failed(&listing), []);
    let counters = rig.sim.counters();
    assert_eq!(counters.requests[&Operation::List], 500);
    assert!(counters.at_once <= 8, "{counters:?}");
}

#[tokio::test]
async fn a_check_reads_one_user_and_says_what_it_cannot_see() {
    let rig = SimRig::usual().await;
    for backend in [rig.backend.clone(), rig.reseller()] {
        let before = listings(&rig);
        let health = backend.check(&soon()).await.expect("it can be read");
        let [part] = &*health else { panic!("{health:?}") };
        let text = part.outcome.as_ref().expect("it can be read");
        insta::allow_duplicates! {
            insta::assert_snapshot!(format!("{}: {text}", part.name), @"maria.smith: 2 sessions of this user can be read (the first of 5); whether the token may disconnect too (scope admin, not reseller) cannot be seen without doing so");
        }
        assert_eq!(listings(&rig), before + 1);
    }
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn evidence_names_status_code_and_latency() {
    let rig = SimRig::usual().await;
    let (_, id) = rig.first().await;
    let good = rig
        .backend
        .get(&id, &soon())
        .await
        .expect("it can be read")
        .evidence;
    assert_eq!((good.status, good.native_code), (Some(200), None));
    assert!(good.latency_ms.is_some());
    rig.fault(Operation::List, error_code("FORBIDDEN", Some(200)));
    let bad = rig.backend.get(&id, &soon()).await.expect_err("it is refused");
    let bad = bad.evidence.expect("evidence");
    assert_eq!(
        (bad.status, bad.native_code.as_deref()),
        (Some(200), Some("FORBIDDEN"))
    );
}
