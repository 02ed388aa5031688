//! When backends are read, and what is served when they cannot be.

use super::*;

#[tokio::test(start_paused = true)]
async fn fifty_queries_cause_one_listing() {
    let fixture = Fixture::new();
    fixture.start();
    let query = everything();
    let pages = (0..50).map(|_| fixture.page(&query));
    for page in futures::future::join_all(pages).await {
        assert_eq!(users(&page), ["anna", "bert"]);
        assert_eq!(page.total, Some(2));
    }
    assert_eq!(fixture.site.calls(Call::List), 1);
    later(14).await;
    fixture.page(&query).await;
    assert_eq!(fixture.site.calls(Call::List), 1, "the snapshot answers");
    later(2).await;
    assert_eq!(
        fixture.site.calls(Call::List),
        2,
        "each backend is read on its own interval"
    );
}

#[tokio::test(start_paused = true)]
async fn before_the_first_reading_a_query_waits_three_seconds_at_most() {
    let fixture = Fixture::new();
    fixture.site.plan(Call::List, 1, Trouble::Hang);
    fixture.start();
    let before = Instant::now();
    let page = fixture.page(&everything()).await;
    assert_eq!(before.elapsed(), Duration::from_secs(3));
    assert_eq!(users(&page), ["bert"], "the other backend's rows are there");
    let statuses: Vec<_> = page
        .readings
        .iter()
        .map(|it| (it.backend.id.as_str(), it.status))
        .collect();
    assert_eq!(
        statuses,
        [("site-a", ReadingStatus::Pending), ("site-b", ReadingStatus::Ok)]
    );
    assert_eq!(page.readings[0].observed_at, None);
    fixture.site.release();
    later(1).await;
    assert_eq!(fixture.users().await, ["anna", "bert"]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_fails_at_once_keeps_nobody_waiting() {
    let fixture = Fixture::new();
    fixture.site.plan(Call::List, 1, Trouble::Fail(Kind::Credentials));
    fixture.start();
    let before = Instant::now();
    assert_eq!(fixture.users().await, ["bert"]);
    assert_eq!(before.elapsed(), Duration::ZERO);
    let reading = fixture.reading("site-a");
    assert_eq!(
        (reading.status, reading.session_count),
        (ReadingStatus::Failed, 0)
    );
    assert_eq!(
        reading.error.as_deref(),
        Some("the fake fails as planned (Credentials)")
    );
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_asks_for_a_pause_gets_it_whatever_callers_want() {
    let fixture = Fixture::new();
    let pause = Kind::RateLimited {
        retry_after: Some(Duration::from_secs(100)),
    };
    fixture.site.plan(Call::List, 1, Trouble::Fail(pause));
    fixture.start();
    later(1).await;
    let now = ListQuery {
        max_age: Some(Duration::ZERO),
        ..everything()
    };
    assert_eq!(users(&fixture.page(&now).await), ["bert"]);
    later(90).await;
    assert_eq!(fixture.site.calls(Call::List), 1);
    later(15).await;
    assert_eq!(fixture.site.calls(Call::List), 2);
    assert_eq!(fixture.users().await, ["anna", "bert"]);
}

#[tokio::test(start_paused = true)]
async fn one_session_joins_the_first_reading_too() {
    let fixture = Fixture::new();
    fixture.start();
    let who = Authorized::ask(&BuiltInRoles, &fixture.viewer).expect("may see sessions");
    assert!(fixture.directory.session(&who, &anna().id).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_query_that_wants_fresh_data_gets_it() {
    let fixture = Fixture::read().await;
    later(5).await;
    fixture.site.put(session("site-a", "13", "carl", 1));
    assert_eq!(fixture.users().await, ["anna", "bert"], "the snapshot as it is");
    let before = Instant::now();
    assert_eq!(users(&fixture.page(&fresh()).await), ["anna", "bert", "carl"]);
    assert_eq!(before.elapsed(), Duration::ZERO);
    let young_enough = ListQuery {
        max_age: Some(Duration::from_secs(4)),
        ..everything()
    };
    later(3).await;
    fixture.page(&young_enough).await;
    assert_eq!(fixture.site.calls(Call::List), 2);
    later(3).await;
    fixture.page(&young_enough).await;
    assert_eq!(fixture.site.calls(Call::List), 3);
}

#[tokio::test(start_paused = true)]
async fn fifty_queries_for_fresh_data_share_one_listing() {
    let fixture = Fixture::read().await;
    later(5).await;
    let query = fresh();
    let ask = || futures::future::join_all((0..50).map(|_| fixture.page(&query)));
    ask().await;
    assert_eq!(fixture.site.calls(Call::List), 2);
    later(10).await;
    assert_eq!(
        fixture.site.calls(Call::List),
        2,
        "no listing that nobody has asked for"
    );
}

#[tokio::test(start_paused = true)]
async fn queries_that_come_before_the_reading_begins_join_it() {
    let fixture = Fixture::read().await;
    let query = fresh();
    // The first is woken and waits for the two seconds to pass; the second comes meanwhile.
    let first = fixture.page(&query);
    let second = async {
        later(1).await;
        fixture.page(&query).await
    };
    tokio::join!(first, second);
    later(10).await;
    assert_eq!(
        fixture.site.calls(Call::List),
        2,
        "both are served by one listing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reading_starts_every_two_seconds_at_most() {
    let fixture = Fixture::read().await;
    let before = Instant::now();
    while before.elapsed() < Duration::from_secs(20) {
        fixture.page(&fresh()).await;
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let readings = fixture.site.calls(Call::List) - 1;
    assert!((9..=10).contains(&readings), "{readings} readings in 20 s");
}

#[tokio::test(start_paused = true)]
async fn fresh_data_that_does_not_come_is_not_waited_for() {
    let fixture = Fixture::read().await;
    later(5).await;
    fixture.site.plan(Call::List, 1, Trouble::Hang);
    let before = Instant::now();
    let page = fixture.page(&fresh()).await;
    assert_eq!(before.elapsed(), Duration::from_secs(3));
    assert_eq!(users(&page), ["anna", "bert"], "what there is");
}

#[tokio::test(start_paused = true)]
async fn a_failed_reading_keeps_the_rows_of_the_last_good_one() {
    let fixture = Fixture::read().await;
    let good = fixture.reading("site-a").observed_at;
    later(1).await;
    for (kind, status) in [
        (Kind::Unavailable, ReadingStatus::Failed),
        (Kind::TimedOut, ReadingStatus::TimedOut),
        (Kind::Protocol, ReadingStatus::Failed),
    ] {
        fixture.site.plan(Call::List, 1, Trouble::Fail(kind));
        later(15).await;
        assert_eq!(fixture.users().await, ["anna", "bert"]);
        let reading = fixture.reading("site-a");
        assert_eq!((reading.status, reading.observed_at), (status, good));
        assert!(reading.error.is_some());
    }
    later(15).await;
    assert_eq!(fixture.status("site-a"), ReadingStatus::Ok);
    assert!(fixture.reading("site-a").error.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_failed_part_keeps_its_rows_and_the_others_are_renewed() {
    let fixture = Fixture::new();
    let on = |part: &str, native: &str, user: &str| Session {
        part: curfew_core::PartName::new(part),
        ..session("site-a", native, user, 1)
    };
    fixture.site.put(on("term04", "13", "carl"));
    fixture.site.put(on("term05", "14", "dora"));
    fixture.start();
    assert_eq!(fixture.users().await, ["anna", "bert", "carl", "dora"]);
    let before = fixture.reading("site-a").observed_at;

    fixture.site.fail_part("term04", Kind::Unavailable);
    fixture.site.put(on("term05", "15", "emil"));
    later(16).await;
    let page = fixture.page(&everything()).await;
    assert_eq!(users(&page), ["anna", "bert", "carl", "dora", "emil"]);
    let observed = |user: &str| {
        let mut rows = page.rows.iter().map(|row| &row.session);
        rows.find(|it| it.user.name == user).map(|it| it.observed_at)
    };
    assert_eq!(observed("carl"), before, "with the time of its own reading");
    assert!(observed("dora") > before);
    let reading = fixture.reading("site-a");
    assert_eq!(
        (reading.status, reading.parts, reading.session_count),
        (ReadingStatus::Partial, 3, 4)
    );
    let why = "the fake fails as planned (Unavailable)".to_owned();
    assert_eq!(reading.failed_parts, [("term04".to_owned(), why)]);

    fixture.site.heal_part("term04");
    fixture.site.remove(&on("term04", "13", "carl").id);
    later(15).await;
    assert_eq!(fixture.status("site-a"), ReadingStatus::Ok);
    assert_eq!(fixture.users().await, ["anna", "bert", "dora", "emil"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_moves_off_a_failed_part_is_listed_once() {
    let fixture = Fixture::read().await;
    fixture.site.fail_part("site", Kind::Unavailable);
    fixture.site.put(Session {
        part: curfew_core::PartName::new("elsewhere"),
        ..anna()
    });
    later(16).await;
    let page = fixture.page(&everything()).await;
    assert_eq!(users(&page), ["anna", "bert"]);
    assert_eq!(
        page.rows[0].session.part.to_string(),
        "elsewhere",
        "as it was read last"
    );
    assert_eq!(page.total, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_does_not_come_back_makes_the_rows_stale_and_then_has_timed_out() {
    let fixture = Fixture::read().await;
    fixture.site.plan(Call::List, 2, Trouble::Hang);
    later(45).await;
    assert_eq!(
        fixture.status("site-a"),
        ReadingStatus::Ok,
        "younger than three intervals"
    );
    later(1).await;
    assert_eq!(fixture.status("site-a"), ReadingStatus::Stale);
    assert_eq!(fixture.users().await, ["anna", "bert"]);
    later(15 + 120 - 46 + 1).await;
    assert_eq!(fixture.status("site-a"), ReadingStatus::TimedOut);
    assert_eq!(fixture.users().await, ["anna", "bert"]);
    assert_eq!(
        fixture.status("site-b"),
        ReadingStatus::Ok,
        "the other backend goes its own way"
    );
}

#[tokio::test(start_paused = true)]
async fn what_stops_is_not_read_any_more() {
    let fixture = Fixture::read().await;
    fixture.stop.cancel();
    fixture.tasks.close();
    fixture.tasks.wait().await;
    later(60).await;
    assert_eq!(fixture.site.calls(Call::List), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hidden_backend_does_not_exist_for_the_caller() {
    let fixture = Fixture::read().await;
    let limited = caller(Role::Viewer, only(&["site-b"]));
    let page = fixture.page_for(&limited, &everything()).await;
    assert_eq!((users(&page), page.total), (vec!["bert".to_owned()], Some(1)));
    assert_eq!(page.readings.len(), 1);
    let who = Authorized::ask(&BuiltInRoles, &limited).expect("may see sessions");
    assert_eq!(fixture.directory.readings(&who).len(), 1);
    assert!(fixture.directory.session(&who, &anna().id).await.is_none());
    let asked_for = ListQuery {
        filter: SessionFilter {
            backend_ids: Some(vec![anna().id.backend()]),
            ..SessionFilter::default()
        },
        ..everything()
    };
    let page = fixture.page_for(&limited, &asked_for).await;
    assert_eq!(
        (page.rows.len(), page.total, page.readings.len()),
        (0, Some(0), 0)
    );
}

#[tokio::test(start_paused = true)]
async fn backends_that_a_filter_leaves_out_are_not_waited_for() {
    let fixture = Fixture::new();
    fixture.site.plan(Call::List, 1, Trouble::Hang);
    fixture.start();
    let query = ListQuery {
        filter: SessionFilter {
            backend_ids: Some(vec![session("site-b", "7", "bert", 1).id.backend()]),
            ..SessionFilter::default()
        },
        ..everything()
    };
    let before = Instant::now();
    let page = fixture.page(&query).await;
    assert_eq!(
        (users(&page), before.elapsed()),
        (vec!["bert".to_owned()], Duration::ZERO)
    );
    assert_eq!(page.readings.len(), 1);
}
