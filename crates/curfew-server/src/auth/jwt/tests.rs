//! Attacks and honest tokens, with keys of every type.
//!
//! Not roles (`claims`). Invariant: no test depends on the machine's clock.

use std::time::Duration;

use curfew_core::Role;
use curfew_core::fakes::MockClock;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header as JwtHeader};
use serde_json::json;

use super::*;
use crate::auth::{RoleGrant, RoleMap};

const ISS: &str = "https://login.example.com/realms/corp";
const OTHER: &str = "https://login.example.org/";
/// A key that protects nothing: RSA keys take too long to make in tests.
pub(in crate::auth) const RSA_PEM: &str = include_str!("../testdata/test_only_rsa_key.pem");

/// Somebody who signs.
struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    jwk: Value,
}

impl Signer {
    fn new(key: EncodingKey, algorithm: Algorithm, kid: Option<&str>) -> Self {
        let mut jwk = match algorithm {
            // jsonwebtoken 11 makes no JWK of an Ed25519 key that carries its public part.
            Algorithm::EdDSA => json!({}),
            _ => serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).expect("a JWK")).expect("JSON"),
        };
        if let Some(kid) = kid {
            jwk["kid"] = kid.into();
        }
        Self { key, algorithm, jwk }
    }

    fn rsa(kid: Option<&str>) -> Self {
        Self::new(
            EncodingKey::from_rsa_pem(RSA_PEM.as_bytes()).expect("RSA"),
            Algorithm::RS256,
            kid,
        )
    }

    fn ec(kid: Option<&str>) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("EC");
        Self::new(key, Algorithm::ES256, kid)
    }

    fn ed(kid: &str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let key = EncodingKey::from_ed_der(&pair.serialize_der());
        let mut signer = Self::new(key, Algorithm::EdDSA, None);
        let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        signer.jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid });
        signer
    }

    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = JwtHeader::new(self.algorithm);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).expect("signed")
    }

    /// Signs whatever header it is given.
    fn sign_header(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm).expect("signed");
        format!("{message}.{signature}")
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn jwks(signers: &[&Signer]) -> KeySet {
    let keys: Vec<&Value> = signers.iter().map(|it| &it.jwk).collect();
    KeySet::parse(&json!({ "keys": keys }).to_string()).expect("a JWKS")
}

fn issuer(name: &str, keys: KeySet) -> Issuer {
    let grant = RoleGrant {
        role: Role::Helpdesk,
        scope: curfew_core::Scope::All,
    };
    Issuer {
        issuer: name.to_owned(),
        audience: "curfew".to_owned(),
        keys,
        roles_claim: "groups".to_owned(),
        map: RoleMap([("grp-helpdesk".to_owned(), grant)].into()),
    }
}

/// Seconds since 1970 on the mock clock.
fn now() -> i64 {
    MockClock::default().now().timestamp()
}

fn claims() -> Value {
    json!({
        "iss": ISS, "aud": "curfew", "sub": "u-1", "name": "Hanna", "exp": now() + 600, "nbf": now() - 600,
        "groups": ["grp-helpdesk", "grp-other"],
    })
}

/// The honest claims with some of them changed; `null` removes one.
fn with(changes: Value) -> Value {
    let mut all = claims();
    let members = all.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    all
}

struct House {
    rsa: Signer,
    ec: Signer,
    ed: Signer,
    stranger: Signer,
    jwt: JwtAuthenticator,
}

fn house() -> House {
    let (rsa, ec, ed) = (Signer::rsa(Some("r")), Signer::ec(Some("e")), Signer::ed("d"));
    let stranger = Signer::ec(Some("s"));
    let issuers = vec![
        issuer(ISS, jwks(&[&rsa, &ec, &ed])),
        issuer(OTHER, jwks(&[&stranger])),
    ];
    let jwt = JwtAuthenticator::new(issuers, Arc::new(MockClock::default()));
    House {
        rsa,
        ec,
        ed,
        stranger,
        jwt,
    }
}

#[test]
fn honest_tokens_of_every_key_type_are_taken() {
    let it = house();
    for (signer, kid) in [(&it.rsa, "r"), (&it.ec, "e"), (&it.ed, "d")] {
        let caller = it
            .jwt
            .verify(&signer.sign(Some(kid), &claims()))
            .expect("genuine");
        assert_eq!(
            (caller.actor.issuer.as_str(), caller.actor.subject.as_str()),
            (ISS, "u-1")
        );
        assert_eq!(caller.actor.name, "Hanna");
        assert_eq!(caller.roles, [Role::Helpdesk]);
    }
    let listed = with(json!({ "aud": ["other", "curfew"] }));
    assert!(it.jwt.verify(&it.ec.sign(Some("e"), &listed)).is_ok());
    for typ in [json!("JWT"), json!("at+jwt"), json!("application/AT+JWT")] {
        let header = json!({ "alg": "ES256", "kid": "e", "typ": typ });
        assert!(
            it.jwt.verify(&it.ec.sign_header(&header, &claims())).is_ok(),
            "{typ}"
        );
    }
}

