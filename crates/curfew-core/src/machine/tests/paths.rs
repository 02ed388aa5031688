//! What holds on every path, and the paths that the contract names.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

fn dispatching(verb: Verb) -> Operation {
    operation(verb, OperationState::Dispatching, Sent::No)
}

fn accepted() -> [Event; 2] {
    [seen(Verdict::NotYet), started(Started::Accepted)]
}

fn lost() -> [Event; 2] {
    let lost = failure(BackendErrorKind::OutcomeUnknown);
    [seen(Verdict::NotYet), Event::StartFailed(lost)]
}

#[test]
fn a_session_that_is_gone_at_the_first_look_needs_no_act() {
    let (operation, next) = along(dispatching(Verb::Logoff), [seen(Verdict::Reached(Seen::Gone))]);
    assert_eq!(outcome(&operation), (Some(Outcome::AlreadyGone), Sent::No, None));
    assert_eq!(next, Next::End);
}

#[test]
fn what_is_seen_after_an_act_is_its_success() {
    let gone = seen(Verdict::Reached(Seen::Gone));
    let (operation, _) = along(
        dispatching(Verb::Logoff),
        accepted().into_iter().chain([gone.clone()]),
    );
    assert_eq!(outcome(&operation), (Some(Outcome::Succeeded), Sent::Yes, None));
    let (operation, _) = along(dispatching(Verb::Logoff), lost().into_iter().chain([gone]));
    assert_eq!(
        outcome(&operation),
        (Some(Outcome::Succeeded), Sent::Unknown, None)
    );
}

#[test]
fn an_act_that_does_not_show_its_effect_fails_at_the_deadline() {
    let rest = [seen(Verdict::NotYet), Event::Overdue];
    let (operation, _) = along(
        dispatching(Verb::Logoff),
        accepted().into_iter().chain(rest.clone()),
    );
    assert_eq!(
        outcome(&operation),
        (Some(Outcome::Failed), Sent::Yes, Some(EndReason::StillPresent))
    );
    // Whether the request arrived is not known: it may still have its effect.
    let (operation, _) = along(dispatching(Verb::Logoff), lost().into_iter().chain(rest));
    assert_eq!(
        outcome(&operation),
        (
            Some(Outcome::Unknown),
            Sent::Unknown,
            Some(EndReason::StillPresent)
        )
    );
}

#[test]
fn an_act_that_no_read_decides_ends_unknown() {
    let rest = [
        seen(Verdict::NotYet),
        Event::Read(Reading::Failed(failure(BackendErrorKind::Unavailable))),
        Event::Overdue,
    ];
    let (operation, _) = along(dispatching(Verb::Logoff), accepted().into_iter().chain(rest));
    assert_eq!(
        outcome(&operation),
        (Some(Outcome::Unknown), Sent::Yes, Some(EndReason::HostDown))
    );
}

#[test]
fn a_failed_job_is_believed_when_the_session_is_still_there() {
    let begin = [
        seen(Verdict::NotYet),
        started(Started::Job(job())),
        polled(Progress::Failed { code: None }),
    ];
    let (confirming, next) = along(dispatching(Verb::Logoff), begin);
    assert_eq!(
        (confirming.course.state, next),
        (OperationState::Confirming, Next::Read)
    );
    let (failed, _) = along(confirming.clone(), [seen(Verdict::NotYet)]);
    assert_eq!(
        outcome(&failed),
        (Some(Outcome::Failed), Sent::Yes, Some(EndReason::JobFailed))
    );
    let (gone, _) = along(confirming, [seen(Verdict::Reached(Seen::Gone))]);
    assert_eq!(outcome(&gone), (Some(Outcome::Succeeded), Sent::Yes, None));
}

#[test]
fn a_lost_job_is_not_a_lost_act() {
    let begin = [
        seen(Verdict::NotYet),
        started(Started::Job(job())),
        polled(Progress::Lost),
    ];
    let (operation, _) = along(dispatching(Verb::Logoff), begin);
    let (gone, _) = along(operation.clone(), [seen(Verdict::Reached(Seen::Gone))]);
    assert_eq!(outcome(&gone), (Some(Outcome::Succeeded), Sent::Yes, None));
    let (there, next) = along(operation, [seen(Verdict::NotYet)]);
    assert_eq!((outcome(&there).0, next), (None, Next::Read));
}

