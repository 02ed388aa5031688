//! Load figures of whole processes: `curfew serve` against `curfew-sim`, each a process of its own, on loopback.
//!
//! Run it by `cargo xtask bench listing` and `cargo xtask bench acts`, which build the binaries in release mode and
//! start a Postgres that syncs every commit. Not a test: nothing here fails for being slow.
//! Invariant: every load is bounded in count and time, and what it did is checked before a figure is printed.

use std::fs;
use std::time::Duration;

use curfew_core::Role;
use curfew_tests::{Client, Db, Serve, SimProcess, until};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// Sessions of the simulated site.
const SESSIONS: usize = 20_000;
/// Sequential requests for one figure of a page.
const PAGES: u32 = 3_000;
/// How long steady cost and the polling dashboards are watched: four intervals of a Citrix site.
const WATCH: Duration = Duration::from_secs(60);
/// Dashboards that poll once a second.
const DASHBOARDS: usize = 50;
/// Callers at once, and acts in all.
const ACTS: [(usize, usize); 3] = [(1, 300), (8, 1_500), (64, 3_000)];

const PAGE: &str =
    "{ onlineSessions(first: 100) { nodes { id state user { name } machine { name } startedAt } } }";
const ACTIVE: &str = "query($after: String) { onlineSessions(first: 1000, after: $after, filter: { states: [ACTIVE] }) \
                      { nodes { id } pageInfo { hasNextPage endCursor } } }";
const DISCONNECT: &str = "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id, ticket: \"LOAD\" }) { status message } }";

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wants = |name: &str| wanted.iter().any(|it| it == name);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if wanted.is_empty() {
        println!("which figure? listing, acts");
    }
    if wants("listing") {
        runtime.block_on(listing());
    }
    if wants("acts") {
        runtime.block_on(acts());
    }
}

/// What a process has cost so far.
struct Cost {
    cpu: Duration,
    resident: u64,
}

/// Reads `/proc`: utime and stime in ticks of 10 ms (proc(5); `getconf CLK_TCK` is 100 on Linux), VmRSS in KiB.
fn cost(pid: u32) -> Cost {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let stat = read("stat");
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let status = read("status");
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("");
    let resident = resident
        .split_whitespace()
        .next()
        .and_then(|kib| kib.parse().ok())
        .unwrap_or(0);
    Cost {
        cpu: Duration::from_millis(ticks * 10),
        resident,
    }
}

fn mib(kib: u64) -> u64 {
    kib / 1024
}

/// A site of [`SESSIONS`] sessions and a gateway that has read it once.
async fn bed(db: &Db) -> (SimProcess, Serve) {
    let sessions = SESSIONS.to_string();
    let sim = SimProcess::start(&["--sessions", &sessions])
        .await
        .expect("the simulator");
    let serve = Serve::start(&sim, db).await.expect("the gateway");
    let viewer = serve.role(Role::Viewer);
    until("the first reading", async || {
        let data = viewer
            .data("{ onlineSessions(first: 1) { totalCount } }", json!({}))
            .await;
        (data["onlineSessions"]["totalCount"] == SESSIONS).then_some(())
    })
    .await;
    (sim, serve)
}

/// A metric of the gateway by its line's beginning.
async fn metric(serve: &Serve, name: &str) -> f64 {
    let text = serve.ops("/metrics").await.text;
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

async fn listing() {
    println!("listing: {SESSIONS} Citrix sessions, `curfew serve` on SQLite");
    let (sim, serve) = bed(&Db::sqlite()).await;
    let pid = serve.process.id();
    let first = metric(&serve, "curfew_listing_seconds_sum").await;
    let now = cost(pid);
    println!("  first full reading          {first:.2} s");
    println!("  processor so far            {:.2} s", now.cpu.as_secs_f64());
    println!("  resident, gateway alone     {} MiB", mib(now.resident));

    let before = cost(pid);
    sleep(WATCH).await;
    let after = cost(pid);
    let steady = (after.cpu - before.cpu).as_secs_f64() / WATCH.as_secs_f64();
    println!(
        "  steady, nobody asks         {:.2} % of one core, {} MiB",
        steady * 100.0,
        mib(after.resident)
    );

    let viewer = serve.role(Role::Viewer);
    let bytes = viewer.query(PAGE, json!({})).await.text.len();
    let (before, start) = (cost(pid), Instant::now());
    for _ in 0..PAGES {
        let reply = viewer.query(PAGE, json!({})).await;
        assert_eq!(
            (reply.status, reply.text.len()),
            (200, bytes),
            "a page like the first"
        );
    }
    let (after, wall) = (cost(pid), start.elapsed());
    let idle = Duration::from_secs_f64(steady * wall.as_secs_f64());
    let spent = (after.cpu - before.cpu).saturating_sub(idle);
    println!(
        "  a page of 100 x 5 fields    {} us of processor ({PAGES} requests, {bytes} bytes each, {:.2} s)",
        spent.as_micros() / u128::from(PAGES),
        wall.as_secs_f64(),
    );

    let listings = sim_listings(&sim).await;
    let before = cost(pid);
    join_all((0..DASHBOARDS).map(|_| poll(viewer.clone()))).await;
    let after = cost(pid);
    println!(
        "  {DASHBOARDS} dashboards, 1/s each      {} listings in {} s at the site, {:.2} % of one core",
        sim_listings(&sim).await - listings,
        WATCH.as_secs(),
        (after.cpu - before.cpu).as_secs_f64() / WATCH.as_secs_f64() * 100.0,
    );
}

async fn poll(viewer: Client) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..WATCH.as_secs() {
        ticks.tick().await;
        assert_eq!(viewer.query(PAGE, json!({})).await.status, 200, "a page");
    }
}

/// Full listings that the site has answered.
async fn sim_listings(sim: &SimProcess) -> u64 {
    sim.counters().await["listings"].as_u64().unwrap_or_default()
}

async fn acts() {
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