#[test]
fn forged_and_misused_tokens_are_refused() {
    use AuthError as E;
    let it = house();
    let good = it.rsa.sign(Some("r"), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("three parts")
    };
    let admin = part(&with(json!({ "groups": ["admin"], "scope": "admin" })));
    let none = |alg: &str| format!("{}.{payload}.", part(&json!({ "alg": alg, "typ": "JWT" })));
    let none_kid = format!(
        "{}.{payload}.{signature}",
        part(&json!({ "alg": "none", "kid": "r" }))
    );
    let public = rsa_public_pem();
    let confused = |kid: Option<&str>| {
        let mut header = JwtHeader::new(Algorithm::HS256);
        header.kid = kid.map(str::to_owned);
        let key = EncodingKey::from_secret(public.as_bytes());
        jsonwebtoken::encode(&header, &claims(), &key).expect("signed")
    };
    let headed = |header: Value| it.ec.sign_header(&header, &claims());
    let ec = |changes: Value| it.ec.sign(Some("e"), &with(changes));
    let table: Vec<(&str, String, AuthError)> = vec![
        ("empty", String::new(), E::Missing),
        ("one part", "abc".into(), E::Malformed),
        ("two parts", "a.b".into(), E::Malformed),
        ("four parts", format!("{good}.x"), E::Malformed),
        ("five parts (JWE)", "a.b.c.d.e".into(), E::Malformed),
        ("no JSON", "!.!.!".into(), E::Malformed),
        ("header no object", format!("{}.{payload}.{signature}", part(&json!("x"))), E::Malformed),
        ("oversized", format!("{good}{}", "A".repeat(16 * 1024)), E::TooLong),
        // Signatures.
        ("tampered payload", format!("{header}.{admin}.{signature}"), E::Signature),
        ("cut signature", format!("{header}.{payload}.{}", &signature[..20]), E::Signature),
        ("no signature", format!("{header}.{payload}."), E::Signature),
        ("signature no base64", format!("{header}.{payload}.!!"), E::Malformed),
        ("signature of another's key", it.stranger.sign(Some("e"), &claims()), E::Signature),
        // Algorithms.
        ("none", none("none"), E::Key),
        ("None", none("None"), E::Key),
        ("none with kid", none_kid, E::Algorithm),
        ("HS256 with the RSA public key", confused(Some("r")), E::Algorithm),
        ("HS256 without kid", confused(None), E::Key),
        ("RS384 by name", headed(json!({ "alg": "RS384", "kid": "r" })), E::Algorithm),
        ("PS256 by name", headed(json!({ "alg": "PS256", "kid": "r" })), E::Algorithm),
        ("ES256 for an RSA key", headed(json!({ "alg": "ES256", "kid": "r" })), E::Algorithm),
        ("no alg", headed(json!({ "kid": "e" })), E::Malformed),
        ("alg number", headed(json!({ "alg": 1, "kid": "e" })), E::Malformed),
        // Headers that name or hold keys.
        ("unknown kid", headed(json!({ "alg": "ES256", "kid": "x" })), E::Key),
        ("kid path", headed(json!({ "alg": "ES256", "kid": "../../../../dev/null" })), E::Key),
        ("kid URL", headed(json!({ "alg": "ES256", "kid": "https://evil.example.com/jwks" })), E::Key),
        ("kid SQL", headed(json!({ "alg": "ES256", "kid": "' OR 1=1 --" })), E::Key),
        ("kid array", headed(json!({ "alg": "ES256", "kid": ["e"] })), E::Malformed),
        ("no kid among several keys", headed(json!({ "alg": "ES256" })), E::Key),
        ("jwk of the attacker", it.stranger.sign_header(
            &json!({ "alg": "ES256", "kid": "e", "jwk": it.stranger.jwk }), &claims()), E::Signature),
        ("jku of the attacker", it.stranger.sign_header(
            &json!({ "alg": "ES256", "kid": "e", "jku": "https://evil.example.com/", "x5u": "https://evil.example.com/" }),
            &claims()), E::Signature),
        ("crit", headed(json!({ "alg": "ES256", "kid": "e", "crit": ["b64"], "b64": false })), E::Type),
        ("logout token", headed(json!({ "alg": "ES256", "kid": "e", "typ": "logout+jwt" })), E::Type),
        ("typ number", headed(json!({ "alg": "ES256", "kid": "e", "typ": 1 })), E::Malformed),
        // Issuer and audience.
        ("no iss", ec(json!({ "iss": null })), E::Issuer),
        ("unknown iss", ec(json!({ "iss": "https://evil.example.com" })), E::Issuer),
        ("iss with a slash", ec(json!({ "iss": format!("{ISS}/") })), E::Issuer),
        ("iss array", ec(json!({ "iss": [ISS] })), E::Issuer),
        ("another issuer's iss", ec(json!({ "iss": OTHER })), E::Key),
        ("another issuer's key", it.stranger.sign(Some("s"), &claims()), E::Key),
        ("no aud", ec(json!({ "aud": null })), E::Audience),
        ("wrong aud", ec(json!({ "aud": "other" })), E::Audience),
        ("wrong auds", ec(json!({ "aud": ["a", "b"] })), E::Audience),
        ("empty auds", ec(json!({ "aud": [] })), E::Audience),
        ("aud number", ec(json!({ "aud": 1 })), E::Audience),
        ("neither aud nor iss", ec(json!({ "aud": null, "iss": null })), E::Issuer),
        // Subject.
        ("no sub", ec(json!({ "sub": null })), E::Subject),
        ("empty sub", ec(json!({ "sub": "" })), E::Subject),
        ("blank sub", ec(json!({ "sub": " " })), E::Subject),
        ("sub number", ec(json!({ "sub": 7 })), E::Subject),
        ("sub with a line feed", ec(json!({ "sub": "a\nb" })), E::Subject),
        ("long sub", ec(json!({ "sub": "x".repeat(257) })), E::Subject),
        // Time.
        ("no exp", ec(json!({ "exp": null })), E::Claims),
        ("expired", ec(json!({ "exp": now() - 31 })), E::Expired),
        ("expired long ago", ec(json!({ "exp": 0 })), E::Expired),
        ("exp string", ec(json!({ "exp": format!("{}", now() + 600) })), E::Claims),
        ("exp array", ec(json!({ "exp": [now() + 600] })), E::Malformed),
        ("exp object", ec(json!({ "exp": {} })), E::Claims),
        ("exp true", ec(json!({ "exp": true })), E::Claims),
        ("exp negative", ec(json!({ "exp": -1 })), E::Claims),
        ("exp 2^64-1", ec(json!({ "exp": u64::MAX })), E::Claims),
        ("exp 1e300", ec(json!({ "exp": 1e300 })), E::Claims),
        ("exp beyond the year 9999", ec(json!({ "exp": 253_402_300_800_u64 })), E::Claims),
        ("nbf tomorrow", ec(json!({ "nbf": now() + 86_400 })), E::NotYetValid),
        ("nbf string", ec(json!({ "nbf": "0" })), E::Claims),
        ("nbf array", ec(json!({ "nbf": [0] })), E::Malformed),
        ("nbf huge", ec(json!({ "nbf": 1e300 })), E::Claims),
    ];
    for (name, token, expected) in table {
        assert_eq!(it.jwt.verify(&token).err(), Some(expected), "{name}");
    }
}

