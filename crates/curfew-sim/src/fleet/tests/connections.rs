//! Faults of connections, and who is let in.

use std::error::Error;
use std::time::Duration;

use curfew_agent_api::TrustDomain;
use curfew_agent_api::tls::{Identity, gateway_config};

use super::{Desk, client};
use crate::fleet::{Fault, FaultAction, FleetSimConfig, Operation};
use crate::pki::Flaw;

const HOST: &str = "TERM0001";
const OTHER: &str = "TERM0002";

fn causes(error: &reqwest::Error) -> String {
    let mut texts = Vec::new();
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts.join(": ")
}

#[tokio::test]
async fn a_wrong_certificate_is_shown_by_its_host_alone_and_refused() {
    let desk = Desk::open(FleetSimConfig::new(2, 1)).await;
    assert_eq!(desk.status(HOST, "sessions").await, 200);
    for flaw in Flaw::ALL {
        let wrong = FaultAction::WrongCertificate { flaw };
        desk.sim.add_fault(Fault::on(Operation::Any, wrong).host(HOST));
        // What stands goes on; what comes next has to shake hands.
        assert_eq!(desk.status(HOST, "sessions").await, 200);
        assert!(desk.sim.cut_connections(HOST).await);
        let refused = desk.get(HOST, "sessions").send().await;
        let refused = refused.expect_err("a wrong certificate");
        assert!(refused.is_connect(), "{flaw:?}: {}", causes(&refused));
        assert!(
            causes(&refused).contains("certificate"),
            "{flaw:?}: {}",
            causes(&refused)
        );
        assert_eq!(desk.status(OTHER, "sessions").await, 200);
        desk.sim.clear_faults();
        assert_eq!(desk.status(HOST, "sessions").await, 200, "{flaw:?}");
    }
}

#[tokio::test]
async fn a_connection_can_be_refused_and_can_hang() {
    let desk = Desk::open(FleetSimConfig::new(2, 1)).await;
    desk.sim.add_fault(
        Fault::on(Operation::Any, FaultAction::RefuseConnection)
            .host(HOST)
            .times(1),
    );
    let refused = desk.get(HOST, "sessions").send().await;
    assert!(refused.is_err_and(|error| error.is_connect()));
    assert_eq!(desk.status(HOST, "sessions").await, 200);

    desk.sim
        .add_fault(Fault::on(Operation::Connect, FaultAction::HangConnection).host(HOST));
    desk.sim.cut_connections(HOST).await;
    let hanging = desk
        .get(HOST, "sessions")
        .timeout(Duration::from_millis(300))
        .send();
    assert!(hanging.await.is_err_and(|error| error.is_timeout()));
    assert_eq!(desk.status(OTHER, "sessions").await, 200);
    desk.sim.clear_faults();
    assert_eq!(desk.status(HOST, "sessions").await, 200);
    assert_eq!(desk.sim.counters().of(HOST, Operation::List), 2);
}

#[tokio::test]
async fn connections_are_kept_until_they_are_cut() {
    let desk = Desk::open(FleetSimConfig::new(1, 1)).await;
    let connects = || desk.sim.counters().of(HOST, Operation::Connect);
    for _ in 0..3 {
        assert_eq!(desk.status(HOST, "sessions").await, 200);
    }
    assert_eq!(connects(), 1);
    assert!(desk.sim.cut_connections(HOST).await);
    assert_eq!(desk.status(HOST, "sessions").await, 200);
    assert_eq!(connects(), 2);
    assert!(!desk.sim.cut_connections("TERM0009").await);
}

#[tokio::test]
async fn nobody_but_a_gateway_is_let_in() {
    let desk = Desk::open(FleetSimConfig::new(1, 1)).await;
    let domain = TrustDomain::parse("curfew").expect("a trust domain");
    for flaw in Flaw::ALL {
        let pem = desk.sim.pki().wrong_gateway(flaw).expect("a certificate");
        let identity = Identity::from_pem(&pem.cert, &pem.key).expect("PEM texts");
        let tls = gateway_config(&domain, desk.sim.ca_pem(), identity).expect("a gateway's side");
        let http = client(&desk.sim, tls);
        let refused = http.get(desk.url(HOST, "sessions")).send().await;
        assert!(refused.is_err(), "{flaw:?}");
    }
    assert_eq!(desk.sim.counters().of(HOST, Operation::List), 0);
}
