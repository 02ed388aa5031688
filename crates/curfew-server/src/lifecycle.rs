//! Stopping in order.
//!
//! Not here: what is served, and the runner of operations, which stops in the hook given to [`stop`].
//! Invariant: nobody is cut off while there is time: refuse what is new, let HTTP drain, let the runner finish
//! the step in hand, then end.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::http::Running;

/// Says whether the gateway is stopping. Clones share the one state.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(CancellationToken);

impl Shutdown {
    /// A gateway that is not stopping.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the gateway is stopping.
    pub fn begin(&self) {
        self.0.cancel();
    }

    /// Whether the gateway is stopping.
    pub fn has_begun(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the gateway is stopping.
    pub async fn begun(&self) {
        self.0.cancelled().await;
    }

    /// A token for parts that wait for the end themselves.
    pub fn token(&self) -> CancellationToken {
        self.0.clone()
    }
}

/// SIGINT and SIGTERM, listened for from the moment this is made: one that comes before [`reason_to_stop`] waits there.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens. To be called before anybody is told that the gateway is there.
    ///
    /// # Errors
    /// If the process may not listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for one and gives its name.
    pub async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        {
            tokio::select! {
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.terminate.recv() => "SIGTERM",
            }
        }
        #[cfg(not(unix))]
        {
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::error!(%error, "Cannot listen for Ctrl-C; the gateway runs until it is killed");
                std::future::pending::<()>().await;
            }
            "Ctrl-C"
        }
    }
}

/// Waits until there is a reason to stop: a signal, or somebody who called [`Shutdown::begin`].
pub async fn reason_to_stop(shutdown: &Shutdown, mut signals: Signals) {
    tokio::select! {
        () = shutdown.begun() => {}
        name = signals.next() => tracing::info!(signal = name, "Stopping on {name}"),
    }
}

/// Stops in order: refuses new requests (`SHUTTING_DOWN`, `/readyz` says 503), stops accepting on the public
/// listener, gives the requests in hand at most `drain`, then awaits `finish` (the runner), and closes the ops
/// listener last, so that the stopping can be watched.
pub async fn stop(
    shutdown: &Shutdown,
    public: Running,
    ops: Option<Running>,
    drain: Duration,
    finish: impl Future<Output = ()>,
) {
    shutdown.begin();
    tracing::info!(drain_seconds = drain.as_secs(), "Draining HTTP");
    public.stop(drain).await;
    finish.await;
    if let Some(ops) = ops {
        ops.stop(Duration::from_secs(1)).await;
    }
    tracing::info!("Stopped");
}
