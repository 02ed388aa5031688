//! The client against servers that misbehave: what is said about a request whose answer did not come.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use curfew_agent_api::TrustDomain;
use curfew_agent_api::tls::{Identity, gateway_config};

use super::*;
use crate::citrix::tests::install_provider;
use crate::windows_agent::tests::pki::{DOMAIN, Pair, Pki, agent};
use crate::windows_agent::tests::stub::{Stub, sane};

/// A server that reads the head of each request and answers with these bytes, then closes. Counts connections.
async fn raw(answer: &'static [u8], lingers: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer).await;
                if lingers {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (address, connections)
}

fn client(loopback: Loopback, ca: Option<&str>) -> HttpClient {
    install_provider();
    let backend = BackendId::parse("test").expect("an id");
    let base = Url::parse("https://ddc.example").expect("a URL");
    let options = HttpOptions {
        backend: &backend,
        loopback,
        base: &base,
        trust: Trust::of(ca),
        names: Names::System,
    };
    HttpClient::new(&options).expect("a client")
}

async fn send(client: &HttpClient, purpose: Purpose, url: &str) -> Result<Answer, TransportError> {
    let call = Call {
        operation: "test",
        purpose,
        method: Method::POST,
        url,
        headers: HeaderMap::new(),
        body: Some(Bytes::from_static(b"{}")),
        cap: 1000,
        deadline: Instant::now() + Duration::from_millis(500),
    };
    client.send(call).await
}

/// What became of it, for a read and for an act.
async fn kinds(answer: &'static [u8], lingers: bool) -> String {
    let client = client(Loopback::Allowed, None);
    let mut said = Vec::new();
    for purpose in [Purpose::Read, Purpose::Act] {
        let (address, connections) = raw(answer, lingers).await;
        let result = send(&client, purpose, &format!("http://{address}")).await;
        assert_eq!(connections.load(Ordering::SeqCst), 1, "the request was repeated");
        said.push(match result {
            Ok(Answer {
                body: Ok(body),
                status,
                ..
            }) => format!("{} {}", status.as_u16(), body.len()),
            Ok(Answer {
                body: Err(error),
                status,
                ..
            }) => {
                format!("{} then {:?}", status.as_u16(), error.kind(purpose))
            }
            Err(error) => format!("{:?}", error.kind(purpose)),
        });
    }
    said.join(" | ")
}

#[tokio::test]
async fn what_is_said_about_each_way_to_fail() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";
    let long = b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n";
    let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n";
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let said = [
        ("closes without a word", kinds(b"", false).await),
        ("says nothing", kinds(b"", true).await),
        ("is no HTTP", kinds(b"SSH-2.0-OpenSSH_9.6\r\n", false).await),
        (
            "breaks off in the head",
            kinds(b"HTTP/1.1 200 OK\r\nx: ", false).await,
        ),
        ("breaks off in the body", kinds(head, false).await),
        ("stops in the body", kinds(head, true).await),
        ("announces too long a body", kinds(long, true).await),
        ("never ends", kinds(endless, true).await),
        ("redirects", kinds(redirect, false).await),
    ]
    .map(|(what, kinds)| format!("{what}: {kinds}"));
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn an_unannounced_body_is_cut_off_at_the_cap() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 512]).await.is_ok() {}
        }
    });
    let answer = send(
        &client(Loopback::Allowed, None),
        Purpose::Read,
        &format!("http://{address}"),
    )
    .await;
    assert!(matches!(
        answer.expect("a head").body,
        Err(TransportError::TooLong { cap: 1000 })
    ));
}

