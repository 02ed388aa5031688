//! `cargo xtask codegen`: files in the repository that are made from code.
//!
//! Makes no Rust. Invariant: with `--check` nothing is written.

use std::fs;
use std::io::ErrorKind;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};

use crate::cargo;

const SCHEMA: &str = "schema/schema.graphql";

/// Arguments of `cargo xtask codegen`.
#[derive(clap::Args, Clone, Copy)]
pub struct Args {
    /// Write nothing; fail if a generated file is not what the code says.
    #[arg(long)]
    check: bool,
}

/// Writes, or with `--check` compares, the generated files.
pub fn run(args: Args) -> Result<()> {
    let wanted = schema()?;
    let path = cargo::root().join(SCHEMA);
    let found = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("{SCHEMA} cannot be read")),
    };
    if found.as_deref() == Some(wanted.as_str()) {
        println!("{SCHEMA}: up to date");
        return Ok(());
    }
    if args.check {
        let line = found
            .as_deref()
            .map_or(1, |found| first_difference(found, &wanted));
        bail!(
            "{SCHEMA} is not what the code says (from line {line}): run `cargo xtask codegen` and commit it"
        );
    }
    fs::create_dir_all(path.parent().context("the schema has a folder")?)?;
    fs::write(&path, wanted)?;
    println!("{SCHEMA}: written");
    Ok(())
}

/// The public SDL, as the gateway's hidden command `schema` prints it.
fn schema() -> Result<String> {
    let output = cargo::command([
        "run",
        "-q",
        "--locked",
        "-p",
        "curfew-server",
        "--bin",
        "curfew",
        "--",
        "schema",
    ])
    .stdin(Stdio::null())
    .stderr(Stdio::inherit())
    .output()
    .context("cargo could not be started")?;
    ensure!(
        output.status.success(),
        "`curfew schema` ended with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout).context("`curfew schema` printed no UTF-8")?;
    ensure!(text.contains("type Query"), "`curfew schema` printed no schema");
    Ok(text)
}

/// The number of the first line in which the two texts differ, counted from 1.
fn first_difference(found: &str, wanted: &str) -> usize {
    let same = found
        .lines()
        .zip(wanted.lines())
        .take_while(|(found, wanted)| found == wanted)
        .count();
    same + 1
}

#[cfg(test)]
mod tests;
