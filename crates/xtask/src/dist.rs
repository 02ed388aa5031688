//! `cargo xtask dist`: the gateway as it is shipped, without simulators and without development tokens.
//!
//! Packs and publishes nothing. Invariant: what it builds has no default features.

use std::fs;

use anyhow::{Context as _, Result};

use crate::cargo;

/// Builds the shipped gateway; prints its path and size.
pub fn run() -> Result<()> {
    let built = cargo::build([
        "--locked",
        "--profile",
        "dist",
        "--package",
        "curfew-server",
        "--no-default-features",
    ])?;
    let path = built
        .get("curfew")
        .context("the build made no executable called curfew")?;
    let bytes = fs::metadata(path)?.len();
    println!(
        "{} ({}.{} MB)",
        path.display(),
        bytes / 1_000_000,
        bytes / 100_000 % 10
    );
    Ok(())
}
