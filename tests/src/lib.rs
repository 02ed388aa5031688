//! The harness of Curfew's behaviour tests: the real gateway over real HTTP, simulated vendors, both databases.
//!
//! - [`Gateway`]: a gateway in this process; roles as methods (`gw.viewer()`), the audit log as a table.
//! - [`Process`], [`Serve`], [`Dev`], [`SimProcess`]: the binaries, to be killed and started again; [`run`] for
//!   commands that end by themselves.
//! - [`Db`] and [`on_both!`](crate::on_both): every behaviour on SQLite and on Postgres.
//! - [`Proxy`]: a network that breaks when it is told to.
//! - [`until`]: conditions instead of sleeps.
//!
//! Not here: the behaviours (`it/`). Invariant: everything that is started ends with the value that stands for it.

mod audit;
mod database;
mod dev;
mod ended;
mod gateway;
mod http;
mod keys;
mod process;
mod proxy;
mod serve;
mod site;
mod wait;

pub use audit::{AuditTrail, OUTCOME_FIELDS};
pub use database::{Db, not_run};
pub use dev::Dev;
pub use ended::{Ended, run, run_with};
pub use gateway::{BACKEND, Builder, Gateway, VPN, WINDOWS};
pub use http::{Client, Reply, http_client};
pub use keys::Signer;
pub use process::{Process, SimProcess, binary};
pub use proxy::{Proxy, Trip};
pub use serve::{ISSUER, Serve};
pub use site::{Behind, Site};
pub use wait::{PATIENCE, until};
