//! An issuer's public keys (RFC 7517), each with the one algorithm it verifies.
//!
//! Not here: fetching; the text comes from the configuration.
//! Invariant: a key's algorithm follows from its type, and no secret or private key is ever taken.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

/// Longest JWKS text, in bytes.
const MAX_TEXT: usize = 1024 * 1024;
/// Most keys of one issuer.
const MAX_KEYS: usize = 100;

/// Why a JWKS is refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not JSON, or not `{"keys": […]}`.
    #[error("is not a JWKS: it must be a JSON object with an array `keys`")]
    Form,
    /// Longer than 1 MiB or with more than 100 keys.
    #[error("is larger than a JWKS may be (1 MiB, 100 keys)")]
    TooLarge,
    /// A symmetric key: whoever could read it could make tokens.
    #[error(
        "holds a symmetric key (`kty` = `oct`, key {0}): HS256 is for `curfew dev` alone; \
         give the issuer's public keys (RSA, EC P-256 or Ed25519)"
    )]
    Symmetric(String),
    /// A private key.
    #[error("holds a private key (key {0}): give the public part alone, and replace that key")]
    Private(String),
    /// A key of a known type that is broken or too weak.
    #[error("holds a key that cannot be used (key {key}): {problem}")]
    Broken {
        /// Which.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two keys with one `kid`.
    #[error("has two keys with the `kid` {0}")]
    Duplicate(String),
    /// Nothing usable.
    #[error(
        "has no key to verify signatures with: RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA) is needed"
    )]
    Empty,
}

/// A key that verifies.
#[derive(Clone)]
pub(super) struct Key {
    pub kid: Option<String>,
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

/// The keys of one issuer.
#[derive(Clone)]
pub struct KeySet(Vec<Key>);

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|it| (&it.kid, it.algorithm)))
            .finish()
    }
}

impl KeySet {
    /// Reads a JWKS. Keys for other purposes than signatures, and of types that Curfew does not verify, are left out.
    ///
    /// # Errors
    /// A [`JwksError`].
    pub fn parse(text: &str) -> Result<Self, JwksError> {
        if text.len() > MAX_TEXT {
            return Err(JwksError::TooLarge);
        }
        let value: Value = serde_json::from_str(text).map_err(|_| JwksError::Form)?;
        let entries = value
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(JwksError::Form)?;
        if entries.len() > MAX_KEYS {
            return Err(JwksError::TooLarge);
        }
        let mut keys: Vec<Key> = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let entry = entry.as_object().ok_or(JwksError::Form)?;
            let Some(key) = key(entry, at)? else { continue };
            if let Some(kid) = &key.kid
                && keys.iter().any(|it| it.kid.as_ref() == Some(kid))
            {
                return Err(JwksError::Duplicate(kid.clone()));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(JwksError::Empty);
        }
        Ok(Self(keys))
    }

    /// A single HS256 secret: for `curfew dev` and tests.
    #[cfg(feature = "dev")]
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self(vec![Key {
            kid: None,
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret),
        }])
    }

    /// The key that a token names; without a `kid` the only one there is.
    pub(super) fn select(&self, kid: Option<&str>) -> Option<&Key> {
        match (kid, self.0.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|it| it.kid.as_deref() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

/// `None` for a key that is for something else.
fn key(entry: &Map<String, Value>, at: usize) -> Result<Option<Key>, JwksError> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let kid = text("kid").map(str::to_owned);
    let name = kid.clone().unwrap_or_else(|| format!("number {}", at + 1));
    let kty = text("kty");
    // Before anything else: such a set is dangerous whatever the key is said to be for.
    if kty == Some("oct") {
        return Err(JwksError::Symmetric(name));
    }
    if entry.contains_key("d") {
        return Err(JwksError::Private(name));
    }
    let for_signatures = text("use").is_none_or(|it| it == "sig")
        && entry
            .get("key_ops")
            .and_then(Value::as_array)
            .is_none_or(|it| it.iter().any(|op| op == "verify"));
    if !for_signatures {
        return Ok(None);
    }
    let broken = |problem| JwksError::Broken {
        key: name.clone(),
        problem,
    };
    let bytes = |name: &str, problem| {
        let text = text(name).ok_or_else(|| broken(problem))?;
        URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| broken(problem))
    };
    let (algorithm, key) = match (kty, text("crv")) {
        (Some("RSA"), _) => {
            let (n, e) = (
                bytes("n", "`n` is missing or not base64url")?,
                bytes("e", "`e` is missing or not base64url")?,
            );
            check_rsa(&n, &e).map_err(broken)?;
            (Algorithm::RS256, DecodingKey::from_rsa_raw_components(&n, &e))
        }
        (Some("EC"), Some("P-256")) => {
            let (x, y) = (
                bytes("x", "`x` is missing or not base64url")?,
                bytes("y", "`y` is missing or not base64url")?,
            );
            if x.len() != 32 || y.len() != 32 {
                return Err(broken("`x` and `y` of P-256 have 32 bytes each"));
            }
            let point: Vec<u8> = [[4].as_slice(), &x, &y].concat();
            (Algorithm::ES256, DecodingKey::from_ec_der(&point))
        }
        (Some("OKP"), Some("Ed25519")) => {
            let x = bytes("x", "`x` is missing or not base64url")?;
            // jsonwebtoken 11 panics on a shorter one.
            if x.len() != 32 {
                return Err(broken("`x` of Ed25519 has 32 bytes"));
            }
            (Algorithm::EdDSA, DecodingKey::from_ed_der(&x))
        }
        _ => return Ok(None),
    };
    // A key that its issuer uses with another algorithm is not ours to use.
    let named = match algorithm {
        Algorithm::RS256 => ["RS256", "RS256"],
        Algorithm::ES256 => ["ES256", "ES256"],
        _ => ["EdDSA", "Ed25519"],
    };
    if text("alg").is_some_and(|it| !named.contains(&it)) {
        return Ok(None);
    }
    // A point that is not on the curve is found only by using it.
    if algorithm != Algorithm::RS256 {
        jsonwebtoken::crypto::verify("AA", b"", &key, algorithm)
            .map_err(|_| broken("it is not a point on its curve"))?;
    }
    Ok(Some(Key { kid, algorithm, key }))
}

fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), &'static str> {
    let bits = |number: &[u8]| {
        let number: Vec<u8> = number.iter().copied().skip_while(|it| *it == 0).collect();
        number
            .first()
            .map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
    };
    match bits(n) {
        0..2048 => return Err("an RSA key needs at least 2048 bits"),
        2048..=4096 => {}
        _ => return Err("an RSA key may have at most 4096 bits"),
    }
    let odd = |number: &[u8]| number.last().is_some_and(|it| it % 2 == 1);
    if !odd(n) || !odd(e) || !(2..=33).contains(&bits(e)) {
        return Err("its modulus or exponent is no RSA number");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
