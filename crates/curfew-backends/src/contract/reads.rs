//! Checks of reading: whole listings, true sights, honest failures.
//!
//! Not here: acting. Invariant: none of them changes a session but by [`Rig::end`].

use std::collections::BTreeSet;
use std::time::Duration;

use curfew_core::{BackendErrorKind as Kind, Generation, ReadCtx, Reply, Session, SessionId, Sight, Started};
use tokio::time::Instant;

use super::{Rig, Trouble, act, fails, first, list, one_of, patience, some_verb};

pub(super) async fn a_listing_is_whole_and_names_no_session_twice<R: Rig>(rig: R) {
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

pub(super) async fn what_is_listed_can_be_read<R: Rig>(rig: R) {
    for listed in list(&rig).await.sessions.iter().take(5) {
        let reply = rig
            .backend()
            .get(&listed.id, &patience())
            .await
            .expect("it can be read");
        let Sight::Here(read) = reply.value else {
            panic!("{} was just listed: {:?}", listed.id, reply.value)
        };
        // But for what goes on by itself.
        assert_eq!(
            Session {
                observed_at: listed.observed_at,
                idle_seconds: listed.idle_seconds,
                bytes_received: listed.bytes_received,
                bytes_sent: listed.bytes_sent,
                ..*read
            },
            **listed
        );
    }
}

pub(super) async fn an_ended_session_is_gone<R: Rig>(rig: R) {
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

pub(super) async fn a_forged_generation_is_never_here_and_never_acted_on<R: Rig>(rig: R) {
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

pub(super) async fn an_unreachable_system_is_unavailable_and_never_gone<R: Rig>(rig: R) {
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

pub(super) async fn wrong_credentials_are_no_outage_and_nothing_is_sent<R: Rig>(rig: R) {
    let session = first(&rig).await;
    let stranger = rig.stranger();
    let before = rig.acts().await;
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
    assert_eq!(rig.acts().await, before, "an act was sent");
    assert!(matches!(
        rig.backend().get(&session.id, &patience()).await.map(|r| r.value),
        Ok(Sight::Here(_))
    ));
}

pub(super) async fn a_hanging_read_ends_in_time<R: Rig>(rig: R) {
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

pub(super) async fn garbage_is_neither_an_empty_listing_nor_a_gone_session<R: Rig>(rig: R) {
    no_false_sight(rig, Trouble::ReadsAreGarbage, &[Kind::Protocol]).await;
}

pub(super) async fn a_proxys_error_page_is_neither_an_empty_listing_nor_a_gone_session<R: Rig>(rig: R) {
    no_false_sight(rig, Trouble::ReadsMeetAProxy, &[Kind::Unavailable]).await;
}

pub(super) async fn a_listing_that_breaks_off_is_an_error<R: Rig>(rig: R) {
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
