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
async fn a_backend_that_hangs_keeps_neither_abandoned_operations_waiting_nor_a_gateway_that_stops() {
    let house = unknown().await;
    house.site.plan(Call::Get, 1_000, Trouble::Hang);
    let another = house.another();
    let claims = || {
        house
            .store
            .calls()
            .iter()
            .filter(|call| **call == "operation_claim")
            .count()
    };
    let before = claims();
    another.start();
    later(31).await;
    assert_eq!(
        claims() - before,
        7,
        "abandoned operations are looked for every five seconds"
    );
    assert!(another.stop(Duration::from_secs(1)).await);
}
