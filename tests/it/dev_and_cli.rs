//! The command line: `dev`, `serve`, `migrate`, `check`, `--version`; exit codes and what is said.
//!
//! Not what the gateway does once it runs. Invariant: nothing that is printed holds a secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use curfew_core::Role;
use curfew_sim::{Fault, FaultAction, Operation};
use curfew_tests::{Db, Dev, Process, Serve, Signer, SimProcess, binary, on_both};
use serde_json::{Value, json};
use tempfile::TempDir;

on_both![
    dev_prints_one_line_and_ends_on_a_signal,
    serve_wants_a_migrated_database,
    check_says_what_is_in_order_and_what_is_not,
];

/// What a command printed, and its exit code.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

async fn run(binary: &Path, arguments: &[&str]) -> Ended {
    run_with(binary, arguments, &[]).await
}

async fn run_with(binary: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut process = Process::start_with(binary, arguments, variables);
    let stdout = process.rest().await;
    Ended {
        code: process.end().await,
        stdout,
        stderr: process.log(),
    }
}

/// A folder with a configuration and a key set.
struct Folder(TempDir);

impl Folder {
    fn new(config: &str, jwks: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(folder.path().join("curfew.toml"), config).expect("written");
        std::fs::write(folder.path().join("jwks.json"), jwks).expect("written");
        Self(folder)
    }

    fn config(&self) -> String {
        self.0.path().join("curfew.toml").display().to_string()
    }
}

fn curfew() -> Option<PathBuf> {
    binary("CURFEW_BIN", "curfew")
}

