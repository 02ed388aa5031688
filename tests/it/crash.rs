//! `kill -9` of `curfew serve` in the middle of acts, then a restart on the same database.
//!
//! Not orderly stops (`shutdown`). Invariant: each operation ends exactly once, no session is acted on twice, and a
//! message is never repeated.

use curfew_core::Role;
use curfew_sim::{Fault, FaultAction, Operation};
use curfew_tests::{Client, Db, Serve, SimProcess, on_both, until};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

on_both![a_killed_gateway_leaves_nothing_undecided];

const LOGOFF: &str = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true, \
     ticket: \"CRASH\" }) { status } }";
const DISCONNECT: &str =
    "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id }) { status } }";
const MESSAGE: &str =
    "mutation($id: ID!) { sendMessage(input: { onlineSessionId: $id, text: \"Bye\" }) { status } }";

/// A session of the site, and how the gateway names it.
struct Target {
    native: String,
    id: String,
}

/// Asks for an act whose answer will not come: the gateway is killed first.
fn ask(client: &Client, document: &'static str, target: &Target) -> JoinHandle<bool> {
    let (client, id) = (client.clone(), target.id.clone());
    tokio::spawn(async move {
        let body = json!({ "query": document, "variables": { "id": id } });
        curfew_tests::Reply::try_of(client.post(&body)).await.is_ok()
    })
}

async fn targets(sim: &SimProcess, serve: &Serve, count: usize) -> Vec<Target> {
    let mut targets = Vec::new();
    for native in sim.active().await.into_iter().take(count) {
        let id = serve.id(&native).await;
        targets.push(Target { native, id });
    }
    targets
}

async fn fault(sim: &SimProcess, operation: Operation, target: &Target, then: FaultAction) {
    let session: Uuid = target.native.parse().expect("a GUID");
    sim.fault(&Fault::on(operation, then).session(session)).await;
}

/// Acts that the site carried out on a session.
async fn performed(sim: &SimProcess, target: &Target) -> usize {
    let acts = sim.performed().await;
    acts.iter()
        .filter(|act| act["session"] == json!(target.native))
        .count()
}

/// What an operation came to, and its records.
fn summary(operation: &Value) -> Value {
    json!([
        operation["outcome"],
        operation["reason"],
        operation["sent"],
        operation["endedBy"],
        operation["attempts"]
    ])
}

async fn a_killed_gateway_leaves_nothing_undecided(db: Db) {
    let Some(sim) = SimProcess::start(&["--sessions", "40"]).await else {
        return;
    };
    let Some(mut serve) = Serve::start(&sim, &db).await else {
        return;
    };
    let targets = targets(&sim, &serve, 5).await;
    let [sent, disconnected, unsent, running, told] = &targets[..] else {
        panic!("five active sessions");
    };
    // The site does it, and its answer does not come.
    fault(&sim, Operation::Logoff, sent, FaultAction::Hold).await;
    fault(&sim, Operation::Disconnect, disconnected, FaultAction::Hold).await;
    fault(&sim, Operation::SendMessage, told, FaultAction::Hold).await;
    // The read before the act does not come back.
    fault(&sim, Operation::Get, unsent, FaultAction::HoldBefore).await;
    // The site works on it, and what it says of that does not come.
    fault(&sim, Operation::Job, running, FaultAction::Hold).await;

    let desk = serve.role(Role::Helpdesk);
    let asked = [
        ask(&desk, LOGOFF, sent),
        ask(&desk, DISCONNECT, disconnected),
        ask(&desk, LOGOFF, unsent),
        ask(&desk, LOGOFF, running),
        ask(&desk, MESSAGE, told),
    ];
    sim.wait_for_acts(4).await;
    until("the first reads and the first look at the job", async || {
        (sim.requests("get").await >= 5 && sim.requests("job").await >= 1).then_some(())
    })
    .await;
    assert_eq!(sim.performed().await.len(), 4);

    serve.kill().await;
    for answer in asked {
        assert!(!answer.await.expect("a task"), "nobody was answered");
    }
    sim.clear_faults().await;
    assert!(sim.release().await >= 4);
    serve.restart().await;

    for (target, expected) in [
        (sent, json!(["SUCCEEDED", null, "UNKNOWN", "RUNNER", 1])),
        (disconnected, json!(["SUCCEEDED", null, "UNKNOWN", "RUNNER", 1])),
        (unsent, json!(["SUCCEEDED", null, "YES", "RUNNER", 2])),
        (running, json!(["SUCCEEDED", null, "YES", "RUNNER", 1])),
        (told, json!(["UNKNOWN", "ANSWER_LOST", "UNKNOWN", "RUNNER", 1])),
    ] {
        let operation = serve.ended(&target.id).await;
        assert_eq!(
            summary(&operation),
            expected,
            "{operation}\n{}",
            serve.process.log()
        );
        assert_eq!(
            performed(&sim, target).await,
            1,
            "one act in all on {}",
            target.native
        );
        let audit = serve.audit().await.of(&operation["id"]);
        let (actor, action) = (
            "<- The helpdesk",
            operation["action"].as_str().expect("an action"),
        );
        let mut lines = vec![
            format!("INTENT {action} {actor}"),
            format!("ATTEMPT 1 {action} {actor}"),
        ];
        if operation["attempts"] == 2 {
            lines.push(format!("ATTEMPT 2 {action} {actor}"));
        }
        let text = |name: &str| {
            operation[name]
                .as_str()
                .map(|it| format!("{it} "))
                .unwrap_or_default()
        };
        lines.push(format!(
            "OUTCOME {action} {}{}sent={}by RUNNER {actor}",
            text("outcome"),
            text("reason"),
            text("sent")
        ));
        audit.assert_is(&lines.join("\n"));
    }
    assert_eq!(
        sim.acts().await.len(),
        5,
        "the one that was not sent is the only new one"
    );
    until("/readyz says yes", async || {
        (serve.ops("/readyz").await.status == 200).then_some(())
    })
    .await;
}

/// On Postgres alone: several gateways never share a SQLite file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_gateway_takes_over_what_a_killed_one_left() {
    let Some(db) = Db::postgres().await else {
        return;
    };
    let Some(sim) = SimProcess::start(&["--sessions", "20"]).await else {
        return;
    };
    let Some(mut first) = Serve::start(&sim, &db).await else {
        return;
    };
    let second = Serve::start(&sim, &db).await.expect("the binary is there");
    let targets = targets(&sim, &first, 1).await;
    let target = &targets[0];
    fault(&sim, Operation::Logoff, target, FaultAction::Hold).await;
    let asked = ask(&first.role(Role::Operator), LOGOFF, target);
    sim.wait_for_acts(1).await;
    first.kill().await;
    assert!(!asked.await.expect("a task"));
    sim.clear_faults().await;
    sim.release().await;
    let operation = second.ended(&target.id).await;
    assert_eq!(
        summary(&operation),
        json!(["SUCCEEDED", null, "UNKNOWN", "RUNNER", 1])
    );
    assert_eq!(sim.acts().await.len(), 1);
    assert_eq!(
        second.audit().await.of(&operation["id"]).phase("OUTCOME").len(),
        1
    );
}
