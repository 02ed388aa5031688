//! `cargo xtask bench [NAMES…]`: the criterion benchmarks, and load figures of whole processes.
//!
//! A criterion benchmark measures a function and lives beside it (`benches/` of its crate, `harness = false`); it
//! is found by the name of its target. A load figure starts real processes and is a module of `tests/benches/load/`;
//! this command builds the binaries in release mode and starts the database for it.
//! Invariant: a figure that involves commits is measured on a Postgres that really syncs them.

use anyhow::{Result, bail};

use crate::cargo;
use crate::postgres::{self, Durability, Server};

/// The load figures, by name.
const FIGURES: [&str; 4] = ["listing", "acts", "fleet", "estate"];
/// The bench target that measures them; it is no criterion benchmark.
const LOAD: &str = "load";

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Criterion benchmarks (names of bench targets) and load figures; without any: all criterion benchmarks.
    names: Vec<String>,
}

/// What every measurement may use.
pub struct Bed {
    /// A Postgres that syncs every commit; none where no server is installed.
    pub postgres: Option<Server>,
}

/// A criterion benchmark: its package and the name of its target.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Criterion {
    package: String,
    target: String,
}

/// Runs what was asked for, in the order asked for.
pub fn run(args: &Args) -> Result<()> {
    let known = criterion_targets()?;
    let (benchmarks, figures) = choose(&args.names, &known)?;
    if benchmarks.is_empty() && figures.is_empty() {
        println!("xtask: no crate has a benchmark yet");
        return Ok(());
    }
    let bed = Bed::make()?;
    for Criterion { package, target } in benchmarks {
        let mut command = cargo::command(["bench", "--locked", "--package", &package, "--bench", &target]);
        if let Some(server) = &bed.postgres {
            command.env("CURFEW_BENCH_POSTGRES_URL", server.url());
        }
        cargo::check(command)?;
    }
    for figure in figures {
        measure(figure, &bed)?;
    }
    Ok(())
}

impl Bed {
    fn make() -> Result<Self> {
        let Some(binaries) = postgres::find() else {
            println!("NOT RUN: everything on Postgres (no server binaries; `cargo xtask test --install`)");
            return Ok(Self { postgres: None });
        };
        println!("xtask: Postgres {}, durable", binaries.version);
        Ok(Self {
            postgres: Some(Server::start(&binaries, Durability::Durable)?),
        })
    }
}

/// The bench targets of the workspace.
fn criterion_targets() -> Result<Vec<Criterion>> {
    let metadata = cargo::metadata(&["--no-deps"])?;
    let packages = metadata.packages.iter();
    Ok(packages
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
        .filter(|(_, target)| target.is_bench() && target.name != LOAD)
        .map(|(package, target)| Criterion {
            package: package.name.to_string(),
            target: target.name.clone(),
        })
        .collect())
}

/// Splits names into benchmarks and figures; an unknown name is an error that lists the known ones.
fn choose(names: &[String], known: &[Criterion]) -> Result<(Vec<Criterion>, Vec<&'static str>)> {
    if names.is_empty() {
        return Ok((known.to_vec(), Vec::new()));
    }
    let (mut benchmarks, mut figures) = (Vec::new(), Vec::new());
    for name in names {
        if let Some(found) = known.iter().find(|it| it.target == *name) {
            benchmarks.push(found.clone());
        } else if let Some(found) = FIGURES.iter().find(|it| **it == name.as_str()) {
            figures.push(*found);
        } else {
            let all: Vec<_> = known.iter().map(|it| it.target.as_str()).chain(FIGURES).collect();
            bail!("there is no benchmark `{name}`; there are: {}", all.join(", "));
        }
    }
    Ok((benchmarks, figures))
}

/// Measures one load figure on binaries built in release mode.
fn measure(figure: &str, bed: &Bed) -> Result<()> {
    let built = [
        "build",
        "--locked",
        "--release",
        "--package",
        "curfew-server",
        "--package",
        "curfew-sim",
    ];
    cargo::check(cargo::command(built))?;
    let release = cargo::metadata(&["--no-deps"])?.target_directory.join("release");
    let mut command = cargo::command([
        "bench",
        "--locked",
        "--package",
        "curfew-tests",
        "--bench",
        LOAD,
        "--",
        figure,
    ]);
    command
        .env("CURFEW_BIN", release.join("curfew"))
        .env("CURFEW_SIM_BIN", release.join("curfew-sim"));
    if let Some(server) = &bed.postgres {
        command.env("CURFEW_TEST_POSTGRES_URL", server.url());
    }
    cargo::check(command)
}

#[cfg(test)]
mod tests;
