//! The main job, end to end: see a session, disconnect it, log it off, and find all of it on record.
//!
//! Not faults. Invariant: what a caller is told agrees with the site's own log of acts and with the audit log.

use curfew_sim::{SessionState, Verb};
use curfew_tests::{Db, Gateway, on_both, until};
use serde_json::{Value, json};

on_both![
    the_whole_way_from_the_list_to_the_record,
    the_old_contract_is_kept_to_the_letter,
    a_message_reaches_the_session,
    a_log_off_that_is_not_waited_for_is_followed,
    operations_are_ones_own_or_everybodys,
    an_act_on_a_disconnected_session_sends_nothing,
];

const DISCONNECT: &str = "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id, reason: \"stuck\", \
     ticket: \"T-1\", clientMutationId: \"c1\" }) { status message clientMutationId session { id state } \
     operation { id action state outcome sent attempts ticket requestReason requestedBy { subject } } } }";
const LOGOFF: &str = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true, \
     reason: \"night\", ticket: \"T-2\" }) { status message session { id } \
     operation { id state outcome sent endedBy evidence { seen act { status } } timeline { from to attempt } } } }";
const BY_ID: &str = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
const MESSAGE: &str = "mutation($id: ID!, $text: String!) { sendMessage(input: { onlineSessionId: $id, title: \"IT\", \
     text: $text }) { status message operation { id state outcome sent } } }";

async fn the_whole_way_from_the_list_to_the_record(db: Db) {
    let gw = Gateway::usual(&db).await;
    let (first, first_id) = gw.active(0);
    let (second, second_id) = gw.active(1);

    let list = gw
        .viewer()
        .data(
            "{ onlineSessions(first: 1000) { totalCount nodes { id state } } }",
            json!({}),
        )
        .await;
    assert_eq!(list["onlineSessions"]["totalCount"], 30);
    let listed = list["onlineSessions"]["nodes"].as_array().expect("rows");
    assert!(listed.contains(&json!({ "id": first_id, "state": "ACTIVE" })));

    let done = gw.helpdesk().data(DISCONNECT, json!({ "id": first_id })).await["disconnectSession"].clone();
    let operation = done["operation"]["id"].clone();
    assert_eq!(
        done,
        json!({
            "status": "DISCONNECTED",
            "message": "The session is disconnected; its applications keep running.",
            "clientMutationId": "c1",
            "session": { "id": first_id, "state": "DISCONNECTED" },
            "operation": {
                "id": operation, "action": "DISCONNECT", "state": "SUCCEEDED", "outcome": "SUCCEEDED",
                "sent": "YES", "attempts": 1, "ticket": "T-1", "requestReason": "stuck",
                "requestedBy": { "subject": "dev-helpdesk" },
            },
        })
    );
    assert_eq!(gw.listed(&first_id).await.as_deref(), Some("DISCONNECTED"));
    assert_eq!(
        gw.sim().session(first).map(|it| it.state),
        Some(SessionState::Disconnected)
    );

    let done = gw.helpdesk().data(LOGOFF, json!({ "id": second_id })).await["logoffSession"].clone();
    assert_eq!(done["status"], "LOGGED_OFF", "{done}");
    assert_eq!(
        done["operation"]["evidence"],
        json!({ "seen": "GONE", "act": { "status": 202 } })
    );
    assert_eq!(done["operation"]["endedBy"], "REQUEST");
    let steps = done["operation"]["timeline"].as_array().expect("a timeline");
    assert_eq!(steps.first().map(|it| &it["to"]), Some(&json!("DISPATCHING")));
    assert_eq!(steps.last().map(|it| &it["to"]), Some(&json!("SUCCEEDED")));
    assert_eq!(gw.listed(&second_id).await, None, "gone from the next answer");
    assert_eq!(gw.sim().session(second), None);

    let again = gw.helpdesk().data(LOGOFF, json!({ "id": second_id })).await["logoffSession"].clone();
    assert_eq!(
        (&again["status"], &again["operation"]["sent"]),
        (&json!("ALREADY_GONE"), &json!("NO"))
    );
    assert_eq!(
        again["message"],
        "Nothing was done: the session is not there (any more). Reload the list."
    );

    let refused = gw.viewer().query(BY_ID, json!({ "id": first_id })).await;
    assert_eq!(refused.verdict(), (403, "FORBIDDEN"));
    assert_eq!(refused.message(), "Admin access required to disconnect sessions");
    assert_eq!(refused.body["data"], Value::Null);
    let refused = gw.viewer().query(LOGOFF, json!({ "id": first_id })).await;
    assert_eq!(refused.verdict(), (403, "FORBIDDEN"));
    assert_eq!(
        refused.message(),
        "The right sessions:logoff is required to log sessions off"
    );

    let acts: Vec<_> = gw
        .sim()
        .acts()
        .iter()
        .map(|act| (act.verb, act.session.clone(), act.performed))
        .collect();
    assert_eq!(
        acts,
        [
            (Verb::Disconnect, first.to_string(), true),
            (Verb::Logoff, second.to_string(), true)
        ]
    );

    let audit = gw.audit().await;
    audit.assert_is(
        "
    INTENT DISCONNECT <- Hanna Helpdesk
    ATTEMPT 1 DISCONNECT <- Hanna Helpdesk
    OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Hanna Helpdesk
    INTENT LOGOFF <- Hanna Helpdesk
    ATTEMPT 1 LOGOFF <- Hanna Helpdesk
    OUTCOME LOGOFF SUCCEEDED sent=YES by REQUEST <- Hanna Helpdesk
    INTENT LOGOFF <- Hanna Helpdesk
    ATTEMPT 1 LOGOFF <- Hanna Helpdesk
    OUTCOME LOGOFF ALREADY_GONE sent=NO by REQUEST <- Hanna Helpdesk
    DENIED DISCONNECT FORBIDDEN <- Vera Viewer
    DENIED LOGOFF FORBIDDEN <- Vera Viewer
    ",
    );
    let intent = &audit.of(&operation).0[0];
    assert_eq!(intent["reason"], "stuck");
    assert_eq!(intent["ticket"], "T-1");
    assert_eq!(intent["sourceAddress"], "127.0.0.1");
    assert_eq!(intent["backend"], "citrix-eu");
    assert_eq!(intent["actor"]["issuer"], "curfew-dev");
    assert_eq!(intent["target"]["id"], json!(first_id));
    assert_eq!(
        intent["target"]["state"], "ACTIVE",
        "as it was when it was asked for"
    );
    assert!(intent["target"]["user"]["name"].is_string());
    assert!(intent["target"]["machine"]["name"].is_string());
    let transactions: Vec<_> = gw
        .sim()
        .acts()
        .into_iter()
        .map(|act| act.transaction_id)
        .collect();
    for (outcome, transaction) in audit.phase("OUTCOME").iter().zip(transactions) {
        let act = &outcome["evidence"]["act"];
        assert_eq!(
            act["transactionId"], transaction,
            "the vendor's id is the evidence"
        );
        assert!(outcome["latencyMs"].is_number());
    }
    // The target of the second log-off is known although it has gone: the directory remembers.
    let last = audit.phase("INTENT")[2];
    assert!(last["target"]["user"]["name"].is_string(), "{last}");
}

