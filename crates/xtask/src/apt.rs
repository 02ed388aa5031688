//! Installing Debian packages for tests, as root.
//!
//! Not what is installed: each caller brings its script and says what it is for. Invariant: nothing is installed that
//! was not announced on stdout first.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use crate::postgres::is_root;

/// What is to be installed.
pub struct Package<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for, in words.
    pub purpose: &'a str,
    /// What to do by hand where there is no apt.
    pub otherwise: &'a str,
    /// What is run, by `sh`.
    pub script: &'a str,
}

impl Package<'_> {
    /// Installs it; says so first.
    pub fn install(&self) -> Result<()> {
        let Self {
            name,
            purpose,
            otherwise,
            script,
        } = self;
        ensure!(
            Path::new("/usr/bin/apt-get").exists(),
            "there is no apt-get here: {otherwise}"
        );
        println!("xtask: installing the Debian package {name} (and what it depends on): {purpose}");
        let mut command = if is_root()? {
            Command::new("sh")
        } else if Command::new("sudo")
            .arg("-V")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|it| it.success())
        {
            let mut sudo = Command::new("sudo");
            sudo.arg("sh");
            sudo
        } else {
            bail!("installing {name} needs root, and there is no sudo here");
        };
        let status = command
            .args(["-c", script])
            .stdin(Stdio::null())
            .status()
            .context("no shell")?;
        ensure!(status.success(), "installing {name} failed ({status})");
        Ok(())
    }
}
