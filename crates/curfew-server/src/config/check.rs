//! What values mean, and whether they go together.
//!
//! Not here: shapes (`raw`). Invariant: every problem is collected; nothing is half believed.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use curfew_backends::SecretRef;
use curfew_core::{BackendId, Deadlines};
use http::HeaderValue;
use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::load::{Backends, with_sources};
use super::raw::{RawConfig, RawIssuer, RawOperations, RawServer, RawTls};
use super::surroundings::{Secrets, Surroundings};
use super::{Config, ConfigError, DatabaseSettings, Problem, ServerSettings, Tls};
use crate::auth::{Issuer, KeySet, RoleGrant, RoleMap};
use crate::tls::{self, Pem};

/// The configuration; it may be used only if nothing was added to `found`.
pub(super) fn check(
    source: &str,
    raw: RawConfig,
    backends: Backends,
    surroundings: &dyn Surroundings,
    found: &mut Vec<Problem>,
) -> Config {
    let mut check = Check {
        surroundings,
        found,
        warnings: Vec::new(),
    };
    let server = check.server(raw.server);
    let url = raw.database.url.and_then(|url| check.database_url(&url));
    if raw.database.max_connections == Some(0) {
        check.problem("database.max_connections", "must be at least 1");
    }
    let deadlines = check.deadlines(&raw.operations);
    let issuers = check.issuers(raw.auth.issuers, &backends.named);
    let warnings = check.warnings;
    Config {
        server,
        database: DatabaseSettings {
            url,
            max_connections: raw.database.max_connections,
            data_dir: raw.data.dir,
        },
        deadlines,
        issuers,
        backends: backends.usable,
        warnings,
        source: source.to_owned(),
    }
}

struct Check<'a> {
    surroundings: &'a dyn Surroundings,
    found: &'a mut Vec<Problem>,
    warnings: Vec<String>,
}

