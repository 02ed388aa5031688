//! A vendor that answers wrongly, late, half, elsewhere or not at all, in the middle of an act.
//!
//! Not listings (`listing`). Invariant: whatever the site does, an act has one coded answer, at most one request that
//! the site carries out, one OUTCOME on record, and the listing goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use curfew_sim::{
    Act, CitrixSimConfig, Fault, FaultAction, FaultBody, LocationStyle, Operation, SessionState,
};
use curfew_tests::{BACKEND, Client, Db, Gateway, Reply, Site, on_both, until};
use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

on_both![
    every_fault_of_a_log_off_has_its_end,
    every_fault_of_a_disconnect_has_its_code,
    a_message_is_never_repeated,
    a_site_that_withdraws_its_tokens_is_asked_once_more,
];

const LOGOFF: &str = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true }) { \
     status message operation { id outcome reason sent } } }";
const BY_ID: &str = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
const MESSAGE: &str = "mutation($id: ID!) { sendMessage(input: { onlineSessionId: $id, text: \"x\" }) { \
     status operation { id outcome reason sent } } }";

/// A gateway that does not wait long, before a site of 60 sessions.
async fn impatient(db: &Db, sim: CitrixSimConfig) -> Gateway {
    let site =
        Site::new(BACKEND, sim.sessions(60).logoff_takes(Duration::ZERO)).key("act_timeout_seconds", 1);
    let builder = Gateway::builder().site(site).database(db).deadlines(|deadlines| {
        deadlines.running = Duration::from_secs(2);
        deadlines.confirming = Duration::from_secs(1);
    });
    builder.start().await
}

fn status(code: u16, headers: &[(&str, &str)]) -> FaultAction {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    FaultAction::Status {
        code,
        body: FaultBody::Native,
        headers: headers.collect::<BTreeMap<_, _>>(),
    }
}

/// The payload's status, the outcome, its reason, whether it was sent; requests at the site, those carried out.
type End = (
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
    usize,
    usize,
);

/// What came of one act: its answer, the requests that reached the site, and its OUTCOME.
struct Came {
    reply: Reply,
    acts: Vec<Act>,
    outcome: Value,
}

/// Acts on a session of its own under a fault of its own.
async fn under(gw: &Gateway, n: usize, on: Operation, fault: FaultAction, document: &str) -> Came {
    let (session, id) = gw.active(n);
    gw.sim().add_fault(Fault::on(on, fault).session(session));
    let reply = gw.operator().query(document, json!({ "id": id })).await;
    let acts: Vec<_> = gw
        .sim()
        .acts()
        .into_iter()
        .filter(|act| act.session == session.to_string())
        .collect();
    let trail = curfew_tests::AuditTrail::read_where(&gw.auditor(), json!({ "onlineSessionId": id })).await;
    let attempts = trail.phase("ATTEMPT").len();
    assert_eq!(
        (trail.phase("INTENT").len(), attempts),
        (1, 1),
        "{}\n{trail}",
        reply.text
    );
    Came {
        reply,
        acts,
        outcome: trail.only("OUTCOME").clone(),
    }
}

/// The listing is whole, and the process answers.
async fn unharmed(gw: &Gateway) {
    let sessions = gw.sim().sessions().len();
    let document = "{ onlineSessions(maxAge: 0) { totalCount backends { status error } } }";
    until("a listing that is whole", async || {
        let viewer = gw.viewer();
        let data = viewer.data(document, json!({})).await;
        let whole = json!({ "totalCount": sessions, "backends": [{ "status": "OK", "error": null }] });
        (data["onlineSessions"] == whole).then_some(())
    })
    .await;
    gw.ready().await;
}

