//! Starts a Postgres server in a temporary directory and stops it again.
//!
//! The server refuses to run as root; root lends it the user `postgres` (Debian's package makes it) or `nobody`.
//! Invariant: the directory, the socket in it and the port on 127.0.0.1 belong to this server alone.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use super::Binaries;

/// 60 seconds in all: a cold start on a busy machine takes about two.
const POLLS: u32 = 1_200;
const POLL: Duration = Duration::from_millis(50);

/// What the server promises about a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A commit is on the disk, as in production: for benchmarks.
    Durable,
    /// A commit may be lost with the machine, but not with the server: for tests, which it makes faster.
    Volatile,
}

/// A running server; it is stopped and its directory removed when this is dropped.
pub struct Server {
    keeper: Child,
    dir: TempDir,
    port: u16,
}

/// The user that the server runs as, where that is not ourselves.
#[derive(Clone, Copy)]
struct Ids {
    user: u32,
    group: u32,
}

impl Server {
    /// Makes a new, empty cluster and starts it; returns when it takes connections.
    pub fn start(binaries: &Binaries, durability: Durability) -> Result<Self> {
        let ids = if is_root()? { Some(lent_user()?) } else { None };
        // Postgres cannot pick a free port itself; one that we pick may be taken by somebody else meanwhile.
        let mut last = None;
        for _ in 0..3 {
            match Self::start_once(binaries, durability, ids) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt")?)
    }

    fn start_once(binaries: &Binaries, durability: Durability, ids: Option<Ids>) -> Result<Self> {
        let dir = directory(ids)?;
        let data = dir.path().join("data");
        let made = as_user(&binaries.initdb, dir.path(), ids)
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{} could not be started", binaries.initdb.display()))?;
        ensure!(
            made.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&made.stderr).trim()
        );

        let port = free_port()?;
        let keeper = as_user(Path::new("/bin/sh"), dir.path(), ids)
            .args(["-c", include_str!("keeper.sh"), "keeper"])
            .arg(dir.path())
            .arg(&binaries.postgres)
            .arg("-D")
            .arg(&data)
            .args(settings(dir.path(), port, durability))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("no shell")?;
        let server = Self { keeper, dir, port };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// A superuser's URL; trust on 127.0.0.1, no password.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Polls what `pg_ctl` polls: the eighth line of `postmaster.pid` is `ready` once connections are taken.
    fn wait_until_ready(&self) -> Result<()> {
        let dir = self.dir.path();
        for _ in 0..POLLS {
            let pid_file = fs::read_to_string(dir.join("data/postmaster.pid")).unwrap_or_default();
            if pid_file
                .lines()
                .nth(7)
                .is_some_and(|state| state.trim() == "ready")
            {
                return Ok(());
            }
            if dir.join("ended").exists() {
                bail!("Postgres ended while starting:\n{}", self.log());
            }
            sleep(POLL);
        }
        bail!("Postgres was not ready in time:\n{}", self.log())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The keeper takes the closed pipe as the order to stop (keeper.sh).
        drop(self.keeper.stdin.take());
        if let Err(error) = self.keeper.wait() {
            eprintln!("xtask: waiting for Postgres to stop failed: {error}");
        }
    }
}

/// Are we root?
pub fn is_root() -> Result<bool> {
    Ok(id(&["-u"])? == 0)
}

fn lent_user() -> Result<Ids> {
    for name in ["postgres", "nobody"] {
        if let (Ok(user), Ok(group)) = (id(&["-u", name]), id(&["-g", name])) {
            return Ok(Ids { user, group });
        }
    }
    bail!("Postgres refuses to run as root, and there is no user postgres or nobody to run it as")
}

fn id(args: &[&str]) -> Result<u32> {
    let output = Command::new("id")
        .args(args)
        .stderr(Stdio::null())
        .output()
        .context("no `id` command")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .with_context(|| format!("`id {}` gave no number", args.join(" ")))
}

/// A new directory that its user alone can enter.
fn directory(ids: Option<Ids>) -> Result<TempDir> {
    // Not $TMPDIR if it can be helped: root's may be closed to others, and a socket's path is at most 107 bytes.
    let parent = if Path::new("/tmp").is_dir() {
        PathBuf::from("/tmp")
    } else {
        std::env::temp_dir()
    };
    let dir = tempfile::Builder::new().prefix("curfew-pg-").tempdir_in(parent)?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700))?;
    if let Some(ids) = ids {
        chown(dir.path(), Some(ids.user), Some(ids.group))?;
    }
    Ok(dir)
}

/// `program`, run in `dir` as the lent user, without root's supplementary groups (the standard library drops them
/// when root sets a user).
fn as_user(program: &Path, dir: &Path, ids: Option<Ids>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir);
    if let Some(ids) = ids {
        command.uid(ids.user).gid(ids.group);
    }
    // Variables such as PGPORT and PGDATA would change what the server does.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
    command
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

fn settings(socket_dir: &Path, port: u16, durability: Durability) -> Vec<String> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", socket_dir.display()),
        "max_connections=200".to_owned(),
        "log_min_messages=warning".to_owned(),
    ];
    if durability == Durability::Volatile {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    settings
        .into_iter()
        .flat_map(|setting| ["-c".to_owned(), setting])
        .collect()
}

#[cfg(test)]
mod tests;
