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

#[tokio::test]
async fn a_listing_comes_back_before_its_deadline_with_what_there_is_and_begins_elsewhere_the_next_time() {
    let names = ["TERM01", "TERM02", "TERM03"];
    let hosts = Hosts::with(&names, "concurrency = 1").await;
    hosts.stubs[1].set(|_| React::Hang);
    let list = async || {
        let ctx = ReadCtx::within(Duration::from_millis(400));
        tokio::time::timeout_at(ctx.deadline, hosts.backend.list(&ctx))
            .await
            .expect("it is in time")
            .expect("some answer")
    };
    assert_eq!(
        parts(&list().await),
        [
            GOOD_01,
            "TimedOut: TERM02 did not answer within 0.3 s",
            "TimedOut: TERM03 was not asked: the time of the listing was over"
        ]
    );
    // It begins with the one that was cut off, and is cut off there again; nobody pays for it twice.
    hosts.stubs[1].set(sane("TERM02"));
    hosts.stubs[0].set(|_| React::Hang);
    let listing = parts(&list().await);
    assert_eq!(listing[1..], ["TERM02/3 TERM02/7", GOOD_03]);
}

#[tokio::test]
async fn hosts_that_were_not_asked_are_asked_first_the_next_time() {
    let hosts = Hosts::with(&["TERM01", "TERM02", "TERM03"], "concurrency = 1").await;
    let slow = |name| {
        let sane = sane(name);
        move |asked: &Asked| React::Late(Duration::from_millis(300), Box::new(sane(asked)))
    };
    hosts.stubs[0].set(slow("TERM01"));
    hosts.stubs[1].set(slow("TERM02"));
    hosts.stubs[2].set(slow("TERM03"));
    let mut read = [0; 3];
    for _ in 0..6 {
        let ctx = ReadCtx::within(Duration::from_millis(800));
        let listing = hosts.backend.list(&ctx).await.expect("some answer");
        for (at, part) in listing.parts.iter().enumerate() {
            read[at] += usize::from(part.outcome.is_ok());
        }
    }
    assert!(read.iter().all(|times| *times >= 2), "{read:?}");
}

#[tokio::test]
async fn a_host_that_was_not_waited_for_long_enough_is_waited_for_longer() {
    let hosts = Hosts::start(&["TERM01", "TERM02"]).await;
    hosts.backend.list(&soon()).await.expect("both answer");
    let well = sane("TERM02");
    hosts.stubs[1].set(move |asked| React::Late(Duration::from_millis(1500), Box::new(well(asked))));
    let listing = hosts.backend.list(&soon()).await.expect("one answers");
    assert_eq!(
        parts(&listing),
        [GOOD_01, "TimedOut: TERM02 did not answer within 1 s"]
    );
    let listing = hosts.backend.list(&soon()).await.expect("both answer");
    assert_eq!(parts(&listing), [GOOD_01, "TERM02/3 TERM02/7"]);
}

/// Takes these hosts down until they have been probed four times, so that their next turn is minutes away.
async fn take_down(hosts: &Hosts, down: &[(usize, &str)]) {
    for (at, _) in down {
        hosts.stubs[*at].set(|_| React::html(502));
    }
    let end = Instant::now() + Duration::from_secs(1000);
    while down.iter().any(|(at, _)| lists(&hosts.stubs[*at]) < 6) {
        assert!(Instant::now() < end, "they are not probed");
        let _ = hosts.backend.list(&soon()).await;
        for (_, name) in down {
            // Another answer of the same host; that of a probe, if there was one, is here by then.
            let look = hosts.backend.get(&id(&format!("{name}/3")), &soon()).await;
            look.expect_err("it is down");
        }
        pass(Duration::from_secs(5)).await;
    }
}

/// Lets them answer again and lists until all are back, with so much time between two listings.
async fn all_back(hosts: &Hosts, between: Duration) {
    for _ in 0..30 {
        let listing = hosts.backend.list(&soon()).await;
        if listing.is_ok_and(|listing| listing.parts.iter().all(|part| part.outcome.is_ok())) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        pass(between).await;
    }
    panic!("they are not taken back");
}

