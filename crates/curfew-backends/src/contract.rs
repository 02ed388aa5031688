//! The suite that every adapter passes: what the port promises, tried against a system that can be hurt.
//!
//! An adapter's `tests.rs` implements [`Rig`] for a simulator (or the real server) and calls [`run`] once for
//! each variant of it. Not here: what only one vendor does.
//! Invariant: each check gets a rig of its own, so that none depends on what another left behind.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use curfew_core::{
    BackendError, BackendErrorKind as Kind, Clock, JobRef, Listing, Progress, ReadCtx, Recorded, Reply,
    Session, SessionAction, SessionBackend, SessionId, Started, Verb, Verdict, reached,
};
use tokio::time::Instant;

/// What the suite needs of the system behind an adapter: at least three sessions, none of them ended by anyone
/// but the suite.
#[async_trait]
pub trait Rig: Send + Sync + 'static {
    /// The adapter, with an act budget of about a second.
    fn backend(&self) -> Arc<dyn SessionBackend>;

    /// The same adapter, pointed at an address where nobody listens.
    fn unreachable(&self) -> Arc<dyn SessionBackend>;

    /// The same adapter with wrong credentials.
    fn stranger(&self) -> Arc<dyn SessionBackend>;

    /// The adapter's clock.
    fn clock(&self) -> Arc<dyn Clock>;

    /// The native ids of the sessions that are there.
    async fn sessions(&self) -> BTreeSet<String>;

    /// Ends a session, as if its user had logged off.
    async fn end(&self, session: &SessionId);

    /// From now on things go wrong in this way. `false` if this system cannot fail so: the check is skipped.
    async fn hurt(&self, trouble: Trouble) -> bool;

    /// Takes all trouble away.
    async fn heal(&self);

    /// How many acting requests have arrived, refused ones too.
    async fn acts(&self) -> usize;

    /// Texts that must not stand in any error.
    fn secrets(&self) -> Vec<String>;
}

/// How a system can fail. An act is never performed unless it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Reads are never answered.
    ReadsHang,
    /// Reads are answered with something that makes no sense.
    ReadsAreGarbage,
    /// Reads are answered by a proxy's error page.
    ReadsMeetAProxy,
    /// A listing breaks off after its first page.
    ListingBreaksOff,
    /// Acts are never answered and not performed.
    ActsHang,
    /// Acts are performed and never answered.
    AnswersAreLost,
    /// Acts are performed; a gateway answers with an error.
    GatewayFailsAfterAct,
    /// Acts are answered with something that makes no sense.
    ActsAreGarbage,
    /// Acts are refused for lack of a right.
    ActsAreRefused,
    /// Acts are refused, as there were too many.
    ActsAreTooMany,
}

mod acts;
mod reads;

