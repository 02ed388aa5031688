//! `curfew serve` as a process, with a configuration file, an issuer's keys and a database.
//!
//! Not `dev`: nothing of it is used here. Invariant: the file is what an administrator would write, and stays the same
//! over restarts.

use std::path::{Path, PathBuf};

use curfew_core::{Clock as _, Role, SystemClock};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    AuditTrail, BACKEND, Client, Db, Process, Reply, Signer, SimProcess, binary, http_client, until,
};

/// `iss` of the tokens.
pub const ISSUER: &str = "https://login.example.com/realms/corp";

/// How to run `curfew serve`, and the one that runs.
pub struct Serve {
    /// The running process.
    pub process: Process,
    /// The GraphQL endpoint.
    pub url: String,
    /// Where health and metrics are.
    pub ops: String,
    binary: PathBuf,
    folder: TempDir,
    signer: Signer,
    http: reqwest::Client,
}

impl Serve {
    /// Starts one over `sim` and `db`, which it migrates; `None` without the binary.
    pub async fn start(sim: &SimProcess, db: &Db) -> Option<Self> {
        Self::with(&Self::config(sim, db)).await
    }

    /// Starts one with this configuration file; `None` without the binary.
    pub async fn with(config: &str) -> Option<Self> {
        curfew_server::cli::install_tls_provider();
        let binary = binary("CURFEW_BIN", "curfew")?;
        let folder = tempfile::tempdir().expect("a temporary directory");
        let signer = Signer::ec("test-key");
        std::fs::write(folder.path().join("jwks.json"), Signer::jwks(&[&signer])).expect("written");
        std::fs::write(folder.path().join("curfew.toml"), config).expect("written");
        let process = Self::run(&binary, &folder);
        let mut serve = Self {
            process,
            url: String::new(),
            ops: String::new(),
            binary,
            folder,
            signer,
            http: http_client(),
        };
        serve.find().await;
        Some(serve)
    }

    /// The configuration file for one simulated site.
    pub fn config(sim: &SimProcess, db: &Db) -> String {
        Self::config_of(&[sim.backend(BACKEND)], db)
    }

    /// The configuration file for these `[[backends]]`.
    pub fn config_of(backends: &[String], db: &Db) -> String {
        let roles: Vec<_> = Role::ALL
            .iter()
            .map(|role| format!("\"grp-{role}\" = {{ role = \"{role}\" }}"))
            .collect();
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nops_listen = \"127.0.0.1:0\"\ndrain_seconds = 5\n\
             [database]\nurl = \"{url}\"\n\
             [[auth.issuers]]\nissuer = \"{ISSUER}\"\naudience = \"curfew\"\njwks = \"file:jwks.json\"\n\
             roles_claim = \"groups\"\nmap = {{ {roles} }}\n{backends}",
            url = db.url,
            roles = roles.join(", "),
            backends = backends.concat(),
        )
    }

    fn run(binary: &Path, folder: &TempDir) -> Process {
        let config = folder.path().join("curfew.toml");
        let config = config.to_str().expect("UTF-8");
        Process::start(
            binary,
            ["serve", "--config", config, "--migrate", "--log-format", "json"],
        )
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(&mut self) {
        self.process.kill().await;
    }

    /// Starts it again with the same file and database.
    pub async fn restart(&mut self) {
        self.process = Self::run(&self.binary, &self.folder);
        self.find().await;
    }

    /// Waits until it says where it listens.
    async fn find(&mut self) {
        let process = &mut self.process;
        let (url, ops) = until("curfew serve says where it listens", async || {
            assert!(process.runs(), "curfew serve ended:\n{}", process.log());
            let log = process.log();
            let (_, rest) = log.split_once("Serving GraphQL on ")?;
            let (public, rest) = rest.split_once(", health on ")?;
            let (ops, _) = rest.split_once('"')?;
            Some((format!("http://{public}/graphql"), format!("http://{ops}")))
        })
        .await;
        self.url = url;
        self.ops = ops;
    }

    /// A token with a role, as the issuer gives it.
    pub fn token(&self, role: Role) -> String {
        let now = SystemClock.now().timestamp();
        self.signer.sign(&json!({
            "iss": ISSUER, "aud": "curfew", "sub": format!("s-{role}"), "name": format!("The {role}"),
            "iat": now, "exp": now + 3600, "groups": [format!("grp-{role}")],
        }))
    }

    /// Somebody with a role.
    pub fn role(&self, role: Role) -> Client {
        Client::new(&self.http, &self.url, Some(self.token(role)))
    }

    /// What is on record, readings of the log apart.
    pub async fn audit(&self) -> AuditTrail {
        AuditTrail::read(&self.role(Role::Auditor)).await
    }

    /// A page of the ops listener.
    pub async fn ops(&self, path: &str) -> Reply {
        Reply::of(self.http.get(format!("{}{path}", self.ops))).await
    }

    /// Waits until every session of the site is listed, and gives the id of the one that the site calls `native`.
    pub async fn id(&self, native: &str) -> String {
        let viewer = self.role(Role::Viewer);
        until("the session is listed", async || {
            let data = viewer
                .data("{ onlineSessions(first: 1000) { nodes { id } } }", json!({}))
                .await;
            let rows = data["onlineSessions"]["nodes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let mut ids = rows.iter().filter_map(|row| row["id"].as_str());
            ids.find(|id| id.contains(native)).map(str::to_owned)
        })
        .await
    }

    /// Waits until an operation on a session has ended, and gives it.
    pub async fn ended(&self, session: &str) -> Value {
        let admin = self.role(Role::Admin);
        let document = "query($filter: OperationFilter) { operations(filter: $filter) { nodes { id action state outcome \
             reason sent endedBy attempts timeline { from to attempt } } } }";
        let variables = json!({ "filter": { "onlineSessionId": session } });
        until("the operation ends", async || {
            let data = admin.data(document, variables.clone()).await;
            let operation = data["operations"]["nodes"][0].clone();
            (!operation["outcome"].is_null()).then_some(operation)
        })
        .await
    }
}
