//! Acts: what is sent, and what each answer to it means.

use std::collections::HashSet;

use curfew_core::{BackendErrorKind as Kind, Evidence};
use serde_json::json;

use super::stub::{host, problem};
use super::*;

fn message() -> Verb {
    Verb::Message {
        title: "Maintenance".to_owned(),
        text: "Please save your work.".to_owned(),
    }
}

/// An agent that reads sanely and answers acts so.
fn acting(react: React) -> impl Fn(&Asked) -> React + Send + Sync + 'static {
    let sane = sane("TERM04");
    move |asked| {
        if asked.line.starts_with("POST") {
            react.clone()
        } else {
            sane(asked)
        }
    }
}

#[tokio::test]
async fn an_act_says_what_whom_until_when_and_in_whose_name() {
    let hosts = Hosts::start(&["TERM04"]).await;
    for verb in [Verb::Disconnect, Verb::Logoff, message()] {
        let started = hosts.act(&id("TERM04/3"), verb).await.expect("it is done");
        assert_eq!(started.value, Started::Done);
    }
    let acts = hosts.stubs[0].acts();
    let lines: Vec<_> = acts.iter().map(|act| &*act.line).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/sessions/3/disconnect",
            "POST /v1/sessions/3/logoff",
            "POST /v1/sessions/3/message"
        ]
    );
    insta::assert_json_snapshot!(acts[2].body, { ".operation" => "[operation]" });
    let operations: HashSet<_> = acts.iter().map(|act| act.body["operation"].as_str()).collect();
    assert_eq!(operations.len(), 3);
    // One question for the host's clock, and each act over a connection of its own.
    assert_eq!(hosts.stubs[0].connections(), 4);
}

#[tokio::test]
async fn the_host_is_told_until_when_by_its_own_clock() {
    for minutes in [-5, 5] {
        let hosts = Hosts::start(&["TERM04"]).await;
        let theirs = hosts.clock.now() + TimeDelta::minutes(minutes);
        let sane = sane("TERM04");
        hosts.stubs[0].set(move |asked| {
            let React::Answer(status, kind, body) = sane(asked) else {
                panic!("a sane answer")
            };
            let now = theirs.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            React::Answer(status, kind, body.replace(stub::NOW, &now))
        });
        hosts
            .act(&id("TERM04/3"), Verb::Logoff)
            .await
            .expect("it is done");
        let sent = &hosts.stubs[0].acts()[0].body["notAfter"];
        let sent: curfew_core::Timestamp = serde_json::from_value(sent.clone()).expect("an instant");
        assert_eq!(sent, theirs + TimeDelta::seconds(15));
    }
}

#[tokio::test]
async fn a_slow_answer_makes_the_hosts_instant_earlier_and_never_later() {
    let hosts = Hosts::start(&["TERM04"]).await;
    let (clock, sane) = (hosts.clock.clone(), sane("TERM04"));
    hosts.stubs[0].set(move |asked| {
        // The host looked at its clock, and then the answer took three seconds.
        clock.advance(Duration::from_secs(if asked.line.starts_with("GET") {
            3
        } else {
            0
        }));
        sane(asked)
    });
    let not_after = hosts.clock.now() + TimeDelta::seconds(15);
    hosts
        .act(&id("TERM04/3"), Verb::Logoff)
        .await
        .expect("it is done");
    let sent = &hosts.stubs[0].acts()[0].body["notAfter"];
    let sent: curfew_core::Timestamp = serde_json::from_value(sent.clone()).expect("an instant");
    assert_eq!(sent, not_after - TimeDelta::seconds(3));
}

#[tokio::test]
async fn an_act_that_comes_too_late_is_not_sent() {
    let hosts = Hosts::start(&["TERM04"]).await;
    let late = "Unavailable: the act came too late and was not sent";
    let act = hosts
        .act_until(&id("TERM04/3"), Verb::Logoff, TimeDelta::seconds(-1))
        .await;
    assert_eq!(said(act), late);
    assert_eq!(hosts.stubs[0].asked(), []);
    // It becomes too late while the host is asked for its clock.
    let (clock, sane) = (hosts.clock.clone(), sane("TERM04"));
    hosts.stubs[0].set(move |asked| {
        clock.advance(Duration::from_secs(20));
        sane(asked)
    });
    assert_eq!(said(hosts.act(&id("TERM04/3"), Verb::Logoff).await), late);
    assert_eq!(hosts.stubs[0].acts(), []);
}

