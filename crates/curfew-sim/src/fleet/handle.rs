//! The handle of a running fleet.
//!
//! Everything here is immediate, but for the conditions that can be waited for. A host may be named in any case; what
//! names no host gives `None`, `false` or nothing. Invariant: dropping the handle ends the listeners, all connections
//! and all held answers.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use curfew_agent::platform::FakePlatform;
use curfew_agent::{Agent, AgentSettings};
use curfew_agent_api::tls::{Identity, agent_config, gateway_config};
use curfew_agent_api::{SessionState, identity};
use rustls::ClientConfig;

use super::config::FleetSimConfig;
use super::control;
use super::door::Door;
use super::fault::Fault;
use super::host::Host;
use super::state::{Act, Counters, Fleet};
use super::view::{NewSession, SessionView};
use crate::chaos::Chaos;
use crate::pki::DevPki;
use crate::serve::{Bound, Serving, TlsPem};

/// A running fleet of Windows hosts.
pub struct FleetSim {
    fleet: Arc<Fleet>,
    address: SocketAddr,
    control_url: Option<String>,
    gateway: TlsPem,
    /// Held for their `Drop`.
    serving: Vec<Serving>,
}

impl std::fmt::Debug for FleetSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetSim")
            .field("address", &self.address)
            .field("hosts", &self.fleet.hosts.len())
            .finish_non_exhaustive()
    }
}

/// Start and end, and how to reach it.
impl FleetSim {
    /// Binds, fills the hosts and serves.
    ///
    /// # Errors
    /// An address that cannot be bound, a name that no host can have or that two have, a text that is no trust domain.
    pub async fn start(config: FleetSimConfig) -> anyhow::Result<Self> {
        let pki = match &config.pki {
            Some(pki) => pki.clone(),
            None => DevPki::new(&config.trust_domain)?,
        };
        let gateway = pki.gateway()?;
        // The certificate in it is never shown: every host brings its own.
        let nobody = pki.agent("nobody")?;
        let mut tls = agent_config(
            pki.domain(),
            pki.ca_pem(),
            Identity::from_pem(&nobody.cert, &nobody.key)?,
        )?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let bound = Bound::bind(config.listen, None).await?;
        let control = match config.control {
            Some(address) => Some(Bound::bind(address, None).await?),
            None => None,
        };
        let fleet = Arc::new(Fleet::new(hosts(&config)?, pki, tls, Arc::clone(&config.clock)));
        for fault in config.faults {
            fleet.faults.lock().add(fault);
        }
        let address = reachable(bound.address());
        let mut serving = vec![bound.serve_by(Door(Arc::clone(&fleet)))];
        let control_url = control.as_ref().map(Bound::url);
        if let Some(control) = control {
            let router = control::router(Arc::clone(&fleet));
            serving.push(control.serve(move |request| {
                let answer = tower::ServiceExt::oneshot(router.clone(), request);
                async move { Ok(answer.await.unwrap_or_else(|never| match never {})) }
            }));
        }
        Ok(Self {
            fleet,
            address,
            control_url,
            gateway,
            serving,
        })
    }

    /// Where every host listens. Which one is meant, the server name of the handshake says: the host's name.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of the control listener, if there is one.
    pub fn control_url(&self) -> Option<&str> {
        self.control_url.as_deref()
    }

    /// The names of the hosts, in their order.
    pub fn hosts(&self) -> Vec<String> {
        self.fleet.hosts.iter().map(|host| host.name.clone()).collect()
    }

    /// The trust domain in the certificates.
    pub fn trust_domain(&self) -> String {
        self.pki().domain().to_string()
    }

    /// The authority that signs for the hosts, for further certificates, right ones and wrong ones.
    pub fn pki(&self) -> &DevPki {
        &self.fleet.pki
    }

    /// The authority's certificate (PEM).
    pub fn ca_pem(&self) -> &str {
        self.pki().ca_pem()
    }

    /// A gateway's certificate and key (PEM).
    pub fn gateway_pem(&self) -> &TlsPem {
        &self.gateway
    }

    /// The TLS configuration of a gateway that may call these hosts.
    ///
    /// # Errors
    /// None that a running fleet could cause.
    pub fn gateway_tls(&self) -> anyhow::Result<ClientConfig> {
        let identity = Identity::from_pem(&self.gateway.cert, &self.gateway.key)?;
        Ok(gateway_config(self.pki().domain(), self.ca_pem(), identity)?)
    }

    /// Ends it all and waits for its tasks.
    pub async fn shutdown(mut self) {
        self.fleet.board.stop.cancel();
        self.serving.clear();
        self.fleet.tasks.close();
        self.fleet.tasks.wait().await;
    }
}

