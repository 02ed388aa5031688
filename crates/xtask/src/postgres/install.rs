//! Installs the Postgres server from Debian's packages.
//!
//! Only where apt is; elsewhere it says what is missing. Invariant: the package makes and starts no cluster of
//! its own, and no file of the machine's configuration is changed.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// What is run, as root.
///
/// Debian's server package makes a cluster `main` and starts it (with an init script where there is no systemd),
/// unless `create_main_cluster` is off when it is installed. That is said by a file of our own in the directory
/// which postgresql-common includes, so that it holds whether or not `createcluster.conf` is there yet; it is
/// removed afterwards. A source of packages that cannot be reached (a third party's, say) is no reason to stop:
/// if the package then is not to be had, the installation says so.
const SCRIPT: &str = "set -eu
conf=/etc/postgresql-common
if [ -e $conf/createcluster.conf ] && ! grep -q createcluster.d $conf/createcluster.conf; then
    echo \"$conf/createcluster.conf does not include createcluster.d: install postgresql by hand\" >&2
    exit 1
fi
mkdir -p $conf/createcluster.d
trap 'rm -f $conf/createcluster.d/curfew-xtask.conf' EXIT
echo 'create_main_cluster = false' >$conf/createcluster.d/curfew-xtask.conf
apt-get update -q || echo 'apt-get update failed in part; going on with what there is' >&2
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql
";

/// Installs the Debian package `postgresql`; says so first.
pub fn install() -> Result<()> {
    ensure!(
        Path::new("/usr/bin/apt-get").exists(),
        "there is no apt-get here: install a PostgreSQL server (initdb and postgres) by this system's own means"
    );
    println!(
        "xtask: installing the Debian package postgresql (and what it depends on): the tests start a throw-away \
         server of their own from it; no cluster is created or started"
    );
    let mut command = if super::launch::is_root()? {
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
        bail!("installing postgresql needs root, and there is no sudo here");
    };
    let status = command
        .args(["-c", SCRIPT])
        .stdin(Stdio::null())
        .status()
        .context("no shell")?;
    ensure!(status.success(), "installing postgresql failed ({status})");
    Ok(())
}
