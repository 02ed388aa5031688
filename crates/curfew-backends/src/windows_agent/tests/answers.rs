//! Answers that are none: a host's whole answer is refused, and never taken for an empty list or a session that is
//! gone.

use curfew_core::{BackendErrorKind as Kind, Sight};
use serde_json::{Value, json};

use super::stub::{host, problem, row};
use super::*;

/// What a listing says of a host that answers so.
async fn listed(script: impl Fn(&Asked) -> React + Send + Sync + 'static) -> String {
    let hosts = Hosts::one(script).await;
    said(hosts.backend.list(&soon()).await)
}

async fn listed_rows(rows: Value) -> String {
    listed(move |_| React::json(200, &json!({ "host": host("TERM04"), "sessions": rows }))).await
}

fn with(key: &str, value: Value) -> Value {
    let mut row = row(3);
    row[key] = value;
    row
}

#[tokio::test]
async fn a_list_that_is_none_is_refused_as_a_whole() {
    let mut said = Vec::new();
    for body in ["", "null", "[]", "{}", "{\"host\":{}", "\u{feff}{}"] {
        let answer = React::Answer(200, "application/json", body.to_owned());
        said.push(listed(move |_| answer.clone()).await);
    }
    said.push(listed(|_| React::html(200)).await);
    said.push(listed_rows(json!(null)).await);
    said.push(listed_rows(json!([row(3), with("number", json!("7"))])).await);
    said.push(listed_rows(json!([with("number", json!(-1))])).await);
    said.push(listed_rows(json!([with("number", json!(4_294_967_296_u64))])).await);
    said.push(listed_rows(json!([with("user", json!(7))])).await);
    said.push(listed_rows(json!([with("loggedOnAt", json!("16.01.2026"))])).await);
    said.push(listed_rows(json!([with("idleSeconds", json!(-1))])).await);
    said.dedup();
    assert_eq!(
        said,
        ["Protocol: TERM04 answers something that is no answer of an agent"]
    );
}

#[tokio::test]
async fn rows_that_are_no_sessions_of_users_refuse_the_whole_list() {
    let mut said = Vec::new();
    for number in [0, 65_536, 4_294_967_294_u32, u32::MAX] {
        said.push(listed_rows(json!([row(3), row(number)])).await);
    }
    for generation in ["", "0123456789ABCDEF", "0123", "0123456789abcdeg"] {
        said.push(listed_rows(json!([row(7), with("generation", json!(generation))])).await);
    }
    said.dedup();
    assert_eq!(
        said,
        ["Protocol: TERM04 answers with something that is no session of a user"]
    );
    assert_eq!(
        listed_rows(json!([row(3), row(4), row(3)])).await,
        "Protocol: TERM04 answers with a list that has a session twice"
    );
}

#[tokio::test]
async fn a_host_that_speaks_for_another_is_not_believed() {
    let hosts = Hosts::start(&["TERM04", "TERM05"]).await;
    hosts.stubs[0].set(sane("TERM05"));
    let listing = hosts.backend.list(&soon()).await.expect("one answers");
    assert_eq!(
        parts(&listing),
        ["Protocol: TERM04 answers as `TERM05`", "TERM05/3 TERM05/7"]
    );
    let look = hosts.backend.get(&id("TERM04/3"), &soon()).await;
    assert_eq!(said(look), "Protocol: TERM04 answers as `TERM05`");
    hosts.stubs[0].set(sane("<b>10.0.0.1</b>"));
    let look = hosts.backend.get(&id("TERM04/3"), &soon()).await;
    assert_eq!(said(look), "Protocol: TERM04 answers under another name");
    // Its case does not matter, and the id keeps the one that is configured.
    hosts.stubs[0].set(sane("term04"));
    let listing = hosts.backend.list(&soon()).await.expect("both answer");
    assert_eq!(parts(&listing)[0], "TERM04/3 TERM04/7");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let said = listed(|_| React::Endless).await;
    assert_eq!(said, "Protocol: TERM04 answered more than 4194304 bytes");
}

