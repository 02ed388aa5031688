//! The adapter against the simulator: the contract suite for every documented variant of the vendor, and (in
//! the modules) what only this vendor does.

use std::collections::BTreeSet;
use std::sync::{Arc, Once};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use curfew_core::{
    BackendError, Clock, ReadCtx, Recorded, Reply, SessionAction, SessionBackend, SessionId, Started,
    SystemClock, Verb,
};
use curfew_sim::{CitrixSim, CitrixSimConfig, Fault, FaultAction, FaultBody, Flavour, Operation, Variant};
use uuid::Uuid;

use crate::contract::{self, Rig, Trouble};
use crate::{BackendConfig, Deps, build};

mod acts;
mod auth;
mod paging;
mod sight;

/// Sessions of a rig; three pages at the rig's page size.
const SESSIONS: usize = 45;
const PAGE_SIZE: usize = 20;

pub(crate) fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// A simulated site with an adapter before it.
struct SimRig {
    sim: CitrixSim,
    backend: Arc<dyn SessionBackend>,
}

impl SimRig {
    async fn start(config: CitrixSimConfig) -> Self {
        Self::with(config, "").await
    }

    /// A rig whose adapter has these lines of configuration more.
    async fn with(config: CitrixSimConfig, lines: &str) -> Self {
        let sim = CitrixSim::start(config).await.expect("the simulator starts");
        let backend = adapter(&sim, sim.url(), None, lines);
        Self { sim, backend }
    }

    async fn cloud() -> Self {
        Self::start(CitrixSimConfig::cloud().sessions(SESSIONS)).await
    }

    fn fault(&self, operation: Operation, then: FaultAction) {
        self.sim.add_fault(Fault::on(operation, then));
    }

    fn id(&self, native: Uuid) -> SessionId {
        super::map::session_id(self.backend.id(), &native.to_string()).expect("a GUID makes an id")
    }

    /// An active session.
    fn someone(&self) -> (Uuid, SessionId) {
        let native = self.sim.add_session("CORP\\someone");
        (native, self.id(native))
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

fn status(code: u16, body: FaultBody) -> FaultAction {
    FaultAction::Status {
        code,
        body,
        headers: Default::default(),
    }
}

fn soon() -> ReadCtx {
    ReadCtx::within(Duration::from_secs(5))
}

/// An adapter for `sim` at `url`, built as the server builds it.
fn adapter(sim: &CitrixSim, url: &str, secret: Option<&str>, lines: &str) -> Arc<dyn SessionBackend> {
    install_provider();
    let config = sim.config();
    let (flavour, credentials) = match config.flavour {
        Flavour::Cloud => (
            "cloud",
            format!(
                "customer = '{}'\nclient_id = '{}'\nclient_secret = '{}'",
                config.customer,
                config.client_id,
                secret.unwrap_or(&config.client_secret)
            ),
        ),
        Flavour::OnPrem => (
            "on-prem",
            format!(
                "username = '{}'\npassword = '{}'",
                config.username,
                secret.unwrap_or(&config.password)
            ),
        ),
    };
    let text = format!(
        "kind = 'citrix'\nid = 'citrix-eu'\nflavour = '{flavour}'\nurl = '{url}'\nallow_loopback = true\n\
         act_timeout_seconds = 1\npage_size = {PAGE_SIZE}\n{credentials}\n{lines}"
    );
    let config: BackendConfig = toml::from_str(&text).expect("the configuration reads");
    build(
        &config,
        &Deps {
            clock: Arc::new(SystemClock),
        },
    )
    .expect("the adapter builds")
}

/// A port where nobody listens.
fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("its address"))
}

#[async_trait]
impl Rig for SimRig {
    fn backend(&self) -> Arc<dyn SessionBackend> {
        self.backend.clone()
    }

    fn unreachable(&self) -> Arc<dyn SessionBackend> {
        adapter(&self.sim, &closed_port(), None, "")
    }

