//! `cargo xtask bench [NAMES…]`: the criterion benchmarks, and load figures of whole processes.
//!
//! A criterion benchmark measures a function and lives beside it (`benches/` of its crate, `harness = false`); it
//! is found by the name of its target. A load figure starts real processes and lives in a file of this folder.
//! Adding one: 1. write `fn(&Bed) -> Result<()>` that starts its processes by [`process::spawn_ready`], sends its
//! load to 127.0.0.1 alone, bounded in count and time, and prints its figures; 2. add a line to [`FIGURES`].
//! Invariant: a figure that involves commits is measured on a Postgres that really syncs them.

pub mod process;

use anyhow::{Result, bail};

use crate::cargo;
use crate::postgres::{self, Durability, Server};

/// A load figure: its name, and what measures it.
type Figure = (&'static str, fn(&Bed) -> Result<()>);

/// The load figures that are still to be written.
const FIGURES: [Figure; 2] = [("listing", unwritten), ("acts", unwritten)];

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
    for (_, figure) in figures {
        figure(&bed)?;
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
        .filter(|(_, target)| target.is_bench())
        .map(|(package, target)| Criterion {
            package: package.name.to_string(),
            target: target.name.clone(),
        })
        .collect())
}

/// Splits names into benchmarks and figures; an unknown name is an error that lists the known ones.
fn choose(names: &[String], known: &[Criterion]) -> Result<(Vec<Criterion>, Vec<Figure>)> {
    if names.is_empty() {
        return Ok((known.to_vec(), Vec::new()));
    }
    let (mut benchmarks, mut figures) = (Vec::new(), Vec::new());
    for name in names {
        if let Some(found) = known.iter().find(|it| it.target == *name) {
            benchmarks.push(found.clone());
        } else if let Some(found) = FIGURES.iter().find(|it| it.0 == name) {
            figures.push(*found);
        } else {
            let all: Vec<_> = known
                .iter()
                .map(|it| it.target.as_str())
                .chain(FIGURES.map(|it| it.0))
                .collect();
            bail!("there is no benchmark `{name}`; there are: {}", all.join(", "));
        }
    }
    Ok((benchmarks, figures))
}

fn unwritten(bed: &Bed) -> Result<()> {
    let postgres = bed
        .postgres
        .as_ref()
        .map_or("without Postgres".into(), Server::url);
    bail!("this load figure is not written yet (its Postgres stood ready: {postgres})")
}

#[cfg(test)]
mod tests;
