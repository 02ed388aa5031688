//! What one large site costs: reading it, keeping it, answering from it.
//!
//! Invariant: the site is a process of its own; what is measured is the gateway alone.

use std::time::Duration;

use curfew_core::Role;
use curfew_tests::{Client, Db, SimProcess};
use futures::future::join_all;
use serde_json::json;

use crate::cost::{cost, metric, mib, of_a_request, steady};
use crate::{PAGE, PAGES, SESSIONS, WATCH, bed};

/// Dashboards that poll once a second.
const DASHBOARDS: usize = 50;

/// Reads 20,000 sessions, waits, answers.
pub async fn listing() {
    println!("listing: {SESSIONS} Citrix sessions, `curfew serve` on SQLite");
    let (sim, serve) = bed(&Db::sqlite()).await;
    let pid = serve.process.id();
    let first = metric(&serve, "curfew_listing_seconds_sum").await;
    let now = cost(pid);
    println!("  first full reading          {first:.2} s");
    println!("  processor so far            {:.2} s", now.cpu.as_secs_f64());
    println!("  resident, gateway alone     {} MiB", mib(now.resident));

    let steady = steady(pid, WATCH).await;
    println!(
        "  steady, nobody asks         {:.2} % of one core, {} MiB",
        steady * 100.0,
        mib(cost(pid).resident)
    );

    let viewer = serve.role(Role::Viewer);
    let (spent, wall, bytes) = of_a_request(&serve, &viewer, PAGE, json!({}), PAGES, steady).await;
    println!(
        "  a page of 100 x 5 fields    {} us of processor, {} us on the wall ({PAGES} requests, {bytes} bytes each)",
        spent.as_micros(),
        wall.as_micros(),
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