/// Misbehaviour, and what was asked.
impl FleetSim {
    /// Adds a fault and says under which number it stands. A fault of connections is met by new ones: those that stand
    /// go on, unless they are cut ([`FleetSim::cut_connections`]).
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.fleet.faults.lock().add(fault)
    }

    /// Takes one fault away; false if it is not there.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.fleet.faults.lock().remove(id)
    }

    /// Takes all faults away. What is held stays held.
    pub fn clear_faults(&self) {
        self.fleet.faults.lock().clear();
    }

    /// Lets the whole fleet misbehave, or ends that. Faults come first and stay as they are.
    pub fn chaos(&self, chaos: Option<Chaos>) {
        self.fleet.chaos.set(chaos);
    }

    /// Lets go of everything that is held and says how many requests that were.
    pub fn release(&self) -> usize {
        self.fleet.board.release()
    }

    /// Closes every connection to a host, as its restart does, and waits until the clients have closed their sides too;
    /// false if there is no such host.
    pub async fn cut_connections(&self, host: &str) -> bool {
        self.fleet.cut(host).await
    }

    /// Every acting request so far, refused ones too, in the order of their arrival.
    pub fn acts(&self) -> Vec<Act> {
        self.fleet.acts()
    }

    /// What was asked so far.
    pub fn counters(&self) -> Counters {
        self.fleet.counters()
    }

    /// Waits until so many acting requests are in the log, refused, dropped and held ones included.
    pub async fn wait_for_act(&self, acts: usize) -> Vec<Act> {
        self.fleet.board.wait_until(|pulse| pulse.acts >= acts).await;
        self.acts()
    }

    /// Waits until so many acts have been performed.
    pub async fn wait_for_performed(&self, acts: usize) -> Vec<Act> {
        self.fleet.board.wait_until(|pulse| pulse.performed >= acts).await;
        self.acts()
    }

    /// Waits until so many requests are held at once.
    pub async fn wait_for_held(&self, requests: usize) {
        self.fleet.board.wait_until(|pulse| pulse.held >= requests).await;
    }
}

/// Hosts and sessions.
impl FleetSim {
    /// What stands in for Windows on a host: every row, Windows' errors, calls that block.
    pub fn platform(&self, host: &str) -> Option<Arc<FakePlatform>> {
        self.fleet.host(host).map(|host| Arc::clone(&host.platform))
    }

    /// The users' sessions on a host, in the order of their numbers.
    pub fn sessions(&self, host: &str) -> Vec<SessionView> {
        self.fleet
            .host(host)
            .map(|host| host.sessions())
            .unwrap_or_default()
    }

    /// The user's session that has a number now.
    pub fn session(&self, host: &str, number: u32) -> Option<SessionView> {
        self.fleet.host(host)?.session(number)
    }

    /// `DOMAIN\user` logs on; gives the number, the lowest free one.
    pub fn add_session(&self, host: &str, user: &str) -> Option<u32> {
        Some(self.fleet.host(host)?.platform.log_on(user))
    }

    /// Adds several sessions of one user.
    pub fn add_sessions(&self, host: &str, new: &NewSession) -> Vec<u32> {
        self.fleet
            .host(host)
            .map(|host| host.add(new))
            .unwrap_or_default()
    }

    /// Ends a session, as if its user had logged off; false if it is not there.
    pub fn end_session(&self, host: &str, number: u32) -> bool {
        self.fleet
            .host(host)
            .is_some_and(|host| host.platform.end(number))
    }

    /// Ends the session with this number, and `DOMAIN\user` logs on and gets the number; gives the new session.
    pub fn replace_session(&self, host: &str, number: u32, user: &str) -> Option<SessionView> {
        self.fleet.host(host)?.replace(number, user)
    }

    /// Puts a session into a state, as if its user had come back or gone; false if it is not there.
    pub fn set_state(&self, host: &str, number: u32, state: SessionState) -> bool {
        self.fleet
            .host(host)
            .is_some_and(|host| host.set_state(number, state))
    }
}

impl Drop for FleetSim {
    fn drop(&mut self) {
        self.fleet.board.stop.cancel();
    }
}

fn hosts(config: &FleetSimConfig) -> anyhow::Result<Vec<Arc<Host>>> {
    let mut names = HashSet::new();
    let mut hosts = Vec::with_capacity(config.hosts.len());
    for (place, name) in config.hosts.iter().enumerate() {
        identity::check_host(name).with_context(|| format!("`{name}` is no name of a host"))?;
        ensure!(
            names.insert(name.to_ascii_lowercase()),
            "two hosts are called `{name}`"
        );
        let clock = Arc::clone(&config.clock);
        let platform = FakePlatform::populate(name, config.sessions_per_host, config.seed, clock);
        platform.set_logoff_takes(config.logoff);
        let platform = Arc::new(platform);
        let settings = AgentSettings {
            dns_name: Some(format!("{}.corp.example", name.to_ascii_lowercase())),
            policy: config.policy.clone(),
            ..AgentSettings::new(name)
        };
        let agent = Agent::new(settings, Arc::clone(&platform) as _, Arc::clone(&config.clock));
        hosts.push(Arc::new(Host::new(name.clone(), place, platform, agent.router())));
    }
    if hosts.is_empty() {
        bail!("a fleet needs a host");
    }
    Ok(hosts)
}

/// An address that can be dialled: of one that means every interface, the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port())
    } else {
        address
    }
}
