//! What a simulated fleet is to be: addresses, hosts, sessions, certificates, policy.
//!
//! Not the faults that come and go while it runs ([`Fault`]). Invariant: two fleets of one configuration have the same
//! hosts with the same people on them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use curfew_agent::Policy;
use curfew_core::{Clock, SystemClock};

use super::fault::Fault;
use crate::pki::DevPki;

/// The whole description of a simulated fleet. Fields may be set directly or by the builder methods.
#[derive(Debug, Clone)]
pub struct FleetSimConfig {
    /// Where all hosts listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the control listener listens; none by default.
    pub control: Option<SocketAddr>,
    /// The names of the hosts.
    pub hosts: Vec<String>,
    /// How many sessions of users each host has at start; the first one is at the console.
    pub sessions_per_host: usize,
    /// Who is logged on where is a function of this number.
    pub seed: u64,
    /// The trust domain of the certificates, unless `pki` brings one.
    pub trust_domain: String,
    /// The authority that signs them; by default a fresh one.
    pub pki: Option<DevPki>,
    /// How long a log-off takes; zero ends the session at once.
    pub logoff: Duration,
    /// The policy of every host's agent.
    pub policy: Policy,
    /// The clock of every host; the delays of faults are measured by `tokio::time`.
    pub clock: Arc<dyn Clock>,
    /// Faults that are there from the first handshake on.
    pub faults: Vec<Fault>,
}

impl Default for FleetSimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: None,
            hosts: names("TERM", 3),
            sessions_per_host: 5,
            seed: 1,
            trust_domain: "curfew".to_owned(),
            pki: None,
            logoff: Duration::from_millis(300),
            policy: Policy::default(),
            clock: Arc::new(SystemClock),
            faults: Vec::new(),
        }
    }
}

impl FleetSimConfig {
    /// Hosts `TERM0001`, `TERM0002`, and so on, with so many sessions on each, on a free port of 127.0.0.1.
    pub fn new(hosts: usize, sessions_per_host: usize) -> Self {
        Self {
            hosts: names("TERM", hosts),
            sessions_per_host,
            ..Self::default()
        }
    }

    /// Calls the hosts by this prefix and a number of four digits, instead of `TERM`.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.hosts = names(prefix, self.hosts.len());
        self
    }

    /// Calls the hosts by these names.
    pub fn hosts<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.hosts = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets who is logged on where.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the trust domain.
    pub fn trust_domain(mut self, name: impl Into<String>) -> Self {
        self.trust_domain = name.into();
        self
    }

    /// Lets this authority sign the certificates, and takes its trust domain.
    pub fn pki(mut self, pki: DevPki) -> Self {
        self.pki = Some(pki);
        self
    }

    /// Sets how long a log-off takes.
    pub fn logoff_takes(mut self, duration: Duration) -> Self {
        self.logoff = duration;
        self
    }

    /// Sets the policy of every host's agent.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the clock of every host.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens the control listener at this address.
    pub fn control(mut self, address: SocketAddr) -> Self {
        self.control = Some(address);
        self
    }

    /// Adds a fault that is there from the first handshake on.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }
}

fn names(prefix: &str, hosts: usize) -> Vec<String> {
    (1..=hosts).map(|number| format!("{prefix}{number:04}")).collect()
}
