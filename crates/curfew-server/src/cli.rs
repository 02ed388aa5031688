//! The command line.
//!
//! Not what the commands do (`commands`). Invariant: ring is installed as the TLS provider before anything else
//! runs, and every failure ends with a text on stderr and the exit code that [`Failure`] gives it.

use std::ffi::OsString;
#[cfg(feature = "dev")]
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

#[cfg(feature = "dev")]
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::failure::Failure;
use crate::telemetry::{self, DEFAULT_FILTER, LogFormat};

/// One GraphQL endpoint to see, disconnect and log off online sessions, every act on record.
#[derive(Debug, Parser)]
#[command(
    name = "curfew",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Logging, for every command.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Logging, for every command.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// What to log, such as `info` or `curfew_server=debug,info`.
    #[arg(long, global = true, env = "RUST_LOG", default_value = DEFAULT_FILTER, value_name = "FILTER", hide_default_value = true)]
    pub log: String,
    /// How logs look.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try Curfew out: simulated backends, tokens for every role, GraphiQL. Nothing to set up.
    #[cfg(feature = "dev")]
    Dev(DevArgs),
    /// Run the gateway.
    Serve(ServeArgs),
    /// Bring the database's tables up to date.
    Migrate(MigrateArgs),
    /// Look at configuration, database and backends, and say what is wrong.
    Check(CheckArgs),
    /// Print the GraphQL schema.
    #[command(hide = true)]
    Schema,
}

/// Options of `curfew dev`.
#[cfg(feature = "dev")]
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DevArgs {
    /// Something to ask of the `dev` that runs, instead of starting one.
    #[command(subcommand)]
    pub command: Option<DevCommand>,
    /// Where the GraphQL endpoint listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))]
    pub listen: SocketAddr,
    /// Where health and metrics listen; 127.0.0.1:9464, or a free port if `--listen` takes one.
    #[arg(long, value_name = "ADDR")]
    pub ops_listen: Option<SocketAddr>,
    /// Where `curfew dev chaos` is listened for; 127.0.0.1:9465, or a free port if `--listen` takes one.
    #[arg(long, value_name = "ADDR")]
    pub control: Option<SocketAddr>,
    /// Print addresses and tokens as one line of JSON, for programs.
    #[arg(long)]
    pub json: bool,
    /// Keep the database here; without it, it is thrown away at the end.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Use this database instead of a SQLite file.
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    pub database_url: Option<String>,
    /// How many sessions to simulate, on all backends together.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub sessions: usize,
}

#[cfg(feature = "dev")]
impl DevArgs {
    /// Where health and metrics listen.
    pub fn ops_listen(&self) -> SocketAddr {
        self.ops_listen.unwrap_or_else(|| self.beside(9464))
    }

    /// Where `curfew dev chaos` is listened for.
    pub fn control(&self) -> SocketAddr {
        self.control.unwrap_or_else(|| self.beside(CONTROL_PORT))
    }

    /// This machine's port, or a free one if the public listener takes one.
    fn beside(&self, port: u16) -> SocketAddr {
        let port = if self.listen.port() == 0 { 0 } else { port };
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }
}

/// Where `curfew dev` listens for `curfew dev chaos`, and where that looks for it.
#[cfg(feature = "dev")]
const CONTROL_PORT: u16 = 9465;

/// What may be asked of a running `curfew dev`.
#[cfg(feature = "dev")]
#[derive(Debug, Clone, Subcommand)]
pub enum DevCommand {
    /// Make a simulated backend of the running `curfew dev` misbehave; without arguments, say how all of them behave.
    Chaos(ChaosArgs),
}

/// Options of `curfew dev chaos`.
#[cfg(feature = "dev")]
#[derive(Debug, Clone, Args)]
pub struct ChaosArgs {
    /// Which backend, such as `rds-demo`.
    #[arg(requires = "chaos")]
    pub backend: Option<String>,
    /// What it is to do: answer late, not at all, every other time; list sessions that are not there; or behave.
    #[arg(value_parser = chaos_words())]
    pub chaos: Option<String>,
    /// Where the running `curfew dev` listens; it prints that.
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, CONTROL_PORT)))]
    pub control: SocketAddr,
}

/// What `curfew dev chaos` takes for an end of all chaos.
#[cfg(feature = "dev")]
pub const NO_CHAOS: &str = "off";

#[cfg(feature = "dev")]
fn chaos_words() -> PossibleValuesParser {
    let words = curfew_sim::Chaos::ALL.map(curfew_sim::Chaos::as_str);
    PossibleValuesParser::new(words.into_iter().chain([NO_CHAOS]))
}

/// Options of `curfew serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The configuration, TOML.
    #[arg(long, value_name = "PATH", env = "CURFEW_CONFIG")]
    pub config: PathBuf,
    /// Bring the database's tables up to date first.
    #[arg(long)]
    pub migrate: bool,
}

/// Options of `curfew migrate`.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct MigrateArgs {
    /// The configuration that names the database.
    #[arg(long, value_name = "PATH", env = "CURFEW_CONFIG")]
    pub config: Option<PathBuf>,
    /// The database itself: postgres://… or sqlite://….
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
}

/// Options of `curfew check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The configuration to look at.
    #[arg(long, value_name = "PATH", env = "CURFEW_CONFIG")]
    pub config: PathBuf,
}

/// The whole program: reads the command line, runs the command, gives the exit code.
pub fn run() -> ExitCode {
    run_with(std::env::args_os())
}

/// [`run`] with another command line.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    install_tls_provider();
    let cli = match Cli::try_parse_from(arguments) {
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
            if let Some(text) = failure.text() {
                eprintln!("curfew: {text}");
            }
            failure.exit_code()
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    telemetry::init(cli.log.log_format, &cli.log.log).map_err(|error| {
        Failure::usage(anyhow::Error::new(error).context("--log (or RUST_LOG) cannot be read"))
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow::Error::new(error).context("the runtime cannot be started"))?;
    runtime.block_on(command(cli.command))
}

async fn command(command: Command) -> Result<(), Failure> {
    match command {
        #[cfg(feature = "dev")]
        Command::Dev(args) => commands::dev::run(args).await,
        Command::Serve(args) => commands::serve::run(args).await,
        Command::Migrate(args) => commands::migrate::run(args).await,
        Command::Check(args) => commands::check::run(args).await,
        Command::Schema => commands::schema::run(),
    }
}

/// Installs ring for everything that speaks TLS without saying with what; does nothing the second time.
pub fn install_tls_provider() {
    // It fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests;
