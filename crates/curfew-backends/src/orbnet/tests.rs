//! The adapter against the simulator: the contract suite for what the vendor documents and leaves open, and (in the
//! modules) what only this vendor does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use curfew_core::{
    BackendError, Clock, Listing, ReadCtx, Recorded, Reply, SessionAction, SessionBackend, SessionId, Sight,
    Started, SystemClock, Verb,
};
use curfew_sim::orbnet::{Fault, FaultAction, FaultBody, Operation, Variant};
use curfew_sim::{OrbnetSim, OrbnetSimConfig};

use super::OrbnetBackend;
use crate::contract::{self, Rig, Trouble};
use crate::{BackendConfig, BuildError, Deps, build};

mod acts;
mod config;
mod reads;

/// A simulated account with an adapter before it.
struct SimRig {
    sim: OrbnetSim,
    backend: Arc<dyn SessionBackend>,
    lines: &'static str,
}

impl SimRig {
    async fn start(config: OrbnetSimConfig) -> Self {
        Self::with(config, "").await
    }

    /// A rig whose adapter has these lines of configuration more.
    async fn with(config: OrbnetSimConfig, lines: &'static str) -> Self {
        let sim = OrbnetSim::start(config).await.expect("the simulator starts");
        let backend = adapter(&sim, sim.url(), sim.token(), lines);
        Self { sim, backend, lines }
    }

    async fn usual() -> Self {
        Self::start(OrbnetSimConfig::default()).await
    }

    fn fault(&self, operation: Operation, then: FaultAction) {
        self.sim.add_fault(Fault::on(operation, then));
    }

    /// The adapter with the token that may list and not disconnect.
    fn reseller(&self) -> Arc<dyn SessionBackend> {
        adapter(&self.sim, self.sim.url(), self.sim.reseller_token(), self.lines)
    }

    async fn list(&self) -> Result<Listing, BackendError> {
        self.backend.list(&soon()).await
    }

    /// The first session: its `sessionId` and our id.
    async fn first(&self) -> (String, SessionId) {
        let session_id = self.sim.sessions().swap_remove(0).session_id;
        let listed = self.list().await.expect("it is listed").sessions;
        let place = |id: &SessionId| id.native().ends_with(&format!("/{session_id}"));
        let session = listed.into_iter().find(|session| place(&session.id));
        let id = session.expect("it is listed").id;
        (session_id, id)
    }

    async fn sight(&self, session: &SessionId) -> Result<Sight, BackendError> {
        self.backend.get(session, &soon()).await.map(|reply| reply.value)
    }

    async fn disconnect(&self, session: &SessionId) -> Result<Reply<Started>, BackendError> {
        act(&*self.backend, session, Verb::Disconnect).await
    }
}

async fn act(
    backend: &dyn SessionBackend,
    session: &SessionId,
    verb: Verb,
) -> Result<Reply<Started>, BackendError> {
    let action = SessionAction {
        session: session.clone(),
        verb,
        not_after: SystemClock.now() + TimeDelta::seconds(15),
    };
    backend.start(Recorded::for_test(action)).await
}

fn soon() -> ReadCtx {
    ReadCtx::within(Duration::from_secs(5))
}

fn status(code: u16, body: FaultBody) -> FaultAction {
    FaultAction::Status {
        code,
        body,
        headers: BTreeMap::new(),
    }
}

/// An answer of this status with this JSON.
fn json(code: u16, text: &str) -> FaultAction {
    let body = FaultBody::Custom {
        content_type: "application/json".to_owned(),
        text: text.to_owned(),
    };
    status(code, body)
}

fn error_code(code: &str, status: Option<u16>) -> FaultAction {
    FaultAction::GraphqlError {
        code: code.to_owned(),
        message: "Session not found or already disconnected".to_owned(),
        status,
    }
}

