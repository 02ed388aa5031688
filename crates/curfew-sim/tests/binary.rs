//! The binary, as a process: its ready-line, its files, its end.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use curfew_agent_api::TrustDomain;
use curfew_agent_api::tls::{Identity, agent_config, gateway_config};
use serde_json::Value;

fn sim() -> Command {
    Command::new(env!("CARGO_BIN_EXE_curfew-sim"))
}

/// A simulator at work; ended with the test.
struct Running {
    process: Child,
    line: Value,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut process = sim()
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("its stdout");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says a line");
        let line = serde_json::from_str(&line).expect("the line is JSON");
        Self { process, line }
    }

    fn text(&self, name: &str) -> &str {
        self.line[name].as_str().unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ca(arguments: &[&str]) -> Output {
    sim().arg("ca").args(arguments).output().expect("it runs")
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A gateway's client for one host of a fleet.
fn gateway(running: &Running, host: &str) -> reqwest::Client {
    let domain = TrustDomain::parse(running.text("trustDomain")).expect("a trust domain");
    let identity = Identity::from_pem(running.text("gatewayCert"), running.text("gatewayKey"));
    let tls = gateway_config(&domain, running.text("ca"), identity.expect("PEM texts"));
    let address: SocketAddr = running.text("address").parse().expect("an address");
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.expect("a gateway's side"))
        .http1_only()
        .no_proxy()
        .resolve(host, address)
        .build()
        .expect("the client is built")
}

async fn read(http: &reqwest::Client, url: String) -> Value {
    let answer = http.get(url).send().await.expect("an answer");
    answer.json().await.expect("it answers in JSON")
}

/// Lists the sessions of a host as a gateway does.
async fn list(running: &Running, host: &str) -> Value {
    let (_, port) = running.text("address").rsplit_once(':').expect("a port");
    let url = format!("https://{host}:{port}/v1/sessions");
    read(&gateway(running, host), url).await
}

#[tokio::test]
async fn the_ready_line_of_a_fleet_is_all_that_a_gateway_needs() {
    let fleet = Running::start(&[
        "fleet",
        "--hosts",
        "2",
        "--prefix",
        "RDS",
        "--sessions-per-host",
        "4",
        "--control",
        "127.0.0.1:0",
        "--trust-domain",
        "corp.example",
    ]);
    assert_eq!(fleet.line["hosts"], serde_json::json!(["RDS0001", "RDS0002"]));
    assert_eq!(fleet.text("trustDomain"), "corp.example");
    let answer = list(&fleet, "rds0002").await;
    assert_eq!(answer["host"]["name"], "RDS0002");
    assert_eq!(answer["sessions"].as_array().map(Vec::len), Some(4));
    let http = gateway(&fleet, "rds0001");
    let acts = read(&http, format!("{}/acts", fleet.text("control"))).await;
    assert_eq!(acts, serde_json::json!([]));
}

#[tokio::test]
async fn a_fleet_takes_the_authority_of_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = path_text(folder.path());
    assert!(ca(&["--out", out]).status.success());
    let fleet = Running::start(&["fleet", "--host", "TERM04", "--ca-dir", out]);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    assert_eq!(fleet.text("ca"), read("ca.pem"));
    assert_eq!(fleet.text("gatewayKey"), read("gateway.key"));
    assert_eq!(list(&fleet, "term04").await["host"]["name"], "TERM04");
}

#[test]
fn what_ca_writes_loads_on_both_sides_and_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("pki");
    let arguments = ["--out", path_text(&out), "--host", "TERM01", "--host", "TERM02"];
    let first = ca(&arguments);
    assert!(first.status.success(), "{first:?}");
    let said: Value = serde_json::from_slice(&first.stdout).expect("the line is JSON");
    let read = |path: &Value| std::fs::read_to_string(path.as_str().expect("a path")).expect("a file");
    let identity =
        |files: &Value| Identity::from_pem(&read(&files["cert"]), &read(&files["key"])).expect("PEM texts");

    let domain = TrustDomain::parse("curfew").expect("a trust domain");
    let authority = read(&said["ca"]);
    let gateway = identity(&said["gateway"]);
    gateway.expect(&domain.gateway()).expect("the gateway's");
    gateway_config(&domain, &authority, gateway).expect("the gateway's side");
    for host in ["TERM01", "TERM02"] {
        let agent = identity(&said["hosts"][host]);
        agent.expect(&domain.agent(host)).expect("the agent's");
        agent_config(&domain, &authority, agent).expect("the agent's side");
    }

    let before = read(&said["hosts"]["TERM01"]["cert"]);
    let again = ca(&[&arguments[..], &["--host", "TERM03"]].concat());
    assert!(again.status.success(), "{again:?}");
    assert_eq!(read(&said["hosts"]["TERM01"]["cert"]), before);
    assert_eq!(read(&said["ca"]), authority);
    assert!(out.join("TERM03.crt").exists());

    let elsewhere = ca(&["--out", path_text(&out), "--trust-domain", "elsewhere"]);
    assert!(!elsewhere.status.success());
    assert_eq!(read(&said["ca"]), authority);
}

#[test]
fn what_makes_no_fleet_is_refused_with_words() {
    for arguments in [
        &["fleet", "--hosts", "0"][..],
        &["fleet", "--host", "a.b"],
        &["fleet", "--hosts", "2", "--host", "TERM01"],
        &["ca", "--out", "nowhere", "--trust-domain", "Not A Domain"],
    ] {
        let ended = sim().args(arguments).output().expect("it runs");
        assert!(!ended.status.success(), "{arguments:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
        assert!(ended.stdout.is_empty(), "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_fleet_ends_well_when_it_is_told_to() {
    let mut fleet = Running::start(&["fleet", "--hosts", "1"]);
    let told = Command::new("kill").arg(fleet.process.id().to_string()).status();
    assert!(told.expect("kill runs").success());
    assert!(fleet.process.wait().expect("it ends").success());
}
