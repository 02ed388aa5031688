//! How an agent is.
//!
//! Not a monitor of the host. Invariant: it is made by a real look at the host's sessions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Host;

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Who answers.
    pub host: Host,
    /// The versions of this contract that it speaks.
    pub api_versions: Vec<u32>,
    /// How many user sessions there are.
    pub sessions: u32,
    /// The host's own policy refuses every act.
    pub read_only: bool,
    /// When the agent's certificate ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_ends_at: Option<DateTime<Utc>>,
    /// Where the sessions come from: `windows`, or `fake` in simulators.
    pub platform: String,
}
