//! Keys and tokens of an identity issuer, for a gateway that is configured as in production.
//!
//! Not the dev issuer. Invariant: every key is made for one test, but the RSA key, which takes too long to make.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// A key that protects nothing.
const RSA_PEM: &str = include_str!("../../crates/curfew-server/src/auth/testdata/test_only_rsa_key.pem");

/// Somebody who signs tokens.
pub struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    /// The public part (RFC 7517).
    pub jwk: Value,
}

impl Signer {
    /// ES256 with a fresh key.
    ///
    /// # Panics
    /// If no key can be made.
    pub fn ec(kid: &str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("EC");
        let jwk = Self::jwk_of(&key, Algorithm::ES256, kid);
        Self {
            key,
            algorithm: Algorithm::ES256,
            jwk,
        }
    }

    /// EdDSA with a fresh key.
    ///
    /// # Panics
    /// If no key can be made.
    pub fn ed(kid: &str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        Self {
            key: EncodingKey::from_ed_der(&pair.serialize_der()),
            algorithm: Algorithm::EdDSA,
            jwk: json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA" }),
        }
    }

    /// RS256 with the one RSA key that there is.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn rsa(kid: &str) -> Self {
        let key = EncodingKey::from_rsa_pem(RSA_PEM.as_bytes()).expect("RSA");
        let jwk = Self::jwk_of(&key, Algorithm::RS256, kid);
        Self {
            key,
            algorithm: Algorithm::RS256,
            jwk,
        }
    }

    fn jwk_of(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> Value {
        let jwk = Jwk::from_encoding_key(key, algorithm).expect("a JWK");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = kid.into();
        jwk
    }

    /// A set of public keys, as an issuer publishes it.
    pub fn jwks(keys: &[&Self]) -> String {
        let keys: Vec<_> = keys.iter().map(|it| &it.jwk).collect();
        json!({ "keys": keys }).to_string()
    }

    /// A token with exactly these claims.
    ///
    /// # Panics
    /// If it cannot be signed.
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = self.jwk["kid"].as_str().map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).expect("signed")
    }

    /// A token whose header is of the caller's making, signed with this key all the same.
    ///
    /// # Panics
    /// If it cannot be signed.
    pub fn sign_header(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm);
        format!("{message}.{}", signature.expect("signed"))
    }

    /// A token signed by HMAC with whatever `secret` is: what an attacker makes of a public key.
    ///
    /// # Panics
    /// If it cannot be signed.
    pub fn hmac(secret: &[u8], kid: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.to_owned());
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).expect("signed")
    }
}

/// Header and claims of a token, without a signature.
fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}
