//! What is wrong with certificates and keys. Not handshakes (`http::listen`). Invariant: each text names its file.

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

use super::{Pem, server_config};

fn made() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

fn error(certificate: &str, key: &str) -> String {
    let pem = |place: &str, text: &str| Pem {
        place: place.to_owned(),
        text: text.to_owned().into(),
    };
    match server_config(&pem("file:/c.crt", certificate), &pem("file:/c.key", key)) {
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_certificate_with_its_key_is_taken() {
    let it = made();
    assert_eq!(error(&it.cert.pem(), &it.signing_key.serialize_pem()), "none");
}

#[test]
fn every_error_names_the_file_and_the_problem() {
    let (it, other) = (made(), made());
    let (cert, key) = (it.cert.pem(), it.signing_key.serialize_pem());
    assert!(error("", &key).starts_with("file:/c.crt holds no certificate"));
    assert!(error(&key, &key).starts_with("file:/c.crt holds no certificate"));
    assert!(error(&cert, "").starts_with("file:/c.key holds no private key"));
    assert!(error(&cert, &cert).starts_with("file:/c.key holds no private key"));
    assert!(error("-----BEGIN CERTIFICATE-----\n!!!", &key).starts_with("file:/c.crt cannot be read as PEM"));
    assert_eq!(
        error(&cert, &other.signing_key.serialize_pem()),
        "the key in file:/c.key does not belong to the certificate in file:/c.crt"
    );
}
