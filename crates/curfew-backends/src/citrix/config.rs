//! The configuration of a Citrix backend, and what remains of it once it has been checked.
//!
//! Not here: looking up secrets (the server, by [`CitrixConfig::resolved`]) and connecting.
//! Invariant: a [`Settings`] is free of contradictions, and its URLs have passed the address rules.

use std::time::Duration;

use curfew_core::BackendId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use crate::address::{AddressError, Loopback};
use crate::{SecretError, SecretRef, SecretSource};

/// `Citrix-CustomerId` of every on-prem site (the default of the vendor's specification).
const ON_PREM_CUSTOMER: &str = "CitrixOnPremises";
/// Largest page that the vendor promises to accept.
const MAX_PAGE_SIZE: u32 = 1000;

/// `[[backends]]` with `kind = "citrix"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CitrixConfig {
    /// Name of the backend.
    pub id: BackendId,
    /// Cloud (DaaS) or on-prem (CVAD).
    pub flavour: Flavour,
    /// Cloud: where the customer's tenant lives; `global` by default.
    pub region: Option<Region>,
    /// Cloud: the customer id.
    pub customer: Option<String>,
    /// Cloud: id of the API client (service principal).
    pub client_id: Option<SecretRef>,
    /// Cloud: its secret.
    pub client_secret: Option<SecretRef>,
    /// On-prem: the Delivery Controller, as `https://ddc01.corp.example`. Cloud: instead of the region's host.
    pub url: Option<String>,
    /// On-prem: a Citrix administrator, as `DOMAIN\name`.
    pub username: Option<SecretRef>,
    /// On-prem: the administrator's password.
    pub password: Option<SecretRef>,
    /// Site id; without it the one site that `/me` lists.
    pub site: Option<String>,
    /// PEM of the only certificate authorities to trust, usually `file:…`; without it the system's.
    pub ca: Option<SecretRef>,
    /// Whether the site may live on this machine (simulators, tunnels).
    #[serde(default)]
    pub allow_loopback: bool,
    /// How to read dates that come without a zone; without it they are unknown.
    pub zone_less_dates: Option<ZoneLessDates>,
    /// Seconds between two readings.
    #[serde(default = "default_refresh")]
    pub refresh_seconds: u32,
    /// Sessions per page of a listing, at most 1,000.
    #[serde(default = "default_page_size")]
    pub page_size: u32,
    /// Seconds that an acting request may take, at most 8: the lease that it is sent under must outlast it.
    #[serde(default = "default_act_timeout")]
    pub act_timeout_seconds: u32,
}

fn default_refresh() -> u32 {
    15
}

fn default_page_size() -> u32 {
    MAX_PAGE_SIZE
}

fn default_act_timeout() -> u32 {
    8
}

/// Which of the two products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavour {
    /// Citrix DaaS.
    Cloud,
    /// Citrix Virtual Apps and Desktops on a Delivery Controller.
    OnPrem,
}

/// Where a cloud customer's tenant lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// `api.cloud.com`.
    Global,
    /// `api-us.cloud.com`.
    Us,
    /// `api-eu.cloud.com`.
    Eu,
    /// `api-ap-s.cloud.com`.
    ApS,
    /// `api.citrixcloud.jp`.
    Jp,
    /// Citrix Cloud Government; refused, see [`ConfigError::Government`].
    Gov,
}

/// What a date without a zone means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZoneLessDates {
    /// The site's servers run in UTC.
    Utc,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The flavour needs a key that is not there.
    #[error("`{key}` is missing: flavour = \"{flavour}\" needs {needs}")]
    Missing {
        /// The key.
        key: &'static str,
        /// The flavour.
        flavour: &'static str,
        /// All it needs.
        needs: &'static str,
    },
    /// The key belongs to the other flavour.
    #[error("`{key}` does not go with flavour = \"{flavour}\"")]
    Misplaced {
        /// The key.
        key: &'static str,
        /// The flavour.
        flavour: &'static str,
    },
    /// A value out of its range or form.
    #[error("`{key}` must be {must}")]
    Invalid {
        /// The key.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
    /// Another token service and another form of URL, which nobody has tried.
    #[error(
        "region = \"gov\" is not supported: Citrix Cloud Government signs in at another token service and uses \
         another form of URL"
    )]
    Government,
    /// The URL breaks the rules for addresses.
    #[error("`url` is refused")]
    Address(#[source] AddressError),
    /// A reference to a secret was not looked up before.
    #[error("`{0}` still is a reference: secrets must be looked up before a backend is built")]
    Unresolved(&'static str),
}

/// How to sign in.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    /// OAuth 2 client credentials.
    Client { id: SecretString, secret: SecretString },
    /// Basic authentication of an administrator.
    Admin {
        name: SecretString,
        password: SecretString,
    },
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) id: BackendId,
    /// Scheme, host and port, and a path in front of the vendor's if there is one; no slash at the end.
    pub(super) origin: String,
    pub(super) base: Url,
    pub(super) customer: String,
    pub(super) site: Option<String>,
    pub(super) credentials: Credentials,
    pub(super) ca: Option<String>,
    pub(super) loopback: Loopback,
    pub(super) zone_less: Option<ZoneLessDates>,
    pub(super) page_size: u32,
    pub(super) act_timeout: Duration,
}

impl Region {
    const fn host(self) -> Option<&'static str> {
        match self {
            Self::Global => Some("https://api.cloud.com"),
            Self::Us => Some("https://api-us.cloud.com"),
            Self::Eu => Some("https://api-eu.cloud.com"),
            Self::ApS => Some("https://api-ap-s.cloud.com"),
            Self::Jp => Some("https://api.citrixcloud.jp"),
            Self::Gov => None,
        }
    }
}

