//! `curfew dev` as a process. Not `serve`. Invariant: what is known of it is what it printed.

use curfew_core::Role;
use serde_json::Value;

use crate::{Client, Process, binary, http_client};

/// A running `curfew dev`.
#[derive(Debug)]
pub struct Dev {
    /// The process.
    pub process: Process,
    /// What it printed.
    pub ready: Value,
    http: reqwest::Client,
}

impl Dev {
    /// Starts one on free ports; `None` without the binary.
    pub async fn start(arguments: &[&str]) -> Option<Self> {
        curfew_server::cli::install_tls_provider();
        let binary = binary("CURFEW_BIN", "curfew")?;
        let arguments = ["dev", "--json", "--listen", "127.0.0.1:0"]
            .iter()
            .chain(arguments);
        let mut process = Process::start(&binary, arguments);
        Some(Self {
            ready: process.ready().await,
            process,
            http: http_client(),
        })
    }

    /// Somebody with the printed token of a role.
    pub fn role(&self, role: Role) -> Client {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let token = text(&self.ready["tokens"][role.as_str()]);
        Client::new(&self.http, &text(&self.ready["graphql"]), Some(token))
    }
}
