//! What an agent is asked to do, and what it says it did.
//!
//! Not here: force (it enters the contract with its behaviour). Invariant: an act names one generation, and an instant
//! after which it must not begin.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Host, HostSession};

/// The body of every act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActRequest {
    /// The generation that is meant; if another one has the number, nothing is done (409).
    pub generation: String,
    /// The agent refuses to begin after this instant of its own clock (410). At most five minutes from now by that clock,
    /// since it also bounds for how long a request that was sent once can be sent again (400).
    pub not_after: DateTime<Utc>,
    /// The gateway's operation, 1 to 128 bytes. The same operation and attempt again is not done again but answered as
    /// before, for ten minutes and not over a restart of the agent, which forgets; after that `notAfter` stops it. After
    /// an answer with `retryAfterMs`, by which nothing was done, it is looked at afresh. The same operation and attempt
    /// for another act, or with other words to show, is refused (400).
    pub operation: String,
    /// Which attempt of the operation, from 1.
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub attempt: u32,
    /// Who asked the gateway, for the host's own log.
    pub on_behalf: OnBehalf,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The ticket it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What to show; for `message` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

/// Who asked the gateway. The host believes the gateway; it cannot check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OnBehalf {
    /// Who vouches for them (`iss`).
    pub issuer: String,
    /// Who they are there (`sub`).
    pub subject: String,
    /// Name for people.
    pub name: String,
}

/// A box on the user's desktop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its title, at most 100 characters; no control characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 100))]
    pub title: String,
    /// What it says, at most 1,000 characters; line feeds, and no other control characters.
    #[cfg_attr(feature = "openapi", schema(max_length = 1_000))]
    pub text: String,
}

/// How an agent took an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActAnswer {
    /// Who answers.
    pub host: Host,
    /// How it was taken.
    pub result: ActResult,
    /// The session as a read right after the act shows it; absent if it is gone, or was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<HostSession>,
}

/// How an agent took an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActResult {
    /// A read after the act shows its goal: the session is disconnected, or it has ended. A message is handed to the
    /// session.
    Done,
    /// Windows accepted it; its effect has not shown yet, or cannot be seen, such as that of a disconnect if the session
    /// has ended meanwhile.
    Accepted,
    /// The goal held before: nothing was done.
    Already,
}
