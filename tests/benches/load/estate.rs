//! A hundred thousand sessions over three kinds of backend, against a thousand.
//!
//! Invariant: the simulators are processes of their own; memory and processor time are the gateway's alone.

use std::time::Duration;

use curfew_core::Role;
use curfew_tests::{Db, Serve, SimProcess};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::cost::{cost, mib, of_a_request, steady};
use crate::{PAGE, PAGES};

/// Sessions of the site, hosts and sessions on each, users of the VPN and sessions of each.
struct Size {
    citrix: usize,
    fleet: (usize, usize),
    orbnet: (usize, usize),
}

const SMALL: Size = Size {
    citrix: 600,
    fleet: (10, 35),
    orbnet: (10, 5),
};
const LARGE: Size = Size {
    citrix: 60_000,
    fleet: (1_000, 35),
    orbnet: (500, 10),
};

/// One user's sessions.
const OF_USER: &str = "query($user: String!) { onlineSessions(first: 100, filter: { user: $user }) { nodes { id state user { name } \
                       machine { name } startedAt } } }";
const A_USER: &str = "{ onlineSessions(first: 1, filter: { states: [ACTIVE] }) { nodes { user { name } } } }";

/// The small estate, then the large one.
pub async fn estate() {
    measure("1,000 sessions", &SMALL, Duration::from_secs(10)).await;
    measure("100,000 sessions", &LARGE, Duration::from_secs(120)).await;
}

async fn measure(name: &str, size: &Size, watch: Duration) {
    println!("estate: {name} over three kinds, `curfew serve` on SQLite");
    let text = |number: usize| number.to_string();
    let citrix = SimProcess::start(&["--sessions", &text(size.citrix)]).await;
    let fleet = [text(size.fleet.0), text(size.fleet.1)];
    let fleet = SimProcess::fleet(&["--hosts", &fleet[0], "--sessions-per-host", &fleet[1]]).await;
    let orbnet = [text(size.orbnet.0), text(size.orbnet.1)];
    let orbnet = SimProcess::orbnet(&["--users", &orbnet[0], "--sessions-per-user", &orbnet[1]]).await;
    let (citrix, fleet, orbnet) = (
        citrix.expect("the simulators"),
        fleet.expect("the simulators"),
        orbnet.expect("the simulators"),
    );
    let backends = [
        citrix.backend("citrix-eu"),
        fleet.backend("rds"),
        orbnet.backend("vpn-hq"),
    ];
    let db = Db::sqlite();
    let start = Instant::now();
    let serve = Serve::with(&Serve::config_of(&backends, &db))
        .await
        .expect("the gateway");
    let (pid, viewer) = (serve.process.id(), serve.role(Role::Viewer));
    let all = size.citrix + size.fleet.0 * size.fleet.1 + size.orbnet.0 * size.orbnet.1;
    // The VPN's readings are paced by what its vendor allows, so this one waits longer than `until` does.
    loop {
        let data = viewer
            .data("{ onlineSessions(first: 1) { totalCount } }", json!({}))
            .await;
        if data["onlineSessions"]["totalCount"] == all {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{data} of {all}");
        sleep(Duration::from_millis(200)).await;
    }
    println!(
        "  everything listed after     {:.1} s",
        start.elapsed().as_secs_f64()
    );
    println!("  resident, gateway alone     {} MiB", mib(cost(pid).resident));
    let steady = steady(pid, watch).await;
    let now = cost(pid);
    println!(
        "  steady, nobody asks         {:.2} % of one core; after {} s {} MiB resident, {} MiB at its peak",
        steady * 100.0,
        watch.as_secs(),
        mib(now.resident),
        mib(now.peak)
    );
    let (spent, wall, _) = of_a_request(&serve, &viewer, PAGE, json!({}), PAGES, steady).await;
    println!(
        "  a page of 100 x 5 fields    {} us of processor, {} us on the wall (median of {PAGES})",
        spent.as_micros(),
        wall.as_micros()
    );
    let data = viewer.data(A_USER, json!({})).await;
    let user = &data["onlineSessions"]["nodes"][0]["user"]["name"];
    let (spent, wall, bytes) =
        of_a_request(&serve, &viewer, OF_USER, json!({ "user": user }), PAGES, steady).await;
    println!(
        "  a page filtered by user     {} us of processor, {} us on the wall (median of {PAGES}; {bytes} bytes)",
        spent.as_micros(),
        wall.as_micros()
    );
}
