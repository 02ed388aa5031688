//! A database that goes away before, during and after the commits of an act.
//!
//! Not crashes of the gateway (`crash`). Invariant: no act that is not on record, none twice, nothing lost, and a
//! coded answer that says what was not done.

use std::time::Duration;

use curfew_sim::{CitrixSimConfig, Fault, FaultAction, Operation};
use curfew_store::testing::SqliteHog;
use curfew_tests::{Client, Db, Gateway, Proxy, Reply, Trip, until};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const DISCONNECT: &str = "mutation($id: ID!, $why: String) { disconnectSession(input: { onlineSessionId: $id, \
     reason: $why }) { status operation { id outcome reason sent } } }";
const LOGOFF: &str = "mutation($id: ID!, $why: String) { logoffSession(input: { target: { onlineSessionId: $id }, \
     wait: true, reason: $why }) { status } }";
/// A text that stands in what the gateway sends when it commits the intent, and nowhere before.
const WHY: &str = "the-reason-of-this-act";

/// A gateway whose database is behind a network that can break; `None` without a Postgres server.
async fn behind_a_network() -> Option<(Gateway, Proxy)> {
    let db = Db::postgres().await?;
    let proxy = Proxy::before(&db.url).await;
    let sim = CitrixSimConfig::cloud().sessions(20).logoff_takes(Duration::ZERO);
    let gw = Gateway::builder()
        .citrix(sim)
        .database(&db.through(&proxy))
        .start()
        .await;
    Some((gw, proxy))
}

async fn act(gw: &Gateway, n: usize) -> Reply {
    let (_, id) = gw.active(n);
    gw.operator()
        .query(DISCONNECT, json!({ "id": id, "why": WHY }))
        .await
}

fn begin(client: Client, document: &'static str, id: String) -> JoinHandle<Reply> {
    tokio::spawn(async move { client.query(document, json!({ "id": id, "why": WHY })).await })
}

/// Nothing was sent, and the answer says so.
fn assert_not_sent(gw: &Gateway, reply: &Reply) {
    assert_eq!(reply.verdict(), (503, "AUDIT_UNAVAILABLE"), "{}", reply.text);
    assert_eq!(
        reply.message(),
        "The audit record cannot be written, so nothing was sent. Try again when the database is back."
    );
    let extensions = &reply.body["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["retryable"], &extensions["retryAfterMs"]),
        (&json!(true), &json!(2000))
    );
    assert_eq!(reply.header("retry-after"), "2");
    assert_eq!(gw.sim().acts(), []);
}

/// Nothing was sent; whether the intent is on record is not known, and the answer says that too.
fn assert_not_sent_in_doubt(gw: &Gateway, reply: &Reply) {
    assert_eq!(reply.verdict(), (503, "AUDIT_UNAVAILABLE"), "{}", reply.text);
    let extensions = &reply.body["errors"][0]["extensions"];
    let operation = extensions["operationId"]
        .as_str()
        .expect("the operation to look at");
    assert_eq!(
        reply.message(),
        format!(
            "The audit record cannot be written, so nothing was sent. Whether the intent is on record is not known: \
             look at operation {operation} when the database is back, before you ask again."
        )
    );
    assert_eq!(
        (&extensions["retryable"], reply.header("retry-after")),
        (&json!(false), "")
    );
    assert_eq!(gw.sim().acts(), []);
}