impl CitrixConfig {
    /// The configuration with every reference looked up in `source`.
    ///
    /// # Errors
    /// If a reference leads nowhere.
    pub fn resolved(mut self, source: &dyn SecretSource) -> Result<Self, SecretError> {
        let references = [
            &mut self.client_id,
            &mut self.client_secret,
            &mut self.username,
            &mut self.password,
            &mut self.ca,
        ];
        for reference in references.into_iter().flatten() {
            *reference = reference.resolve(source)?;
        }
        Ok(self)
    }

    #[cfg(test)]
    pub(crate) fn origin(&self) -> String {
        self.check().map(|settings| settings.origin).unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<Settings, ConfigError> {
        let range = |key, value: u32, from, to, must| match value {
            value if (from..=to).contains(&value) => Ok(value),
            _ => Err(ConfigError::Invalid { key, must }),
        };
        range("refresh_seconds", self.refresh_seconds, 2, 3600, "2 to 3600")?;
        let page_size = range("page_size", self.page_size, 1, MAX_PAGE_SIZE, "1 to 1000")?;
        let act_timeout = range("act_timeout_seconds", self.act_timeout_seconds, 1, 8, "1 to 8")?;
        let loopback = if self.allow_loopback {
            Loopback::Allowed
        } else {
            Loopback::Refused
        };
        let (origin, customer, credentials) = match self.flavour {
            Flavour::Cloud => self.cloud()?,
            Flavour::OnPrem => self.on_prem()?,
        };
        let base = loopback.check_url(&origin).map_err(ConfigError::Address)?;
        if let Some(site) = &self.site {
            identifier("site", site)?;
        }
        Ok(Settings {
            id: self.id.clone(),
            origin: trimmed(&base),
            base,
            customer,
            site: self.site.clone(),
            credentials,
            ca: plain("ca", self.ca.as_ref())?.map(|ca| ca.expose_secret().to_owned()),
            loopback,
            zone_less: self.zone_less_dates,
            page_size,
            act_timeout: Duration::from_secs(act_timeout.into()),
        })
    }

    fn cloud(&self) -> Result<(String, String, Credentials), ConfigError> {
        const NEEDS: &str = "customer, client_id and client_secret";
        let missing = |key| ConfigError::Missing {
            key,
            flavour: "cloud",
            needs: NEEDS,
        };
        forbid(
            "cloud",
            &[
                ("username", self.username.is_some()),
                ("password", self.password.is_some()),
            ],
        )?;
        let customer = self.customer.as_deref().ok_or_else(|| missing("customer"))?;
        identifier("customer", customer)?;
        let origin = match (&self.url, self.region.unwrap_or(Region::Global).host()) {
            (_, None) => return Err(ConfigError::Government),
            (Some(url), _) => url.clone(),
            (None, Some(host)) => host.to_owned(),
        };
        let id = plain("client_id", self.client_id.as_ref())?.ok_or_else(|| missing("client_id"))?;
        let secret =
            plain("client_secret", self.client_secret.as_ref())?.ok_or_else(|| missing("client_secret"))?;
        Ok((origin, customer.to_owned(), Credentials::Client { id, secret }))
    }

    fn on_prem(&self) -> Result<(String, String, Credentials), ConfigError> {
        const NEEDS: &str = "url, username and password";
        let missing = |key| ConfigError::Missing {
            key,
            flavour: "on-prem",
            needs: NEEDS,
        };
        forbid(
            "on-prem",
            &[
                ("region", self.region.is_some()),
                ("customer", self.customer.is_some()),
                ("client_id", self.client_id.is_some()),
                ("client_secret", self.client_secret.is_some()),
            ],
        )?;
        let origin = self.url.clone().ok_or_else(|| missing("url"))?;
        let name = plain("username", self.username.as_ref())?.ok_or_else(|| missing("username"))?;
        let password = plain("password", self.password.as_ref())?.ok_or_else(|| missing("password"))?;
        if name.expose_secret().contains(':') {
            // RFC 7617, section 2: the colon ends the user id.
            return Err(ConfigError::Invalid {
                key: "username",
                must: "free of `:`",
            });
        }
        Ok((
            origin,
            ON_PREM_CUSTOMER.to_owned(),
            Credentials::Admin { name, password },
        ))
    }
}

/// The URL without the path that administrators copy along with it, and without slashes at the end.
fn trimmed(url: &Url) -> String {
    let text = url.as_str().trim_end_matches('/');
    let lower = text.to_ascii_lowercase();
    let cut = lower.strip_suffix("/cvad/manage").map_or(text.len(), str::len);
    text[..cut].trim_end_matches('/').to_owned()
}

fn forbid(flavour: &'static str, keys: &[(&'static str, bool)]) -> Result<(), ConfigError> {
    match keys.iter().find(|(_, there)| *there) {
        Some((key, _)) => Err(ConfigError::Misplaced { key, flavour }),
        None => Ok(()),
    }
}

/// Customer and site ids stand in headers and paths.
fn identifier(key: &'static str, value: &str) -> Result<(), ConfigError> {
    if is_identifier(value) {
        Ok(())
    } else {
        Err(ConfigError::Invalid {
            key,
            must: "1 to 64 letters, digits, `-` or `_`",
        })
    }
}

pub(super) fn is_identifier(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&value.len()) && value.bytes().all(allowed)
}

fn plain(key: &'static str, value: Option<&SecretRef>) -> Result<Option<SecretString>, ConfigError> {
    match value {
        None => Ok(None),
        Some(reference) => match reference.value() {
            Some(value) if value.expose_secret().is_empty() => Err(ConfigError::Invalid {
                key,
                must: "more than an empty text",
            }),
            Some(value) => Ok(Some(value.clone())),
            None => Err(ConfigError::Unresolved(key)),
        },
    }
}
