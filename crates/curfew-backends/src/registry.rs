//! The one list of adapters: a variant of the configuration and a match arm for each.
//!
//! Not here: what a kind's configuration holds (its `config.rs`), when backends are read (`curfew-app`).
//! Invariant: an unknown kind or key is an error that names it, never ignored.

use std::sync::Arc;
use std::time::Duration;

use curfew_core::{BackendId, BackendKind, Clock, SessionBackend};
use serde::Deserialize;

use crate::citrix::{CitrixBackend, CitrixConfig};
use crate::http::HttpError;
use crate::orbnet::{OrbnetBackend, OrbnetConfig};
use crate::windows_agent::{WindowsBackend, WindowsConfig};
use crate::{SecretError, SecretSource};

/// One `[[backends]]` of the configuration, told apart by its `kind`.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum BackendConfig {
    /// `kind = "citrix"`.
    Citrix(Box<CitrixConfig>),
    /// `kind = "windows"`.
    Windows(Box<WindowsConfig>),
    /// `kind = "orbnet"`.
    Orbnet(Box<OrbnetConfig>),
}

/// What every adapter is given.
#[derive(Debug, Clone)]
pub struct Deps {
    /// Source of time and of ids.
    pub clock: Arc<dyn Clock>,
}

/// Why a backend cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration contradicts itself or the address rules.
    #[error("the configuration of backend `{backend}` is wrong")]
    Config {
        /// Which backend.
        backend: BackendId,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client of backend `{backend}` cannot be made")]
    Http {
        /// Which backend.
        backend: BackendId,
        /// Why.
        #[source]
        source: HttpError,
    },
}

impl BackendConfig {
    /// Name of the backend.
    pub fn id(&self) -> &BackendId {
        match self {
            Self::Citrix(config) => &config.id,
            Self::Windows(config) => &config.id,
            Self::Orbnet(config) => &config.id,
        }
    }

    /// The product.
    pub fn kind(&self) -> BackendKind {
        match self {
            Self::Citrix(_) => BackendKind::Citrix,
            Self::Windows(_) => BackendKind::Windows,
            Self::Orbnet(_) => BackendKind::Orbnet,
        }
    }

    /// How often it is to be read.
    pub fn refresh_interval(&self) -> Duration {
        match self {
            Self::Citrix(config) => Duration::from_secs(config.refresh_seconds.into()),
            Self::Windows(config) => Duration::from_secs(config.refresh_seconds.into()),
            Self::Orbnet(config) => config.refresh_interval(),
        }
    }

    /// The configuration with every reference to a secret looked up in `source`.
    ///
    /// # Errors
    /// If a reference leads nowhere.
    pub fn resolved(self, source: &dyn SecretSource) -> Result<Self, SecretError> {
        match self {
            Self::Citrix(config) => Ok(Self::Citrix(Box::new(config.resolved(source)?))),
            Self::Windows(config) => Ok(Self::Windows(Box::new(config.resolved(source)?))),
            Self::Orbnet(config) => Ok(Self::Orbnet(Box::new(config.resolved(source)?))),
        }
    }
}

/// Builds the adapter of a backend whose secrets have been looked up ([`BackendConfig::resolved`]). Connects to
/// nothing; the process must have installed a TLS provider.
///
/// # Errors
/// [`BuildError`] if the configuration is wrong or TLS cannot be set up.
pub fn build(config: &BackendConfig, deps: &Deps) -> Result<Arc<dyn SessionBackend>, BuildError> {
    match config {
        BackendConfig::Citrix(config) => Ok(Arc::new(CitrixBackend::new(config, deps)?)),
        BackendConfig::Windows(config) => Ok(Arc::new(WindowsBackend::new(config, deps)?)),
        BackendConfig::Orbnet(config) => Ok(Arc::new(OrbnetBackend::new(config, deps)?)),
    }
}

#[cfg(test)]
mod tests;
