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
    BackendError, BackendErrorKind as Kind, Clock, Generation, JobRef, Listing, Progress, ReadCtx, Recorded,
    Reply, Session, SessionAction, SessionBackend, SessionId, Sight, Started, Verb, Verdict, reached,
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

type Check<R> = (&'static str, fn(R) -> Pin<Box<dyn Future<Output = ()> + Send>>);

macro_rules! checks {
    ($($name:ident),* $(,)?) => {
        fn all<R: Rig>() -> Vec<Check<R>> {
            vec![$((stringify!($name), |rig| Box::pin($name(rig)))),*]
        }
    };
}

checks![
    a_listing_is_whole_and_names_no_session_twice,
    what_is_listed_can_be_read,
    an_ended_session_is_gone,
    a_forged_generation_is_never_here_and_never_acted_on,
    a_disconnect_is_seen_in_the_session,
    a_logoff_ends_with_the_session_gone,
    a_message_is_accepted_once,
    an_act_on_a_gone_session_changes_nothing,
    an_unreachable_system_is_unavailable_and_never_gone,
    wrong_credentials_are_no_outage_and_nothing_is_sent,
    a_hanging_read_ends_in_time,
    garbage_is_neither_an_empty_listing_nor_a_gone_session,
    a_proxys_error_page_is_neither_an_empty_listing_nor_a_gone_session,
    a_listing_that_breaks_off_is_an_error,
    a_hanging_act_is_of_unknown_outcome_within_its_budget,
    an_act_whose_answer_is_lost_is_of_unknown_outcome_and_not_repeated,
    a_gateway_error_after_an_act_is_of_unknown_outcome_and_not_repeated,
    a_garbled_answer_to_an_act_is_no_success,
    a_refused_act_is_denied_and_not_repeated,
    a_rate_limited_act_is_not_repeated,
    an_act_that_comes_too_late_is_not_sent,
    capabilities_are_honest,
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

// --- what the checks are made of ---

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
    let idle = |session: &Session| {
        !matches!(
            session.state,
            curfew_core::SessionState::Disconnected | curfew_core::SessionState::LoggingOff
        )
    };
    let place = sessions.iter().position(idle);
    sessions.swap_remove(place.expect("a rig has a session that is not disconnected"))
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

// --- the checks ---

async fn a_listing_is_whole_and_names_no_session_twice<R: Rig>(rig: R) {
    let listing = list(&rig).await;
    let natives: Vec<String> = listing
        .sessions
        .iter()
        .map(|session| session.id.native().into_owned())
        .collect();
    let unique: BTreeSet<String> = natives.iter().cloned().collect();
    assert_eq!(natives.len(), unique.len(), "a session is listed twice");
    assert_eq!(unique, rig.sessions().await);
    let backend = rig.backend();
    for session in &listing.sessions {
        assert_eq!(session.id.backend(), *backend.id());
        assert_eq!(SessionId::parse(session.id.as_str()).as_ref(), Ok(&session.id));
        assert!(!session.user.name.is_empty(), "{}: a user has a name", session.id);
        assert!(
            listing.parts.iter().any(|part| part.name == session.part),
            "{}: of no part",
            session.id
        );
    }
    assert!(listing.parts.iter().all(|part| part.outcome.is_ok()));
    let health = backend
        .check(&patience())
        .await
        .expect("a healthy system passes its check");
    assert!(!health.is_empty() && health.iter().all(|part| part.outcome.is_ok()));
}

async fn what_is_listed_can_be_read<R: Rig>(rig: R) {
    for listed in list(&rig).await.sessions.iter().take(5) {
        let reply = rig
            .backend()
            .get(&listed.id, &patience())
            .await
            .expect("it can be read");
        let Sight::Here(read) = reply.value else {
            panic!("{} was just listed: {:?}", listed.id, reply.value)
        };
        assert_eq!(
            Session {
                observed_at: listed.observed_at,
                ..*read
            },
            *listed
        );
    }
}

async fn an_ended_session_is_gone<R: Rig>(rig: R) {
    let session = first(&rig).await;
    rig.end(&session.id).await;
    let reply = rig
        .backend()
        .get(&session.id, &patience())
        .await
        .expect("it can be read");
    assert_eq!(reply.value, Sight::Gone);
    assert!(
        list(&rig)
            .await
            .sessions
            .iter()
            .all(|listed| listed.id != session.id)
    );
}

async fn a_forged_generation_is_never_here_and_never_acted_on<R: Rig>(rig: R) {
    let session = first(&rig).await;
    let native = session.id.native();
    let forged = SessionId::new(&session.id.backend(), &native, Generation::of(&[Some("forged")]));
    let forged = forged.expect("an id with another generation");
    let sight = rig
        .backend()
        .get(&forged, &patience())
        .await
        .expect("it can be read")
        .value;
    assert!(
        !matches!(sight, Sight::Here(_)),
        "{forged} was taken for {}",
        session.id
    );
    let before = rig.acts().await;
    let started = rig.backend().start(act(&rig, &forged, some_verb(&rig))).await;
    assert!(
        matches!(
            started,
            Ok(Reply {
                value: Started::Replaced | Started::AlreadyGone,
                ..
            })
        ),
        "{started:?}"
    );
    let alive = rig
        .backend()
        .get(&session.id, &patience())
        .await
        .expect("it can be read")
        .value;
    assert!(matches!(alive, Sight::Here(_)), "the wrong session was hit");
    assert!(rig.acts().await - before <= 1);
}

async fn a_disconnect_is_seen_in_the_session<R: Rig>(rig: R) {
    if rig.backend().capabilities().disconnect {
        let session = first(&rig).await;
        let started = rig
            .backend()
            .start(act(&rig, &session.id, Verb::Disconnect))
            .await;
        until_reached(&rig, &session.id, &Verb::Disconnect, started.expect("it starts")).await;
        assert_eq!(rig.acts().await, 1);
    }
}

async fn a_logoff_ends_with_the_session_gone<R: Rig>(rig: R) {
    if rig.backend().capabilities().logoff {
        let session = first(&rig).await;
        let started = rig.backend().start(act(&rig, &session.id, Verb::Logoff)).await;
        until_reached(&rig, &session.id, &Verb::Logoff, started.expect("it starts")).await;
        assert_eq!(rig.acts().await, 1);
        let others: BTreeSet<String> = list(&rig)
            .await
            .sessions
            .iter()
            .map(|s| s.id.native().into())
            .collect();
        assert_eq!(others, rig.sessions().await, "no other session was touched");
    }
}

async fn a_message_is_accepted_once<R: Rig>(rig: R) {
    if rig.backend().capabilities().message {
        let session = first(&rig).await;
        let started = rig
            .backend()
            .start(act(&rig, &session.id, message()))
            .await
            .expect("it starts");
        assert!(
            !matches!(started.value, Started::Replaced | Started::AlreadyGone),
            "{started:?}"
        );
        assert_eq!(rig.acts().await, 1);
    }
}

async fn an_act_on_a_gone_session_changes_nothing<R: Rig>(rig: R) {
    let session = first(&rig).await;
    rig.end(&session.id).await;
    let started = rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await;
    match started {
        Ok(reply) => assert_eq!(reply.value, Started::AlreadyGone),
        // Some servers cannot say it clearly; then a read must.
        Err(error) => one_of(
            &error,
            &[Kind::NotFound, Kind::OutcomeUnknown],
            "an act on a gone session",
        ),
    }
    let sight = rig
        .backend()
        .get(&session.id, &patience())
        .await
        .expect("it can be read")
        .value;
    assert_eq!(sight, Sight::Gone);
    assert!(rig.acts().await <= 1);
}

async fn an_unreachable_system_is_unavailable_and_never_gone<R: Rig>(rig: R) {
    let session = first(&rig).await;
    let nowhere = rig.unreachable();
    let down = [Kind::Unavailable, Kind::TimedOut];
    let ctx = ReadCtx::within(Duration::from_secs(4));
    one_of(
        &fails(&rig, nowhere.list(&ctx).await, "a listing"),
        &down,
        "a listing",
    );
    one_of(
        &fails(&rig, nowhere.get(&session.id, &ctx).await, "a read"),
        &down,
        "a read",
    );
    one_of(
        &fails(&rig, nowhere.check(&ctx).await, "a check"),
        &down,
        "a check",
    );
    let error = fails(
        &rig,
        nowhere.start(act(&rig, &session.id, some_verb(&rig))).await,
        "an act",
    );
    one_of(&error, &[Kind::Unavailable], "an act that could not be sent");
}

async fn wrong_credentials_are_no_outage_and_nothing_is_sent<R: Rig>(rig: R) {
    let session = first(&rig).await;
    let stranger = rig.stranger();
    let error = fails(&rig, stranger.list(&patience()).await, "a listing");
    one_of(&error, &[Kind::Credentials], "a listing with wrong credentials");
    let error = fails(&rig, stranger.get(&session.id, &patience()).await, "a read");
    one_of(&error, &[Kind::Credentials], "a read with wrong credentials");
    let error = fails(
        &rig,
        stranger.start(act(&rig, &session.id, some_verb(&rig))).await,
        "an act",
    );
    one_of(
        &error,
        &[Kind::Credentials, Kind::Unavailable],
        "an act with wrong credentials",
    );
    assert!(matches!(
        rig.backend().get(&session.id, &patience()).await.map(|r| r.value),
        Ok(Sight::Here(_))
    ));
}

async fn a_hanging_read_ends_in_time<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ReadsHang).await {
        let began = Instant::now();
        let ctx = ReadCtx::within(Duration::from_millis(400));
        let (listing, sight) = tokio::join!(async { rig.backend().list(&ctx).await }, async {
            rig.backend().get(&session.id, &ctx).await
        });
        one_of(
            &fails(&rig, listing, "a listing"),
            &[Kind::TimedOut],
            "a hanging listing",
        );
        one_of(&fails(&rig, sight, "a read"), &[Kind::TimedOut], "a hanging read");
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "a read outlives its deadline"
        );
        rig.heal().await;
        list(&rig).await;
    }
}

