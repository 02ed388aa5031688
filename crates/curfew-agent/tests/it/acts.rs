//! What is done, and what is not. Invariant: the fake's record of acts, not the answer, says what was done.

use std::time::Duration;

use chrono::TimeDelta;
use curfew_agent::Verb;
use curfew_agent::platform::{FakeCall, FakeVerb, WtsState};
use curfew_agent_api::{ActResult, ProblemCode, SessionState};
use curfew_core::Clock as _;
use serde_json::json;

use crate::stage::{Stage, stage, stage_with, until};

#[tokio::test]
async fn a_log_off_that_is_seen_to_end_is_done() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let answer = stage
        .act(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!((answer.result, answer.session), (ActResult::Done, None));
    let [act] = &*stage.fake.acts() else {
        panic!("one act")
    };
    assert_eq!((&*act.user, &act.verb), ("CORP\\alice", &FakeVerb::Logoff));
    assert!(stage.list().await.sessions.is_empty());
}

#[tokio::test]
async fn a_log_off_that_takes_longer_is_accepted() {
    let stage = stage().await;
    stage.fake.set_logoff_takes(Duration::from_secs(5));
    let number = stage.fake.log_on("CORP\\alice");
    let answer = stage
        .act(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!(answer.result, ActResult::Accepted);
    assert_eq!(answer.session.expect("it is still there").number, number);
    stage.clock.advance(Duration::from_secs(5));
    assert!(stage.list().await.sessions.is_empty());
}

#[tokio::test]
async fn a_log_off_that_ends_while_it_is_watched_is_done() {
    let stage = stage().await;
    stage.fake.set_logoff_takes(Duration::from_secs(5));
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let (answer, ()) = tokio::join!(stage.act(number, Verb::Logoff, &request), async {
        until("the log-off", || !stage.fake.acts().is_empty()).await;
        stage.clock.advance(Duration::from_secs(5));
    });
    assert_eq!(answer.result, ActResult::Done);
}

#[tokio::test]
async fn the_number_going_to_another_logon_is_the_end_of_the_first() {
    let stage = stage().await;
    stage.fake.set_logoff_takes(Duration::MAX);
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let (answer, ()) = tokio::join!(stage.act(number, Verb::Logoff, &request), async {
        until("the log-off", || !stage.fake.acts().is_empty()).await;
        stage.fake.replace(number, "CORP\\bob");
    });
    assert_eq!((answer.result, answer.session), (ActResult::Done, None));
}

#[tokio::test]
async fn a_read_back_that_fails_leaves_the_act_accepted() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    // Two readings before the act; those after it fail.
    let held = stage.fake.hold(FakeCall::Logoff);
    let (answer, ()) = tokio::join!(stage.act(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        stage.fake.fail(FakeCall::Get, 1722);
        drop(held);
    });
    assert_eq!(answer.result, ActResult::Accepted);
    assert_eq!(stage.fake.acts().len(), 1);
}

#[tokio::test]
async fn a_disconnected_session_lives_on() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let answer = stage
        .act(number, Verb::Disconnect, &stage.request(number).await)
        .await;
    assert_eq!(answer.result, ActResult::Done);
    let session = answer.session.expect("it is there");
    assert_eq!(session.state, SessionState::Disconnected);
    assert_eq!(stage.session(number).await, session);
}

#[tokio::test]
async fn to_disconnect_what_is_disconnected_does_nothing() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    stage.fake.leave(number);
    let answer = stage
        .act(number, Verb::Disconnect, &stage.request(number).await)
        .await;
    assert_eq!(answer.result, ActResult::Already);
    assert_eq!(answer.session.expect("it was read").number, number);
    assert_eq!(stage.fake.calls(FakeCall::Disconnect), 0);
}

#[tokio::test]
async fn a_disconnected_session_can_be_logged_off() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    stage.fake.leave(number);
    let answer = stage
        .act(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!(answer.result, ActResult::Done);
}