async fn every_fault_of_a_log_off_has_its_end(db: Db) {
    use FaultAction as F;
    let gw = impatient(&db, CitrixSimConfig::cloud()).await;
    let (logoff, get, job) = (Operation::Logoff, Operation::Get, Operation::Job);
    let retry_after = [("retry-after", "7")];
    let elsewhere = F::Redirect {
        to: "http://169.254.169.254/latest".to_owned(),
        code: 307,
    };
    let failing = F::JobFails {
        code: "MachineNotRegistered".to_owned(),
    };
    #[rustfmt::skip] // a table
    let cases: Vec<(Operation, F, End)> = vec![
        (logoff, F::Html, ("UNKNOWN", "UNKNOWN", Some("STILL_PRESENT"), "UNKNOWN", 1, 0)),
        (logoff, F::EndlessBody, ("UNKNOWN", "UNKNOWN", Some("STILL_PRESENT"), "UNKNOWN", 1, 0)),
        (logoff, elsewhere, ("UNKNOWN", "UNKNOWN", Some("STILL_PRESENT"), "UNKNOWN", 1, 0)),
        (logoff, F::WrongTypes, ("LOGGED_OFF", "SUCCEEDED", None, "YES", 1, 1)),
        (logoff, F::BadGatewayAfterAct, ("LOGGED_OFF", "SUCCEEDED", None, "UNKNOWN", 1, 1)),
        (logoff, F::ActThenDrop, ("LOGGED_OFF", "SUCCEEDED", None, "UNKNOWN", 1, 1)),
        (logoff, F::DropBefore, ("UNKNOWN", "UNKNOWN", Some("STILL_PRESENT"), "UNKNOWN", 1, 0)),
        (logoff, F::Hang, ("UNKNOWN", "UNKNOWN", Some("STILL_PRESENT"), "UNKNOWN", 1, 0)),
        (logoff, status(500, &[]), ("UNKNOWN", "UNKNOWN", Some("STILL_PRESENT"), "UNKNOWN", 1, 0)),
        (logoff, status(503, &[]), ("UNKNOWN", "UNKNOWN", Some("STILL_PRESENT"), "UNKNOWN", 1, 0)),
        (logoff, status(429, &retry_after), ("BACKEND_UNAVAILABLE", "FAILED", Some("RATE_LIMITED"), "YES", 1, 0)),
        (logoff, F::Refuse, ("FAILED", "FAILED", Some("REFUSED"), "YES", 1, 0)),
        (logoff, status(409, &[]), ("FAILED", "FAILED", Some("REFUSED"), "YES", 1, 0)),
        (logoff, F::AcceptButIgnore, ("FAILED", "FAILED", Some("STILL_PRESENT"), "YES", 1, 0)),
        (logoff, failing, ("FAILED", "FAILED", Some("JOB_FAILED"), "YES", 1, 1)),
        (logoff, F::JobNeverEnds, ("FAILED", "FAILED", Some("STILL_PRESENT"), "YES", 1, 1)),
        (logoff, F::JobVanishes, ("LOGGED_OFF", "SUCCEEDED", None, "YES", 1, 1)),
        (job, F::Html, ("LOGGED_OFF", "SUCCEEDED", None, "YES", 1, 1)),
        (job, F::Refuse, ("LOGGED_OFF", "SUCCEEDED", None, "YES", 1, 1)),
        (job, F::WrongTypes, ("LOGGED_OFF", "SUCCEEDED", None, "YES", 1, 1)),
        (logoff, F::Ghost, ("ALREADY_GONE", "ALREADY_GONE", None, "YES", 1, 0)),
        (get, F::Ghost, ("ALREADY_GONE", "ALREADY_GONE", None, "NO", 0, 0)),
        (get, F::Html, ("BACKEND_UNAVAILABLE", "FAILED", Some("BACKEND_UNAVAILABLE"), "NO", 0, 0)),
        (get, F::WrongTypes, ("BACKEND_UNAVAILABLE", "FAILED", Some("BACKEND_UNAVAILABLE"), "NO", 0, 0)),
        (get, F::EndlessBody, ("BACKEND_UNAVAILABLE", "FAILED", Some("BACKEND_UNAVAILABLE"), "NO", 0, 0)),
        (get, F::Hang, ("BACKEND_UNAVAILABLE", "FAILED", Some("BACKEND_UNAVAILABLE"), "NO", 0, 0)),
        (get, status(429, &retry_after), ("BACKEND_UNAVAILABLE", "FAILED", Some("RATE_LIMITED"), "NO", 0, 0)),
        (get, F::GarbageEnum, ("LOGGED_OFF", "SUCCEEDED", None, "YES", 1, 1)),
    ];
    let runs = cases.into_iter().enumerate().map(|(n, case)| {
        let gw = &gw;
        async move {
            let (on, fault, (status, outcome, reason, sent, acts, performed)) = case;
            let name = format!("{on:?} {fault:?}");
            let came = under(gw, n, on, fault, LOGOFF).await;
            let payload = &came.reply.body["data"]["logoffSession"];
            let operation = &payload["operation"];
            let done = came.acts.iter().filter(|act| act.performed).count();
            let found = json!([
                payload["status"],
                operation["outcome"],
                operation["reason"],
                operation["sent"],
                came.acts.len(),
                done
            ]);
            let mut problems = Vec::new();
            if found != json!([status, outcome, reason, sent, acts, performed]) {
                problems.push(format!("{name}: {found} {}", came.reply.text));
            }
            let row = &came.outcome;
            let on_record = json!([row["outcome"], row["cause"], row["sent"], row["endedBy"]]);
            if on_record != json!([outcome, reason, sent, "REQUEST"]) {
                problems.push(format!("{name}: on record: {on_record}"));
            }
            problems
        }
    });
    let problems: Vec<_> = join_all(runs.map(Box::pin)).await.into_iter().flatten().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    gw.sim().clear_faults();
    unharmed(&gw).await;
}

