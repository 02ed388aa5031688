//! A database that goes away at every step of an act, and comes back.

use super::*;

/// Lets the store fail from its `n`-th call on, for a while; `false` if the act made fewer calls.
async fn outage(verb: &Verb, n: usize, fault: Fault, seconds: u64) -> bool {
    let house = House::new();
    house.app.start();
    later(1).await;
    let calls = house.store.calls().len();
    house.store.fail_from_call(n, fault);
    ask(&house, &house.app, act(verb.clone(), &anna().id)).await;
    let reached = house.store.calls().len() >= calls + n;
    later(seconds).await;
    house.store.heal();
    later(AGES).await;
    let context = format!("{verb:?}, call {n}, {fault:?}, {seconds} s: {:?}", house.trail());
    check_invariants(&house.store, &house.site);
    assert_eq!(house.problems().await, [] as [&str; 0], "{context}");
    house.app.stop(Duration::ZERO).await;
    let operations = house.store.operations();
    assert!(operations.len() <= 1, "{context}");
    if operations.is_empty() {
        assert_eq!(house.site.acts(), [], "{context}");
    }
    reached
}

async fn everywhere(verb: Verb) {
    for fault in [
        Fault::Unavailable,
        Fault::AnswerLost,
        Fault::CommitLost,
        Fault::Refused,
    ] {
        for seconds in [1, 10, 100] {
            let mut n = 1;
            // The runner's own calls go on for ever; an act has fewer than twelve.
            while n < 12 && outage(&verb, n, fault, seconds).await {
                n += 1;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_off_survives_an_outage_at_every_step() {
    everywhere(Verb::Logoff).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_survives_an_outage_at_every_step() {
    everywhere(message()).await;
}

/// The runner of this very gateway would find the lease run out; the driver that knows the end must come first.
#[tokio::test(start_paused = true)]
async fn a_known_end_survives_an_outage_that_outlasts_the_lease() {
    for (verb, plan, wanted) in [
        (message(), None, "OUTCOME 1 SUCCEEDED YES REQUEST"),
        (
            Verb::Logoff,
            Some(Trouble::Fail(Kind::Denied)),
            "OUTCOME 1 FAILED YES REQUEST REFUSED",
        ),
        (Verb::Logoff, None, "OUTCOME 1 SUCCEEDED YES REQUEST"),
    ] {
        let house = House::new();
        house.app.start();
        later(1).await;
        if let Some(plan) = plan {
            house.site.plan(Call::Start, 1, plan);
        }
        house.store.fail_from_call(2, Fault::Unavailable);
        ask(&house, &house.app, act(verb, &anna().id)).await;
        later(40).await;
        house.store.heal();
        later(AGES).await;
        assert_eq!(house.trail(), ["INTENT", "ATTEMPT 1", wanted]);
        house.app.stop(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_failure_at_any_step_leaves_one_outcome() {
    for fault in [
        Fault::Unavailable,
        Fault::AnswerLost,
        Fault::CommitLost,
        Fault::Refused,
    ] {
        for n in 1..10 {
            let house = House::new();
            house.app.start();
            later(1).await;
            house.site.plan(Call::Start, 1, job(2, JobEnd::Complete));
            house.store.fail_nth_call(n, fault);
            ask(&house, &house.app, logoff()).await;
            later(AGES).await;
            check_invariants(&house.store, &house.site);
            assert_eq!(
                house.problems().await,
                [] as [&str; 0],
                "call {n}, {fault:?}: {:?}",
                house.trail()
            );
            house.app.stop(Duration::ZERO).await;
        }
    }
}
