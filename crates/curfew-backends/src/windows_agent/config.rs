//! The configuration of a Windows backend, and what remains of it once it has been checked.
//!
//! Not here: looking up secrets (the server, by [`WindowsConfig::resolved`]) and connecting.
//! Invariant: in a [`Settings`] no two hosts share a name, whatever its case, each host's name leads to the one
//! address that was checked for it, and our certificate is that of a gateway.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use curfew_agent_api::TrustDomain;
use curfew_agent_api::identity::{NameError, check_host};
use curfew_agent_api::tls::{Identity, TlsError, gateway_config};
use curfew_core::BackendId;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use url::{Host, Url};

use crate::address::{AddressError, Loopback};
use crate::{SecretError, SecretRef, SecretSource};

/// `[[backends]]` with `kind = "windows"`: hosts with an agent on each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowsConfig {
    /// Name of the backend.
    pub id: BackendId,
    /// PEM of the agents' own certificate authority, usually `file:…`; several during a rotation.
    pub ca: SecretRef,
    /// PEM of the gateway's certificate, with the URI `spiffe://<trust_domain>/gateway`.
    pub client_cert: SecretRef,
    /// PEM of its key.
    pub client_key: SecretRef,
    /// The trust domain in the certificates' URIs.
    #[serde(default = "default_trust_domain")]
    pub trust_domain: String,
    /// The hosts.
    pub hosts: Vec<HostConfig>,
    /// Whether agents may live on this machine (simulators, tunnels).
    #[serde(default)]
    pub allow_loopback: bool,
    /// Seconds between two readings.
    #[serde(default = "default_refresh")]
    pub refresh_seconds: u32,
    /// Seconds that a host may take to answer a read, 1 to 30.
    #[serde(default = "default_host_timeout")]
    pub host_timeout_seconds: u32,
    /// How many hosts are asked at the same time, 1 to 256.
    #[serde(default = "default_concurrency")]
    pub concurrency: u32,
    /// Seconds that an acting request may take, 3 to 8: connecting alone may take 2, and the lease that the act is sent
    /// under must outlast it.
    #[serde(default = "default_act_timeout")]
    pub act_timeout_seconds: u32,
}

/// One host.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// Its short name, the one in its certificate.
    pub name: String,
    /// Where its agent listens, as `term04.corp.example:7443`.
    pub address: String,
}

fn default_trust_domain() -> String {
    "curfew".to_owned()
}

fn default_refresh() -> u32 {
    10
}

fn default_host_timeout() -> u32 {
    5
}

fn default_concurrency() -> u32 {
    64
}

fn default_act_timeout() -> u32 {
    5
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value out of its range.
    #[error("`{key}` must be {must}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// A backend without hosts.
    #[error(
        "`hosts` is empty: a backend needs at least one host, as {{ name = \"TERM04\", address = \"…:7443\" }}"
    )]
    NoHosts,
    /// No name that a Windows host can have.
    #[error("`hosts`: the name `{host}` is wrong")]
    Name {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: NameError,
    },
    /// A name that a URL takes for an IPv4 address, or not at all.
    #[error("`hosts`: the name `{0}` is wrong: it reads as a number or an encoded international name")]
    NoUrl(String),
    /// Two hosts of one name.
    #[error("`hosts`: `{0}` is there twice (upper and lower case are the same)")]
    Twice(String),
    /// No address with a port.
    #[error(
        "`hosts`: the address of `{host}` must be a name or an IP address with a port, as `term04.corp.example:7443` or `[2001:db8::4]:7443`"
    )]
    Form {
        /// Whose address.
        host: String,
    },
    /// An address that breaks the rules.
    #[error("`hosts`: the address of `{host}` is refused")]
    Address {
        /// Whose address.
        host: String,
        /// Why.
        #[source]
        source: AddressError,
    },
    /// No name of a trust domain.
    #[error("`trust_domain` is wrong")]
    TrustDomain(#[source] NameError),
    /// A reference to a secret was not looked up before.
    #[error("`{0}` still is a reference: secrets must be looked up before a backend is built")]
    Unresolved(&'static str),
    /// Certificates or key cannot be used.
    #[error("`{key}` is wrong")]
    Tls {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: TlsError,
    },
}

/// A checked configuration.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) id: BackendId,
    pub(super) hosts: Vec<HostSettings>,
    /// Where the names in URLs lead: host name in lower case → name or IP address.
    pub(super) names: Arc<HashMap<String, String>>,
    pub(super) loopback: Loopback,
    pub(super) tls: rustls::ClientConfig,
    /// The end of our certificate's life, in seconds since 1970.
    pub(super) certificate_ends_at: Option<i64>,
    pub(super) host_timeout: Duration,
    pub(super) act_timeout: Duration,
    pub(super) concurrency: usize,
}

/// One host of a checked configuration.
#[derive(Debug)]
pub(super) struct HostSettings {
    /// As it stands in ids.
    pub(super) name: String,
    /// `https://<name in lower case>:<port>`: the name is what its certificate is checked against.
    pub(super) base: Url,
}

