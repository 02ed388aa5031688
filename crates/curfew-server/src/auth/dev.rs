//! The issuer of `curfew dev`: one random secret per start, tokens for every role.
//!
//! Not for production: it signs with HS256, which `serve` cannot be configured to take. Shipped images are built
//! without this module.
//! Invariant: the secret never leaves the process.

use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;
use curfew_core::{Clock, Role};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::{Issuer, KeySet, RoleMap};

/// `iss` of the tokens.
pub const ISSUER: &str = "curfew-dev";
/// `aud` of the tokens.
pub const AUDIENCE: &str = "curfew";
/// Where the roles stand in the tokens.
pub const ROLES_CLAIM: &str = "roles";
/// How long a token is valid.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Why there is no issuer.
#[derive(Debug, thiserror::Error)]
pub enum DevIssuerError {
    /// The system gives no randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// Somebody to be in `dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Persona {
    /// The role.
    pub role: Role,
    /// `sub`.
    pub subject: &'static str,
    /// `name`.
    pub name: &'static str,
}

/// One for each role, in the order in which they are shown.
pub const PERSONAS: &[Persona] = &[
    Persona {
        role: Role::Viewer,
        subject: "dev-viewer",
        name: "Vera Viewer",
    },
    Persona {
        role: Role::Helpdesk,
        subject: "dev-helpdesk",
        name: "Hanna Helpdesk",
    },
    Persona {
        role: Role::Operator,
        subject: "dev-operator",
        name: "Otto Operator",
    },
    Persona {
        role: Role::Automation,
        subject: "dev-automation",
        name: "Atlas Automation",
    },
    Persona {
        role: Role::Auditor,
        subject: "dev-auditor",
        name: "Audrey Auditor",
    },
    Persona {
        role: Role::Admin,
        subject: "dev-admin",
        name: "Ada Admin",
    },
];

/// The persona of a role.
pub fn persona(role: Role) -> Persona {
    PERSONAS
        .iter()
        .copied()
        .find(|it| it.role == role)
        .unwrap_or(PERSONAS[0])
}

/// Makes and verifies tokens with a secret of its own.
#[derive(Clone)]
pub struct DevIssuer {
    secret: [u8; 32],
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for DevIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevIssuer").finish_non_exhaustive()
    }
}

impl DevIssuer {
    /// An issuer with a fresh secret.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, DevIssuerError> {
        let mut secret = [0; 32];
        let random = rustls::crypto::ring::default_provider().secure_random;
        random.fill(&mut secret).map_err(|_| DevIssuerError::Random)?;
        Ok(Self { secret, clock })
    }

    /// What verifies the tokens: each role under its own name.
    pub fn issuer(&self) -> Issuer {
        self.issuer_with(RoleMap::by_name())
    }

    /// As [`DevIssuer::issuer`], with another mapping of the claim `roles`.
    pub fn issuer_with(&self, map: RoleMap) -> Issuer {
        Issuer {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            keys: KeySet::secret(&self.secret),
            roles_claim: ROLES_CLAIM.to_owned(),
            map,
        }
    }

    /// A token of a role's persona, valid for 24 hours.
    pub fn token(&self, role: Role) -> String {
        let persona = persona(role);
        let claims = json!({ "sub": persona.subject, "name": persona.name, ROLES_CLAIM: [role.as_str()] });
        self.sign(claims)
    }

    /// A token with these claims; `iss`, `aud`, `iat` and `exp` are added where they are missing.
    pub fn sign(&self, claims: Value) -> String {
        let now = self.clock.now();
        let mut all = Map::new();
        all.insert("iss".into(), ISSUER.into());
        all.insert("aud".into(), AUDIENCE.into());
        all.insert("iat".into(), now.timestamp().into());
        all.insert("exp".into(), (now + LIFETIME).timestamp().into());
        if let Value::Object(claims) = claims {
            all.extend(claims);
        }
        let key = EncodingKey::from_secret(&self.secret);
        // HMAC over JSON cannot fail; an empty token would be refused.
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &all, &key).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
