//! The pure state machine of an operation: what an event means, nothing else.
//!
//! Not here: clocks, stores, backends. Drivers (`curfew-app`) do what [`Next`] says and bring back the event.
//! Invariant: no path leads to a second acting request unless the same generation was read after the first.

use std::time::Duration;

use chrono::TimeDelta;

use crate::operation::Seen;
use crate::{
    BackendErrorKind, Capabilities, Course, EndReason, EndedBy, Evidence, JobRef, Operation,
    OperationEvidence, OperationState, Progress, Sent, SessionState, Sight, Started, Timestamp, Verb,
};

/// Most attempts that one operation may have on record.
pub const MAX_ATTEMPTS: u32 = 3;

/// How long after its deadline an act that was not confirmed may still be sent by whoever takes it up.
pub const TOO_OLD: TimeDelta = TimeDelta::seconds(60);

/// How long an operation may stay in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// In DISPATCHING.
    pub dispatching: Duration,
    /// In RUNNING.
    pub running: Duration,
    /// In CONFIRMING.
    pub confirming: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            dispatching: Duration::from_secs(15),
            running: Duration::from_secs(600),
            confirming: Duration::from_secs(120),
        }
    }
}

impl Deadlines {
    /// When `state`, entered at `now`, must have been left.
    pub fn of(&self, state: OperationState, now: Timestamp) -> Option<Timestamp> {
        let budget = match state {
            OperationState::Received | OperationState::Notifying | OperationState::Dispatching => {
                self.dispatching
            }
            OperationState::Running => self.running,
            OperationState::Confirming => self.confirming,
            _ => return None,
        };
        Some(now + TimeDelta::from_std(budget).unwrap_or(TimeDelta::MAX))
    }
}

/// What a read says about an act's goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The goal holds.
    Reached(Seen),
    /// The backend is at it.
    UnderWay,
    /// The session is as it was.
    NotYet,
    /// Another generation has its place.
    Replaced,
    /// No read can show this goal (a message); the session is there.
    Unreadable,
}

/// Whether `sight` shows that `verb` has reached its goal on a backend with `capabilities`.
pub fn reached(verb: &Verb, capabilities: &Capabilities, sight: &Sight) -> Verdict {
    let session = match sight {
        Sight::Gone => return Verdict::Reached(Seen::Gone),
        Sight::Replaced(_) => return Verdict::Replaced,
        Sight::Here(session) => session,
    };
    match verb {
        Verb::Message { .. } => Verdict::Unreadable,
        Verb::Logoff if session.state == SessionState::LoggingOff => Verdict::UnderWay,
        Verb::Disconnect if !capabilities.disconnect_ends_session => match session.state {
            SessionState::Disconnected => Verdict::Reached(Seen::Disconnected),
            SessionState::LoggingOff => Verdict::Reached(Seen::LoggingOff),
            _ => Verdict::NotYet,
        },
        Verb::Logoff | Verb::Disconnect => Verdict::NotYet,
    }
}

/// The result of a live read.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// It was read.
    Seen(Verdict, Evidence),
    /// It could not be read.
    Failed(Failure),
}

/// A failed call, as far as decisions need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What kind.
    pub kind: BackendErrorKind,
    /// In words that a caller may read.
    pub detail: String,
    /// How the backend answered, if it did.
    pub evidence: Option<Evidence>,
}

impl From<&crate::BackendError> for Failure {
    fn from(error: &crate::BackendError) -> Self {
        Self {
            kind: error.kind,
            detail: error.public.clone(),
            evidence: error.evidence.clone(),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A runner has taken over an operation whose driver is gone.
    TakenUp,
    /// The session was read.
    Read(Reading),
    /// A further attempt was committed; its request may leave now.
    Retried,
    /// The backend took the act.
    Started(Started, Evidence),
    /// The backend did not take the act.
    StartFailed(Failure),
    /// The job was asked for.
    Polled(Progress, Evidence),
    /// The job could not be asked for.
    PollFailed(Failure),
    /// The state's deadline has passed. In CONFIRMING the driver has read once more just before.
    Overdue,
}

/// What the driver does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Read the session.
    Read,
    /// Send the act; after a crash only by [`crate::Ledger::retry`].
    Send,
    /// Ask for the job.
    Poll,
    /// Nothing: it has ended.
    End,
}

/// Where an event leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The operation's course from now on.
    pub course: Course,
    /// What to do next.
    pub next: Next,
}