impl WindowsConfig {
    /// The configuration with every reference looked up in `source`.
    ///
    /// # Errors
    /// If a reference leads nowhere.
    pub fn resolved(mut self, source: &dyn SecretSource) -> Result<Self, SecretError> {
        for reference in [&mut self.ca, &mut self.client_cert, &mut self.client_key] {
            *reference = reference.resolve(source)?;
        }
        Ok(self)
    }

    pub(super) fn check(&self) -> Result<Settings, ConfigError> {
        let range = |key, value: u32, from, to, must| match value {
            value if (from..=to).contains(&value) => Ok(value),
            _ => Err(ConfigError::Invalid { key, must }),
        };
        range("refresh_seconds", self.refresh_seconds, 2, 3600, "2 to 3600")?;
        let host_timeout = range(
            "host_timeout_seconds",
            self.host_timeout_seconds,
            1,
            30,
            "1 to 30",
        )?;
        let concurrency = range("concurrency", self.concurrency, 1, 256, "1 to 256")?;
        let act_timeout = range("act_timeout_seconds", self.act_timeout_seconds, 3, 8, "3 to 8")?;
        let loopback = if self.allow_loopback {
            Loopback::Allowed
        } else {
            Loopback::Refused
        };
        if self.hosts.is_empty() {
            return Err(ConfigError::NoHosts);
        }
        let mut names = HashMap::with_capacity(self.hosts.len());
        let mut hosts = Vec::with_capacity(self.hosts.len());
        for host in &self.hosts {
            let (settings, leads_to) = host.check(loopback)?;
            if names.insert(host.name.to_ascii_lowercase(), leads_to).is_some() {
                return Err(ConfigError::Twice(host.name.clone()));
            }
            hosts.push(settings);
        }
        let (tls, certificate_ends_at) = self.tls()?;
        Ok(Settings {
            id: self.id.clone(),
            hosts,
            names: Arc::new(names),
            loopback,
            tls,
            certificate_ends_at,
            host_timeout: Duration::from_secs(host_timeout.into()),
            act_timeout: Duration::from_secs(act_timeout.into()),
            concurrency: usize::try_from(concurrency).unwrap_or(1),
        })
    }

    fn tls(&self) -> Result<(rustls::ClientConfig, Option<i64>), ConfigError> {
        let domain = TrustDomain::parse(&self.trust_domain).map_err(ConfigError::TrustDomain)?;
        let ca = plain("ca", &self.ca)?;
        let cert = plain("client_cert", &self.client_cert)?;
        let key = plain("client_key", &self.client_key)?;
        let wrong = |key| move |source| ConfigError::Tls { key, source };
        let identity = Identity::from_pem(cert, key).map_err(|source| {
            let key = match source {
                TlsError::Key(_) => "client_key",
                _ => "client_cert",
            };
            ConfigError::Tls { key, source }
        })?;
        identity.expect(&domain.gateway()).map_err(wrong("client_cert"))?;
        let ends_at = identity.ends_at();
        let tls = gateway_config(&domain, ca, identity).map_err(|source| {
            let key = match source {
                TlsError::Mismatch(_) => "client_key",
                _ => "ca",
            };
            ConfigError::Tls { key, source }
        })?;
        Ok((tls, ends_at))
    }
}

impl HostConfig {
    /// The checked host, and the name or IP address that its name leads to.
    fn check(&self, loopback: Loopback) -> Result<(HostSettings, String), ConfigError> {
        check_host(&self.name).map_err(|source| ConfigError::Name {
            host: self.name.clone(),
            source,
        })?;
        let form = || ConfigError::Form {
            host: self.name.clone(),
        };
        let (_, port) = self.address.rsplit_once(':').ok_or_else(form)?;
        let port: u16 = port.parse().map_err(|_| form())?;
        let url =
            loopback
                .check_url(&format!("https://{}", self.address))
                .map_err(|source| match source {
                    AddressError::NotAUrl(_) | AddressError::Extras | AddressError::Scheme => form(),
                    source => ConfigError::Address {
                        host: self.name.clone(),
                        source,
                    },
                })?;
        // What stands in the URL is taken, not the text: `0x7f.1` has become 127.0.0.1 there, and was checked as such.
        let leads_to = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(ip)) => ip.to_string(),
            Some(Host::Ipv6(ip)) => ip.to_string(),
            None => return Err(form()),
        };
        if port == 0 || url.path() != "/" {
            return Err(form());
        }
        let lower = self.name.to_ascii_lowercase();
        let base = Url::parse(&format!("https://{lower}:{port}"))
            .ok()
            // A URL reads `1234` and `0x10` as IPv4 addresses, which would bypass the name and its certificate.
            .filter(|url| url.host() == Some(Host::Domain(&lower)))
            .ok_or_else(|| ConfigError::NoUrl(self.name.clone()))?;
        let name = self.name.clone();
        Ok((HostSettings { name, base }, leads_to))
    }
}

fn plain<'a>(key: &'static str, reference: &'a SecretRef) -> Result<&'a str, ConfigError> {
    match reference.value() {
        Some(value) => Ok(value.expose_secret()),
        None => Err(ConfigError::Unresolved(key)),
    }
}
