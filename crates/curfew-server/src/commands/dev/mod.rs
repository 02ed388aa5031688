//! `curfew dev`: everything in one process, with nothing to set up.
//!
//! Not for production: simulated backends, tokens printed, no TLS. Invariant: it listens on the loopback address
//! unless it is told otherwise, and the adapters verify the simulators' certificates as they do the vendors'.

mod chaos;
mod samples;
mod simulators;
mod stand;
mod welcome;

use std::time::Duration;

use anyhow::Context as _;

use crate::cli::{DevArgs, DevCommand};
use crate::failure::Failure;
use crate::lifecycle::Signals;

/// How long requests in hand may go on at the end; with the hand-over, `dev` ends within 5 s.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs until a signal comes, or asks something of the `dev` that runs.
///
/// # Errors
/// [`Failure::Start`] if the start fails, or none runs; [`Failure::Usage`] if what is asked for does not exist.
pub async fn run(args: DevArgs) -> Result<(), Failure> {
    if let Some(DevCommand::Chaos(args)) = args.command {
        return chaos::ask(args).await;
    }
    // First of all: a signal ends it in order from now on, also while it starts.
    let mut signals = Signals::listen().context("the process may not listen for signals")?;
    let stand = tokio::select! {
        stand = stand::start(args) => stand?,
        name = signals.next() => {
            tracing::info!(signal = name, "Stopping on {name}, before everything stood");
            return Ok(());
        }
    };
    stand.gateway.reason_to_stop(signals).await;
    stand.stop(DRAIN).await;
    Ok(())
}
