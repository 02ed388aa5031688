//! The agent's settings: a TOML file, and the files that it names.
//!
//! Not here: what a policy does (`policy`). No variable of the environment has a say: who may change what a host allows
//! is who may write its file. Invariant: what cannot be used is refused at the start, with the setting's name.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use curfew_agent_api::TrustDomain;
use curfew_agent_api::identity::check_host;
use curfew_agent_api::tls::{Identity, TlsError, agent_config};
use serde::Deserialize;

use crate::acts::ActLog;
use crate::agent::AgentSettings;
use crate::policy::{Policy, unusable};

/// Most acts at the same time that may be set.
const MOST_ACTS: usize = 64;

/// What the file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    listen: SocketAddr,
    host: String,
    dns_name: Option<String>,
    trust_domain: String,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    act_log: PathBuf,
    #[serde(default)]
    policy: Policy,
}

/// The settings of an agent, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The trust domain of host and gateway.
    pub trust_domain: TrustDomain,
    host: String,
    dns_name: Option<String>,
    policy: Policy,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    act_log: ActLog,
}

/// Why there are no settings.
#[derive(Debug)]
pub struct ConfigError {
    path: PathBuf,
    problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cannot be used: {}",
            self.path.display(),
            self.problems.join("; ")
        )
    }
}

impl std::error::Error for ConfigError {}

/// What TLS needs, read from the files.
#[derive(Debug)]
pub struct Credentials {
    /// The agent's side of every connection.
    pub tls: Arc<rustls::ServerConfig>,
    /// The agent's id in its certificate.
    pub id: String,
    /// When the certificate ends.
    pub ends_at: Option<DateTime<Utc>>,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("`{setting}`: {} cannot be read", path.display())]
    Read {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The files are not what they should be.
    #[error("`ca`, `cert`, `key`: these files cannot be used")]
    Use(#[from] TlsError),
}

impl Config {
    /// Reads a file; paths in it are taken from its folder.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let failed = |problems| ConfigError {
            path: path.to_path_buf(),
            problems,
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| failed(vec![format!("it cannot be read ({error})")]))?;
        let raw: Raw =
            toml::from_str(&text).map_err(|error| failed(vec![error.to_string().trim_end().to_owned()]))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::check(raw, folder).map_err(failed)
    }

    fn check(raw: Raw, folder: &Path) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        if let Err(error) = check_host(&raw.host) {
            problems.push(format!("`host`: {error}"));
        }
        let trust_domain = TrustDomain::parse(&raw.trust_domain);
        if let Err(error) = &trust_domain {
            problems.push(format!("`trust_domain`: {error}"));
        }
        if !(1..=MOST_ACTS).contains(&raw.policy.concurrency) {
            problems.push(format!("`policy.concurrency` is 1 to {MOST_ACTS}"));
        }
        let protected = raw.policy.protected_users.iter();
        problems.extend(protected.filter_map(|entry| unusable(entry)));
        match trust_domain {
            Ok(trust_domain) if problems.is_empty() => Ok(Self {
                listen: raw.listen,
                trust_domain,
                host: raw.host,
                dns_name: raw.dns_name,
                policy: raw.policy,
                ca: folder.join(raw.ca),
                cert: folder.join(raw.cert),
                key: folder.join(raw.key),
                act_log: ActLog::at(folder.join(raw.act_log)),
            }),
            _ => Err(problems),
        }
    }

    /// Reads the certificates and the key, and checks that they are this host's and of the authority that gateways are
    /// checked with. A certificate that has ended by `now` is for the caller to refuse.
    ///
    /// # Errors
    /// [`CredentialsError`] that names what is wrong.
    pub fn credentials(&self, now: DateTime<Utc>) -> Result<Credentials, CredentialsError> {
        let ca = read("ca", &self.ca)?;
        let identity = Identity::from_pem(&read("cert", &self.cert)?, &read("key", &self.key)?)?;
        let id = self.trust_domain.agent(&self.host);
        identity.expect(&id)?;
        let ends_at = identity.ends_at();
        if ends_at.is_some_and(|ends_at| ends_at > now.timestamp()) {
            identity.check_issuer(&ca, now.timestamp())?;
        }
        Ok(Credentials {
            tls: Arc::new(agent_config(&self.trust_domain, &ca, identity)?),
            id,
            ends_at: ends_at.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        })
    }

    /// What the agent has to know.
    pub fn agent_settings(&self, credentials: &Credentials) -> AgentSettings {
        AgentSettings {
            host: self.host.clone(),
            dns_name: self.dns_name.clone(),
            policy: self.policy.clone(),
            certificate_ends_at: credentials.ends_at,
            act_log: Some(self.act_log.clone()),
        }
    }

    /// What the host allows.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Where acts are written down.
    pub fn act_log(&self) -> &ActLog {
        &self.act_log
    }

    /// The host's short name.
    pub fn host(&self) -> &str {
        &self.host
    }
}

fn read(setting: &'static str, path: &Path) -> Result<String, CredentialsError> {
    std::fs::read_to_string(path).map_err(|source| CredentialsError::Read {
        setting,
        path: path.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests;
