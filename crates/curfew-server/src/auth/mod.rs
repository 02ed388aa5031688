//! Who asks: bearer tokens to [`Caller`](curfew_core::Caller)s.
//!
//! Not here: what a caller may (`curfew-app`'s policy reads the grants made here).
//! Invariant: the algorithm comes from the configured key, never from the token, and nothing that a token names
//! (`kid`, `jku`, `x5u`, `jwk`) is ever fetched or trusted.

mod claims;
#[cfg(feature = "dev")]
pub mod dev;
mod jwks;
mod jwt;
mod remembered;
mod roles;

use async_trait::async_trait;
use curfew_core::Caller;

pub use jwks::{JwksError, KeySet};
pub use jwt::{Issuer, JwtAuthenticator};
pub use roles::{RoleGrant, RoleMap, RoleMapError};

/// Turns a bearer token into a caller.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// Who sends this token; `None` if no token was sent.
    ///
    /// # Errors
    /// An [`AuthError`] whose reason is for the log and the counter, never for the caller.
    async fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, AuthError>;
}

/// Why a token is not accepted. For operators: callers get one text for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AuthError {
    /// There is none.
    #[error("no token")]
    Missing,
    /// `Authorization` is not `Bearer`.
    #[error("another scheme than Bearer")]
    Scheme,
    /// It is not a JWT, or its header or claims are not what they must be.
    #[error("not a well-formed token")]
    Malformed,
    /// Longer than any honest token.
    #[error("a token longer than allowed")]
    TooLong,
    /// Made for something else (`typ`), or with an extension that is not known (`crit`).
    #[error("a token of another type")]
    Type,
    /// No configured issuer.
    #[error("a token of an unknown issuer")]
    Issuer,
    /// No key of that issuer has this `kid`.
    #[error("a token signed with an unknown key")]
    Key,
    /// The header names another algorithm than the key has.
    #[error("a token whose algorithm is not that of the key")]
    Algorithm,
    /// The signature does not fit.
    #[error("a token whose signature does not fit")]
    Signature,
    /// Made for another audience, or for none.
    #[error("a token for another audience")]
    Audience,
    /// A required claim is missing or has another form.
    #[error("a token without a required claim")]
    Claims,
    /// `sub` is missing, empty, too long or holds control characters.
    #[error("a token without a usable subject")]
    Subject,
    /// `exp` has passed.
    #[error("an expired token")]
    Expired,
    /// `nbf` has not come.
    #[error("a token that is not valid yet")]
    NotYetValid,
}

impl AuthError {
    /// The spelling in logs and in `curfew_auth_failures_total{reason}`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Scheme => "scheme",
            Self::Malformed => "malformed",
            Self::TooLong => "too_long",
            Self::Type => "type",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Signature => "signature",
            Self::Audience => "audience",
            Self::Claims => "claims",
            Self::Subject => "subject",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
        }
    }
}
