//! The command line.
//!
//! Not what the commands do (`commands`). Invariant: ring is installed as the TLS provider before anything else runs,
//! and every failure ends with one text on stderr and its exit code: 64 for what must be changed in configuration or
//! command line, 1 for what could not be done.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::commands::{self, Failure};

/// How long a call of the system may hold up the end of the process.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// The agent on a Windows host: lists its sessions and acts on them for the gateway.
#[derive(Debug, Parser)]
#[command(
    name = "curfew-agent",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log, such as `info` or `curfew_agent=debug,info`.
    #[arg(
        long,
        global = true,
        env = "RUST_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    log: String,
    /// How logs look.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent.
    Run(Start),
    /// Look at configuration, certificate and sessions, and say what is wrong.
    Doctor(Start),
    /// Print the OpenAPI document of the contract.
    #[command(hide = true)]
    Openapi,
}

/// What every command that has to do with the host needs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Start {
    /// The configuration, TOML.
    #[arg(long, value_name = "PATH")]
    pub(crate) config: PathBuf,
    /// Where the sessions come from, if not from this system.
    #[arg(long, value_enum, value_name = "PLATFORM")]
    pub(crate) platform: Option<Choice>,
    /// How many users the fake host has.
    #[arg(long, value_name = "N", default_value_t = 12, requires = "platform")]
    pub(crate) fake_sessions: usize,
}

/// Where sessions may come from, other than from this system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// Made up: nobody is logged on, nobody is logged off.
    Fake,
}

/// The whole program: reads the command line, runs the command, gives the exit code.
pub fn run() -> ExitCode {
    // It fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come here too, and go to stdout.
            let _ = error.print();
            // Clap's own code for wrong usage is 2.
            return if error.use_stderr() {
                ExitCode::from(64)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("curfew-agent: {failure}");
            failure.exit_code()
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    start_logging(&cli)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::start(anyhow::Error::new(error).context("the runtime cannot be started"))
        })?;
    let done = runtime.block_on(async {
        match cli.command {
            Command::Run(start) => commands::run::run(start).await,
            Command::Doctor(start) => commands::doctor::run(start).await,
            Command::Openapi => commands::openapi::run(),
        }
    });
    // A call that Windows does not return from must not keep the process.
    runtime.shutdown_timeout(LAST_CALLS);
    done
}

fn start_logging(cli: &Cli) -> Result<(), Failure> {
    let filter = EnvFilter::builder().parse(&cli.log).map_err(|error| {
        Failure::usage(anyhow::Error::new(error).context("--log (or RUST_LOG) cannot be read"))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match cli.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}