    fn stranger(&self) -> Arc<dyn SessionBackend> {
        adapter(&self.sim, self.sim.url(), Some("wr0ng-secret=="), "")
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    async fn sessions(&self) -> BTreeSet<String> {
        self.sim.session_ids().iter().map(Uuid::to_string).collect()
    }

    async fn end(&self, session: &SessionId) {
        let native = session.native().parse().expect("a GUID");
        assert!(self.sim.remove_session(native), "there is no {session}");
    }

    async fn hurt(&self, trouble: Trouble) -> bool {
        use Operation::{Disconnect, Get, List, Logoff, SendMessage};
        let each = |operations: &[Operation], then: FaultAction| {
            for operation in operations {
                self.fault(*operation, then.clone());
            }
        };
        let acts = &[Disconnect, Logoff, SendMessage];
        match trouble {
            Trouble::ReadsHang => each(&[List, Get], FaultAction::Hang),
            Trouble::ReadsAreGarbage => each(&[List, Get], FaultAction::WrongTypes),
            Trouble::ReadsMeetAProxy => {
                self.fault(List, status(502, FaultBody::Html));
                self.fault(Get, status(404, FaultBody::Html));
            }
            Trouble::ListingBreaksOff => {
                self.sim
                    .add_fault(Fault::on(List, status(502, FaultBody::Html)).skip(1));
            }
            Trouble::ActsHang => each(acts, FaultAction::Hang),
            Trouble::AnswersAreLost => each(acts, FaultAction::ActThenDrop),
            Trouble::GatewayFailsAfterAct => each(acts, FaultAction::BadGatewayAfterAct),
            Trouble::ActsAreGarbage => each(acts, FaultAction::Html),
            Trouble::ActsAreRefused => each(acts, FaultAction::Refuse),
            Trouble::ActsAreTooMany => each(acts, status(429, FaultBody::Native)),
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
        let config = self.sim.config();
        vec![
            config.client_secret.clone(),
            "s1m%2BSecret".to_owned(),
            config.password.clone(),
            "wr0ng-secret".to_owned(),
            "eySim.".to_owned(),
        ]
    }
}

/// Runs the contract suite against a site of this flavour with these deviations from the specification.
async fn contract_of(flavour: fn() -> CitrixSimConfig, variants: &[Variant]) {
    contract::run(async || {
        let config = flavour()
            .sessions(SESSIONS)
            .logoff_takes(Duration::from_millis(60));
        SimRig::start(
            variants
                .iter()
                .fold(config, |config, variant| config.with(*variant)),
        )
        .await
    })
    .await;
}

macro_rules! contract {
    ($($name:ident: $flavour:ident $(, $variant:ident)*;)+) => {
        mod contract_with {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    contract_of(CitrixSimConfig::$flavour, &[$(Variant::$variant),*]).await;
                }
            )+
        }
    };
}

contract! {
    the_cloud_as_specified: cloud;
    on_prem_as_specified: on_prem;
    on_prem_token_in_lower_case: on_prem, TokenLower;
    credentials_refused_with_200: cloud, BadCredentials200;
    a_list_as_the_answer_to_disconnect: cloud, DisconnectItems;
    a_200_with_location_as_the_answer_to_logoff: cloud, Logoff200;
    a_204_as_the_answer_to_logoff: cloud, Logoff204;
    jobs_under_the_orchestration_path: on_prem, LocationOrchestration;
    jobs_on_a_foreign_host: cloud, LocationForeign;
    jobs_at_a_relative_location: cloud, LocationRelative;
    dates_with_an_offset: cloud, DatesOffset;
    dates_without_a_zone: on_prem, DatesLegacy;
    dates_without_a_zone_in_utc: on_prem, DatesLegacyUtc;
    dates_that_are_none: cloud, DatesGarbage;
    a_500_for_what_does_not_exist: cloud, NotFound500;
    a_500_for_what_does_not_exist_on_prem: on_prem, NotFound500;
    the_clouds_error_shape_on_prem: on_prem, ErrorResponse;
    the_old_error_shape_in_the_cloud: cloud, ErrorData;
    no_token_after_the_last_page: cloud, EndAbsent;
    an_empty_token_after_the_last_page: on_prem, EndEmpty;
    rows_repeated_between_pages: cloud, RepeatRows;
    everything_odd_at_once: on_prem, TokenLower, DisconnectItems, Logoff204, LocationForeign, DatesLegacy,
        NotFound500, ErrorResponse, EndEmpty, RepeatRows;
}
