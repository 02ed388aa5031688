//! What is said of an act, where the kind of backend makes a difference.

use super::*;

async fn said(desk: &Desk, act: &str, id: &str) -> (String, String) {
    let document = match act {
        "logoff" => {
            "mutation($id: ID!) { act: logoffSession(input: { target: { onlineSessionId: $id }, wait: true }) \
             { status message } }"
        }
        "message" => {
            "mutation($id: ID!) { act: sendMessage(input: { onlineSessionId: $id, text: \"Hello\" }) { status message } }"
        }
        _ => {
            "mutation($id: ID!) { act: disconnectSession(input: { onlineSessionId: $id }) { status message } }"
        }
    };
    let body = desk
        .ask_as(caller(Role::Operator, None), document, json!({ "id": id }))
        .await;
    let text = |name: &str| {
        body["data"]["act"][name]
            .as_str()
            .unwrap_or_else(|| panic!("{body}"))
            .to_owned()
    };
    (text("status"), text("message"))
}

async fn check(sessions: &[Session], act: &str, status: &str, message: &str) {
    let desk = Desk::with(sessions).await;
    let told = said(&desk, act, sessions[0].id.as_str()).await;
    assert_eq!(told, (status.to_owned(), message.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_says_what_it_leaves() {
    let vpn = "The VPN session has ended; its client may connect again.";
    check(&[tunnel("71/sess_abc")], "disconnect", "DISCONNECTED", vpn).await;
    let windows = "The session is disconnected; its applications keep running.";
    check(
        &[hosted("rds", "TERM04", 3)],
        "disconnect",
        "DISCONNECTED",
        windows,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_vpn_cannot_is_said_with_what_it_can() {
    let logoff = "Nothing was sent: a VPN session has no log-off: disconnect ends it.";
    check(&[tunnel("71/sess_abc")], "logoff", "UNSUPPORTED", logoff).await;
    let message = "Nothing was sent: this backend cannot show messages.";
    check(&[tunnel("71/sess_abc")], "message", "UNSUPPORTED", message).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_off_of_a_vpn_session_is_refused_on_record() {
    let session = tunnel("71/sess_abc");
    let desk = Desk::with(std::slice::from_ref(&session)).await;
    said(&desk, "logoff", session.id.as_str()).await;
    assert_eq!(desk.denied(), [format!("UNSUPPORTED {}", session.id)]);
    assert_eq!(desk.acts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hosts_own_refusal_reads_as_such() {
    let host = hosted("rds", "TERM04", 3);
    let desk = Desk::with(std::slice::from_ref(&host)).await;
    desk.rds
        .plan(Call::Start, 1, Trouble::Fail(BackendErrorKind::Denied));
    let told = said(&desk, "logoff", host.id.as_str()).await;
    assert_eq!(told.0, "FAILED");
    assert_eq!(
        told.1,
        "Not logged off: the backend refused. Its answer stands in `evidence`. The backend: the fake fails as planned \
         (Denied)."
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_is_what_the_host_and_the_kind_of_backend_allow() {
    let shielded = Session {
        protected: true,
        ..hosted("rds", "TERM04", 3)
    };
    let desk = Desk::with(&[shielded, hosted("branch", "TERM05", 3), tunnel("71/sess_abc")]).await;
    let query = "{ onlineSessions { nodes { backend { id } protected allowedActions } } }";
    let body = desk.ask(query).await;
    let offered = |backend: &str| {
        let nodes = body["data"]["onlineSessions"]["nodes"].as_array().expect("nodes");
        let node = nodes
            .iter()
            .find(|it| it["backend"]["id"] == backend)
            .expect("a row");
        (node["protected"].clone(), node["allowedActions"].clone())
    };
    assert_eq!(offered("rds"), (json!(true), json!([])));
    assert_eq!(
        offered("branch"),
        (json!(false), json!(["DISCONNECT", "LOGOFF", "MESSAGE"]))
    );
    assert_eq!(offered("vpn-hq"), (json!(false), json!(["DISCONNECT"])));
}