#[tokio::test]
async fn an_answer_that_is_no_success_says_why() {
    let mut all = Vec::new();
    for (status, code) in [
        (502, "ACCESS_DENIED"),
        (503, "HOST_NOT_READY"),
        (502, "HOST_FAILED"),
        (500, "INTERNAL"),
        (429, "TOO_MANY_ACTS"),
        (404, "NO_SUCH_PATH"),
        (418, "OUT_OF_PAPER"),
        // Codes that do not go with their status are not the agent's.
        (404, "ACCESS_DENIED"),
        (200, "INTERNAL"),
    ] {
        all.push(listed(move |_| problem(status, code)).await);
    }
    for status in [404, 502, 302] {
        all.push(listed(move |_| React::html(status)).await);
    }
    all.push(listed(|_| React::Close).await);
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn a_session_is_gone_only_by_the_agents_own_word() {
    let seen = async |react: React| {
        let hosts = Hosts::one(move |_| react.clone()).await;
        let look = hosts.backend.get(&id("TERM04/3"), &soon()).await;
        look.map(|reply| reply.value).map_err(|error| error.kind)
    };
    let answer = |session: Value| React::json(200, &json!({ "host": host("TERM04"), "session": session }));
    assert_eq!(seen(problem(404, "SESSION_GONE")).await, Ok(Sight::Gone));
    for (react, kind) in [
        (problem(404, "NO_SUCH_PATH"), Kind::Protocol),
        (problem(422, "NOT_A_USER_SESSION"), Kind::Protocol),
        (problem(410, "SESSION_GONE"), Kind::Unavailable),
        (React::html(404), Kind::Unavailable),
        (
            React::Answer(404, "application/json", String::new()),
            Kind::Unavailable,
        ),
        (React::html(200), Kind::Protocol),
        (answer(row(7)), Kind::Protocol),
        (answer(row(0)), Kind::Protocol),
        (answer(with("generation", json!("x"))), Kind::Protocol),
        (answer(Value::Null), Kind::Protocol),
        (React::Endless, Kind::Protocol),
        (React::Close, Kind::Unavailable),
    ] {
        assert_eq!(seen(react.clone()).await, Err(kind), "{react:?}");
    }
    assert!(matches!(seen(answer(row(3))).await, Ok(Sight::Here(_))));
    let other = with("generation", json!("fedcba9876543210"));
    let Ok(Sight::Replaced(now)) = seen(answer(other)).await else {
        panic!("another logon has the number")
    };
    assert_eq!(now.id.as_str(), "rds:TERM04/3@fedcba9876543210");
}

#[tokio::test]
async fn what_no_user_session_can_be_called_is_gone_without_asking() {
    let hosts = Hosts::start(&["TERM04"]).await;
    for native in [
        "TERM04/0",
        "TERM04/65536",
        "TERM04/4294967294",
        "TERM04/4294967295",
        "TERM04/4294967296",
        "TERM04/-1",
        "TERM04/03",
        "TERM04/%2B3",
        "TERM04/",
        "TERM04",
        "3",
        "TERM04/x",
    ] {
        let reply = hosts
            .backend
            .get(&id(native), &soon())
            .await
            .expect("it can be told");
        assert_eq!(reply.value, Sight::Gone, "{native}");
        let started = hosts
            .act(&id(native), Verb::Logoff)
            .await
            .expect("it can be told");
        assert_eq!(started.value, Started::AlreadyGone, "{native}");
    }
    assert_eq!(hosts.stubs[0].connections(), 0);
}

#[tokio::test]
async fn a_host_that_is_not_configured_proves_nothing_about_its_sessions() {
    let hosts = Hosts::start(&["TERM04"]).await;
    for native in ["TERM09/3", "term04/3", "x/TERM04/3", "/3"] {
        let look = hosts.backend.get(&id(native), &soon()).await;
        assert_eq!(
            said(look),
            "Unavailable: the host of this session is not one that is configured",
            "{native}"
        );
        let act = hosts.act(&id(native), Verb::Logoff).await;
        assert_eq!(
            said(act),
            "Unavailable: the host of this session is not one that is configured; nothing was sent",
            "{native}"
        );
    }
    assert_eq!(hosts.stubs[0].connections(), 0);
}