async fn every_fault_of_a_disconnect_has_its_code(db: Db) {
    use FaultAction as F;
    let gw = impatient(&db, CitrixSimConfig::cloud()).await;
    let disconnect = Operation::Disconnect;
    #[rustfmt::skip] // a table
    let cases: Vec<(F, (u16, &str), usize)> = vec![
        (F::Html, (500, "OUTCOME_UNKNOWN"), 0),
        (F::Hang, (500, "OUTCOME_UNKNOWN"), 0),
        (F::BadGatewayAfterAct, (200, ""), 1),
        (F::ActThenDrop, (200, ""), 1),
        (F::TruncatedBody, (200, ""), 1),
        (F::WrongTypes, (200, ""), 1),
        (F::GarbageEnum, (200, ""), 1),
        (F::Refuse, (502, "BACKEND_REFUSED"), 0),
        (F::AcceptButIgnore, (502, "BACKEND_REFUSED"), 0),
        (status(429, &[("retry-after", "7")]),
        (502, "BACKEND_UNAVAILABLE"), 0),
        (F::Ghost, (400, "SESSION_NOT_FOUND"), 0),
    ];
    let runs = cases
        .into_iter()
        .enumerate()
        .map(|(n, (fault, verdict, performed))| {
            let gw = &gw;
            async move {
                let name = format!("{fault:?}");
                let limited = verdict.1 == "BACKEND_UNAVAILABLE";
                let Came { reply, acts, outcome } = under(gw, n, disconnect, fault, BY_ID).await;
                let done = acts.iter().filter(|act| act.performed).count();
                let mut problems = Vec::new();
                if (reply.verdict(), acts.len(), done) != (verdict, 1, performed) {
                    problems.push(format!("{name}: {} {} of {acts:?}", reply.status, reply.text));
                }
                let extensions = &reply.body["errors"][0]["extensions"];
                if reply.status != 200 && extensions["operationId"] != outcome["operationId"] {
                    problems.push(format!("{name}: no operation to follow: {}", reply.text));
                }
                if limited && extensions["retryAfterMs"] != 7000 {
                    problems.push(format!("{name}: does not say when to come again: {}", reply.text));
                }
                if reply.code() == "OUTCOME_UNKNOWN" && extensions["retryable"] != false {
                    problems.push(format!("{name}: must not be repeated: {}", reply.text));
                }
                problems
            }
        });
    let problems: Vec<_> = join_all(runs.map(Box::pin)).await.into_iter().flatten().collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    gw.sim().clear_faults();
    unharmed(&gw).await;
}

async fn a_message_is_never_repeated(db: Db) {
    use FaultAction as F;
    let gw = impatient(&db, CitrixSimConfig::cloud()).await;
    #[rustfmt::skip] // a table
    let cases: Vec<(F, &str, Option<&str>, &str)> = vec![
        (F::ActThenDrop, "UNKNOWN", Some("ANSWER_LOST"), "UNKNOWN"),
        (F::BadGatewayAfterAct, "UNKNOWN", Some("ANSWER_LOST"), "UNKNOWN"),
        (F::Hang, "UNKNOWN", Some("ANSWER_LOST"), "UNKNOWN"),
        (F::Refuse, "FAILED", Some("REFUSED"), "YES"),
        (status(429, &[]), "BACKEND_UNAVAILABLE", Some("RATE_LIMITED"), "YES"),
    ];
    for (n, (fault, status, reason, sent)) in cases.into_iter().enumerate() {
        let name = format!("{fault:?}");
        let came = under(&gw, n, Operation::SendMessage, fault, MESSAGE).await;
        let payload = &came.reply.body["data"]["sendMessage"];
        let found = json!([
            payload["status"],
            payload["operation"]["reason"],
            payload["operation"]["sent"]
        ]);
        assert_eq!(
            found,
            json!([status, reason, sent]),
            "{name}: {}",
            came.reply.text
        );
        assert_eq!(came.acts.len(), 1, "{name}");
    }
}

