//! Runs what `docker-compose.yml` says without containers: the same commands with the same configuration files, with
//! other addresses, folders and another database.
//!
//! Not isolation, networks or images: those need Docker. Invariant: nothing of a command or a file is changed but
//! addresses (a service's name and port, or the port that it listens on), mounted folders, the database's URL, and
//! `allow_loopback`, which no service needs where each has an address of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Mutex;

use curfew_tests::{Process, binary, until};
use tempfile::TempDir;
use tokio::process::Command;

use super::file::{Compose, Condition, Service, root, stage};

/// The URL as the file has it, up to the password and behind it.
const DATABASE: (&str, &str) = ("postgres://curfew:", "@postgres:5432/curfew");

/// What runs.
pub(super) struct Native<'a> {
    compose: &'a Compose,
    folder: TempDir,
    /// By service and port.
    ports: Mutex<BTreeMap<(String, u16), Port>>,
    /// Up to the password, and behind it.
    database: (String, String),
    processes: BTreeMap<String, Process>,
}

/// Where a service listens here.
struct Port {
    address: SocketAddr,
    /// Keeps the port free until the service starts.
    kept: Option<TcpListener>,
}

impl<'a> Native<'a> {
    /// Runs everything that `docker compose up` would, in its order; `None`, and a loud line, if a binary is missing.
    pub(super) async fn up(compose: &'a Compose, database: &str) -> Option<Self> {
        let (before, behind) = database.split_once('@').expect("a user in the URL");
        let mut native = Self {
            compose,
            folder: tempfile::tempdir().expect("a temporary directory"),
            ports: Mutex::default(),
            // The server for tests takes any password.
            database: (format!("{before}:"), format!("@{behind}")),
            processes: BTreeMap::new(),
        };
        for service in compose.in_order() {
            if service.by_hand {
                continue;
            }
            if service.target.is_none() {
                // The database of the test stands for it.
                assert!(service.image.starts_with("postgres:"), "{}", service.image);
                continue;
            }
            if compose.is_one_shot(&service.name) {
                // Twice, as by a second `up`: what is there is kept.
                for _ in 0..2 {
                    native.run(&service.name, &[]).await?;
                }
            } else {
                native.start(service).await?;
            }
        }
        Some(native)
    }

    /// Runs a service to its end, with further arguments, and gives what it printed.
    pub(super) async fn run(&self, name: &str, arguments: &[&str]) -> Option<String> {
        let service = &self.compose.services[name];
        let (program, mut argv) = self.argv(service)?;
        argv.extend(arguments.iter().map(|it| (*it).to_owned()));
        let mut process = Process::start(&program, &argv);
        let printed = process.rest().await;
        let code = process.end().await;
        assert_eq!(code, Some(0), "{name} {argv:?}: {}", process.log());
        Some(printed)
    }

    /// Runs a command of a service's image beside the service, as `docker compose exec` does, and gives what it printed.
    pub(super) async fn exec(&self, name: &str, command: &[&str]) -> Option<String> {
        let service = &self.compose.services[name];
        let (program, _) = self.argv(service)?;
        let (first, arguments) = command.split_first().expect("a program");
        assert!(program.ends_with(first), "{first} is not the program of {name}");
        let arguments: Vec<_> = arguments.iter().map(|it| self.native(service, it)).collect();
        let mut process = Process::start(&program, &arguments);
        let printed = process.rest().await;
        assert_eq!(
            process.end().await,
            Some(0),
            "{command:?}: {printed}{}",
            process.log()
        );
        Some(printed)
    }

    /// Starts a service, and waits until those that depend on it may go on.
    async fn start(&mut self, service: &Service) -> Option<()> {
        let (program, argv) = self.argv(service)?;
        for ((of, _), port) in self.ports.lock().expect("no panic").iter_mut() {
            if *of == service.name {
                port.kept = None;
            }
        }
        let mut process = Process::start(&program, &argv);
        match self.health(service) {
            Some(check) => {
                until("the service is healthy", async || {
                    assert!(process.runs(), "{} ended: {}", service.name, process.log());
                    self.healthy(&check).await.then_some(())
                })
                .await;
            }
            // The agent says it in its log, the simulators on stdout.
            None if program.ends_with("curfew-agent") => {
                until("the agent listens", async || {
                    assert!(process.runs(), "{} ended: {}", service.name, process.log());
                    process.log().contains("Listening on ").then_some(())
                })
                .await;
            }
            None => {
                process.ready().await;
            }
        }
        self.processes.insert(service.name.clone(), process);
        Some(())
    }

    /// The program of a service and its arguments, as its image and the file have them.
    fn argv(&self, service: &Service) -> Option<(PathBuf, Vec<String>)> {
        let stage = stage(service.target.as_deref().expect("a stage of the Dockerfile"));
        let entry = stage.list("ENTRYPOINT").expect("every image has an entry point");
        let (program, fixed) = entry.split_first().expect("a program");
        let variable = match program.as_str() {
            "curfew" => "CURFEW_BIN",
            "curfew-sim" => "CURFEW_SIM_BIN",
            "curfew-agent" => "CURFEW_AGENT_BIN",
            other => panic!("{other} is no binary of this repository"),
        };
        let command = if service.command.is_empty() {
            stage.list("CMD").unwrap_or_default()
        } else {
            service.command.clone()
        };
        let argv = fixed
            .iter()
            .chain(&command)
            .map(|it| self.native(service, it))
            .collect();
        Some((binary(variable, program)?, argv))
    }

    /// The command of a health check, the image's if the file has none.
    fn health(&self, service: &Service) -> Option<Vec<String>> {
        let of_image = || stage(service.target.as_deref()?).list("HEALTHCHECK");
        let command = service.healthcheck.clone().or_else(of_image)?;
        Some(command.iter().map(|it| self.native(service, it)).collect())
    }

