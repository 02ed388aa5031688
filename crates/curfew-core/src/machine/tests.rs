//! The state machine: a table of every arrow, and what holds on every path.

use std::time::Duration;

use super::*;
use crate::fakes::backend::ABLE;
use crate::fakes::store_contract::sample;
use crate::operation::Outcome;

mod paths;
mod table;

fn message() -> Verb {
    Verb::Message {
        title: "Maintenance".to_owned(),
        text: "The host restarts at six.".to_owned(),
    }
}

/// An operation in `state`, as it would stand there.
fn operation(verb: Verb, state: OperationState, sent: Sent) -> Operation {
    let mut operation = Operation {
        verb,
        ..sample::operation(0)
    };
    operation.course.state = state;
    operation.course.sent = sent;
    operation
}

fn failure(kind: BackendErrorKind) -> Failure {
    Failure {
        kind,
        detail: "what the backend said".to_owned(),
        evidence: Some(sample::evidence("failed")),
    }
}

fn seen(verdict: Verdict) -> Event {
    Event::Read(Reading::Seen(verdict, sample::evidence("read")))
}

fn started(started: Started) -> Event {
    Event::Started(started, sample::evidence("act"))
}

fn polled(progress: Progress) -> Event {
    Event::Polled(progress, sample::evidence("job"))
}

const KINDS: [BackendErrorKind; 9] = [
    BackendErrorKind::NotFound,
    BackendErrorKind::Denied,
    BackendErrorKind::Credentials,
    BackendErrorKind::RateLimited {
        retry_after: Some(Duration::from_secs(30)),
    },
    BackendErrorKind::Unavailable,
    BackendErrorKind::Unsupported,
    BackendErrorKind::Protocol,
    BackendErrorKind::OutcomeUnknown,
    BackendErrorKind::TimedOut,
];

const VERDICTS: [Verdict; 7] = [
    Verdict::Reached(Seen::Gone),
    Verdict::Reached(Seen::Disconnected),
    Verdict::Reached(Seen::LoggingOff),
    Verdict::UnderWay,
    Verdict::NotYet,
    Verdict::Replaced,
    Verdict::Unreadable,
];

fn job() -> JobRef {
    JobRef("job-9".to_owned())
}

fn reads() -> Vec<Event> {
    let failed = KINDS.map(|kind| Event::Read(Reading::Failed(failure(kind))));
    VERDICTS.map(seen).into_iter().chain(failed).collect()
}

fn answers() -> Vec<Event> {
    let taken = [
        Started::Done,
        Started::Accepted,
        Started::Job(job()),
        Started::Replaced,
        Started::AlreadyGone,
    ];
    let failed = KINDS.map(|kind| Event::StartFailed(failure(kind)));
    taken.map(started).into_iter().chain(failed).collect()
}

fn words_of_jobs() -> Vec<Event> {
    let code = Some("E42".to_owned());
    let said = [
        Progress::Running { percent: Some(40) },
        Progress::Complete,
        Progress::Failed { code },
        Progress::Lost,
    ];
    let failed = Event::PollFailed(failure(BackendErrorKind::Unavailable));
    said.map(polled).into_iter().chain([failed]).collect()
}

/// Every event there is.
fn events() -> Vec<Event> {
    let mut events = vec![Event::TakenUp, Event::Retried, Event::Overdue];
    events.extend(reads());
    events.extend(answers());
    events.extend(words_of_jobs());
    events
}

fn go(operation: &Operation, event: Event) -> Transition {
    step(
        operation,
        event,
        EndedBy::Request,
        &Deadlines::default(),
        sample::at(3),
    )
}

/// Goes along `events`, one after the other.
fn along(mut operation: Operation, events: impl IntoIterator<Item = Event>) -> (Operation, Next) {
    let mut next = Next::Read;
    for event in events {
        let transition = go(&operation, event);
        operation.course = transition.course;
        next = transition.next;
    }
    (operation, next)
}

fn outcome(operation: &Operation) -> (Option<Outcome>, Sent, Option<EndReason>) {
    let course = &operation.course;
    (course.state.outcome(), course.sent, course.reason)
}

#[test]
fn each_state_has_its_own_deadline_and_a_final_one_has_none() {
    let limits = Deadlines::default();
    let budget = |state| {
        limits
            .of(state, sample::at(0))
            .map(|at| (at - sample::at(0)).num_seconds())
    };
    for state in OperationState::ALL.iter().copied() {
        let wanted = match state {
            OperationState::Received | OperationState::Notifying | OperationState::Dispatching => Some(15),
            OperationState::Running => Some(600),
            OperationState::Confirming => Some(120),
            _ => None,
        };
        assert_eq!(budget(state), wanted, "{state}");
    }
}

#[test]
fn what_a_read_says_depends_on_the_verb_the_backend_and_the_state() {
    let vpn = Capabilities {
        disconnect_ends_session: true,
        ..ABLE
    };
    let mut rows = Vec::new();
    for (name, verb, capabilities) in [
        ("disconnect", Verb::Disconnect, ABLE),
        ("disconnect, vpn", Verb::Disconnect, vpn),
        ("logoff", Verb::Logoff, ABLE),
        ("message", message(), ABLE),
    ] {
        let there = crate::fakes::backend::session("site-a", "12", "anna", 1);
        for state in SessionState::ALL {
            let here = Box::new(crate::Session {
                state: *state,
                ..there.clone()
            });
            let verdict = reached(&verb, &capabilities, &Sight::Here(here));
            rows.push(format!("{name:<16} {:<13} {verdict:?}", state.as_str()));
        }
        let gone = reached(&verb, &capabilities, &Sight::Gone);
        let replaced = reached(&verb, &capabilities, &Sight::Replaced(Box::new(there)));
        rows.push(format!("{name:<16} {:<13} {gone:?}", "gone"));
        rows.push(format!("{name:<16} {:<13} {replaced:?}", "replaced"));
    }
    insta::assert_snapshot!("reached", rows.join("\n"));
}
