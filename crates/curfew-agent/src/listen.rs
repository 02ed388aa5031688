//! The listener: TCP, mutual TLS, HTTP/1.1 and HTTP/2.
//!
//! Not here: who is let in (the TLS configuration, `curfew_agent_api::tls`), what is answered (the router).
//! Invariant: who has not shown a gateway's certificate holds no gateway's place, a client that is refused can read why,
//! and one that says nothing does not stay.

mod connection;
mod knocking;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::knocking::{Knock, Knocking};

/// Gateways' connections at the same time.
const CONNECTIONS: usize = 256;
/// How long a handshake may take, and then the wait for a place. A gateway is done in three journeys.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// How long a refused client has for reading why.
const DRAIN: Duration = Duration::from_secs(1);
/// How much of what a refused client has sent is read and thrown away, in bytes.
const DRAIN_BYTES: u64 = 256 << 10;
/// How long the requests in hand have when the agent stops.
const FINISH: Duration = Duration::from_secs(5);

/// Who answers at an address.
pub trait Hosts: Send + Sync + 'static {
    /// What answers for the server name that the client meant; without one the connection is closed.
    ///
    /// An agent answers whatever the name: its certificate says who it is. A simulated fleet has a host for each name.
    fn router(&self, server_name: Option<&str>) -> Option<Router>;
}

impl Hosts for Router {
    fn router(&self, _: Option<&str>) -> Option<Router> {
        Some(self.clone())
    }
}

/// Serves until `stop`; then the requests in hand have five seconds to end.
///
/// # Errors
/// None at present: what goes wrong with one connection ends that connection.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    hosts: Arc<dyn Hosts>,
    stop: CancellationToken,
) -> io::Result<()> {
    let door = Arc::new(Door {
        acceptor: TlsAcceptor::from(with_alpn(&tls)),
        hosts,
        places: Arc::new(Semaphore::new(CONNECTIONS)),
        stop: stop.clone(),
    });
    let knocking = Arc::new(Knocking::default());
    let connections = TaskTracker::new();
    while let Some((stream, knock)) = next(&listener, &knocking, &stop).await {
        connections.spawn(Arc::clone(&door).open(stream, knock));
    }
    drop(listener);
    connections.close();
    if timeout(FINISH, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "Connections were cut off at the end"
        );
    }
    Ok(())
}

/// The configuration with the protocols that are spoken here.
fn with_alpn(tls: &rustls::ServerConfig) -> Arc<rustls::ServerConfig> {
    let mut tls = tls.clone();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(tls)
}

/// The next client that may shake hands; `None` when it is time to stop. Who has too many handshakes open already is
/// sent away here.
async fn next(
    listener: &TcpListener,
    knocking: &Arc<Knocking>,
    stop: &CancellationToken,
) -> Option<(TcpStream, Knock)> {
    let accepted = async {
        loop {
            let turn = knocking.turn().await;
            match listener.accept().await {
                Ok((stream, peer)) => match knocking.admit(peer.ip(), turn) {
                    Some(knock) => return (stream, knock),
                    None => tracing::debug!(%peer, "Too many handshakes at once from the address of {peer}"),
                },
                Err(error) => {
                    // Out of descriptors, or the client is gone already; either passes.
                    tracing::warn!(%error, "A connection cannot be accepted");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = accepted => Some(accepted),
    }
}

/// What every connection needs.
struct Door {
    acceptor: TlsAcceptor,
    hosts: Arc<dyn Hosts>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Door {
    async fn open(self: Arc<Self>, stream: TcpStream, knock: Knock) {
        let stop = self.stop.clone();
        let shaken = tokio::select! {
            shaken = self.shake(stream) => shaken,
            () = stop.cancelled() => return,
        };
        let Some(stream) = shaken else {
            return;
        };
        // The client has shown a gateway's certificate: from here on it counts as one.
        let Ok(Ok(place)) = timeout(HANDSHAKE, Arc::clone(&self.places).acquire_owned()).await else {
            tracing::warn!("A gateway is sent away: {CONNECTIONS} connections are open already");
            return;
        };
        drop(knock);
        if let Some(router) = self.hosts.router(stream.get_ref().1.server_name()) {
            connection::answer(stream, router, &stop).await;
        }
        drop(place);
    }

    /// The handshake; it ends well only for a client whose certificate was accepted (RFC 8446, section 4.4.2.4).
    async fn shake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let peer = stream
            .peer_addr()
            .map_or_else(|_| "?".to_owned(), |it| it.to_string());
        // Answers are small; without it the last packet of one may wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let handshake = self.acceptor.accept(stream).into_fallible();
        match timeout(HANDSHAKE, handshake).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err((error, stream))) => {
                // Anything else is a client that went away, such as a probe that only connects.
                if error.kind() == io::ErrorKind::InvalidData {
                    tracing::warn!(%peer, %error, "Refused the connection of {peer}");
                } else {
                    tracing::debug!(%peer, %error, "The handshake of {peer} broke off");
                }
                let _ = timeout(DRAIN, read_to_nothing(stream)).await;
            }
            Err(_elapsed) => tracing::debug!(%peer, "No handshake from {peer} in time"),
        }
        None
    }
}

/// Ends our side, so that the alert goes out, and reads what the client had sent already. In TLS 1.3 a client may send
/// its request before its certificate has been looked at; a socket that is closed with bytes unread is reset, and the
/// reset overtakes the alert (RFC 9293, section 3.6.1).
async fn read_to_nothing(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(DRAIN_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}
