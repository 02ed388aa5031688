//! Citrix: Virtual Apps and Desktops on a Delivery Controller, and DaaS in Citrix Cloud.
//!
//! Written against the vendor's specification and client; where documentation and specification differ, both
//! answers are understood. Not here: Monitor OData (idle times), which lags and takes one caller at a time.
//!
//! Invariant: a session is its GUID. GUIDs are never given again, so `Replaced` can only answer an id that
//! Curfew never gave out.

use std::sync::Arc;

use async_trait::async_trait;
use curfew_core::{
    BackendError, BackendId, BackendKind, Capabilities, JobRef, Listing, PartHealth, Progress, ReadCtx,
    Recorded, Reply, SessionAction, SessionBackend, SessionId, Sight, Started,
};

use crate::{BuildError, Deps};

mod acts;
mod answer;
mod auth;
mod client;
mod config;
mod map;
mod reads;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

pub use config::{CitrixConfig, ConfigError, Flavour, Region, ZoneLessDates};

/// A Citrix site.
pub struct CitrixBackend {
    client: Arc<client::Client>,
}

impl CitrixBackend {
    /// The adapter of a site. Connects to nothing.
    ///
    /// # Errors
    /// [`BuildError`] if the configuration is wrong or TLS cannot be set up.
    pub fn new(config: &CitrixConfig, deps: &Deps) -> Result<Self, BuildError> {
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
        Ok(Self {
            client: Arc::new(client),
        })
    }
}

#[async_trait]
impl SessionBackend for CitrixBackend {
    fn id(&self) -> &BackendId {
        &self.client.settings.id
    }

    fn kind(&self) -> BackendKind {
        BackendKind::Citrix
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            disconnect: true,
            logoff: true,
            message: true,
            async_logoff: true,
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

    async fn poll(&self, job: &JobRef, ctx: &ReadCtx) -> Result<Reply<Progress>, BackendError> {
        self.client.poll(job, ctx).await
    }

    async fn check(&self, ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        let (me, _) = self.client.me(ctx.deadline).await?;
        self.client.peek(ctx.deadline).await?;
        let who = me.who.as_deref().unwrap_or("an unnamed account");
        let sites: Vec<&str> = me
            .sites
            .iter()
            .map(|(id, name)| name.as_deref().unwrap_or(id))
            .collect();
        let seen = match &*sites {
            [] => format!("sessions can be read as {who}"),
            sites => format!("sessions can be read as {who} (sites: {})", sites.join(", ")),
        };
        Ok(vec![PartHealth {
            name: self.client.frame.part.clone(),
            outcome: Ok(seen),
        }])
    }
}