#[test]
fn an_act_for_which_the_backend_found_no_session_has_not_brought_anything_about() {
    let begin = [
        seen(Verdict::NotYet),
        Event::StartFailed(failure(BackendErrorKind::NotFound)),
    ];
    let (operation, next) = along(dispatching(Verb::Logoff), begin.clone());
    assert_eq!((outcome(&operation).0, next), (None, Next::Read));
    let ends = |verdict| outcome(&along(operation.clone(), [seen(verdict), Event::Overdue]).0);
    assert_eq!(
        ends(Verdict::Reached(Seen::Gone)),
        (Some(Outcome::AlreadyGone), Sent::Yes, None)
    );
    assert_eq!(
        ends(Verdict::Replaced),
        (Some(Outcome::Superseded), Sent::Yes, None)
    );
    assert_eq!(
        ends(Verdict::NotYet),
        (Some(Outcome::Failed), Sent::Yes, Some(EndReason::Refused))
    );

    let (operation, _) = along(dispatching(message()), begin);
    let ends = |event| outcome(&along(operation.clone(), [event, Event::Overdue]).0);
    assert_eq!(
        ends(seen(Verdict::Reached(Seen::Gone))),
        (Some(Outcome::AlreadyGone), Sent::Yes, None)
    );
    assert_eq!(
        ends(seen(Verdict::Unreadable)),
        (Some(Outcome::Failed), Sent::Yes, Some(EndReason::Refused))
    );
    let unreadable = Event::Read(Reading::Failed(failure(BackendErrorKind::Unavailable)));
    assert_eq!(
        ends(unreadable),
        (Some(Outcome::Failed), Sent::Yes, Some(EndReason::Refused))
    );
}

#[test]
fn who_takes_an_operation_up_reads_before_anything_is_sent_again() {
    let (operation, next) = along(dispatching(Verb::Logoff), [Event::TakenUp]);
    assert_eq!((operation.course.sent, next), (Sent::Unknown, Next::Read));
    let (again, next) = along(operation.clone(), [seen(Verdict::NotYet)]);
    assert_eq!((outcome(&again).0, next), (None, Next::Send));
    let (gone, _) = along(operation.clone(), [seen(Verdict::Reached(Seen::Gone))]);
    assert_eq!(outcome(&gone), (Some(Outcome::Succeeded), Sent::Unknown, None));
    let (replaced, _) = along(operation.clone(), [seen(Verdict::Replaced)]);
    assert_eq!(
        outcome(&replaced),
        (Some(Outcome::Superseded), Sent::Unknown, None)
    );
    // The backend is at it already: nothing is sent again.
    let (under_way, next) = along(operation, [seen(Verdict::UnderWay)]);
    assert_eq!(
        (under_way.course.state, next),
        (OperationState::Confirming, Next::Read)
    );
}

#[test]
fn not_there_is_seen_as_gone_even_if_an_earlier_attempt_may_have_done_it() {
    let events = [
        Event::TakenUp,
        seen(Verdict::NotYet),
        Event::Retried,
        started(Started::AlreadyGone),
    ];
    let (operation, _) = along(dispatching(Verb::Logoff), events);
    assert_eq!(
        outcome(&operation),
        (Some(Outcome::Succeeded), Sent::Unknown, None)
    );
    assert_eq!(operation.course.evidence.seen, Some(Seen::Gone));
}

#[test]
fn a_message_whose_driver_is_gone_is_not_sent_again() {
    let (operation, next) = along(dispatching(message()), [Event::TakenUp]);
    assert_eq!(
        outcome(&operation),
        (Some(Outcome::Unknown), Sent::Unknown, Some(EndReason::AnswerLost))
    );
    assert_eq!(next, Next::End);
}

