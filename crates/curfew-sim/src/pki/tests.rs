//! What the authority issues, judged by the code that both sides use.

use std::sync::Arc;

use curfew_agent_api::TrustDomain;
use curfew_agent_api::tls::{Identity, agent_config, gateway_config};
use rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{CaFolder, DevPki, Flaw};
use crate::serve::TlsPem;

/// Lets the two meet; who refuses says so.
async fn meet(ca: &str, gateway: &TlsPem, agent: &TlsPem) -> Result<(), String> {
    let domain = TrustDomain::parse("corp.example").expect("a trust domain");
    let identity = |pem: &TlsPem| Identity::from_pem(&pem.cert, &pem.key).expect("PEM texts");
    let client = gateway_config(&domain, ca, identity(gateway)).expect("a gateway's side");
    let server = agent_config(&domain, ca, identity(agent)).expect("an agent's side");
    let (near, far) = tokio::io::duplex(1 << 16);
    let host = ServerName::try_from("term04").expect("a server name");
    let (dialled, accepted) = tokio::join!(
        TlsConnector::from(Arc::new(client)).connect(host, near),
        TlsAcceptor::from(Arc::new(server)).accept(far),
    );
    dialled.map_err(|error| format!("the gateway: {error}"))?;
    accepted.map_err(|error| format!("the agent: {error}"))?;
    Ok(())
}

#[tokio::test]
async fn gateway_and_agent_take_each_others_certificates() {
    let pki = DevPki::new("corp.example").expect("an authority");
    let (gateway, agent) = (
        pki.gateway().expect("a gateway"),
        pki.agent("TERM04").expect("an agent"),
    );
    assert_eq!(meet(pki.ca_pem(), &gateway, &agent).await, Ok(()));
}

#[tokio::test]
async fn no_side_takes_a_certificate_with_a_flaw() {
    let pki = DevPki::new("corp.example").expect("an authority");
    let (gateway, agent) = (
        pki.gateway().expect("a gateway"),
        pki.agent("TERM04").expect("an agent"),
    );
    for flaw in Flaw::ALL {
        let wrong = pki.wrong_agent("TERM04", flaw).expect("a certificate");
        let refused = meet(pki.ca_pem(), &gateway, &wrong).await;
        assert!(
            matches!(&refused, Err(text) if text.starts_with("the gateway")),
            "{flaw:?}: {refused:?}"
        );
        let wrong = pki.wrong_gateway(flaw).expect("a certificate");
        let refused = meet(pki.ca_pem(), &wrong, &agent).await;
        assert!(
            matches!(&refused, Err(text) if text.starts_with("the agent")),
            "{flaw:?}: {refused:?}"
        );
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    assert!(DevPki::new("Not A Domain").is_err());
    let pki = DevPki::new("curfew").expect("an authority");
    assert!(pki.agent("a.b").is_err());
    assert!(pki.server(&[]).is_err());
    assert!(pki.server(&["ümlaut"]).is_err());
    let server = pki.server(&["localhost", "127.0.0.1"]).expect("a server");
    assert!(Identity::from_pem(&server.cert, &server.key).is_ok());
}

#[tokio::test]
async fn a_folder_gives_the_same_certificates_again_and_new_ones_of_the_same_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = CaFolder::open(folder.path(), "corp.example").expect("an authority");
    let gateway = first.gateway().expect("a gateway");
    let agent = first.agent("TERM04").expect("an agent");

    let again = CaFolder::open(folder.path(), "corp.example").expect("the authority");
    assert_eq!(again.pki().ca_pem(), first.pki().ca_pem());
    assert_eq!(again.gateway().expect("a gateway").cert, gateway.cert);
    assert_eq!(again.agent("TERM04").expect("an agent").key, agent.key);
    let later = again.pki().agent("term04").expect("an agent");
    assert_eq!(meet(first.pki().ca_pem(), &gateway, &later).await, Ok(()));

    // A run that was cut off between key and certificate is finished by the next one.
    std::fs::remove_file(folder.path().join("TERM04.crt")).expect("it was there");
    let mended = again.agent("TERM04").expect("an agent");
    assert_eq!(mended.key, agent.key);
    assert_eq!(meet(first.pki().ca_pem(), &gateway, &mended).await, Ok(()));
}

#[cfg(unix)]
#[test]
fn keys_in_a_folder_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = CaFolder::open(folder.path(), "curfew").expect("an authority");
    ca.agent("TERM01").expect("an agent");
    for name in ["ca.key", "gateway.key", "TERM01.key"] {
        let about = std::fs::metadata(folder.path().join(name)).expect("a file");
        assert_eq!(about.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_folder_is_never_made_to_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let read = |name: &str| std::fs::read_to_string(path(name)).expect("a file");
    let ca = CaFolder::open(folder.path(), "curfew").expect("an authority");
    for host in ["gateway", "CA", "../up", ""] {
        assert!(ca.agent(host).is_err(), "{host}");
    }

    // Another trust domain, and a certificate of somebody else.
    assert!(CaFolder::open(folder.path(), "elsewhere").is_err());
    let other = ca.pki().agent("TERM02").expect("an agent");
    std::fs::write(path("TERM01.crt"), &other.cert).expect("it is written");
    assert!(ca.agent("TERM01").is_err());
    std::fs::write(path("TERM01.key"), &other.key).expect("it is written");
    assert!(ca.agent("TERM01").is_err());
    assert_eq!(read("TERM01.crt"), other.cert);

    // Half an authority.
    let cert = read("ca.pem");
    std::fs::remove_file(path("ca.key")).expect("it was there");
    assert!(CaFolder::open(folder.path(), "curfew").is_err());
    assert_eq!(read("ca.pem"), cert);
}

#[test]
fn a_server_in_a_folder_is_made_once_and_answers_to_its_name_and_to_this_machine() {
    use rustls::pki_types::pem::PemObject as _;
    let folder = tempfile::tempdir().expect("a folder");
    let ca = CaFolder::open(folder.path(), "curfew").expect("an authority");
    let made = ca.server("citrix").expect("a server");
    assert_eq!(ca.server("citrix").expect("the server").key, made.key);
    let der = rustls::pki_types::CertificateDer::from_pem_slice(made.cert.as_bytes()).expect("a certificate");
    let certificate = rustls::server::ParsedCertificate::try_from(&der).expect("a certificate");
    for name in ["citrix", "localhost", "127.0.0.1"] {
        let name = ServerName::try_from(name).expect("a name");
        rustls::client::verify_server_name(&certificate, &name).expect("it answers to that");
    }
    for name in ["ca", "gateway", "../up", "a b", ""] {
        assert!(ca.server(name).is_err(), "{name}");
    }
    std::fs::remove_file(folder.path().join("citrix.key")).expect("it was there");
    let error = ca.server("citrix").expect_err("half of it").to_string();
    assert!(error.contains("only one is there"), "{error}");
}
