//! The contract suite, and whole acts, against a simulated fleet: the agent's own code on a fake Windows.

use std::collections::BTreeSet;

use async_trait::async_trait;
use curfew_core::{BackendErrorKind as Kind, SessionState, Sight, SystemClock};
use curfew_sim::fleet::{Fault, FaultAction, FaultBody, FleetSim, FleetSimConfig, Operation};
use curfew_sim::pki::Flaw;

use super::*;
use crate::contract::{self, Rig, Trouble};

const HOSTS: [&str; 3] = ["TERM01", "term02", "TERM03"];

struct FleetRig {
    sim: FleetSim,
    backend: Arc<dyn SessionBackend>,
}

fn fleet() -> FleetSimConfig {
    FleetSimConfig::default()
        .hosts(HOSTS)
        .logoff_takes(Duration::from_millis(60))
}

fn adapter(sim: &FleetSim, address: SocketAddr, gateway: Option<Pair>) -> Arc<dyn SessionBackend> {
    let gateway = gateway.unwrap_or_else(|| Pair {
        cert: sim.gateway_pem().cert.clone(),
        key: sim.gateway_pem().key.clone(),
    });
    let names = sim.hosts();
    let hosts: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), address.to_string()))
        .collect();
    hasty(&text(sim.ca_pem(), &gateway, &hosts, ""), Arc::new(SystemClock))
}

impl FleetRig {
    async fn start(config: FleetSimConfig) -> Self {
        let sim = FleetSim::start(config).await.expect("the simulator starts");
        let backend = adapter(&sim, sim.address(), None);
        Self { sim, backend }
    }

    /// The id of the session that has a number now.
    fn id(&self, host: &str, number: u32) -> SessionId {
        let session = self.sim.session(host, number).expect("it is there");
        SessionId::parse(&format!("rds:{host}/{number}@{}", session.generation)).expect("an id")
    }

    async fn act(&self, session: &SessionId, verb: Verb) -> Result<Reply<Started>, BackendError> {
        self.backend
            .start(Recorded::for_test(SessionAction {
                session: session.clone(),
                verb,
                not_after: SystemClock.now() + TimeDelta::seconds(15),
            }))
            .await
    }
}

#[async_trait]
impl Rig for FleetRig {
    fn backend(&self) -> Arc<dyn SessionBackend> {
        self.backend.clone()
    }

    fn unreachable(&self) -> Arc<dyn SessionBackend> {
        adapter(&self.sim, closed_port(), None)
    }

