//! Connections that can be cut from outside, as by a host that restarts.
//!
//! Invariant: when [`Lines::cut`] has ended, every client has seen the end of its connection and closed its own side (or
//! had a second to do so): its next request begins with a handshake.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// How long a client has for closing its side.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connections to one host.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Bundle>);

/// Those that one cut will hit.
#[derive(Debug, Default)]
struct Bundle {
    cut: CancellationToken,
    live: TaskTracker,
}

/// The place of one connection, from its handshake to its end.
pub(crate) struct Line {
    cut: CancellationToken,
    _live: TaskTrackerToken,
}

impl Lines {
    /// A place for a new connection.
    pub(crate) fn join(&self) -> Line {
        let bundle = self.0.lock();
        Line {
            cut: bundle.cut.clone(),
            _live: bundle.live.token(),
        }
    }

    /// Cuts every connection there is, and waits until they are closed.
    pub(crate) async fn cut(&self) {
        let Bundle { cut, live } = std::mem::take(&mut *self.0.lock());
        cut.cancel();
        live.close();
        live.wait().await;
    }
}

impl Line {
    /// Waits for the cut.
    pub(crate) async fn is_cut(&self) {
        self.cut.cancelled().await;
    }

    /// Ties a stream to this place.
    pub(crate) fn tie<S>(self, stream: S) -> Cuttable<S> {
        Cuttable {
            stream,
            cut: Box::pin(self.cut.clone().cancelled_owned()),
            is_cut: false,
            is_shut: false,
            patience: None,
            _line: self,
        }
    }
}

/// A stream with the scissors at it: once cut, it reads as if the client had closed it.
pub(crate) struct Cuttable<S> {
    stream: S,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    is_cut: bool,
    is_shut: bool,
    patience: Option<Pin<Box<Sleep>>>,
    _line: Line,
}

impl<S: AsyncRead + Unpin> Cuttable<S> {
    /// Reads what is still to come and throws it away, until the client has closed its side.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scrap);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let patience = self
                        .patience
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
                    return patience.as_mut().poll(cx);
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cuttable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_cut {
            self.is_cut = self.cut.as_mut().poll(cx).is_ready();
        }
        if self.is_cut {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Cuttable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        if self.is_cut {
            ready!(self.poll_closed(cx));
        }
        Poll::Ready(Ok(()))
    }
}