#[tokio::test]
async fn a_message_is_shown_as_it_was_written() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let mut request = stage.request(number).await;
    request["message"] = json!({ "title": "Wartung", "text": "Bitte speichern.\nUm 18 Uhr ist Schluss." });
    let answer = stage.act(number, Verb::Message, &request).await;
    assert_eq!(answer.result, ActResult::Done);
    let [act] = &*stage.fake.acts() else {
        panic!("one act")
    };
    let FakeVerb::Message(message) = &act.verb else {
        panic!("a message, not {act:?}")
    };
    assert_eq!(message.title, "Wartung");
    assert_eq!(message.text, "Bitte speichern.\nUm 18 Uhr ist Schluss.");
}

#[tokio::test]
async fn another_logon_with_the_number_is_left_alone() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    // The same person logs on again: it is not the session that was meant.
    stage.fake.replace(number, "CORP\\alice");
    for verb in [Verb::Disconnect, Verb::Logoff] {
        let mut request = request.clone();
        request["attempt"] = json!(if verb == Verb::Logoff { 1 } else { 2 });
        let found = stage.refused(number, verb, &request).await;
        assert_eq!(found.code, ProblemCode::SessionReplaced);
    }
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn a_number_that_changes_hands_between_reading_and_acting_is_left_alone() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let before = stage.fake.calls(FakeCall::Get);
    // The reading for the log finds the one that is meant; before the one that decides, the number goes to another.
    let held = stage.fake.hold(FakeCall::Get);
    let (found, ()) = tokio::join!(stage.refused(number, Verb::Logoff, &request), async {
        held.let_one_pass();
        until("the second reading", || {
            stage.fake.calls(FakeCall::Get) == before + 2
        })
        .await;
        stage.fake.replace(number, "CORP\\bob");
        drop(held);
    });
    assert_eq!(found.code, ProblemCode::SessionReplaced);
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn a_session_that_is_gone_is_gone() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    stage.fake.end(number);
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::SessionGone);
    assert!(found.code.nothing_was_done());
}

#[tokio::test]
async fn a_session_that_goes_at_the_last_moment_is_gone() {
    for win32 in [2, 7022] {
        let stage = stage().await;
        let number = stage.fake.log_on("CORP\\alice");
        stage.fake.fail(FakeCall::Logoff, win32);
        let found = stage
            .refused(number, Verb::Logoff, &stage.request(number).await)
            .await;
        assert_eq!((found.code, found.win32), (ProblemCode::SessionGone, Some(win32)));
    }
}

#[tokio::test]
async fn an_act_that_comes_too_late_is_not_begun() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    stage.clock.advance(Duration::from_millis(15_001));
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::TooLate);
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn an_act_whose_time_runs_out_while_the_host_is_read_is_not_begun() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let before = stage.fake.calls(FakeCall::Get);
    let held = stage.fake.hold(FakeCall::Get);
    let (found, ()) = tokio::join!(stage.refused(number, Verb::Logoff, &request), async {
        until("the reading", || stage.fake.calls(FakeCall::Get) > before).await;
        stage.clock.advance(Duration::from_secs(16));
        drop(held);
    });
    assert_eq!(found.code, ProblemCode::TooLate);
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn windows_errors_keep_their_number() {
    let stage = stage().await;
    for (win32, code, again) in [
        (5, ProblemCode::AccessDenied, false),
        (7045, ProblemCode::AccessDenied, false),
        (1722, ProblemCode::HostNotReady, true),
        (7024, ProblemCode::HostNotReady, true),
        (87, ProblemCode::HostFailed, false),
        (1726, ProblemCode::HostFailed, false),
        (120, ProblemCode::Unsupported, false),
    ] {
        let number = stage.fake.log_on("CORP\\alice");
        stage.fake.fail_times(FakeCall::Logoff, win32, 1);
        let found = stage
            .refused(number, Verb::Logoff, &stage.request(number).await)
            .await;
        assert_eq!((found.code, found.win32), (code, Some(win32)));
        assert_eq!(found.retry_after_ms.is_some(), again, "{win32}");
    }
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn the_same_operation_is_not_performed_again() {
    let stage = stage().await;
    stage.fake.set_logoff_takes(Duration::MAX);
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let first = stage.act(number, Verb::Logoff, &request).await;
    let again = stage.act(number, Verb::Logoff, &request).await;
    assert_eq!((again.result, again.session), (first.result, first.session));
    assert_eq!(stage.fake.acts().len(), 1);
    let mut next = request.clone();
    next["attempt"] = json!(2);
    stage.act(number, Verb::Logoff, &next).await;
    assert_eq!(stage.fake.acts().len(), 2, "another attempt is another act");
}

#[tokio::test]
async fn the_same_operation_waits_for_the_first_one() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    let (first, second, ()) = tokio::join!(
        stage.act(number, Verb::Logoff, &request),
        stage.act(number, Verb::Logoff, &request),
        async {
            until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
            drop(held);
        }
    );
    assert_eq!(first.result, ActResult::Done);
    assert_eq!(second.result, ActResult::Done);
    assert_eq!(stage.fake.calls(FakeCall::Logoff), 1);
}

