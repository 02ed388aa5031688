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

/// Waits for SIGINT or SIGTERM and gives the signal's name.
///
/// # Errors
/// If the process may not listen for signals.
pub async fn signal() -> std::io::Result<&'static str> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => Ok("SIGINT"),
            _ = terminate.recv() => Ok("SIGTERM"),
        }
    }
    #[cfg(not(unix))]
    {
        tokio::signal::ctrl_c().await?;
        Ok("Ctrl-C")
    }
}

/// Waits until there is a reason to stop: a signal, or somebody who called [`Shutdown::begin`].
pub async fn reason_to_stop(shutdown: &Shutdown) {
    tokio::select! {
        () = shutdown.begun() => {}
        name = signal() => match name {
            Ok(name) => tracing::info!(signal = name, "Stopping on {name}"),
            Err(error) => {
                tracing::error!(%error, "Cannot listen for signals; the gateway runs until it is killed");
                shutdown.begun().await;
            }
        },
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
