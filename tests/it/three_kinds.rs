//! Three kinds of backend in one listing: seen together, ended one by one, one vocabulary, one log.
//!
//! Not hosts and services that misbehave (`hosts`, `vpn`). Invariant: what a caller is told agrees with the backend's own
//! log of acts and with the audit log.

use curfew_sim::fleet;
use curfew_sim::{CitrixSimConfig, FleetSimConfig, OrbnetSimConfig};
use curfew_tests::{BACKEND, Client, Db, Gateway, VPN, WINDOWS, on_both, until};
use serde_json::{Value, json};
use std::time::Duration;

on_both![
    each_kind_is_listed_and_ended_by_the_old_mutation,
    each_form_of_target_logs_off_a_windows_session,
    a_reused_number_is_refused,
    a_vpn_has_no_log_off,
    one_backend_down_leaves_the_others_fresh_and_itself_marked,
    numbers_that_no_user_has_are_refused_wherever_they_stand,
];

pub(crate) const BY_ID: &str = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id, reason: \"stuck\", ticket: \"T-7\") }";
pub(crate) const LOGOFF: &str = "mutation($target: SessionTarget!) { logoffSession(input: { target: $target, wait: true, \
     ticket: \"T-8\" }) { status message session { id } operation { id state outcome sent evidence { seen detail act { status \
     nativeCode } } session { id } } } }";

/// A gateway over a small site, a fleet of three hosts and a VPN of four users.
pub(crate) async fn three(db: &Db) -> Gateway {
    Gateway::builder()
        .citrix(CitrixSimConfig::cloud().sessions(12).logoff_takes(Duration::ZERO))
        .windows(FleetSimConfig::new(3, 4).logoff_takes(Duration::ZERO))
        .orbnet(OrbnetSimConfig::default().users(4).sessions_per_user(2))
        .database(db)
        .start()
        .await
}

/// Every listed row that matches.
pub(crate) async fn rows(who: &Client, filter: Value) -> Vec<Value> {
    let document = "query($filter: SessionFilter) { onlineSessions(first: 1000, filter: $filter) { nodes { id kind state \
         protocol sessionName protected user { name sid } machine { name dnsName } startedAt allowedActions backend { id kind } \
         sources { id backend { id } } } } }";
    let data = who.data(document, json!({ "filter": filter })).await;
    data["onlineSessions"]["nodes"].as_array().cloned().expect("rows")
}

/// The id under which the gateway knows a host's session.
pub(crate) fn windows_id(gw: &Gateway, host: &str, number: u32) -> String {
    let session = gw.fleet().session(host, number).expect("a session");
    format!("{WINDOWS}:{host}/{number}@{}", session.generation)
}

/// A session of a user on a host, not at the console: its number.
pub(crate) fn remote(gw: &Gateway, host: &str) -> u32 {
    gw.fleet().add_session(host, "CORP\\remote").expect("a number")
}

/// Waits until a session is listed.
pub(crate) async fn listed(gw: &Gateway, id: &str) {
    let viewer = gw.viewer();
    let document = "query($id: ID!) { onlineSessions(first: 0, maxAge: 0) { totalCount } onlineSession(id: $id) { id } }";
    until("the session is listed", async || {
        let data = viewer.data(document, json!({ "id": id })).await;
        (data["onlineSession"]["id"] == id).then_some(())
    })
    .await;
}

