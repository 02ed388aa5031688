//! Load figures of whole processes: `curfew serve` against `curfew-sim`, each a process of its own, on loopback.
//!
//! Run one by `cargo xtask bench NAME`, which builds the binaries in release mode and starts a Postgres that syncs every
//! commit. Not a test: nothing here fails for being slow.
//! Invariant: every load is bounded in count and time, and what it did is checked before a figure is printed.

mod acts;
mod cost;
mod estate;
mod fleet;
mod listing;

use std::time::Duration;

use curfew_core::Role;
use curfew_tests::{Db, Serve, SimProcess, until};
use serde_json::json;

/// Sessions of the simulated site.
const SESSIONS: usize = 20_000;
/// Sequential requests for one figure of a page.
const PAGES: u32 = 3_000;
/// How long steady cost and the polling dashboards are watched: four intervals of a Citrix site, six of a fleet.
const WATCH: Duration = Duration::from_secs(60);
const PAGE: &str =
    "{ onlineSessions(first: 100) { nodes { id state user { name } machine { name } startedAt } } }";

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if wanted.is_empty() {
        println!("which figure? listing, acts, fleet, estate");
    }
    for name in wanted {
        match name.as_str() {
            "listing" => runtime.block_on(listing::listing()),
            "acts" => runtime.block_on(acts::acts()),
            "fleet" => runtime.block_on(fleet::fleet()),
            "estate" => runtime.block_on(estate::estate()),
            other => println!("there is no figure {other}"),
        }
    }
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