#[tokio::test]
async fn what_cannot_be_connected_was_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = closed.local_addr().expect("its address");
    drop(closed);
    let (plain, connections) = raw(b"HTTP/1.1 200 OK\r\n\r\n", false).await;
    let client = client(Loopback::Allowed, None);
    for url in [
        format!("http://{address}"),
        // TLS is asked for where none is spoken.
        format!("https://{plain}"),
        "https://no-such-host.invalid".to_owned(),
        "not a url".to_owned(),
    ] {
        for purpose in [Purpose::Read, Purpose::Act] {
            let error = send(&client, purpose, &url).await.expect_err("no answer");
            assert_eq!(
                error.kind(purpose),
                BackendErrorKind::Unavailable,
                "{url}: {error:?}"
            );
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn each_act_has_a_connection_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|read| read > 0) {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .await;
                }
            });
        }
    });
    let client = client(Loopback::Allowed, None);
    let url = format!("http://{address}");
    for (purpose, expected) in [(Purpose::Read, 1), (Purpose::Act, 4)] {
        for _ in 0..3 {
            send(&client, purpose, &url).await.expect("an answer");
        }
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_connected_unless_allowed() {
    let (address, connections) = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
    let url = format!("http://localhost:{}", address.port());
    let error = send(&client(Loopback::Refused, None), Purpose::Act, &url)
        .await
        .expect_err("refused");
    assert_eq!(error.kind(Purpose::Act), BackendErrorKind::Unavailable);
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    assert!(
        send(&client(Loopback::Allowed, None), Purpose::Act, &url)
            .await
            .is_ok()
    );
}

/// A certificate authority, and a certificate that it gave to `localhost`.
struct Localhost {
    ca: String,
    cert: String,
    key: String,
}

fn localhost() -> Localhost {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&ca_key).expect("a CA").pem();
    let key = KeyPair::generate().expect("a key");
    let cert = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let cert = cert
        .signed_by(&key, &Issuer::new(params, ca_key))
        .expect("a certificate");
    Localhost {
        ca,
        cert: cert.pem(),
        key: key.serialize_pem(),
    }
}

#[tokio::test]
async fn only_the_given_authority_is_trusted() {
    install_provider();
    let (ours, theirs) = (localhost(), localhost());
    let config = curfew_sim::CitrixSimConfig::cloud().tls(ours.cert.clone(), ours.key.clone());
    let sim = curfew_sim::CitrixSim::start(config).await.expect("it starts");
    let url = format!("{}/cvad/manage/Sessions/x/$logoff", sim.url());
    for purpose in [Purpose::Read, Purpose::Act] {
        let answer = send(&client(Loopback::Allowed, Some(&ours.ca)), purpose, &url).await;
        assert_eq!(answer.expect("an answer").status, StatusCode::UNAUTHORIZED);
        let before = sim.acts().len();
        for ca in [None, Some(&*theirs.ca)] {
            let error = send(&client(Loopback::Allowed, ca), purpose, &url)
                .await
                .expect_err("not trusted");
            assert_eq!(error.kind(purpose), BackendErrorKind::Unavailable, "{error:?}");
        }
        assert_eq!(sim.acts().len(), before);
    }
}

#[test]
fn a_ca_that_is_none_is_refused() {
    install_provider();
    let backend = BackendId::parse("test").expect("an id");
    let base = Url::parse("https://ddc.example").expect("a URL");
    for pem in [
        "",
        "no pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let options = HttpOptions {
            backend: &backend,
            loopback: Loopback::Refused,
            base: &base,
            trust: Trust::Only(pem),
            names: Names::System,
        };
        assert!(HttpClient::new(&options).is_err(), "{pem:?}");
    }
}

/// A client that shows `pair`, trusts `ca`, and knows these names.
fn mutual(loopback: Loopback, ca: &str, pair: &Pair, names: &[(&str, &str)]) -> HttpClient {
    install_provider();
    let domain = TrustDomain::parse(DOMAIN).expect("a trust domain");
    let identity = Identity::from_pem(&pair.cert, &pair.key).expect("an identity");
    let tls = gateway_config(&domain, ca, identity).expect("a TLS set-up");
    let names = names
        .iter()
        .map(|(name, to)| ((*name).to_owned(), (*to).to_owned()));
    let options = HttpOptions {
        backend: &BackendId::parse("test").expect("an id"),
        loopback,
        base: &Url::parse("https://term04").expect("a URL"),
        trust: Trust::Mutual(Box::new(tls)),
        names: Names::Configured(Arc::new(names.collect())),
    };
    HttpClient::new(&options).expect("a client")
}

