//! Configuration: one TOML file and `CURFEW__SECTION__KEY` variables, read and checked as a whole at start.
//!
//! Not here: command line (`cli`) and building what is configured. [`load`] is a function of a text and of
//! [`Surroundings`], so that tests need neither files nor environment.
//! Invariant: an unknown key is an error, every problem is reported at once, and no value is ever repeated in a
//! message or in `Debug` that could be a secret.

mod check;
mod error;
mod limits;
mod load;
mod raw;
mod surroundings;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use curfew_backends::BackendConfig;
use http::HeaderValue;
use ipnet::IpNet;
use secrecy::SecretString;

use crate::auth::Issuer;
use crate::http::DoorOptions;

pub use error::{ConfigError, Problem};
pub use limits::Limits;
pub use load::{load, load_file};
pub use surroundings::{Given, Machine, Surroundings};

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listeners.
    pub server: ServerSettings,
    /// The database.
    pub database: DatabaseSettings,
    /// How long an operation may stay in each state.
    pub deadlines: curfew_core::Deadlines,
    /// Whose tokens are believed.
    pub issuers: Vec<Issuer>,
    /// The backends, secrets looked up.
    pub backends: Vec<BackendConfig>,
    /// What is allowed but probably not meant; to be logged at start.
    pub warnings: Vec<String>,
    /// What the configuration was read from, for messages.
    pub source: String,
}

/// `[server]`.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where the public listener is.
    pub listen: SocketAddr,
    /// Where `/livez`, `/readyz` and `/metrics` are.
    pub ops_listen: SocketAddr,
    /// TLS of the public listener.
    pub tls: Option<Tls>,
    /// Whether something in front speaks TLS.
    pub behind_proxy: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of the web pages that may call.
    pub allowed_origins: Vec<HeaderValue>,
    /// Limits.
    pub limits: Limits,
    /// How long requests in hand may go on when the gateway stops.
    pub drain: Duration,
}

impl ServerSettings {
    /// What the door is told.
    pub fn door_options(&self) -> DoorOptions {
        DoorOptions {
            body_bytes: self.limits.body_bytes,
            in_flight: self.limits.in_flight,
            trusted_proxies: self.trusted_proxies.clone(),
            allowed_origins: self.allowed_origins.clone(),
            ..DoorOptions::default()
        }
    }
}

/// Checked TLS; `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Tls(pub Arc<rustls::ServerConfig>);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls([redacted])")
    }
}

/// `[database]` and `[data]`.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// The URL; without one it is a SQLite file in the data directory.
    pub url: Option<SecretString>,
    /// Most connections, if it is said.
    pub max_connections: Option<u32>,
    /// The data directory.
    pub data_dir: PathBuf,
}

impl DatabaseSettings {
    /// The URL, or that of the SQLite file in the data directory.
    pub fn url(&self) -> SecretString {
        self.url
            .clone()
            .unwrap_or_else(|| format!("sqlite://{}", self.data_dir.join("curfew.db").display()).into())
    }
}

#[cfg(test)]
mod tests;