#[tokio::test]
async fn after_an_outage_of_most_of_the_fleet_nobody_waits_for_minutes() {
    let names = ["TERM01", "TERM02", "TERM03"];
    let hosts = Hosts::start(&names).await;
    take_down(&hosts, &[(0, "TERM01"), (1, "TERM02"), (2, "TERM03")]).await;
    for (stub, name) in hosts.stubs.iter().zip(names) {
        stub.set(sane(name));
    }
    // Half a minute, of the minutes that each of them would wait for on its own.
    all_back(&hosts, Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_host_that_comes_back_has_the_other_silent_ones_probed() {
    let hosts = Hosts::start(&["TERM01", "TERM02", "TERM03", "TERM04"]).await;
    take_down(&hosts, &[(0, "TERM01"), (1, "TERM02")]).await;
    for (stub, name) in hosts.stubs.iter().zip(["TERM01", "TERM02"]) {
        stub.set(sane(name));
    }
    let before = lists(&hosts.stubs[1]);
    hosts.backend.list(&soon()).await.expect("two answer");
    assert_eq!(lists(&hosts.stubs[1]), before, "its own turn is far off");
    let look = hosts.backend.get(&id("TERM01/3"), &soon()).await;
    look.expect("it answers");
    all_back(&hosts, Duration::ZERO).await;
}

#[tokio::test]
async fn hosts_that_hang_do_not_keep_others_from_being_probed() {
    let lines = "concurrency = 1
host_timeout_seconds = 30";
    let hosts = Hosts::with(&["TERM01", "TERM02", "TERM03"], lines).await;
    for stub in &hosts.stubs[1..] {
        stub.set(|_| React::html(502));
    }
    for _ in 0..2 {
        hosts.backend.list(&soon()).await.expect("one answers");
    }
    hosts.stubs[1].set(|_| React::Hang);
    hosts.stubs[2].set(sane("TERM03"));
    let before = lists(&hosts.stubs[2]);
    pass(Duration::from_secs(10)).await;
    hosts.backend.list(&soon()).await.expect("one answers");
    until("the probe of the one that is well", || {
        lists(&hosts.stubs[2]) > before
    })
    .await;
    assert_eq!(hosts.stubs[1].open(), 1, "the other one is still being probed");
}

#[tokio::test]
async fn a_clock_that_is_off_shifts_the_rows_and_does_not_shake_them() {
    let hosts = Hosts::start(&["TERM04"]).await;
    let shows = |now: &'static str| {
        move |_: &Asked| {
            let mut host = stub::host("TERM04");
            host["now"] = now.into();
            let mut row = stub::row(3);
            row["connectedAt"] = "2026-01-16T14:38:00Z".into();
            React::json(200, &serde_json::json!({ "host": host, "sessions": [row] }))
        }
    };
    for (now, changed, began) in [
        ("2026-01-16T14:40:00Z", "14:38:00", "08:00:00"),
        ("2026-01-16T14:40:02Z", "14:38:00", "08:00:00"),
        ("2026-01-16T14:39:58Z", "14:38:00", "08:00:00"),
        // Five minutes ahead, and a little more or less as answers take their time.
        ("2026-01-16T14:45:00Z", "14:33:00", "07:55:00"),
        ("2026-01-16T14:45:01.9Z", "14:33:00", "07:55:00"),
        ("2026-01-16T14:44:58.1Z", "14:33:00", "07:55:00"),
        // It is set anew.
        ("2026-01-16T14:35:00Z", "14:43:00", "08:05:00"),
        ("2026-01-16T14:40:01Z", "14:38:00", "08:00:00"),
    ] {
        hosts.stubs[0].set(shows(now));
        let listing = hosts.backend.list(&soon()).await.expect("it answers");
        let row = &listing.sessions[0];
        let time = |at: Option<curfew_core::Timestamp>| at.map(|at| at.format("%H:%M:%S").to_string());
        assert_eq!(
            (
                time(row.state_changed_at).as_deref(),
                time(row.started_at).as_deref()
            ),
            (Some(changed), Some(began)),
            "{now}"
        );
        assert_eq!(row.id, id("TERM04/3"));
    }
}

#[tokio::test]
async fn a_host_speaks_for_no_other_name() {
    let hosts = Hosts::start(&["TERM04", "TERM05"]).await;
    let listing = hosts.backend.list(&soon()).await.expect("both answer");
    let names: Vec<_> = listing
        .sessions
        .iter()
        .map(|row| row.machine.dns_name.as_deref())
        .collect();
    // Both say that they are term04.
    let four = Some("term04.corp.example");
    assert_eq!(names, [four, four, None, None]);
    let sight = hosts.backend.get(&id("TERM05/3"), &soon()).await;
    let curfew_core::Sight::Here(row) = sight.expect("it answers").value else {
        panic!("it is there")
    };
    assert_eq!(row.machine.dns_name, None);
}
