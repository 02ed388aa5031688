//! The use cases over working fakes, for this crate's tests.
//!
//! Not for production. Time is tokio's: in a paused runtime a day passes at once.
//! Invariant: whoever sends an act to a [`House`]'s backends is checked for an intent on record.

mod mortal;

use std::sync::Arc;
use std::time::Duration;

use curfew_core::fakes::backend::session;
use curfew_core::fakes::{FakeBackend, MemoryStore, MockClock};
use curfew_core::{
    Actor, AuditPhase, AuditRecord, BackendId, Caller, Clock, Grant, Operation, OperationId, Recorded,
    RequestId, RequestMeta, Role, Scope, Session, SessionAction, SessionBackend, SessionId, Verb,
};

use crate::{ActError, ActRequest, Acted, App, BackendEntry, BuiltInRoles, Parts, Settings, Upshot};

pub use mortal::{Dies, Fate, Mortal};

/// How often the fakes are read.
pub const INTERVAL: Duration = Duration::from_secs(15);

/// Anna's session on `site-a`.
pub fn anna() -> Session {
    session("site-a", "12", "anna", 1)
}

/// What was given Anna's number later.
pub fn successor() -> Session {
    session("site-a", "12", "bert", 2)
}

pub fn message() -> Verb {
    Verb::Message {
        title: "Maintenance".to_owned(),
        text: "The host restarts at six.".to_owned(),
    }
}

pub fn caller(role: Role, scope: Scope) -> Caller {
    Caller {
        actor: Actor {
            issuer: "https://login.example".to_owned(),
            subject: format!("sub-{role}"),
            name: role.to_string(),
        },
        roles: vec![role],
        grants: vec![Grant::role(role, scope)],
    }
}

pub fn only(backends: &[&str]) -> Scope {
    let parse = |name: &&str| BackendId::parse(name).expect("a backend's name");
    Scope::Only(backends.iter().map(parse).collect())
}

pub fn helpdesk() -> Caller {
    caller(Role::Helpdesk, Scope::All)
}

/// An act with a reason and a ticket that waits ten seconds.
pub fn act(verb: Verb, session: &SessionId) -> ActRequest {
    ActRequest {
        verb,
        session: session.clone(),
        named_as: None,
        reason: Some("Frozen".to_owned()),
        ticket: Some("INC-4711".to_owned()),
        wait: Duration::from_secs(10),
    }
}

