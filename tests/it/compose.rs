//! `docker-compose.yml` and `Dockerfile`: what stands in them, and that the same commands work.
//!
//! Not images and networks, for which a Docker daemon would be needed: Docker Compose checks the file, and the commands
//! run as processes of this machine. Invariant: the test has no command or configuration of its own; it reads those
//! that people use.

mod file;
mod native;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use curfew_tests::{AuditTrail, Client, Db, not_run, until};
use serde_json::{Value, json};

use file::{Compose, Condition, Mount, stage, stages, text};
use native::Native;

/// Docker Compose, as a plug-in or as a program, if it is here.
fn docker_compose() -> Option<Command> {
    [("docker", &["compose"][..]), ("docker-compose", &[])]
        .into_iter()
        .find_map(|(program, first)| {
            let command = || {
                let mut command = Command::new(program);
                command.args(first).current_dir(file::root()).stdin(Stdio::null());
                command
            };
            let there = command()
                .arg("version")
                .output()
                .is_ok_and(|it| it.status.success());
            there.then(command)
        })
}

#[test]
fn docker_compose_finds_nothing_wrong() {
    let Some(mut command) = docker_compose() else {
        not_run(
            "the check of docker-compose.yml (no Docker Compose; `cargo xtask test --install` installs it)",
        );
        return;
    };
    let output = command.args(["--profile", "tools", "config"]).output();
    let output = output.expect("Docker Compose can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.to_lowercase().contains("warn"), "{said}");
    let resolved: Value = {
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        yaml_serde::from_str(&text).expect("YAML")
    };
    let names = |whole: &Value| -> Vec<String> {
        let services = whole["services"].as_object().expect("services");
        services.keys().cloned().collect()
    };
    assert_eq!(
        names(&resolved),
        names(&Compose::read().whole),
        "this test and Docker Compose read the same services"
    );
}

#[test]
fn nothing_is_published_beyond_this_machine_and_nobody_has_more_rights_than_needed() {
    let compose = Compose::read();
    for service in compose.services.values() {
        let (name, whole) = (&service.name, &service.whole);
        assert_eq!(whole["read_only"], true, "{name}");
        assert_eq!(whole["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(whole["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        for key in ["privileged", "network_mode", "pid", "user", "devices"] {
            assert!(whole.get(key).is_none(), "{name}: {key}");
        }
        let (_, tag) = service
            .image
            .rsplit_once(':')
            .unwrap_or_else(|| panic!("{name}: an image without a tag"));
        assert_ne!(tag, "latest", "{name}");
        for port in whole["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().expect("text");
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
        }
        let outside = whole["networks"]
            .as_array()
            .is_some_and(|it| it.contains(&json!("outside")));
        assert_eq!(
            outside,
            name == "gateway",
            "{name}: who is on the network that leads out"
        );
    }
    assert_eq!(compose.whole["networks"]["inside"]["internal"], true);
    assert_eq!(
        native::unhealthy(&compose),
        [""; 0],
        "everybody who is waited for until healthy has a check"
    );
}

#[test]
fn a_volume_is_written_by_those_alone_who_make_what_is_in_it() {
    let compose = Compose::read();
    let mut writers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for service in compose.services.values() {
        for Mount { from, read_only, .. } in &service.volumes {
            assert!(*read_only || !from.starts_with("./"), "{}: {from}", service.name);
            if !read_only {
                writers.entry(from).or_default().push(&service.name);
            }
        }
    }
    let expected = [
        ("acts", vec!["agent"]),
        ("database", vec!["password"]),
        ("issuer", vec!["issuer"]),
        ("keys", vec!["issuer"]),
        ("pki", vec!["certs"]),
        ("postgres", vec!["postgres"]),
    ];
    assert_eq!(writers, expected.into_iter().collect());
    // The key that signs tokens is nowhere but with its issuer and with whoever asks for a token.
    let holders = compose
        .services
        .values()
        .filter(|it| it.volumes.iter().any(|mount| mount.from == "issuer"));
    let holders: Vec<_> = holders.map(|it| it.name.as_str()).collect();
    assert_eq!(holders, ["issuer", "token"]);
    for service in compose.services.values() {
        for (name, condition) in &service.depends_on {
            let one_shot = compose.is_one_shot(name);
            assert_eq!(
                *condition == Condition::Completed,
                one_shot,
                "{} on {name}",
                service.name
            );
        }
    }
}

#[test]
fn images_are_pinned_run_as_nobody_in_particular_and_the_gateway_has_nothing_of_dev() {
    let stages = stages();
    let names: Vec<_> = stages.iter().map(|it| it.name.as_str()).collect();
    for stage in &stages {
        if names.contains(&stage.from.as_str()) {
            continue;
        }
        let (_, tag) = stage
            .from
            .rsplit_once(':')
            .unwrap_or_else(|| panic!("{} has no tag", stage.from));
        assert!(!tag.contains("latest"), "{}", stage.from);
    }
    let rust = text("Cargo.toml");
    let (_, version) = rust.split_once("rust-version = \"").expect("a version of Rust");
    let (version, _) = version.split_once('"').expect("a version of Rust");
    assert!(
        stage("source").from.starts_with(&format!("rust:{version}-")),
        "the builder is `rust-version` of Cargo.toml ({version}): {}",
        stage("source").from
    );
    for name in ["gateway", "sim", "agent"] {
        let stage = stage(name);
        assert_eq!(stage.last("USER"), Some("10001:10001"), "{name}");
        assert_eq!(stage.from, "base", "{name}");
        assert!(stage.list("ENTRYPOINT").is_some(), "{name}");
    }
    assert_eq!(
        stages.last().map(|it| it.name.as_str()),
        Some("gateway"),
        "the default target"
    );
    let builds = |name: &str| stage(name).instructions.join("\n");
    assert!(builds("build-gateway").contains("--no-default-features"));
    for name in ["build-gateway", "build-demo"] {
        assert!(builds(name).contains("cargo build --locked "), "{name}");
    }
    assert!(
        builds("gateway").contains("--from=build-gateway /out/curfew "),
        "{}",
        builds("gateway")
    );

    // What a build needs and nothing else, above all no build of this machine's.
    let ignored = text(".dockerignore");
    let lines: Vec<_> = ignored.lines().filter(|it| !it.starts_with('#')).collect();
    assert_eq!(lines.first(), Some(&"*"));
    assert!(lines.contains(&"**/target"), "{lines:?}");
    for needed in [
        "Cargo.toml",
        "Cargo.lock",
        ".cargo",
        "crates",
        "migrations",
        "schema",
        "tests",
    ] {
        assert!(lines.contains(&format!("!{needed}").as_str()), "{needed}");
    }
}

/// What stands behind `docker compose` on each line of the README that has it, without its options.
fn documented() -> Vec<Vec<String>> {
    let readme = text("README.md");
    let lines = readme.lines().filter_map(|line| {
        let (before, command) = line.split_once("docker compose ")?;
        before
            .starts_with("    ")
            .then(|| command.split('#').next().unwrap_or_default())
    });
    let words = lines.map(|line| {
        line.trim_end_matches([' ', ')', '"'])
            .split_whitespace()
            .map(str::to_owned)
    });
    words.map(Iterator::collect).collect()
}

#[test]
fn what_the_readme_says_to_type_names_what_is_there() {
    let compose = Compose::read();
    let documented = documented();
    let verbs: Vec<_> = documented.iter().map(|it| it[0].as_str()).collect();
    assert_eq!(verbs, ["up", "ps", "cp", "run", "exec", "down"]);
    let mounted = |service: &str, path: &str| {
        let volumes = &compose.services[service].volumes;
        volumes
            .iter()
            .any(|it| path == it.to || path.starts_with(&format!("{}/", it.to)))
    };
    assert!(compose.services.contains_key(&documented[1][1]));
    let (service, path) = documented[2][1].split_once(':').expect("a service and a path");
    assert!(mounted(service, path), "{path}");
    let by_hand = documented[3].last().expect("a service");
    assert!(compose.services[by_hand].by_hand, "{by_hand}");
    let [_, service, _, _, _, path] = &documented[4][..] else {
        panic!("{:?}", documented[4])
    };
    assert!(mounted(service, path), "{path}");
}

/// A client that believes the stack's own authority and nobody else, as `curl --cacert` does.
fn client_trusting(ca: &str) -> reqwest::Client {
    curfew_server::cli::install_tls_provider();
    let ca = reqwest::Certificate::from_pem(ca.as_bytes()).expect("a certificate");
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([ca])
        .build()
        .expect("a client")
}

/// `VIEWER=…` and so on, as `eval "$(docker compose run --rm token)"` takes them.
fn tokens(printed: &str) -> BTreeMap<String, String> {
    let lines = printed
        .lines()
        .map(|line| line.split_once('=').expect("NAME=token"));
    lines
        .map(|(name, token)| (name.to_owned(), token.to_owned()))
        .collect()
}

/// Waits until every backend has been read, and gives the list.
async fn listed(viewer: &Client) -> Value {
    let document = "{ onlineSessions(first: 1000, maxAge: 0) { totalCount \
         nodes { id state protected sessionName machine { name } } \
         backends { backend { id kind } status sessionCount parts { total failed { name } } error } } }";
    until("every backend is read", async || {
        let data = viewer.data(document, json!({})).await["onlineSessions"].clone();
        let all = data["backends"].as_array().expect("backends");
        all.iter().all(|it| it["status"] == "OK").then_some(data)
    })
    .await
}

/// An active session whose id begins so and that may be acted on.
fn active(list: &Value, prefix: &str) -> Value {
    let rows = list["nodes"].as_array().expect("rows");
    let usable = |row: &&Value| {
        let id = row["id"].as_str().unwrap_or_default();
        id.starts_with(prefix) && row["state"] == "ACTIVE" && row["protected"] != true
    };
    rows.iter()
        .find(usable)
        .unwrap_or_else(|| panic!("no session {prefix}: {list:#}"))
        .clone()
}

/// Logs a session off and waits for the end.
async fn log_off(helpdesk: &Client, target: Value) {
    let document = "mutation($target: SessionTarget!) { logoffSession(input: { target: $target, wait: true }) { status } }";
    let data = helpdesk.data(document, json!({ "target": target })).await;
    assert_eq!(data["logoffSession"]["status"], "LOGGED_OFF", "{target}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_commands_work_without_containers() {
    let compose = Compose::read();
    let Some(db) = Db::postgres().await else { return };
    let Some(mut stack) = Box::pin(Native::up(&compose, &db.url)).await else {
        return;
    };
    let tokens = tokens(&stack.run("token", &[]).await.expect("the binary is there"));
    let names: Vec<_> = tokens.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["ADMIN", "AUDITOR", "AUTOMATION", "HELPDESK", "OPERATOR", "VIEWER"]
    );
    let ca = std::fs::read_to_string(stack.volume("pki").join("ca.pem")).expect("the authority");
    let http = client_trusting(&ca);
    let url = format!(
        "https://localhost:{}/graphql",
        stack.address("gateway", 8443).port()
    );
    let role = |name: &str| Client::new(&http, &url, Some(tokens[name].clone()));

    // Every backend of every kind is read, all hosts of the fleet and the one with the real agent among them.
    let list = listed(&role("VIEWER")).await;
    let standing = |backend: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (
            text(&backend["backend"]["id"]),
            text(&backend["backend"]["kind"]),
            backend["parts"]["total"].as_i64(),
        )
    };
    let mut backends: Vec<_> = list["backends"]
        .as_array()
        .expect("backends")
        .iter()
        .map(standing)
        .collect();
    backends.sort();
    let expected = [
        ("citrix-demo", "CITRIX", 1),
        ("rds-demo", "WINDOWS", 4),
        ("vpn-demo", "ORBNET", 10),
    ];
    let expected = expected.map(|(id, kind, parts)| (id.to_owned(), kind.to_owned(), Some(parts)));
    assert_eq!(backends, expected, "{}", stack.logs());

    let exec = documented()
        .into_iter()
        .find(|it| it[0] == "exec")
        .expect("the README has one");
    let command: Vec<_> = exec[2..].iter().map(String::as_str).collect();
    let checked = stack.exec(&exec[1], &command).await.expect("the binary is there");
    assert!(checked.contains("\nok    migrations "), "{checked}");

    // One session of each kind is ended, on Windows one of the fleet and one of the real agent.
    let helpdesk = role("HELPDESK");
    let citrix = active(&list, "citrix-demo:");
    log_off(&helpdesk, json!({ "onlineSessionId": citrix["id"] })).await;
    let of_fleet = active(&list, "rds-demo:TERM02/");
    log_off(&helpdesk, json!({ "onlineSessionId": of_fleet["id"] })).await;
    let of_agent = active(&list, "rds-demo:TERM04/");
    let named = json!({ "server": "TERM04", "sessionName": of_agent["sessionName"] });
    log_off(&helpdesk, json!({ "named": named })).await;
    let vpn = active(&list, "vpn-demo:");
    let document = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
    let data = helpdesk.data(document, json!({ "id": vpn["id"] })).await;
    assert_eq!(data["disconnectBySessionId"], true);
    let acts = std::fs::read_to_string(stack.volume("acts").join("acts.jsonl")).expect("the agent's own log");
    assert!(acts.contains("logoff"), "{acts}");

    let audit = AuditTrail::read(&role("AUDITOR")).await;
    let outcomes: Vec<_> = audit
        .phase("OUTCOME")
        .into_iter()
        .map(|it| json!([it["outcome"], it["backend"], it["sessionId"], it["actor"]["name"]]))
        .collect();
    let ended = [
        ("citrix-demo", &citrix),
        ("rds-demo", &of_fleet),
        ("rds-demo", &of_agent),
        ("vpn-demo", &vpn),
    ];
    let expected = ended.map(|(backend, row)| json!(["SUCCEEDED", backend, row["id"], "Demo Helpdesk"]));
    assert_eq!(outcomes, expected);

    // Nobody has written where the file says that they may only read.
    let mut files: Vec<_> = std::fs::read_dir(stack.volume("pki"))
        .expect("the volume")
        .map(|it| it.expect("a file").file_name().into_string().expect("UTF-8"))
        .collect();
    files.sort();
    let pairs = ["TERM04", "citrix", "curfew", "gateway", "orbnet"];
    let pairs = pairs
        .iter()
        .flat_map(|it| [format!("{it}.crt"), format!("{it}.key")]);
    let mut made: Vec<_> = pairs.chain(["ca.key".to_owned(), "ca.pem".to_owned()]).collect();
    made.sort();
    assert_eq!(files, made);
    assert!(
        stack.all_run() && stack.is_healthy("gateway").await,
        "{}",
        stack.logs()
    );
    for (service, code) in stack.down().await {
        assert_eq!(code, Some(0), "{service} ends in order");
    }
}
