//! Who is believed to be whom: every wrong certificate, theirs and ours.

use rcgen::ExtendedKeyUsagePurpose;

use super::pki::GATEWAY;
use super::*;

/// What a listing, a look and an act say of TERM04, which shows `theirs` and trusts `their_ca`, to a gateway that
/// shows `ours` and trusts `our_ca`. Nothing may reach it.
async fn refused(their_ca: &str, theirs: &Pair, our_ca: &str, ours: &Pair) -> String {
    let stub = Stub::start(their_ca, theirs, sane("TERM04")).await;
    let clock = Arc::new(MockClock::default());
    let hosts = [("TERM04", stub.address.to_string())];
    let backend = built(&text(our_ca, ours, &hosts, ""), clock.clone()).expect("it builds");
    let listing = said(backend.list(&soon()).await);
    let look = said(backend.get(&id("TERM04/3"), &soon()).await);
    let action = SessionAction {
        session: id("TERM04/3"),
        verb: Verb::Logoff,
        not_after: clock.now() + TimeDelta::seconds(15),
    };
    let act = said(backend.start(Recorded::for_test(action)).await);
    assert_eq!(listing, look);
    assert_eq!(act, format!("{listing}; nothing was sent"));
    assert_eq!(stub.asked(), [], "a request was read");
    listing
}

#[tokio::test]
async fn a_host_with_a_wrong_certificate_is_not_talked_to() {
    let (pki, other) = (Pki::new(), Pki::new());
    let ours = pki.gateway();
    let term04 = agent("TERM04");
    let mut all = Vec::new();
    for theirs in [
        pki.pair(&[&agent("TERM05")]),
        pki.pair(&[GATEWAY]),
        pki.pair(&["spiffe://elsewhere/agent/term04"]),
        pki.pair(&["spiffe://curfew/agent/TERM04"]),
        // Only a DNS entry of that name.
        pki.pair(&[]),
        pki.pair(&[&term04, &agent("TERM05")]),
        pki.expired(&term04),
        pki.only_for(&term04, ExtendedKeyUsagePurpose::ClientAuth),
        other.pair(&[&term04]),
    ] {
        all.push(refused(&pki.ca, &theirs, &pki.ca, &ours).await);
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[tokio::test]
async fn a_host_that_does_not_accept_our_certificate_says_so_and_has_read_nothing() {
    let (pki, other) = (Pki::new(), Pki::new());
    let theirs = pki.pair(&[&agent("TERM04")]);
    let refusal = "Credentials: TERM04 does not accept the gateway's certificate";
    for ours in [
        other.gateway(),
        pki.expired(GATEWAY),
        pki.only_for(GATEWAY, ExtendedKeyUsagePurpose::ServerAuth),
    ] {
        // Again and again: their word must not get lost between the handshake and the first request.
        for _ in 0..20 {
            assert_eq!(refused(&pki.ca, &theirs, &pki.ca, &ours).await, refusal);
        }
    }
}

#[tokio::test]
async fn a_rotation_of_authorities_needs_no_gap() {
    let (old, new) = (Pki::new(), Pki::new());
    let both = format!("{}{}", old.ca, new.ca);
    for (theirs, ours) in [(&old, &new), (&new, &old)] {
        let stub = Stub::start(&both, &theirs.pair(&[&agent("TERM04")]), sane("TERM04")).await;
        let hosts = [("TERM04", stub.address.to_string())];
        let text = text(&both, &ours.gateway(), &hosts, "");
        let backend = built(&text, Arc::new(MockClock::default())).expect("it builds");
        let listing = backend.list(&soon()).await.expect("they trust each other");
        assert_eq!(parts(&listing), ["TERM04/3 TERM04/7"]);
    }
}

#[tokio::test]
async fn something_that_speaks_no_tls_is_no_host() {
    let pki = Pki::new();
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let hosts = [("TERM04", plain.local_addr().expect("an address").to_string())];
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            use tokio::io::AsyncWriteExt as _;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let backend = built(
        &text(&pki.ca, &pki.gateway(), &hosts, ""),
        Arc::new(MockClock::default()),
    );
    let listing = backend.expect("it builds").list(&soon()).await;
    assert_eq!(said(listing), "Unavailable: TERM04 cannot be reached");
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_end_of_our_own_certificate_is_told_again_and_again() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let told = || {
        let text = String::from_utf8_lossy(&log.0.lock()).into_owned();
        text.matches("`client_cert`) ends 2026-01-20").count()
    };
    let pki = Pki::new();
    let hosts = [("TERM04", closed_port().to_string())];
    for (ours, expected) in [(pki.gateway(), [0, 0, 0]), (pki.ending(GATEWAY), [1, 1, 2])] {
        let text = text(&pki.ca, &ours, &hosts, "");
        let backend = built(&text, Arc::new(MockClock::default())).expect("it builds");
        assert_eq!(told(), expected[0], "at start");
        for (hours, expected) in [(5, expected[1]), (1, expected[2])] {
            pass(Duration::from_secs(hours * 3600)).await;
            for _ in 0..2 {
                backend.list(&soon()).await.expect_err("nobody is there");
            }
            assert_eq!(told(), expected, "{hours} h later");
        }
    }
}

#[tokio::test]
async fn certificates_are_looked_at_again_every_ten_minutes() {
    let hosts = Hosts::start(&["TERM01"]).await;
    let stub = &hosts.stubs[0];
    for half_minutes in 1..=60_usize {
        hosts.backend.list(&soon()).await.expect("it answers");
        pass(Duration::from_secs(30)).await;
        let periods = (half_minutes - 1) / 20;
        assert_eq!(
            (stub.last(), stub.connections()),
            (periods, 1 + half_minutes.saturating_sub(2) / 20),
            "{half_minutes}"
        );
    }
}
