//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Who may depend on whom (`graph`), what a manifest says (`manifests`), what a file says (`sources`). It changes
//! nothing. Invariant: every rule is a function of texts or of cargo's metadata, so that each has a test without
//! a workspace around it.

mod graph;
mod manifests;
mod sources;

use std::fmt;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::cargo;

/// A breach of a rule, or, as a notice, a reason to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, from the root of the repository.
    file: String,
    /// What is wrong with it, in one line.
    problem: String,
    weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Error,
    Notice,
}

impl Finding {
    fn error(file: &str, problem: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            problem: problem.into(),
            weight: Weight::Error,
        }
    }

    fn notice(file: &str, problem: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            problem: problem.into(),
            weight: Weight::Notice,
        }
    }

    fn is_error(&self) -> bool {
        self.weight == Weight::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notice = if self.is_error() { "" } else { "notice: " };
        write!(f, "{notice}{}: {}", self.file, self.problem)
    }
}

/// A text file of the repository.
pub struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

/// Prints every finding; an error if one is more than a notice.
pub fn run() -> Result<()> {
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|it| it.is_error()).count() {
        0 => Ok(()),
        1 => bail!("1 problem"),
        errors => bail!("{errors} problems"),
    }
}

/// Everything that is against a rule in this tree.
fn findings() -> Result<Vec<Finding>> {
    let sources = sources()?;
    let metadata = cargo::metadata(&["--no-deps", "--locked"])?;
    let mut findings = graph::check(&metadata)?;
    findings.extend(manifests::check(&sources)?);
    findings.extend(sources::check(&sources));
    findings.sort_by(|a, b| (a.weight as u8, &a.file).cmp(&(b.weight as u8, &b.file)));
    Ok(findings)
}

/// The text files that git knows, or would know after `git add .`: a new file is checked before it is committed.
fn sources() -> Result<Vec<Source>> {
    let output = Command::new("git")
        .current_dir(cargo::root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("tidy needs git")?;
    ensure!(
        output.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let list = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
    let mut paths: Vec<_> = list.split_terminator('\0').collect();
    paths.sort_unstable();
    paths.dedup();
    // What cannot be read as text is a picture, or was removed and not yet staged.
    let read = |path: &str| {
        let text = std::fs::read_to_string(cargo::root().join(path)).ok()?;
        Some(Source {
            path: path.into(),
            text,
        })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests;
