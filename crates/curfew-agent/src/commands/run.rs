//! `curfew-agent run`: the agent, until it is told to stop.
//!
//! Invariant: nothing listens before configuration, certificate and act log were found usable.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use curfew_core::{Clock as _, SystemClock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Failure, platform};
use crate::agent::Agent;
use crate::cli::Start;
use crate::config::Config;
use crate::listen::serve;

/// How long the acts in hand have when the agent stops.
const FINISH: Duration = Duration::from_secs(5);

pub(crate) async fn run(start: Start) -> Result<(), Failure> {
    let config = Config::load(&start.config)?;
    let platform = platform(&start, config.host())?;
    let clock = Arc::new(SystemClock);
    let credentials = config.credentials(clock.now())?;
    if let Some(ends_at) = credentials.ends_at.filter(|ends_at| *ends_at <= clock.now()) {
        return Err(Failure::usage(anyhow!(
            "`cert`: the certificate ended at {ends_at}"
        )));
    }
    let settings = config.agent_settings(&credentials);
    if let Some(log) = &settings.act_log {
        log.probe()
            .map_err(|error| Failure::usage(anyhow::Error::new(error).context("`act_log`")))?;
    }
    let signals = Signals::listen().map_err(Failure::start)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))
        .map_err(Failure::start)?;
    let address = listener.local_addr().map_err(Failure::start)?;
    let agent = Agent::new(settings, platform, clock);
    let stop = CancellationToken::new();
    let serving = serve(listener, credentials.tls, Arc::new(agent.router()), stop.clone());
    let serving = tokio::spawn(serving);
    tracing::info!(%address, host = config.host(), "Listening on https://{address} as {}", config.host());
    let signal = signals.next().await;
    tracing::info!(signal, "Stopping on {signal}");
    agent.take_no_more();
    stop.cancel();
    // First the listener: while a connection is open, a request can come.
    let served = serving.await;
    if !agent.finish(FINISH).await {
        tracing::warn!("Acts were still in hand at the end");
    }
    served
        .context("the listener was lost")
        .map_err(Failure::start)?
        .map_err(Failure::start)
}

/// SIGINT and SIGTERM, listened for from the moment this is made.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    #[cfg(unix)]
    async fn next(mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    #[cfg(not(unix))]
    fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(self) -> &'static str {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Cannot listen for Ctrl-C; the agent runs until it is killed");
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    }
}
