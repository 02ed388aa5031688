//! The subcommands `fleet` and `ca`: simulated Windows hosts, and certificates for hosts and gateways.
//!
//! Invariant: with `--ca-dir` (or `--out`) the authority of that folder is used, made if it is not there, and what the
//! folder holds is never overwritten.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as Group;
use curfew_sim::pki::CaFolder;
use curfew_sim::{FleetSim, FleetSimConfig};
use serde_json::{Value, json};

const TRUST_DOMAIN: &str = "curfew";

/// `curfew-sim fleet`.
#[derive(Debug, Group)]
pub(crate) struct Fleet {
    /// Where all hosts listen; port 0 picks a free one. The server name in the TLS handshake says which host is meant.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    /// Where the control listener listens; it has no protection.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// How many hosts there are.
    #[arg(long, conflicts_with = "host")]
    hosts: Option<usize>,
    /// What their names begin with, before a number of four digits.
    #[arg(long, conflicts_with = "host", default_value = "TERM")]
    prefix: String,
    /// The name of a host, instead of numbered ones; may be given several times.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// How many sessions of users each host has at start; the first one is at the console.
    #[arg(long)]
    sessions_per_host: Option<usize>,
    /// The seed of the sessions.
    #[arg(long)]
    seed: Option<u64>,
    /// How long a log-off takes, in milliseconds.
    #[arg(long)]
    logoff_ms: Option<u64>,
    /// The trust domain in the certificates.
    #[arg(long, value_name = "NAME", default_value = TRUST_DOMAIN)]
    trust_domain: String,
    /// The folder of the authority that signs the certificates, as `ca` makes it; without it, a fresh one.
    #[arg(long, value_name = "DIR")]
    ca_dir: Option<PathBuf>,
}

impl Fleet {
    /// Starts the fleet; with it comes what is to be announced.
    pub(crate) async fn start(self) -> anyhow::Result<(FleetSim, Value)> {
        let folder = self
            .ca_dir
            .as_deref()
            .map(|folder| CaFolder::open(folder, &self.trust_domain))
            .transpose()?;
        let defaults = FleetSimConfig::default();
        let named = if self.host.is_empty() {
            let hosts = self.hosts.unwrap_or(defaults.hosts.len());
            FleetSimConfig::new(hosts, 0).prefix(&self.prefix)
        } else {
            FleetSimConfig::default().hosts(self.host)
        };
        let config = FleetSimConfig {
            listen: self.listen,
            control: self.control,
            sessions_per_host: self.sessions_per_host.unwrap_or(defaults.sessions_per_host),
            seed: self.seed.unwrap_or(defaults.seed),
            logoff: self.logoff_ms.map_or(defaults.logoff, Duration::from_millis),
            trust_domain: self.trust_domain,
            pki: folder.as_ref().map(|folder| folder.pki().clone()),
            ..named
        };
        let sim = FleetSim::start(config).await?;
        let gateway = match &folder {
            Some(folder) => folder.gateway()?,
            None => sim.gateway_pem().clone(),
        };
        let line = json!({
            "address": sim.address(),
            "control": sim.control_url(),
            "trustDomain": sim.trust_domain(),
            "hosts": sim.hosts(),
            "ca": sim.ca_pem(),
            "gatewayCert": gateway.cert,
            "gatewayKey": gateway.key,
        });
        Ok((sim, line))
    }
}

/// `curfew-sim ca`.
#[derive(Debug, Group)]
pub(crate) struct MakeCa {
    /// The folder: `ca.pem`, `ca.key`, `gateway.crt`, `gateway.key`, and `<NAME>.crt`, `<NAME>.key` for every host and server.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The name of a host, as its agent and the gateway know it; may be given several times.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// The name of a server of plain TLS, such as a simulator's or the gateway's own; may be given several times.
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
    /// The trust domain in the certificates.
    #[arg(long, value_name = "NAME", default_value = TRUST_DOMAIN)]
    trust_domain: String,
}

impl MakeCa {
    /// Makes what is not there yet, and says where everything is.
    pub(crate) fn run(self) -> anyhow::Result<Value> {
        let folder = CaFolder::open(&self.out, &self.trust_domain)?;
        let files = |name: &str| {
            let path = |end: &str| at(folder.folder(), &format!("{name}.{end}"));
            json!({ "cert": path("crt"), "key": path("key") })
        };
        let mut hosts = serde_json::Map::new();
        for host in &self.host {
            folder.agent(host)?;
            hosts.insert(host.clone(), files(host));
        }
        let mut servers = serde_json::Map::new();
        for server in &self.server {
            folder.server(server)?;
            servers.insert(server.clone(), files(server));
        }
        Ok(json!({
            "trustDomain": self.trust_domain,
            "ca": at(folder.folder(), "ca.pem"),
            "gateway": files("gateway"),
            "hosts": hosts,
            "servers": servers,
        }))
    }
}

fn at(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}
