//! The binaries as processes.
//!
//! Not here: how they are configured (`serve`, `dev`). Invariant: a process ends with the value that stands for it, by
//! SIGKILL if need be, and is only ever signalled by its own id.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::{PATIENCE, Reply, http_client, not_run, until};

/// The path of a binary: from the variable, else beside the tests. `None`, and one loud line, if there is none.
pub fn binary(variable: &str, name: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let beside = || {
        let tests = std::env::current_exe().ok()?;
        let found = tests.parent()?.parent()?.join(name);
        found.is_file().then_some(found)
    };
    let found = named.or_else(beside);
    if found.is_none() {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        not_run(&format!("{test} (no {variable}; `cargo xtask test` builds it)"));
    }
    found
}

/// A running binary.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    log: NamedTempFile,
}

impl Process {
    /// Starts `binary`; its stdout is read line by line, its stderr kept.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start<A: AsRef<OsStr>>(binary: &Path, arguments: impl IntoIterator<Item = A>) -> Self {
        Self::start_with(binary, arguments, &[])
    }

    /// As [`Process::start`], with variables of the environment.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_with<A: AsRef<OsStr>>(
        binary: &Path,
        arguments: impl IntoIterator<Item = A>,
        variables: &[(&str, &str)],
    ) -> Self {
        let log = NamedTempFile::new().expect("a temporary file");
        let mut child = Command::new(binary)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.reopen().expect("the temporary file"))
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let stdout = child.stdout.take().expect("stdout is a pipe");
        Self {
            child,
            stdout: BufReader::new(stdout).lines(),
            log,
        }
    }

    /// The next line on stdout; `None` at its end.
    ///
    /// # Panics
    /// If none comes in time.
    pub async fn line(&mut self) -> Option<String> {
        match timeout(PATIENCE, self.stdout.next_line()).await {
            Ok(line) => line.expect("UTF-8"),
            Err(_) => panic!("no line on stdout in time; stderr:\n{}", self.log()),
        }
    }

    /// The one line of JSON that a binary prints when it is ready.
    ///
    /// # Panics
    /// If it ends or prints something else.
    pub async fn ready(&mut self) -> Value {
        let Some(line) = self.line().await else {
            panic!("it ended before it was ready; stderr:\n{}", self.log());
        };
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"))
    }

    /// What is on stdout until it ends.
    pub async fn rest(&mut self) -> String {
        let mut text = String::new();
        while let Some(line) = self.line().await {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// What is on stderr so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap_or_default()
    }

    /// Its id, while it runs.
    ///
    /// # Panics
    /// If it has been waited for.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Asks it to end (SIGTERM).
    ///
    /// # Panics
    /// If there is no shell to do it.
    pub async fn terminate(&self) {
        // A shell's own `kill` is everywhere; signals have no place in the standard library.
        let status = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", self.id())])
            .status()
            .await;
        assert!(status.expect("a shell").success(), "the signal was not sent");
    }

    /// Ends it at once (SIGKILL).
    ///
    /// # Panics
    /// If that fails.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Waits for its end and gives its exit code; `None` if a signal ended it.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn end(&mut self) -> Option<i32> {
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("its status").code(),
            Err(_) => panic!("it does not end; stderr:\n{}", self.log()),
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

/// A simulator as a process of its own.
#[derive(Debug)]
pub struct SimProcess {
    /// What it printed: `control`, and what a configuration needs (`url`, `clientSecret`, `ca` …).
    pub ready: Value,
    kind: &'static str,
    process: Process,
    http: reqwest::Client,
}

impl SimProcess {
    /// Starts a Citrix site; `None` without the binary.
    pub async fn start(arguments: &[&str]) -> Option<Self> {
        Self::of("citrix", arguments).await
    }

    /// Starts a fleet of Windows hosts; `None` without the binary.
    pub async fn fleet(arguments: &[&str]) -> Option<Self> {
        Self::of("fleet", arguments).await
    }

    /// Starts an OrbNet service; `None` without the binary.
    pub async fn orbnet(arguments: &[&str]) -> Option<Self> {
        Self::of("orbnet", arguments).await
    }

    async fn of(kind: &'static str, arguments: &[&str]) -> Option<Self> {
        curfew_server::cli::install_tls_provider();
        let binary = binary("CURFEW_SIM_BIN", "curfew-sim")?;
        let always = [kind, "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
        let arguments = always.iter().chain(arguments);
        let mut process = Process::start(&binary, arguments);
        Some(Self {
            ready: process.ready().await,
            kind,
            process,
            http: http_client(),
        })
    }

    /// Its `[[backends]]`, as an administrator would write it.
    pub fn backend(&self, id: &str) -> String {
        let text = |name: &str| self.ready[name].as_str().unwrap_or_default();
        let list = |name: &str| self.ready[name].as_array().cloned().unwrap_or_default();
        let own = match self.kind {
            "fleet" => {
                let hosts: Vec<String> = list("hosts")
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|name| format!("{{ name = \"{name}\", address = \"{}\" }}", text("address")))
                    .collect();
                format!(
                    "kind = \"windows\"\nca = '''{}'''\nclient_cert = '''{}'''\nclient_key = '''{}'''\n\
                     trust_domain = \"{}\"\nhosts = [{}]\n",
                    text("ca"),
                    text("gatewayCert"),
                    text("gatewayKey"),
                    text("trustDomain"),
                    hosts.join(", ")
                )
            }
            "orbnet" => {
                let users: Vec<String> = list("users")
                    .iter()
                    .map(|user| format!("{{ id = {}, name = {} }}", user["id"], user["name"]))
                    .collect();
                format!(
                    "kind = \"orbnet\"\nurl = \"{}\"\ntoken = \"{}\"\nusers = [{}]\n",
                    text("url"),
                    text("token"),
                    users.join(", ")
                )
            }
            _ => format!(
                "kind = \"citrix\"\nflavour = \"cloud\"\nurl = \"{}\"\ncustomer = \"{}\"\nclient_id = \"{}\"\n\
                 client_secret = \"{}\"\n",
                text("url"),
                text("customer"),
                text("clientId"),
                text("clientSecret")
            ),
        };
        format!("[[backends]]\nid = \"{id}\"\nallow_loopback = true\n{own}")
    }

    /// The process' id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn control(&self, path: &str) -> String {
        format!("{}{path}", self.ready["control"].as_str().unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        Reply::of(self.http.get(self.control(path))).await.body
    }

    /// Scripts a fault.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn fault(&self, fault: &curfew_sim::Fault) {
        self.script(&json!(fault)).await;
    }

    /// Scripts a fault of any kind of simulator, as its control listener takes it.
    ///
    /// # Panics
    /// If it is refused.
    pub async fn script(&self, fault: &Value) {
        let body = fault.to_string();
        let request = self
            .http
            .post(self.control("/faults"))
            .header("content-type", "application/json");
        let reply = Reply::of(request.body(body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// Takes all faults away.
    pub async fn clear_faults(&self) {
        Reply::of(self.http.delete(self.control("/faults"))).await;
    }

    /// Lets go of everything that is held, and says how many requests that were.
    pub async fn release(&self) -> u64 {
        let reply = Reply::of(self.http.post(self.control("/release"))).await;
        reply.body["released"].as_u64().unwrap_or_default()
    }

    /// Every acting request so far.
    pub async fn acts(&self) -> Vec<Value> {
        self.get("/acts").await.as_array().cloned().unwrap_or_default()
    }

    /// Acting requests that were carried out.
    pub async fn performed(&self) -> Vec<Value> {
        let acts = self.acts().await.into_iter();
        acts.filter(|act| act["performed"] == true).collect()
    }

    /// Everything it counts.
    pub async fn counters(&self) -> Value {
        self.get("/counters").await
    }

    /// How many requests of an operation arrived.
    pub async fn requests(&self, operation: &str) -> u64 {
        self.counters().await["requests"][operation]
            .as_u64()
            .unwrap_or_default()
    }

    /// The ids of active sessions.
    pub async fn active(&self) -> Vec<String> {
        let found = self.get("/sessions").await;
        let rows = found["sessions"].as_array().cloned().unwrap_or_default();
        let active = rows.iter().filter(|row| {
            row["state"] == "Active" && row["logonInProgress"] != true && row["logoffInProgress"] != true
        });
        active
            .filter_map(|row| row["id"].as_str().map(str::to_owned))
            .collect()
    }

    /// Waits until so many acting requests arrived.
    pub async fn wait_for_acts(&self, acts: usize) {
        until("acting requests at the site", async || {
            (self.acts().await.len() >= acts).then_some(())
        })
        .await;
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
