//! Listings: whole or an error.

use curfew_core::BackendErrorKind as Kind;

use super::*;

fn body(text: &str) -> FaultAction {
    status(
        200,
        FaultBody::Custom {
            content_type: "application/json".to_owned(),
            text: text.to_owned(),
        },
    )
}

async fn kind_of_listing(rig: &SimRig) -> Kind {
    rig.backend
        .list(&soon())
        .await
        .expect_err("the listing fails")
        .kind
}

#[tokio::test]
async fn a_site_that_repeats_its_continuation_token_is_no_listing() {
    let rig = SimRig::cloud().await;
    rig.fault(Operation::List, FaultAction::RepeatContinuationToken);
    assert_eq!(kind_of_listing(&rig).await, Kind::Protocol);
    assert!(rig.sim.counters().pages <= 4);
}

#[tokio::test]
async fn a_passing_error_on_a_later_page_costs_a_repetition_and_not_the_listing() {
    let rig = SimRig::cloud().await;
    for then in [
        status(502, FaultBody::Html),
        FaultAction::DropBefore,
        FaultAction::TruncatedBody,
    ] {
        rig.sim
            .add_fault(Fault::on(Operation::List, then.clone()).skip(1).times(1));
        let listing = rig.backend.list(&soon()).await;
        assert_eq!(listing.expect("it goes on").sessions.len(), SESSIONS, "{then:?}");
        rig.sim.clear_faults();
    }
}

#[tokio::test]
async fn a_page_that_fails_for_good_costs_the_listing() {
    let rig = SimRig::cloud().await;
    for (then, kind) in [
        (status(500, FaultBody::Native), Kind::Unavailable),
        (status(400, FaultBody::Native), Kind::Denied),
        (status(403, FaultBody::Native), Kind::Denied),
        (status(404, FaultBody::Html), Kind::Unavailable),
        (
            status(429, FaultBody::Empty),
            Kind::RateLimited { retry_after: None },
        ),
        (status(202, FaultBody::Empty), Kind::Protocol),
        (FaultAction::TruncatedBody, Kind::Unavailable),
        (FaultAction::Html, Kind::Protocol),
        (body("[]"), Kind::Protocol),
        (body("{}"), Kind::Protocol),
        (body(r#"{"Items":null}"#), Kind::Protocol),
        (body(&"[".repeat(100_000)), Kind::Protocol),
    ] {
        rig.sim
            .add_fault(Fault::on(Operation::List, then.clone()).skip(2));
        assert_eq!(kind_of_listing(&rig).await, kind, "{then:?}");
        rig.sim.clear_faults();
    }
}

#[tokio::test]
async fn a_body_without_an_end_is_cut_off() {
    let rig = SimRig::cloud().await;
    rig.fault(Operation::List, FaultAction::EndlessBody);
    rig.fault(Operation::Get, FaultAction::EndlessBody);
    let kind = kind_of_listing(&rig).await;
    assert!(matches!(kind, Kind::Protocol | Kind::TimedOut), "{kind:?}");
    let (_, session) = rig.someone();
    let error = rig.backend.get(&session, &soon()).await.expect_err("no session");
    assert!(matches!(error.kind, Kind::Protocol | Kind::TimedOut), "{error:?}");
}

#[tokio::test]
async fn a_bad_row_costs_itself_and_a_bad_member_less() {
    let rig = SimRig::cloud().await;
    rig.fault(
        Operation::List,
        body(
            r#"{"Items":[
                {"Id":"AAAAAAAA-d12b-485c-afd2-c4d0d047cd8b","State":"Active","User":{"Name":"CORP\\ann"}},
                {"Id":"bbbbbbbb-d12b-485c-afd2-c4d0d047cd8b","State":7,"User":[],"Machine":"M","Client":null,
                 "ApplicationsInUse":[{"Name":"Editor"},5,null,{"Name":7}],"IsAnonymousUser":"no","StartTime":{}},
                {"State":"Active"},
                {"Id":null},
                {"Id":"../../x"},
                17,
                {"Id":"cccccccc-d12b-485c-afd2-c4d0d047cd8b","Id":"twice"},
                {"Id":"aaaaaaaa-D12B-485c-afd2-c4d0d047cd8b","State":"Disconnected"}
            ]}"#,
        ),
    );
    let listing = rig.backend.list(&soon()).await.expect("a listing");
    let rows: Vec<String> = listing
        .sessions
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {:?}",
                row.id.native(),
                row.state,
                row.user.name,
                row.applications
            )
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[tokio::test]
async fn values_that_nobody_knows_yet_are_unknown() {
    let rig = SimRig::cloud().await;
    rig.fault(Operation::List, FaultAction::GarbageEnum);
    let listing = rig.backend.list(&soon()).await.expect("a listing");
    assert_eq!(listing.sessions.len(), SESSIONS);
    assert!(
        listing
            .sessions
            .iter()
            .all(|row| row.kind == curfew_core::SessionKind::Unknown)
    );
}

#[tokio::test]
async fn sessions_that_come_and_go_between_pages_confuse_nothing() {
    let rig = SimRig::start(CitrixSimConfig::cloud().sessions(200).with(Variant::RepeatRows)).await;
    let stayed: BTreeSet<String> = rig.sessions().await;
    rig.fault(Operation::List, FaultAction::DelayAnswer { ms: 15 });
    let churn = async {
        for _ in 0..30 {
            let native = rig.sim.add_session("CORP\\passer-by");
            tokio::time::sleep(Duration::from_millis(5)).await;
            rig.sim.remove_session(native);
        }
    };
    let (listing, ()) = tokio::join!(async { rig.backend.list(&soon()).await }, churn);
    let listed: Vec<String> = listing
        .expect("a listing")
        .sessions
        .iter()
        .map(|row| row.id.native().into_owned())
        .collect();
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(listed.len(), unique.len());
    assert!(stayed.is_subset(&unique), "what stayed all the time is listed");
}

#[tokio::test]
async fn five_thousand_sessions_are_five_pages() {
    let sim = CitrixSim::start(CitrixSimConfig::on_prem().sessions(5000))
        .await
        .expect("it starts");
    install_provider();
    let text = format!(
        "kind = 'citrix'\nid = 'ddc'\nflavour = 'on-prem'\nurl = '{}'\nallow_loopback = true\n\
         username = '{}'\npassword = '{}'",
        sim.url(),
        sim.config().username,
        sim.config().password
    );
    let config: BackendConfig = toml::from_str(&text).expect("the configuration reads");
    let backend = build(
        &config,
        &Deps {
            clock: Arc::new(SystemClock),
        },
    )
    .expect("it builds");
    let listing = backend
        .list(&ReadCtx::within(Duration::from_secs(60)))
        .await
        .expect("a listing");
    assert_eq!(listing.sessions.len(), 5000);
    assert_eq!(sim.counters().pages, 5);
}