/// What `/readyz` says is wrong: name and detail of each check that is not in order.
async fn complaints(gw: &Gateway) -> (u16, Vec<Value>) {
    let reply = gw.ops("/readyz").await;
    let checks = reply.body["checks"].as_array().cloned().unwrap_or_default();
    let wrong = checks.into_iter().filter(|it| it["ok"] == false);
    (
        reply.status,
        wrong.map(|it| json!([it["name"], it["detail"]])).collect(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_nothing_is_sent() {
    let Some((gw, proxy)) = behind_a_network().await else {
        return;
    };
    proxy.cut();
    let reply = act(&gw, 0).await;
    // Whether the broken connection is noticed before the intent leaves is a race; each answer is held to its own text.
    if reply.body["errors"][0]["extensions"]["operationId"].is_null() {
        assert_not_sent(&gw, &reply);
    } else {
        assert_not_sent_in_doubt(&gw, &reply);
    }
    let (status, wrong) = complaints(&gw).await;
    assert_eq!(status, 503);
    let down = json!(["database", "the database does not answer"]);
    assert!(wrong.contains(&down), "{wrong:?}");
    // A missing right is a missing right, also if that cannot be put on record.
    let (_, id) = gw.active(0);
    let refused = gw.viewer().query(DISCONNECT, json!({ "id": id })).await;
    assert_eq!(refused.verdict(), (403, "FORBIDDEN"));
    // What needs no database goes on; what does says so.
    let list = gw
        .viewer()
        .data("{ onlineSessions { totalCount } }", json!({}))
        .await;
    assert_eq!(list["onlineSessions"]["totalCount"], 20);
    for document in [
        "{ auditRecords { nodes { id } } }",
        "{ operations { nodes { id } } }",
    ] {
        let unread = gw.admin().query(document, json!({})).await;
        assert_eq!(unread.verdict(), (503, "AUDIT_UNAVAILABLE"), "{}", unread.text);
    }
    assert_eq!(
        gw.ops("/livez").await.status,
        200,
        "whoever waits for a database must not be killed"
    );

    proxy.restore();
    gw.ready().await;
    let done = act(&gw, 0).await;
    assert_eq!(
        done.body["data"]["disconnectSession"]["status"], "DISCONNECTED",
        "{}",
        done.text
    );
    gw.audit().await.assert_is(
        "
        INTENT DISCONNECT <- Otto Operator
        ATTEMPT 1 DISCONNECT <- Otto Operator
        OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Otto Operator
        ",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_falls_silent_is_given_up() {
    let Some((gw, proxy)) = behind_a_network().await else {
        return;
    };
    proxy.silence();
    // Bounded by the limits of the store, never by the network; the client itself gives up after two minutes.
    let reply = act(&gw, 0).await;
    assert_not_sent_in_doubt(&gw, &reply);
    proxy.restore();
    gw.ready().await;
    let done = act(&gw, 0).await;
    assert_eq!(
        done.body["data"]["disconnectSession"]["status"], "DISCONNECTED",
        "{}",
        done.text
    );
    assert_eq!(gw.sim().acts().len(), 1);
    let audit = gw.audit().await;
    let performed = audit.of(&done.body["data"]["disconnectSession"]["operation"]["id"]);
    assert_eq!(performed.only("OUTCOME")["outcome"], "SUCCEEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intent_whose_commit_is_lost_on_the_way_is_not_sent() {
    let Some((gw, proxy)) = behind_a_network().await else {
        return;
    };
    proxy.trip_at(WHY, Trip::LoseRequest);
    let reply = act(&gw, 0).await;
    proxy.tripped().await;
    assert_not_sent_in_doubt(&gw, &reply);
    // Whether it is on record is not known yet: the operation is named, and no act is begun meanwhile.
    assert!(
        reply.body["errors"][0]["extensions"]["operationId"].is_string(),
        "{}",
        reply.text
    );
    let (status, wrong) = complaints(&gw).await;
    assert_eq!(status, 503);
    assert!(
        wrong.contains(&json!([
            "outcomes",
            "the ends of 1 operations are not committed yet"
        ])),
        "{wrong:?}"
    );
    proxy.restore();
    gw.ready().await;
    assert_eq!(gw.audit().await.0, [] as [Value; 0], "it never arrived");
    assert_eq!(gw.sim().acts(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intent_whose_answer_is_lost_is_settled() {
    let Some((gw, proxy)) = behind_a_network().await else {
        return;
    };
    proxy.trip_at(WHY, Trip::LoseAnswer);
    let reply = act(&gw, 0).await;
    proxy.tripped().await;
    assert_eq!(
        reply.body["data"]["disconnectSession"]["status"], "DISCONNECTED",
        "{}",
        reply.text
    );
    assert_eq!(gw.sim().acts().len(), 1);
    gw.audit().await.assert_is(
        "
        INTENT DISCONNECT <- Otto Operator
        ATTEMPT 1 DISCONNECT <- Otto Operator
        OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Otto Operator
        ",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intent_that_cannot_be_settled_ends_unsent() {
    let Some((gw, proxy)) = behind_a_network().await else {
        return;
    };
    proxy.trip_at(WHY, Trip::LoseAnswerAndStayDown);
    let reply = act(&gw, 0).await;
    proxy.tripped().await;
    assert_not_sent_in_doubt(&gw, &reply);
    let operation = reply.body["errors"][0]["extensions"]["operationId"].clone();
    proxy.restore();
    gw.ready().await;
    let audit = gw.audit().await;
    audit.assert_is(
        "
        INTENT DISCONNECT <- Otto Operator
        ATTEMPT 1 DISCONNECT <- Otto Operator
        OUTCOME DISCONNECT FAILED NOT_SENT sent=NO by REQUEST <- Otto Operator
        ",
    );
    assert_eq!(audit.only("OUTCOME")["operationId"], operation);
    assert_eq!(gw.sim().acts(), []);
}

/// The act has happened, and its end cannot be put on record.
async fn the_end_is_written_when_the_database_is_back(on: Operation, document: &'static str, action: &str) {
    let Some((gw, proxy)) = behind_a_network().await else {
        return;
    };
    let (session, id) = gw.active(0);
    gw.sim()
        .add_fault(Fault::on(on, FaultAction::Hold).session(session));
    let asked = begin(gw.operator(), document, id);
    gw.sim().wait_for_held(1).await;
    proxy.cut();
    gw.sim().clear_faults();
    gw.sim().release();

    let reply = asked.await.expect("an answer");
    assert_eq!(reply.verdict(), (500, "OUTCOME_UNKNOWN"), "{}", reply.text);
    let extensions = reply.body["errors"][0]["extensions"].clone();
    assert_eq!(extensions["retryable"], false);
    let operation = extensions["operationId"].clone();
    assert!(operation.is_string(), "{}", reply.text);
    assert!(
        reply.message().contains("cannot be put on record yet"),
        "{}",
        reply.message()
    );
    let (status, wrong) = complaints(&gw).await;
    assert_eq!(status, 503);
    assert!(
        wrong.contains(&json!([
            "outcomes",
            "the ends of 1 operations are not committed yet"
        ])),
        "{wrong:?}"
    );
    assert!(
        gw.ops("/metrics")
            .await
            .text
            .contains("curfew_outcomes_unwritten"),
        "a gauge to watch"
    );

    proxy.restore();
    gw.ready().await;
    let audit = until("the OUTCOME", async || {
        let audit = gw.audit().await;
        (!audit.phase("OUTCOME").is_empty()).then_some(audit)
    })
    .await;
    assert_eq!(audit.only("OUTCOME")["operationId"], operation);
    let outcome = audit.only("OUTCOME");
    assert_eq!(
        json!([outcome["action"], outcome["outcome"], outcome["sent"]]),
        json!([action, "SUCCEEDED", "YES"]),
        "{audit}"
    );
    assert_eq!((audit.0.len(), gw.sim().acts().len()), (3, 1), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_disconnect_is_not_lost() {
    the_end_is_written_when_the_database_is_back(Operation::Disconnect, DISCONNECT, "DISCONNECT").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_log_off_is_not_lost() {
    the_end_is_written_when_the_database_is_back(Operation::Logoff, LOGOFF, "LOGOFF").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_whose_answer_is_lost_is_written_once() {
    let Some((gw, proxy)) = behind_a_network().await else {
        return;
    };
    let (session, id) = gw.active(0);
    gw.sim()
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::Hold).session(session));
    let asked = begin(gw.operator(), DISCONNECT, id);
    gw.sim().wait_for_held(1).await;
    proxy.trip_at("S2002I", Trip::LoseAnswer);
    gw.sim().release();
    proxy.tripped().await;
    let reply = asked.await.expect("an answer");
    // Written at the second try, after which the caller may have been told that it is not written yet.
    assert!(
        reply.status == 200 || reply.code() == "OUTCOME_UNKNOWN",
        "{}",
        reply.text
    );
    gw.ready().await;
    gw.audit().await.assert_is(
        "
        INTENT DISCONNECT <- Otto Operator
        ATTEMPT 1 DISCONNECT <- Otto Operator
        OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Otto Operator
        ",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_somebody_else_writes_to_is_given_up() {
    let db = Db::sqlite();
    let sim = CitrixSimConfig::cloud().sessions(20);
    let builder = Gateway::builder().citrix(sim).database(&db);
    let gw = builder
        .store(|store| store.statement = Duration::from_millis(300))
        .start()
        .await;
    let hog = SqliteHog::on(&db.file().expect("SQLite")).await;
    assert_not_sent(&gw, &act(&gw, 0).await);
    hog.end().await;
    let done = until("the file is free", async || {
        let reply = act(&gw, 0).await;
        (reply.status == 200).then_some(reply)
    })
    .await;
    assert_eq!(
        done.body["data"]["disconnectSession"]["status"], "DISCONNECTED",
        "{}",
        done.text
    );
    assert_eq!(gw.sim().acts().len(), 1);
    let audit = gw.audit().await;
    assert_eq!(
        audit.phase("INTENT").len(),
        audit.phase("OUTCOME").len(),
        "{audit}"
    );
    let sent: Vec<_> = audit
        .phase("OUTCOME")
        .iter()
        .filter(|row| row["sent"] == "YES")
        .map(|row| row["outcome"].clone())
        .collect();
    assert_eq!(sent, ["SUCCEEDED"], "{audit}");
}
