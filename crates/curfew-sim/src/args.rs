//! The command line of `curfew-sim`. Invariant: what is not given is as in the simulator's own default.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args as Group, Parser, Subcommand};
use curfew_sim::{CitrixSimConfig, Flavour, OrbnetSimConfig, TlsPem, Variant, orbnet};

use crate::hosts::{Fleet, MakeCa};
use crate::made::{MakeIssuer, MakePassword, MakeTokens};

/// Simulators of the vendors' servers.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) simulator: Simulator,
    /// What to log on stderr, such as `info` or `curfew_sim=debug`.
    #[arg(long, global = true, default_value = "info")]
    pub(crate) log: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Simulator {
    /// A Citrix site, cloud or on-prem.
    Citrix(Box<Citrix>),
    /// OrbNet, a hosted VPN.
    Orbnet(Box<Orbnet>),
    /// Windows hosts with an agent on each.
    Fleet(Box<Fleet>),
    /// Make a certificate authority for agents and gateways, and their certificates.
    Ca(MakeCa),
    /// Make an issuer of tokens: a key, and its JWKS for gateways.
    Issuer(MakeIssuer),
    /// Print tokens of an issuer that `issuer` made.
    Token(MakeTokens),
    /// Make a password for a database, and the URL with it.
    Password(MakePassword),
}

#[derive(Debug, Group)]
pub(crate) struct Citrix {
    /// Where the API listens; port 0 picks a free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    /// Where the control listener listens; it has no protection.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// The base URL to name in answers, if it is not the address listened on.
    #[arg(long)]
    public_url: Option<String>,
    /// How many sessions there are at start.
    #[arg(long)]
    sessions: Option<usize>,
    #[arg(long, value_enum, default_value_t)]
    flavour: Flavour,
    /// The API client's id (cloud).
    #[arg(long)]
    client_id: Option<String>,
    /// The API client's secret (cloud).
    #[arg(long)]
    client_secret: Option<String>,
    /// The administrator's name (on-prem).
    #[arg(long)]
    username: Option<String>,
    /// The administrator's password (on-prem).
    #[arg(long)]
    password: Option<String>,
    /// The customer id (cloud).
    #[arg(long)]
    customer: Option<String>,
    /// The site id.
    #[arg(long)]
    site: Option<String>,
    /// The seed of the estate.
    #[arg(long)]
    seed: Option<u64>,
    /// How long a log-off takes, in milliseconds.
    #[arg(long)]
    logoff_ms: Option<u64>,
    /// How long a token is good, in seconds.
    #[arg(long)]
    token_seconds: Option<u64>,
    /// A PEM file with the certificate chain, to speak HTTPS.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// A PEM file with the private key.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A deviation from the specification; may be given several times.
    #[arg(long, value_enum)]
    variant: Vec<Variant>,
}

#[derive(Debug, Group)]
pub(crate) struct Orbnet {
    /// Where the API listens; port 0 picks a free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    listen: SocketAddr,
    /// Where the control listener listens; it has no protection.
    #[arg(long)]
    control: Option<SocketAddr>,
    /// The base URL to name, if it is not the address listened on.
    #[arg(long)]
    public_url: Option<String>,
    /// How many users there are at start.
    #[arg(long)]
    users: Option<usize>,
    /// How many sessions each of them has at start.
    #[arg(long)]
    sessions_per_user: Option<usize>,
    /// The token with the scope `admin`.
    #[arg(long)]
    token: Option<String>,
    /// The token with the scope `reseller`.
    #[arg(long)]
    reseller_token: Option<String>,
    /// Requests that a token may make in a minute; 0: any number.
    #[arg(long)]
    requests_per_minute: Option<u32>,
    /// Clients that were disconnected come back after so many milliseconds.
    #[arg(long)]
    reconnect_ms: Option<u64>,
    /// The seed of the estate.
    #[arg(long)]
    seed: Option<u64>,
    /// A PEM file with the certificate chain, to speak HTTPS.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// A PEM file with the private key.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A deviation from the documentation; may be given several times.
    #[arg(long, value_enum)]
    variant: Vec<orbnet::Variant>,
}

impl Orbnet {
    pub(crate) fn config(self) -> anyhow::Result<OrbnetSimConfig> {
        let defaults = OrbnetSimConfig::default();
        let config = OrbnetSimConfig {
            listen: self.listen,
            control: self.control,
            public_url: self.public_url,
            tls: tls(self.tls_cert, self.tls_key)?,
            users: self.users.unwrap_or(defaults.users),
            sessions_per_user: self.sessions_per_user.unwrap_or(defaults.sessions_per_user),
            token: self.token.unwrap_or(defaults.token),
            reseller_token: self.reseller_token.unwrap_or(defaults.reseller_token),
            requests_per_minute: self
                .requests_per_minute
                .map_or(defaults.requests_per_minute, |limit| {
                    Some(limit).filter(|limit| *limit > 0)
                }),
            reconnect: self.reconnect_ms.map(Duration::from_millis),
            seed: self.seed.unwrap_or(defaults.seed),
            ..OrbnetSimConfig::default()
        };
        Ok(self.variant.into_iter().fold(config, OrbnetSimConfig::with))
    }
}

impl Citrix {
    pub(crate) fn config(self) -> anyhow::Result<CitrixSimConfig> {
        let defaults = CitrixSimConfig::default();
        let tls = tls(self.tls_cert, self.tls_key)?;
        let config = CitrixSimConfig {
            listen: self.listen,
            control: self.control,
            public_url: self.public_url,
            tls,
            flavour: self.flavour,
            sessions: self.sessions.unwrap_or(defaults.sessions),
            seed: self.seed.unwrap_or(defaults.seed),
            customer: self.customer.unwrap_or(defaults.customer),
            site: self.site.unwrap_or(defaults.site),
            client_id: self.client_id.unwrap_or(defaults.client_id),
            client_secret: self.client_secret.unwrap_or(defaults.client_secret),
            username: self.username.unwrap_or(defaults.username),
            password: self.password.unwrap_or(defaults.password),
            logoff: self.logoff_ms.map_or(defaults.logoff, Duration::from_millis),
            token_lifetime: self
                .token_seconds
                .map_or(defaults.token_lifetime, Duration::from_secs),
            ..CitrixSimConfig::default()
        };
        Ok(self.variant.into_iter().fold(config, CitrixSimConfig::with))
    }
}

fn tls(cert: Option<PathBuf>, key: Option<PathBuf>) -> anyhow::Result<Option<TlsPem>> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsPem {
            cert: read(&cert)?,
            key: read(&key)?,
        })),
        _ => Ok(None),
    }
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}
