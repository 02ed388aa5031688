//! Callers that hang up, gateways that stop, leases that run out while an act is in hand.

use curfew_core::fakes::Fault;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_changes_nothing() {
    // The client goes at different moments: while the act is sent, and while its effect is looked for.
    for (trouble, patience) in [(Trouble::Hang, 1), (Trouble::Ignore, 5)] {
        let house = House::new();
        house.site.plan(Call::Start, 1, trouble);
        let waited = tokio::time::timeout(Duration::from_secs(patience), house.act(long(Verb::Logoff))).await;
        assert!(waited.is_err(), "the client hangs up");
        house.site.release();
        house.site.remove(&anna().id);
        later(60).await;
        assert!(house.only().course.state.is_final());
        assert_eq!(house.trail().len(), 3, "one outcome");
        check_invariants(&house.store, &house.site);
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_begins_no_act() {
    let house = House::new();
    assert!(
        house.app.stop(Duration::from_secs(25)).await,
        "nothing is in hand"
    );
    assert_eq!(told(&house.act(short(Verb::Logoff)).await), "ShuttingDown");
    assert_eq!(house.trail(), [] as [&str; 0]);
    assert_eq!(house.site.calls(Call::Start), 0);
    assert_eq!(house.problems().await, ["the gateway is stopping"]);
}

#[tokio::test(start_paused = true)]
async fn an_act_that_was_about_to_begin_when_the_gateway_stopped_is_not_begun() {
    let house = House::new();
    house.site.plan(Call::Get, 1, Trouble::Hang);
    let stop = async {
        later(1).await;
        assert!(
            house.app.stop(Duration::from_secs(25)).await,
            "nothing is in hand"
        );
        house.site.release();
    };
    let (acted, ()) = tokio::join!(house.act(short(Verb::Logoff)), stop);
    assert_eq!(told(&acted), "ShuttingDown");
    later(60).await;
    assert_eq!(house.trail(), [] as [&str; 0]);
    assert_eq!(house.site.calls(Call::Start), 0);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_finishes_what_it_is_sending() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::ActAndHang);
    let stop = async {
        later(1).await;
        let site = house.site.clone();
        tokio::spawn(async move {
            later(2).await;
            site.release();
        });
        assert!(
            house.app.stop(Duration::from_secs(25)).await,
            "nothing is left in hand"
        );
    };
    let before = Instant::now();
    let (acted, ()) = tokio::join!(house.act(long(Verb::Logoff)), stop);
    // One read shows the end, so the caller is told it.
    assert_eq!(told(&acted), "Done: SUCCEEDED YES");
    assert_eq!(before.elapsed(), Duration::from_secs(3));
    assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED YES REQUEST"));
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_hands_over_what_one_read_does_not_end() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Ignore);
    let stop = async {
        later(1).await;
        assert!(
            house.app.stop(Duration::from_secs(25)).await,
            "everything is handed over"
        );
    };
    let (acted, ()) = tokio::join!(house.act(long(Verb::Logoff)), stop);
    assert_eq!(
        told(&acted),
        "Accepted: CONFIRMING YES",
        "the caller follows the operation elsewhere"
    );
    assert_eq!(stands(&house.only()), "CONFIRMING YES");

    // The lease is free at once: another gateway need not wait for it to run out.
    let another = house.another();
    another.start();
    later(200).await;
    assert_eq!(house.trail(), trail("OUTCOME 1 FAILED YES RUNNER STILL_PRESENT"));
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_hands_jobs_over() {
    let house = House::new();
    let job = Job {
        running: 6,
        end: JobEnd::Complete,
    };
    house.site.plan(Call::Start, 1, Trouble::Job(job));
    let request = ActRequest {
        wait: Duration::ZERO,
        ..short(Verb::Logoff)
    };
    assert_eq!(told(&house.act(request).await), "Accepted: RUNNING YES");
    later(3).await;
    assert!(house.app.stop(Duration::from_secs(25)).await);
    assert_eq!(stands(&house.only()), "RUNNING YES");
    let another = house.another();
    another.start();
    later(60).await;
    assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED YES RUNNER"));
    assert_eq!(house.site.acts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_whose_database_is_away_stops_after_its_grace() {
    let house = House::new();
    house
        .store
        .fail_next("operation_finish", 1_000, Fault::Unavailable);
    assert_eq!(
        told(&house.act(short(Verb::Logoff)).await),
        "Unknown: SUCCEEDED YES"
    );
    assert!(
        !house.app.stop(Duration::from_secs(25)).await,
        "an end is not written yet"
    );
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_while_an_act_is_followed() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Ignore);
    let another = house.another();
    another.start();
    house.act(long(Verb::Logoff)).await.expect("it ends");
    assert_eq!(
        house.trail(),
        trail("OUTCOME 1 FAILED YES REQUEST STILL_PRESENT"),
        "nobody took it over"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_may_have_lost_the_lease_asks_before_sending() {
    // The intent is committed at once, but that is known only after 2.5 s; then the first read takes 4 s.
    let house = House::new();
    house.store.fail_next("operation_open", 4, Fault::AnswerLost);
    house.site.plan(Call::Get, 1, Trouble::Fail(Kind::Unavailable));
    house.site.plan(Call::Get, 1, Trouble::Hang);
    let site = house.site.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(6_550)).await;
        site.release();
    });
    house.site.plan(Call::Start, 1, Trouble::Ignore);
    house.act(short(Verb::Logoff)).await.expect("it is sent");
    let calls = house.store.calls();
    let renewed = calls.iter().filter(|call| **call == "operation_renew").count();
    // By then the lease has 8.45 s left, less than an act may take.
    assert!(renewed >= 2, "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_lost_the_lease_sends_nothing() {
    let house = House::new();
    house.site.plan(Call::Get, 1, Trouble::Fail(Kind::Unavailable));
    house.site.plan(Call::Get, 1, Trouble::Hang);
    let thief = curfew_core::ProcessId(house.clock.uuid());
    let steal = async {
        // As after a pause of the whole process: the lease has run out, and another gateway has claimed it.
        later(1).await;
        house.clock.advance(Duration::from_secs(20));
        let claimed = house.store.operation_claim(thief, 9).await.expect("a claim");
        assert_eq!(claimed.len(), 1);
        later(3).await;
        tokio::time::advance(Duration::from_secs(3)).await;
        house.site.release();
    };
    let request = ActRequest {
        wait: Duration::from_secs(30),
        ..short(Verb::Logoff)
    };
    let (acted, ()) = tokio::join!(house.act(request), steal);
    assert_eq!(
        told(&acted),
        "Accepted: DISPATCHING NO",
        "the other gateway has it"
    );
    assert_eq!(house.site.calls(Call::Start), 0);
    assert_eq!(house.trail(), INTENT);
}

#[tokio::test(start_paused = true)]
async fn an_end_by_another_gateway_is_told_to_whoever_waits() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Ignore);
    house
        .store
        .fail_next("operation_renew", 1_000, Fault::Unavailable);
    let another = house.another();
    another.start();
    let gone = async {
        // Only the other gateway sees the session go: it has taken the operation up at 15 to 20 s.
        later(25).await;
        house.site.remove(&anna().id);
    };
    let (acted, ()) = tokio::join!(house.act(long(Verb::Logoff)), gone);
    assert!(told(&acted).starts_with("Done: SUCCEEDED"), "{}", told(&acted));
    check_invariants(&house.store, &house.site);
}