impl Check<'_> {
    fn problem(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.found.push(Problem {
            key: key.into(),
            what: what.into(),
        });
    }

    fn deadlines(&mut self, raw: &RawOperations) -> Deadlines {
        // A first read and an act take up to 14 s together.
        let keys = [
            ("dispatching_seconds", raw.dispatching_seconds, 15),
            ("running_seconds", raw.running_seconds, 1),
            ("confirming_seconds", raw.confirming_seconds, 1),
        ];
        for (key, seconds, least) in keys {
            if !(least..=86_400).contains(&seconds) {
                self.problem(
                    format!("operations.{key}"),
                    format!("must be from {least} to 86400"),
                );
            }
        }
        Deadlines {
            dispatching: Duration::from_secs(raw.dispatching_seconds),
            running: Duration::from_secs(raw.running_seconds),
            confirming: Duration::from_secs(raw.confirming_seconds),
        }
    }

    /// The value that a reference leads to.
    fn text(&mut self, key: &str, reference: &SecretRef) -> Option<SecretString> {
        match reference.resolve(&Secrets(self.surroundings)) {
            Ok(found) => found.value().cloned(),
            Err(error) => {
                self.problem(key, with_sources(&error));
                None
            }
        }
    }

    fn server(&mut self, raw: RawServer) -> ServerSettings {
        let listen = self.address("server.listen", &raw.listen);
        let ops_listen = self.address("server.ops_listen", &raw.ops_listen);
        if listen == ops_listen && listen.port() != 0 {
            self.problem(
                "server.ops_listen",
                "must differ from `listen`: health and metrics are not public",
            );
        }
        if raw.tls.is_some() && raw.behind_proxy {
            self.problem(
                "server.behind_proxy",
                "contradicts `tls`: keep `tls` if this gateway speaks TLS itself, else keep `behind_proxy`",
            );
        }
        let tls = raw.tls.and_then(|tls| self.tls(&tls));
        let trusted_proxies = self.trusted_proxies(&raw.trusted_proxies);
        if raw.behind_proxy && trusted_proxies.is_empty() {
            self.warnings.push(
                "server.behind_proxy without trusted_proxies: the record will name the proxy as every request's source"
                    .to_owned(),
            );
        }
        let allowed_origins = self.allowed_origins(&raw.allowed_origins);
        for (key, what) in raw.limits.problems() {
            self.problem(format!("server.limits.{key}"), what);
        }
        ServerSettings {
            listen,
            ops_listen,
            tls,
            behind_proxy: raw.behind_proxy,
            trusted_proxies,
            allowed_origins,
            limits: raw.limits,
            drain: Duration::from_secs(raw.drain_seconds),
        }
    }

    fn address(&mut self, key: &str, text: &str) -> SocketAddr {
        text.parse().unwrap_or_else(|_| {
            self.problem(
                key,
                "must be an address and a port, such as 0.0.0.0:8443 or [::]:8443",
            );
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    fn tls(&mut self, raw: &RawTls) -> Option<Tls> {
        let certificate = self.pem("server.tls.cert", &raw.cert);
        let key = self.pem("server.tls.key", &raw.key);
        match tls::server_config(&certificate?, &key?) {
            Ok(config) => Some(Tls(config)),
            Err(error) => {
                self.problem("server.tls", error.to_string());
                None
            }
        }
    }

    fn pem(&mut self, key: &str, reference: &SecretRef) -> Option<Pem> {
        let place = match reference {
            SecretRef::Value(value) if !value.expose_secret().contains("-----BEGIN") => {
                self.problem(key, "must be `file:/path` or `env:NAME` of a PEM text");
                return None;
            }
            SecretRef::Value(_) => key.to_owned(),
            reference => reference.to_string(),
        };
        let text = self.text(key, reference)?;
        Some(Pem { place, text })
    }

    fn trusted_proxies(&mut self, raw: &[String]) -> Vec<IpNet> {
        let mut nets = Vec::new();
        for text in raw {
            match text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            {
                Ok(net) if net.prefix_len() == 0 => self.problem(
                    "server.trusted_proxies",
                    "trusts everybody: then anyone could write any source address into the record",
                ),
                Ok(net) => nets.push(net),
                Err(_) => self.problem(
                    "server.trusted_proxies",
                    "must be a list of addresses or networks, such as 10.0.0.0/8",
                ),
            }
        }
        nets
    }

    fn allowed_origins(&mut self, raw: &[String]) -> Vec<HeaderValue> {
        let mut origins = Vec::new();
        for text in raw {
            // A browser sends exactly this form: lower case, no path, no default port.
            let origin = Url::parse(text)
                .ok()
                .filter(|it| matches!(it.scheme(), "https" | "http"));
            match origin.map(|it| it.origin().ascii_serialization()) {
                Some(origin) if origin == *text => origins.extend(HeaderValue::from_str(text)),
                Some(origin) => self.problem(
                    "server.allowed_origins",
                    format!("must be exact origins: write \"{origin}\", without path and in lower case"),
                ),
                None => self.problem(
                    "server.allowed_origins",
                    "must be exact origins, such as \"https://desk.example.com\"",
                ),
            }
        }
        origins
    }

    fn database_url(&mut self, reference: &SecretRef) -> Option<SecretString> {
        let url = self.text("database.url", reference)?;
        let known = ["postgres://", "postgresql://", "sqlite:"];
        if !known.iter().any(|it| url.expose_secret().starts_with(it)) {
            self.problem(
                "database.url",
                "must begin with postgres:// or sqlite:// (or be `env:NAME`, `file:/path`)",
            );
            return None;
        }
        Some(url)
    }

    fn issuers(&mut self, raw: Vec<RawIssuer>, known: &BTreeSet<BackendId>) -> Vec<Issuer> {
        let mut issuers: Vec<Issuer> = Vec::new();
        for (at, raw) in raw.into_iter().enumerate() {
            let key = format!("auth.issuers.{}", at + 1);
            if raw.issuer.is_empty() {
                self.problem(format!("{key}.issuer"), "must be the exact `iss` of the tokens");
            }
            if raw.audience.is_empty() {
                self.problem(format!("{key}.audience"), "must be what the tokens' `aud` holds");
            }
            if issuers.iter().any(|it| it.issuer == raw.issuer) {
                self.problem(format!("{key}.issuer"), "is there twice");
            }
            let map = self.role_map(&key, &raw, known);
            let Some(keys) = self.keys(&key, &raw) else {
                continue;
            };
            if map.0.is_empty() {
                self.warnings
                    .push(format!("{key} has no `map`: only scopes give its callers rights"));
            }
            issuers.push(Issuer {
                issuer: raw.issuer,
                audience: raw.audience,
                keys,
                roles_claim: raw.roles_claim,
                map,
            });
        }
        issuers
    }

    fn keys(&mut self, key: &str, raw: &RawIssuer) -> Option<KeySet> {
        let key = format!("{key}.jwks");
        let Some(reference) = &raw.jwks else {
            self.problem(
                key,
                "is missing: give the issuer's public keys, \"file:/etc/curfew/jwks.json\"",
            );
            return None;
        };
        if let SecretRef::Value(text) = reference
            && !text.expose_secret().trim_start().starts_with('{')
        {
            self.problem(
                key,
                "must be `file:/path` or `env:NAME` of a JWKS: keys are not fetched from an address",
            );
            return None;
        }
        let place = reference.to_string();
        let text = self.text(&key, reference)?;
        match KeySet::parse(text.expose_secret()) {
            Ok(keys) => Some(keys),
            Err(error) => {
                self.problem(key, format!("{place} {error}"));
                None
            }
        }
    }

    fn role_map(&mut self, key: &str, raw: &RawIssuer, known: &BTreeSet<BackendId>) -> RoleMap {
        let mut map = RoleMap::default();
        for (group, grant) in &raw.map {
            match RoleGrant::parse(&grant.role, grant.backends.as_deref(), known) {
                Ok(grant) => {
                    map.0.insert(group.clone(), grant);
                }
                Err(error) => self.problem(format!("{key}.map.{group}"), error.to_string()),
            }
        }
        map
    }
}

impl Config {
    /// Whether `curfew serve` may run on this: no tokens in clear text across a network, and somebody who could
    /// sign in.
    ///
    /// # Errors
    /// A [`ConfigError`] with everything that is in the way.
    pub fn check_serving(&self) -> Result<(), ConfigError> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, what: &str| {
            problems.push(Problem {
                key: key.to_owned(),
                what: what.to_owned(),
            });
        };
        let server = &self.server;
        if server.tls.is_none() && !server.behind_proxy && !server.listen.ip().is_loopback() {
            problem(
                "server.listen",
                "would take tokens in clear text from the network: set `server.tls`, or `server.behind_proxy = true` \
                 if a proxy in front speaks TLS, or listen on 127.0.0.1",
            );
        }
        if self.issuers.is_empty() {
            problem(
                "auth.issuers",
                "is empty, so nobody could sign in: add [[auth.issuers]]",
            );
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(ConfigError {
            source_name: self.source.clone(),
            problems,
        })
    }
}
