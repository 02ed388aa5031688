//! Hosts, sessions, and who is who.

use curfew_agent_api::Health;
use tokio::time::Instant;

use super::Desk;
use crate::fleet::{FleetSim, FleetSimConfig, NewSession, Operation};

#[tokio::test]
async fn the_name_in_the_handshake_says_which_host_is_meant() {
    let desk = Desk::open(FleetSimConfig::new(3, 5)).await;
    assert_eq!(desk.sim.hosts(), ["TERM0001", "TERM0002", "TERM0003"]);
    let mut generations = Vec::new();
    for host in desk.sim.hosts() {
        let list = desk.list(&host).await;
        assert_eq!((list.host.name.as_str(), list.sessions.len()), (host.as_str(), 5));
        let listed: Vec<_> = list
            .sessions
            .iter()
            .map(|row| (row.number, row.generation.clone(), row.state))
            .collect();
        let known: Vec<_> = desk
            .sim
            .sessions(&host)
            .into_iter()
            .map(|row| (row.number, row.generation, row.state))
            .collect();
        assert_eq!(listed, known);
        generations.extend(listed.into_iter().map(|(_, generation, _)| generation));
    }
    generations.sort();
    generations.dedup();
    assert_eq!(generations.len(), 15);

    let health: Health = serde_json::from_value(desk.json("term0002", "health").await).expect("health");
    assert_eq!(
        (
            health.host.name.as_str(),
            health.sessions,
            health.platform.as_str()
        ),
        ("TERM0002", 5, "fake")
    );
}

#[tokio::test]
async fn a_handshake_that_names_no_host_is_closed() {
    let desk = Desk::open(FleetSimConfig::new(1, 1)).await;
    assert!(desk.get("unknown-host", "sessions").send().await.is_err());
    assert_eq!(desk.sim.counters().nameless, 1);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_people() {
    let people = async |seed| {
        let sim = FleetSim::start(FleetSimConfig::new(2, 8).seed(seed))
            .await
            .expect("a fleet");
        let hosts = sim.hosts();
        let users: Vec<_> = hosts
            .iter()
            .flat_map(|host| sim.sessions(host))
            .map(|row| row.user)
            .collect();
        users
    };
    assert_eq!(people(7).await, people(7).await);
    assert_ne!(people(7).await, people(8).await);
}

#[tokio::test]
async fn sessions_come_go_and_change_by_hand() {
    use curfew_agent_api::SessionState::{Active, Disconnected, Down};
    let desk = Desk::open(FleetSimConfig::new(1, 2)).await;
    let host = "TERM0001";
    let new = NewSession {
        user: "CORP\\zoe".to_owned(),
        count: 2,
        state: Disconnected,
    };
    let numbers = desk.sim.add_sessions("term0001", &new);
    assert_eq!(desk.list(host).await.sessions.len(), 4);
    assert_eq!(desk.read(host, numbers[0]).await.session.state, Disconnected);
    for state in [Active, Down, Disconnected] {
        assert!(desk.sim.set_state(host, numbers[0], state));
        assert_eq!(desk.read(host, numbers[0]).await.session.state, state);
    }
    assert!(desk.sim.end_session(host, numbers[0]));
    assert_eq!(desk.status(host, &format!("sessions/{}", numbers[0])).await, 404);

    assert!(!desk.sim.end_session(host, numbers[0]));
    assert!(!desk.sim.set_state(host, numbers[0], Active));
    assert_eq!(desk.sim.replace_session(host, numbers[0], "CORP\\yves"), None);
    assert_eq!(desk.sim.add_session("TERM0002", "CORP\\yves"), None);
    assert!(desk.sim.sessions("TERM0002").is_empty());
}

#[tokio::test]
async fn a_number_that_is_given_again_is_another_generation() {
    let desk = Desk::open(FleetSimConfig::new(1, 2)).await;
    let before = desk.active("TERM0001").await;
    let after = desk
        .sim
        .replace_session("TERM0001", before.number, "CORP\\zoe")
        .expect("a new logon");
    assert_eq!(after.number, before.number);
    assert_ne!(after.generation, before.generation);
    let refused = desk.act("TERM0001", &before, "logoff").send().await;
    let refused = super::code(refused.expect("an answer")).await;
    assert_eq!(refused, (409, "SESSION_REPLACED".to_owned()));
    assert_eq!(desk.sim.session("TERM0001", before.number), Some(after));
}

#[tokio::test]
async fn a_large_fleet_starts_quickly_and_answers() {
    let before = Instant::now();
    let desk = Desk::open(FleetSimConfig::new(1000, 20)).await;
    let started = before.elapsed();
    // About a second where nothing else runs; many times that is another kind of slow.
    assert!(started.as_secs() < 20, "{started:?}");
    let reads = (0..1000).step_by(20).map(|place| {
        let host = format!("TERM{:04}", place + 1);
        let desk = &desk;
        async move { desk.list(&host).await.sessions.len() }
    });
    let listed = futures::future::join_all(reads).await;
    assert!(listed.iter().all(|&sessions| sessions == 20));
    assert_eq!(desk.sim.counters().requests[&Operation::List], 50);
    println!(
        "1,000 hosts started in {started:?}; 50 of them listed after {:?}",
        before.elapsed()
    );
}

#[tokio::test]
async fn what_cannot_be_a_fleet_is_refused() {
    let refused = async |config| FleetSim::start(config).await.is_err();
    assert!(refused(FleetSimConfig::new(0, 1)).await);
    assert!(refused(FleetSimConfig::default().hosts(["A", "a"])).await);
    assert!(refused(FleetSimConfig::default().hosts(["a.b"])).await);
    assert!(refused(FleetSimConfig::default().trust_domain("Not A Domain")).await);
}
