//! `curfew dev`: what it prints, that what it prints works, chaos, and how it ends.
//!
//! Not the gateway's behaviour, which is that of `serve`. Invariant: what is known of a `dev` is what it printed.

use std::time::Duration;

use curfew_core::Role;
use curfew_tests::{Db, Dev, Ended, Process, binary, not_run, on_both, run, until};
use serde_json::{Value, json};

on_both![dev_prints_one_line_and_ends_on_a_signal];

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
    assert_eq!(
        keys,
        ["backends", "control", "database", "graphql", "ops", "tokens"]
    );
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
            "onlineSessions": {
                "totalCount": 25,
                "backends": [{ "status": "OK" }, { "status": "OK" }, { "status": "OK" }],
            },
            "backends": [
                { "id": "citrix-demo", "kind": "CITRIX" },
                { "id": "rds-demo", "kind": "WINDOWS" },
                { "id": "vpn-demo", "kind": "ORBNET" },
            ],
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
    let list =
        "{ onlineSessions(first: 5, filter: { states: [ACTIVE], backendKinds: [CITRIX] }) { nodes { id } } }";
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

/// The page for people, and its process.
async fn page(arguments: &[&str]) -> Option<(Process, Vec<String>)> {
    let curfew = binary("CURFEW_BIN", "curfew")?;
    let always = ["dev", "--listen", "127.0.0.1:0"];
    let mut process = Process::start(&curfew, always.iter().chain(arguments));
    let mut lines = Vec::new();
    while lines.last().map(String::as_str) != Some("Ctrl-C ends it all.") {
        let line = process.line().await;
        lines.push(line.unwrap_or_else(|| panic!("it ended: {}", process.log())));
    }
    Some((process, lines))
}

/// Pastes lines into one shell, and gives what each command that asks the gateway answered.
async fn paste(lines: &[String]) -> Vec<Value> {
    let is_command = |line: &&String| line.starts_with("curl ");
    let is_token = |line: &&String| {
        let (name, rest) = line.split_once('=').unwrap_or_default();
        rest.starts_with("ey") && !name.is_empty() && name.chars().all(|it| it.is_ascii_uppercase())
    };
    let tokens = lines.iter().filter(is_token).cloned();
    // An `echo` behind each, so that the answers can be told apart.
    let commands = lines
        .iter()
        .filter(is_command)
        .map(|line| format!("{line}; echo"));
    let script: Vec<_> = tokens.chain(commands).collect();
    let shell = run("/bin/sh".as_ref(), &["-c", &script.join("\n")]).await;
    assert_eq!(shell.code, Some(0), "{}", shell.stderr);
    let answers = shell.stdout.lines().filter(|line| !line.is_empty());
    answers
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_on_the_page_works_when_it_is_pasted() {
    if std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_err()
    {
        not_run("pasting what `curfew dev` prints (no curl)");
        return;
    }
    let Some((mut dev, lines)) = page(&[]).await else {
        return;
    };
    let answers = paste(&lines).await;
    let text = lines.join("\n");
    let answer = |at: usize| {
        answers
            .get(at)
            .unwrap_or_else(|| panic!("no answer {at}:\n{text}"))
    };
    let status = |at: usize, field: &str| answer(at)["data"][field]["status"].as_str().unwrap_or_default();
    assert_eq!(
        answer(0)["data"]["onlineSessions"]["totalCount"],
        200,
        "{}",
        answer(0)
    );
    let twins = answer(1)["data"]["onlineSessions"]["nodes"]
        .as_array()
        .expect("rows");
    let by_both = |row: &&Value| {
        let source = |at: usize| &row["sources"][at]["backend"]["id"];
        source(0) == "citrix-demo" && source(1) == "rds-demo"
    };
    assert!(twins.iter().any(|row| by_both(&row)), "{}", answer(1));
    assert_eq!(status(2, "disconnectSession"), "DISCONNECTED", "{}", answer(2));
    for at in [3, 5, 6, 7] {
        assert_eq!(status(at, "logoffSession"), "LOGGED_OFF", "{}", answer(at));
    }
    assert_eq!(
        answer(4)["errors"][0]["extensions"]["code"],
        "FORBIDDEN",
        "{}",
        answer(4)
    );
    assert_eq!(answer(8)["data"]["disconnectBySessionId"], true, "{}", answer(8));
    assert_eq!(status(9, "logoffSession"), "UNSUPPORTED", "{}", answer(9));
    let records = answer(10)["data"]["auditRecords"]["nodes"]
        .as_array()
        .expect("records");
    let outcomes = records.iter().filter(|it| it["phase"] == "OUTCOME").count();
    assert_eq!(outcomes, 6, "every act has its outcome: {}", answer(10));
    assert_eq!(answers.len(), 11);

    // Once more, as the page says of the log-off.
    let again = paste(&lines).await;
    assert_eq!(
        again[3]["data"]["logoffSession"]["status"], "ALREADY_GONE",
        "{}",
        again[3]
    );

    // The last line but one is a command too.
    let chaos = lines.iter().find_map(|line| {
        line.split('`')
            .nth(1)
            .filter(|it| it.starts_with("curfew dev chaos"))
    });
    let words: Vec<_> = chaos.expect("a command").split(' ').skip(1).collect();
    let curfew = binary("CURFEW_BIN", "curfew").expect("it runs");
    let ended = run(&curfew, &words).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "rds-demo  hang\n"),
        "{}",
        ended.stderr
    );
    dev.terminate().await;
    assert_eq!(dev.end().await, Some(0), "{}", dev.log());
}

