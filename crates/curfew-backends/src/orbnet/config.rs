//! The configuration of an OrbNet backend, and what remains of it once it has been checked.
//!
//! Not here: looking up secrets (the server, by [`OrbnetConfig::resolved`]) and connecting.
//! Invariant: a [`Settings`] is free of contradictions, its URL has passed the address rules, and no user stands in
//! it twice, neither by id nor by name.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use curfew_core::{BackendId, PartName};
use http::HeaderValue;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use url::Url;

use super::pace::Rate;
use crate::address::{AddressError, Loopback};
use crate::{SecretError, SecretRef, SecretSource};

/// Longest pause between two readings that can be asked for, in seconds.
const LONGEST_REFRESH: u32 = 3600;
/// Longest name of a user, in bytes.
const MAX_NAME: usize = 128;

/// `[[backends]]` with `kind = "orbnet"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrbnetConfig {
    /// Name of the backend.
    pub id: BackendId,
    /// The GraphQL endpoint; the vendor's by default.
    #[serde(default = "default_url")]
    pub url: String,
    /// A token with the scope `admin`; `reseller` can list and not disconnect.
    pub token: SecretRef,
    /// Whose sessions to list: the vendor has no listing of all.
    pub users: Vec<UserConfig>,
    /// Which of a session's two ids `disconnectBySessionId` is given.
    #[serde(default)]
    pub disconnect_by: DisconnectBy,
    /// How many requests a minute the vendor allows.
    #[serde(default = "default_rate")]
    pub requests_per_minute: u32,
    /// Seconds between two readings; by default 30, a tenth of a second for each user, or as long as it takes to ask
    /// for all of them at the rate above: whichever is more.
    pub refresh_seconds: Option<u32>,
    /// PEM of the only certificate authorities to trust, usually `file:…`; without it the system's.
    pub ca: Option<SecretRef>,
    /// Whether the service may live on this machine (simulators, tunnels).
    #[serde(default)]
    pub allow_loopback: bool,
    /// Seconds that an acting request may take, 3 to 8: connecting alone may take 2, and the lease that the act is sent
    /// under must outlast it.
    #[serde(default = "default_act_timeout")]
    pub act_timeout_seconds: u32,
}

/// A user whose sessions are listed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// The vendor's number of the user.
    pub id: i32,
    /// Name for people, as the listing shows it.
    pub name: Option<String>,
}

/// Which id the vendor's mutation is given. The documentation calls the argument `onlineSessionId` and does not say
/// which field of a row it is; its example looks like a `sessionId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisconnectBy {
    /// `sessionId`, as `sess_abc123xyz789`.
    #[default]
    SessionId,
    /// `id`, as `active_001`.
    Id,
}

fn default_url() -> String {
    "https://api.orbnet.com/graphql".to_owned()
}

fn default_rate() -> u32 {
    1000
}

fn default_act_timeout() -> u32 {
    8
}

impl OrbnetConfig {
    /// The configuration with every reference looked up in `source`.
    ///
    /// # Errors
    /// If a reference leads nowhere.
    pub fn resolved(mut self, source: &dyn SecretSource) -> Result<Self, SecretError> {
        self.token = self.token.resolve(source)?;
        if let Some(ca) = &mut self.ca {
            *ca = ca.resolve(source)?;
        }
        Ok(self)
    }

    /// How often it is to be read.
    pub fn refresh_interval(&self) -> Duration {
        match self.refresh_seconds {
            Some(seconds) => Duration::from_secs(seconds.into()),
            None => Duration::from_secs(30)
                .max(Duration::from_millis(100 * self.users.len() as u64))
                .max(self.shortest_refresh()),
        }
    }

