//! Acts, each with its three records committed.
//!
//! Invariant: every act counted is one that the site performed and that the log has.

use std::time::Duration;

use curfew_core::Role;
use curfew_tests::{Client, Db};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::bed;
use crate::cost::cost;

/// Callers at once, and acts in all.
const ACTS: [(usize, usize); 3] = [(1, 300), (8, 1_500), (64, 3_000)];
const ACTIVE: &str = "query($after: String) { onlineSessions(first: 1000, after: $after, filter: { states: [ACTIVE] }) \
                      { nodes { id } pageInfo { hasNextPage endCursor } } }";
const DISCONNECT: &str = "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id, ticket: \"LOAD\" }) { status message } }";

/// Disconnects on both databases.
pub async fn acts() {
    acts_on("SQLite (synchronous = FULL)", &Db::sqlite()).await;
    match Db::postgres().await {
        Some(db) => acts_on("Postgres (fsync and synchronous_commit on)", &db).await,
        None => println!("NOT RUN: acts on Postgres"),
    }
}

async fn acts_on(name: &str, db: &Db) {
    println!("acts: disconnectSession with intent, attempt and outcome on {name}");
    let (sim, serve) = bed(db).await;
    let mut ids = active(&serve.role(Role::Viewer)).await;
    for (callers, count) in ACTS {
        let work = ids.split_off(ids.len() - count);
        let queues: Vec<Vec<String>> = (0..callers)
            .map(|caller| work.iter().skip(caller).step_by(callers).cloned().collect())
            .collect();
        let pid = serve.process.id();
        let (before, start) = (cost(pid), Instant::now());
        let helpdesk = serve.role(Role::Helpdesk);
        let latencies = join_all(
            queues
                .into_iter()
                .map(|queue| disconnect(helpdesk.clone(), queue)),
        )
        .await;
        let (after, wall) = (cost(pid), start.elapsed());
        let mut latencies: Vec<Duration> = latencies.into_iter().flatten().collect();
        latencies.sort_unstable();
        let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
        println!(
            "  {callers:>2} callers  {:>5.0} acts/s   p50 {:>6.1} ms   p99 {:>6.1} ms   {:>4} us of processor each",
            count as f64 / wall.as_secs_f64(),
            at(0.5),
            at(0.99),
            (after.cpu - before.cpu).as_micros() / count as u128,
        );
    }
    let done: usize = ACTS.iter().map(|(_, count)| count).sum();
    let auditor = serve.role(Role::Auditor);
    let document = "{ auditRecords(first: 0, filter: { ticket: \"LOAD\" }) { totalCount } }";
    let records = auditor.data(document, json!({})).await;
    assert_eq!(
        records["auditRecords"]["totalCount"],
        done * 3,
        "three records of each act"
    );
    assert_eq!(sim.performed().await.len(), done, "each act once");
}

/// The ids of all active sessions.
async fn active(viewer: &Client) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = viewer.data(ACTIVE, json!({ "after": after })).await["onlineSessions"].take();
        let nodes = page["nodes"].as_array().cloned().unwrap_or_default();
        ids.extend(
            nodes
                .iter()
                .filter_map(|node| node["id"].as_str().map(str::to_owned)),
        );
        if page["pageInfo"]["hasNextPage"] != true {
            return ids;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

async fn disconnect(helpdesk: Client, ids: Vec<String>) -> Vec<Duration> {
    let mut latencies = Vec::with_capacity(ids.len());
    for id in ids {
        let start = Instant::now();
        let reply = helpdesk.query(DISCONNECT, json!({ "id": id })).await;
        assert_eq!(
            reply.body["data"]["disconnectSession"]["status"], "DISCONNECTED",
            "{}",
            reply.text
        );
        latencies.push(start.elapsed());
    }
    latencies
}
