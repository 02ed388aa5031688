//! `cargo xtask test`: everything a test run needs, then `cargo test`.
//!
//! What it brings up: a throw-away Postgres (`CURFEW_TEST_POSTGRES_URL`; each test makes a database of its own in
//! it) and the binaries that crash tests start and kill (`CURFEW_BIN`, `CURFEW_SIM_BIN`). It holds no test.
//! Invariant: what could not be run is said, never passed over in silence; a missing server at the start and at
//! the end.

use anyhow::{Result, bail};

use crate::cargo;
use crate::compose;
use crate::postgres::{self, Binaries, Durability, Server};

const NOT_RUN: &str =
    "NOT RUN: everything on Postgres (no server binaries; `cargo xtask test --install` installs postgresql)";

/// Tests at once, if `RUST_TEST_THREADS` does not say otherwise.
const TEST_THREADS: &str = "8";

/// The variables that name binaries to tests.
const BINARIES: [(&str, &str); 3] = [
    ("CURFEW_BIN", "curfew"),
    ("CURFEW_SIM_BIN", "curfew-sim"),
    ("CURFEW_AGENT_BIN", "curfew-agent"),
];

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Install a Postgres server and Docker Compose from Debian's packages where they are missing.
    #[arg(long)]
    install: bool,
    /// Fail if something could not be run.
    #[arg(long)]
    strict: bool,
    /// For cargo test: a filter, or `-p CRATE` for one crate (whose first run compiles what it needs with its own
    /// features).
    #[arg(last = true, value_name = "ARGS")]
    cargo: Vec<String>,
}

/// Runs the tests; an error if one fails.
pub fn run(args: &Args) -> Result<()> {
    let binaries = server_binaries(args.install)?;
    match &binaries {
        Some(found) => println!(
            "xtask: Postgres {} from {}",
            found.version,
            found.postgres.display()
        ),
        None if args.strict => bail!("{NOT_RUN}"),
        None => println!("{NOT_RUN}"),
    }
    let composed = has_compose(args.install);
    if args.strict && !composed {
        bail!("{}", compose::NOT_RUN);
    }

    let whole = !names_packages(&args.cargo);
    let mut command = cargo::command(["test", "--locked"]);
    if whole {
        command.arg("--workspace");
    }
    command.args(&args.cargo);
    let built = cargo::build(build_args(whole))?;
    for (variable, binary) in BINARIES {
        let missing = format!("NOT RUN: what needs {variable} (no crate makes an executable {binary})");
        match built.get(binary) {
            Some(path) => _ = command.env(variable, path),
            None if args.strict => bail!("{missing}"),
            None => println!("{missing}"),
        }
    }
    // Built before it is started, so that a compile error costs no server.
    let server = binaries
        .as_ref()
        .map(|it| Server::start(it, Durability::Volatile))
        .transpose()?;
    // Most tests wait for something, so they get more threads than there are processors.
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", TEST_THREADS);
    }
    command.env_remove("CURFEW_TEST_POSTGRES_URL");
    if let Some(server) = &server {
        command.env("CURFEW_TEST_POSTGRES_URL", server.url());
    }

    let tested = cargo::check(command);
    drop(server);
    if binaries.is_none() {
        println!("{NOT_RUN}");
    }
    if !composed {
        println!("{}", compose::NOT_RUN);
    }
    tested?;
    let on = binaries.map_or("SQLite only".into(), |it| {
        format!("SQLite and Postgres {}", it.version)
    });
    println!(
        "xtask: {} passed on {on}",
        if whole { "all tests" } else { "the chosen tests" }
    );
    Ok(())
}

fn server_binaries(install: bool) -> Result<Option<Binaries>> {
    let found = postgres::find();
    if found.is_some() || !install {
        return Ok(found);
    }
    postgres::install()?;
    match postgres::find() {
        Some(found) => Ok(Some(found)),
        None => bail!("postgresql is installed, but its initdb and postgres were not found"),
    }
}

/// Is Docker Compose here, or can it be had? Without it one check of one file is missing, which is no reason to stop.
fn has_compose(install: bool) -> bool {
    if install
        && !compose::is_there()
        && let Err(error) = compose::install()
    {
        println!("xtask: {error:#}");
    }
    compose::is_there()
}

/// What is built before the tests run.
///
/// For the whole workspace `--tests` is there for the sake of features alone: with it cargo resolves features as
/// `cargo test` does, development dependencies included, so that nothing is compiled twice.
fn build_args(whole: bool) -> Vec<&'static str> {
    let mut args = vec!["--locked", "--workspace", "--bins"];
    if whole {
        args.push("--tests");
    }
    args
}

/// Do the arguments for cargo test choose packages themselves?
fn names_packages(args: &[String]) -> bool {
    let own = args.iter().take_while(|arg| *arg != "--");
    own.into_iter()
        .any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests;
