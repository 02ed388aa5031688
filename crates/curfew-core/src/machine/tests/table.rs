//! Every arrow, in a table that a reader can check against the contract.

use super::*;

fn name(event: &Event) -> String {
    let kind = |failure: &Failure| match failure.kind {
        BackendErrorKind::RateLimited { .. } => "RateLimited".to_owned(),
        kind => format!("{kind:?}"),
    };
    match event {
        Event::Read(Reading::Seen(Verdict::Reached(seen), _)) => format!("read reached {seen}"),
        Event::Read(Reading::Seen(verdict, _)) => format!("read {verdict:?}"),
        Event::Read(Reading::Failed(failure)) => format!("read failed {}", kind(failure)),
        Event::Started(Started::Job(_), _) => "started Job".to_owned(),
        Event::Started(started, _) => format!("started {started:?}"),
        Event::StartFailed(failure) => format!("start failed {}", kind(failure)),
        Event::Polled(Progress::Running { .. }, _) => "polled Running".to_owned(),
        Event::Polled(Progress::Failed { .. }, _) => "polled Failed".to_owned(),
        Event::Polled(progress, _) => format!("polled {progress:?}"),
        Event::PollFailed(_) => "poll failed".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Where an event leads; `=` where it does not change what was sent.
fn cell(before: &Operation, event: &Event) -> String {
    let Transition { course, next } = go(before, event.clone());
    let reason = course
        .reason
        .map(|reason| format!(" {reason}"))
        .unwrap_or_default();
    let sent = if course.sent == before.course.sent {
        "="
    } else {
        course.sent.as_str()
    };
    format!("{} {sent}{reason} {next:?}", course.state)
}

/// One row for each event; what depends on what was sent before has a column for each.
fn rows(verb: &Verb, state: OperationState) -> String {
    let mut rows = String::new();
    for event in events() {
        let cell = |sent| cell(&operation(verb.clone(), state, sent), &event);
        let [no, yes, unknown] = [Sent::No, Sent::Yes, Sent::Unknown].map(cell);
        let told = if no == yes && yes == unknown {
            no
        } else {
            format!("NO: {no} | YES: {yes} | UNKNOWN: {unknown}")
        };
        rows.push_str(&format!("{:<28} {told}\n", name(&event)));
    }
    rows
}

#[test]
fn every_arrow_of_an_act() {
    for state in [
        OperationState::Dispatching,
        OperationState::Running,
        OperationState::Confirming,
    ] {
        let rows = rows(&Verb::Logoff, state);
        assert_eq!(
            rows,
            self::rows(&Verb::Disconnect, state),
            "both go by the same arrows"
        );
        insta::assert_snapshot!(format!("act_{}", state.as_str().to_lowercase()), rows);
    }
}

#[test]
fn every_arrow_of_a_message() {
    for state in [
        OperationState::Dispatching,
        OperationState::Running,
        OperationState::Confirming,
    ] {
        insta::assert_snapshot!(
            format!("message_{}", state.as_str().to_lowercase()),
            rows(&message(), state)
        );
    }
}

#[test]
fn nothing_has_been_sent_yet_before_dispatching_either() {
    let in_place = |rows: String, state: &str| rows.replace(state, "HERE");
    for verb in [Verb::Logoff, message()] {
        let wanted = in_place(rows(&verb, OperationState::Dispatching), "DISPATCHING");
        let received = rows(&verb, OperationState::Received);
        let notifying = rows(&verb, OperationState::Notifying);
        assert_eq!(in_place(received, "RECEIVED"), wanted);
        assert_eq!(in_place(notifying, "NOTIFYING"), wanted);
    }
}

#[test]
fn nothing_changes_what_has_ended() {
    for state in OperationState::ALL
        .iter()
        .copied()
        .filter(|state| state.is_final())
    {
        for verb in [Verb::Disconnect, Verb::Logoff, message()] {
            for event in events() {
                let mut before = operation(verb.clone(), state, Sent::Yes);
                before.course.ended_by = Some(EndedBy::Person);
                before.course.finished_at = Some(sample::at(1));
                let after = go(&before, event);
                assert_eq!((after.course, after.next), (before.course, Next::End));
            }
        }
    }
}
