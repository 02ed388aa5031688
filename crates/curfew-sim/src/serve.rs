//! Listening: binds an address, serves a handler over HTTP or HTTPS, stops at once when told to.
//!
//! Not a web framework: routing is the handler's business. Invariant: a handler that answers [`Dropped`]
//! makes the connection close without a single byte of an answer.

use std::convert::Infallible;
use std::future::{Future, Ready};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Context as _;
use axum::body::Body;
use axum::response::Response;
use axum_server::Handle;
use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::service::SendService;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use http::Request;
use hyper::body::Incoming;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

/// The certificate chain and the key of a simulator that speaks TLS, both as PEM text.
#[derive(Debug, Clone)]
pub struct TlsPem {
    /// The certificate, followed by its intermediates.
    pub cert: String,
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: String,
}

/// "Close the connection, say nothing."
#[derive(Debug)]
pub(crate) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is closed without an answer")
    }
}

impl std::error::Error for Dropped {}

/// A bound address that does not serve yet, so that its URL is known before the state that needs it is made.
pub(crate) struct Bound {
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    address: SocketAddr,
}

impl Bound {
    pub(crate) async fn bind(address: SocketAddr, tls: Option<&TlsPem>) -> anyhow::Result<Self> {
        let tls = tls.map(tls_config).transpose()?;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("binding {address}"))?;
        let address = listener.local_addr().context("reading the bound address")?;
        Ok(Self {
            listener,
            tls,
            address,
        })
    }

    pub(crate) fn url(&self) -> String {
        let port = self.address.port();
        if self.tls.is_some() {
            return format!("https://localhost:{port}");
        }
        if self.address.ip().is_unspecified() {
            return format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
        }
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until [`Serving`] is dropped, with an acceptor that brings its own TLS and its own service.
    pub(crate) fn serve_by<A>(self, acceptor: A) -> Serving
    where
        A: Accept<TcpStream, Nobody> + Clone + Send + Sync + 'static,
        A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
        A::Service: SendService<Request<Incoming>> + Send,
        A::Future: Send,
    {
        let make = tower::service_fn(|_peer: SocketAddr| std::future::ready(Ok::<_, Infallible>(Nobody)));
        let handle = Handle::new();
        let server = axum_server::Server::from_listener(self.listener).handle(handle.clone());
        tokio::spawn(server.acceptor(acceptor).serve(make));
        Serving { handle }
    }

    /// Serves until [`Serving`] is dropped.
    pub(crate) fn serve<H, F>(self, handler: H) -> Serving
    where
        H: Fn(Request<Body>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<Response, Dropped>> + Send + 'static,
    {
        let service = tower::service_fn(move |request: Request<Incoming>| handler(request.map(Body::new)));
        let make = tower::service_fn(move |_peer: SocketAddr| {
            let service = service.clone();
            async move { Ok::<_, Infallible>(service) }
        });
        let handle = Handle::new();
        let server = axum_server::Server::from_listener(self.listener).handle(handle.clone());
        match self.tls {
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
                tokio::spawn(server.acceptor(acceptor).serve(make));
            }
            None => {
                tokio::spawn(server.acceptor(NoDelayAcceptor::new()).serve(make));
            }
        }
        Serving { handle }
    }
}

/// What would answer if an acceptor brought no service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nobody;

impl Service<Request<Incoming>> for Nobody {
    type Response = Response;
    type Error = Dropped;
    type Future = Ready<Result<Response, Dropped>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Dropped>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        std::future::ready(Err(Dropped))
    }
}

/// A server at work; dropping it closes the listener and every connection.
pub(crate) struct Serving {
    handle: Handle<SocketAddr>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

fn tls_config(pem: &TlsPem) -> anyhow::Result<RustlsConfig> {
    let chain = CertificateDer::pem_slice_iter(pem.cert.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .context("reading the certificate")?;
    let key = PrivateKeyDer::from_pem_slice(pem.key.as_bytes()).context("reading the private key")?;
    // The provider is named here, so that a test need not install one for the simulator's sake.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choosing TLS versions")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("pairing the certificate with its key")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}
