//! Windows hosts and RD Session Hosts, through the agent on each (`curfew-agent`; the contract is
//! `curfew-agent-api`).
//!
//! One backend is a fleet: each host is a part that can fail alone. Not here: Windows itself, and the policy of a host.
//!
//! Invariant: a host that does not answer costs the others nothing: each is given its own time, and one that failed
//! twice is asked apart until it answers again.

use std::sync::Arc;

use async_trait::async_trait;
use curfew_core::{
    BackendError, BackendId, BackendKind, Capabilities, JobRef, Listing, PartHealth, Progress, ReadCtx,
    Recorded, Reply, SessionAction, SessionBackend, SessionId, Sight, Started,
};
use tokio_util::sync::DropGuard;

use crate::{BuildError, Deps};

mod acts;
mod answer;
mod client;
mod config;
mod health;
mod host;
mod map;
mod reads;
#[cfg(test)]
pub(crate) mod tests;

pub use config::{ConfigError, HostConfig, WindowsConfig};

/// A fleet of Windows hosts.
pub struct WindowsBackend {
    fleet: Arc<client::Fleet>,
    /// Probes end with the adapter.
    _stop: DropGuard,
}

impl WindowsBackend {
    /// The adapter of a fleet. Connects to nothing.
    ///
    /// # Errors
    /// [`BuildError`] if the configuration is wrong or TLS cannot be set up.
    pub fn new(config: &WindowsConfig, deps: &Deps) -> Result<Self, BuildError> {
        let backend = || config.id.clone();
        let settings = config.check().map_err(|source| BuildError::Config {
            backend: backend(),
            source: source.into(),
        })?;
        let fleet = client::Fleet::new(settings, deps.clock.clone()).map_err(|source| BuildError::Http {
            backend: backend(),
            source,
        })?;
        fleet.remind();
        Ok(Self {
            _stop: fleet.stop.clone().drop_guard(),
            fleet: Arc::new(fleet),
        })
    }

    /// The adapter with less time for an act than can be configured.
    #[cfg(test)]
    pub(crate) fn hasty(mut self, act_timeout: std::time::Duration) -> Self {
        Arc::get_mut(&mut self.fleet)
            .expect("nobody has it yet")
            .act_timeout = act_timeout;
        self
    }
}

#[async_trait]
impl SessionBackend for WindowsBackend {
    fn id(&self) -> &BackendId {
        &self.fleet.id
    }

    fn kind(&self) -> BackendKind {
        BackendKind::Windows
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            disconnect: true,
            logoff: true,
            message: true,
            idle: true,
            bytes: true,
            ..Capabilities::default()
        }
    }

    async fn list(&self, ctx: &ReadCtx) -> Result<Listing, BackendError> {
        self.fleet.list(ctx).await
    }

    async fn get(&self, id: &SessionId, ctx: &ReadCtx) -> Result<Reply<Sight>, BackendError> {
        self.fleet.get(id, ctx).await
    }

    async fn start(&self, action: Recorded<SessionAction>) -> Result<Reply<Started>, BackendError> {
        self.fleet.start(&action).await
    }

    /// An agent has no jobs: its acts are followed by reading the session.
    async fn poll(&self, _: &JobRef, _: &ReadCtx) -> Result<Reply<Progress>, BackendError> {
        Ok(Reply {
            value: Progress::Lost,
            evidence: curfew_core::Evidence::default(),
        })
    }

    async fn check(&self, ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        self.fleet.check(ctx).await
    }
}