async fn the_old_contract_is_kept_to_the_letter(db: Db) {
    let gw = Gateway::usual(&db).await;
    let (_, id) = gw.active(0);
    let admin = gw.admin();

    let first = admin.query(BY_ID, json!({ "id": id })).await;
    assert_eq!(
        (first.status, &first.body),
        (200, &json!({ "data": { "disconnectBySessionId": true } }))
    );

    let second = admin.query(BY_ID, json!({ "id": id })).await;
    let operation = second.body["errors"][0]["extensions"]["operationId"].clone();
    assert!(operation.is_string());
    assert_eq!(second.status, 400);
    assert_eq!(
        second.body,
        json!({
            "data": null,
            "errors": [{
                "message": "Session not found or already disconnected",
                "path": ["disconnectBySessionId"],
                "locations": [{ "line": 1, "column": 26 }],
                "extensions": {
                    "code": "SESSION_NOT_FOUND",
                    "retryable": false,
                    "operationId": operation,
                    "backend": "citrix-eu",
                    "hint": "Nothing was sent: the session is disconnected already.",
                },
            }],
        })
    );

    let unknown = admin.query(BY_ID, json!({ "id": "sess_abc123xyz789" })).await;
    assert_eq!(unknown.verdict(), (400, "SESSION_NOT_FOUND"));
    assert_eq!(unknown.message(), "Session not found or already disconnected");
    assert_eq!(
        unknown.body["errors"][0]["extensions"],
        json!({ "code": "SESSION_NOT_FOUND", "retryable": false })
    );

    let refused = gw
        .viewer()
        .query(BY_ID, json!({ "id": "sess_abc123xyz789" }))
        .await;
    assert_eq!(refused.verdict(), (403, "FORBIDDEN"));
    assert_eq!(refused.message(), "Admin access required to disconnect sessions");

    assert_eq!(gw.sim().acts().len(), 1);
    gw.audit().await.assert_is(
        "
    INTENT DISCONNECT <- Ada Admin
    ATTEMPT 1 DISCONNECT <- Ada Admin
    OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Ada Admin
    INTENT DISCONNECT <- Ada Admin
    ATTEMPT 1 DISCONNECT <- Ada Admin
    OUTCOME DISCONNECT ALREADY_GONE sent=NO by REQUEST <- Ada Admin
    DENIED DISCONNECT NO_SUCH_TARGET <- Ada Admin
    DENIED DISCONNECT FORBIDDEN <- Vera Viewer
    ",
    );
}

