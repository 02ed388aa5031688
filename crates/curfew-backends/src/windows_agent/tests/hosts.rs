//! Many hosts: one that fails costs the others nothing, and is taken back when it answers.

use super::*;

const GOOD_01: &str = "TERM01/3 TERM01/7";
const GOOD_03: &str = "TERM03/3 TERM03/7";

fn lists(stub: &Stub) -> usize {
    let lists = |asked: &&Asked| asked.line == "GET /v1/sessions";
    stub.asked().iter().filter(lists).count()
}

#[tokio::test]
async fn a_host_that_hangs_costs_the_others_no_row_and_little_time() {
    let hosts = Hosts::start(&["TERM01", "TERM02", "TERM03"]).await;
    hosts.backend.list(&soon()).await.expect("all answer");
    hosts.stubs[1].set(|_| React::Hang);
    let began = Instant::now();
    let listing = hosts.backend.list(&soon()).await.expect("two answer");
    // It had answered within milliseconds, so it is waited for no longer than a second.
    assert_eq!(
        parts(&listing),
        [GOOD_01, "TimedOut: TERM02 did not answer within 1 s", GOOD_03]
    );
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(
        hosts.stubs[1].connections(),
        1,
        "it was asked over the connection that was there"
    );
}

#[tokio::test]
async fn each_host_has_its_own_time_whatever_the_number_of_those_before_it() {
    let hosts = Hosts::with(&["TERM01", "TERM02", "TERM03"], "concurrency = 1").await;
    hosts.backend.list(&soon()).await.expect("all answer");
    for stub in &hosts.stubs[..2] {
        stub.set(|_| React::Hang);
    }
    // Its turn comes after two seconds, and it still has its own one.
    let listing = hosts.backend.list(&soon()).await.expect("one answers");
    assert_eq!(parts(&listing)[2], GOOD_03);
}

#[tokio::test]
async fn a_silent_host_is_asked_apart_and_taken_back_when_it_answers() {
    let hosts = Hosts::start(&["TERM01", "TERM02", "TERM03"]).await;
    let [_, stub, _] = &hosts.stubs[..] else {
        panic!("three hosts")
    };
    stub.set(|_| React::html(502));
    let why = "Unavailable: on TERM02 something else than its agent answered (HTTP 502)";
    for asked in [1, 2, 2, 2] {
        let listing = hosts.backend.list(&soon()).await.expect("two answer");
        assert_eq!(parts(&listing), [GOOD_01, why, GOOD_03]);
        assert_eq!(lists(stub), asked, "after two failures it is not asked any more");
    }
    assert_eq!(lists(&hosts.stubs[0]), 4);

    // Ten seconds later it is probed, once, and then not before another twenty.
    for (seconds, probes) in [(10, 3), (19, 3), (1, 4), (39, 4), (1, 5)] {
        pass(Duration::from_secs(seconds)).await;
        let listing = hosts.backend.list(&soon()).await.expect("two answer");
        assert_eq!(parts(&listing), [GOOD_01, why, GOOD_03]);
        until("the probe", || lists(stub) == probes).await;
        hosts.backend.list(&soon()).await.expect("two answer");
        assert_eq!(lists(stub), probes);
    }

    // The probe that is answered heals it; its rows are those of the next listing, not the probe's.
    stub.set(sane("TERM02"));
    pass(Duration::from_secs(80)).await;
    let listing = hosts.backend.list(&soon()).await.expect("two answer");
    assert_eq!(parts(&listing), [GOOD_01, why, GOOD_03]);
    until("the probe", || lists(stub) == 6).await;
    let healed = async || {
        let listing = hosts.backend.list(&soon()).await.expect("an answer");
        parts(&listing)
    };
    let end = Instant::now() + Duration::from_secs(10);
    while healed().await != [GOOD_01, "TERM02/3 TERM02/7", GOOD_03] {
        assert!(Instant::now() < end, "it is not taken back");
    }
    assert!(
        lists(stub) >= 7,
        "the rows were asked for by the listing that shows them"
    );
}

#[tokio::test]
async fn what_a_probe_has_read_is_in_no_listing() {
    let hosts = Hosts::start(&["TERM01", "TERM02"]).await;
    let stub = &hosts.stubs[1];
    stub.set(|_| React::Close);
    for _ in 0..2 {
        hosts.backend.list(&soon()).await.expect("one answers");
    }
    stub.set(sane("TERM02"));
    pass(Duration::from_secs(10)).await;
    let before = lists(stub);
    hosts.backend.list(&soon()).await.expect("one answers");
    until("the probe", || lists(stub) > before).await;
    // Whoever asks next fails: nothing of what the probe saw may be shown.
    stub.set(|_| React::html(503));
    for _ in 0..3 {
        let listing = hosts.backend.list(&soon()).await.expect("one answers");
        assert!(
            listing.sessions.iter().all(|row| &*row.part.0 == "TERM01"),
            "{listing:?}"
        );
    }
}

#[tokio::test]
async fn a_silent_host_is_still_asked_for_a_session_and_healed_by_the_answer() {
    let hosts = Hosts::start(&["TERM01", "TERM02"]).await;
    let stub = &hosts.stubs[1];
    stub.set(|_| React::html(502));
    for _ in 0..3 {
        hosts.backend.list(&soon()).await.expect("one answers");
    }
    stub.set(sane("TERM02"));
    hosts
        .backend
        .get(&id("TERM02/3"), &soon())
        .await
        .expect("it is asked");
    let listing = hosts.backend.list(&soon()).await.expect("both answer");
    assert_eq!(parts(&listing), [GOOD_01, "TERM02/3 TERM02/7"]);
}

