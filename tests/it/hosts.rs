//! Windows hosts that are not what they should be: wrong certificates, silence, nonsense, a policy of their own.
//!
//! Invariant: whatever one host does, the rows of the others are fresh, the caller gets a code, and the attempt is on record.

use std::time::Duration;

use curfew_agent::Policy;
use curfew_agent_api::ProblemCode;
use curfew_sim::fleet::{Fault, FaultAction, Operation};
use curfew_sim::pki::Flaw;
use curfew_sim::{DevPki, FleetSimConfig};
use curfew_tests::{Db, Gateway, Site, WINDOWS, on_both, until};
use serde_json::{Value, json};

use crate::three_kinds::{BY_ID, LOGOFF, listed, remote, rows, windows_id};

on_both![
    a_host_with_a_wrong_certificate_is_not_believed,
    a_host_that_answers_nonsense_harms_nobody_else,
    a_gateway_with_a_wrong_certificate_is_not_let_in,
    a_hosts_own_policy_holds,
    an_act_whose_answer_is_lost_is_settled_by_reading,
    a_log_off_that_does_not_happen_is_no_success,
];

/// The host that misbehaves.
const BAD: &str = "TERM0002";
const READING: &str = "{ onlineSessions(first: 0, maxAge: 0) { totalCount backends { status sessionCount error parts { total \
                       failed { name error } } } } }";

async fn fleet(db: &Db, config: FleetSimConfig) -> Gateway {
    Gateway::builder().windows(config).database(db).start().await
}

fn three_hosts() -> FleetSimConfig {
    FleetSimConfig::new(3, 4).logoff_takes(Duration::ZERO)
}

/// Waits until just one host has failed, and gives the reading.
async fn partial(gw: &Gateway) -> Value {
    let viewer = gw.viewer();
    until("one host has failed", async || {
        let data = viewer.data(READING, json!({})).await["onlineSessions"].clone();
        (data["backends"][0]["status"] == "PARTIAL").then_some(data)
    })
    .await
}

async fn a_host_with_a_wrong_certificate_is_not_believed(db: Db) {
    let gw = fleet(&db, three_hosts()).await;
    let number = remote(&gw, BAD);
    let id = windows_id(&gw, BAD, number);
    listed(&gw, &id).await;
    for flaw in Flaw::ALL {
        gw.fleet().clear_faults();
        gw.fleet()
            .add_fault(Fault::on(Operation::Any, FaultAction::WrongCertificate { flaw }).host(BAD));
        // A certificate is looked at when a connection begins, and not again.
        assert!(gw.fleet().cut_connections(BAD).await);
        let reading = partial(&gw).await;
        let backend = &reading["backends"][0];
        assert_eq!(backend["parts"]["failed"][0]["name"], BAD, "{flaw:?}: {reading}");
        let why = backend["parts"]["failed"][0]["error"]
            .as_str()
            .unwrap_or_default();
        assert!(why.contains("certificate"), "{flaw:?}: {why}");
        assert_eq!(reading["totalCount"], 3 * 4 + 1, "its last good rows stay");

        let reply = gw.helpdesk().query(BY_ID, json!({ "id": id })).await;
        assert_eq!(
            reply.verdict(),
            (502, "BACKEND_UNAVAILABLE"),
            "{flaw:?}: {}",
            reply.text
        );
    }
    assert!(gw.fleet().acts().is_empty(), "nothing was sent");
    let audit = gw.audit().await;
    let outcomes = audit.phase("OUTCOME");
    assert_eq!(outcomes.len(), Flaw::ALL.len());
    for outcome in outcomes {
        assert_eq!(
            (&outcome["outcome"], &outcome["sent"]),
            (&json!("FAILED"), &json!("NO")),
            "{outcome}"
        );
    }
}

async fn a_host_that_answers_nonsense_harms_nobody_else(db: Db) {
    let gw = fleet(&db, three_hosts()).await;
    let number = remote(&gw, BAD);
    let id = windows_id(&gw, BAD, number);
    listed(&gw, &id).await;
    let nonsense = [
        FaultAction::Html,
        FaultAction::Garbage,
        FaultAction::WrongTypes,
        FaultAction::TruncatedBody,
        FaultAction::EndlessBody,
        FaultAction::DropBefore,
        FaultAction::RefuseConnection,
        FaultAction::AnswerAs {
            host: "TERM0003".to_owned(),
        },
    ];
    for action in nonsense {
        gw.fleet().clear_faults();
        gw.fleet()
            .add_fault(Fault::on(Operation::Any, action.clone()).host(BAD));
        let reading = partial(&gw).await;
        let failed = &reading["backends"][0]["parts"]["failed"];
        assert_eq!(failed[0]["name"], BAD, "{action:?}: {reading}");
        assert_eq!(failed.as_array().map(Vec::len), Some(1));
        assert_eq!(reading["totalCount"], 3 * 4 + 1, "{action:?}");
        // A session of another host's is there and can be ended meanwhile.
        let other = remote(&gw, "TERM0001");
        let target = json!({ "numbered": { "server": "TERM0001", "sessionId": other } });
        let done = gw.helpdesk().data(LOGOFF, json!({ "target": target })).await["logoffSession"].clone();
        assert_eq!(done["status"], "LOGGED_OFF", "{action:?}: {done}");

        let before = gw.fleet().acts().len();
        let reply = gw.helpdesk().query(BY_ID, json!({ "id": id })).await;
        assert!(
            matches!(reply.code(), "BACKEND_UNAVAILABLE" | "BACKEND_REFUSED"),
            "{action:?}: {}",
            reply.text
        );
        assert_eq!(gw.fleet().acts().len(), before, "{action:?}: nothing was sent");
        assert!(gw.fleet().session(BAD, number).is_some());
    }
}

