//! The command line: `serve`, `migrate`, `check`, `--version`, ports that are taken; exit codes and what is said.
//!
//! Not what the gateway does once it runs, and not `dev` (`dev`). Invariant: nothing that is printed holds a secret.

use std::path::PathBuf;

use curfew_core::Role;
use curfew_sim::{Fault, FaultAction, Operation};
use curfew_tests::{Db, Dev, Ended, Process, Serve, Signer, SimProcess, binary, on_both, run, run_with};
use serde_json::{Value, json};
use tempfile::TempDir;

on_both![
    serve_wants_a_migrated_database,
    check_says_what_is_in_order_and_what_is_not,
];

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_of_every_kind_are_checked_part_by_part_but_many_good_ones_in_one_line() {
    let db = Db::sqlite();
    let (Some(curfew), Some(citrix), Some(fleet), Some(vpn)) = (
        curfew(),
        SimProcess::start(&["--sessions", "3"]).await,
        SimProcess::fleet(&["--hosts", "22", "--sessions-per-host", "1"]).await,
        SimProcess::orbnet(&["--users", "2"]).await,
    ) else {
        return;
    };
    // A host that is not there: nobody listens at the address of the last one.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = free.local_addr().expect("an address");
    drop(free);
    let good = fleet.backend("rds");
    let last = format!(
        "{{ name = \"TERM0022\", address = \"{}\"",
        fleet.ready["address"].as_str().expect("text")
    );
    let with_silent = good.replace(&last, &format!("{{ name = \"TERM0022\", address = \"{silent}\""));
    assert_ne!(with_silent, good);
    let backends = [citrix.backend("citrix-eu"), with_silent, vpn.backend("vpn")];
    let folder = Folder::new(
        &Serve::config_of(&backends, &db),
        &Signer::jwks(&[&Signer::ec("k")]),
    );
    let migrated = run(&curfew, &["migrate", "--config", &folder.config()]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    let ended = run(&curfew, &["check", "--config", &folder.config()]).await;
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let of_hosts: Vec<_> = ended
        .stdout
        .lines()
        .filter(|line| line.contains("backend rds"))
        .collect();
    assert_eq!(of_hosts.len(), 2, "{}", ended.stdout);
    assert!(
        of_hosts[0].starts_with("fail  backend rds/TERM0022 "),
        "{}",
        of_hosts[0]
    );
    assert!(of_hosts[1].starts_with("ok    backend rds "), "{}", of_hosts[1]);
    assert!(
        of_hosts[1].ends_with("  21 of 22 hosts answer"),
        "{}",
        of_hosts[1]
    );
    for name in ["backend citrix-eu/", "backend vpn/"] {
        assert!(
            ended.stdout.contains(&format!("\nok    {name}")),
            "{name}: {}",
            ended.stdout
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_contradicts_itself_is_64_and_hides_nothing_of_the_others() {
    let db = Db::sqlite();
    let (Some(curfew), Some(citrix), Some(fleet), Some(vpn)) = (
        curfew(),
        SimProcess::start(&["--sessions", "1"]).await,
        SimProcess::fleet(&["--hosts", "2", "--sessions-per-host", "1"]).await,
        SimProcess::orbnet(&["--users", "2"]).await,
    ) else {
        return;
    };
    let (rds, orbnet) = (fleet.backend("rds"), vpn.backend("vpn"));
    let token = vpn.ready["token"].as_str().expect("a token");
    for (wrong, backend, says) in [
        (
            rds.replace("TERM0002", "term0001"),
            "rds",
            "`term0001` is there twice",
        ),
        (rds.replace("allow_loopback = true\n", ""), "rds", "loopback"),
        (orbnet.replace("id = 102", "id = 101"), "vpn", "101 twice"),
        (
            orbnet.replace("allow_loopback = true\n", ""),
            "vpn",
            "only https is spoken",
        ),
    ] {
        let config = Serve::config_of(&[citrix.backend("citrix-eu"), wrong], &db);
        let folder = Folder::new(&config, &Signer::jwks(&[&Signer::ec("k")]));
        let serve = run(&curfew, &["serve", "--config", &folder.config()]).await;
        assert_eq!(serve.code, Some(64), "{says}: {}", serve.stderr);
        assert!(
            serve.stderr.contains(backend) && serve.stderr.contains(says),
            "{says}: {}",
            serve.stderr
        );
        let check = run(&curfew, &["check", "--config", &folder.config()]).await;
        assert_eq!(check.code, Some(64), "{says}: {}", check.stdout);
        assert!(
            check.stdout.contains(&format!("fail  backend {backend} ")),
            "{}",
            check.stdout
        );
        assert!(
            check.stdout.contains("ok    backend citrix-eu/"),
            "{}",
            check.stdout
        );
        for said in [serve.stderr, check.stdout] {
            assert!(!said.contains(token) && !said.contains("PRIVATE KEY"), "{said}");
        }
    }
    assert!(!db.file().expect("SQLite").exists(), "nothing was opened");
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
