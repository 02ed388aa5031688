//! `curfew-sim`: a simulator as a process of its own.
//!
//! On stdout stands one line of JSON once it is ready, and nothing else; logs go to stderr. It ends with 0
//! on SIGINT and SIGTERM.

mod args;

use std::io::Write as _;

use anyhow::Context as _;
use clap::Parser as _;
use curfew_sim::CitrixSim;
use serde_json::json;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // An error means that a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args::Args {
        simulator: args::Simulator::Citrix(citrix),
        log,
    } = args::Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .init();
    let sim = CitrixSim::start(citrix.config()?).await?;
    announce(&sim)?;
    stopped().await?;
    sim.shutdown().await;
    Ok(())
}

fn announce(sim: &CitrixSim) -> anyhow::Result<()> {
    let config = sim.config();
    let line = json!({
        "url": sim.url(),
        "control": sim.control_url(),
        "customer": sim.customer_id(),
        "site": config.site,
        "clientId": config.client_id,
        "clientSecret": config.client_secret,
        "username": config.username,
        "password": config.password,
    });
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .context("announcing the simulator on stdout")
}

#[cfg(unix)]
async fn stopped() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    tokio::select! {
        it = tokio::signal::ctrl_c() => it.context("listening for SIGINT"),
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stopped() -> anyhow::Result<()> {
    tokio::signal::ctrl_c().await.context("listening for Ctrl-C")
}
