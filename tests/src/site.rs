//! What stands behind a gateway in this process: a simulator of one of the kinds, and how the gateway is told of it.
//!
//! Not the gateway (`gateway`). Invariant: the configuration is what an administrator would write for that system.

use std::sync::Arc;

use curfew_app::BackendEntry;
use curfew_backends::{BackendConfig, Deps};
use curfew_core::Clock;
use curfew_sim::{CitrixSim, CitrixSimConfig, FleetSim, FleetSimConfig, OrbnetSim, OrbnetSimConfig};
use serde_json::{Value, json};

/// What is simulated.
#[derive(Debug, Clone)]
pub enum Behind {
    /// A Citrix site.
    Citrix(Box<CitrixSimConfig>),
    /// A fleet of Windows hosts.
    Fleet(Box<FleetSimConfig>),
    /// An OrbNet service.
    Orbnet(Box<OrbnetSimConfig>),
}

impl From<CitrixSimConfig> for Behind {
    fn from(config: CitrixSimConfig) -> Self {
        Self::Citrix(Box::new(config))
    }
}

impl From<FleetSimConfig> for Behind {
    fn from(config: FleetSimConfig) -> Self {
        Self::Fleet(Box::new(config))
    }
}

impl From<OrbnetSimConfig> for Behind {
    fn from(config: OrbnetSimConfig) -> Self {
        Self::Orbnet(Box::new(config))
    }
}

/// One simulated backend and how the gateway is told of it.
#[derive(Debug, Clone)]
pub struct Site {
    /// The backend's name.
    pub id: String,
    /// What is simulated.
    pub behind: Behind,
    /// Keys of `[[backends]]` beside those that every simulated backend of its kind needs, or instead of them.
    pub keys: Value,
}

impl Site {
    /// A backend under a name.
    pub fn new(id: &str, behind: impl Into<Behind>) -> Self {
        Self {
            id: id.to_owned(),
            behind: behind.into(),
            keys: json!({}),
        }
    }

    /// Sets a key of `[[backends]]`.
    pub fn key(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.keys[name] = value.into();
        self
    }
}

/// A running simulator.
#[derive(Debug)]
pub(crate) enum Sim {
    Citrix(CitrixSim),
    Fleet(FleetSim),
    Orbnet(OrbnetSim),
}

impl Sim {
    pub(crate) async fn start(behind: Behind) -> Self {
        match behind {
            Behind::Citrix(config) => CitrixSim::start(*config).await.map(Self::Citrix),
            Behind::Fleet(config) => FleetSim::start(*config).await.map(Self::Fleet),
            Behind::Orbnet(config) => OrbnetSim::start(*config).await.map(Self::Orbnet),
        }
        .expect("the simulator starts")
    }

    pub(crate) fn citrix(&self) -> &CitrixSim {
        match self {
            Self::Citrix(sim) => sim,
            other => panic!("{other:?} is no Citrix site"),
        }
    }

    pub(crate) fn fleet(&self) -> &FleetSim {
        match self {
            Self::Fleet(sim) => sim,
            other => panic!("{other:?} is no fleet"),
        }
    }

    pub(crate) fn orbnet(&self) -> &OrbnetSim {
        match self {
            Self::Orbnet(sim) => sim,
            other => panic!("{other:?} is no OrbNet"),
        }
    }

    fn keys(&self) -> Value {
        match self {
            Self::Citrix(sim) => {
                let config = sim.config();
                json!({
                    "kind": "citrix", "flavour": "cloud", "url": sim.url(), "customer": config.customer,
                    "client_id": config.client_id, "client_secret": config.client_secret,
                })
            }
            Self::Fleet(sim) => {
                let address = sim.address().to_string();
                let hosts: Vec<_> = sim
                    .hosts()
                    .iter()
                    .map(|name| json!({ "name": name, "address": address }))
                    .collect();
                let gateway = sim.gateway_pem();
                json!({
                    "kind": "windows", "ca": sim.ca_pem(), "client_cert": gateway.cert, "client_key": gateway.key,
                    "trust_domain": sim.trust_domain(), "hosts": hosts,
                })
            }
            Self::Orbnet(sim) => {
                let users: Vec<_> = sim
                    .users()
                    .iter()
                    .map(|user| json!({ "id": user.id, "name": user.name }))
                    .collect();
                json!({ "kind": "orbnet", "url": sim.url(), "token": sim.token(), "users": users })
            }
        }
    }

    /// The adapter, built as `serve` builds it.
    pub(crate) fn entry(&self, id: &str, keys: Value, clock: &Arc<dyn Clock>) -> BackendEntry {
        let mut all = self.keys();
        all["id"] = id.into();
        all["allow_loopback"] = true.into();
        if let (Value::Object(all), Value::Object(keys)) = (&mut all, keys) {
            all.extend(keys);
        }
        let config: BackendConfig = serde_json::from_value(all).expect("a backend's configuration");
        let deps = Deps {
            clock: Arc::clone(clock),
        };
        BackendEntry {
            backend: curfew_backends::build(&config, &deps).expect("the adapter is built"),
            interval: config.refresh_interval(),
        }
    }
}
