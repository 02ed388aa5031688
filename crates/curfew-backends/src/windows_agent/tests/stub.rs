//! A host whose every answer a test writes: it speaks TLS as an agent does, and HTTP as it is told.
//!
//! Not an agent: it has no sessions (the simulated fleet has). It counts what reaches it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use curfew_agent_api::TrustDomain;
use curfew_agent_api::tls::{Identity, agent_config};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::pki::{DOMAIN, Pair};

/// A request that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) body: Value,
}

/// What the host does about a request.
#[derive(Debug, Clone)]
pub(crate) enum React {
    /// Answers with this status, type and body.
    Answer(u16, &'static str, String),
    /// Sends a head, then bytes for ever.
    Endless,
    /// Answers like this, after so long.
    Late(Duration, Box<React>),
    /// Never answers.
    Hang,
    /// Closes the connection.
    Close,
}

impl React {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer(status, "application/json", body.to_string())
    }

    pub(crate) fn html(status: u16) -> Self {
        Self::Answer(
            status,
            "text/html",
            "<html><h1>Proxy error</h1></html>".to_owned(),
        )
    }
}

type Script = Arc<dyn Fn(&Asked) -> React + Send + Sync>;

struct Inner {
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    /// Requests that asked for the end of their connection.
    last: AtomicUsize,
}

pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    _server: AbortOnDropHandle<()>,
}

impl Stub {
    /// A host that shows `agent`'s certificate, lets in gateways under `ca`, and answers by `script`.
    pub(crate) async fn start(
        ca: &str,
        agent: &Pair,
        script: impl Fn(&Asked) -> React + Send + Sync + 'static,
    ) -> Self {
        let domain = TrustDomain::parse(DOMAIN).expect("a trust domain");
        let identity = Identity::from_pem(&agent.cert, &agent.key).expect("an identity");
        let tls = agent_config(&domain, ca, identity).expect("a TLS set-up");
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let inner = Arc::new(Inner {
            script: Mutex::new(Arc::new(script)),
            asked: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&inner);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (inner, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    inner.connections.fetch_add(1, Ordering::SeqCst);
                    inner.open.fetch_add(1, Ordering::SeqCst);
                    let _ = serve(stream, &acceptor, &inner).await;
                    inner.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            address,
            inner,
            _server: AbortOnDropHandle::new(server),
        }
    }

    pub(crate) fn set(&self, script: impl Fn(&Asked) -> React + Send + Sync + 'static) {
        *self.inner.script.lock() = Arc::new(script);
    }

    /// Every request that was read.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().clone()
    }

    /// The acting requests that were read.
    pub(crate) fn acts(&self) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.line.starts_with("POST"));
        asked
    }

    pub(crate) fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// Requests that asked for the end of their connection.
    pub(crate) fn last(&self) -> usize {
        self.inner.last.load(Ordering::SeqCst)
    }

    /// Connections that are open now.
    pub(crate) fn open(&self) -> usize {
        self.inner.open.load(Ordering::SeqCst)
    }
}

async fn serve(stream: TcpStream, acceptor: &TlsAcceptor, inner: &Inner) -> std::io::Result<()> {
    let mut stream = BufReader::new(acceptor.accept(stream).await?);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (mut length, mut last) = (0, false);
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            last |= header == "connection: close";
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let line = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let asked = Asked { line, body };
        let script = inner.script.lock().clone();
        let mut react = script(&asked);
        inner.asked.lock().push(asked);
        if last {
            inner.last.fetch_add(1, Ordering::SeqCst);
        }
        if let React::Late(time, then) = react {
            tokio::time::sleep(time).await;
            react = *then;
        }
        match react {
            React::Answer(status, kind, body) => {
                let close = if last { "connection: close\r\n" } else { "" };
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{close}content-length: {}\r\n\r\n",
                    body.len()
                );
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body.as_bytes()).await?;
                stream.flush().await?;
                if last {
                    return Ok(());
                }
            }
            React::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b' '; 16384]).await?;
                }
            }
            // Until the other side has had enough.
            React::Hang => {
                stream.read_u8().await?;
            }
            React::Late(..) | React::Close => return Ok(()),
        }
    }
}

/// The instant that tests begin at ([`curfew_core::fakes::MockClock`]).
pub(crate) const NOW: &str = "2026-01-16T14:40:00Z";
pub(crate) const GENERATION: &str = "0123456789abcdef";

pub(crate) fn host(name: &str) -> Value {
    json!({ "name": name, "dnsName": "term04.corp.example", "agentVersion": "0.1.0", "now": NOW })
}

pub(crate) fn row(number: u32) -> Value {
    json!({
        "number": number, "generation": GENERATION, "state": "ACTIVE", "protocol": "RDP",
        "user": "alice", "domain": "CORP", "loggedOnAt": "2026-01-16T08:00:00Z",
    })
}

/// An answer to each request, as an agent with sessions 3 and 7 gives it.
pub(crate) fn sane(name: &'static str) -> impl Fn(&Asked) -> React + Send + Sync + 'static {
    move |asked| {
        let host = host(name);
        match &*asked.line {
            "GET /v1/sessions" => React::json(200, &json!({ "host": host, "sessions": [row(3), row(7)] })),
            "GET /v1/sessions/3" => React::json(200, &json!({ "host": host, "session": row(3) })),
            "GET /v1/health" => React::json(
                200,
                &json!({ "host": host, "apiVersions": [1], "sessions": 2, "readOnly": false, "platform": "windows" }),
            ),
            line if line.starts_with("POST") => React::json(200, &json!({ "host": host, "result": "DONE" })),
            _ => problem(404, "SESSION_GONE"),
        }
    }
}

pub(crate) fn problem(status: u16, code: &str) -> React {
    React::json(status, &json!({ "code": code, "message": "for people" }))
}
