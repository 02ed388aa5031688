//! Verifies JWTs (RFC 7519, with the rules of RFC 8725) against the configured issuers.
//!
//! Not here: fetching of keys; the set of an issuer is fixed from start to end.
//! Invariant: `iss`, `aud`, `exp` and `sub` are required, and what the header says chooses among configured keys
//! but never how they verify.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use curfew_core::{Caller, Clock};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use super::claims::caller;
use super::jwks::Key;
use super::remembered::{Fingerprint, Remembered, Validity};
use super::{AuthError, Authenticate, KeySet, RoleMap};

/// Longest token, in bytes.
const MAX_TOKEN: usize = 16 * 1024;
/// How much clocks may differ, in seconds.
const LEEWAY: f64 = 30.0;
/// The last instant that a date can name: 9999-12-31T23:59:59Z. What lies behind it is no honest `exp`.
const LAST_INSTANT: f64 = 253_402_300_799.0;

/// Somebody whose tokens are believed.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The exact `iss`.
    pub issuer: String,
    /// What `aud` must be or hold.
    pub audience: String,
    /// The keys.
    pub keys: KeySet,
    /// Where a token's groups stand: a claim, or a path with dots.
    pub roles_claim: String,
    /// What the groups give.
    pub map: RoleMap,
}

/// Reads tokens of the configured issuers.
#[derive(Debug, Clone)]
pub struct JwtAuthenticator {
    issuers: Arc<[Issuer]>,
    clock: Arc<dyn Clock>,
    remembered: Arc<Remembered>,
}

/// What a token's header says, as far as it is looked at.
struct Header {
    algorithm: String,
    kid: Option<String>,
}

impl JwtAuthenticator {
    /// Believes these issuers.
    pub fn new(issuers: Vec<Issuer>, clock: Arc<dyn Clock>) -> Self {
        Self {
            issuers: issuers.into(),
            clock,
            remembered: Arc::default(),
        }
    }

    /// The caller that a token speaks for.
    ///
    /// # Errors
    /// An [`AuthError`] with the reason, for the log and the counter.
    pub fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > MAX_TOKEN {
            return Err(AuthError::TooLong);
        }
        let fingerprint = Fingerprint::of(token);
        if let Some((validity, caller)) = self.remembered.get(fingerprint) {
            self.in_time(validity)?;
            return Ok(caller);
        }
        let (validity, caller) = self.verify_anew(token)?;
        self.remembered.put(fingerprint, validity, caller.clone());
        Ok(caller)
    }

    fn verify_anew(&self, token: &str) -> Result<(Validity, Caller), AuthError> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(_signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthError::Malformed);
        };
        let header = header_of(object(header)?)?;
        // Not verified yet: it only chooses whose keys are tried, and is compared again afterwards.
        let claimed = object(payload)?;
        let claimed = claimed
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(AuthError::Issuer)?;
        let issuer = self
            .issuers
            .iter()
            .find(|it| it.issuer == claimed)
            .ok_or(AuthError::Issuer)?;
        let key = issuer.keys.select(header.kid.as_deref()).ok_or(AuthError::Key)?;
        if header.algorithm != spelling(key.algorithm) {
            return Err(AuthError::Algorithm);
        }
        let claims = decode(token, issuer, key)?;
        let validity = Validity {
            until: instant(claims.get("exp"))?.ok_or(AuthError::Claims)?,
            from: instant(claims.get("nbf"))?,
        };
        self.in_time(validity)?;
        let caller = caller(&issuer.issuer, &claims, &issuer.roles_claim, &issuer.map)?;
        Ok((validity, caller))
    }

    fn in_time(&self, validity: Validity) -> Result<(), AuthError> {
        let now = self.clock.now().timestamp_micros() as f64 / 1e6;
        if now >= validity.until + LEEWAY {
            return Err(AuthError::Expired);
        }
        match validity.from {
            Some(from) if now + LEEWAY < from => Err(AuthError::NotYetValid),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Authenticate for JwtAuthenticator {
    async fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, AuthError> {
        self.verify(bearer.ok_or(AuthError::Missing)?)
    }
}

/// A part of a token that must be a JSON object.
fn object(part: &str) -> Result<Map<String, Value>, AuthError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| AuthError::Malformed)
}

fn header_of(header: Map<String, Value>) -> Result<Header, AuthError> {
    // No extension is understood here (RFC 7515, section 4.1.11).
    if header.contains_key("crit") {
        return Err(AuthError::Type);
    }
    // A token made for something else, say a logout token, is no access token (RFC 8725, section 3.11).
    let typ = match header.get("typ") {
        None => None,
        Some(Value::String(typ)) => Some(typ.to_ascii_lowercase()),
        Some(_) => return Err(AuthError::Malformed),
    };
    if !matches!(
        typ.as_deref(),
        None | Some("jwt" | "at+jwt" | "application/at+jwt")
    ) {
        return Err(AuthError::Type);
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err(AuthError::Malformed),
    };
    let algorithm = header
        .get("alg")
        .and_then(Value::as_str)
        .ok_or(AuthError::Malformed)?;
    Ok(Header {
        algorithm: algorithm.to_owned(),
        kid,
    })
}

fn spelling(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::ES256 => "ES256",
        Algorithm::EdDSA => "EdDSA",
        Algorithm::HS256 => "HS256",
        // No key has another one.
        _ => "",
    }
}

fn validation(issuer: &Issuer, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[&issuer.audience]);
    validation.set_issuer(&[&issuer.issuer]);
    // jsonwebtoken 11 accepts a token *without* `aud` and `iss` even when both are configured, unless they are
    // required here.
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // It would read the machine's clock; ours is compared in `in_time`.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

fn decode(token: &str, issuer: &Issuer, key: &Key) -> Result<Map<String, Value>, AuthError> {
    let validation = validation(issuer, key.algorithm);
    let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation);
    decoded.map(|it| it.claims).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => AuthError::Signature,
        ErrorKind::InvalidAlgorithm => AuthError::Algorithm,
        ErrorKind::InvalidIssuer => AuthError::Issuer,
        ErrorKind::InvalidAudience => AuthError::Audience,
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "aud" => AuthError::Audience,
            "sub" => AuthError::Subject,
            _ => AuthError::Claims,
        },
        _ => AuthError::Malformed,
    })
}

/// A NumericDate (RFC 7519, section 2): a number, nothing that merely looks like one.
fn instant(value: Option<&Value>) -> Result<Option<f64>, AuthError> {
    let Some(value) = value else { return Ok(None) };
    let seconds = value
        .as_number()
        .and_then(serde_json::Number::as_f64)
        .ok_or(AuthError::Claims)?;
    if (0.0..=LAST_INSTANT).contains(&seconds) {
        Ok(Some(seconds))
    } else {
        Err(AuthError::Claims)
    }
}

#[cfg(test)]
mod tests;
