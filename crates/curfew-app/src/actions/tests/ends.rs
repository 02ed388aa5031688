//! One test for each line of the table "every end", and what the record says of it.

use super::*;

/// Runs one act to its end and checks what the caller is told, what is on record, and what the backend saw.
async fn check(house: &House, request: ActRequest, wanted: &str, outcome: &str, acts: usize) {
    let acted = house.act(request).await;
    assert_eq!(told(&acted), wanted);
    assert_eq!(house.trail(), trail(outcome));
    assert_eq!(house.site.acts().len(), acts, "requests to act");
    check_invariants(&house.store, &house.site);
    assert_eq!(
        Some(&house.only()),
        acted.as_ref().ok().and_then(operation),
        "the caller is told what is on record"
    );
}

#[tokio::test(start_paused = true)]
async fn a_log_off_is_done_when_the_session_is_seen_gone() {
    let house = House::new();
    check(
        &house,
        short(Verb::Logoff),
        "Done: SUCCEEDED YES",
        "OUTCOME 1 SUCCEEDED YES REQUEST",
        1,
    )
    .await;
    assert!(!house.site.holds(&anna().id));
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_is_done_when_the_session_is_seen_disconnected() {
    let house = House::new();
    check(
        &house,
        short(Verb::Disconnect),
        "Done: SUCCEEDED YES",
        "OUTCOME 1 SUCCEEDED YES REQUEST",
        1,
    )
    .await;
    assert_eq!(
        house.site.at(&anna().id).map(|it| it.state),
        Some(SessionState::Disconnected)
    );
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_of_a_vpn_is_done_when_the_session_is_seen_gone() {
    let vpn = Capabilities {
        disconnect_ends_session: true,
        ..ABLE
    };
    let house = House::of(|site| site.with_capabilities(vpn));
    check(
        &house,
        short(Verb::Disconnect),
        "Done: SUCCEEDED YES",
        "OUTCOME 1 SUCCEEDED YES REQUEST",
        1,
    )
    .await;
    assert!(!house.site.holds(&anna().id));
}

#[tokio::test(start_paused = true)]
async fn a_message_is_done_when_the_backend_takes_it() {
    let house = House::new();
    check(
        &house,
        short(message()),
        "Done: SUCCEEDED YES",
        "OUTCOME 1 SUCCEEDED YES REQUEST",
        1,
    )
    .await;
    let intent = house.store.records().remove(0);
    let words = serde_json::json!({ "title": "Maintenance", "text": "The host restarts at six." });
    assert_eq!(intent.params, Some(words), "its words are on record");
}

#[tokio::test(start_paused = true)]
async fn a_job_is_followed_to_its_end() {
    let house = House::new();
    let job = Job {
        running: 3,
        end: JobEnd::Complete,
    };
    house.site.plan(Call::Start, 1, Trouble::Job(job));
    check(
        &house,
        short(Verb::Logoff),
        "Done: SUCCEEDED YES",
        "OUTCOME 1 SUCCEEDED YES REQUEST",
        1,
    )
    .await;
    assert_eq!(house.site.calls(Call::Poll), 4);
    let states = house
        .store
        .operation_events(house.only().id)
        .await
        .expect("events");
    let states: Vec<_> = states.iter().map(|event| event.to.as_str()).collect();
    assert_eq!(states, ["DISPATCHING", "RUNNING", "CONFIRMING", "SUCCEEDED"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_seen_when_the_wait_ends_goes_on_without_the_caller() {
    let never = Job {
        running: 0,
        end: JobEnd::Never,
    };
    for (trouble, wanted) in [
        (Trouble::Ignore, "Accepted: CONFIRMING YES"),
        (Trouble::Job(never), "Accepted: RUNNING YES"),
    ] {
        let house = House::new();
        house.site.plan(Call::Start, 1, trouble);
        let before = Instant::now();
        assert_eq!(told(&house.act(short(Verb::Logoff)).await), wanted);
        assert_eq!(before.elapsed(), Duration::from_secs(10));
        assert_eq!(house.trail(), INTENT);
        later(20).await;
        house.site.remove(&anna().id);
        later(900).await;
        assert_eq!(stands(&house.only()), "SUCCEEDED YES");
        assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED YES REQUEST"));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_the_caller_is_answered_after_the_intent() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Hang);
    let request = ActRequest {
        wait: Duration::ZERO,
        ..short(Verb::Logoff)
    };
    let before = Instant::now();
    assert_eq!(told(&house.act(request).await), "Accepted: DISPATCHING NO");
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(house.trail(), INTENT);
    later(1).await;
    house.site.release();
    later(1).await;
    assert_eq!(house.trail(), trail("OUTCOME 1 SUCCEEDED YES REQUEST"));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_at_the_first_look_is_not_acted_on() {
    for verb in [Verb::Logoff, Verb::Disconnect, message()] {
        let house = House::new();
        house.site.remove(&anna().id);
        let outcome = "OUTCOME 1 ALREADY_GONE NO REQUEST";
        check(&house, short(verb), "AlreadyGone: ALREADY_GONE NO", outcome, 0).await;
        assert_eq!(house.site.calls(Call::Start), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_backend_does_not_find_when_asked_is_gone() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Hang);
    let site = house.site.clone();
    tokio::spawn(async move {
        later(1).await;
        site.remove(&anna().id);
        site.release();
    });
    let outcome = "OUTCOME 1 ALREADY_GONE YES REQUEST";
    check(
        &house,
        short(Verb::Logoff),
        "AlreadyGone: ALREADY_GONE YES",
        outcome,
        1,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_act_that_is_answered_not_found_is_settled_by_a_read() {
    let gone = House::new();
    gone.site.plan(Call::Start, 1, Trouble::Fail(Kind::NotFound));
    gone.site.plan(Call::Get, 2, Trouble::Pass);
    gone.site.plan(Call::Get, 1, Trouble::Hang);
    let site = gone.site.clone();
    tokio::spawn(async move {
        later(1).await;
        site.remove(&anna().id);
        site.release();
    });
    let outcome = "OUTCOME 1 ALREADY_GONE YES REQUEST";
    check(
        &gone,
        short(Verb::Logoff),
        "AlreadyGone: ALREADY_GONE YES",
        outcome,
        0,
    )
    .await;

    let there = House::new();
    there.site.plan(Call::Start, 1, Trouble::Fail(Kind::NotFound));
    let outcome = "OUTCOME 1 FAILED YES REQUEST REFUSED";
    check(
        &there,
        long(Verb::Logoff),
        "Failed: FAILED YES REFUSED",
        outcome,
        0,
    )
    .await;

    let message_there = House::new();
    message_there
        .site
        .plan(Call::Start, 1, Trouble::Fail(Kind::NotFound));
    let before = Instant::now();
    check(
        &message_there,
        short(message()),
        "Failed: FAILED YES REFUSED",
        outcome,
        0,
    )
    .await;
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "there is nothing to wait for"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_disconnected_already_is_not_disconnected_again() {
    let house = House::new();
    house.site.set_state(&anna().id, SessionState::Disconnected);
    let outcome = "OUTCOME 1 ALREADY_GONE NO REQUEST";
    check(
        &house,
        short(Verb::Disconnect),
        "AlreadyDisconnected: ALREADY_GONE NO",
        outcome,
        0,
    )
    .await;
    assert!(house.site.holds(&anna().id));
}

#[tokio::test(start_paused = true)]
async fn whoever_has_the_number_now_is_not_touched() {
    for verb in [Verb::Logoff, Verb::Disconnect, message()] {
        let house = House::new();
        house.site.put(successor());
        let outcome = "OUTCOME 1 SUPERSEDED NO REQUEST";
        check(&house, short(verb), "Superseded: SUPERSEDED NO", outcome, 0).await;
        assert_eq!(
            house.site.at(&anna().id).map(|it| it.state),
            Some(SessionState::Active)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_gets_the_number_just_before_the_act_is_not_touched() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Hang);
    let site = house.site.clone();
    tokio::spawn(async move {
        later(1).await;
        site.put(successor());
        site.release();
    });
    let outcome = "OUTCOME 1 SUPERSEDED NO REQUEST";
    check(
        &house,
        short(Verb::Logoff),
        "Superseded: SUPERSEDED NO",
        outcome,
        1,
    )
    .await;
    assert!(house.site.holds(&successor().id));
}

#[tokio::test(start_paused = true)]
async fn what_provably_did_not_happen_may_be_tried_again() {
    for (kind, sent, reason) in [
        (Kind::Unavailable, "NO", "BACKEND_UNAVAILABLE"),
        (Kind::TimedOut, "NO", "BACKEND_UNAVAILABLE"),
        (Kind::RateLimited { retry_after: None }, "YES", "RATE_LIMITED"),
    ] {
        let house = House::new();
        house.site.plan(Call::Start, 1, Trouble::Fail(kind));
        let wanted = format!("BackendUnavailable: FAILED {sent} {reason}");
        let outcome = format!("OUTCOME 1 FAILED {sent} REQUEST {reason}");
        check(&house, short(Verb::Logoff), &wanted, &outcome, 0).await;
        assert_eq!(house.site.calls(Call::Start), 1, "nothing is repeated by itself");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_first_is_not_acted_on() {
    let house = House::new();
    house.site.fail_part("site", Kind::Unavailable);
    let outcome = "OUTCOME 1 FAILED NO REQUEST BACKEND_UNAVAILABLE";
    check(
        &house,
        short(Verb::Logoff),
        "BackendUnavailable: FAILED NO BACKEND_UNAVAILABLE",
        outcome,
        0,
    )
    .await;
    assert_eq!(house.site.calls(Call::Start), 0);

    let hangs = House::new();
    hangs.site.plan(Call::Get, 2, Trouble::Hang);
    check(
        &hangs,
        short(Verb::Logoff),
        "BackendUnavailable: FAILED NO BACKEND_UNAVAILABLE",
        outcome,
        0,
    )
    .await;
    assert_eq!(hangs.site.calls(Call::Start), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_backend_refuses_fails() {
    for (kind, reason) in [(Kind::Denied, "REFUSED"), (Kind::Credentials, "CREDENTIALS")] {
        let house = House::new();
        house.site.plan(Call::Start, 1, Trouble::Fail(kind));
        let wanted = format!("Failed: FAILED YES {reason}");
        let outcome = format!("OUTCOME 1 FAILED YES REQUEST {reason}");
        check(&house, short(Verb::Disconnect), &wanted, &outcome, 0).await;
    }
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Fail(Kind::Unsupported));
    let outcome = "OUTCOME 1 FAILED NO REQUEST UNSUPPORTED";
    check(
        &house,
        short(Verb::Logoff),
        "Unsupported: FAILED NO UNSUPPORTED",
        outcome,
        0,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_still_there_at_the_deadline_has_failed() {
    let house = House::new();
    house.site.plan(Call::Start, 1, Trouble::Ignore);
    let before = Instant::now();
    let outcome = "OUTCOME 1 FAILED YES REQUEST STILL_PRESENT";
    check(
        &house,
        long(Verb::Logoff),
        "Failed: FAILED YES STILL_PRESENT",
        outcome,
        1,
    )
    .await;
    assert_eq!(before.elapsed(), Duration::from_secs(120));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_fails_has_failed() {
    let house = House::new();
    let job = Job {
        running: 1,
        end: JobEnd::Failed,
    };
    house.site.plan(Call::Start, 1, Trouble::Job(job));
    let outcome = "OUTCOME 1 FAILED YES REQUEST JOB_FAILED";
    check(
        &house,
        short(Verb::Logoff),
        "Failed: FAILED YES JOB_FAILED",
        outcome,
        1,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_never_ends_is_given_up_at_its_deadline() {
    let never = Job {
        running: 0,
        end: JobEnd::Never,
    };
    let there = House::new();
    there.site.plan(Call::Start, 1, Trouble::Job(never.clone()));
    let before = Instant::now();
    let outcome = "OUTCOME 1 FAILED YES REQUEST STILL_PRESENT";
    check(
        &there,
        long(Verb::Logoff),
        "Failed: FAILED YES STILL_PRESENT",
        outcome,
        1,
    )
    .await;
    assert_eq!(before.elapsed(), Duration::from_secs(600 + 120));

    let unreadable = House::new();
    unreadable.site.plan(Call::Start, 1, Trouble::Job(never));
    let site = unreadable.site.clone();
    tokio::spawn(async move {
        later(1).await;
        site.fail_part("site", Kind::Unavailable);
    });
    let outcome = "OUTCOME 1 UNKNOWN YES REQUEST HOST_DOWN";
    check(
        &unreadable,
        long(Verb::Logoff),
        "Unknown: UNKNOWN YES HOST_DOWN",
        outcome,
        1,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_job_is_settled_by_a_read() {
    let lost = |end| Trouble::Job(Job { running: 2, end });
    let done = House::new();
    done.site.plan(Call::Start, 1, lost(JobEnd::LostDone));
    check(
        &done,
        short(Verb::Logoff),
        "Done: SUCCEEDED YES",
        "OUTCOME 1 SUCCEEDED YES REQUEST",
        1,
    )
    .await;

    let undone = House::new();
    undone.site.plan(Call::Start, 1, lost(JobEnd::LostUndone));
    let outcome = "OUTCOME 1 FAILED YES REQUEST STILL_PRESENT";
    check(
        &undone,
        long(Verb::Logoff),
        "Failed: FAILED YES STILL_PRESENT",
        outcome,
        1,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_by_a_read() {
    let done = House::new();
    done.site.plan(Call::Start, 1, Trouble::AnswerLost);
    let outcome = "OUTCOME 1 SUCCEEDED UNKNOWN REQUEST";
    check(&done, short(Verb::Logoff), "Done: SUCCEEDED UNKNOWN", outcome, 1).await;

    let undone = House::new();
    undone.site.plan(Call::Start, 1, Trouble::RequestLost);
    let outcome = "OUTCOME 1 UNKNOWN UNKNOWN REQUEST STILL_PRESENT";
    check(
        &undone,
        long(Verb::Logoff),
        "Unknown: UNKNOWN UNKNOWN STILL_PRESENT",
        outcome,
        1,
    )
    .await;
    assert_eq!(
        undone.site.calls(Call::Start),
        1,
        "what may have arrived is not repeated"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_settled_by_a_read() {
    let done = House::new();
    done.site.plan(Call::Start, 1, Trouble::ActAndHang);
    let before = Instant::now();
    let outcome = "OUTCOME 1 SUCCEEDED UNKNOWN REQUEST";
    check(&done, short(Verb::Logoff), "Done: SUCCEEDED UNKNOWN", outcome, 1).await;
    assert_eq!(before.elapsed(), Duration::from_secs(9));

    let undone = House::new();
    undone.site.plan(Call::Start, 1, Trouble::Hang);
    let outcome = "OUTCOME 1 UNKNOWN UNKNOWN REQUEST STILL_PRESENT";
    check(
        &undone,
        long(Verb::Logoff),
        "Unknown: UNKNOWN UNKNOWN STILL_PRESENT",
        outcome,
        0,
    )
    .await;
    assert_eq!(undone.site.calls(Call::Start), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_answer_is_lost_stays_unknown_and_is_not_repeated() {
    for trouble in [Trouble::AnswerLost, Trouble::RequestLost] {
        let house = House::new();
        house.site.plan(Call::Start, 1, trouble);
        let outcome = "OUTCOME 1 UNKNOWN UNKNOWN REQUEST ANSWER_LOST";
        check(
            &house,
            long(message()),
            "Unknown: UNKNOWN UNKNOWN ANSWER_LOST",
            outcome,
            1,
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_names_who_asked_for_what_and_why() {
    let house = House::new();
    house.act(short(Verb::Logoff)).await.expect("it ends");
    for record in house.store.records() {
        assert_eq!(record.actor, helpdesk().actor);
        assert_eq!(record.action, AuditAction::Logoff);
        assert_eq!(
            (record.reason.as_deref(), record.ticket.as_deref()),
            (Some("Frozen"), Some("INC-4711"))
        );
        assert_eq!(record.source_address, "192.0.2.7".parse().ok());
        assert_eq!(
            (record.backend.as_deref(), record.session.as_deref()),
            (Some("site-a"), Some(anna().id.as_str()))
        );
        let facts = record
            .target
            .and_then(|target| target.facts)
            .expect("the facts of the target");
        assert_eq!(facts.user.account().as_deref(), Some("CORP\\anna"));
    }
    let outcome = house.store.records().pop().expect("the outcome");
    let evidence = outcome.evidence.expect("its evidence");
    assert!(evidence.act.is_some_and(|it| it.transaction_id.is_some()));
    assert!(evidence.read.is_some() && evidence.seen.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_looked_up_is_recorded_by_its_id() {
    let house = House::new();
    house.site.plan(Call::Get, 1, Trouble::Fail(Kind::Unavailable));
    house.act(short(Verb::Logoff)).await.expect("it ends");
    let records = house.store.records();
    assert!(
        records
            .iter()
            .all(|it| it.target == Some(TargetSnapshot::bare(anna().id)))
    );
    assert_eq!(
        stands(&house.only()),
        "SUCCEEDED YES",
        "the look-up alone decides nothing"
    );
}