async fn term04(pki: &Pki) -> Stub {
    Stub::start(&pki.ca, &pki.pair(&[&agent("term04")]), sane("TERM04")).await
}

#[tokio::test]
async fn a_name_leads_where_the_configuration_says_and_nowhere_else() {
    let pki = Pki::new();
    let stub = term04(&pki).await;
    let port = stub.address.port();
    let names = [
        ("term04", "127.0.0.1"),
        ("here", "localhost"),
        ("there", "169.254.169.254"),
    ];
    let client = mutual(Loopback::Allowed, &pki.ca, &pki.gateway(), &names);
    let answer = send(
        &client,
        Purpose::Act,
        &format!("https://term04:{port}/v1/sessions/3/logoff"),
    )
    .await;
    assert_eq!(answer.expect("an answer").status, StatusCode::OK);
    // The certificate is that of the name that was asked for, wherever that leads.
    let error = send(&client, Purpose::Act, &format!("https://here:{port}/")).await;
    assert!(
        matches!(error, Err(TransportError::Untrusted { .. })),
        "{error:?}"
    );
    // Not configured, though the system knows it; and refused wherever it comes from.
    for name in ["localhost", "there"] {
        let error = send(&client, Purpose::Act, &format!("https://{name}:{port}/")).await;
        assert!(
            matches!(error, Err(TransportError::NotSent(_))),
            "{name}: {error:?}"
        );
    }
    let strict = mutual(Loopback::Refused, &pki.ca, &pki.gateway(), &names);
    let error = send(&strict, Purpose::Act, &format!("https://term04:{port}/")).await;
    assert!(matches!(error, Err(TransportError::NotSent(_))), "{error:?}");
    assert_eq!(stub.asked().len(), 1);
}

#[tokio::test]
async fn an_act_that_is_refused_for_our_certificate_was_not_sent_and_is_of_known_outcome() {
    let (pki, other) = (Pki::new(), Pki::new());
    let stub = term04(&pki).await;
    let client = mutual(
        Loopback::Allowed,
        &pki.ca,
        &other.gateway(),
        &[("term04", "127.0.0.1")],
    );
    let url = format!("https://term04:{}/v1/sessions/3/logoff", stub.address.port());
    for _ in 0..50 {
        let error = send(&client, Purpose::Act, &url)
            .await
            .expect_err("it is refused");
        assert!(
            matches!(error, TransportError::NotAccepted(_) | TransportError::Closed(_)),
            "{error:?}"
        );
        assert_ne!(error.kind(Purpose::Act), BackendErrorKind::OutcomeUnknown);
    }
    assert_eq!(stub.asked(), []);
}

#[tokio::test]
async fn an_alert_about_a_certificate_that_was_never_shown_says_nothing_about_credentials() {
    install_provider();
    let ours = localhost();
    let pem = |text: &str| -> Vec<_> {
        use rustls::pki_types::pem::PemObject as _;
        let all = rustls::pki_types::CertificateDer::pem_slice_iter(text.as_bytes());
        all.collect::<Result<_, _>>().expect("certificates")
    };
    let key = {
        use rustls::pki_types::pem::PemObject as _;
        rustls::pki_types::PrivateKeyDer::from_pem_slice(ours.key.as_bytes()).expect("a key")
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(pem(&ours.ca));
    let asks = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots));
    let config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(asks.build().expect("a verifier"))
        .with_single_cert(pem(&ours.cert), key)
        .expect("a TLS set-up");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().expect("its address").port()
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    for purpose in [Purpose::Read, Purpose::Act] {
        let error = send(&client(Loopback::Allowed, Some(&ours.ca)), purpose, &url)
            .await
            .expect_err("it is refused");
        assert!(!matches!(error, TransportError::NotAccepted(_)), "{error:?}");
        assert_ne!(error.kind(purpose), BackendErrorKind::Credentials, "{error:?}");
    }
}