#[tokio::test]
async fn probes_end_with_the_adapter() {
    let hosts = Hosts::with(&["TERM01", "TERM02"], "host_timeout_seconds = 30").await;
    let stub = &hosts.stubs[1];
    stub.set(|_| React::Close);
    for _ in 0..2 {
        hosts.backend.list(&soon()).await.expect("one answers");
    }
    stub.set(|_| React::Hang);
    let before = lists(stub);
    pass(Duration::from_secs(10)).await;
    hosts.backend.list(&soon()).await.expect("one answers");
    until("the probe", || lists(stub) > before && stub.open() == 1).await;
    let Hosts { backend, stubs, .. } = hosts;
    drop(backend);
    until("the end of the probe", || stubs[1].open() == 0).await;
}

#[tokio::test]
async fn a_listing_that_is_cut_short_is_no_failure_of_its_hosts() {
    let hosts = Hosts::start(&["TERM01"]).await;
    let stub = &hosts.stubs[0];
    stub.set(|_| React::Hang);
    for _ in 0..3 {
        let ctx = ReadCtx::within(Duration::from_millis(100));
        let error = hosts.backend.list(&ctx).await;
        assert_eq!(said(error), "TimedOut: TERM01 did not answer within 0.1 s");
    }
    stub.set(sane("TERM01"));
    let listing = hosts
        .backend
        .list(&soon())
        .await
        .expect("it was not taken for silent");
    assert_eq!(parts(&listing), [GOOD_01]);
    let late = ReadCtx::within(Duration::ZERO);
    assert_eq!(
        said(hosts.backend.list(&late).await),
        "TimedOut: TERM01 was not asked: the time of the listing was over"
    );
}

#[tokio::test]
async fn a_reading_of_nothing_is_an_error_of_its_own_kind() {
    let hosts = Hosts::start(&["TERM01", "TERM02"]).await;
    let [one, two] = &hosts.stubs[..] else {
        panic!("two hosts")
    };
    one.set(|_| React::html(200));
    two.set(|_| React::html(200));
    let protocol =
        "Protocol: none of 2 hosts could be read; TERM01 answers something that is no answer of an agent";
    assert_eq!(said(hosts.backend.list(&soon()).await), protocol);
    two.set(|_| React::html(502));
    let mixed = protocol.replace("Protocol", "Unavailable");
    assert_eq!(said(hosts.backend.list(&soon()).await), mixed);
}

#[tokio::test]
async fn a_kept_connection_that_died_is_no_failure() {
    let hosts = Hosts::start(&["TERM01"]).await;
    let stub = &hosts.stubs[0];
    hosts.backend.list(&soon()).await.expect("it answers");
    // The host closes it just as it is asked.
    let first = std::sync::atomic::AtomicBool::new(true);
    let sane = sane("TERM01");
    stub.set(move |asked| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            React::Close
        } else {
            sane(asked)
        }
    });
    hosts.backend.list(&soon()).await.expect("it is asked once more");
    assert_eq!((lists(stub), stub.connections()), (3, 2));
}

#[tokio::test]
async fn a_check_says_how_each_host_is() {
    let hosts = Hosts::start(&["TERM01", "TERM02", "TERM03"]).await;
    let health = |change: serde_json::Value| {
        let mut health = serde_json::json!({
            "host": stub::host("TERM02"), "apiVersions": [1], "sessions": 1, "readOnly": true, "platform": "fake",
            "certificateEndsAt": "2026-01-20T00:00:00Z",
        });
        for (key, value) in change.as_object().into_iter().flatten() {
            health[key] = value.clone();
        }
        move |_: &Asked| React::json(200, &health)
    };
    hosts.stubs[1].set(health(serde_json::json!({})));
    hosts.stubs[2].set(|_| stub::problem(503, "HOST_NOT_READY"));
    let words = async || {
        let parts = hosts.backend.check(&soon()).await.expect("some answer");
        let word = |part: curfew_core::PartHealth| match part.outcome {
            Ok(words) => format!("{}: {words}", part.name),
            Err(error) => format!("{}: {:?}: {error}", part.name, error.kind),
        };
        parts.into_iter().map(word).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(words().await, @r"
    TERM01: 2 sessions, agent 0.1.0, clock 0 s ahead
    TERM02: 1 session, agent 0.1.0, WARN certificate ends 2026-01-20, clock 0 s ahead, WARN read-only: its own policy refuses every act, WARN not Windows but `fake`
    TERM03: Unavailable: Remote Desktop Services on TERM03 do not answer yet
    ");
    let mut host = stub::host("term02");
    host["now"] = "2026-01-16T14:35:00Z".into();
    hosts.stubs[1].set(health(serde_json::json!({ "host": host, "readOnly": false, "platform": "windows", "certificateEndsAt": "2027-01-20T00:00:00Z" })));
    hosts.stubs[2].set(health(
        serde_json::json!({ "host": stub::host("TERM03"), "apiVersions": [2, 3] }),
    ));
    insta::assert_snapshot!(words().await, @r"
    TERM01: 2 sessions, agent 0.1.0, clock 0 s ahead
    TERM02: 1 session, agent 0.1.0, certificate ends 2027-01-20, WARN clock 300 s behind
    TERM03: Protocol: TERM03 answers for other versions of the agent's interface
    ");
}