async fn a_site_that_withdraws_its_tokens_is_asked_once_more(db: Db) {
    let gw = impatient(&db, CitrixSimConfig::cloud()).await;
    let (session, id) = gw.active(0);
    gw.sim().add_fault(
        Fault::on(Operation::Logoff, FaultAction::RevokeTokens)
            .session(session)
            .times(1),
    );
    let done = gw.operator().data(LOGOFF, json!({ "id": id })).await["logoffSession"].clone();
    assert_eq!(
        (&done["status"], &done["operation"]["sent"]),
        (&json!("LOGGED_OFF"), &json!("YES"))
    );
    let acts = |session: Uuid| {
        let acts = gw
            .sim()
            .acts()
            .into_iter()
            .filter(move |act| act.session == session.to_string());
        acts.map(|act| (act.answer, act.performed)).collect::<Vec<_>>()
    };
    assert_eq!(
        acts(session),
        [(Some(401), false), (Some(202), true)],
        "refused, then done, once"
    );

    // A storm: every token is withdrawn as soon as it is used.
    let (session, id) = gw.active(0);
    gw.sim()
        .add_fault(Fault::on(Operation::Logoff, FaultAction::RevokeTokens).session(session));
    let done = gw.operator().data(LOGOFF, json!({ "id": id })).await["logoffSession"].clone();
    assert_eq!(
        json!([done["status"], done["operation"]["reason"]]),
        json!(["FAILED", "CREDENTIALS"]),
        "{done}"
    );
    assert_eq!(
        acts(session),
        [(Some(401), false), (Some(401), false)],
        "once more, and no more"
    );
    gw.sim().clear_faults();
    unharmed(&gw).await;
    let audit = gw.audit().await;
    audit.assert_is(
        "
        INTENT LOGOFF <- Otto Operator
        ATTEMPT 1 LOGOFF <- Otto Operator
        OUTCOME LOGOFF SUCCEEDED sent=YES by REQUEST <- Otto Operator
        INTENT LOGOFF <- Otto Operator
        ATTEMPT 1 LOGOFF <- Otto Operator
        OUTCOME LOGOFF FAILED CREDENTIALS sent=YES by REQUEST <- Otto Operator
        ",
    );
}

