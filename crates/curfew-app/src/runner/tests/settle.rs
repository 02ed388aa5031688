//! RESOLUTION: what ended UNKNOWN is settled by a later read, once.

use super::*;

/// An operation that ended UNKNOWN with the session still there.
async fn unknown() -> House {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::RequestLost);
    ask(&house, &house.app, logoff()).await;
    later(120).await;
    assert_eq!(
        house.trail()[2..],
        ["OUTCOME 1 UNKNOWN UNKNOWN REQUEST STILL_PRESENT"]
    );
    house
}

#[tokio::test(start_paused = true)]
async fn what_is_seen_gone_later_is_settled_once() {
    let house = unknown().await;
    house.app.start();
    house.another().start();
    later(60).await;
    assert_eq!(house.trail().len(), 3, "it is still there, so nothing is settled");
    house.site.remove(&anna().id);
    later(AGES).await;
    assert_eq!(house.trail()[3..], ["RESOLUTION SUCCEEDED UNKNOWN RUNNER GONE"]);
    assert_eq!(
        stands(&house.only()),
        "UNKNOWN UNKNOWN STILL_PRESENT",
        "the end itself stays"
    );
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn what_is_seen_replaced_later_is_settled_as_superseded() {
    let house = unknown().await;
    house.site.put(successor());
    house.app.start();
    later(60).await;
    assert_eq!(
        house.trail()[3..],
        ["RESOLUTION SUPERSEDED UNKNOWN RUNNER REPLACED"]
    );
    assert!(house.site.holds(&successor().id));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_not_settled() {
    let house = unknown().await;
    house.site.fail_part("site", Kind::Unavailable);
    house.app.start();
    later(60).await;
    assert_eq!(house.trail().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn after_an_hour_nobody_looks_any_more() {
    let house = unknown().await;
    later(3_601).await;
    house.site.remove(&anna().id);
    house.app.start();
    later(120).await;
    assert_eq!(house.trail().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_never_settled() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::AnswerLost);
    ask(&house, &house.app, act(message(), &anna().id)).await;
    assert_eq!(
        house.trail()[2..],
        ["OUTCOME 1 UNKNOWN UNKNOWN REQUEST ANSWER_LOST"]
    );
    house.site.remove(&anna().id);
    house.app.start();
    later(120).await;
    assert_eq!(house.trail().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_resolution_that_cannot_be_written_is_written_later() {
    let house = unknown().await;
    house.site.remove(&anna().id);
    house.store.fail_next("operation_resolve", 2, Fault::Unavailable);
    house.app.start();
    later(120).await;
    assert_eq!(house.trail()[3..], ["RESOLUTION SUCCEEDED UNKNOWN RUNNER GONE"]);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hangs_does_not_keep_abandoned_operations_waiting() {
    let house = unknown().await;
    // An abandoned operation on another session of the same backend, and a look at Anna's that hangs.
    let bert = session("site-a", "13", "bert", 1);
    house.site.put(bert.clone());
    ask(
        &house,
        &house.mortal(&Fate::at(2, Dies::After)),
        act(Verb::Logoff, &bert.id),
    )
    .await;
    let another = house.another();
    house.site.plan(Call::Get, 2, Trouble::Hang);
    another.start();
    later(2).await;
    let stopped = tokio::time::timeout(Duration::from_secs(1), another.stop(Duration::from_secs(25))).await;
    assert!(stopped.is_err() || stopped == Ok(true));
    house.app.start();
    later(20).await;
    assert!(!house.site.holds(&bert.id), "{:?}", house.trail());
}
