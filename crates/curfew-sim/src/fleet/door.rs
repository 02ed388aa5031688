//! The door of the fleet: one listener, where the name in the handshake says which host is meant.
//!
//! What the handshake demands of a gateway is `curfew_agent_api::tls`'; the certificate is the host's own, or, by a
//! fault, a wrong one. Invariant: whoever is through the door speaks to the host that the handshake named.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};
use tower::Service;

use super::cut::Cuttable;
use super::dispatch;
use super::fault::{self, FaultAction, Operation};
use super::host::{Host, certified};
use super::state::Fleet;
use crate::serve::Dropped;

/// How long, and for how much, a refused client is listened to.
const DRAIN: Duration = Duration::from_secs(1);
const DRAIN_BYTES: u64 = 256 << 10;

/// Accepts connections for every host.
#[derive(Clone)]
pub(crate) struct Door(pub(crate) Arc<Fleet>);

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Cuttable<TlsStream<TcpStream>>;
    type Service = Room;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, _: S) -> Self::Future {
        let fleet = Arc::clone(&self.0);
        Box::pin(async move {
            let stop = fleet.board.stop.clone();
            tokio::select! {
                opened = open(fleet, stream) => opened,
                () = stop.cancelled() => Err(closed("the simulator stops")),
            }
        })
    }
}

async fn open(fleet: Arc<Fleet>, stream: TcpStream) -> io::Result<(Cuttable<TlsStream<TcpStream>>, Room)> {
    stream.set_nodelay(true)?;
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let named = hello
        .client_hello()
        .server_name()
        .and_then(|name| fleet.host(name));
    let Some(host) = named.cloned() else {
        fleet.nameless.fetch_add(1, Ordering::Relaxed);
        return Err(closed("the handshake names no host of the fleet"));
    };
    host.count(Operation::Connect);
    let line = host.lines.join();
    let opened = tokio::select! {
        opened = shake(&fleet, &host, hello) => opened?,
        () = line.is_cut() => return Err(closed("the connection is cut")),
    };
    Ok((line.tie(opened), Room { fleet, host }))
}

/// The handshake with a host that is known.
async fn shake(
    fleet: &Fleet,
    host: &Host,
    hello: StartHandshake<TcpStream>,
) -> io::Result<TlsStream<TcpStream>> {
    let fault = fault::fire(&mut fleet.faults.lock(), &host.name, Operation::Connect, None);
    if let Some(fault) = &fault {
        fleet.faults_fired.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(host = host.name, ?fault, "A fault fires");
    }
    let shown = match fault {
        Some(FaultAction::RefuseConnection) => return Err(closed("a fault closes the connection")),
        Some(FaultAction::HangConnection) => return std::future::pending().await,
        Some(FaultAction::WrongCertificate { flaw }) => fleet
            .pki
            .wrong_agent(&host.name, flaw)
            .and_then(|pem| certified(&pem)),
        _ => host.certificate(|name| fleet.pki.agent(name)),
    };
    let config = showing(&fleet.tls, &*shown.map_err(io::Error::other)?);
    match hello.into_stream(Arc::new(config)).into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((error, stream)) => {
            // As agents do, so that a gateway which is refused can read why.
            let _ = tokio::time::timeout(DRAIN, read_to_nothing(stream)).await;
            Err(error)
        }
    }
}

async fn read_to_nothing(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(DRAIN_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

fn showing(tls: &ServerConfig, certificate: &CertifiedKey) -> ServerConfig {
    let mut config = tls.clone();
    config.cert_resolver = Arc::new(SingleCertAndKey::from(certificate.clone()));
    config
}

fn closed(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, why)
}

/// Behind the door: one host, for one connection.
#[derive(Clone)]
pub(crate) struct Room {
    fleet: Arc<Fleet>,
    host: Arc<Host>,
}

impl Service<Request<Incoming>> for Room {
    type Response = Response;
    type Error = Dropped;
    type Future = BoxFuture<'static, Result<Response, Dropped>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let (fleet, host) = (Arc::clone(&self.fleet), Arc::clone(&self.host));
        Box::pin(dispatch::answer(fleet, host, request.map(Body::new)))
    }
}
