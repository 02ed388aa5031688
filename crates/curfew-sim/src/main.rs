//! `curfew-sim`: a simulator as a process of its own.
//!
//! On stdout stands one line of JSON once it is ready, and nothing else; logs go to stderr. It ends with 0
//! on SIGINT and SIGTERM.

mod args;
mod hosts;
mod made;

use std::io::Write as _;

use anyhow::Context as _;
use clap::Parser as _;
use curfew_sim::{CitrixSim, OrbnetSim};
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // An error means that a provider is there already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let args::Args { simulator, log } = args::Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(log))
        .with_writer(std::io::stderr)
        .init();
    // Before the ready-line: whoever reads it may end the process at once.
    let mut stop = Stop::listen()?;
    match simulator {
        args::Simulator::Citrix(citrix) => {
            let sim = CitrixSim::start(citrix.config()?).await?;
            announce(&of_citrix(&sim))?;
            stop.comes().await?;
            sim.shutdown().await;
        }
        args::Simulator::Orbnet(orbnet) => {
            let sim = OrbnetSim::start(orbnet.config()?).await?;
            announce(&of_orbnet(&sim))?;
            stop.comes().await?;
            sim.shutdown().await;
        }
        args::Simulator::Fleet(fleet) => {
            let (sim, line) = fleet.start().await?;
            announce(&line)?;
            stop.comes().await?;
            sim.shutdown().await;
        }
        args::Simulator::Ca(ca) => announce(&ca.run()?)?,
        args::Simulator::Issuer(issuer) => issuer.run()?,
        args::Simulator::Token(tokens) => tokens.run()?,
        args::Simulator::Password(password) => password.run()?,
    }
    Ok(())
}

fn of_citrix(sim: &CitrixSim) -> Value {
    let config = sim.config();
    json!({
        "url": sim.url(),
        "control": sim.control_url(),
        "customer": sim.customer_id(),
        "site": config.site,
        "clientId": config.client_id,
        "clientSecret": config.client_secret,
        "username": config.username,
        "password": config.password,
    })
}

fn of_orbnet(sim: &OrbnetSim) -> Value {
    json!({
        "url": sim.url(),
        "control": sim.control_url(),
        "token": sim.token(),
        "resellerToken": sim.reseller_token(),
        "users": sim.users(),
    })
}

fn announce(line: &Value) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .context("announcing the simulator on stdout")
}

/// The signals that end a simulator, heard from the moment this is made.
struct Stop {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
        })
    }

    async fn comes(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok(()),
            _ = self.terminate.recv() => Ok(()),
        }
    }
}

#[cfg(not(unix))]
impl Stop {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    async fn comes(&mut self) -> anyhow::Result<()> {
        tokio::signal::ctrl_c().await.context("listening for Ctrl-C")
    }
}
