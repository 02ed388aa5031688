//! `cargo xtask codegen`: files in the repository that are made from code.
//!
//! Makes no Rust. Invariant: with `--check` nothing is written.

use std::fs;
use std::io::ErrorKind;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};

use crate::cargo;

/// A file in the repository that a program of ours prints.
struct Generated {
    path: &'static str,
    package: &'static str,
    binary: &'static str,
    /// Its hidden command.
    command: &'static str,
    /// What stands in it in any case.
    hallmark: &'static str,
}

const GENERATED: &[Generated] = &[
    Generated {
        path: "schema/schema.graphql",
        package: "curfew-server",
        binary: "curfew",
        command: "schema",
        hallmark: "type Query",
    },
    Generated {
        path: "schema/agent.openapi.yaml",
        package: "curfew-agent",
        binary: "curfew-agent",
        command: "openapi",
        hallmark: "openapi: 3.",
    },
];

/// Arguments of `cargo xtask codegen`.
#[derive(clap::Args, Clone, Copy)]
pub struct Args {
    /// Write nothing; fail if a generated file is not what the code says.
    #[arg(long)]
    check: bool,
}

/// Writes, or with `--check` compares, the generated files.
pub fn run(args: Args) -> Result<()> {
    GENERATED
        .iter()
        .try_for_each(|generated| bring_up(generated, args))
}

fn bring_up(generated: &Generated, args: Args) -> Result<()> {
    let name = generated.path;
    let wanted = print(generated)?;
    let path = cargo::root().join(name);
    let found = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("{name} cannot be read")),
    };
    if found.as_deref() == Some(wanted.as_str()) {
        println!("{name}: up to date");
        return Ok(());
    }
    if args.check {
        let line = found
            .as_deref()
            .map_or(1, |found| first_difference(found, &wanted));
        bail!("{name} is not what the code says (from line {line}): run `cargo xtask codegen` and commit it");
    }
    fs::create_dir_all(path.parent().context("a generated file has a folder")?)?;
    fs::write(&path, wanted)?;
    println!("{name}: written");
    Ok(())
}

/// What the program prints.
fn print(generated: &Generated) -> Result<String> {
    let Generated {
        package,
        binary,
        command,
        ..
    } = generated;
    let output = cargo::command([
        "run", "-q", "--locked", "-p", package, "--bin", binary, "--", command,
    ])
    .stdin(Stdio::null())
    .stderr(Stdio::inherit())
    .output()
    .context("cargo could not be started")?;
    ensure!(
        output.status.success(),
        "`{binary} {command}` ended with {}",
        output.status
    );
    let text =
        String::from_utf8(output.stdout).with_context(|| format!("`{binary} {command}` printed no UTF-8"))?;
    ensure!(
        text.contains(generated.hallmark),
        "`{binary} {command}` printed something else"
    );
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
