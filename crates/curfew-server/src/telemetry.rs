//! Logs to stderr: text for people, JSON for machines.
//!
//! Not metrics (`ops`). Invariant: stdout belongs to a command's own output; no log ever goes there.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What is logged if nobody says otherwise.
pub const DEFAULT_FILTER: &str = "info,sqlx=warn,hyper=warn,rustls=warn";

/// How logs look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people, in colours on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging; the first call in a process counts, later ones (tests) change nothing.
///
/// # Errors
/// If the filter cannot be read.
pub fn init(format: LogFormat, filter: &str) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second subscriber in one process is refused; the first one stays.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(colours()).try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    Ok(())
}

/// Whether stderr may be coloured (<https://no-color.org>).
pub fn colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
    !refused && std::io::stderr().is_terminal()
}
