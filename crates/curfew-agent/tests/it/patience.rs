//! Clients that say nothing, hosts that do not come back. Invariant: neither holds anything for long.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use curfew_agent::Verb;
use curfew_agent::platform::FakeCall;
use curfew_agent_api::ProblemCode;
use curfew_agent_api::tls::gateway_config;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pki::domain;
use crate::stage::{SERVER_NAME, Stage, problem, stage, stage_with, until};

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_sent_away() {
    let stage = stage().await;
    let mut silent = TcpStream::connect(stage.address).await.expect("a connection");
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).await.expect("an end");
    assert!(answer.is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_come_back_from_a_reading_is_not_ready() {
    let stage = stage().await;
    let held = stage.fake.hold(FakeCall::List);
    let (response, ()) = tokio::join!(stage.get("/v1/sessions"), async {
        until("the reading", || stage.fake.calls(FakeCall::List) == 1).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(11)).await;
    });
    let found = problem(response).await;
    assert_eq!(found.code, ProblemCode::HostNotReady);
    tokio::time::resume();
    drop(held);
    assert!(stage.list().await.sessions.is_empty());
}

#[tokio::test]
async fn a_host_that_does_not_come_back_from_an_act_leaves_open_what_was_done() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    let (found, ()) = tokio::join!(stage.refused(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
    });
    assert_eq!(found.code, ProblemCode::HostFailed);
    assert!(!found.code.nothing_was_done());
    tokio::time::resume();
    drop(held);
    until("the log-off", || stage.fake.acts().len() == 1).await;
}

#[tokio::test]
async fn a_host_that_does_not_come_back_from_the_reading_before_an_act_is_never_called() {
    let stage = stage_with(|settings| settings.policy.concurrency = 1).await;
    let alice = stage.fake.log_on("CORP\\alice");
    let bob = stage.fake.log_on("CORP\\bob");
    let [request, other] = [stage.request(alice).await, stage.request(bob).await];
    let before = stage.fake.calls(FakeCall::Get);
    let held = stage.fake.hold(FakeCall::Get);
    let (found, ()) = tokio::join!(stage.refused(alice, Verb::Logoff, &request), async {
        held.let_one_pass();
        until("the second reading", || {
            stage.fake.calls(FakeCall::Get) == before + 2
        })
        .await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
    });
    assert_eq!(found.code, ProblemCode::HostNotReady);
    assert!(found.code.nothing_was_done() && found.retry_after_ms.is_some());
    tokio::time::resume();
    drop(held);
    // Its place is free again when the thread that read has come back.
    loop {
        let response = stage.post(bob, Verb::Disconnect, &other).await;
        if response.status().is_success() {
            break;
        }
        assert_eq!(problem(response).await.code, ProblemCode::TooManyActs);
    }
    assert_eq!(stage.fake.calls(FakeCall::Logoff), 0);
}

/// Connects from another address than gateways do, and says nothing.
#[cfg(not(target_os = "macos"))]
async fn silent(stage: &Stage) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    // All of 127.0.0.0/8 is this host, but on macOS.
    let address = Ipv4Addr::new(127, 0, 0, 2);
    socket.bind((address, 0).into()).expect("an address of its own");
    socket.connect(stage.address).await.expect("a connection")
}

#[cfg(not(target_os = "macos"))]
#[tokio::test]
async fn silent_clients_do_not_keep_a_gateway_out() {
    let stage = stage().await;
    let mut clients = Vec::new();
    for _ in 0..300 {
        clients.push(silent(&stage).await);
    }
    // Less than a handshake may take, so that none of them had to be waited for.
    let answer = timeout(Duration::from_secs(2), stage.get("/v1/sessions")).await;
    assert!(answer.expect("an answer at once").status().is_success());
    assert_eq!(clients.len(), 300);
}

#[cfg(not(target_os = "macos"))]
#[tokio::test]
async fn an_address_has_eight_handshakes_at_once_and_gets_them_back() {
    let stage = stage().await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(silent(&stage).await);
    }
    let mut answer = Vec::new();
    let ended = silent(&stage).await.read_to_end(&mut answer).await;
    assert_eq!(ended.expect("an end"), 0);
    let waits = |client: &TcpStream| client.try_read(&mut [0]).is_err();
    assert!(open.iter().all(waits), "the first eight are not sent away for it");
    drop(open);
    loop {
        // Until the agent has seen that the first ones went, it is sent away at once.
        let mut again = silent(&stage).await;
        let sent_away = timeout(Duration::from_millis(100), again.read(&mut [0])).await;
        if sent_away.is_err() {
            break;
        }
    }
}

/// A gateway that has shaken hands and asked nothing yet.
async fn shaken(stage: &Stage, protocol: &[u8]) -> TlsStream<TcpStream> {
    let mut tls =
        gateway_config(&domain(), &stage.authority.pem(), stage.gateway.identity()).expect("a gateway's TLS");
    tls.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(stage.address).await.expect("a connection");
    let name = ServerName::try_from(SERVER_NAME).expect("a name");
    let connector = TlsConnector::from(Arc::new(tls));
    connector.connect(name, tcp).await.expect("it is let in")
}

#[tokio::test]
async fn a_gateway_that_shakes_hands_and_is_silent_is_sent_away() {
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let stage = stage().await;
        let mut silent = shaken(&stage, protocol).await;
        assert_eq!(silent.get_ref().1.alpn_protocol(), Some(protocol));
        // Its handshake must be over on the other side too, or it is that which runs out.
        stage.get("/v1/health").await;
        tokio::time::pause();
        let ended = timeout(Duration::from_secs(120), silent.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{}", String::from_utf8_lossy(protocol));
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_connection_lives_for_an_hour_however_busy() {
    let stage = stage().await;
    let mut gateway = shaken(&stage, b"http/1.1").await;
    let mut minutes = 0;
    loop {
        let request = format!("HEAD /v1/nowhere HTTP/1.1\r\nhost: {SERVER_NAME}\r\n\r\n");
        if gateway.write_all(request.as_bytes()).await.is_err() || !answered(&mut gateway).await {
            break;
        }
        assert!(minutes < 62, "it lives on");
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(60)).await;
        tokio::time::resume();
        minutes += 1;
    }
    assert!(minutes >= 59, "{minutes} minutes are too short");
}

/// Reads the head of an answer; `false` at the end of the connection.
async fn answered(gateway: &mut TlsStream<TcpStream>) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match gateway.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}
