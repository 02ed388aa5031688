//! SIGTERM while acts are under way.
//!
//! Not crashes (`crash`). Invariant: no act is without its outcome or a lease that is handed over, and every caller is
//! answered or told that the gateway is stopping.

use curfew_core::Role;
use curfew_sim::{Fault, FaultAction, Operation};
use curfew_tests::{Client, Db, Reply, Serve, SimProcess, on_both, until};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

on_both![
    a_signal_under_load_leaves_nothing_open,
    an_act_in_hand_is_finished_before_the_end
];

const LOGOFF: &str = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true }) { \
     status operation { id state } } }";
const BY_ID: &str = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";

/// What a caller was told: a status, a code, or (`None`) nothing, because nobody listened any more.
fn ask(client: &Client, document: &str, id: &str) -> JoinHandle<Option<Reply>> {
    let request = client.post(&json!({ "query": document, "variables": { "id": id } }));
    tokio::spawn(async move { Reply::try_of(request).await.ok() })
}

/// Every operation, by session: how it ended, if it has.
async fn operations(serve: &Serve) -> Vec<Value> {
    let document = "{ operations(first: 1000) { nodes { id state outcome sent endedBy session { id } } } }";
    let data = serve.role(Role::Admin).data(document, json!({})).await;
    data["operations"]["nodes"].as_array().cloned().expect("rows")
}

async fn a_signal_under_load_leaves_nothing_open(db: Db) {
    // Log-offs take a second, so that many are under way when the signal comes.
    let Some(sim) = SimProcess::start(&["--sessions", "160", "--logoff-ms", "1000"]).await else {
        return;
    };
    let Some(mut serve) = Serve::start(&sim, &db).await else {
        return;
    };
    let desk = serve.role(Role::Operator);
    let active = sim.active().await;
    serve.id(&active[0]).await;
    let list = desk
        .data(
            "{ onlineSessions(first: 1000, filter: { states: [ACTIVE] }) { nodes { id } } }",
            json!({}),
        )
        .await;
    let rows = list["onlineSessions"]["nodes"].as_array().cloned().expect("rows");
    let ids: Vec<_> = rows
        .iter()
        .filter_map(|row| row["id"].as_str())
        .take(80)
        .collect();
    let asked: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(n, id)| ask(&desk, if n % 2 == 0 { LOGOFF } else { BY_ID }, id))
        .collect();
    sim.wait_for_acts(10).await;
    serve.process.terminate().await;

    let mut answered = 0;
    for (id, answer) in ids.iter().zip(asked) {
        let Some(reply) = answer.await.expect("a task") else {
            continue;
        };
        answered += 1;
        let status = reply.body["data"]["logoffSession"]["status"].as_str();
        let good = reply.body["data"]["disconnectBySessionId"] == true
            || matches!(status, Some("LOGGED_OFF" | "ACCEPTED"))
            || matches!(reply.code(), "SHUTTING_DOWN" | "OUTCOME_UNKNOWN");
        assert!(good, "{id}: {} {}", reply.status, reply.text);
    }
    assert!(answered >= 10, "only {answered} callers were answered");
    assert_eq!(serve.process.end().await, Some(0), "{}", serve.process.log());
    assert!(
        !serve.process.log().contains("panicked"),
        "{}",
        serve.process.log()
    );

    // Whoever starts next takes over at once what was handed over: no lease has to run out.
    let before = sim.acts().await.len();
    serve.restart().await;
    let ended = until("every operation ends", async || {
        let all = operations(&serve).await;
        all.iter().all(|it| !it["outcome"].is_null()).then_some(all)
    })
    .await;
    for operation in &ended {
        assert_eq!(operation["outcome"], "SUCCEEDED", "{operation}");
    }
    let acts = sim.acts().await;
    assert_eq!(acts.len(), before, "what was sent is not sent again");
    assert_eq!(
        acts.len(),
        ended.len(),
        "no act without an operation, and none twice"
    );
    let audit = serve.audit().await;
    for phase in ["INTENT", "ATTEMPT", "OUTCOME"] {
        assert_eq!(audit.phase(phase).len(), ended.len(), "{phase}");
    }
    for act in &acts {
        assert_eq!(act["performed"], true, "{act}");
    }
}

async fn an_act_in_hand_is_finished_before_the_end(db: Db) {
    let Some(sim) = SimProcess::start(&["--sessions", "20"]).await else {
        return;
    };
    let Some(mut serve) = Serve::start(&sim, &db).await else {
        return;
    };
    let active = sim.active().await;
    let id = serve.id(&active[0]).await;
    let other = serve.id(&active[1]).await;
    let session = active[0].parse().expect("a GUID");
    sim.fault(&Fault::on(Operation::Disconnect, FaultAction::Hold).session(session))
        .await;
    let desk = serve.role(Role::Helpdesk);
    let in_hand = ask(&desk, BY_ID, &id);
    // On a connection of its own that is there before the signal.
    assert_eq!(desk.query("{ viewer { roles } }", json!({})).await.status, 200);
    sim.wait_for_acts(1).await;
    serve.process.terminate().await;
    until("/readyz says no", async || {
        let reply = serve.ops("/readyz").await;
        (reply.status == 503 && reply.text.contains("the gateway is stopping")).then_some(())
    })
    .await;
    if let Some(refused) = ask(&desk, BY_ID, &other).await.expect("a task") {
        assert_eq!(refused.verdict(), (503, "SHUTTING_DOWN"), "{}", refused.text);
    }
    assert!(serve.process.runs(), "it waits for the act in hand");
    sim.release().await;
    let done = in_hand.await.expect("a task").expect("an answer");
    assert_eq!(
        done.body,
        json!({ "data": { "disconnectBySessionId": true } }),
        "{}",
        done.text
    );
    assert_eq!(serve.process.end().await, Some(0), "{}", serve.process.log());
    assert_eq!(sim.acts().await.len(), 1);
    serve.restart().await;
    serve.audit().await.assert_is(
        "
        INTENT DISCONNECT <- The helpdesk
        ATTEMPT 1 DISCONNECT <- The helpdesk
        OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- The helpdesk
        ",
    );
}