async fn dev_prints_one_line_and_ends_on_a_signal(db: Db) {
    let Some(mut dev) = Dev::start(&["--database-url", &db.url, "--sessions", "25"]).await else {
        return;
    };
    let keys: Vec<_> = dev
        .ready
        .as_object()
        .expect("an object")
        .keys()
        .cloned()
        .collect();
    assert_eq!(keys, ["database", "graphql", "ops", "tokens"]);
    for role in ["viewer", "helpdesk", "operator", "auditor", "admin"] {
        assert!(dev.ready["tokens"][role].is_string(), "{role}: {}", dev.ready);
    }
    let shown = dev.ready["database"].as_str().expect("text");
    assert!(
        shown.starts_with(db.url.split_once(':').expect("a URL").0),
        "{shown}"
    );

    // Once the line is there, every simulated backend has been read.
    let viewer = dev.role(Role::Viewer);
    let data = viewer.data(
        "{ onlineSessions { totalCount backends { status } } backends { id kind } }",
        json!({}),
    );
    assert_eq!(
        data.await,
        json!({
            "onlineSessions": { "totalCount": 25, "backends": [{ "status": "OK" }] },
            "backends": [{ "id": "citrix-demo", "kind": "CITRIX" }],
        })
    );
    dev.process.terminate().await;
    assert_eq!(dev.process.end().await, Some(0));
    assert_eq!(dev.process.line().await, None, "one line and no more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_password_of_a_database_is_not_shown() {
    let Some(db) = Db::postgres().await else {
        return;
    };
    // The server trusts everybody, so that any password will do.
    let url = db.url.replace("postgres@", "postgres:hunter2@");
    assert!(url.contains("hunter2"), "{url}");
    let Some(dev) = Dev::start(&["--database-url", &url, "--sessions", "1"]).await else {
        return;
    };
    assert!(
        !dev.ready["database"].to_string().contains("hunter2"),
        "{}",
        dev.ready
    );
    assert!(!dev.process.log().contains("hunter2"));
    let graphiql = dev.ready["graphql"]
        .as_str()
        .expect("a URL")
        .replace("/graphql", "/");
    let page = curfew_tests::http_client()
        .get(graphiql)
        .header("accept", "text/html")
        .send()
        .await
        .expect("a page");
    assert_eq!(page.status(), 200);
    let page = page.text().await.expect("text");
    assert!(page.contains("GraphiQL") && page.contains("Bearer ey"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dev_ends_while_an_act_is_waited_for() {
    let Some(mut dev) = Dev::start(&["--sessions", "25"]).await else {
        return;
    };
    let helpdesk = dev.role(Role::Helpdesk);
    let list = "{ onlineSessions(first: 5, filter: { states: [ACTIVE] }) { nodes { id } } }";
    let rows = helpdesk.data(list, json!({})).await["onlineSessions"]["nodes"]
        .as_array()
        .cloned()
        .expect("rows");
    let document = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true, \
         waitSeconds: 300 }) { status operation { state } } }";
    let asked: Vec<_> = rows
        .into_iter()
        .map(|row| {
            let helpdesk = helpdesk.clone();
            tokio::spawn(async move { helpdesk.query(document, json!({ "id": row["id"] })).await })
        })
        .collect();
    dev.process.terminate().await;
    // 5 s is what is promised; the bound allows for a busy machine.
    let ended = tokio::time::timeout(Duration::from_secs(30), dev.process.end()).await;
    assert_eq!(ended.expect("it ends in time"), Some(0), "{}", dev.process.log());
    for answer in asked {
        // Answered in whole, or refused: by the door, or because nobody listens any more.
        if let Ok(reply) = answer.await {
            let status = reply.body["data"]["logoffSession"]["status"].as_str();
            assert!(
                matches!(status, Some("LOGGED_OFF" | "ACCEPTED")) || reply.code() == "SHUTTING_DOWN",
                "{}",
                reply.text
            );
        }
    }
    assert!(!dev.process.log().contains("panicked"), "{}", dev.process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_names_the_option() {
    let Some(curfew) = curfew() else { return };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let ended = run(&curfew, &["dev", "--json", "--listen", &address]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains(&format!(
            "cannot listen on {address}: another program has the port; change `--listen`"
        )),
        "{}",
        ended.stderr
    );
    let ended = run(
        &curfew,
        &[
            "dev",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--ops-listen",
            &address,
        ],
    )
    .await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("change `--ops-listen`"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_outlives_dev_if_it_has_a_folder() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("data").display().to_string();
    let arguments = ["--data-dir", path.as_str(), "--sessions", "5"];
    let Some(mut dev) = Dev::start(&arguments).await else {
        return;
    };
    let document = "mutation { disconnectBySessionId(onlineSessionId: \"sess_1\") }";
    assert_eq!(
        dev.role(Role::Viewer).query(document, json!({})).await.status,
        403
    );
    dev.process.terminate().await;
    assert_eq!(dev.process.end().await, Some(0));
    let dev = Dev::start(&arguments).await.expect("the binary is there");
    let audit = curfew_tests::AuditTrail::read(&dev.role(Role::Auditor)).await;
    audit.assert_is("DENIED DISCONNECT FORBIDDEN <- Vera Viewer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_is_explained() {
    let Some(curfew) = curfew() else { return };
    let version = run(&curfew, &["--version"]).await;
    assert_eq!(
        (version.code, version.stdout.trim()),
        (Some(0), concat!("curfew ", env!("CARGO_PKG_VERSION")))
    );
    let help = run(&curfew, &["--help"]).await;
    assert_eq!(help.code, Some(0));
    for command in ["dev", "serve", "migrate", "check"] {
        assert!(help.stdout.contains(&format!("\n  {command}")), "{}", help.stdout);
    }
    for wrong in [
        &["fly"][..],
        &["serve"],
        &["dev", "--listen", "nowhere"],
        &["migrate"],
        &[],
    ] {
        let ended = run(&curfew, wrong).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{wrong:?}");
        assert!(!ended.stderr.is_empty());
    }
    let schema = run(&curfew, &["schema"]).await;
    assert_eq!((schema.code, schema.stdout), (Some(0), curfew_graphql::sdl()));
}

/// A configuration that is right but for what each case does to it.
async fn wrong_configurations(sim: &SimProcess, db: &Db) -> Vec<(String, String, &'static str)> {
    let good = Serve::config(sim, db);
    let key = Signer::ec("k");
    let jwks = Signer::jwks(&[&key]);
    let oct =
        json!({ "keys": [{ "kty": "oct", "k": "aHVudGVyMg", "alg": "HS256", "kid": "hs" }] }).to_string();
    let listen = |to: &str| good.replacen("listen = \"127.0.0.1:0\"", to, 1);
    vec![
        (
            listen("lisen = \"127.0.0.1:0\""),
            jwks.clone(),
            "server.lisen: there is no such key; did you mean `listen`?",
        ),
        (
            listen("listen = \"127.0.0.1\""),
            jwks.clone(),
            "server.listen: must be an address and a port",
        ),
        (
            listen("listen = \"0.0.0.0:0\""),
            jwks.clone(),
            "server.listen: would take tokens in clear text",
        ),
        (
            good.replace("kind = \"citrix\"", "kind = \"citrux\""),
            jwks.clone(),
            "citrux",
        ),
        (
            good.replace("flavour = \"cloud\"", "flavour = \"cloud\"\ncolour = 1"),
            jwks.clone(),
            "colour",
        ),
        (
            good.replace("allow_loopback = true", ""),
            jwks.clone(),
            "citrix-eu",
        ),
        (
            good.replace(
                "grp-viewer\" = { role = \"viewer\"",
                "grp-viewer\" = { role = \"king\"",
            ),
            jwks.clone(),
            "auth.issuers.1.map.grp-viewer",
        ),
        (
            good.replace("file:jwks.json", "file:missing.json"),
            jwks.clone(),
            "auth.issuers.1.jwks",
        ),
        (
            good.replace("file:jwks.json", "https://login.example.com/keys"),
            jwks.clone(),
            "auth.issuers.1.jwks",
        ),
        (
            good.replace(
                "[database]\nurl = \"",
                "[database]\nurl = \"env:CURFEW_NOT_SET_ANYWHERE\" # ",
            ),
            jwks.clone(),
            "database.url",
        ),
        (
            good.clone(),
            oct,
            "auth.issuers.1.jwks: file:jwks.json holds a symmetric key",
        ),
        (good.clone(), "{}".to_owned(), "auth.issuers.1.jwks"),
        (format!("{good}\n[unknown]\nx = 1\n"), jwks.clone(), "unknown"),
        (format!("{good}\n= nonsense"), jwks, "not TOML"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_64_and_names_the_key() {
    let (Some(curfew), Some(sim)) = (curfew(), SimProcess::start(&["--sessions", "1"]).await) else {
        return;
    };
    let db = Db::sqlite();
    let secret = sim.ready["clientSecret"].as_str().expect("a secret").to_owned();
    for (config, jwks, names) in wrong_configurations(&sim, &db).await {
        let folder = Folder::new(&config, &jwks);
        let ended = run(&curfew, &["serve", "--config", &folder.config()]).await;
        assert_eq!(ended.code, Some(64), "{names}: {}", ended.stderr);
        assert!(ended.stderr.contains(names), "{names}: {}", ended.stderr);
        assert!(
            !ended.stderr.contains(&secret) && !ended.stderr.contains("aHVudGVyMg"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "");
    }
    let missing = run(&curfew, &["serve", "--config", "/nowhere/curfew.toml"]).await;
    assert_eq!(missing.code, Some(64));
    assert!(
        missing.stderr.contains("/nowhere/curfew.toml"),
        "{}",
        missing.stderr
    );
    assert!(!db.file().expect("SQLite").exists(), "nothing was opened");

    let folder = Folder::new(&Serve::config(&sim, &db), &Signer::jwks(&[&Signer::ec("k")]));
    let variables = [("CURFEW__SERVER__LISTEN", "nowhere")];
    let ended = run_with(&curfew, &["serve", "--config", &folder.config()], &variables).await;
    assert_eq!(ended.code, Some(64));
    assert!(
        ended
            .stderr
            .contains("server.listen (set by CURFEW__SERVER__LISTEN)"),
        "{}",
        ended.stderr
    );
}

async fn serve_wants_a_migrated_database(db: Db) {
    let (Some(curfew), Some(sim)) = (curfew(), SimProcess::start(&["--sessions", "3"]).await) else {
        return;
    };
    let folder = Folder::new(&Serve::config(&sim, &db), &Signer::jwks(&[&Signer::ed("k")]));
    let config = folder.config();
    let refused = run(&curfew, &["serve", "--config", &config]).await;
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("run `curfew migrate`, or start with --migrate"),
        "{}",
        refused.stderr
    );

    let first = run(&curfew, &["migrate", "--config", &config]).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stdout.contains(" migrations applied, "), "{}", first.stdout);
    assert!(!first.stdout.contains(" 0 of them now"), "{}", first.stdout);
    let second = run(&curfew, &["migrate", "--database-url", &db.url]).await;
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert!(second.stdout.contains(" 0 of them now"), "{}", second.stdout);

    let mut serve = Process::start(&curfew, ["serve", "--config", &config]);
    curfew_tests::until("it serves", async || {
        serve.log().contains("Serving GraphQL on ").then_some(())
    })
    .await;
    serve.terminate().await;
    assert_eq!(serve.end().await, Some(0), "{}", serve.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_not_there_is_a_failed_start() {
    let (Some(curfew), Some(sim)) = (curfew(), SimProcess::start(&["--sessions", "1"]).await) else {
        return;
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let url = format!("postgres://curfew:hunter2@127.0.0.1:{port}/curfew");
    let config = Serve::config(&sim, &Db::sqlite());
    let (before, rest) = config.split_once("[database]\nurl = \"").expect("the section");
    let (_, after) = rest.split_once('"').expect("the value");
    let folder = Folder::new(
        &format!("{before}[database]\nurl = \"{url}\"{after}"),
        &Signer::jwks(&[&Signer::ec("k")]),
    );
    for arguments in [
        &["serve", "--config", &folder.config()][..],
        &["migrate", "--config", &folder.config()],
        &["migrate", "--database-url", &url],
        &["dev", "--json", "--listen", "127.0.0.1:0", "--database-url", &url],
    ] {
        let ended = run(&curfew, arguments).await;
        assert_eq!(ended.code, Some(1), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended
                .stderr
                .contains(&format!("postgres://curfew@127.0.0.1:{port}/curfew")),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

async fn check_says_what_is_in_order_and_what_is_not(db: Db) {
    let (Some(curfew), Some(sim)) = (curfew(), SimProcess::start(&["--sessions", "3"]).await) else {
        return;
    };
    let folder = Folder::new(&Serve::config(&sim, &db), &Signer::jwks(&[&Signer::ec("k")]));
    let check = async || run(&curfew, &["check", "--config", &folder.config()]).await;
    let unmigrated = check().await;
    assert_eq!(unmigrated.code, Some(1), "{}", unmigrated.stdout);
    let line = |ended: &Ended, status: &str, name: &str| {
        let mut lines = ended.stdout.lines();
        lines.any(|line| line.starts_with(status) && line[status.len()..].trim_start().starts_with(name))
    };
    // A file that is not there is not made by looking for it.
    let missing = if db.file().is_some() {
        "database"
    } else {
        "migrations"
    };
    assert!(line(&unmigrated, "fail", missing), "{}", unmigrated.stdout);
    assert!(db.file().is_none_or(|file| !file.exists()));
    assert!(
        unmigrated.stdout.contains("run `curfew migrate`"),
        "{}",
        unmigrated.stdout
    );

    assert_eq!(
        run(&curfew, &["migrate", "--config", &folder.config()])
            .await
            .code,
        Some(0)
    );
    let good = check().await;
    assert_eq!(good.code, Some(0), "{}{}", good.stdout, good.stderr);
    for name in [
        "configuration",
        "database",
        "migrations",
        "clock",
        "backend citrix-eu",
    ] {
        assert!(line(&good, "ok", name), "no line `ok {name}`:\n{}", good.stdout);
    }
    assert!(
        !good
            .stdout
            .contains(sim.ready["clientSecret"].as_str().expect("a secret"))
    );

    sim.fault(&Fault::on(Operation::Any, FaultAction::Refuse)).await;
    let refused = check().await;
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(line(&refused, "fail", "backend citrix-eu"), "{}", refused.stdout);
    assert!(
        line(&refused, "ok", "database"),
        "what works is said all the same: {}",
        refused.stdout
    );

    let broken = Folder::new("[server]\nlisen = 1\n", "{}");
    let ended = run(&curfew, &["check", "--config", &broken.config()]).await;
    assert_eq!(ended.code, Some(64));
    assert!(line(&ended, "fail", "configuration"), "{}", ended.stdout);
    assert!(ended.stdout.contains("server.lisen"), "{}", ended.stdout);
}

/// The JSON line is the whole of stdout, also with logs as JSON.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_go_to_stderr() {
    let Some(mut dev) = Dev::start(&["--sessions", "1", "--log-format", "json", "--log", "debug"]).await
    else {
        return;
    };
    assert_eq!(
        dev.role(Role::Viewer)
            .query("{ viewer { roles } }", json!({}))
            .await
            .status,
        200
    );
    dev.process.terminate().await;
    assert_eq!(dev.process.end().await, Some(0));
    assert_eq!(dev.process.rest().await, "");
    let log = dev.process.log();
    let lines: Vec<_> = log.lines().collect();
    assert!(lines.len() > 5, "{log}");
    for line in lines {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "not JSON: {line}");
        for role in Role::ALL {
            let token = dev.ready["tokens"][role.as_str()].as_str().unwrap_or("no token");
            assert!(!line.contains(token), "a token is logged: {line}");
        }
    }
}