#[tokio::test]
async fn a_failure_that_leaves_open_what_was_done_is_not_tried_again() {
    let stage = stage().await;
    stage.fake.set_logoff_takes(Duration::MAX);
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    stage.fake.act_then_fail(FakeCall::Logoff, 1726, 1);
    for _ in 0..2 {
        let found = stage.refused(number, Verb::Logoff, &request).await;
        assert_eq!(found.code, ProblemCode::HostFailed);
        assert!(!found.code.nothing_was_done());
    }
    assert_eq!(stage.fake.acts().len(), 1);
}

#[tokio::test]
async fn what_was_asked_to_come_again_may_come_again() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    stage.fake.fail_times(FakeCall::Logoff, 7024, 1);
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert!(found.retry_after_ms.is_some());
    assert_eq!(
        stage.act(number, Verb::Logoff, &request).await.result,
        ActResult::Done
    );
}

#[tokio::test]
async fn an_operation_cannot_be_used_for_something_else() {
    let stage = stage().await;
    let alice = stage.fake.log_on("CORP\\alice");
    let bob = stage.fake.log_on("CORP\\bob");
    let request = stage.request(alice).await;
    stage.act(alice, Verb::Disconnect, &request).await;
    let mut other = stage.request(bob).await;
    other["operation"] = request["operation"].clone();
    let found = stage.refused(bob, Verb::Logoff, &other).await;
    assert_eq!(found.code, ProblemCode::BadRequest);
    assert_eq!(stage.fake.acts().len(), 1);
}

#[tokio::test]
async fn an_act_goes_on_when_the_gateway_hangs_up() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    let asking = stage.post(number, Verb::Logoff, &request);
    tokio::select! {
        _ = asking => panic!("the log-off is held"),
        () = until("the call", || stage.fake.calls(FakeCall::Logoff) == 1) => {}
    }
    drop(held);
    until("the log-off", || stage.fake.acts().len() == 1).await;
    let answer = stage.act(number, Verb::Logoff, &request).await;
    assert_eq!(
        answer.result,
        ActResult::Done,
        "who asks again gets what came of it"
    );
    assert_eq!(stage.fake.calls(FakeCall::Logoff), 1);
}

#[tokio::test]
async fn too_many_acts_at_once_are_asked_to_come_again() {
    let stage = stage_with(|settings| settings.policy.concurrency = 2).await;
    let numbers = ["alice", "bob", "carla"].map(|user| stage.fake.log_on(user));
    let requests = [
        stage.request(numbers[0]).await,
        stage.request(numbers[1]).await,
        stage.request(numbers[2]).await,
    ];
    let held = stage.fake.hold(FakeCall::Logoff);
    let third = async {
        until("two calls", || stage.fake.calls(FakeCall::Logoff) == 2).await;
        let found = stage.refused(numbers[2], Verb::Logoff, &requests[2]).await;
        assert_eq!(found.code, ProblemCode::TooManyActs);
        assert!(found.retry_after_ms.is_some());
        drop(held);
    };
    tokio::join!(
        stage.act(numbers[0], Verb::Logoff, &requests[0]),
        stage.act(numbers[1], Verb::Logoff, &requests[1]),
        third
    );
    let answer = stage.act(numbers[2], Verb::Logoff, &requests[2]).await;
    assert_eq!(answer.result, ActResult::Done);
    assert_eq!(stage.fake.acts().len(), 3);
}

