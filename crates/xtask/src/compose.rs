//! Docker Compose, by which a test checks `docker-compose.yml`.
//!
//! No daemon and no image: only the file is read. Invariant: nothing is started by it.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::apt::Package;

/// What is said where there is none.
pub const NOT_RUN: &str = "NOT RUN: the check of docker-compose.yml by Docker Compose (none is here; `cargo xtask test \
                           --install` installs docker-compose)";

/// Is there one, as a plug-in of docker or as a program?
pub fn is_there() -> bool {
    [
        ("docker", &["compose", "version"][..]),
        ("docker-compose", &["version"]),
    ]
    .iter()
    .any(|(program, arguments)| {
        let mut command = Command::new(program);
        command.args(*arguments).stdin(Stdio::null());
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|it| it.success())
    })
}

/// Installs Debian's package.
pub fn install() -> Result<()> {
    Package {
        name: "docker-compose",
        purpose: "a test checks docker-compose.yml with it; no daemon is installed or started",
        otherwise: "install Docker Compose by this system's own means",
        script: "set -eu
apt-get update -q || echo 'apt-get update failed in part; going on with what there is' >&2
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends docker-compose
",
    }
    .install()
}