#[test]
fn after_the_last_attempt_only_reads_follow() {
    let mut operation = dispatching(Verb::Logoff);
    for attempt in 1..MAX_ATTEMPTS {
        let (again, next) = along(operation, [Event::TakenUp, seen(Verdict::NotYet)]);
        assert_eq!((again.course.attempt, next), (attempt, Next::Send));
        operation = along(again, [Event::Retried]).0;
    }
    let (last, next) = along(operation, [Event::TakenUp, seen(Verdict::NotYet)]);
    assert_eq!(last.course.attempt, MAX_ATTEMPTS);
    assert_eq!(
        (last.course.state, next),
        (OperationState::Confirming, Next::Read)
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    select(events())
}

fn any_verb() -> impl Strategy<Value = Verb> {
    select(vec![Verb::Disconnect, Verb::Logoff, message()])
}

/// One turn of a driver: what the world answers, and what else befalls.
#[derive(Debug, Clone)]
struct Turn {
    answer: Index,
    befalls: Befalls,
}

#[derive(Debug, Clone, Copy)]
enum Befalls {
    Nothing,
    /// The process ends before it learns the answer, and another takes over.
    Crash,
    /// The state's time is over.
    Deadline,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    let befalls = prop_oneof![
        6 => Just(Befalls::Nothing),
        2 => Just(Befalls::Crash),
        1 => Just(Befalls::Deadline),
    ];
    (any::<Index>(), befalls).prop_map(|(answer, befalls)| Turn { answer, befalls })
}

/// Drives an operation as `curfew-app` does, and checks what may be sent.
struct Model {
    operation: Operation,
    next: Next,
    /// The right to send that came with the intent.
    pending: bool,
    sends: u32,
    /// Whether the last read shows the generation that is meant, and came after everything that was sent.
    there_since_last_send: bool,
}

impl Model {
    fn new(verb: Verb) -> Self {
        Self {
            operation: dispatching(verb),
            next: Next::Read,
            pending: true,
            sends: 0,
            there_since_last_send: false,
        }
    }

    fn apply(&mut self, event: Event, by: EndedBy) {
        let Transition { course, next } =
            step(&self.operation, event, by, &Deadlines::default(), sample::at(9));
        self.operation.course = course;
        self.next = next;
    }

    fn send(&mut self) {
        if self.pending {
            self.pending = false;
        } else {
            assert!(
                self.there_since_last_send,
                "a second request without a read of the same generation"
            );
            assert!(!self.operation.verb.is_message(), "a message is never repeated");
            self.apply(Event::Retried, EndedBy::Runner);
            assert_eq!(self.next, Next::Send);
        }
        self.sends += 1;
        self.there_since_last_send = false;
        assert_eq!(
            self.sends, self.operation.course.attempt,
            "one request for each attempt on record"
        );
        assert!(self.sends <= MAX_ATTEMPTS);
    }

    /// What a read can say of this verb; see the table of `reached`.
    fn readings(&self) -> Vec<Event> {
        use Verdict as V;
        let can = |verdict: &Verdict| match (&self.operation.verb, verdict) {
            (_, V::Reached(Seen::Gone) | V::Replaced) => true,
            (Verb::Message { .. }, verdict) => *verdict == V::Unreadable,
            (Verb::Logoff, verdict) => matches!(verdict, V::UnderWay | V::NotYet),
            (Verb::Disconnect, verdict) => matches!(verdict, V::Reached(_) | V::NotYet),
        };
        let mut reads = reads();
        reads.retain(|event| match event {
            Event::Read(Reading::Seen(verdict, _)) => can(verdict),
            _ => true,
        });
        reads
    }

    fn turn(&mut self, turn: &Turn) {
        let asked = self.next;
        if asked == Next::Send {
            self.send();
        }
        if matches!(turn.befalls, Befalls::Crash) {
            // A right to send dies with its process; the attempt stays on record.
            self.sends = self.operation.course.attempt;
            self.pending = false;
            return self.apply(Event::TakenUp, EndedBy::Runner);
        }
        let answers = match asked {
            Next::Read => self.readings(),
            Next::Send => answers(),
            Next::Poll => words_of_jobs(),
            Next::End => return,
        };
        let answer = turn.answer.get(&answers).clone();
        if let Event::Read(Reading::Seen(verdict, _)) = &answer {
            self.there_since_last_send = matches!(verdict, Verdict::NotYet | Verdict::UnderWay);
        }
        let read = asked == Next::Read;
        self.apply(answer, EndedBy::Request);
        let state = self.operation.course.state;
        if matches!(turn.befalls, Befalls::Deadline) && (read || state != OperationState::Confirming) {
            self.apply(Event::Overdue, EndedBy::Request);
        }
    }
}

fn check_end(course: &Course) {
    let ended = course.state.is_final();
    assert_eq!(
        course.ended_by.is_some(),
        ended,
        "an end has somebody who ended it"
    );
    assert_eq!(course.finished_at.is_some(), ended, "an end has its time");
    assert_eq!(
        course.deadline.is_none(),
        ended,
        "whatever has not ended has a deadline"
    );
    if course.state == OperationState::Failed || course.state == OperationState::Unknown {
        assert!(course.reason.is_some(), "a bad end has a reason");
    }
    if matches!(
        course.state,
        OperationState::Succeeded | OperationState::AlreadyGone
    ) {
        assert_eq!(course.reason, None, "a good end needs none");
    }
}

proptest! {
    #[test]
    fn whatever_happens_an_end_is_whole_and_stays(
        verb in any_verb(),
        events in prop::collection::vec(any_event(), 1..24),
    ) {
        let mut operation = dispatching(verb);
        for event in events {
            let before = operation.course.clone();
            let after = go(&operation, event);
            check_end(&after.course);
            prop_assert_eq!(after.next == Next::End, after.course.state.is_final());
            if before.state.is_final() {
                prop_assert_eq!(&after.course, &before);
            }
            operation.course = after.course;
        }
    }

    #[test]
    fn a_driver_never_sends_twice_without_a_read_in_between(
        verb in any_verb(),
        turns in prop::collection::vec(any_turn(), 1..40),
    ) {
        let mut model = Model::new(verb);
        for turn in &turns {
            model.turn(turn);
            check_end(&model.operation.course);
        }
    }

    #[test]
    fn what_is_overdue_ends(
        verb in any_verb(),
        turns in prop::collection::vec(any_turn(), 0..20),
    ) {
        let mut model = Model::new(verb);
        turns.iter().for_each(|turn| model.turn(turn));
        // DISPATCHING or RUNNING, then CONFIRMING, then the end.
        for _ in 0..2 {
            model.apply(Event::Overdue, EndedBy::Runner);
        }
        prop_assert!(model.operation.course.state.is_final());
    }

    #[test]
    fn what_is_sent_is_told_as_it_was(
        verb in any_verb(),
        turns in prop::collection::vec(any_turn(), 1..40),
    ) {
        let mut model = Model::new(verb);
        let mut left = false;
        for turn in &turns {
            left |= model.next == Next::Send;
            model.turn(turn);
        }
        if !left {
            prop_assert_ne!(model.operation.course.sent, Sent::Yes, "nothing left, so nothing was answered");
        }
    }
}
