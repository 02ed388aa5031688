//! The listener: TCP, mutual TLS, HTTP/1.1 and HTTP/2.
//!
//! Not here: who is let in (the TLS configuration, `curfew_agent_api::tls`), what is answered (the router).
//! Invariant: a client that is refused can read why, and one that says nothing does not stay.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Connections at the same time; who comes then waits in the system's queue.
const CONNECTIONS: usize = 256;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may be silent between requests, and take for the head of one. Longer than a gateway keeps an idle
/// connection, so that it is the gateway who closes it, and no request meets a closing connection.
const HEAD: Duration = Duration::from_secs(75);
/// Requests at the same time on one HTTP/2 connection.
const STREAMS: u32 = 32;
/// How often an HTTP/2 connection is tried.
const PING: Duration = Duration::from_secs(20);
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
    let acceptor = TlsAcceptor::from(with_alpn(&tls));
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    while let Some((stream, place)) = next(&listener, &places, &stop).await {
        let connection = Connection {
            acceptor: acceptor.clone(),
            hosts: Arc::clone(&hosts),
            stop: stop.clone(),
            _place: place,
        };
        connections.spawn(connection.serve(stream));
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

/// The next client, once there is a place for it; `None` when it is time to stop.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let accepted = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
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
        accepted = accepted => accepted,
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    hosts: Arc<dyn Hosts>,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        let peer = stream
            .peer_addr()
            .map_or_else(|_| "?".to_owned(), |it| it.to_string());
        // Answers are small; without it the last packet of one may wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let handshake = self.acceptor.accept(stream).into_fallible();
        let shaken = tokio::select! {
            shaken = timeout(HANDSHAKE, handshake) => shaken,
            () = self.stop.cancelled() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.answer(stream).await,
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
    }

    async fn answer(self, stream: TlsStream<TcpStream>) {
        let Some(router) = self.hosts.router(stream.get_ref().1.server_name()) else {
            return;
        };
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            router.clone().oneshot(request.map(Body::new))
        });
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
        server
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS);
        let connection = server.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "A connection ended badly");
        }
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