async fn a_message_reaches_the_session(db: Db) {
    let gw = Gateway::usual(&db).await;
    let (session, id) = gw.active(0);
    let text = "Please save your work.\nWe log you off at 22:00 – \u{1f44b}";

    let sent = gw
        .helpdesk()
        .data(MESSAGE, json!({ "id": id, "text": text }))
        .await["sendMessage"]
        .clone();
    assert_eq!(
        (
            &sent["status"],
            &sent["operation"]["state"],
            &sent["operation"]["sent"]
        ),
        (&json!("SENT"), &json!("SUCCEEDED"), &json!("YES"))
    );
    let acts = gw.sim().acts();
    let message = acts[0].message.as_ref().expect("the site has the message");
    assert_eq!((message.title.as_str(), message.text.as_str()), ("IT", text));
    assert_eq!(
        (acts.len(), acts[0].verb, acts[0].session.clone()),
        (1, Verb::SendMessage, session.to_string())
    );

    let refused = gw
        .viewer()
        .query(MESSAGE, json!({ "id": id, "text": "hello" }))
        .await;
    assert_eq!(refused.verdict(), (403, "FORBIDDEN"));
    assert_eq!(
        refused.message(),
        "The right sessions:message is required to send messages to sessions"
    );
    for (text, wrong) in [
        (
            String::new(),
            "`text` must have 1 to 1000 characters, it has 0. Nothing was sent.",
        ),
        (
            "x".repeat(1001),
            "`text` must have 1 to 1000 characters, it has 1001. Nothing was sent.",
        ),
        (
            "bell \u{7}".to_owned(),
            "`text` holds a control character. Nothing was sent.",
        ),
    ] {
        let refused = gw
            .helpdesk()
            .query(MESSAGE, json!({ "id": id, "text": text }))
            .await;
        assert_eq!(
            (refused.verdict(), refused.message()),
            ((400, "BAD_USER_INPUT"), wrong)
        );
    }
    assert_eq!(gw.sim().acts().len(), 1);

    let audit = gw.audit().await;
    audit.assert_is(
        "
    INTENT MESSAGE <- Hanna Helpdesk
    ATTEMPT 1 MESSAGE <- Hanna Helpdesk
    OUTCOME MESSAGE SUCCEEDED sent=YES by REQUEST <- Hanna Helpdesk
    DENIED MESSAGE FORBIDDEN <- Vera Viewer
    ",
    );
    let words: Value =
        serde_json::from_str(audit.only("INTENT")["params"].as_str().expect("params")).expect("JSON");
    assert_eq!(words["text"], text, "what was said is on record");
}

async fn a_log_off_that_is_not_waited_for_is_followed(db: Db) {
    let gw = Gateway::usual(&db).await;
    let (_, id) = gw.active(0);
    let document = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id } }) { status \
         operation { id state } } }";

    let accepted = gw.operator().data(document, json!({ "id": id })).await["logoffSession"].clone();
    assert_eq!(accepted["status"], "ACCEPTED");
    let operation = accepted["operation"]["id"].clone();
    let follow =
        "query($id: ID!) { operation(id: $id) { state outcome sent finishedAt timeline { at to } } }";
    let ended = until("the log-off ends", async || {
        let data = gw.operator().data(follow, json!({ "id": operation })).await;
        (!data["operation"]["outcome"].is_null()).then(|| data["operation"].clone())
    })
    .await;
    assert_eq!(
        (&ended["outcome"], &ended["sent"]),
        (&json!("SUCCEEDED"), &json!("YES"))
    );
    assert!(ended["finishedAt"].is_string());
    let at: Vec<_> = ended["timeline"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|it| it["at"].as_str())
        .collect();
    assert!(at.is_sorted(), "{at:?}");
    assert_eq!(gw.listed(&id).await, None);
    assert_eq!(gw.audit().await.of(&operation).phase("OUTCOME").len(), 1);
}