    /// How long it takes to ask for every user once, in whole seconds.
    fn shortest_refresh(&self) -> Duration {
        let all = Rate::of(self.requests_per_minute).listing_takes(self.users.len());
        Duration::from_secs(all.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
    }

    pub(super) fn check(&self) -> Result<Settings, ConfigError> {
        let range = |key, value: u32, from, to, must| match value {
            value if (from..=to).contains(&value) => Ok(value),
            _ => Err(ConfigError::Invalid { key, must }),
        };
        let loopback = if self.allow_loopback {
            Loopback::Allowed
        } else {
            Loopback::Refused
        };
        let url = loopback.check_url(&self.url).map_err(ConfigError::Address)?;
        let per_minute = range(
            "requests_per_minute",
            self.requests_per_minute,
            10,
            100_000,
            "10 to 100000",
        )?;
        let act_timeout = range("act_timeout_seconds", self.act_timeout_seconds, 3, 8, "3 to 8")?;
        let users = users(&self.users)?;
        self.check_refresh()?;
        let ca = match &self.ca {
            Some(ca) => Some(ca.value().ok_or(ConfigError::Unresolved("ca"))?),
            None => None,
        };
        Ok(Settings {
            id: self.id.clone(),
            url,
            authorization: self.authorization()?,
            users,
            disconnect_by: self.disconnect_by,
            rate: Rate::of(per_minute),
            ca: ca.map(|ca| ca.expose_secret().to_owned()),
            loopback,
            act_timeout: Duration::from_secs(act_timeout.into()),
        })
    }

    fn check_refresh(&self) -> Result<(), ConfigError> {
        let needed = self.shortest_refresh().as_secs();
        if needed > LONGEST_REFRESH.into() {
            return Err(ConfigError::TooManyUsers {
                users: self.users.len(),
                per_minute: self.requests_per_minute,
            });
        }
        match self.refresh_seconds {
            Some(given) if !(5..=LONGEST_REFRESH).contains(&given) => Err(ConfigError::Invalid {
                key: "refresh_seconds",
                must: "5 to 3600",
            }),
            Some(given) if u64::from(given) < needed => Err(ConfigError::TooOften {
                needed,
                users: self.users.len(),
                per_minute: self.requests_per_minute,
            }),
            _ => Ok(()),
        }
    }

    fn authorization(&self) -> Result<HeaderValue, ConfigError> {
        let invalid = ConfigError::Invalid {
            key: "token",
            must: "a token as it stands behind `Bearer`: one word of printable ASCII",
        };
        let token = self.token.value().ok_or(ConfigError::Unresolved("token"))?;
        let token = token.expose_secret();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid);
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| invalid)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A value out of its range or form.
    #[error("`{key}` must be {must}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// The URL breaks the rules for addresses.
    #[error("`url` is refused")]
    Address(#[source] AddressError),
    /// There is nobody to list.
    #[error("`users` is empty: the vendor lists sessions user by user, so every user must be named")]
    NoUsers,
    /// An id stands there twice.
    #[error("`users` holds the id {0} twice")]
    SameId(i32),
    /// Two users would be shown under one name.
    #[error("`users` {first} and {second} are both called `{name}`")]
    SameName {
        /// The name.
        name: String,
        /// The one id.
        first: i32,
        /// The other.
        second: i32,
    },
    /// All users cannot be asked for in the time between two readings.
    #[error(
        "`refresh_seconds` must be at least {needed}: {users} users are one request each, and {per_minute} requests a \
         minute are allowed, of which a tenth is kept for acts"
    )]
    TooOften {
        /// The smallest value that can be kept, in seconds.
        needed: u64,
        /// How many users.
        users: usize,
        /// How many requests a minute.
        per_minute: u32,
    },
    /// Not even once an hour.
    #[error("{users} users cannot be read within an hour at {per_minute} requests a minute")]
    TooManyUsers {
        /// How many users.
        users: usize,
        /// How many requests a minute.
        per_minute: u32,
    },
    /// A reference to a secret was not looked up before.
    #[error("`{0}` still is a reference: secrets must be looked up before a backend is built")]
    Unresolved(&'static str),
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) id: BackendId,
    pub(super) url: Url,
    /// The header with the token; marked sensitive, so that it does not print.
    pub(super) authorization: HeaderValue,
    pub(super) users: Vec<User>,
    pub(super) disconnect_by: DisconnectBy,
    pub(super) rate: Rate,
    pub(super) ca: Option<String>,
    pub(super) loopback: Loopback,
    pub(super) act_timeout: Duration,
}

/// A user: a part of the backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: i32,
    /// The configured name, else `user <id>`.
    pub(super) name: PartName,
}

fn users(configured: &[UserConfig]) -> Result<Vec<User>, ConfigError> {
    if configured.is_empty() {
        return Err(ConfigError::NoUsers);
    }
    let mut ids = HashSet::new();
    let mut names: HashMap<String, i32> = HashMap::new();
    let mut users = Vec::with_capacity(configured.len());
    for user in configured {
        if user.id < 1 {
            return Err(ConfigError::Invalid {
                key: "users[].id",
                must: "a number from 1",
            });
        }
        if !ids.insert(user.id) {
            return Err(ConfigError::SameId(user.id));
        }
        let name = match user.name.as_deref().map(str::trim) {
            Some(name) if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) => {
                return Err(ConfigError::Invalid {
                    key: "users[].name",
                    must: "1 to 128 bytes long and free of control characters",
                });
            }
            Some(name) => name.to_owned(),
            None => format!("user {}", user.id),
        };
        if let Some(first) = names.insert(name.clone(), user.id) {
            return Err(ConfigError::SameName {
                name,
                first,
                second: user.id,
            });
        }
        users.push(User {
            id: user.id,
            name: PartName::new(&name),
        });
    }
    Ok(users)
}
