//! Listeners: bind first, serve later, stop gracefully; plain or TLS.
//!
//! Not here: what is served. Binding is apart from serving, so that everything that can fail at start fails
//! before the first request is taken.
//! Invariant: a slow or silent client holds a connection, never a place among the requests, and not for long.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use tokio::task::JoinHandle;

use super::first_bytes::FirstBytes;

/// How long a client may take for its headers, and how long it may be idle between requests.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// How often an HTTP/2 connection is tried, and how long the answer may take.
const HTTP2_PING: Duration = Duration::from_secs(20);
/// Most requests at the same time on one HTTP/2 connection.
const HTTP2_STREAMS: u32 = 128;

/// Controls a running listener.
pub type ServerHandle = Handle<SocketAddr>;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {}; change `{option}`", reason(source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// How the operator sets it: `--listen`, `server.listen` …
        option: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program has the port",
        io::ErrorKind::PermissionDenied => "this user may not have the port",
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
        _ => "the system refuses",
    }
}

/// A bound address that nothing is served on yet.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Binds an address; `option` is what the operator would change if it is taken.
    ///
    /// # Errors
    /// [`ListenError::Bind`].
    pub fn bind(address: SocketAddr, option: &str) -> Result<Self, ListenError> {
        let bind = || {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        bind().map_err(|source| ListenError::Bind {
            address,
            option: option.to_owned(),
            source,
        })
    }

    /// The address, with the port that the system chose for 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` in a task, by TLS if there is a configuration for it.
    ///
    /// # Errors
    /// If the listener cannot be handed to the runtime.
    pub fn serve(self, router: Router, tls: Option<Arc<rustls::ServerConfig>>) -> io::Result<Running> {
        self.serve_patiently(router, tls, HEADER_PATIENCE)
    }

    fn serve_patiently(
        self,
        router: Router,
        tls: Option<Arc<rustls::ServerConfig>>,
        patience: Duration,
    ) -> io::Result<Running> {
        let handle = ServerHandle::new();
        let mut server = axum_server::from_tcp(self.listener)?.handle(handle.clone());
        configure(&mut server, patience);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let tcp = NoDelayAcceptor::new();
        let task = match tls {
            Some(tls) => {
                let tls = RustlsAcceptor::new(RustlsConfig::from_config(tls)).handshake_timeout(patience);
                let acceptor = FirstBytes::new(tls.acceptor(tcp), patience);
                tokio::spawn(server.acceptor(acceptor).handle(handle.clone()).serve(service))
            }
            None => {
                let acceptor = FirstBytes::new(tcp, patience);
                tokio::spawn(server.acceptor(acceptor).handle(handle.clone()).serve(service))
            }
        };
        Ok(Running {
            address: self.address,
            handle,
            task,
        })
    }
}

fn configure(server: &mut Server<SocketAddr>, patience: Duration) {
    let builder = server.http_builder();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING)
        .max_concurrent_streams(HTTP2_STREAMS);
}

/// A listener at work.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    task: JoinHandle<io::Result<()>>,
}

impl Running {
    /// The address, with the port that the system chose for 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The handle, for those who stop it themselves.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Stops accepting, and gives the requests in hand at most `drain` to end.
    pub async fn stop(self, drain: Duration) {
        self.handle.graceful_shutdown(Some(drain));
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "The listener on {} failed", self.address),
            Err(error) => tracing::error!(%error, "The listener on {} was lost", self.address),
        }
    }
}

#[cfg(test)]
mod tests;
