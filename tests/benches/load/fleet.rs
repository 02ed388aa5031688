//! A thousand Windows hosts behind one backend, and the same with ten of them hung.
//!
//! Invariant: a figure "with hung hosts" is taken from the same processes as the one without.

use curfew_core::Role;
use curfew_tests::{Db, Serve, SimProcess, until};
use serde_json::json;

use crate::WATCH;
use crate::cost::{cost, metric, mib, steady};

const HOSTS: usize = 1_000;
const SESSIONS_PER_HOST: usize = 20;
const HUNG: usize = 10;

/// Reads the fleet, waits, hangs ten hosts, waits.
pub async fn fleet() {
    println!(
        "fleet: {HOSTS} hosts x {SESSIONS_PER_HOST} sessions, read every 10 s, `curfew serve` on SQLite"
    );
    let (hosts, sessions) = (HOSTS.to_string(), SESSIONS_PER_HOST.to_string());
    let sim = SimProcess::fleet(&["--hosts", &hosts, "--sessions-per-host", &sessions])
        .await
        .expect("the simulator");
    let db = Db::sqlite();
    let config = Serve::config_of(&[sim.backend("rds")], &db);
    let serve = Serve::with(&config).await.expect("the gateway");
    let (pid, viewer) = (serve.process.id(), serve.role(Role::Viewer));
    until("the first listing", async || {
        let data = viewer
            .data("{ onlineSessions(first: 1) { totalCount } }", json!({}))
            .await;
        (data["onlineSessions"]["totalCount"] == HOSTS * SESSIONS_PER_HOST).then_some(())
    })
    .await;
    let first = metric(&serve, "curfew_listing_seconds_sum").await;
    let now = cost(pid);
    println!("  first full listing          {first:.2} s");
    println!("  processor so far            {:.2} s", now.cpu.as_secs_f64());
    println!("  resident, gateway alone     {} MiB", mib(now.resident));
    report(&serve, "steady, nobody asks").await;

    for host in sim.ready["hosts"].as_array().expect("hosts").iter().take(HUNG) {
        sim.script(&json!({ "when": { "host": host }, "then": "hang" }))
            .await;
    }
    report(&serve, "the first minute of ten hung").await;
    report(&serve, "the next minute of it").await;
    let data = viewer
        .data(
            "{ onlineSessions(first: 1) { totalCount } backends { reading { status parts { total failed { name } } } } }",
            json!({}),
        )
        .await;
    let parts = &data["backends"][0]["reading"];
    println!(
        "  and then                    {} rows listed, status {}, {} of {} hosts failed",
        data["onlineSessions"]["totalCount"],
        parts["status"],
        parts["parts"]["failed"].as_array().map_or(0, Vec::len),
        parts["parts"]["total"],
    );
}

/// A minute of the gateway's life.
async fn report(serve: &Serve, what: &str) {
    let (sum, count) = ("curfew_listing_seconds_sum", "curfew_listing_seconds_count");
    let before = (metric(serve, sum).await, metric(serve, count).await);
    let spent = steady(serve.process.id(), WATCH).await;
    let (seconds, listings) = (
        metric(serve, sum).await - before.0,
        metric(serve, count).await - before.1,
    );
    println!(
        "  {what:<28}{:.2} % of one core; {listings:.0} listings, {:.2} s each on average; {} MiB",
        spent * 100.0,
        seconds / listings.max(1.0),
        mib(cost(serve.process.id()).resident),
    );
}
