//! Who is let in, and what those who are not can read. Invariant: a refusal is a TLS alert, not a reset.

use std::sync::Arc;

use curfew_agent_api::TrustDomain;
use curfew_agent_api::tls::gateway_config;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::pki::{Authority, DOMAIN, Issued, domain, expired};
use crate::stage::{SERVER_NAME, Stage, client, stage};

/// What a client of the given identity reads that writes its request at once, before it can know whether it is let in.
async fn eager(stage: &Stage, identity: &Issued) -> std::io::Result<Vec<u8>> {
    let tls =
        gateway_config(&domain(), &stage.authority.pem(), identity.identity()).expect("a gateway's TLS");
    talk(stage, tls, UNREAD).await
}

/// More than the request, so that an agent that refuses is sure to leave bytes unread.
const UNREAD: usize = 64 << 10;

async fn talk(stage: &Stage, tls: ClientConfig, unread: usize) -> std::io::Result<Vec<u8>> {
    let tcp = TcpStream::connect(stage.address).await?;
    let name = ServerName::try_from(SERVER_NAME).expect("a name");
    let mut stream = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await?;
    let head = format!("GET /v1/health HTTP/1.1\r\nhost: {SERVER_NAME}\r\nconnection: close\r\n\r\n");
    let request = [head.into_bytes(), vec![b'x'; unread]].concat();
    let _ = stream.write_all(&request).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    // Below TLS there must be an end. After a reset Linux still gives what had come before; others throw it away.
    let (mut tcp, _) = stream.into_inner();
    assert_eq!(tcp.read(&mut [0]).await.map_err(|error| error.kind()), Ok(0));
    read.map(|_| answer)
}

/// The alert that a client got; fails if it got anything else, a reset above all.
fn alert(answer: std::io::Result<Vec<u8>>) -> AlertDescription {
    let error = answer.expect_err("the client is refused");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("no alert but {error:?}"),
    }
}

#[tokio::test]
async fn a_gateway_is_let_in() {
    let stage = stage().await;
    let tls = gateway_config(&domain(), &stage.authority.pem(), stage.gateway.identity()).expect("TLS");
    let answer = talk(&stage, tls, 0).await.expect("an answer");
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn http2_is_spoken_to_those_who_ask_for_it() {
    let stage = stage().await;
    let mut tls = gateway_config(&domain(), &stage.authority.pem(), stage.gateway.identity()).expect("TLS");
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let response = client(tls, stage.address)
        .get(stage.url("/v1/health"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert!(response.status().is_success());
}

#[tokio::test]
async fn who_is_no_gateway_can_read_that_it_is_refused() {
    let stage = stage().await;
    let authority = &stage.authority;
    let stranger = Authority::new("somebody else");
    let impostor = Authority::new("agents of a test");
    let other = TrustDomain::parse("other.example").expect("a trust domain");
    let two = |params: &mut rcgen::CertificateParams| {
        params.subject_alt_names.extend(params.subject_alt_names.clone());
    };
    let cases = [
        (
            "another authority",
            stranger.issue(&domain().gateway()),
            AlertDescription::UnknownCA,
        ),
        (
            "another authority of the same name",
            impostor.issue(&domain().gateway()),
            AlertDescription::DecryptError,
        ),
        (
            "an agent",
            authority.issue(&domain().agent("TERM05")),
            AlertDescription::CertificateUnknown,
        ),
        (
            "another trust domain",
            authority.issue(&other.gateway()),
            AlertDescription::CertificateUnknown,
        ),
        (
            "a longer id",
            authority.issue(&format!("spiffe://{DOMAIN}/gateway/x")),
            AlertDescription::CertificateUnknown,
        ),
        (
            "two ids",
            authority.issue_with(&domain().gateway(), two),
            AlertDescription::CertificateUnknown,
        ),
        (
            "no id",
            authority.issue_with("x:y", |it| it.subject_alt_names.clear()),
            AlertDescription::CertificateUnknown,
        ),
        (
            "expired",
            authority.issue_with(&domain().gateway(), expired),
            AlertDescription::CertificateExpired,
        ),
    ];
    // Whether a reset overtakes the alert is a race, so it is run several times.
    for _ in 0..10 {
        for (what, identity, expected) in &cases {
            assert_eq!(alert(eager(&stage, identity).await), *expected, "{what}");
        }
    }
}

fn without_certificate(stage: &Stage, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(stage.authority.pem().as_bytes()).expect("PEM");
    roots.add(authority).expect("an authority");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    // The agent's certificate has no DNS name; this client is to get as far as being refused itself.
    config.dangerous().set_certificate_verifier(gullible::verifier());
    config
}

#[tokio::test]
async fn without_a_certificate_nobody_is_let_in() {
    let stage = stage().await;
    let answer = talk(&stage, without_certificate(&stage, &[&TLS13]), UNREAD).await;
    assert_eq!(alert(answer), AlertDescription::CertificateRequired);
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    let stage = stage().await;
    let answer = talk(&stage, without_certificate(&stage, &[&TLS12]), UNREAD).await;
    assert_eq!(alert(answer), AlertDescription::ProtocolVersion);
}

#[tokio::test]
async fn plain_http_is_not_spoken() {
    let stage = stage().await;
    let mut tcp = TcpStream::connect(stage.address).await.expect("a connection");
    tcp.write_all(b"GET /v1/health HTTP/1.1\r\nhost: term04\r\n\r\n")
        .await
        .expect("it is written");
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.expect("an end, not a reset");
    assert!(!answer.starts_with(b"HTTP"));
}

/// Believes every server.
mod gullible {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::ring;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    struct Gullible;

    pub fn verifier() -> Arc<dyn ServerCertVerifier> {
        Arc::new(Gullible)
    }

    impl ServerCertVerifier for Gullible {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            ring::default_provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    }
}
