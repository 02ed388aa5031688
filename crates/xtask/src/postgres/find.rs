//! Where the Postgres server is: Debian's version directories first, the newest wins, then the path.
//!
//! Starts nothing but `postgres --version`. Invariant: what is answered is the server itself, not a wrapper that
//! would pick a cluster of its own.

use std::env;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs of one Postgres server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// Makes a data directory.
    pub initdb: PathBuf,
    /// The server.
    pub postgres: PathBuf,
    /// What the server calls itself, such as `15.18`.
    pub version: String,
}

/// The newest server that is installed, if there is one.
pub fn find() -> Option<Binaries> {
    let path = env::var_os("PATH").unwrap_or_default();
    by_version(version_dirs(Path::new("/usr/lib/postgresql")))
        .into_iter()
        .chain(env::split_paths(&path))
        .find_map(|dir| in_dir(&dir))
}

/// `15/bin`, `16/bin` … below Debian's directory.
fn version_dirs(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The `bin` directories of numbered version directories, the newest first.
fn by_version(dirs: Vec<PathBuf>) -> Vec<PathBuf> {
    let number = |dir: &PathBuf| -> Option<u32> { dir.file_name()?.to_str()?.parse().ok() };
    let mut numbered: Vec<_> = dirs
        .into_iter()
        .filter_map(|dir| Some((number(&dir)?, dir)))
        .collect();
    numbered.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    numbered.into_iter().map(|(_, dir)| dir.join("bin")).collect()
}

/// The server in `dir`, links followed, if both programs are there and are programs.
fn in_dir(dir: &Path) -> Option<Binaries> {
    let postgres = program(&dir.join("postgres"))?;
    let initdb = program(&postgres.with_file_name("initdb"))?;
    let output = Command::new(&postgres)
        .arg("--version")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = version(std::str::from_utf8(&output.stdout).ok()?)?;
    Some(Binaries {
        initdb,
        postgres,
        version,
    })
}

/// The file behind `path`, unless it is a script: Debian's `pg_wrapper` and version managers' shims are scripts.
fn program(path: &Path) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    let mut start = [0; 2];
    File::open(&real).ok()?.read_exact(&mut start).ok()?;
    (start != *b"#!").then_some(real)
}

/// `15.18` of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn version(line: &str) -> Option<String> {
    let rest = line.split_once("(PostgreSQL) ")?.1;
    rest.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests;