/// Somewhere that must not be contacted: counts its connections.
async fn trap() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&seen);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    });
    (format!("http://{address}"), seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_host_is_never_contacted() {
    let (foreign, contacted) = trap().await;
    let mut sim = CitrixSimConfig::cloud();
    sim.location = LocationStyle::Foreign(foreign.clone());
    let gw = impatient(&Db::sqlite(), sim).await;
    let (_, id) = gw.active(0);
    let done = gw.operator().data(LOGOFF, json!({ "id": id })).await["logoffSession"].clone();
    assert_eq!(
        done["status"], "LOGGED_OFF",
        "its last segment names the job, which is asked for at the site: {done}"
    );

    for on in [Operation::Disconnect, Operation::Get, Operation::List] {
        let to = format!("{foreign}/cvad/manage");
        gw.sim()
            .add_fault(Fault::on(on, FaultAction::Redirect { to, code: 307 }));
    }
    let (session, id) = gw.active(0);
    let reply = gw.operator().query(BY_ID, json!({ "id": id })).await;
    assert_eq!(reply.verdict(), (502, "BACKEND_UNAVAILABLE"), "{}", reply.text);
    let viewer = gw.viewer();
    let data = viewer.data(
        "{ onlineSessions(maxAge: 0) { totalCount backends { status } } }",
        json!({}),
    );
    let listed = data.await["onlineSessions"].clone();
    assert!(
        listed["totalCount"].as_u64().is_some_and(|count| count >= 59),
        "{listed}"
    );
    assert_eq!(
        gw.sim().session(session).map(|it| it.state),
        Some(SessionState::Active)
    );
    assert_eq!(contacted.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_site_is_woken_up() {
    let gw = impatient(&Db::sqlite(), CitrixSimConfig::cloud()).await;
    gw.sim()
        .add_fault(Fault::on(Operation::Any, FaultAction::FrozenSite { tries: 1 }));
    let (session, id) = gw.active(0);
    let act =
        async || gw.operator().data(LOGOFF, json!({ "id": id })).await["logoffSession"]["status"].clone();
    // The first may still find it asleep, and then says that nothing happened.
    until("the site is awake", async || match act().await.as_str() {
        Some("LOGGED_OFF") => Some(()),
        Some("BACKEND_UNAVAILABLE") => None,
        other => panic!("{other:?}"),
    })
    .await;
    assert!(gw.sim().counters().requests.contains_key(&Operation::Activate));
    let performed = gw
        .sim()
        .acts()
        .iter()
        .filter(|act| act.performed && act.session == session.to_string())
        .count();
    assert_eq!(performed, 1);
    unharmed(&gw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_is_gone_has_done_nothing() {
    let site = CitrixSimConfig::cloud();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let site = Site::new(BACKEND, site.sessions(5)).key("url", closed);
    let gw = Gateway::builder().site(site).start().await;
    let viewer = gw.viewer();
    let data = viewer.data(
        "{ onlineSessions { totalCount nodes { id } backends { status sessionCount error } } }",
        json!({}),
    );
    let listed = data.await["onlineSessions"].clone();
    assert_eq!(listed["backends"][0]["status"], "FAILED");
    assert!(listed["backends"][0]["error"].is_string(), "{listed}");
    let (_, id) = gw.active(0);
    let reply = gw.operator().query(BY_ID, json!({ "id": id })).await;
    assert_eq!(reply.verdict(), (502, "BACKEND_UNAVAILABLE"));
    let extensions = &reply.body["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["backend"], &extensions["retryable"]),
        (&json!(BACKEND), &json!(true))
    );
    let outcome = gw.audit().await.only("OUTCOME").clone();
    assert_eq!(
        json!([outcome["outcome"], outcome["cause"], outcome["sent"]]),
        json!(["FAILED", "BACKEND_UNAVAILABLE", "NO"])
    );
}

/// The runner looks at what ended UNKNOWN every 30 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_unknown_is_settled_by_a_later_read() {
    let db = match Db::postgres().await {
        Some(db) => db,
        None => Db::sqlite(),
    };
    let gw = impatient(&db, CitrixSimConfig::cloud()).await;
    let Came { reply, outcome, .. } = under(&gw, 0, Operation::Logoff, FaultAction::Hang, LOGOFF).await;
    assert_eq!(reply.body["data"]["logoffSession"]["status"], "UNKNOWN");
    let (session, _) = gw.active(0);
    assert!(gw.sim().remove_session(session), "it ends after all");
    let audit = until("a RESOLUTION", async || {
        let audit = gw.audit().await;
        (!audit.phase("RESOLUTION").is_empty()).then_some(audit)
    })
    .await;
    audit.assert_is(
        "
        INTENT LOGOFF <- Otto Operator
        ATTEMPT 1 LOGOFF <- Otto Operator
        OUTCOME LOGOFF UNKNOWN STILL_PRESENT sent=UNKNOWN by REQUEST <- Otto Operator
        RESOLUTION LOGOFF SUCCEEDED GONE sent=UNKNOWN by RUNNER <- Otto Operator
        ",
    );
    let follow = "query($id: ID!) { operation(id: $id) { state outcome } }";
    let state = gw
        .operator()
        .data(follow, json!({ "id": outcome["operationId"] }))
        .await;
    assert_eq!(
        state["operation"],
        json!({ "state": "UNKNOWN", "outcome": "UNKNOWN" }),
        "its end stays as it was"
    );
    assert_eq!(gw.sim().acts().len(), 1);
}

/// Whoever hangs up changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_hangs_up_changes_nothing() {
    let gw = impatient(&Db::sqlite(), CitrixSimConfig::cloud()).await;
    let (session, id) = gw.active(0);
    gw.sim().add_fault(
        Fault::on(Operation::Get, FaultAction::HoldBefore)
            .session(session)
            .times(1),
    );
    let operator: Client = gw.operator();
    let asked = tokio::spawn(async move { operator.query(LOGOFF, json!({ "id": id })).await });
    gw.sim().wait_for_held(1).await;
    asked.abort();
    assert!(asked.await.expect_err("hung up").is_cancelled());
    gw.sim().release();
    gw.sim().wait_for_performed(1).await;
    let audit = until("an OUTCOME", async || {
        let audit = gw.audit().await;
        (!audit.phase("OUTCOME").is_empty()).then_some(audit)
    })
    .await;
    assert_eq!(audit.only("OUTCOME")["outcome"], "SUCCEEDED");
}