#[tokio::test]
async fn readings_do_not_wait_for_acts() {
    let stage = stage_with(|settings| settings.policy.concurrency = 1).await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    tokio::join!(stage.act(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        assert_eq!(stage.list().await.sessions.len(), 1);
        drop(held);
    });
}

#[tokio::test]
async fn numbers_that_no_user_has_are_never_acted_on() {
    let stage = stage().await;
    let request = stage.request_for("9c1e52aa7b0d4f13");
    for number in ["0", "65536", "4294967294", "4294967295", "-1", "abc"] {
        for verb in Verb::ALL {
            let found = stage.refused(number, verb, &request).await;
            assert_eq!(found.code, ProblemCode::NotAUserSession, "{number}");
        }
    }
    assert_eq!(stage.fake.calls(FakeCall::Get), 0);
}

/// Asks for an act that cannot be read, and sees to it that nothing was looked at.
async fn is_bad(stage: &Stage, verb: Verb, change: impl FnOnce(&mut serde_json::Value)) {
    let number = stage.fake.log_on("CORP\\alice");
    let mut request = stage.request(number).await;
    change(&mut request);
    let reads = stage.fake.calls(FakeCall::Get);
    let found = stage.refused(number, verb, &request).await;
    assert_eq!(found.code, ProblemCode::BadRequest, "{request}");
    assert_eq!(stage.fake.calls(FakeCall::Get), reads, "{request}");
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let stage = stage().await;
    let message = |title: &str, text: &str| json!({ "title": title, "text": text });
    for bad in ["", "xyz", "9C1E52AA7B0D4F13", "9c1e52aa7b0d4f1"] {
        is_bad(&stage, Verb::Logoff, |it| it["generation"] = json!(bad)).await;
    }
    is_bad(&stage, Verb::Logoff, |it| it["operation"] = json!("")).await;
    is_bad(&stage, Verb::Logoff, |it| {
        it["operation"] = json!("o".repeat(129));
    })
    .await;
    is_bad(&stage, Verb::Logoff, |it| it["attempt"] = json!(0)).await;
    is_bad(&stage, Verb::Logoff, |it| it["notAfter"] = json!("tomorrow")).await;
    is_bad(&stage, Verb::Logoff, |it| it["onBehalf"] = json!(null)).await;
    is_bad(&stage, Verb::Logoff, |it| it["message"] = message("a", "b")).await;
    is_bad(&stage, Verb::Message, |_| {}).await;
    is_bad(&stage, Verb::Message, |it| {
        it["message"] = message(&"ä".repeat(101), "b");
    })
    .await;
    is_bad(&stage, Verb::Message, |it| {
        it["message"] = message("a", &"ä".repeat(1_001));
    })
    .await;
    for control in ["\r\n", "\u{1b}[31m", "\0", "\u{7f}", "\u{85}"] {
        is_bad(&stage, Verb::Message, |it| it["message"] = message("a", control)).await;
    }
    is_bad(&stage, Verb::Message, |it| it["message"] = message("a\nb", "c")).await;
}

#[tokio::test]
async fn the_longest_message_is_shown_and_unknown_fields_are_ignored() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let mut request = stage.request(number).await;
    request["message"] = json!({ "title": "ä".repeat(100), "text": "ä".repeat(1_000), "colour": "red" });
    request["later"] = json!({ "version": 1 });
    assert_eq!(
        stage.act(number, Verb::Message, &request).await.result,
        ActResult::Done
    );
}

#[tokio::test]
async fn a_session_without_a_sid_can_be_named_too() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    stage.fake.change(number, |row| {
        row.sid = None;
        row.state = WtsState::Down;
    });
    let answer = stage
        .act(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!(answer.result, ActResult::Done);
}