async fn each_kind_is_listed_and_ended_by_the_old_mutation(db: Db) {
    let gw = three(&db).await;
    let all = rows(&gw.helpdesk(), json!({})).await;
    let of =
        |backend: &str| -> Vec<&Value> { all.iter().filter(|row| row["backend"]["id"] == backend).collect() };
    assert_eq!((of(BACKEND).len(), of(VPN).len()), (12, 8));
    assert_eq!(
        of(WINDOWS).len(),
        3 * 4,
        "the services' session and listeners are nobody's"
    );
    let vpn = of(VPN)[0];
    assert_eq!(
        (
            &vpn["kind"],
            &vpn["state"],
            &vpn["allowedActions"],
            &vpn["backend"]["kind"]
        ),
        (
            &json!("VPN"),
            &json!("ACTIVE"),
            &json!(["DISCONNECT"]),
            &json!("ORBNET")
        )
    );
    let console = of(WINDOWS)
        .into_iter()
        .find(|row| row["kind"] == "CONSOLE")
        .expect("somebody is at the console");
    assert_eq!(
        (
            &console["sessionName"],
            &console["protected"],
            &console["allowedActions"]
        ),
        (&json!("Console"), &json!(true), &json!([])),
        "a host's own policy protects its console"
    );

    let (_, citrix) = gw.active(0);
    let number = remote(&gw, "TERM0002");
    let windows = windows_id(&gw, "TERM0002", number);
    listed(&gw, &windows).await;
    let vpn = vpn["id"].as_str().expect("an id").to_owned();
    for id in [&citrix, &windows, &vpn] {
        let reply = gw.helpdesk().query(BY_ID, json!({ "id": id })).await;
        assert_eq!(
            (reply.status, &reply.body["data"]["disconnectBySessionId"]),
            (200, &json!(true)),
            "{}",
            reply.text
        );
    }
    // A disconnect leaves a desktop where it is, and ends a VPN's session.
    assert_eq!(gw.listed(&citrix).await.as_deref(), Some("DISCONNECTED"));
    assert_eq!(gw.listed(&windows).await.as_deref(), Some("DISCONNECTED"));
    assert_eq!(gw.listed(&vpn).await, None);

    let acts = gw.fleet().acts();
    let [act] = &acts[..] else {
        panic!("one act at the fleet: {acts:#?}")
    };
    let request = act.request.as_ref().expect("its body");
    assert_eq!(
        (act.host.as_str(), act.operation, act.session, act.performed),
        ("TERM0002", fleet::Operation::Disconnect, Some(number), true)
    );
    assert_eq!(
        (
            request.on_behalf.name.as_str(),
            request.reason.as_deref(),
            request.ticket.as_deref()
        ),
        ("Hanna Helpdesk", Some("stuck"), Some("T-7")),
        "the host's own log can say who asked"
    );
    assert_eq!(gw.vpn().acts().len(), 1);
    gw.audit().await.assert_is(
        "INTENT DISCONNECT <- Hanna Helpdesk
         ATTEMPT 1 DISCONNECT <- Hanna Helpdesk
         OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Hanna Helpdesk
         INTENT DISCONNECT <- Hanna Helpdesk
         ATTEMPT 1 DISCONNECT <- Hanna Helpdesk
         OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Hanna Helpdesk
         INTENT DISCONNECT <- Hanna Helpdesk
         ATTEMPT 1 DISCONNECT <- Hanna Helpdesk
         OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Hanna Helpdesk",
    );
    let audit = gw.audit().await;
    let intents = audit.phase("INTENT");
    assert_eq!(intents[1]["target"]["machine"]["name"], "TERM0002");
    assert_eq!(intents[1]["sessionId"], json!(windows));
    assert_eq!(intents[2]["sessionId"], json!(vpn));
}

