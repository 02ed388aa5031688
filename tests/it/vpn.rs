//! A VPN: bare ids as its dashboards send them, and a service that refuses.
//!
//! Invariant: the contract of `disconnectBySessionId` holds to the letter, and every attempt is on record.

use curfew_sim::orbnet::{Fault, FaultAction, Operation};
use curfew_sim::{CitrixSimConfig, OrbnetSimConfig};
use curfew_tests::{Db, Gateway, Site, VPN, on_both};
use serde_json::{Value, json};

use crate::three_kinds::{BY_ID, rows};

on_both![
    a_bare_id_works_as_in_the_vendors_documentation,
    a_bare_id_that_two_backends_have_is_nobodys,
    a_token_that_may_list_but_not_disconnect_is_told_apart,
    a_session_that_the_vendor_calls_gone_is_gone,
];

/// The document of the vendor's page, to the letter.
const VENDORS: &str = "mutation disconnectBySessionId($onlineSessionId: String!) {\n  disconnectBySessionId(onlineSessionId: \
                       $onlineSessionId)\n}";

fn service() -> OrbnetSimConfig {
    OrbnetSimConfig::default().users(3).sessions_per_user(2)
}

async fn a_bare_id_works_as_in_the_vendors_documentation(db: Db) {
    let gw = Gateway::builder().orbnet(service()).database(&db).start().await;
    let session = gw.vpn().sessions()[0].session_id.clone();
    let variables = json!({ "onlineSessionId": session });

    let refused = gw.viewer().query(VENDORS, variables.clone()).await;
    assert_eq!(refused.verdict(), (403, "FORBIDDEN"));
    assert_eq!(refused.message(), "Admin access required to disconnect sessions");

    let done = gw.admin().query(VENDORS, variables.clone()).await;
    assert_eq!(
        (done.status, &done.body),
        (200, &json!({ "data": { "disconnectBySessionId": true } }))
    );
    assert_eq!(gw.vpn().session(&session), None);

    let again = gw.admin().query(VENDORS, variables).await;
    assert_eq!(again.verdict(), (400, "SESSION_NOT_FOUND"));
    assert_eq!(again.message(), "Session not found or already disconnected");
    assert_eq!(again.body["data"], Value::Null);
    assert_eq!(again.body["errors"][0]["path"], json!(["disconnectBySessionId"]));

    gw.audit().await.assert_is(
        "DENIED DISCONNECT FORBIDDEN <- Vera Viewer
         INTENT DISCONNECT <- Ada Admin
         ATTEMPT 1 DISCONNECT <- Ada Admin
         OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Ada Admin
         DENIED DISCONNECT NO_SUCH_TARGET <- Ada Admin",
    );
    assert_eq!(gw.vpn().acts().len(), 1);
}

async fn a_bare_id_that_two_backends_have_is_nobodys(db: Db) {
    // Two services of one seed have the same users with the same ids of sessions.
    let gw = Gateway::builder()
        .citrix(CitrixSimConfig::cloud().sessions(3))
        .orbnet(service())
        .site(Site::new("vpn-two", service()))
        .database(&db)
        .start()
        .await;
    let session = gw.vpn().sessions()[0].session_id.clone();
    assert!(gw.vpn_of("vpn-two").session(&session).is_some());

    let reply = gw.helpdesk().query(BY_ID, json!({ "id": session })).await;
    assert_eq!(reply.verdict(), (400, "SESSION_NOT_FOUND"));
    assert_eq!(reply.message(), "Session not found or already disconnected");
    let hint = reply.body["errors"][0]["extensions"]["hint"]
        .as_str()
        .unwrap_or_default();
    assert!(hint.contains(VPN) && hint.contains("vpn-two"), "{}", reply.text);
    assert!(gw.vpn().acts().is_empty() && gw.vpn_of("vpn-two").acts().is_empty());
    let audit = gw.audit().await;
    let denied = audit.only("DENIED");
    assert_eq!(
        (&denied["cause"], &denied["sessionId"], &denied["ticket"]),
        (&json!("AMBIGUOUS_TARGET"), &json!(session), &json!("T-7"))
    );

    assert_eq!(
        rows(&gw.viewer(), json!({})).await.len(),
        3 + 6 + 6,
        "the listing is unharmed"
    );
    let ids = rows(&gw.viewer(), json!({ "backendIds": ["vpn-two"] })).await;
    let whole = ids
        .iter()
        .filter_map(|row| row["id"].as_str())
        .find(|id| id.contains(&session))
        .expect("it is listed");
    let reply = gw.helpdesk().query(BY_ID, json!({ "id": whole })).await;
    assert_eq!(
        reply.body["data"]["disconnectBySessionId"],
        json!(true),
        "{}",
        reply.text
    );
    assert!(gw.vpn().session(&session).is_some(), "the other one lives");
}

async fn a_token_that_may_list_but_not_disconnect_is_told_apart(db: Db) {
    let service = service();
    let reseller = service.reseller_token.clone();
    let gw = Gateway::builder()
        .site(Site::new(VPN, service).key("token", reseller))
        .database(&db)
        .start()
        .await;
    assert_eq!(rows(&gw.viewer(), json!({})).await.len(), 6);
    let session = gw.vpn().sessions()[0].session_id.clone();
    let reply = gw.helpdesk().query(BY_ID, json!({ "id": session })).await;
    assert_eq!(reply.verdict(), (502, "BACKEND_REFUSED"), "{}", reply.text);
    assert!(gw.vpn().session(&session).is_some());
    let audit = gw.audit().await;
    let outcome = audit.only("OUTCOME");
    assert_eq!(
        (
            &outcome["outcome"],
            &outcome["cause"],
            &outcome["evidence"]["act"]["nativeCode"]
        ),
        (&json!("FAILED"), &json!("REFUSED"), &json!("FORBIDDEN"))
    );
}

async fn a_session_that_the_vendor_calls_gone_is_gone(db: Db) {
    let gw = Gateway::builder().orbnet(service()).database(&db).start().await;
    let session = gw.vpn().sessions()[0].session_id.clone();
    // Between the look and the act its user leaves.
    gw.vpn()
        .add_fault(Fault::on(Operation::Disconnect, FaultAction::HoldBefore).times(1));
    let asked = tokio::spawn({
        let (helpdesk, session) = (gw.helpdesk(), session.clone());
        async move { helpdesk.query(BY_ID, json!({ "id": session })).await }
    });
    gw.vpn().wait_for_held(1).await;
    assert!(gw.vpn().end_session(&session));
    assert_eq!(gw.vpn().release(), 1);
    let reply = asked.await.expect("an answer");
    assert_eq!(reply.verdict(), (400, "SESSION_NOT_FOUND"), "{}", reply.text);
    let audit = gw.audit().await;
    let outcome = audit.only("OUTCOME");
    assert_eq!(
        (&outcome["outcome"], &outcome["evidence"]["act"]["nativeCode"]),
        (&json!("ALREADY_GONE"), &json!("SESSION_NOT_FOUND")),
        "{audit}"
    );
}
