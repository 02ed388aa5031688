//! Backends and how their readings stand.
//!
//! Not here: addresses and credentials, which no caller ever sees.
//! Invariant: an error text here is one that a caller may read.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use curfew_app::App;

use super::enums::{BackendKind, ReadingStatus, SessionAction};
use crate::error::internal;

/// A configured backend: a Citrix site and the like.
pub struct Backend(pub curfew_app::directory::BackendInfo);

/// A configured backend: a Citrix site and the like.
#[Object]
impl Backend {
    /// Its name in the configuration; the part of every session id before the first `:`.
    async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The product.
    async fn kind(&self) -> BackendKind {
        self.0.kind.into()
    }

    /// What can be done to its sessions, rights apart.
    async fn actions(&self) -> Vec<SessionAction> {
        let can = &self.0.capabilities;
        let all = [
            (can.disconnect, SessionAction::Disconnect),
            (can.logoff, SessionAction::Logoff),
            (can.message, SessionAction::Message),
        ];
        all.into_iter()
            .filter_map(|(can, action)| can.then_some(action))
            .collect()
    }

    /// How its reading stands.
    async fn reading(&self, ctx: &Context<'_>) -> Result<BackendReading> {
        let reading = ctx.data::<Arc<App>>()?.directory.reading(self.0.id.as_str());
        reading
            .map(BackendReading)
            .ok_or_else(|| internal(&std::fmt::Error))
    }
}

/// How the reading of one backend stands, beside the sessions that it gave.
pub struct BackendReading(pub curfew_app::BackendReading);

/// How the reading of one backend stands, beside the sessions that it gave.
#[Object]
impl BackendReading {
    /// The backend.
    async fn backend(&self) -> Backend {
        Backend(self.0.backend.clone())
    }

    /// How it stands.
    async fn status(&self) -> ReadingStatus {
        self.0.status.into()
    }

    /// How many sessions are known of it, before any filter.
    async fn session_count(&self) -> usize {
        self.0.session_count
    }

    /// When it was last read with success.
    async fn observed_at(&self) -> Option<DateTime<Utc>> {
        self.0.observed_at
    }

    /// Its parts: sites, hosts, hubs or servers that can fail alone.
    async fn parts(&self) -> PartReadings {
        PartReadings {
            total: self.0.parts,
            failed: self
                .0
                .failed_parts
                .iter()
                .map(|(name, error)| PartReading {
                    name: name.clone(),
                    error: error.clone(),
                })
                .collect(),
        }
    }

    /// Why the last reading failed.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }
}

/// The parts of a backend: what can fail alone.
#[derive(SimpleObject)]
pub struct PartReadings {
    /// How many there are.
    total: usize,
    /// Those that could not be read.
    failed: Vec<PartReading>,
}

/// A part of a backend that could not be read.
#[derive(SimpleObject)]
pub struct PartReading {
    /// Its name.
    name: String,
    /// Why it could not be read.
    error: String,
}
