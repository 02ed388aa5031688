//! The shapes of the file, as serde reads them. Not what the gateway uses: `check` makes that out of them.
//! Invariant: `deny_unknown_fields` everywhere, and what could be misspelt by hand is text here and parsed later,
//! with a better message.

use std::collections::BTreeMap;
use std::path::PathBuf;

use curfew_backends::SecretRef;
use serde::Deserialize;

use super::Limits;

/// The file without `[[backends]]`, whose shapes are the adapters' own.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub server: RawServer,
    pub database: RawDatabase,
    pub auth: RawAuth,
    pub data: RawData,
    pub operations: RawOperations,
}

/// How long an operation may stay in each state.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawOperations {
    pub dispatching_seconds: u64,
    pub running_seconds: u64,
    pub confirming_seconds: u64,
}

impl Default for RawOperations {
    fn default() -> Self {
        let limits = curfew_core::Deadlines::default();
        Self {
            dispatching_seconds: limits.dispatching.as_secs(),
            running_seconds: limits.running.as_secs(),
            confirming_seconds: limits.confirming.as_secs(),
        }
    }
}

/// The sections; for the message about an unknown one.
pub(super) const SECTIONS: &[&str] = &["server", "database", "auth", "data", "operations", "backends"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawServer {
    pub listen: String,
    pub ops_listen: String,
    pub tls: Option<RawTls>,
    pub behind_proxy: bool,
    pub trusted_proxies: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub limits: Limits,
    pub drain_seconds: u64,
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            ops_listen: "127.0.0.1:9464".to_owned(),
            tls: None,
            behind_proxy: false,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            limits: Limits::default(),
            drain_seconds: 20,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTls {
    pub cert: SecretRef,
    pub key: SecretRef,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDatabase {
    pub url: Option<SecretRef>,
    pub max_connections: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAuth {
    pub issuers: Vec<RawIssuer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    pub issuer: String,
    pub audience: String,
    pub jwks: Option<SecretRef>,
    #[serde(default = "default_roles_claim")]
    pub roles_claim: String,
    #[serde(default)]
    pub map: BTreeMap<String, RawGrant>,
}

fn default_roles_claim() -> String {
    "groups".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrant {
    pub role: String,
    pub backends: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawData {
    pub dir: PathBuf,
}

impl Default for RawData {
    fn default() -> Self {
        Self {
            dir: "/var/lib/curfew".into(),
        }
    }
}
