//! Operations whose first driver is gone: they end by the same rules, and what was UNKNOWN is settled when it shows.

use curfew_core::fakes::Fault;
use curfew_core::fakes::backend::{Call, Job, JobEnd, Trouble, session};
use curfew_core::{ActionStore as _, BackendErrorKind as Kind, Clock as _, Session, SessionState, Verb};

use super::*;
use crate::testing::*;
use crate::{ActRequest, App};

mod crash;
mod outage;
mod settle;

/// More than are driven at once.
const PLENTY: usize = AT_ONCE + 100;

/// Long enough for every deadline there is.
const AGES: u64 = 1_800;

fn logoff() -> ActRequest {
    act(Verb::Logoff, &anna().id)
}

fn job(running: u32, end: JobEnd) -> Trouble {
    Trouble::Job(Job { running, end })
}

/// Asks `app` for an act and waits for the answer as long as a client would.
async fn ask(house: &House, app: &App, request: ActRequest) {
    ask_for(60, house, app, request).await;
}

/// Asks `app` for an act and waits so many seconds for the answer.
async fn ask_for(seconds: u64, house: &House, app: &App, request: ActRequest) {
    let (caller, meta) = (helpdesk(), house.request());
    let acting = app.actions.act(&caller, &meta, request);
    let _ = tokio::time::timeout(Duration::from_secs(seconds), acting).await;
}

#[tokio::test(start_paused = true)]
async fn more_operations_than_there_are_places_all_end() {
    let house = House::new();
    let asked = (0..PLENTY).map(|n| {
        let session = session("site-a", &format!("N{n}"), "anna", 1);
        house.site.put(session.clone());
        let request = ActRequest {
            wait: Duration::ZERO,
            ..act(Verb::Logoff, &session.id)
        };
        // Dies when the intent is committed: look-up, intent.
        let dying = house.mortal(&Fate::at(2, Dies::After));
        let house = &house;
        async move { ask_for(10, house, &dying, request).await }
    });
    futures::future::join_all(asked).await;
    house.app.start();
    later(60).await;
    assert_eq!(house.store.operation_open_count().await.expect("a count"), 0);
    assert_eq!(house.site.performed(), PLENTY);
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn gateways_share_the_work() {
    let house = House::new();
    ask(&house, &house.mortal(&Fate::at(2, Dies::After)), logoff()).await;
    let others = [house.another(), house.another(), house.another()];
    others.iter().for_each(App::start);
    later(AGES).await;
    assert_eq!(
        house.trail().last().map(String::as_str),
        Some("OUTCOME 2 SUCCEEDED YES RUNNER")
    );
    check_invariants(&house.store, &house.site);
}

#[tokio::test(start_paused = true)]
async fn what_is_abandoned_is_taken_up_within_twenty_seconds() {
    let house = House::new();
    house.app.start();
    later(3).await;
    let dying = house.mortal(&Fate::at(2, Dies::After));
    let before = Instant::now();
    tokio::spawn({
        let request = house.request();
        async move {
            dying
                .actions
                .act(&helpdesk(), &request, logoff())
                .await
                .map(|_| ())
        }
    });
    while house
        .store
        .operations()
        .first()
        .is_none_or(|it| !it.course.state.is_final())
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        before.elapsed() <= Duration::from_secs(21),
        "{:?}",
        before.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_not_configured_any_more_leaves_it_unknown() {
    let house = House::new();
    ask(&house, &house.mortal(&Fate::at(2, Dies::After)), logoff()).await;
    let other = curfew_core::fakes::FakeBackend::new("site-b", house.clock.clone());
    let without = app(&house.clock, &house.store, &[&Arc::new(other)]);
    without.start();
    later(AGES).await;
    assert_eq!(house.trail()[2..], ["OUTCOME 1 UNKNOWN UNKNOWN RUNNER HOST_DOWN"]);
    assert!(house.site.holds(&anna().id));
}
