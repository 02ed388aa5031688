//! What the queries about sessions answer, as a client gets it.

use curfew_core::Role;
use serde_json::{Value, json};

use crate::testing::*;

const ROWS: &str = "query($backends: [ID!]) { onlineSessions(filter: { backendIds: $backends }) { totalCount nodes { id \
                    sources { id observedAt backend { id kind } } } } }";

/// The sources of a row, as `backend kind`.
fn sources(row: &Value) -> Vec<String> {
    let sources = row["sources"].as_array().expect("sources");
    let text = |it: &Value| {
        assert!(it["observedAt"].is_string());
        let (id, backend) = (it["id"].as_str(), it["backend"]["id"].as_str());
        assert!(
            id.zip(backend)
                .is_some_and(|(id, backend)| id.starts_with(backend))
        );
        format!(
            "{} {}",
            backend.unwrap_or_default(),
            it["backend"]["kind"].as_str().unwrap_or_default()
        )
    };
    sources.iter().map(text).collect()
}

async fn desk() -> Desk {
    let host = with_sid(hosted("rds", "TERM04", 3), "S-1-5-21-7");
    Desk::with(&[brokered("41ba", &host), host, tunnel("71/sess_abc")]).await
}

async fn rows(desk: &Desk, caller: curfew_core::Caller, backends: Value) -> Vec<(String, Vec<String>)> {
    let body = desk.ask_as(caller, ROWS, json!({ "backends": backends })).await;
    let page = &body["data"]["onlineSessions"];
    let nodes = page["nodes"].as_array().unwrap_or_else(|| panic!("{body}"));
    assert_eq!(page["totalCount"], nodes.len());
    let place = |row: &Value| {
        row["id"]
            .as_str()
            .and_then(|id| id.split('@').next())
            .map(str::to_owned)
    };
    nodes
        .iter()
        .map(|row| (place(row).expect("an id"), sources(row)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_session_of_two_sources_is_one_row_that_names_both() {
    let desk = desk().await;
    let both = vec!["citrix-eu CITRIX".to_owned(), "rds WINDOWS".to_owned()];
    let citrix = ("citrix-eu:41ba".to_owned(), both.clone());
    let windows = ("rds:TERM04/3".to_owned(), both);
    let tunnel = ("vpn-hq:71/sess_abc".to_owned(), vec!["vpn-hq ORBNET".to_owned()]);
    let all = || caller(Role::Viewer, None);
    assert_eq!(rows(&desk, all(), Value::Null).await, [citrix.clone(), tunnel]);
    assert_eq!(rows(&desk, all(), json!(["citrix-eu", "rds"])).await, [citrix]);
    assert_eq!(rows(&desk, all(), json!(["rds"])).await, [windows]);
    let scoped = caller(Role::Viewer, Some(&["rds"]));
    let alone = ("rds:TERM04/3".to_owned(), vec!["rds WINDOWS".to_owned()]);
    assert_eq!(rows(&desk, scoped, Value::Null).await, [alone]);
}

#[tokio::test(start_paused = true)]
async fn the_hidden_id_answers_as_well() {
    let desk = desk().await;
    let id = hosted("rds", "TERM04", 3).id;
    let query =
        "query($id: ID!) { onlineSession(id: $id) { id sources { id observedAt backend { id kind } } } }";
    let of = async |caller| {
        let body = desk.ask_as(caller, query, json!({ "id": id.as_str() })).await;
        let row = &body["data"]["onlineSession"];
        assert_eq!(row["id"], id.as_str());
        sources(row)
    };
    assert_eq!(
        of(caller(Role::Viewer, None)).await,
        ["citrix-eu CITRIX", "rds WINDOWS"]
    );
    assert_eq!(of(caller(Role::Viewer, Some(&["rds"]))).await, ["rds WINDOWS"]);
}

#[tokio::test(start_paused = true)]
async fn an_act_on_the_citrix_row_leaves_the_windows_row_until_the_host_is_read() {
    let desk = desk().await;
    let operator = || caller(Role::Operator, None);
    let id = brokered("41ba", &hosted("rds", "TERM04", 3)).id;
    let act = "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id }) { status session { sources { id \
               observedAt backend { id kind } } } } }";
    let body = desk.ask_as(operator(), act, json!({ "id": id.as_str() })).await;
    let payload = &body["data"]["disconnectSession"];
    assert_eq!(payload["status"], "DISCONNECTED");
    assert_eq!(sources(&payload["session"]), ["citrix-eu CITRIX", "rds WINDOWS"]);

    let act = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true }) { status \
               session { id } } }";
    let body = desk.ask_as(operator(), act, json!({ "id": id.as_str() })).await;
    assert_eq!(
        body["data"]["logoffSession"],
        json!({ "status": "LOGGED_OFF", "session": null })
    );
    assert_eq!((desk.site.performed(), desk.rds.acts().len()), (2, 0));
    let alone = ("rds:TERM04/3".to_owned(), vec!["rds WINDOWS".to_owned()]);
    assert_eq!(rows(&desk, operator(), Value::Null).await[0], alone);
}
