//! What befalls a session on one side befalls it on the other.

use super::*;
use crate::{CitrixSimConfig, FleetSimConfig};

async fn joined() -> (CitrixSim, FleetSim, Vda, String) {
    let site = CitrixSim::start(CitrixSimConfig::cloud().sessions(100))
        .await
        .expect("a site");
    let host = Vda::busiest(&site).expect("a machine");
    let fleet = FleetSim::start(FleetSimConfig::new(1, 3).hosts(["TERM01", &host]))
        .await
        .expect("a fleet");
    let vda = Vda::join(&site, &fleet, &host);
    (site, fleet, vda, host)
}

/// The ids of the site's sessions with the numbers of their twins.
fn pairs(vda: &Vda) -> Vec<(Uuid, u32)> {
    vda.twins.lock().iter().map(|it| (it.site, it.number)).collect()
}

#[tokio::test]
async fn a_machine_has_the_same_people_on_both_sides() {
    let (site, fleet, vda, host) = joined().await;
    assert!(vda.sessions() > 1, "several people work on {host}");
    assert_eq!(fleet.sessions(&host).len(), vda.sessions(), "and nobody else");
    assert_eq!(fleet.sessions("TERM01").len(), 3, "the other host is left alone");
    for (id, number) in pairs(&vda) {
        let (theirs, ours) = (
            site.session(id).expect("there"),
            fleet.session(&host, number).expect("there"),
        );
        assert_eq!(theirs.user.as_deref(), Some(ours.user.as_str()));
        let began = ours.logged_on_at.expect("a time") - theirs.started;
        assert!(began.num_seconds().abs() < 1, "{began}");
        let row = fleet
            .platform(&host)
            .and_then(|it| it.session(number))
            .expect("a row");
        assert_eq!(row.sid, theirs.sid);
    }
}

#[tokio::test]
async fn an_end_on_one_side_is_one_on_the_other() {
    let (site, fleet, vda, host) = joined().await;
    let [(first, first_number), (second, second_number), ..] = pairs(&vda)[..] else {
        panic!("two sessions")
    };
    let before = vda.sessions();
    site.remove_session(first);
    fleet.end_session(&host, second_number);
    vda.step(&site, &fleet);
    assert_eq!(fleet.session(&host, first_number), None);
    assert_eq!(site.session(second), None);
    assert_eq!(vda.sessions(), before - 2);
}

#[tokio::test]
async fn whoever_gets_a_number_afterwards_is_left_alone() {
    let (site, fleet, vda, host) = joined().await;
    let (id, number) = pairs(&vda)[0];
    fleet.replace_session(&host, number, "CORP\\newcomer");
    vda.step(&site, &fleet);
    assert_eq!(site.session(id), None, "the one before has ended");
    let there = fleet.session(&host, number).expect("the newcomer");
    assert_eq!(there.user, "CORP\\newcomer");
}

#[tokio::test]
async fn a_disconnect_on_one_side_is_one_on_the_other_and_so_is_coming_back() {
    let (site, fleet, vda, host) = joined().await;
    let active = |it: &&(Uuid, u32)| {
        site.session(it.0)
            .is_some_and(|it| it.state == SessionState::Active)
    };
    let pairs = pairs(&vda);
    let (id, number) = *pairs.iter().find(active).expect("somebody is active");
    let states = || {
        let (theirs, ours) = (
            site.session(id).expect("there"),
            fleet.session(&host, number).expect("there"),
        );
        (theirs.state, ours.state)
    };
    site.set_state(id, SessionState::Disconnected);
    vda.step(&site, &fleet);
    assert_eq!(states(), (SessionState::Disconnected, HostState::Disconnected));
    fleet.set_state(&host, number, HostState::Active);
    vda.step(&site, &fleet);
    assert_eq!(states(), (SessionState::Active, HostState::Active));
}