async fn no_false_sight<R: Rig>(rig: R, trouble: Trouble, kinds: &[Kind]) {
    let session = first(&rig).await;
    if rig.hurt(trouble).await {
        one_of(
            &fails(&rig, rig.backend().list(&patience()).await, "a listing"),
            kinds,
            "a listing",
        );
        let sight = rig.backend().get(&session.id, &patience()).await;
        one_of(&fails(&rig, sight, "a read"), kinds, "a read");
        rig.heal().await;
        list(&rig).await;
    }
}

async fn garbage_is_neither_an_empty_listing_nor_a_gone_session<R: Rig>(rig: R) {
    no_false_sight(rig, Trouble::ReadsAreGarbage, &[Kind::Protocol]).await;
}

async fn a_proxys_error_page_is_neither_an_empty_listing_nor_a_gone_session<R: Rig>(rig: R) {
    no_false_sight(rig, Trouble::ReadsMeetAProxy, &[Kind::Unavailable]).await;
}

async fn a_listing_that_breaks_off_is_an_error<R: Rig>(rig: R) {
    if rig.hurt(Trouble::ListingBreaksOff).await {
        match rig.backend().list(&patience()).await {
            Err(_) => {}
            Ok(listing) => assert!(
                listing.parts.iter().any(|part| part.outcome.is_err()),
                "a listing that broke off looks whole"
            ),
        }
    }
}