/// An adapter for `sim` at `url`, built as the server builds it.
fn adapter(sim: &OrbnetSim, url: &str, token: &str, lines: &str) -> Arc<dyn SessionBackend> {
    let mut users: Vec<String> = sim
        .users()
        .iter()
        .map(|user| format!("{{ id = {}, name = '{}' }}", user.id, user.name))
        .collect();
    let lines = match lines.split_once("\nuser ") {
        Some((lines, id)) => {
            users.push(format!("{{ id = {id} }}"));
            lines
        }
        None => lines,
    };
    let text = format!(
        "kind = 'orbnet'\nid = 'orb'\nurl = '{url}'\ntoken = '{token}'\nallow_loopback = true\n\
         requests_per_minute = 100000\nusers = [{}]\n{lines}",
        users.join(", ")
    );
    crate::citrix::tests::install_provider();
    let Ok(BackendConfig::Orbnet(config)) = toml::from_str(&text) else {
        panic!("no configuration of this kind: {text}")
    };
    let backend = OrbnetBackend::new(&config, &deps()).expect("the adapter builds");
    Arc::new(backend.hasty(Duration::from_secs(1)))
}

fn deps() -> Deps {
    Deps {
        clock: Arc::new(SystemClock),
    }
}

fn built(text: &str) -> Result<Arc<dyn SessionBackend>, BuildError> {
    crate::citrix::tests::install_provider();
    let config: BackendConfig = toml::from_str(text).expect("the configuration reads");
    build(&config, &deps())
}

/// A port where nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}/graphql", listener.local_addr().expect("its address"))
}

#[async_trait]
impl Rig for SimRig {
    fn backend(&self) -> Arc<dyn SessionBackend> {
        self.backend.clone()
    }

    fn unreachable(&self) -> Arc<dyn SessionBackend> {
        adapter(&self.sim, &closed_port(), self.sim.token(), self.lines)
    }

    fn stranger(&self) -> Arc<dyn SessionBackend> {
        adapter(&self.sim, self.sim.url(), "wr0ng-token", self.lines)
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    async fn sessions(&self) -> BTreeSet<String> {
        let sessions = self.sim.sessions();
        sessions
            .iter()
            .map(|row| format!("{}/{}", row.user_id, row.session_id))
            .collect()
    }

    async fn end(&self, session: &SessionId) {
        let native = session.native();
        let (_, session_id) = native.split_once('/').expect("a user and a session");
        assert!(self.sim.end_session(session_id), "there is no {session}");
    }

    async fn hurt(&self, trouble: Trouble) -> bool {
        use Operation::{Disconnect, List};
        match trouble {
            Trouble::ReadsHang => self.fault(List, FaultAction::Hang),
            Trouble::ReadsAreGarbage => self.fault(List, FaultAction::WrongTypes),
            Trouble::ReadsMeetAProxy => self.fault(List, status(502, FaultBody::Html)),
            Trouble::ListingBreaksOff => {
                self.sim
                    .add_fault(Fault::on(List, status(502, FaultBody::Html)).skip(1));
            }
            Trouble::ActsHang => self.fault(Disconnect, FaultAction::Hang),
            Trouble::AnswersAreLost => self.fault(Disconnect, FaultAction::ActThenDrop),
            Trouble::GatewayFailsAfterAct => self.fault(Disconnect, FaultAction::BadGatewayAfterAct),
            Trouble::ActsAreGarbage => self.fault(Disconnect, FaultAction::WrongTypes),
            Trouble::ActsAreRefused => self.fault(Disconnect, error_code("FORBIDDEN", None)),
            Trouble::ActsAreTooMany => self.fault(Disconnect, FaultAction::RateLimited),
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
        vec![self.sim.token().to_owned(), "wr0ng-token".to_owned()]
    }
}

/// Runs the contract suite against an account with these deviations.
async fn contract_of(variants: &[Variant], lines: &'static str) {
    contract::run(async || {
        let config = variants
            .iter()
            .fold(OrbnetSimConfig::default(), |config, variant| {
                config.with(*variant)
            });
        SimRig::with(config, lines).await
    })
    .await;
}

macro_rules! contract {
    ($($name:ident: [$($variant:ident),*] $lines:literal;)+) => {
        mod contract_with {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    contract_of(&[$(Variant::$variant),*], $lines).await;
                }
            )+
        }
    };
}

contract! {
    the_service_as_documented: [] "";
    errors_with_200: [Errors200] "";
    disconnects_by_id: [KillsById] "disconnect_by = 'id'";
    disconnects_by_either_id: [KillsByEither] "disconnect_by = 'session-id'";
    a_user_who_does_not_exist_and_has_no_sessions: [UnknownUserEmpty] "\nuser 9";
    resets_in_seconds: [ResetInSeconds] "";
    everything_odd_at_once: [Errors200, KillsById, UnknownUserEmpty, ResetInSeconds] "disconnect_by = 'id'\nuser 9";
}