/// What became of an act, in one line: upshot, state, sent, reason.
pub fn told(acted: &Result<Acted, ActError>) -> String {
    match acted {
        Ok(acted) => {
            let upshot = Upshot::of(acted);
            match operation(acted) {
                Some(operation) => format!("{upshot:?}: {}", stands(operation)),
                None => format!("{upshot:?}"),
            }
        }
        Err(ActError::Forbidden { missing }) => format!("Forbidden: {missing}"),
        Err(ActError::AuditUnavailable { operation: None }) => "AuditUnavailable".to_owned(),
        Err(ActError::AuditUnavailable { .. }) => "AuditUnavailable, unsettled".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// How an operation stands: state, sent, reason.
pub fn stands(operation: &Operation) -> String {
    let course = &operation.course;
    let reason = course
        .reason
        .map(|reason| format!(" {reason}"))
        .unwrap_or_default();
    format!("{} {}{reason}", course.state, course.sent)
}

pub fn operation(acted: &Acted) -> Option<&Operation> {
    match acted {
        Acted::Operation { operation, .. } | Acted::Unwritten { operation, .. } => Some(operation),
        Acted::NotFound | Acted::Unsupported { .. } => None,
    }
}

/// A record in one line: phase, attempt, outcome, sent, who ended it, cause.
pub fn line(record: &AuditRecord) -> String {
    let mut line = record.phase.to_string();
    let mut add = |word: Option<String>| {
        if let Some(word) = word {
            line.push(' ');
            line.push_str(&word);
        }
    };
    add(record.attempt.map(|n| n.to_string()));
    add(record.outcome.map(|it| it.to_string()));
    add(record.sent.map(|it| it.to_string()));
    add(record.ended_by.map(|it| it.to_string()));
    add(record.cause.clone());
    line
}

/// A gateway over fakes.
pub struct House {
    pub clock: Arc<MockClock>,
    pub store: Arc<MemoryStore>,
    /// `site-a`, where Anna is.
    pub site: Arc<FakeBackend>,
    pub app: App,
}

impl House {
    /// A gateway that has not started: nothing runs but what is asked for.
    pub fn new() -> Self {
        Self::of(|site| site)
    }

    /// The same with a changed backend.
    pub fn of(change: impl FnOnce(FakeBackend) -> FakeBackend) -> Self {
        let clock = Arc::new(MockClock::following_tokio());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let site = Arc::new(change(FakeBackend::new("site-a", clock.clone())));
        site.put(anna());
        watch_over(&site, &store);
        let app = app(&clock, &store, &[&site]);
        Self {
            clock,
            store,
            site,
            app,
        }
    }

    /// Another gateway on the same store and backend.
    pub fn another(&self) -> App {
        app(&self.clock, &self.store, &[&self.site])
    }

    /// Asks for an act as the help desk.
    pub async fn act(&self, request: ActRequest) -> Result<Acted, ActError> {
        self.app.actions.act(&helpdesk(), &self.request(), request).await
    }

    /// Another gateway on the same store and backend, which dies when `fate` says.
    pub fn mortal(&self, fate: &Arc<Fate>) -> App {
        let store = Mortal::new(&self.store, fate);
        App::new(Parts {
            backends: vec![BackendEntry {
                backend: Mortal::new(&self.site, fate),
                interval: INTERVAL,
            }],
            actions: store.clone(),
            audit: store,
            authorizer: Arc::new(BuiltInRoles),
            clock: self.clock.clone(),
            settings: Settings::default(),
        })
    }

    pub fn request(&self) -> RequestMeta {
        RequestMeta {
            id: RequestId(self.clock.uuid()),
            source_address: "192.0.2.7".parse().ok(),
        }
    }

    /// Every record in one line each, in the order of writing.
    pub fn trail(&self) -> Vec<String> {
        self.store.records().iter().map(line).collect()
    }

    /// The only operation.
    pub fn only(&self) -> Operation {
        let mut operations = self.store.operations();
        assert_eq!(operations.len(), 1, "there is one operation");
        operations.remove(0)
    }

    /// What stands in the way of acting.
    pub async fn problems(&self) -> Vec<String> {
        self.app
            .checks()
            .await
            .into_iter()
            .filter_map(|check| check.problem)
            .collect()
    }
}

/// Wires a gateway.
pub fn app(clock: &Arc<MockClock>, store: &Arc<MemoryStore>, backends: &[&Arc<FakeBackend>]) -> App {
    let entry = |backend: &&Arc<FakeBackend>| BackendEntry {
        backend: (*backend).clone() as Arc<dyn SessionBackend>,
        interval: INTERVAL,
    };
    App::new(Parts {
        backends: backends.iter().map(entry).collect(),
        actions: store.clone(),
        audit: store.clone(),
        authorizer: Arc::new(BuiltInRoles),
        clock: clock.clone(),
        settings: Settings::default(),
    })
}

/// Checks of every request to act that its intent and attempt are on record, and that nothing ended it before.
pub fn watch_over(site: &FakeBackend, store: &Arc<MemoryStore>) {
    let store = store.clone();
    site.witness(move |recorded: &Recorded<SessionAction>| {
        let of = |record: &AuditRecord| record.operation == Some(recorded.operation());
        let records: Vec<_> = store.records().into_iter().filter(of).collect();
        let there = |phase, attempt| {
            let mut records = records.iter();
            records.any(|record| record.phase == phase && (attempt == record.attempt))
        };
        assert!(
            there(AuditPhase::Intent, None),
            "an act without an intent on record"
        );
        assert!(
            there(AuditPhase::Attempt, Some(recorded.attempt())),
            "an act without its attempt on record"
        );
        let ended = records.iter().any(|record| record.phase == AuditPhase::Outcome);
        assert!(!ended, "an act after the operation's end");
    });
}

/// What must hold once everything has come to rest, whatever went wrong on the way.
pub fn check_invariants(store: &MemoryStore, site: &FakeBackend) {
    let records = store.records();
    let count = |operation: OperationId, phase: AuditPhase| {
        let of = |record: &&AuditRecord| record.operation == Some(operation) && record.phase == phase;
        records.iter().filter(of).count()
    };
    for operation in store.operations() {
        let id = operation.id;
        let course = &operation.course;
        assert!(
            course.state.is_final(),
            "nothing is stuck: {}",
            stands(&operation)
        );
        assert_eq!(count(id, AuditPhase::Intent), 1, "one intent");
        assert_eq!(count(id, AuditPhase::Outcome), 1, "one outcome");
        let acts: Vec<_> = site
            .acts()
            .into_iter()
            .filter(|act| act.operation == id)
            .collect();
        for (index, act) in acts.iter().enumerate() {
            assert_eq!(
                act.session, operation.target.session,
                "only the generation that is meant"
            );
            let same = acts[..index].iter().any(|other| other.attempt == act.attempt);
            assert!(!same, "one request for each attempt");
        }
        let performed = acts.iter().filter(|act| act.performed).count();
        assert!(performed <= 1, "nothing is done twice");
        if operation.verb.is_message() {
            assert!(acts.len() <= 1, "a message is sent once");
        }
        let there = site
            .at(&operation.target.session)
            .filter(|it| it.id == operation.target.session);
        let reached = there.is_none_or(|it| it.state == curfew_core::SessionState::Disconnected);
        use curfew_core::OperationState as S;
        match course.state {
            S::Succeeded if operation.verb.is_message() => {
                assert_eq!(performed, 1, "what succeeded was done");
            }
            S::Succeeded | S::AlreadyGone | S::Superseded => assert!(reached, "what succeeded shows"),
            S::Failed => assert_eq!(performed, 0, "what failed was not done"),
            _ => {}
        }
        if course.sent == curfew_core::Sent::No {
            assert_eq!(performed, 0, "nothing was sent");
        }
    }
    for record in &records {
        if let Some(id) = record.operation {
            assert!(
                store.operations().iter().any(|it| it.id == id),
                "no record without its operation"
            );
        }
    }
}

/// Lets the paused world go on for a while.
pub async fn later(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