type Check<R> = (&'static str, fn(R) -> Pin<Box<dyn Future<Output = ()> + Send>>);

macro_rules! checks {
    ($($module:ident::$name:ident),* $(,)?) => {
        fn all<R: Rig>() -> Vec<Check<R>> {
            vec![$((stringify!($name), |rig| Box::pin($module::$name(rig)))),*]
        }
    };
}

checks![
    reads::a_listing_is_whole_and_names_no_session_twice,
    reads::what_is_listed_can_be_read,
    reads::an_ended_session_is_gone,
    reads::a_forged_generation_is_never_here_and_never_acted_on,
    acts::a_disconnect_is_seen_in_the_session,
    acts::a_logoff_ends_with_the_session_gone,
    acts::a_message_is_accepted_once,
    acts::an_act_on_a_gone_session_changes_nothing,
    reads::an_unreachable_system_is_unavailable_and_never_gone,
    reads::wrong_credentials_are_no_outage_and_nothing_is_sent,
    reads::a_hanging_read_ends_in_time,
    reads::garbage_is_neither_an_empty_listing_nor_a_gone_session,
    reads::a_proxys_error_page_is_neither_an_empty_listing_nor_a_gone_session,
    reads::a_listing_that_breaks_off_is_an_error,
    acts::a_hanging_act_is_of_unknown_outcome_within_its_budget,
    acts::an_act_whose_answer_is_lost_is_of_unknown_outcome_and_not_repeated,
    acts::a_gateway_error_after_an_act_is_of_unknown_outcome_and_not_repeated,
    acts::a_garbled_answer_to_an_act_is_no_success,
    acts::a_refused_act_is_denied_and_not_repeated,
    acts::a_rate_limited_act_is_not_repeated,
    acts::an_act_that_comes_too_late_is_not_sent,
    acts::capabilities_are_honest,
];

/// Runs every check, each on a rig of its own from `make`.
///
/// # Panics
/// If a check fails; the message names all that did.
pub async fn run<R: Rig>(make: impl AsyncFn() -> R) {
    let mut running = Vec::new();
    for (name, check) in all::<R>() {
        running.push((name, tokio::spawn(check(make().await))));
    }
    let mut failed = Vec::new();
    for (name, task) in running {
        if task.await.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "the adapter breaks the contract: {failed:#?}");
}

fn patience() -> ReadCtx {
    ReadCtx::within(Duration::from_secs(10))
}

async fn list(rig: &impl Rig) -> Listing {
    let listing = rig.backend().list(&patience()).await;
    listing.expect("a healthy system can be listed")
}

async fn first(rig: &impl Rig) -> Session {
    let mut sessions = list(rig).await.sessions;
    sessions.sort_by(|a, b| a.id.cmp(&b.id));
    let free = |session: &Session| {
        let busy = matches!(
            session.state,
            curfew_core::SessionState::Disconnected | curfew_core::SessionState::LoggingOff
        );
        !busy && !session.protected
    };
    let place = sessions.iter().position(|session| free(session));
    *sessions.swap_remove(place.expect("a rig has a session that is neither disconnected nor protected"))
}

fn act(rig: &impl Rig, session: &SessionId, verb: Verb) -> Recorded<SessionAction> {
    Recorded::for_test(SessionAction {
        session: session.clone(),
        verb,
        not_after: rig.clock().now() + TimeDelta::seconds(15),
    })
}

fn message() -> Verb {
    Verb::Message {
        title: "Maintenance".to_owned(),
        text: "Please save your work.\nThank you.".to_owned(),
    }
}

fn verbs(rig: &impl Rig) -> Vec<(bool, Verb)> {
    let can = rig.backend().capabilities();
    vec![
        (can.disconnect, Verb::Disconnect),
        (can.logoff, Verb::Logoff),
        (can.message, message()),
    ]
}

/// An act that this backend can do, a lasting one if there is one.
fn some_verb(rig: &impl Rig) -> Verb {
    let possible = verbs(rig).into_iter().rev().filter(|(can, _)| *can);
    let mut possible: Vec<Verb> = possible.map(|(_, verb)| verb).collect();
    possible.sort_by_key(Verb::is_message);
    possible.into_iter().next().expect("a backend can do something")
}

fn fails<T>(rig: &impl Rig, result: Result<T, BackendError>, what: &str) -> BackendError {
    let error = match result {
        Ok(_) => panic!("{what} succeeded"),
        Err(error) => error,
    };
    let mut said = format!("{error:?} {error}");
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        said.push_str(&format!(" {inner:?} {inner}"));
        source = inner.source();
    }
    for secret in rig.secrets() {
        assert!(!said.contains(&secret), "{what}: the error tells a secret");
    }
    assert!(!error.public.is_empty(), "{what}: the error says nothing");
    error
}

fn one_of(error: &BackendError, kinds: &[Kind], what: &str) {
    assert!(
        kinds.contains(&error.kind),
        "{what}: {error:?} is none of {kinds:?}"
    );
}

/// Follows a job, then looks at the session until the act's goal is there.
async fn until_reached(rig: &impl Rig, session: &SessionId, verb: &Verb, started: Reply<Started>) {
    let backend = rig.backend();
    let until = Instant::now() + Duration::from_secs(10);
    if let Started::Job(job) = &started.value {
        follow(&*backend, job, until).await;
    }
    loop {
        let sight = backend
            .get(session, &patience())
            .await
            .expect("a healthy system can be read");
        if let Verdict::Reached(_) = reached(verb, &backend.capabilities(), &sight.value) {
            return;
        }
        assert!(
            Instant::now() < until,
            "{verb:?} does not reach its goal: {sight:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn follow(backend: &dyn SessionBackend, job: &JobRef, until: Instant) {
    loop {
        let reply = backend
            .poll(job, &patience())
            .await
            .expect("a healthy system can be asked for a job");
        match reply.value {
            Progress::Running { .. } => {}
            Progress::Complete => return,
            other => panic!("the job of a healthy system ends with {other:?}"),
        }
        assert!(Instant::now() < until, "the job does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