async fn a_hanging_act_is_of_unknown_outcome_within_its_budget<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsHang).await {
        let began = Instant::now();
        let error = fails(
            &rig,
            rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await,
            "an act",
        );
        one_of(&error, &[Kind::OutcomeUnknown], "a hanging act");
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "an act outlives its budget"
        );
        assert_eq!(rig.acts().await, 1);
    }
}

async fn unknown_and_once<R: Rig>(rig: R, trouble: Trouble) {
    for (_, verb) in verbs(&rig).into_iter().filter(|(can, _)| *can) {
        let session = first(&rig).await;
        let before = rig.acts().await;
        if rig.hurt(trouble).await {
            let error = fails(
                &rig,
                rig.backend().start(act(&rig, &session.id, verb.clone())).await,
                "an act",
            );
            // A session that a read shows is not one that the act has left alone.
            one_of(&error, &[Kind::OutcomeUnknown], "an act without a proper answer");
            assert_eq!(rig.acts().await, before + 1, "{verb:?} was repeated");
            rig.heal().await;
            if !verb.is_message() {
                let unknown = Reply {
                    value: Started::Accepted,
                    evidence: error.evidence.unwrap_or_default(),
                };
                until_reached(&rig, &session.id, &verb, unknown).await;
            }
        }
    }
}