fn rsa_public_pem() -> String {
    use rcgen::PublicKeyData as _;
    let pair = rcgen::KeyPair::from_pem(RSA_PEM).expect("RSA");
    let body = base64::engine::general_purpose::STANDARD.encode(pair.subject_public_key_info());
    let lines: Vec<String> = body
        .as_bytes()
        .chunks(64)
        .map(|it| String::from_utf8_lossy(it).into_owned())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

/// What jsonwebtoken does on its own: configuring `aud` and `iss` is not requiring them.
#[test]
fn requiring_the_claims_is_what_refuses_tokens_without_them() {
    let signer = Signer::ec(None);
    let issuer = issuer(ISS, jwks(&[&signer]));
    let key = issuer.keys.select(None).expect("the only key");
    let token = signer.sign(None, &json!({ "exp": now() + 600, "sub": "u-1" }));
    let accepts = |validation: &Validation| {
        jsonwebtoken::decode::<Map<String, Value>>(&token, &key.key, validation).is_ok()
    };
    let ours = validation(&issuer, Algorithm::ES256);
    let mut lax = ours.clone();
    lax.set_required_spec_claims(&["exp"]);
    assert!(
        accepts(&lax),
        "the trap is gone: this test and the comment in `validation` may go too"
    );
    assert!(!accepts(&ours));
}

#[test]
fn clocks_may_differ_by_half_a_minute() {
    let signer = Signer::ec(None);
    let clock = Arc::new(MockClock::default());
    let jwt = JwtAuthenticator::new(
        vec![issuer(ISS, jwks(&[&signer]))],
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    let token = signer.sign(None, &with(json!({ "exp": now() + 10, "nbf": now() + 30 })));
    assert!(jwt.verify(&token).is_ok(), "30 s before `nbf`");
    let early = signer.sign(None, &with(json!({ "nbf": now() + 31 })));
    assert_eq!(jwt.verify(&early).err(), Some(AuthError::NotYetValid));
    clock.advance(Duration::from_secs(39));
    assert!(jwt.verify(&token).is_ok(), "29 s after `exp`");
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        jwt.verify(&token).err(),
        Some(AuthError::Expired),
        "30 s after `exp`"
    );
}

#[test]
fn the_only_key_needs_no_kid_but_a_wrong_kid_is_wrong() {
    let signer = Signer::ec(None);
    let jwt = JwtAuthenticator::new(
        vec![issuer(ISS, jwks(&[&signer]))],
        Arc::new(MockClock::default()),
    );
    assert!(jwt.verify(&signer.sign(None, &claims())).is_ok());
    assert_eq!(
        jwt.verify(&signer.sign(Some("x"), &claims())).err(),
        Some(AuthError::Key)
    );
}

#[tokio::test]
async fn no_token_is_no_caller() {
    assert_eq!(
        house().jwt.authenticate(None).await.err(),
        Some(AuthError::Missing)
    );
}
