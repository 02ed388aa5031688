//! Commands that end by themselves.
//!
//! Not what keeps running (`process`). Invariant: stdout, stderr and the exit code are all there, or the test fails.

use std::path::Path;

use crate::Process;

/// What a command printed, and its exit code.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What stood on stdout.
    pub stdout: String,
    /// What stood on stderr.
    pub stderr: String,
}

/// Runs a command to its end.
pub async fn run(binary: &Path, arguments: &[&str]) -> Ended {
    run_with(binary, arguments, &[]).await
}

/// As [`run`], with variables of the environment.
pub async fn run_with(binary: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut process = Process::start_with(binary, arguments, variables);
    let stdout = process.rest().await;
    Ended {
        code: process.end().await,
        stdout,
        stderr: process.log(),
    }
}
