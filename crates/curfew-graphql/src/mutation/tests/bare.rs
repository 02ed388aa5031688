//! `disconnectBySessionId` with the bare ids that VPN dashboards send.

use super::*;

const BY_ID: &str =
    "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id, ticket: \"INC-7\") }";

async fn by_id(desk: &Desk, id: &str) -> Value {
    desk.ask_as(caller(Role::Admin, None), BY_ID, json!({ "id": id }))
        .await
}

/// The error of the contract, with what is beside it.
fn not_found(extensions: Value) -> Value {
    let mut all = json!({ "code": "SESSION_NOT_FOUND", "retryable": false });
    let more = extensions.as_object().cloned().unwrap_or_default();
    all.as_object_mut().expect("an object").extend(more);
    json!([{
        "message": "Session not found or already disconnected",
        "locations": [{ "line": 1, "column": 26 }],
        "path": ["disconnectBySessionId"],
        "extensions": all,
    }])
}

#[tokio::test(start_paused = true)]
async fn a_vpn_session_is_ended_by_its_bare_id() {
    for id in ["sess_abc", "71/sess_abc"] {
        let desk = Desk::with(&[tunnel("71/sess_abc"), tunnel("72/sess_def")]).await;
        assert_eq!(
            by_id(&desk, id).await,
            json!({ "data": { "disconnectBySessionId": true } })
        );
        assert_eq!(desk.vpn.performed(), 1);
        assert!(desk.vpn.holds(&tunnel("72/sess_def").id));
        let records = desk.store.records();
        let whole = tunnel("71/sess_abc").id;
        assert!(
            records
                .iter()
                .all(|it| it.session.as_deref() == Some(whole.as_str()))
        );
        let again = by_id(&desk, id).await;
        assert_eq!(again["errors"], not_found(json!({})));
        assert_eq!(desk.denied(), [format!("NO_SUCH_TARGET {id}")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_younger_than_the_last_reading_is_found() {
    let desk = Desk::with(&[]).await;
    desk.vpn.put(tunnel("71/sess_abc"));
    assert_eq!(
        by_id(&desk, "sess_abc").await,
        json!({ "data": { "disconnectBySessionId": true } })
    );
    assert_eq!(desk.vpn.calls(Call::List), 2);
    assert_eq!(desk.rds.calls(Call::List), 1);
}

#[tokio::test(start_paused = true)]
async fn a_vpn_that_cannot_be_read_is_not_waited_for_longer_than_three_seconds() {
    let desk = Desk::with(&[]).await;
    desk.vpn.plan(Call::List, 1, Trouble::Hang);
    let before = tokio::time::Instant::now();
    let hint = "Nothing that is known has this id, and vpn-hq could not be read just now: it may be there all the same. \
                Try again.";
    assert_eq!(
        by_id(&desk, "sess_abc").await["errors"],
        not_found(json!({ "hint": hint }))
    );
    assert_eq!(before.elapsed(), std::time::Duration::from_secs(3));
    assert_eq!(desk.denied(), ["NO_SUCH_TARGET sess_abc"]);
}

#[tokio::test(start_paused = true)]
async fn a_text_that_can_be_no_id_is_not_found_either() {
    let long = "x".repeat(257);
    let desk = Desk::with(&[tunnel(&format!("71/{long}")), tunnel("71/a\nb")]).await;
    for (id, kept) in [
        ("x".repeat(512), "x".repeat(512)),
        ("x".repeat(513), "x".repeat(512)),
        ("x".repeat(9_999), "x".repeat(512)),
        ("a\0".to_owned(), "a\u{FFFD}".to_owned()),
        ("a\nb".to_owned(), "a\u{FFFD}b".to_owned()),
    ] {
        assert_eq!(by_id(&desk, &id).await["errors"], not_found(json!({})), "{id}");
        assert_eq!(desk.denied().pop(), Some(format!("NO_SUCH_TARGET {kept}")));
    }
    assert_eq!(desk.acts(), 0);
    let ended = by_id(&desk, &long).await;
    assert_eq!(
        ended,
        json!({ "data": { "disconnectBySessionId": true } }),
        "within an id's limit"
    );
}

#[tokio::test(start_paused = true)]
async fn an_id_of_two_sessions_ends_neither_and_is_on_record() {
    let (a, b) = (tunnel("71/sess_abc"), tunnel("72/sess_abc"));
    let desk = Desk::with(&[a.clone(), b.clone()]).await;
    let hint = format!(
        "2 VPN sessions have this id: use the id from onlineSessions: {}, {}",
        a.id, b.id
    );
    assert_eq!(
        by_id(&desk, "sess_abc").await["errors"],
        not_found(json!({ "hint": hint }))
    );
    assert_eq!(desk.denied(), ["AMBIGUOUS_TARGET sess_abc"]);
    let record = desk.store.records().remove(0);
    assert_eq!(
        (record.action.as_str(), record.ticket.as_deref()),
        ("DISCONNECT", Some("INC-7"))
    );
    assert_eq!(desk.acts(), 0);
    assert_eq!(
        by_id(&desk, a.id.as_str()).await,
        json!({ "data": { "disconnectBySessionId": true } })
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_no_vpn_session_has_no_bare_id() {
    let desk = Desk::with(&[
        session("citrix-eu", "sess_abc", "anna", 1),
        hosted("rds", "TERM04", 3),
    ])
    .await;
    for id in ["sess_abc", "TERM04/3", "3", "RDP-Tcp#3", "TERM04", "", " "] {
        assert_eq!(by_id(&desk, id).await["errors"], not_found(json!({})), "{id}");
    }
    assert_eq!(desk.denied().len(), 7);
    assert_eq!(desk.acts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_vpn_that_is_hidden_has_no_sessions() {
    let desk = Desk::with(&[tunnel("71/sess_abc")]).await;
    let elsewhere = caller(Role::Helpdesk, Some(&["citrix-eu"]));
    let body = desk.ask_as(elsewhere, BY_ID, json!({ "id": "sess_abc" })).await;
    assert_eq!(body["errors"], not_found(json!({})));
    assert_eq!(desk.denied(), ["NO_SUCH_TARGET sess_abc"]);
    assert_eq!(desk.vpn.calls(Call::List), 1);

    let viewer = caller(Role::Viewer, None);
    let body = desk.ask_as(viewer, BY_ID, json!({ "id": "sess_abc" })).await;
    assert_eq!(
        error(&body),
        ("FORBIDDEN", "Admin access required to disconnect sessions")
    );
    assert_eq!(desk.denied()[1], "FORBIDDEN sess_abc");
}

#[tokio::test(start_paused = true)]
async fn a_whole_id_that_makes_no_sense_is_still_told_so() {
    let desk = Desk::with(&[]).await;
    let body = by_id(&desk, "vpn-hq:71/sess_abc").await;
    assert_eq!(error(&body).0, "BAD_USER_INPUT");
    assert_eq!(desk.store.records().len(), 0);
}
