//! What is refused at start. Not signatures (`jwt`). Invariant: each case stands alone.

use serde_json::json;

use super::*;

const P: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Q: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn parse(keys: Value) -> Result<KeySet, JwksError> {
    KeySet::parse(&json!({ "keys": keys }).to_string())
}

/// A number of so many bytes.
fn long(bytes: usize) -> String {
    URL_SAFE_NO_PAD.encode(vec![0xff; bytes])
}

/// The point of RFC 7515, appendix A.3.
fn ec(kid: &str) -> Value {
    json!({ "kty": "EC", "crv": "P-256", "x": P, "y": Q, "kid": kid })
}

#[test]
fn a_symmetric_key_is_refused_with_a_clear_text() {
    for kty in [
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256" }),
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "shared", "use": "enc" }),
    ] {
        let error = parse(json!([ec("a"), kty])).expect_err("refused").to_string();
        assert!(
            error.contains("HS256 is for `curfew dev` alone") && error.contains("shared"),
            "{error}"
        );
        assert!(!error.contains("c2VjcmV0"));
    }
}

#[test]
fn dangerous_and_broken_sets_are_refused() {
    let problem = |key: Value| parse(json!([key])).expect_err("refused").to_string();
    let table = [
        (
            json!({ "kty": "EC", "crv": "P-256", "x": P, "y": Q, "d": "AA" }),
            "holds a private key",
        ),
        (
            json!({ "kty": "EC", "crv": "P-256", "x": P, "y": P }),
            "not a point on its curve",
        ),
        (
            json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": Q }),
            "32 bytes each",
        ),
        (json!({ "kty": "EC", "crv": "P-256", "x": P }), "`y` is missing"),
        (
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
            "has 32 bytes",
        ),
        (json!({ "kty": "RSA", "n": P, "e": "AQAB" }), "at least 2048 bits"),
        (
            json!({ "kty": "RSA", "n": long(256), "e": "AQ" }),
            "no RSA number",
        ),
        (
            json!({ "kty": "RSA", "n": long(600), "e": "AQAB" }),
            "at most 4096 bits",
        ),
        (json!({ "kty": "RSA", "n": "?", "e": "AQAB" }), "not base64url"),
        // Nothing that verifies.
        (
            json!({ "kty": "EC", "crv": "P-384", "x": P, "y": Q }),
            "has no key",
        ),
        (
            json!({ "kty": "EC", "crv": "P-256", "x": P, "y": Q, "use": "enc" }),
            "has no key",
        ),
        (
            json!({ "kty": "EC", "crv": "P-256", "x": P, "y": Q, "key_ops": ["sign"] }),
            "has no key",
        ),
        (json!({ "kty": "OKP", "crv": "X25519", "x": ED }), "has no key"),
        (json!({ "kty": "what" }), "has no key"),
    ];
    for (key, expected) in table {
        let text = problem(key.clone());
        assert!(text.contains(expected), "{key}: {text}");
    }
    assert_eq!(parse(json!([])).err(), Some(JwksError::Empty));
    assert_eq!(parse(json!(["x"])).err(), Some(JwksError::Form));
    assert_eq!(parse(json!({})).err(), Some(JwksError::Form));
    assert_eq!(
        KeySet::parse("-----BEGIN PUBLIC KEY-----").err(),
        Some(JwksError::Form)
    );
    assert_eq!(
        parse(json!([ec("a"), ec("a")])).err(),
        Some(JwksError::Duplicate("a".into()))
    );
    assert_eq!(parse(json!(vec![ec("a"); 101])).err(), Some(JwksError::TooLarge));
    assert_eq!(
        KeySet::parse(&" ".repeat(MAX_TEXT + 1)).err(),
        Some(JwksError::TooLarge)
    );
}

#[test]
fn keys_for_other_purposes_are_left_out() {
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "d", "alg": "EdDSA", "use": "sig" });
    let encryption =
        json!({ "kty": "RSA", "n": "AA", "e": "AQAB", "kid": "x", "use": "enc", "alg": "RSA-OAEP" });
    let keys = parse(json!([ec("e"), ed, encryption])).expect("two usable keys");
    assert_eq!(format!("{keys:?}"), r#"[(Some("e"), ES256), (Some("d"), EdDSA)]"#);
    assert!(keys.select(Some("x")).is_none());
    assert!(keys.select(None).is_none());
}