#[tokio::test]
async fn a_host_whose_clock_cannot_be_had_is_sent_nothing() {
    let mut all = Vec::new();
    for react in [
        React::html(502),
        React::html(200),
        React::Close,
        problem(503, "HOST_NOT_READY"),
        React::json(
            200,
            &json!({ "host": host("TERM05"), "apiVersions": [1], "sessions": 0, "readOnly": false, "platform": "windows" }),
        ),
        React::json(
            200,
            &json!({ "host": host("TERM04"), "apiVersions": [2], "sessions": 0, "readOnly": false, "platform": "windows" }),
        ),
    ] {
        let hosts = Hosts::one(move |_| react.clone()).await;
        all.push(said(hosts.act(&id("TERM04/3"), Verb::Logoff).await));
        assert_eq!(hosts.stubs[0].acts(), []);
    }
    let hosts = Hosts::hasty(&["TERM04"]).await;
    hosts.stubs[0].set(|_| React::Hang);
    all.push(said(hosts.act(&id("TERM04/3"), Verb::Logoff).await));
    assert_eq!(hosts.stubs[0].acts(), []);
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn each_answer_to_an_act_has_one_meaning() {
    let mut all = Vec::new();
    let done = |result: &str| React::json(200, &json!({ "host": host("term04"), "result": result }));
    let codes = curfew_agent_api::ProblemCode::ALL
        .iter()
        .map(|code| problem(code.status(), code.as_str()));
    let mut reacts = vec![done("DONE"), done("ACCEPTED"), done("ALREADY")];
    reacts.extend(codes);
    reacts.extend([
        React::json(
            429,
            &json!({ "code": "TOO_MANY_ACTS", "message": "", "retryAfterMs": 1500 }),
        ),
        React::json(
            502,
            &json!({ "code": "ACCESS_DENIED", "message": "", "win32": 5 }),
        ),
        problem(418, "OUT_OF_PAPER"),
        // Whoever says this, it is not the agent.
        problem(200, "SESSION_GONE"),
        problem(410, "SESSION_GONE"),
        problem(502, "TOO_LATE"),
        React::html(404),
        React::html(502),
        React::html(200),
        done("PERHAPS"),
        React::json(200, &json!({ "host": host("TERM05"), "result": "DONE" })),
        React::Answer(204, "text/plain", String::new()),
        React::Endless,
        React::Close,
    ]);
    for react in reacts {
        let hosts = Hosts::one(acting(react.clone())).await;
        let result = hosts.act(&id("TERM04/3"), Verb::Disconnect).await;
        assert_eq!(
            hosts.stubs[0].acts().len(),
            1,
            "{react:?} was answered with a repetition"
        );
        let what = match react {
            React::Answer(status, _, body) => format!("{status} {}", body.get(..90).unwrap_or(&body)),
            other => format!("{other:?}"),
        };
        let told = |evidence: &Evidence| evidence.native_code.clone().unwrap_or_default();
        all.push(match result {
            Ok(reply) => format!("{what}\n    {:?} [{}]", reply.value, told(&reply.evidence)),
            Err(error) => {
                let evidence = error.evidence.clone().expect("evidence");
                let operation = hosts.stubs[0].acts()[0].body["operation"].clone();
                assert_eq!(evidence.transaction_id.clone().map(Into::into), Some(operation));
                format!("{what}\n    {:?}: {error} [{}]", error.kind, told(&evidence))
            }
        });
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn an_act_that_is_not_answered_ends_with_its_time_and_is_of_unknown_outcome() {
    let hosts = Hosts::hasty(&["TERM04"]).await;
    hosts.backend.list(&soon()).await.expect("it answers");
    hosts.stubs[0].set(|_| React::Hang);
    let began = Instant::now();
    let act = hosts.act(&id("TERM04/3"), Verb::Logoff).await;
    assert_eq!(
        said(act),
        "OutcomeUnknown: TERM04 did not answer within 1 s; whether it acted is unknown"
    );
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(hosts.stubs[0].acts().len(), 1);
}

#[tokio::test]
async fn an_act_on_a_host_that_is_down_was_not_sent() {
    let pki = Pki::new();
    let hosts = [("TERM04", closed_port().to_string())];
    let clock = Arc::new(MockClock::default());
    let backend = built(&text(&pki.ca, &pki.gateway(), &hosts, ""), clock.clone()).expect("it builds");
    let action = SessionAction {
        session: id("TERM04/3"),
        verb: Verb::Logoff,
        not_after: clock.now() + TimeDelta::seconds(15),
    };
    let error = backend
        .start(Recorded::for_test(action))
        .await
        .expect_err("nobody listens");
    assert_eq!(error.kind, Kind::Unavailable);
    assert_eq!(error.public, "TERM04 cannot be reached; nothing was sent");
}
