//! One gateway's connection, after its handshake.
//!
//! Not here: who is let in. Invariant: it ends: when its client is silent for too long, when it is an hour old, and when
//! the agent stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// How long a client may be silent between requests, and take for the head of one. Longer than a gateway keeps an idle
/// connection, so that it is the gateway who closes it, and no request meets a closing connection.
const HEAD: Duration = Duration::from_secs(75);
/// How long a connection lives. A certificate is looked at in the handshake alone, so that this is for how long one that
/// has ended meanwhile can still be of use.
const AGE: Duration = Duration::from_hours(1);
/// How long the requests in hand have when it is over. More than the longest act takes.
const LAST: Duration = Duration::from_secs(90);
/// Requests at the same time on one HTTP/2 connection.
const STREAMS: u32 = 32;
/// How often an HTTP/2 connection is tried.
const PING: Duration = Duration::from_secs(20);

/// Answers on a connection until its end.
pub(super) async fn answer(stream: TlsStream<TcpStream>, router: Router, stop: &CancellationToken) {
    let asked = Arc::new(Notify::new());
    let heard = Arc::clone(&asked);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        heard.notify_one();
        router.clone().oneshot(request.map(Body::new))
    });
    let server = protocol(&stream);
    let connection = server.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = silence(&asked) => {
            tracing::debug!("A gateway shook hands and asked nothing");
            return;
        }
        () = sleep(AGE) => None,
        () = stop.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            let Ok(ended) = timeout(LAST, connection).await else {
                tracing::debug!("A connection was cut off");
                return;
            };
            ended
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended badly");
    }
}

/// The server of the protocol that the handshake agreed on. It is told which, for while hyper reads the first bytes to
/// find out by itself, no time-out runs.
fn protocol(stream: &TlsStream<TcpStream>) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut server = if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(STREAMS);
    server
}

/// Comes back if the first request does not come in time; HTTP/2 has no time-out before its preface.
async fn silence(asked: &Notify) {
    if timeout(HEAD, asked.notified()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}
