//! Tokens, headers and principals.

use std::time::Duration;

use serde_json::Value;

use super::{Desk, client};
use crate::citrix::{CitrixSim, CitrixSimConfig, Variant};

#[tokio::test]
async fn every_header_is_checked() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let site = desk.sim.config().site.clone();
    let check = async |path: &str, auth: &str, customer: &str, instance: &str, expected: u16| {
        let mut request = desk.http.get(format!("{}/cvad/manage/{path}", desk.sim.url()));
        let headers = [
            ("Authorization", auth),
            ("Citrix-CustomerId", customer),
            ("Citrix-InstanceId", instance),
        ];
        for (name, value) in headers {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let status = request.send().await.expect("an answer").status();
        assert_eq!(status, expected, "{path} {auth} {customer} {instance}");
    };
    let good = format!("CWSAuth bearer={}", desk.token);
    let customer = desk.sim.customer_id();
    check("Sessions", &good, customer, &site, 200).await;
    check(
        "SESSIONS",
        &format!("cwsauth BEARER={}", desk.token),
        customer,
        &site,
        200,
    )
    .await;
    check("me", &good, customer, "", 200).await;
    check("Sessions", "", customer, &site, 401).await;
    check(
        "Sessions",
        &format!("Bearer {}", desk.token),
        customer,
        &site,
        401,
    )
    .await;
    check("Sessions", "CWSAuth bearer=other", customer, &site, 401).await;
    check("Sessions", &good, "", &site, 400).await;
    check("Sessions", &good, "another", &site, 403).await;
    check("Sessions", &good, customer, "", 400).await;
    check("Sessions", &good, customer, "another", 403).await;
    assert_eq!(desk.sim.counters().turned_away, 7);
    desk.sim.revoke_tokens();
    check("me", &good, customer, "", 401).await;
}

#[tokio::test]
async fn the_orchestration_form_names_customer_and_site_in_the_path() {
    let desk = Desk::open(CitrixSimConfig::on_prem()).await;
    let path = format!(
        "citrix/orchestration/api/CitrixOnPremises/{}/Sessions",
        desk.sim.config().site
    );
    let request = desk.http.get(format!("{}/{path}", desk.sim.url()));
    let answer = request
        .header("Authorization", format!("CWSAuth bearer={}", desk.token))
        .send()
        .await;
    assert_eq!(answer.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_token_comes_to_its_end() {
    let desk = Desk::open(CitrixSimConfig::cloud().token_lifetime(Duration::ZERO)).await;
    let answer = desk.get("me").await;
    assert_eq!(answer.status(), 401);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["parameters"][0]["value"], "expired");
}

#[tokio::test]
async fn bad_credentials_are_401_or_200_with_an_error() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    assert_eq!(desk.sign_in("nobody", "x").await, (401, String::new()));
    let desk = Desk::open(CitrixSimConfig::cloud().with(Variant::BadCredentials200)).await;
    assert_eq!(desk.sign_in("nobody", "x").await, (200, String::new()));
    let desk = Desk::open(CitrixSimConfig::on_prem()).await;
    assert_eq!(desk.sign_in("nobody", "x").await, (401, String::new()));
}

#[tokio::test]
async fn me_names_the_customer_and_the_site() {
    let desk = Desk::open(CitrixSimConfig::on_prem().with(Variant::TokenLower)).await;
    let me = desk.json("me").await;
    assert_eq!(me["Customers"][0]["Id"], "CitrixOnPremises");
    assert_eq!(me["Customers"][0]["Sites"][0]["Id"], desk.sim.config().site);
    let desk = Desk::open(CitrixSimConfig::cloud().with(Variant::NoSites)).await;
    assert_eq!(
        desk.json("me").await["Customers"][0]["Sites"],
        Value::Array(Vec::new())
    );
}

#[tokio::test]
async fn it_speaks_tls_with_the_given_certificate() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let pem = made.cert.pem();
    let config = CitrixSimConfig::cloud().tls(pem.clone(), made.signing_key.serialize_pem());
    let sim = CitrixSim::start(config).await.expect("the simulator starts");
    assert!(sim.url().starts_with("https://localhost:"));
    // Installs the provider that the client below needs.
    let _ = client();
    let trusting = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate")])
        .build()
        .expect("the client is built");
    let answer = trusting
        .get(format!("{}/cvad/manage/me", sim.url()))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 401);
    sim.shutdown().await;
}