async fn an_act_whose_answer_is_lost_is_of_unknown_outcome_and_not_repeated<R: Rig>(rig: R) {
    unknown_and_once(rig, Trouble::AnswersAreLost).await;
}

async fn a_gateway_error_after_an_act_is_of_unknown_outcome_and_not_repeated<R: Rig>(rig: R) {
    unknown_and_once(rig, Trouble::GatewayFailsAfterAct).await;
}

async fn a_garbled_answer_to_an_act_is_no_success<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsAreGarbage).await {
        for (_, verb) in verbs(&rig).into_iter().filter(|(can, _)| *can) {
            let error = fails(
                &rig,
                rig.backend().start(act(&rig, &session.id, verb)).await,
                "an act",
            );
            one_of(
                &error,
                &[Kind::Protocol, Kind::OutcomeUnknown],
                "an act answered with garbage",
            );
        }
    }
}

async fn a_refused_act_is_denied_and_not_repeated<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsAreRefused).await {
        let error = fails(
            &rig,
            rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await,
            "an act",
        );
        one_of(&error, &[Kind::Denied], "a refused act");
        assert_eq!(rig.acts().await, 1);
    }
}

async fn a_rate_limited_act_is_not_repeated<R: Rig>(rig: R) {
    let session = first(&rig).await;
    if rig.hurt(Trouble::ActsAreTooMany).await {
        let error = fails(
            &rig,
            rig.backend().start(act(&rig, &session.id, some_verb(&rig))).await,
            "an act",
        );
        assert!(matches!(error.kind, Kind::RateLimited { .. }), "{error:?}");
        assert_eq!(rig.acts().await, 1);
    }
}

async fn an_act_that_comes_too_late_is_not_sent<R: Rig>(rig: R) {
    let session = first(&rig).await;
    let late = Recorded::for_test(SessionAction {
        session: session.id.clone(),
        verb: some_verb(&rig),
        not_after: rig.clock().now() - TimeDelta::seconds(1),
    });
    let error = fails(&rig, rig.backend().start(late).await, "a late act");
    one_of(&error, &[Kind::Unavailable], "a late act");
    assert_eq!(rig.acts().await, 0);
}

async fn capabilities_are_honest<R: Rig>(rig: R) {
    for (can, verb) in verbs(&rig) {
        let session = first(&rig).await;
        let before = rig.acts().await;
        let started = rig.backend().start(act(&rig, &session.id, verb.clone())).await;
        if can {
            started.unwrap_or_else(|error| panic!("{verb:?} is said to be possible: {error:?}"));
        } else {
            one_of(
                &fails(&rig, started, "an impossible act"),
                &[Kind::Unsupported],
                "an impossible act",
            );
            assert_eq!(rig.acts().await, before);
        }
    }
}
