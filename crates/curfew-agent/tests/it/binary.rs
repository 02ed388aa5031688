//! The binary: its commands, what it prints, how it ends. Invariant: no child outlives its test.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};

use curfew_agent_api::tls::gateway_config;
use curfew_agent_api::{Health, SessionList};
use tempfile::TempDir;

use crate::pki::{Authority, Issued, domain, expired};
use crate::stage::{SERVER_NAME, client, read};

fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_curfew-agent"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A folder with everything that an agent needs.
struct Setup {
    folder: TempDir,
    authority: Authority,
}

impl Setup {
    fn new() -> Self {
        let authority = Authority::new("agents of a test");
        let issued = authority.issue(&domain().agent("TERM04"));
        let setup = Self {
            folder: TempDir::new().expect("a folder"),
            authority,
        };
        setup.write("ca.pem", &setup.authority.pem());
        setup.install(&issued);
        setup.configure("");
        setup
    }

    fn install(&self, issued: &Issued) {
        self.write("agent.pem", &issued.cert);
        self.write("agent.key", &issued.key);
    }

    fn configure(&self, more: &str) {
        let text = r#"
            listen = "127.0.0.1:0"
            host = "TERM04"
            dns_name = "term04.corp.example"
            trust_domain = "corp.example"
            ca = "ca.pem"
            cert = "agent.pem"
            key = "agent.key"
            act_log = "acts.jsonl"
        "#;
        self.write("agent.toml", &format!("{text}{more}"));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("it is written");
    }

    fn command(&self, command: &str, more: &[&str]) -> Command {
        let config = self.folder.path().join("agent.toml");
        let config = config.to_str().expect("UTF-8");
        agent(&[&[command, "--config", config], more].concat())
    }

    fn output(&self, command: &str, more: &[&str]) -> Output {
        self.command(command, more).output().expect("it runs")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_document_is_printed_and_nothing_else() {
    let output = agent(&["openapi"]).output().expect("it runs");
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), curfew_agent_api::openapi::yaml());
}

#[test]
fn without_a_platform_nothing_is_made_up() {
    let setup = Setup::new();
    let output = setup.output("run", &[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("--platform fake"), "{output:?}");
    let output = setup.output("doctor", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("WRONG platform"), "{output:?}");
}

#[test]
fn the_doctor_says_what_there_is() {
    let setup = Setup::new();
    let output = setup.output("doctor", &["--platform", "fake", "--fake-sessions", "5"]);
    assert!(output.status.success(), "{output:?}");
    let said = text(&output.stdout);
    for part in [
        "ok    host         TERM04",
        "ok    certificate  spiffe://corp.example/agent/term04, until ",
        "ok    act log      ",
        "ok    policy       read-only no, ",
        "ok    platform     fake",
        "ok    sessions     5",
    ] {
        let line = said.lines().find(|line| line.starts_with(part));
        assert!(line.is_some(), "{part}: {said}");
    }
    assert_eq!(said.lines().last(), Some("ok    sessions     5"));
}

#[test]
fn a_certificate_of_another_host_is_refused_at_the_start() {
    let setup = Setup::new();
    setup.install(&setup.authority.issue(&domain().agent("TERM05")));
    for (command, code) in [("run", 64), ("doctor", 1)] {
        let output = setup.output(command, &["--platform", "fake"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            said.contains("agent/term05") && said.contains("agent/term04"),
            "{said}"
        );
    }
}

#[test]
fn a_certificate_that_has_ended_is_refused_at_the_start() {
    let setup = Setup::new();
    let issued = setup.authority.issue_with(&domain().agent("TERM04"), expired);
    setup.install(&issued);
    for (command, code) in [("run", 64), ("doctor", 1)] {
        let output = setup.output(command, &["--platform", "fake"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains("ended at 2020-02-01"), "{said}");
    }
}

#[test]
fn a_certificate_of_another_authority_is_refused_at_the_start() {
    let setup = Setup::new();
    let other = Authority::new("agents of a test");
    setup.install(&other.issue(&domain().agent("TERM04")));
    for (command, code) in [("run", 64), ("doctor", 1)] {
        let output = setup.output(command, &["--platform", "fake"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains("not one that the authority stands for"), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_act_log_on_a_full_disk_is_refused_at_the_start() {
    let setup = Setup::new();
    std::os::unix::fs::symlink("/dev/full", setup.folder.path().join("acts.jsonl")).expect("a link");
    for (command, code) in [("run", 64), ("doctor", 1)] {
        let output = setup.output(command, &["--platform", "fake"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains("acts.jsonl cannot be written"), "{said}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused_at_the_start() {
    let setup = Setup::new();
    let other = setup.authority.issue(&domain().agent("TERM04"));
    setup.write("agent.key", &other.key);
    let output = setup.output("run", &["--platform", "fake"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(
        text(&output.stderr).contains("do not belong together"),
        "{output:?}"
    );
}

#[test]
fn an_act_log_that_cannot_be_written_is_refused_at_the_start() {
    let setup = Setup::new();
    fs::create_dir(setup.folder.path().join("acts.jsonl")).expect("a folder");
    for (command, code) in [("run", 64), ("doctor", 1)] {
        let output = setup.output(command, &["--platform", "fake"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains("acts.jsonl cannot be written"), "{said}");
    }
}

#[test]
fn wrong_settings_and_wrong_usage_are_64() {
    let setup = Setup::new();
    setup.configure("colour = \"red\"");
    let output = setup.output("run", &["--platform", "fake"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("colour"), "{output:?}");
    for arguments in [&["run"] as &[&str], &["reset"], &["run", "--platform", "amiga"]] {
        let output = agent(arguments).output().expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}

/// A child that is killed when the test is over, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn it_runs_says_where_and_stops_when_it_is_told() {
    let setup = Setup::new();
    let child = setup
        .command(
            "run",
            &[
                "--platform",
                "fake",
                "--fake-sessions",
                "3",
                "--log-format",
                "json",
            ],
        )
        .spawn()
        .expect("it starts");
    let mut child = Running(child);
    let mut lines = BufReader::new(child.0.stderr.take().expect("its stderr"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    let logged: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let message = logged["message"].as_str().expect("a text");
    let address = message
        .strip_prefix("Listening on https://")
        .and_then(|rest| rest.strip_suffix(" as TERM04"))
        .unwrap_or_else(|| panic!("{message}"))
        .parse()
        .expect("an address");

    let gateway = setup.authority.issue(&domain().gateway());
    let tls = gateway_config(&domain(), &setup.authority.pem(), gateway.identity()).expect("TLS");
    let client = client(tls, address);
    let url = |path: &str| format!("https://{SERVER_NAME}:{}{path}", address.port());
    let health: Health = read(client.get(url("/v1/health")).send().await.expect("an answer")).await;
    assert_eq!((health.sessions, &*health.platform), (3, "fake"));
    assert_eq!(health.host.dns_name.as_deref(), Some("term04.corp.example"));
    assert!(health.certificate_ends_at.is_some());
    let list: SessionList = read(client.get(url("/v1/sessions")).send().await.expect("an answer")).await;
    assert_eq!(list.sessions.len(), 3);

    let pid = child.0.id().to_string();
    let killed = Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    let status = tokio::task::spawn_blocking(move || child.0.wait().expect("it ends"))
        .await
        .expect("it is waited for");
    assert!(status.success(), "{status}");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("the rest");
    assert!(rest.contains("SIGTERM"), "{rest}");
}