/// `curfew dev chaos …` against a running `dev`.
async fn chaos(dev: &Dev, words: &[&str]) -> Ended {
    let curfew = binary("CURFEW_BIN", "curfew").expect("it runs");
    let control = dev.ready["control"].as_str().expect("an address");
    let arguments: Vec<_> = ["dev", "chaos", "--control", control]
        .into_iter()
        .chain(words.iter().copied())
        .collect();
    run(&curfew, &arguments).await
}

/// Waits until a fresh reading of a backend stands so.
async fn reading(dev: &Dev, backend: &str, wanted: &[&str]) {
    let viewer = dev.role(Role::Viewer);
    let document = "query($id: ID!) { onlineSessions(maxAge: 0, filter: { backendIds: [$id] }) \
                    { backends { status error } } }";
    until(&format!("{backend} is {wanted:?}"), async || {
        let data = viewer.data(document, json!({ "id": backend })).await;
        let status = data["onlineSessions"]["backends"][0]["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        wanted.contains(&status.as_str()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_shows_in_the_list_and_goes_away_again() {
    let Some(dev) = Dev::start(&["--sessions", "60"]).await else {
        return;
    };
    let listed = chaos(&dev, &[]).await;
    assert_eq!(
        (listed.code, listed.stdout.as_str()),
        (Some(0), "citrix-demo  off\nrds-demo     off\nvpn-demo     off\n"),
        "{}",
        listed.stderr
    );
    for (backend, status) in [
        ("rds-demo", &["PARTIAL"][..]),
        ("citrix-demo", &["FAILED", "TIMED_OUT"]),
        ("vpn-demo", &["FAILED", "TIMED_OUT", "PARTIAL"]),
    ] {
        let ended = chaos(&dev, &[backend, "hang"]).await;
        assert_eq!(
            (ended.code, ended.stdout),
            (Some(0), format!("{backend}  hang\n")),
            "{}",
            ended.stderr
        );
        reading(&dev, backend, status).await;
        assert_eq!(chaos(&dev, &[backend, "off"]).await.code, Some(0));
        reading(&dev, backend, &["OK"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_that_cannot_be_is_said_with_what_can() {
    let Some(mut dev) = Dev::start(&["--sessions", "1"]).await else {
        return;
    };
    let ended = chaos(&dev, &["rds", "hang"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""));
    assert_eq!(
        ended.stderr,
        "curfew: there is no backend `rds`: citrix-demo, rds-demo and vpn-demo are (NOT_FOUND)\n"
    );
    let ended = chaos(&dev, &["rds-demo", "fast"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""));
    assert!(
        ended.stderr.contains("slow, hang, flap, ghost, off"),
        "{}",
        ended.stderr
    );
    dev.process.terminate().await;
    assert_eq!(dev.process.end().await, Some(0));
    let ended = chaos(&dev, &["rds-demo", "hang"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains("no `curfew dev` answers on 127.0.0.1:"),
        "{}",
        ended.stderr
    );
}
