//! Curfew's own tooling: `cargo xtask <command>`. It brings up what the tests need, writes generated files,
//! checks the rules that no compiler checks, measures and builds what is shipped.
//!
//! Not part of the product, and it knows the product only from outside: through cargo and through the binaries.
//! Invariant: this crate depends on none of ours, so that it builds while they do not.

mod apt;
mod bench;
mod cargo;
mod codegen;
mod compose;
mod dist;
mod postgres;
mod suite;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Curfew's own tooling.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test, with a throw-away Postgres beside them.
    Test(suite::Args),
    /// Write the generated files (schema/schema.graphql).
    Codegen(codegen::Args),
    /// Check the rules of the house that no compiler checks.
    Tidy,
    /// Run the benchmarks and the load figures.
    Bench(bench::Args),
    /// Build the shipped gateway and print where it is and how large.
    Dist,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Test(args) => suite::run(&args),
        Command::Codegen(args) => codegen::run(args),
        Command::Tidy => tidy::run(),
        Command::Bench(args) => bench::run(&args),
        Command::Dist => dist::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