    async fn healthy(&self, check: &[String]) -> bool {
        let (program, arguments) = check.split_first().expect("a program");
        let mut command = Command::new(program);
        let command = command.args(arguments).kill_on_drop(true);
        let output = command.output().await.expect("a health check can be run");
        output.status.success()
    }

    /// Whether a service is healthy now, as its own check sees it.
    pub(super) async fn is_healthy(&self, name: &str) -> bool {
        let check = self.health(&self.compose.services[name]).expect("a health check");
        self.healthy(&check).await
    }

    /// A text of a service's command or file, as it must be here.
    fn native(&self, service: &Service, text: &str) -> String {
        let text = self.with_addresses(service, text);
        let text = self.with_folders(service, text);
        // The last, for its address is one of here already.
        let (before, behind) = (&self.database.0, &self.database.1);
        text.replace(DATABASE.0, before).replace(DATABASE.1, behind)
    }

    /// With `citrix:8443`, `0.0.0.0:8443` and `127.0.0.1/9464` made the addresses of here.
    fn with_addresses(&self, service: &Service, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        let part_of_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
        while let Some(start) = rest.find(part_of_name) {
            let (between, from_name) = rest.split_at(start);
            out.push_str(between);
            let end = from_name.find(|it| !part_of_name(it)).unwrap_or(from_name.len());
            let (name, behind) = from_name.split_at(end);
            let of = match name {
                "0.0.0.0" | "127.0.0.1" => Some(service.name.as_str()),
                name if self.is_ours(name) => Some(name),
                _ => None,
            };
            let separator = behind.chars().next().filter(|it| ":/".contains(*it));
            let digits = behind.get(1..).unwrap_or_default();
            let digits = &digits[..digits
                .find(|it: char| !it.is_ascii_digit())
                .unwrap_or(digits.len())];
            match (of, separator, digits.parse()) {
                (Some(of), Some(separator), Ok(port)) => {
                    let address = self.address(of, port);
                    out.push_str(&format!("{}{separator}{}", address.ip(), address.port()));
                    rest = &behind[1 + digits.len()..];
                }
                _ => {
                    out.push_str(name);
                    rest = behind;
                }
            }
        }
        out.push_str(rest);
        out
    }

    /// Whether a name is that of a service which runs here.
    fn is_ours(&self, name: &str) -> bool {
        self.compose
            .services
            .get(name)
            .is_some_and(|it| it.target.is_some())
    }

    /// With every folder and file that is mounted where it is here.
    fn with_folders(&self, service: &Service, mut text: String) -> String {
        for mount in &service.volumes {
            if !text.contains(&mount.to) {
                continue;
            }
            let here = if mount.from.starts_with("./") {
                self.copied(service, &mount.from)
            } else {
                let folder = self.volume(&mount.from);
                fs::create_dir_all(&folder).expect("made");
                folder
            };
            text = text.replace(&mount.to, here.to_str().expect("UTF-8"));
        }
        text
    }

    /// A configuration file with the addresses and folders of here.
    fn copied(&self, service: &Service, from: &str) -> PathBuf {
        let text = fs::read_to_string(root().join(from)).unwrap_or_else(|error| panic!("{from}: {error}"));
        let mut text = self.native(service, &text);
        if text.contains("[[backends]]") {
            text = text.replace("[[backends]]\n", "[[backends]]\nallow_loopback = true\n");
        }
        let folder = self.folder.path().join("files").join(&service.name);
        fs::create_dir_all(&folder).expect("made");
        let file = folder.join(PathBuf::from(from).file_name().expect("a name"));
        fs::write(&file, text).expect("written");
        file
    }

    /// Where a volume is here.
    pub(super) fn volume(&self, name: &str) -> PathBuf {
        self.folder.path().join("volumes").join(name)
    }

    /// Where a service listens here with what is one of its ports there.
    pub(super) fn address(&self, service: &str, port: u16) -> SocketAddr {
        let mut ports = self.ports.lock().expect("no panic");
        let entry = ports.entry((service.to_owned(), port)).or_insert_with(|| {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            Port {
                address: listener.local_addr().expect("an address"),
                kept: Some(listener),
            }
        });
        entry.address
    }

    /// What everything that runs has logged, for a test that failed.
    pub(super) fn logs(&self) -> String {
        let logs = self.processes.iter();
        logs.map(|(name, process)| format!("--- {name}\n{}\n", process.log()))
            .collect()
    }

    /// Whether everything that was started still runs.
    pub(super) fn all_run(&mut self) -> bool {
        self.processes.values_mut().all(Process::runs)
    }

    /// Asks everything to end, those that depend on others first, and gives the exit codes.
    pub(super) async fn down(mut self) -> Vec<(String, Option<i32>)> {
        let mut codes = Vec::new();
        for service in self.compose.in_order().into_iter().rev() {
            if let Some(mut process) = self.processes.remove(&service.name) {
                process.terminate().await;
                codes.push((service.name.clone(), process.end().await));
            }
        }
        codes
    }
}

/// Those that everybody waits for by `service_healthy` have a check to be healthy by.
pub(super) fn unhealthy(compose: &Compose) -> Vec<String> {
    let waited = compose.services.values().flat_map(|it| &it.depends_on);
    let waited = waited.filter(|(_, condition)| *condition == Condition::Healthy);
    let has_check = |service: &Service| {
        let of_image = || {
            service
                .target
                .as_deref()
                .and_then(|it| stage(it).list("HEALTHCHECK"))
        };
        service.healthcheck.is_some() || of_image().is_some()
    };
    waited
        .filter(|(name, _)| !has_check(&compose.services[name]))
        .map(|(name, _)| name.clone())
        .collect()
}
