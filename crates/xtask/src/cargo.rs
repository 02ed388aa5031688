//! How xtask calls cargo: the right binary, in the workspace's root, with a clean environment.
//!
//! Knows nothing of what is built or why. Invariant: a build started here and the same build started by hand
//! share their results; neither makes the other start again.

use std::collections::BTreeMap;
use std::env;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use cargo_metadata::{Message, Metadata, MetadataCommand};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("crates/xtask lies two folders below the root")
}

/// `cargo <args>` in the workspace's root.
///
/// `cargo run` hands the variables that describe *xtask's* package on to xtask. They must not reach the cargo
/// started here: ring's build script watches some of them and would compile ring, and all that stands on it,
/// anew (<https://github.com/briansmith/ring/issues/2454>).
pub fn command<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program());
    command.current_dir(root()).args(args);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(describes_a_package) {
            command.env_remove(name);
        }
    }
    command
}

/// The workspace as cargo resolved it.
pub fn metadata(options: &[&str]) -> Result<Metadata> {
    MetadataCommand::new()
        .cargo_path(program())
        .current_dir(root())
        .other_options(options.iter().map(ToString::to_string).collect::<Vec<_>>())
        .exec()
        .context("cargo metadata failed")
}

/// Runs `command` to its end; an error unless it succeeds.
pub fn check(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} could not be started"))?;
    ensure!(status.success(), "`{}` ended with {status}", line(&command));
    Ok(())
}

/// Runs `cargo build <args>` and answers the executables that it made, by name.
pub fn build<'a>(args: impl IntoIterator<Item = &'a str>) -> Result<BTreeMap<String, PathBuf>> {
    let mut command = command(["build", "--message-format=json-render-diagnostics"]);
    command.args(args).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("{command:?} could not be started"))?;
    let stdout = child
        .stdout
        .take()
        .context("stdout of cargo build was not piped")?;
    let mut executables = BTreeMap::new();
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cargo build printed no JSON")?
            && artifact.target.is_bin()
            && !artifact.profile.test
            && let Some(executable) = artifact.executable
        {
            executables.insert(artifact.target.name, executable.into_std_path_buf());
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "`{}` ended with {status}", line(&command));
    Ok(executables)
}

/// The cargo that started xtask, else the one on the path.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask is a binary, and cargo speaks to it by environment"
)]
fn program() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

fn describes_a_package(variable: &str) -> bool {
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "OUT_DIR",
    ]
    .iter()
    .any(|prefix| variable.starts_with(prefix))
}

/// The command as a person would type it.
fn line(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    ["cargo".into()]
        .into_iter()
        .chain(args)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests;