/// What `event` makes of `operation` at `now`, with the deadlines `limits`, when `driver` drives it.
pub fn step(
    operation: &Operation,
    event: Event,
    driver: EndedBy,
    limits: &Deadlines,
    now: Timestamp,
) -> Transition {
    let mut walk = Walk {
        course: operation.course.clone(),
        message: operation.verb.is_message(),
        driver,
        limits,
        now,
    };
    let next = walk.take(event);
    Transition {
        course: walk.course,
        next,
    }
}

struct Walk<'a> {
    course: Course,
    message: bool,
    driver: EndedBy,
    limits: &'a Deadlines,
    now: Timestamp,
}

impl Walk<'_> {
    fn take(&mut self, event: Event) -> Next {
        use OperationState as S;
        if self.course.state.is_final() {
            return Next::End;
        }
        match (self.course.state, event) {
            (_, Event::TakenUp) => self.taken_up(),
            (S::Received | S::Notifying | S::Dispatching, Event::Read(reading)) => {
                self.read_before_sending(reading)
            }
            (S::Received | S::Notifying | S::Dispatching, Event::Overdue) => self.overdue_before_answer(),
            (_, Event::Retried) => {
                self.course.attempt += 1;
                self.course.deadline = self.limits.of(self.course.state, self.now);
                Next::Send
            }
            (_, Event::Started(started, evidence)) => self.started(started, evidence),
            (_, Event::StartFailed(failure)) => self.start_failed(failure),
            (S::Running, Event::Polled(progress, evidence)) => self.polled(progress, evidence),
            (S::Running, Event::PollFailed(failure)) => {
                self.course.evidence.job = failure.evidence.or(self.course.evidence.job.take());
                Next::Poll
            }
            (S::Running, Event::Overdue) => self.job_over(None),
            (S::Running, Event::Read(reading)) => match self.read_after_sending(reading) {
                Next::End => Next::End,
                _ => Next::Poll,
            },
            (S::Confirming, Event::Read(reading)) => self.read_after_sending(reading),
            (S::Confirming, Event::Overdue) => self.overdue_confirming(),
            // A late word about a job changes nothing any more: a read decides.
            (_, Event::Polled(..) | Event::PollFailed(_)) => Next::Read,
            (S::Succeeded | S::AlreadyGone | S::Superseded | S::Failed | S::Canceled | S::Unknown, _) => {
                Next::End
            }
        }
    }

    /// Whoever drove it is gone. If it was about to send, nobody knows whether it did.
    fn taken_up(&mut self) -> Next {
        match self.course.state {
            OperationState::Running => Next::Poll,
            OperationState::Confirming => Next::Read,
            state => {
                if self.course.sent == Sent::No {
                    self.course.sent = Sent::Unknown;
                }
                if self.message {
                    // A message is never repeated, and no read can show whether it was seen.
                    return self.end(OperationState::Unknown, Some(EndReason::AnswerLost));
                }
                // What nobody has driven for long is not what its caller wants now: it is read, and never sent.
                if self
                    .course
                    .deadline
                    .is_some_and(|deadline| self.now > deadline + TOO_OLD)
                {
                    return self.go(OperationState::Confirming, Next::Read);
                }
                self.course.deadline = self.limits.of(state, self.now);
                Next::Read
            }
        }
    }

    fn read_before_sending(&mut self, reading: Reading) -> Next {
        let first = self.course.sent == Sent::No;
        match reading {
            Reading::Seen(verdict, evidence) => {
                self.saw(verdict, evidence);
                match verdict {
                    Verdict::Reached(_) if first => self.end(OperationState::AlreadyGone, None),
                    Verdict::Reached(_) => self.end(OperationState::Succeeded, None),
                    Verdict::Replaced => self.end(OperationState::Superseded, None),
                    // Whoever began it is gone, but the backend is at it: the act evidently arrived.
                    Verdict::UnderWay if !first => self.go(OperationState::Confirming, Next::Read),
                    Verdict::NotYet if self.course.attempt >= MAX_ATTEMPTS => {
                        self.go(OperationState::Confirming, Next::Read)
                    }
                    Verdict::NotYet | Verdict::UnderWay | Verdict::Unreadable => Next::Send,
                }
            }
            Reading::Failed(failure) if first => {
                // Nothing has left yet, so this is the end of it.
                let reason = reason_of(failure.kind, EndReason::BackendUnavailable);
                self.could_not_read(failure);
                self.end(OperationState::Failed, Some(reason))
            }
            Reading::Failed(failure) => {
                self.could_not_read(failure);
                Next::Read
            }
        }
    }

    fn overdue_before_answer(&mut self) -> Next {
        match self.course.sent {
            Sent::No => self.end(OperationState::Failed, Some(EndReason::BackendUnavailable)),
            Sent::Yes | Sent::Unknown => self.go(OperationState::Confirming, Next::Read),
        }
    }

    fn started(&mut self, started: Started, evidence: Evidence) -> Next {
        // An earlier attempt of unknown fate may be what had the effect.
        let retried = self.course.sent == Sent::Unknown;
        self.course.evidence.act = Some(evidence);
        match started {
            Started::AlreadyGone => {
                self.course.evidence.seen = Some(Seen::Gone);
                if retried {
                    return self.end(OperationState::Succeeded, None);
                }
                self.course.sent = Sent::Yes;
                self.end(OperationState::AlreadyGone, None)
            }
            Started::Replaced => {
                self.course.evidence.seen = Some(Seen::Replaced);
                self.end(OperationState::Superseded, None)
            }
            Started::Done | Started::Accepted => {
                self.course.sent = Sent::Yes;
                if self.message {
                    self.end(OperationState::Succeeded, None)
                } else {
                    self.go(OperationState::Confirming, Next::Read)
                }
            }
            Started::Job(JobRef(job)) => {
                self.course.sent = Sent::Yes;
                self.course.job = Some(JobRef(job));
                self.go(OperationState::Running, Next::Poll)
            }
        }
    }

    fn start_failed(&mut self, failure: Failure) -> Next {
        use BackendErrorKind as K;
        let retried = self.course.sent == Sent::Unknown;
        let kind = failure.kind;
        if failure.evidence.is_some() {
            self.course.evidence.act = failure.evidence;
        }
        self.course.evidence.detail = Some(failure.detail);
        let sent = match kind {
            K::Unavailable | K::TimedOut | K::Unsupported => Sent::No,
            K::NotFound | K::Denied | K::Credentials | K::RateLimited { .. } => Sent::Yes,
            K::Protocol | K::OutcomeUnknown => Sent::Unknown,
        };
        if !retried {
            self.course.sent = sent;
        }
        match kind {
            K::Protocol | K::OutcomeUnknown if self.message => {
                self.end(OperationState::Unknown, Some(EndReason::AnswerLost))
            }
            K::NotFound if !retried => {
                // The backend did nothing. Whatever a read shows from now on, this act has not brought it about.
                self.course.reason = Some(EndReason::Refused);
                self.go(OperationState::Confirming, Next::Read)
            }
            K::Protocol | K::OutcomeUnknown | K::NotFound => self.go(OperationState::Confirming, Next::Read),
            // The repetition did not happen; what became of the first attempt is for a read to say.
            _ if retried => self.go(OperationState::Confirming, Next::Read),
            _ => self.end(
                OperationState::Failed,
                Some(reason_of(kind, EndReason::BackendUnavailable)),
            ),
        }
    }

    fn polled(&mut self, progress: Progress, evidence: Evidence) -> Next {
        self.course.evidence.job = Some(evidence);
        match progress {
            Progress::Running { percent } => {
                self.course.progress_percent = percent.or(self.course.progress_percent);
                Next::Poll
            }
            Progress::Complete => {
                self.course.progress_percent = Some(100);
                if self.message {
                    self.end(OperationState::Succeeded, None)
                } else {
                    self.go(OperationState::Confirming, Next::Read)
                }
            }
            Progress::Failed { .. } => self.job_over(Some(EndReason::JobFailed)),
            // A lost job is not a lost act.
            Progress::Lost => self.job_over(None),
        }
    }

    fn job_over(&mut self, reason: Option<EndReason>) -> Next {
        if self.message {
            return match reason {
                Some(reason) => self.end(OperationState::Failed, Some(reason)),
                None => self.end(OperationState::Unknown, Some(EndReason::AnswerLost)),
            };
        }
        self.course.reason = reason;
        self.go(OperationState::Confirming, Next::Read)
    }

    fn read_after_sending(&mut self, reading: Reading) -> Next {
        let refused = self.course.reason == Some(EndReason::Refused);
        match reading {
            Reading::Seen(verdict, evidence) => {
                self.saw(verdict, evidence);
                match verdict {
                    Verdict::Reached(_) if refused => self.end(OperationState::AlreadyGone, None),
                    Verdict::Replaced if refused => self.end(OperationState::Superseded, None),
                    // The session of a message is there, and the backend did not take the message.
                    Verdict::Unreadable if refused => {
                        self.end(OperationState::Failed, Some(EndReason::Refused))
                    }
                    Verdict::Reached(_) => self.end(OperationState::Succeeded, None),
                    // The generation that was acted on is gone; that another has come does not change it.
                    Verdict::Replaced if self.course.sent == Sent::Yes => {
                        self.end(OperationState::Succeeded, None)
                    }
                    Verdict::Replaced => self.end(OperationState::Superseded, None),
                    Verdict::NotYet if self.course.reason == Some(EndReason::JobFailed) => {
                        self.end(OperationState::Failed, Some(EndReason::JobFailed))
                    }
                    Verdict::NotYet | Verdict::UnderWay | Verdict::Unreadable => Next::Read,
                }
            }
            Reading::Failed(failure) => {
                self.could_not_read(failure);
                Next::Read
            }
        }
    }

    fn overdue_confirming(&mut self) -> Next {
        let refused = self.course.reason == Some(EndReason::Refused);
        let still_there = matches!(
            self.course.evidence.seen,
            Some(Seen::StillThere | Seen::LoggingOff | Seen::Disconnected)
        );
        match (still_there, self.course.sent) {
            // No message is shown by a backend that did not take it, whether or not its session can be read.
            (seen, _) if refused && (seen || self.message) => {
                self.end(OperationState::Failed, Some(EndReason::Refused))
            }
            (true, Sent::Yes | Sent::No) => self.end(OperationState::Failed, Some(EndReason::StillPresent)),
            (true, Sent::Unknown) => self.end(OperationState::Unknown, Some(EndReason::StillPresent)),
            (false, _) => self.end(OperationState::Unknown, Some(EndReason::HostDown)),
        }
    }

    fn saw(&mut self, verdict: Verdict, evidence: Evidence) {
        self.course.evidence.read = Some(evidence);
        self.course.evidence.seen = Some(match verdict {
            Verdict::Reached(seen) => seen,
            Verdict::UnderWay => Seen::LoggingOff,
            Verdict::NotYet | Verdict::Unreadable => Seen::StillThere,
            Verdict::Replaced => Seen::Replaced,
        });
    }

    fn could_not_read(&mut self, failure: Failure) {
        let OperationEvidence {
            read, seen, detail, ..
        } = &mut self.course.evidence;
        *seen = Some(Seen::Unreadable);
        *detail = Some(failure.detail);
        if failure.evidence.is_some() {
            *read = failure.evidence;
        }
    }

    fn go(&mut self, state: OperationState, next: Next) -> Next {
        self.course.state = state;
        self.course.deadline = self.limits.of(state, self.now);
        next
    }

    fn end(&mut self, state: OperationState, reason: Option<EndReason>) -> Next {
        self.course.state = state;
        self.course.deadline = None;
        self.course.reason = reason;
        self.course.ended_by = Some(self.driver);
        self.course.finished_at = Some(self.now);
        Next::End
    }
}

fn reason_of(kind: BackendErrorKind, otherwise: EndReason) -> EndReason {
    match kind {
        BackendErrorKind::Denied => EndReason::Refused,
        BackendErrorKind::Credentials => EndReason::Credentials,
        BackendErrorKind::RateLimited { .. } => EndReason::RateLimited,
        BackendErrorKind::Unsupported => EndReason::Unsupported,
        _ => otherwise,
    }
}

#[cfg(test)]
mod tests;
