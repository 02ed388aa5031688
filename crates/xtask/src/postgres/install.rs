//! Installs the Postgres server from Debian's packages.
//!
//! Only where apt is; elsewhere it says what is missing. Invariant: the package makes and starts no cluster of
//! its own, and no file of the machine's configuration is changed.

use anyhow::Result;

use crate::apt::Package;

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
    Package {
        name: "postgresql",
        purpose: "the tests start a throw-away server of their own from it; no cluster is created or started",
        otherwise: "install a PostgreSQL server (initdb and postgres) by this system's own means",
        script: SCRIPT,
    }
    .install()
}
