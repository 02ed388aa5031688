//! Folders, keys and tokens. That a gateway takes the tokens is a test of the whole (`tests/it/compose.rs`).

use std::fs;

use super::*;

fn about() -> About {
    About {
        issuer: "https://login.demo.example".to_owned(),
        audience: "curfew".to_owned(),
    }
}

fn parts(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64");
        serde_json::from_slice(&bytes).unwrap_or(Value::Null)
    });
    [parts.next().expect("a header"), parts.next().expect("claims")]
}

#[test]
fn a_token_names_the_person_the_issuer_and_the_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let issuer = Issuer::make(folder.path(), about(), None).expect("made");
    let token = issuer
        .token(&Person::in_group("helpdesk"), Duration::from_secs(60))
        .expect("signed");
    let [header, claims] = parts(&token);
    assert_eq!(header["alg"], "EdDSA");
    assert_eq!(header["kid"], issuer.jwks()["keys"][0]["kid"]);
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!("https://login.demo.example"), &json!("curfew"))
    );
    assert_eq!(
        (&claims["sub"], &claims["name"], &claims["groups"]),
        (
            &json!("demo-helpdesk"),
            &json!("Demo Helpdesk"),
            &json!(["helpdesk"])
        )
    );
    let at = |name: &str| claims[name].as_i64().expect("a time");
    assert_eq!(at("exp") - at("iat"), 60);
}

#[test]
fn an_issuer_is_made_once_and_then_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let public = folder.path().join("public");
    let first = Issuer::make(folder.path(), about(), Some(&public)).expect("made");
    let second = Issuer::make(folder.path(), about(), Some(&public)).expect("opened");
    assert_eq!(first.jwks(), second.jwks());
    let published = fs::read_to_string(public.join(JWKS)).expect("published");
    assert_eq!(published, first.jwks().to_string());
    let beside = fs::read_dir(&public).expect("a folder").count();
    assert_eq!(beside, 1, "nothing but the public key is published");

    let elsewhere = folder.path().join("elsewhere");
    let error = Issuer::make(&elsewhere, about(), Some(&public)).expect_err("another key is published there");
    assert!(error.to_string().contains("says something else"), "{error}");

    let other = About {
        audience: "else".to_owned(),
        ..about()
    };
    let error = Issuer::make(folder.path(), other, None).expect_err("another issuer");
    assert!(error.to_string().contains("holds another issuer"), "{error}");
}

#[test]
fn a_folder_without_an_issuer_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Issuer::open(folder.path()).expect_err("empty").to_string();
    assert!(error.contains("issuer.key"), "{error}");
    fs::write(folder.path().join(KEY), "no key").expect("written");
    fs::write(folder.path().join(ABOUT), json!(about()).to_string()).expect("written");
    let error = Issuer::open(folder.path()).expect_err("no key").to_string();
    assert!(error.contains("holds no Ed25519 key"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_private_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    Issuer::make(folder.path(), about(), None).expect("made");
    let mode = |name: &str| {
        let meta = fs::metadata(folder.path().join(name)).expect("it is there");
        meta.permissions().mode() & 0o077
    };
    assert_eq!(mode(KEY), 0);
}

#[test]
fn a_password_is_made_once_and_stands_in_the_url() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it is there");
    make_password(folder.path(), "postgres://curfew:{password}@postgres/curfew").expect("made");
    let (password, url) = (read("password"), read("url"));
    assert_eq!(password.len(), 64);
    assert_eq!(url, format!("postgres://curfew:{password}@postgres/curfew"));
    make_password(folder.path(), "postgres://curfew:{password}@postgres/curfew").expect("kept");
    assert_eq!((read("password"), read("url")), (password, url));

    let moved = make_password(folder.path(), "postgres://curfew:{password}@elsewhere/curfew");
    let error = moved.expect_err("another URL").to_string();
    assert!(
        error.contains("says something else") && !error.contains("postgres://"),
        "{error}"
    );

    let error = make_password(folder.path(), "postgres://curfew@postgres/curfew").expect_err("no place");
    assert!(error.to_string().contains("{password}"), "{error}");
}