    fn stranger(&self) -> Arc<dyn SessionBackend> {
        let wrong = self
            .sim
            .pki()
            .wrong_gateway(Flaw::OtherCa)
            .expect("a certificate");
        let pair = Pair {
            cert: wrong.cert,
            key: wrong.key,
        };
        adapter(&self.sim, self.sim.address(), Some(pair))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    async fn sessions(&self) -> BTreeSet<String> {
        let of = |host: &&str| {
            let sessions = self.sim.sessions(host);
            let natives = sessions
                .iter()
                .map(|session| format!("{host}/{}", session.number));
            natives.collect::<Vec<_>>()
        };
        HOSTS.iter().flat_map(of).collect()
    }

    async fn end(&self, session: &SessionId) {
        let native = session.native();
        let (host, number) = native.split_once('/').expect("a native id");
        let number = number.parse().expect("a number");
        assert!(self.sim.end_session(host, number), "there is no {session}");
    }

    async fn hurt(&self, trouble: Trouble) -> bool {
        use Operation::{Disconnect, Get, Health, List, Logoff, Message};
        let each = |operations: &[Operation], then: FaultAction| {
            for operation in operations {
                self.sim.add_fault(Fault::on(*operation, then.clone()));
            }
        };
        let proxy = |code| FaultAction::Status {
            code,
            body: FaultBody::Html,
            headers: Default::default(),
        };
        let acts = &[Disconnect, Logoff, Message];
        match trouble {
            Trouble::ReadsHang => each(&[List, Get, Health], FaultAction::Hang),
            Trouble::ReadsAreGarbage => each(&[List, Get, Health], FaultAction::WrongTypes),
            Trouble::ReadsMeetAProxy => {
                each(&[List, Health], proxy(502));
                each(&[Get], proxy(404));
            }
            Trouble::ListingBreaksOff => {
                let fault = Fault::on(List, FaultAction::TruncatedBody).host(HOSTS[1]);
                self.sim.add_fault(fault);
            }
            Trouble::ActsHang => each(acts, FaultAction::Hang),
            Trouble::AnswersAreLost => each(acts, FaultAction::ActThenDrop),
            Trouble::GatewayFailsAfterAct => each(acts, FaultAction::BadGatewayAfterAct),
            Trouble::ActsAreGarbage => each(acts, FaultAction::Garbage),
            Trouble::ActsAreRefused => each(
                acts,
                FaultAction::Refuse {
                    code: curfew_agent_api::ProblemCode::Protected,
                },
            ),
            Trouble::ActsAreTooMany => each(acts, FaultAction::TooMany { retry_after_ms: 1500 }),
        }
        true
    }

    async fn heal(&self) {
        self.sim.clear_faults();
    }

    async fn acts(&self) -> usize {
        self.sim.acts().len()
    }

    fn secrets(&self) -> Vec<String> {
        let key = self.sim.gateway_pem().key.lines().nth(1);
        vec![key.expect("a line of the key").to_owned()]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_specified() {
    contract::run(async || FleetRig::start(fleet()).await).await;
}

#[tokio::test]
async fn words_of_a_later_agent_are_unknown_and_no_error() {
    let rig = FleetRig::start(fleet().fault(Fault::on(Operation::List, FaultAction::GarbageEnum))).await;
    let listing = rig.backend.list(&soon()).await.expect("all answer");
    let natives: BTreeSet<_> = listing
        .sessions
        .iter()
        .map(|row| row.id.native().into_owned())
        .collect();
    assert_eq!(natives, rig.sessions().await);
    assert!(
        listing
            .sessions
            .iter()
            .any(|row| row.state == SessionState::Unknown),
        "{listing:?}"
    );
}

/// A clock that is off.
#[derive(Debug)]
struct Off(TimeDelta);

impl Clock for Off {
    fn now(&self) -> curfew_core::Timestamp {
        SystemClock.now() + self.0
    }
}

#[tokio::test]
async fn a_host_whose_clock_is_minutes_off_acts_in_time_and_not_late() {
    for minutes in [-5, 5] {
        let rig = FleetRig::start(fleet().clock(Arc::new(Off(TimeDelta::minutes(minutes))))).await;
        let number = rig.sim.add_session("TERM01", "CORP\\alice").expect("a number");
        let id = rig.id("TERM01", number);
        let act = async |left| {
            let action = SessionAction {
                session: id.clone(),
                verb: Verb::Disconnect,
                not_after: SystemClock.now() + left,
            };
            rig.backend.start(Recorded::for_test(action)).await
        };
        // It lies about on the way until its time is over.
        let slow = rig
            .sim
            .add_fault(Fault::on(Operation::Disconnect, FaultAction::Delay { ms: 500 }));
        let error = act(TimeDelta::milliseconds(300)).await.expect_err("it is late");
        assert_eq!(error.kind, Kind::Unavailable, "{minutes}: {error:?}");
        assert_eq!(error.public, "the act reached TERM01 too late; nothing was done");
        rig.sim.remove_fault(slow);
        assert!(rig.sim.acts().iter().all(|act| !act.performed));
        let started = act(TimeDelta::seconds(15)).await.expect("it is in time");
        assert!(matches!(started.value, Started::Done | Started::Accepted));
        assert!(rig.sim.acts().iter().any(|act| act.performed));
    }
}

#[tokio::test]
async fn somebody_else_with_the_number_is_not_touched() {
    let rig = FleetRig::start(fleet()).await;
    let number = rig.sim.add_session("TERM01", "CORP\\alice").expect("a number");
    let alice = rig.id("TERM01", number);
    rig.sim
        .replace_session("TERM01", number, "CORP\\bob")
        .expect("bob");
    let look = rig.backend.get(&alice, &soon()).await.expect("it can be read");
    let Sight::Replaced(bob) = look.value else {
        panic!("{look:?}")
    };
    assert_eq!(bob.user.name, "bob");
    for verb in [Verb::Disconnect, Verb::Logoff] {
        let started = rig.act(&alice, verb).await.expect("it is answered");
        assert_eq!(started.value, Started::Replaced);
        assert_eq!(started.evidence.native_code.as_deref(), Some("SESSION_REPLACED"));
    }
    assert!(rig.sim.acts().iter().all(|act| !act.performed));
    let now = rig
        .backend
        .get(&bob.id, &soon())
        .await
        .expect("it can be read")
        .value;
    assert!(matches!(now, Sight::Here(_)), "{now:?}");
}

#[tokio::test]
async fn a_host_has_the_last_word() {
    let mut config = fleet();
    config.policy.protected_users = vec!["CORP\\ceo".to_owned()];
    let rig = FleetRig::start(config).await;
    let number = rig.sim.add_session("TERM01", "CORP\\ceo").expect("a number");
    let id = rig.id("TERM01", number);
    let listing = rig.backend.list(&soon()).await.expect("all answer");
    let row = listing
        .sessions
        .iter()
        .find(|row| row.id == id)
        .expect("it is listed");
    assert!(row.protected);
    let error = rig.act(&id, Verb::Logoff).await.expect_err("it refuses");
    assert_eq!(error.kind, Kind::Denied);
    assert_eq!(
        error.public,
        "TERM01 refuses: its own policy protects this session"
    );

    let mut config = fleet();
    config.policy.read_only = true;
    let rig = FleetRig::start(config).await;
    let number = rig.sim.add_session("TERM01", "CORP\\alice").expect("a number");
    let error = rig
        .act(&rig.id("TERM01", number), Verb::Disconnect)
        .await
        .expect_err("it refuses");
    assert_eq!(error.kind, Kind::Denied);
    let health = rig.backend.check(&soon()).await.expect("all answer");
    assert!(health.iter().all(|part| {
        part.outcome
            .as_ref()
            .is_ok_and(|words| words.contains("WARN read-only"))
    }));
    assert!(rig.sim.acts().iter().all(|act| !act.performed));
}

#[tokio::test]
async fn each_flaw_of_a_certificate_closes_the_door() {
    for flaw in Flaw::ALL {
        let rig = FleetRig::start(fleet()).await;
        rig.backend.list(&soon()).await.expect("all answer");
        let number = rig.sim.add_session("TERM01", "CORP\\alice").expect("a number");
        let id = rig.id("TERM01", number);
        let fault = FaultAction::WrongCertificate { flaw };
        rig.sim.add_fault(Fault::on(Operation::Any, fault).host("TERM01"));
        // What stands was made with the right one.
        rig.sim.cut_connections("TERM01").await;
        let listing = rig.backend.list(&soon()).await.expect("two answer");
        let kinds: Vec<_> = listing
            .parts
            .iter()
            .map(|part| part.outcome.as_ref().err().map(|error| error.kind))
            .collect();
        assert_eq!(kinds, [Some(Kind::Unavailable), None, None], "{flaw:?}");
        let error = rig.act(&id, Verb::Logoff).await.expect_err("it is not trusted");
        assert_eq!(error.kind, Kind::Unavailable, "{flaw:?}");

        let wrong = rig.sim.pki().wrong_gateway(flaw).expect("a certificate");
        let pair = Pair {
            cert: wrong.cert,
            key: wrong.key,
        };
        let named = matches!(flaw, Flaw::OtherHost | Flaw::NoUri | Flaw::SeveralUris);
        let hosts = [("TERM01", rig.sim.address().to_string())];
        let stranger = built(&text(rig.sim.ca_pem(), &pair, &hosts, ""), Arc::new(SystemClock));
        // One with a wrong name does not get as far as a connection.
        assert_eq!(stranger.is_err(), named, "{flaw:?}");
        rig.sim.clear_faults();
        if let Ok(stranger) = stranger {
            let error = stranger.list(&soon()).await.expect_err("it is not let in");
            assert_eq!(error.kind, Kind::Credentials, "{flaw:?}: {error}");
            let error = stranger.get(&id, &soon()).await.expect_err("it is not let in");
            assert_eq!(error.kind, Kind::Credentials, "{flaw:?}: {error}");
            let action = SessionAction {
                session: id.clone(),
                verb: Verb::Logoff,
                not_after: SystemClock.now() + TimeDelta::seconds(15),
            };
            let act = stranger.start(Recorded::for_test(action)).await;
            assert_eq!(
                act.expect_err("it is not let in").kind,
                Kind::Credentials,
                "{flaw:?}"
            );
        }
        assert_eq!(rig.sim.acts(), []);
    }
}

#[tokio::test]
async fn a_restart_of_a_host_between_two_readings_is_no_failure() {
    let rig = FleetRig::start(fleet()).await;
    for _ in 0..5 {
        let listing = rig.backend.list(&soon()).await.expect("all answer");
        assert!(
            listing.parts.iter().all(|part| part.outcome.is_ok()),
            "{:?}",
            parts(&listing)
        );
        for host in HOSTS {
            rig.sim.cut_connections(host).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_hosts_those_that_hang_are_left_alone_and_the_others_read() {
    let rig = FleetRig::start(FleetSimConfig::new(100, 10)).await;
    let listing = rig.backend.list(&soon()).await.expect("all answer");
    let failed = |listing: &Listing| listing.parts.iter().filter(|part| part.outcome.is_err()).count();
    assert_eq!((listing.parts.len(), failed(&listing)), (100, 0));
    let sessions = listing.sessions.len();
    for number in 1..=20 {
        let host = format!("TERM{number:04}");
        rig.sim
            .add_fault(Fault::on(Operation::Any, FaultAction::Hang).host(host));
    }
    let asked = || rig.sim.counters().of("TERM0001", Operation::List);
    for expected in [2, 3, 3] {
        let listing = rig.backend.list(&soon()).await.expect("most answer");
        assert_eq!(failed(&listing), 20);
        assert_eq!(listing.sessions.len(), sessions - 20 * 10);
        assert_eq!(asked(), expected);
    }
}

#[tokio::test]
async fn what_happened_on_a_host_whose_clock_is_off_is_told_in_our_time() {
    for minutes in [-5, 0, 5] {
        let rig = FleetRig::start(fleet().clock(Arc::new(Off(TimeDelta::minutes(minutes))))).await;
        let number = rig.sim.add_session("TERM01", "CORP\\alice").expect("a number");
        let id = rig.id("TERM01", number);
        let asked = SystemClock.now();
        rig.act(&id, Verb::Disconnect).await.expect("it starts");
        let sight = rig.backend.get(&id, &soon()).await.expect("it can be read").value;
        let Sight::Here(session) = sight else {
            panic!("the generation is the host's own, whatever its clock: {sight:?}")
        };
        assert_eq!(session.state, SessionState::Disconnected);
        for (what, at) in [
            ("change", session.state_changed_at),
            ("start", session.started_at),
        ] {
            let away = at.expect("it is known") - asked;
            assert!(
                away.abs() < TimeDelta::seconds(10),
                "{minutes}: {what} is {away} away"
            );
        }
    }
}