async fn operations_are_ones_own_or_everybodys(db: Db) {
    let gw = Gateway::usual(&db).await;
    let mut ids = Vec::new();
    for (n, client) in [gw.helpdesk(), gw.operator(), gw.admin()].iter().enumerate() {
        let (_, id) = gw.active(n);
        let done = client.data(DISCONNECT, json!({ "id": id })).await;
        ids.push(done["disconnectSession"]["operation"]["id"].clone());
        assert_eq!(done["disconnectSession"]["status"], "DISCONNECTED");
    }
    let document = "query($f: OperationFilter) { operations(filter: $f) { totalCount nodes { id } } }";
    let all = gw.operator().data(document, json!({})).await["operations"].clone();
    assert_eq!(all["totalCount"], 3);
    let newest_first: Vec<_> = all["nodes"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|it| it["id"].clone())
        .collect();
    assert_eq!(newest_first, ids.iter().rev().cloned().collect::<Vec<_>>());

    let own = gw.helpdesk().data(document, json!({})).await["operations"].clone();
    assert_eq!(own, json!({ "totalCount": 1, "nodes": [{ "id": ids[0] }] }));
    let one = "query($id: ID!) { operation(id: $id) { id } }";
    assert_eq!(
        gw.helpdesk().data(one, json!({ "id": ids[1] })).await,
        json!({ "operation": null })
    );
    assert_eq!(
        gw.admin().data(one, json!({ "id": ids[0] })).await["operation"]["id"],
        ids[0]
    );
    let nothing = gw.viewer().data(document, json!({})).await["operations"].clone();
    assert_eq!(nothing, json!({ "totalCount": 0, "nodes": [] }));

    let (_, third) = gw.active(0);
    let count = async |filter: Value| {
        gw.admin().data(document, json!({ "f": filter })).await["operations"]["totalCount"].clone()
    };
    assert_eq!(count(json!({ "ticket": "T-1" })).await, 3);
    assert_eq!(count(json!({ "ticket": "T" })).await, 0, "whole, never a part");
    assert_eq!(
        count(json!({ "states": ["SUCCEEDED"], "actions": ["DISCONNECT"] })).await,
        3
    );
    assert_eq!(count(json!({ "actions": ["LOGOFF"] })).await, 0);
    assert_eq!(count(json!({ "backendIds": ["citrix-eu"] })).await, 3);
    assert_eq!(count(json!({ "backendIds": ["other"] })).await, 0);
    assert_eq!(count(json!({ "onlineSessionId": third })).await, 0);
    assert_eq!(
        count(json!({ "requestedAfter": "2100-01-01T00:00:00Z" })).await,
        0
    );

    let document = "{ viewer { actor { issuer subject name } roles grants { permissions backendIds } } }";
    assert_eq!(
        gw.viewer().data(document, json!({})).await["viewer"],
        json!({
            "actor": { "issuer": "curfew-dev", "subject": "dev-viewer", "name": "Vera Viewer" },
            "roles": ["viewer"],
            "grants": [{ "permissions": ["sessions:read", "operations:read"], "backendIds": null }],
        })
    );
}

async fn an_act_on_a_disconnected_session_sends_nothing(db: Db) {
    let gw = Gateway::usual(&db).await;
    let (session, id) = gw.active(0);
    // Behind the gateway's back: the directory still shows it active.
    assert!(gw.sim().set_state(session, SessionState::Disconnected));
    let done = gw.helpdesk().data(DISCONNECT, json!({ "id": id })).await["disconnectSession"].clone();
    assert_eq!(
        (&done["status"], &done["message"], &done["session"]["state"]),
        (
            &json!("ALREADY_DISCONNECTED"),
            &json!("Nothing was sent: the session is disconnected already."),
            &json!("DISCONNECTED")
        )
    );
    let (gone, gone_id) = gw.active(1);
    assert!(gw.sim().remove_session(gone));
    let done = gw.helpdesk().data(DISCONNECT, json!({ "id": gone_id })).await["disconnectSession"].clone();
    assert_eq!(done["status"], "ALREADY_GONE");
    assert_eq!(gw.listed(&gone_id).await, None);
    assert_eq!(gw.sim().acts(), []);
    gw.audit().await.assert_is(
        "
    INTENT DISCONNECT <- Hanna Helpdesk
    ATTEMPT 1 DISCONNECT <- Hanna Helpdesk
    OUTCOME DISCONNECT ALREADY_GONE sent=NO by REQUEST <- Hanna Helpdesk
    INTENT DISCONNECT <- Hanna Helpdesk
    ATTEMPT 1 DISCONNECT <- Hanna Helpdesk
    OUTCOME DISCONNECT ALREADY_GONE sent=NO by REQUEST <- Hanna Helpdesk
    ",
    );
}
