//! Acts whose record cannot be written, before and after.

use curfew_core::fakes::Fault;

use super::*;

#[tokio::test(start_paused = true)]
async fn without_a_recorded_intent_nothing_is_sent() {
    for fault in [Fault::Unavailable, Fault::Refused] {
        let house = House::new();
        house.store.fail_from_call(1, fault);
        assert_eq!(told(&house.act(short(Verb::Logoff)).await), "AuditUnavailable");
        house.store.heal();
        later(60).await;
        assert_eq!(house.site.calls(Call::Start), 0);
        assert_eq!(house.trail(), [] as [&str; 0]);
        assert_eq!(house.store.operations(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_whose_commit_is_in_doubt_is_settled_before_anything_is_sent() {
    for fault in [Fault::AnswerLost, Fault::CommitLost] {
        let house = House::new();
        house.store.fail_next("operation_open", 2, fault);
        assert_eq!(told(&house.act(short(Verb::Logoff)).await), "Done: SUCCEEDED YES");
        assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED YES REQUEST"));
        assert_eq!(house.site.acts().len(), 1);
        check_invariants(&house.store, &house.site);
    }
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_is_on_record_unnoticed_ends_unsent() {
    let house = House::new();
    house.store.fail_next("operation_open", 5, Fault::AnswerLost);
    house.store.fail_next("operation_get", 3, Fault::Unavailable);
    assert_eq!(
        told(&house.act(short(Verb::Logoff)).await),
        "AuditUnavailable, unsettled"
    );
    assert_eq!(
        house.problems().await,
        ["the ends of 1 operations are not committed yet"]
    );
    later(60).await;
    assert_eq!(house.trail(), trail("OUTCOME 1 FAILED NO REQUEST NOT_SENT"));
    assert_eq!(house.site.calls(Call::Start), 0);
    assert_eq!(house.problems().await, [] as [&str; 0]);
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_is_on_record_unnoticed_ends_unsent_even_after_its_lease() {
    let house = House::new();
    house.app.start();
    later(1).await;
    house.store.fail_next("operation_open", 5, Fault::AnswerLost);
    // The database is away for the withdrawal until the lease has run out and the runner has found the operation.
    house.store.fail_next("operation_get", 40, Fault::Unavailable);
    assert_eq!(
        told(&house.act(short(Verb::Logoff)).await),
        "AuditUnavailable, unsettled"
    );
    later(120).await;
    assert_eq!(house.trail(), trail("OUTCOME 1 FAILED NO REQUEST NOT_SENT"));
    assert_eq!(house.site.calls(Call::Start), 0);
    assert_eq!(house.problems().await, [] as [&str; 0]);
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn an_intent_that_never_got_on_record_leaves_nothing() {
    let house = House::new();
    house.store.fail_next("operation_open", 5, Fault::CommitLost);
    assert_eq!(
        told(&house.act(short(Verb::Logoff)).await),
        "AuditUnavailable, unsettled"
    );
    later(60).await;
    assert_eq!(house.trail(), [] as [&str; 0]);
    assert_eq!(house.site.calls(Call::Start), 0);
    assert_eq!(house.problems().await, [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_written_is_unknown_to_the_caller_and_written_later() {
    for fault in [Fault::Unavailable, Fault::CommitLost, Fault::AnswerLost] {
        let house = House::new();
        house.store.fail_next("operation_finish", 4, fault);
        let acted = house.act(short(Verb::Logoff)).await;
        assert_eq!(told(&acted), "Unknown: SUCCEEDED YES");
        assert!(matches!(acted, Ok(Acted::Unwritten { .. })));
        assert_eq!(
            house.problems().await,
            ["the ends of 1 operations are not committed yet"]
        );
        later(60).await;
        assert_eq!(
            house.trail(),
            trail("OUTCOME 1 SUCCEEDED YES REQUEST"),
            "{fault:?}"
        );
        assert_eq!(house.problems().await, [] as [&str; 0]);
        check_invariants(&house.store, &house.site);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_written_unnoticed_is_no_trouble_for_ever() {
    let house = House::new();
    // The end is committed at once, but the database is away until long after the lease is asked for again.
    house.store.fail_next("operation_finish", 1, Fault::AnswerLost);
    house.store.fail_next("operation_finish", 8, Fault::Unavailable);
    assert_eq!(
        told(&house.act(short(Verb::Logoff)).await),
        "Unknown: SUCCEEDED YES"
    );
    later(60).await;
    assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED YES REQUEST"));
    assert_eq!(
        house.problems().await,
        [] as [&str; 0],
        "the gateway is ready again"
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_that_another_gateway_wrote_is_no_trouble_for_ever() {
    let house = House::new();
    house
        .store
        .fail_next("operation_finish", 1_000, Fault::Unavailable);
    house
        .store
        .fail_next("operation_renew", 1_000, Fault::Unavailable);
    assert_eq!(
        told(&house.act(short(Verb::Logoff)).await),
        "Unknown: SUCCEEDED YES"
    );
    later(30).await;
    house.store.heal();
    // The other gateway is the first to come back.
    let process = curfew_core::ProcessId(house.clock.uuid());
    let mut claimed = house.store.operation_claim(process, 9).await.expect("a claim");
    let (operation, lease) = claimed.pop().expect("the operation");
    let another = house.another();
    let leased = Leased {
        lease,
        since: Instant::now(),
    };
    another
        .driver()
        .drive(operation, leased, Begin::TakenUp, None)
        .await;
    later(60).await;
    assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED UNKNOWN RUNNER"));
    assert_eq!(house.problems().await, [] as [&str; 0]);
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_written_stops_nothing() {
    let house = House::new();
    let job = Job {
        running: 2,
        end: JobEnd::Complete,
    };
    house.site.plan(Call::Start, 1, Trouble::Job(job));
    house.store.fail_next("operation_advance", 2, Fault::Unavailable);
    assert_eq!(told(&house.act(short(Verb::Logoff)).await), "Done: SUCCEEDED YES");
    assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED YES REQUEST"));
}
