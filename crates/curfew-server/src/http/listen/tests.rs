//! Real sockets: slow clients, TLS, stopping.
//!
//! Not the door's answers. Invariant: no port is fixed, and nothing waits longer than it must.

use std::sync::Arc;
use std::time::Duration;

use axum::routing::get;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::*;
use crate::tls::{self, Pem};

const SOON: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(200);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

fn app() -> Router {
    let slow = || async {
        sleep(Duration::from_millis(500)).await;
        "slow"
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/slow", get(slow))
}

fn bound() -> Bound {
    Bound::bind(SocketAddr::from(([127, 0, 0, 1], 0)), "--listen").expect("a free port")
}

fn serve() -> Running {
    bound().serve_patiently(app(), None, SHORT).expect("it serves")
}

async fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest)).await.is_ok()
}

async fn answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut buffer = vec![0; 4096];
    let read = timeout(SOON, stream.read(&mut buffer))
        .await
        .expect("in time")
        .expect("readable");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

#[tokio::test]
async fn clients_that_do_not_finish_their_headers_are_dropped() {
    let server = serve();
    for said in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost:"] {
        let mut stream = TcpStream::connect(server.address()).await.expect("connected");
        stream.write_all(said.as_bytes()).await.expect("written");
        assert!(closed(&mut stream).await, "after {said:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_is_not_cut_off_by_the_patience_for_headers() {
    let server = serve();
    let mut stream = TcpStream::connect(server.address()).await.expect("connected");
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("written");
    assert!(answer(&mut stream).await.ends_with("slow"));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = serve();
    let mut stream = TcpStream::connect(server.address()).await.expect("connected");
    stream.write_all(GET).await.expect("written");
    assert!(answer(&mut stream).await.ends_with("hello"));
    assert!(closed(&mut stream).await);
}

#[tokio::test]
async fn a_taken_port_names_the_option_to_change() {
    let first = bound();
    let error = Bound::bind(first.address(), "server.listen").expect_err("it is taken");
    let text = error.to_string();
    assert!(text.contains(&first.address().to_string()), "{text}");
    assert!(
        text.ends_with("another program has the port; change `server.listen`"),
        "{text}"
    );
}

#[tokio::test]
async fn stopping_lets_requests_end_and_refuses_new_connections() {
    let server = bound().serve(app(), None).expect("it serves");
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("written");
    sleep(Duration::from_millis(100)).await;
    let stopping = tokio::spawn(server.stop(SOON));
    assert!(answer(&mut stream).await.ends_with("slow"));
    timeout(SOON, stopping).await.expect("in time").expect("no panic");
    TcpStream::connect(address).await.expect_err("nobody listens");
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server = bound().serve(app(), None).expect("it serves");
    let mut stream = TcpStream::connect(server.address()).await.expect("connected");
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .expect("written");
    sleep(Duration::from_millis(50)).await;
    timeout(Duration::from_millis(400), server.stop(Duration::from_millis(50)))
        .await
        .expect("in time");
}

#[tokio::test]
async fn tls_speaks_http_2_and_http_1() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let pem = |place: &str, text: String| Pem {
        place: place.to_owned(),
        text: text.into(),
    };
    let config = tls::server_config(
        &pem("cert", made.cert.pem()),
        &pem("key", made.signing_key.serialize_pem()),
    )
    .expect("TLS");
    let server = bound().serve(app(), Some(config)).expect("it serves");

    for (offered, agreed) in [("h2", Some("h2")), ("http/1.1", Some("http/1.1")), ("", None)] {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        if !offered.is_empty() {
            client.alpn_protocols = vec![offered.as_bytes().to_vec()];
        }
        let tcp = TcpStream::connect(server.address()).await.expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(client))
            .connect(name, tcp)
            .await
            .expect("a handshake");
        assert_eq!(stream.get_ref().1.alpn_protocol(), agreed.map(str::as_bytes));
        if agreed != Some("h2") {
            stream.write_all(GET).await.expect("written");
            assert!(answer(&mut stream).await.ends_with("hello"));
        }
    }
    // Somebody who speaks plain HTTP to it gets nothing, and stops nothing.
    let mut plain = TcpStream::connect(server.address()).await.expect("connected");
    plain.write_all(GET).await.expect("written");
    assert!(closed(&mut plain).await);
}
