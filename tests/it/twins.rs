//! A session on a Citrix machine that its host's agent reports too: one row, named by both.
//!
//! The rules stand in the directory's own tests; here they meet real adapters. Invariant: nothing is hidden that no other row
//! of the same answer stands for.

use std::time::Duration;

use curfew_agent::platform::{WtsSession, WtsState, filetime};
use curfew_core::{Role, Timestamp};
use curfew_sim::{CitrixSimConfig, FleetSimConfig};
use curfew_tests::{BACKEND, Db, Gateway, WINDOWS};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::three_kinds::{BY_ID, listed, rows, windows_id};

/// A site, and the agent on the host of its first session; gives that row.
async fn bed() -> (Gateway, Value, Uuid) {
    let site = CitrixSimConfig::cloud().sessions(6).logoff_takes(Duration::ZERO);
    // The site's machines are the same in every run, so that a first look tells whose host to take.
    let look = Gateway::builder().citrix(site.clone()).start().await;
    let (_, id) = look.active(0);
    let all = rows(&look.viewer(), json!({})).await;
    let row = all
        .iter()
        .find(|row| row["id"] == json!(id))
        .expect("it is listed");
    let host = row["machine"]["name"].as_str().expect("a machine").to_owned();
    let gw = Gateway::builder()
        .citrix(site)
        .windows(FleetSimConfig::new(1, 0).hosts([host]))
        .scoped_role("hosts-only", Role::Helpdesk, &[WINDOWS])
        .database(&Db::sqlite())
        .start()
        .await;
    let (native, id) = gw.active(0);
    let all = rows(&gw.viewer(), json!({})).await;
    let row = all
        .iter()
        .find(|row| row["id"] == json!(id))
        .expect("it is listed");
    (gw, row.clone(), native)
}

/// Its host reports the same session, begun `later` seconds after the site says.
fn report(gw: &Gateway, row: &Value, number: u32, later: i64) -> String {
    let host = row["machine"]["name"].as_str().expect("a machine");
    let began: Timestamp = row["startedAt"]
        .as_str()
        .and_then(|at| at.parse().ok())
        .expect("a start");
    let at = filetime(began + chrono::TimeDelta::seconds(later));
    let platform = gw.fleet().platform(host).expect("the host");
    platform.insert(WtsSession {
        station: Some("ICA-TCP#1".to_owned()),
        user: row["user"]["name"].as_str().map(str::to_owned),
        domain: Some("CORP".to_owned()),
        sid: row["user"]["sid"].as_str().map(str::to_owned),
        logon_time: at,
        connect_time: at,
        protocol: Some(1),
        ..WtsSession::new(number, WtsState::Active)
    });
    windows_id(gw, host, number)
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_backends_report_is_one_row_named_by_both() {
    let (gw, row, native) = bed().await;
    let citrix = row["id"].as_str().expect("an id");
    let windows = report(&gw, &row, 7, 60);
    listed(&gw, &windows).await;
    let both = json!([
        { "id": citrix, "backend": { "id": BACKEND } },
        { "id": windows, "backend": { "id": WINDOWS } },
    ]);

    let all = rows(&gw.viewer(), json!({})).await;
    assert_eq!(all.len(), 6, "{all:#?}");
    let listed = all
        .iter()
        .find(|row| row["id"] == citrix)
        .expect("the site's row");
    assert_eq!(listed["sources"], both);
    assert!(!ids(&all).contains(&windows.as_str()));
    let document = "{ onlineSessions { totalCount backends { backend { id } sessionCount } } }";
    let counted = gw.viewer().data(document, json!({})).await;
    assert_eq!(counted["onlineSessions"]["totalCount"], 6);

    let hosts = rows(&gw.viewer(), json!({ "backendIds": [WINDOWS] })).await;
    assert_eq!(ids(&hosts), [windows.as_str()], "asked for by itself it is a row");
    let helpdesk = gw.with_claims(json!({ "sub": "h", "name": "Host Hans", "roles": ["hosts-only"] }));
    let seen = rows(&helpdesk, json!({})).await;
    assert_eq!(
        ids(&seen),
        [windows.as_str()],
        "and for whoever does not see the site"
    );
    assert_eq!(
        seen[0]["sources"],
        json!([{ "id": windows, "backend": { "id": WINDOWS } }]),
        "what is hidden from the caller is not named"
    );

    // The site's row is the one to act on; with it gone, the host's own row is there again.
    let reply = gw.helpdesk().query(BY_ID, json!({ "id": citrix })).await;
    assert_eq!(
        reply.body["data"]["disconnectBySessionId"],
        json!(true),
        "{}",
        reply.text
    );
    assert!(gw.sim().remove_session(native));
    let document = "{ onlineSessions(maxAge: 0, first: 1000) { nodes { id } } }";
    curfew_tests::until("the host's row is back", async || {
        let data = gw.viewer().data(document, json!({})).await;
        let nodes = data["onlineSessions"]["nodes"].as_array()?;
        let ids: Vec<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
        (ids.contains(&windows.as_str()) && !ids.contains(&citrix)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_doubtful_is_two_rows() {
    let (gw, row, _) = bed().await;
    let windows = report(&gw, &row, 7, 121);
    listed(&gw, &windows).await;
    assert_eq!(
        rows(&gw.viewer(), json!({})).await.len(),
        7,
        "two minutes and a second apart"
    );

    let host = row["machine"]["name"].as_str().expect("a machine");
    gw.fleet().end_session(host, 7);
    let (first, second) = (report(&gw, &row, 8, 10), report(&gw, &row, 9, 20));
    listed(&gw, &second).await;
    listed(&gw, &first).await;
    assert_eq!(
        rows(&gw.viewer(), json!({})).await.len(),
        8,
        "two sessions that could be it"
    );
}
