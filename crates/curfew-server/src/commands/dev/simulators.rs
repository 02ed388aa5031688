//! The simulated backends, and how an administrator would configure each.
//!
//! Not adapters: those are the ones of production, told of the authority that signed the simulators' certificates.
//! Invariant: that authority lives as long as the process, and its key is nowhere else.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use curfew_backends::BackendConfig;
use curfew_sim::{
    Chaos, CitrixSim, CitrixSimConfig, DevPki, FleetSim, FleetSimConfig, OrbnetSim, OrbnetSimConfig, Vda,
};
use serde_json::json;

use super::chaos::Switch;

/// The Citrix site's name in `dev`.
pub(super) const CITRIX: &str = "citrix-demo";
/// The Windows hosts'.
pub(super) const RDS: &str = "rds-demo";
/// The VPN's.
pub(super) const VPN: &str = "vpn-demo";

/// What agents and the gateway of `dev` call their common authority.
const TRUST_DOMAIN: &str = "curfew-dev";
/// Windows hosts, the one that is a machine of the Citrix site not counted.
const HOSTS: usize = 3;
/// Most users of the VPN, each of whom is asked for apart.
const VPN_USERS: usize = 10;
/// How often what happened to a session on the common machine is carried over from one side to the other.
const IN_STEP: Duration = Duration::from_millis(250);

/// All of them, at work.
pub(super) struct Simulators {
    pki: DevPki,
    citrix: CitrixSim,
    fleet: FleetSim,
    orbnet: OrbnetSim,
    /// The Citrix machine that has an agent too; none if nobody works on one.
    vda: Option<(String, Vda)>,
}

/// How many sessions each of them has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shares {
    citrix: usize,
    per_host: usize,
    vpn_users: usize,
    per_vpn_user: usize,
}

impl Shares {
    /// Three tenths for the Windows hosts and a fifth for the VPN, in equal parts for each host and each user; the rest
    /// for Citrix. There is a user in any case: a VPN without one cannot be configured.
    fn of(sessions: usize) -> Self {
        let per_host = sessions * 3 / 10 / HOSTS;
        let vpn_users = (sessions / 5).clamp(1, VPN_USERS);
        let per_vpn_user = sessions / 5 / vpn_users;
        Self {
            citrix: sessions - HOSTS * per_host - vpn_users * per_vpn_user,
            per_host,
            vpn_users,
            per_vpn_user,
        }
    }
}

impl Simulators {
    /// Starts them with so many sessions in all.
    pub(super) async fn start(sessions: usize) -> anyhow::Result<Self> {
        let shares = Shares::of(sessions);
        let certificates = "the certificates of the simulators cannot be made";
        let pki = DevPki::new(TRUST_DOMAIN).context(certificates)?;
        let server = pki.server(&["localhost"]).context(certificates)?;
        let config = CitrixSimConfig::cloud()
            .sessions(shares.citrix)
            .tls(&server.cert, &server.key);
        let citrix = CitrixSim::start(config)
            .await
            .context("the simulated Citrix site does not start")?;
        let vda = Vda::busiest(&citrix);
        let hosts = (1..=HOSTS).map(|number| format!("TERM{number:02}"));
        let config = FleetSimConfig::new(HOSTS, shares.per_host)
            .hosts(hosts.chain(vda.clone()))
            .pki(pki.clone());
        let fleet = FleetSim::start(config)
            .await
            .context("the simulated Windows hosts do not start")?;
        let vda = vda.map(|host| {
            let vda = Vda::join(&citrix, &fleet, &host);
            (host, vda)
        });
        let config = OrbnetSimConfig::default()
            .users(shares.vpn_users)
            .sessions_per_user(shares.per_vpn_user)
            .tls(&server.cert, &server.key);
        let orbnet = OrbnetSim::start(config)
            .await
            .context("the simulated VPN does not start")?;
        Ok(Self {
            pki,
            citrix,
            fleet,
            orbnet,
            vda,
        })
    }

    /// How an administrator would configure them.
    pub(super) fn backends(&self) -> anyhow::Result<Vec<BackendConfig>> {
        let citrix = self.citrix.config();
        let citrix = json!({
            "kind": "citrix",
            "id": CITRIX,
            "flavour": "cloud",
            "url": self.citrix.url(),
            "customer": citrix.customer,
            "client_id": citrix.client_id,
            "client_secret": citrix.client_secret,
            "ca": self.pki.ca_pem(),
            "allow_loopback": true,
        });
        let address = self.fleet.address();
        let hosts = self.fleet.hosts().into_iter();
        let hosts: Vec<_> = hosts
            .map(|name| json!({ "name": name, "address": address }))
            .collect();
        let windows = json!({
            "kind": "windows",
            "id": RDS,
            "ca": self.pki.ca_pem(),
            "client_cert": self.fleet.gateway_pem().cert,
            "client_key": self.fleet.gateway_pem().key,
            "trust_domain": TRUST_DOMAIN,
            "hosts": hosts,
            "allow_loopback": true,
        });
        let users = self.orbnet.users();
        let users: Vec<_> = users
            .iter()
            .map(|it| json!({ "id": it.id, "name": it.name }))
            .collect();
        let orbnet = json!({
            "kind": "orbnet",
            "id": VPN,
            "url": self.orbnet.url(),
            "token": self.orbnet.token(),
            "users": users,
            "ca": self.pki.ca_pem(),
            "allow_loopback": true,
        });
        let read = |config| serde_json::from_value(config).context("a simulator's configuration");
        [citrix, windows, orbnet].into_iter().map(read).collect()
    }

    /// The machine whose sessions two backends report.
    pub(super) fn common_machine(&self) -> Option<&str> {
        self.vda.as_ref().map(|(host, _)| host.as_str())
    }

    /// Keeps both sides of the common machine in step, for as long as it is awaited.
    pub(super) async fn keep_in_step(&self) {
        let Some((_, vda)) = &self.vda else { return };
        let mut ticks = tokio::time::interval(IN_STEP);
        loop {
            ticks.tick().await;
            vda.step(&self.citrix, &self.fleet);
        }
    }

    /// What makes each of them misbehave.
    pub(super) fn switches(simulators: &Arc<Self>) -> Vec<(&'static str, Switch)> {
        let of = |set: fn(&Self, Option<Chaos>)| -> Switch {
            let simulators = Arc::clone(simulators);
            Box::new(move |chaos| set(&simulators, chaos))
        };
        vec![
            (CITRIX, of(|all, chaos| all.citrix.chaos(chaos))),
            (RDS, of(|all, chaos| all.fleet.chaos(chaos))),
            (VPN, of(|all, chaos| all.orbnet.chaos(chaos))),
        ]
    }

    /// Ends them.
    pub(super) async fn shutdown(self) {
        self.citrix.shutdown().await;
        self.fleet.shutdown().await;
        self.orbnet.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_make_up_the_whole() {
        for sessions in 0..=1000 {
            let shares = Shares::of(sessions);
            let vpn = shares.vpn_users * shares.per_vpn_user;
            assert_eq!(shares.citrix + HOSTS * shares.per_host + vpn, sessions);
        }
        let shares = Shares {
            citrix: 100,
            per_host: 20,
            vpn_users: 10,
            per_vpn_user: 4,
        };
        assert_eq!(Shares::of(200), shares);
    }
}
