//! OrbNet (OrbVPN): a hosted VPN with a GraphQL API.
//!
//! Written against the vendor's pages and never tried against its service. The vendor lists sessions user by user, so
//! every user whose sessions are to be seen stands in the configuration and is a part of the backend: one request each,
//! at a pace.
//! Not here: its REST product, which has no way to end another's session.
//!
//! Invariant: a session is its user, its `sessionId` and its start; whoever has the `sessionId` later is another.

use async_trait::async_trait;
use curfew_core::{
    BackendError, BackendId, BackendKind, Capabilities, Evidence, JobRef, Listing, PartHealth, Progress,
    ReadCtx, Recorded, Reply, SessionAction, SessionBackend, SessionId, Sight, Started,
};

use crate::{BuildError, Deps};

mod acts;
mod answer;
mod arguments;
mod client;
mod config;
mod map;
mod pace;
mod reads;
mod sweep;
#[cfg(test)]
mod tests;
mod wire;

pub use config::{ConfigError, DisconnectBy, OrbnetConfig, UserConfig};

/// An account at OrbNet.
pub struct OrbnetBackend {
    client: client::Client,
}

impl OrbnetBackend {
    /// The adapter. Connects to nothing.
    ///
    /// # Errors
    /// [`BuildError`] if the configuration is wrong or TLS cannot be set up.
    pub fn new(config: &OrbnetConfig, deps: &Deps) -> Result<Self, BuildError> {
        let backend = || config.id.clone();
        let settings = config.check().map_err(|source| BuildError::Config {
            backend: backend(),
            source: source.into(),
        })?;
        let client =
            client::Client::new(settings, deps.clock.clone()).map_err(|source| BuildError::Http {
                backend: backend(),
                source,
            })?;
        Ok(Self { client })
    }

    /// The adapter with less time for an act than can be configured.
    #[cfg(test)]
    pub(crate) fn hasty(mut self, act_timeout: std::time::Duration) -> Self {
        self.client.settings.act_timeout = act_timeout;
        self
    }
}

#[async_trait]
impl SessionBackend for OrbnetBackend {
    fn id(&self) -> &BackendId {
        &self.client.settings.id
    }

    fn kind(&self) -> BackendKind {
        BackendKind::Orbnet
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            disconnect: true,
            disconnect_ends_session: true,
            ..Capabilities::default()
        }
    }

    async fn list(&self, ctx: &ReadCtx) -> Result<Listing, BackendError> {
        self.client.list(ctx).await
    }

    async fn get(&self, id: &SessionId, ctx: &ReadCtx) -> Result<Reply<Sight>, BackendError> {
        self.client.get(id, ctx).await
    }

    async fn start(&self, action: Recorded<SessionAction>) -> Result<Reply<Started>, BackendError> {
        self.client.start(action.get()).await
    }

    async fn poll(&self, _: &JobRef, _: &ReadCtx) -> Result<Reply<Progress>, BackendError> {
        // No act of this vendor is a job.
        Ok(Reply {
            value: Progress::Lost,
            evidence: Evidence::default(),
        })
    }

    async fn check(&self, ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        self.client.check(ctx).await
    }
}