async fn a_gateway_with_a_wrong_certificate_is_not_let_in(db: Db) {
    let pki = DevPki::new("curfew").expect("an authority");
    for flaw in [Flaw::Expired, Flaw::OtherCa] {
        let wrong = pki.wrong_gateway(flaw).expect("a certificate");
        let site = Site::new(WINDOWS, three_hosts().pki(pki.clone()))
            .key("client_cert", wrong.cert)
            .key("client_key", wrong.key);
        let gw = Gateway::builder().site(site).database(&db).start().await;
        let data = gw.viewer().data(READING, json!({})).await["onlineSessions"].clone();
        let backend = &data["backends"][0];
        assert_eq!(
            (&backend["status"], &data["totalCount"]),
            (&json!("FAILED"), &json!(0))
        );
        let error = backend["error"].as_str().unwrap_or_default();
        assert!(error.contains("certificate"), "{flaw:?}: {error}");

        let number = remote(&gw, BAD);
        let id = windows_id(&gw, BAD, number);
        let reply = gw.helpdesk().query(BY_ID, json!({ "id": id })).await;
        assert_eq!(
            reply.verdict(),
            (502, "BACKEND_REFUSED"),
            "{flaw:?}: {}",
            reply.text
        );
        assert!(gw.fleet().acts().is_empty());
        let audit = gw.audit().await;
        let last = audit.phase("OUTCOME").last().copied().cloned().expect("an end");
        assert_eq!(
            (&last["outcome"], &last["cause"], &last["sent"]),
            (&json!("FAILED"), &json!("CREDENTIALS"), &json!("NO")),
            "{last}"
        );
    }
}

async fn a_hosts_own_policy_holds(db: Db) {
    let policy = Policy {
        protected_users: vec!["CORP\\boss".to_owned()],
        ..Policy::default()
    };
    let gw = fleet(&db, three_hosts().policy(policy)).await;
    let number = gw.fleet().add_session(BAD, "CORP\\Boss").expect("a number");
    let id = windows_id(&gw, BAD, number);
    listed(&gw, &id).await;
    let all = rows(&gw.admin(), json!({ "user": "CORP\\boss" })).await;
    assert_eq!(
        (&all[0]["protected"], &all[0]["allowedActions"]),
        (&json!(true), &json!([])),
        "a dashboard shows no button"
    );
    let reply = gw.admin().query(BY_ID, json!({ "id": id })).await;
    assert_eq!(reply.verdict(), (502, "BACKEND_REFUSED"), "{}", reply.text);
    assert!(reply.message().contains("policy"), "{}", reply.message());
    assert!(
        gw.fleet().session(BAD, number).is_some(),
        "an administrator of the gateway is none of the host"
    );
    let audit = gw.audit().await;
    let outcome = audit.only("OUTCOME");
    assert_eq!(
        (
            &outcome["outcome"],
            &outcome["cause"],
            &outcome["evidence"]["act"]["nativeCode"]
        ),
        (&json!("FAILED"), &json!("REFUSED"), &json!("PROTECTED"))
    );
}

async fn an_act_whose_answer_is_lost_is_settled_by_reading(db: Db) {
    for action in [FaultAction::ActThenDrop, FaultAction::BadGatewayAfterAct] {
        let gw = fleet(&db, three_hosts()).await;
        let number = remote(&gw, BAD);
        let id = windows_id(&gw, BAD, number);
        listed(&gw, &id).await;
        gw.fleet()
            .add_fault(Fault::on(Operation::Logoff, action.clone()).host(BAD));
        let target = json!({ "onlineSessionId": id });
        let done = gw.helpdesk().data(LOGOFF, json!({ "target": target })).await["logoffSession"].clone();
        assert_eq!(
            (&done["status"], &done["operation"]["sent"]),
            (&json!("LOGGED_OFF"), &json!("UNKNOWN")),
            "{action:?}: {done}"
        );
        assert_eq!(gw.fleet().acts().len(), 1, "{action:?}: it was not repeated");
    }
}

async fn a_log_off_that_does_not_happen_is_no_success(db: Db) {
    let gw = Gateway::builder()
        .windows(three_hosts())
        .database(&db)
        .deadlines(|limits| limits.confirming = Duration::from_millis(300))
        .start()
        .await;
    let number = remote(&gw, BAD);
    let id = windows_id(&gw, BAD, number);
    listed(&gw, &id).await;
    gw.fleet()
        .add_fault(Fault::on(Operation::Logoff, FaultAction::AcceptButIgnore));
    let target = json!({ "onlineSessionId": id });
    let done = gw.helpdesk().data(LOGOFF, json!({ "target": target })).await["logoffSession"].clone();
    assert_eq!(
        (&done["status"], &done["operation"]["outcome"]),
        (&json!("FAILED"), &json!("FAILED")),
        "{done}"
    );
    gw.fleet().clear_faults();
    gw.fleet().add_fault(
        Fault::on(
            Operation::Logoff,
            FaultAction::Refuse {
                code: ProblemCode::TooManyActs,
            },
        )
        .times(1),
    );
    let done = gw
        .helpdesk()
        .data(LOGOFF, json!({ "target": { "onlineSessionId": id } }))
        .await["logoffSession"]
        .clone();
    assert_eq!(
        done["status"], "BACKEND_UNAVAILABLE",
        "a host that is busy did nothing: {done}"
    );
    assert!(gw.fleet().session(BAD, number).is_some());
}