async fn each_form_of_target_logs_off_a_windows_session(db: Db) {
    let gw = three(&db).await;
    let numbers = [
        remote(&gw, "TERM0001"),
        remote(&gw, "TERM0002"),
        remote(&gw, "TERM0003"),
    ];
    let id = windows_id(&gw, "TERM0001", numbers[0]);
    listed(&gw, &id).await;
    let others = [
        windows_id(&gw, "TERM0002", numbers[1]),
        windows_id(&gw, "TERM0003", numbers[2]),
    ];
    let all = rows(&gw.viewer(), json!({ "machine": "term0002" })).await;
    let row = all
        .iter()
        .find(|row| row["id"] == others[0])
        .expect("it is listed");
    let (name, dns) = (&row["sessionName"], &row["machine"]["dnsName"]);
    assert!(
        name.as_str().is_some_and(|name| name.starts_with("RDP-Tcp#")),
        "{row}"
    );

    for (target, id) in [
        (json!({ "onlineSessionId": id }), &id),
        (
            json!({ "named": { "server": dns, "sessionName": name.as_str().map(str::to_lowercase) } }),
            &others[0],
        ),
        (
            json!({ "numbered": { "server": "term0003", "sessionId": numbers[2] } }),
            &others[1],
        ),
    ] {
        let done = gw.helpdesk().data(LOGOFF, json!({ "target": target })).await["logoffSession"].clone();
        assert_eq!(
            (
                &done["status"],
                &done["operation"]["outcome"],
                &done["operation"]["session"]["id"]
            ),
            (&json!("LOGGED_OFF"), &json!("SUCCEEDED"), &json!(id)),
            "{target}: {done}"
        );
        assert_eq!(gw.listed(id).await, None);
    }
    let ended = gw.fleet().acts();
    assert!(ended.iter().all(|act| act.performed), "{ended:#?}");
    assert_eq!(ended.len(), 3);

    for target in [
        json!({ "numbered": { "server": "TERM0003", "sessionId": numbers[2] } }),
        json!({ "named": { "server": "TERM0009", "sessionName": "Console" } }),
    ] {
        let done = gw.helpdesk().data(LOGOFF, json!({ "target": target })).await["logoffSession"].clone();
        assert_eq!(
            (&done["status"], &done["operation"]),
            (&json!("NOT_FOUND"), &Value::Null),
            "{target}"
        );
    }
    let audit = gw.audit().await;
    let denied: Vec<_> = audit
        .phase("DENIED")
        .into_iter()
        .map(|row| (row["cause"].clone(), row["ticket"].clone()))
        .collect();
    assert_eq!(denied, vec![(json!("NO_SUCH_TARGET"), json!("T-8")); 2]);
    assert_eq!(gw.fleet().acts().len(), 3, "nothing was sent");
}

async fn a_reused_number_is_refused(db: Db) {
    let gw = three(&db).await;
    let number = remote(&gw, "TERM0001");
    let id = windows_id(&gw, "TERM0001", number);
    listed(&gw, &id).await;
    gw.fleet()
        .replace_session("TERM0001", number, "CORP\\somebody.else")
        .expect("another logon");

    let reply = gw.helpdesk().query(BY_ID, json!({ "id": id })).await;
    assert_eq!(reply.verdict(), (409, "SESSION_CHANGED"), "{}", reply.text);
    let done = gw
        .helpdesk()
        .data(LOGOFF, json!({ "target": { "onlineSessionId": id } }))
        .await["logoffSession"]
        .clone();
    assert_eq!(done["status"], "SUPERSEDED");
    assert!(gw.fleet().acts().is_empty(), "nothing was sent");
    let now = gw.fleet().session("TERM0001", number).expect("it lives");
    assert_eq!(now.user, "CORP\\somebody.else");
    let audit = gw.audit().await;
    let outcomes: Vec<_> = audit
        .phase("OUTCOME")
        .into_iter()
        .map(|row| (row["outcome"].clone(), row["sent"].clone()))
        .collect();
    assert_eq!(outcomes, vec![(json!("SUPERSEDED"), json!("NO")); 2]);
}

async fn a_vpn_has_no_log_off(db: Db) {
    let gw = three(&db).await;
    let vpn = rows(&gw.viewer(), json!({ "kinds": ["VPN"] })).await[0]["id"].clone();
    let done = gw
        .helpdesk()
        .data(LOGOFF, json!({ "target": { "onlineSessionId": vpn } }))
        .await["logoffSession"]
        .clone();
    assert_eq!(
        (&done["status"], &done["operation"]),
        (&json!("UNSUPPORTED"), &Value::Null),
        "{done}"
    );
    assert!(gw.vpn().acts().is_empty());
    assert_eq!(gw.audit().await.only("DENIED")["cause"], "UNSUPPORTED");
}