#[tokio::test]
async fn a_session_without_a_time_of_logon_is_protected_for_it_may_be_anybodys() {
    let stage = stage_with(|settings| settings.policy.allow_console = true).await;
    let number = stage.fake.log_on("CORP\\alice");
    stage.fake.change(number, |row| {
        row.logon_time = 0;
        row.sid = None;
    });
    let listed = stage.session(number).await;
    assert!(listed.protected);
    for verb in Verb::ALL {
        let mut request = stage.request_for(&listed.generation);
        if verb == Verb::Message {
            request["message"] = json!({ "title": "a", "text": "b" });
        }
        let found = stage.refused(number, verb, &request).await;
        assert_eq!(found.code, ProblemCode::Protected);
        assert!(found.message.contains("time of logon"), "{}", found.message);
    }
    assert!(stage.fake.acts().is_empty());
}

#[tokio::test]
async fn a_reading_that_fails_before_the_act_says_that_nothing_was_done() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    // Windows' answer to the same number by an act leaves open what was done.
    stage.fake.fail(FakeCall::Get, 1726);
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert_eq!((found.code, found.win32), (ProblemCode::HostNotReady, Some(1726)));
    assert!(found.code.nothing_was_done() && found.retry_after_ms.is_some());
    stage.fake.heal();
    assert_eq!(
        stage.act(number, Verb::Logoff, &request).await.result,
        ActResult::Done
    );
}

/// Disconnects a session of which `change` takes hold before its client is taken away, and afterwards is seen.
async fn disconnected_while(change: impl FnOnce(&Stage, u32)) {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let before = stage.fake.calls(FakeCall::Get);
    let held = stage.fake.hold(FakeCall::Get);
    let (answer, ()) = tokio::join!(stage.act(number, Verb::Disconnect, &request), async {
        held.let_one_pass();
        held.let_one_pass();
        until("the reading after the act", || {
            stage.fake.calls(FakeCall::Get) == before + 3
        })
        .await;
        change(&stage, number);
        drop(held);
    });
    assert_eq!((answer.result, answer.session), (ActResult::Accepted, None));
}

#[tokio::test]
async fn a_disconnect_of_which_nothing_can_be_seen_is_accepted_and_never_done() {
    disconnected_while(|stage, number| assert!(stage.fake.end(number))).await;
    disconnected_while(|stage, number| stage.fake.replace(number, "CORP\\bob")).await;
}

#[tokio::test]
async fn a_sid_that_windows_no_longer_tells_is_no_end_of_a_log_off() {
    for change in [
        (|row| row.sid = None) as fn(&mut curfew_agent::platform::WtsSession),
        |row| row.logon_time = 0,
    ] {
        let stage = stage().await;
        stage.fake.set_logoff_takes(Duration::MAX);
        let number = stage.fake.log_on("CORP\\alice");
        let request = stage.request(number).await;
        let (answer, ()) = tokio::join!(stage.act(number, Verb::Logoff, &request), async {
            until("the log-off", || !stage.fake.acts().is_empty()).await;
            stage.fake.change(number, change);
        });
        assert_eq!((answer.result, answer.session), (ActResult::Accepted, None));
    }
}

#[tokio::test]
async fn an_operation_cannot_be_used_for_other_words() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let mut request = stage.request(number).await;
    request["message"] = json!({ "title": "Wartung", "text": "Um 18 Uhr ist Schluss." });
    stage.act(number, Verb::Message, &request).await;
    stage.act(number, Verb::Message, &request).await;
    request["message"]["text"] = json!("Um 17 Uhr ist Schluss.");
    let found = stage.refused(number, Verb::Message, &request).await;
    assert_eq!(found.code, ProblemCode::BadRequest);
    assert_eq!(stage.fake.acts().len(), 1);
}

#[tokio::test]
async fn an_act_may_not_be_meant_for_more_than_five_minutes() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let mut request = stage.request(number).await;
    let now = stage.clock.now();
    request["notAfter"] = json!(now + TimeDelta::milliseconds(300_001));
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::BadRequest);
    assert!(stage.fake.acts().is_empty());
    request["notAfter"] = json!(now + TimeDelta::minutes(5));
    stage.act(number, Verb::Logoff, &request).await;
}