async fn one_backend_down_leaves_the_others_fresh_and_itself_marked(db: Db) {
    use curfew_sim::orbnet::{Fault, FaultAction, Operation};
    let gw = three(&db).await;
    gw.vpn()
        .add_fault(Fault::on(Operation::Any, FaultAction::DropBefore));
    let viewer = gw.viewer();
    let document = "{ onlineSessions(first: 1000, maxAge: 0) { totalCount backends { backend { id } status sessionCount \
                    observedAt error } } }";
    let before = viewer.data(document, json!({})).await["onlineSessions"].clone();
    let of = |data: &Value, name: &str| -> Value {
        let all = data["backends"].as_array().expect("readings");
        let found = all.iter().find(|it| it["backend"]["id"] == name);
        found.expect("every backend has one").clone()
    };
    let read_since = |data: &Value, name: &str| {
        let at = |data: &Value| of(data, name)["observedAt"].as_str().map(str::to_owned);
        at(data) > at(&before)
    };
    let seen = until("the VPN's reading fails, the others' go on", async || {
        let data = viewer.data(document, json!({})).await["onlineSessions"].clone();
        let fresh = [BACKEND, WINDOWS].iter().all(|name| read_since(&data, name));
        (fresh && of(&data, VPN)["status"] == "FAILED").then_some(data)
    })
    .await;
    assert_eq!(seen["totalCount"], 12 + 12 + 8, "its last good rows stay");
    for name in [BACKEND, WINDOWS] {
        let reading = of(&seen, name);
        assert_eq!(
            (&reading["status"], &reading["error"]),
            (&json!("OK"), &Value::Null)
        );
    }
    let vpn = of(&seen, VPN);
    assert_eq!(vpn["sessionCount"], 8);
    assert!(vpn["error"].is_string(), "{vpn}");
    // The others act as ever.
    let (_, citrix) = gw.active(0);
    let reply = gw.helpdesk().query(BY_ID, json!({ "id": citrix })).await;
    assert_eq!(reply.body["data"]["disconnectBySessionId"], json!(true));
}

async fn numbers_that_no_user_has_are_refused_wherever_they_stand(db: Db) {
    let gw = three(&db).await;
    for number in [json!(0), json!(65_536), json!(-1), json!(4_294_967_295_u32)] {
        let target = json!({ "numbered": { "server": "TERM0001", "sessionId": number } });
        let reply = gw.helpdesk().query(LOGOFF, json!({ "target": target })).await;
        assert!(
            matches!(reply.code(), "BAD_USER_INPUT" | "GRAPHQL_VALIDATION_FAILED"),
            "{number}: {}",
            reply.text
        );
        assert_eq!(
            reply.status,
            if reply.code() == "BAD_USER_INPUT" {
                400
            } else {
                200
            }
        );
    }
    for number in ["0", "65536", "4294967294", "4294967295", "-1", "01"] {
        let id = format!("{WINDOWS}:TERM0001/{number}@0123456789abcdef");
        let reply = gw.helpdesk().query(BY_ID, json!({ "id": id })).await;
        assert_eq!(
            reply.verdict(),
            (400, "SESSION_NOT_FOUND"),
            "{number}: {}",
            reply.text
        );
        assert_eq!(reply.message(), "Session not found or already disconnected");
    }
    // Who may not act learns nothing of what is there.
    for number in [1, 60_000] {
        let target = json!({ "numbered": { "server": "TERM0001", "sessionId": number } });
        let reply = gw.viewer().query(LOGOFF, json!({ "target": target })).await;
        assert_eq!(reply.verdict(), (403, "FORBIDDEN"), "{}", reply.text);
    }
    assert!(gw.fleet().acts().is_empty(), "nothing was sent");
    let audit = gw.audit().await;
    assert_eq!(audit.phase("OUTCOME").len(), 6, "{audit}");
    let denied: Vec<_> = audit
        .phase("DENIED")
        .into_iter()
        .map(|row| (row["cause"].clone(), row["sessionId"].clone()))
        .collect();
    let forbidden = |place: &str| (json!("FORBIDDEN"), json!(place));
    assert_eq!(denied, [forbidden("TERM0001/1"), forbidden("TERM0001/60000")]);
}
