//! All use cases in one, wired to their ports.
//!
//! Not here: which adapters and stores (the server decides).
//! Invariant: after [`App::stop`] no act is begun, and what is in hand is finished or handed over.

use std::sync::Arc;
use std::time::Duration;

use curfew_core::{ActionStore, AuditLog, Authorizer, Clock, Deadlines, Ledger, ProcessId, SessionBackend};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actions::Actions;
use crate::audit::AuditReader;
use crate::directory::Directory;
use crate::driver::Driver;
use crate::operations::Operations;
use crate::runner::Runner;

/// A backend and how often it is read.
pub struct BackendEntry {
    /// The adapter.
    pub backend: Arc<dyn SessionBackend>,
    /// The interval.
    pub interval: Duration,
}

/// What can be tuned.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long an operation may stay in each state.
    pub deadlines: Deadlines,
}

/// The ports that the use cases stand on.
pub struct Parts {
    /// The backends.
    pub backends: Vec<BackendEntry>,
    /// Storage of operations.
    pub actions: Arc<dyn ActionStore>,
    /// The audit log.
    pub audit: Arc<dyn AuditLog>,
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// What can be tuned.
    pub settings: Settings,
}

/// One line of readiness.
#[derive(Debug, Clone)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What is wrong; `None` if nothing is.
    pub problem: Option<String>,
}

/// All use cases.
pub struct App {
    /// The session directory.
    pub directory: Arc<Directory>,
    /// The acts.
    pub actions: Actions,
    /// Reading operations.
    pub operations: Operations,
    /// Reading the audit log.
    pub audit: AuditReader,
    /// Who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    driver: Driver,
    process: ProcessId,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl App {
    /// Wires the use cases; [`App::start`] sets them going.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            backends,
            actions: store,
            audit,
            authorizer,
            clock,
            settings,
        } = parts;
        let process = ProcessId(clock.uuid());
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let backends = backends
            .into_iter()
            .map(|entry| (entry.backend, entry.interval))
            .collect();
        let directory = Arc::new(Directory::new(backends, authorizer.clone(), clock.clone()));
        let ledger = Ledger::new(store.clone(), clock.clone(), process, settings.deadlines);
        let driver = Driver {
            store: store.clone(),
            ledger: ledger.clone(),
            directory: directory.clone(),
            clock: clock.clone(),
            limits: settings.deadlines,
            stop: stop.clone(),
            unwritten: Arc::default(),
            withdrawn: Arc::default(),
            driving: Arc::default(),
        };
        let actions = Actions {
            authorizer: authorizer.clone(),
            audit: audit.clone(),
            directory: directory.clone(),
            ledger,
            driver: driver.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            stop: stop.clone(),
        };
        let operations = Operations {
            store: store.clone(),
            authorizer: authorizer.clone(),
            directory: directory.clone(),
        };
        let audit = AuditReader {
            log: audit,
            store,
            authorizer: authorizer.clone(),
            directory: directory.clone(),
            clock: clock.clone(),
        };
        Self {
            directory,
            actions,
            operations,
            audit,
            authorizer,
            clock,
            driver,
            process,
            tasks,
            stop,
        }
    }

    /// Begins reading the backends and looking for abandoned operations.
    pub fn start(&self) {
        self.directory.start(&self.tasks, &self.stop);
        let runner = Runner {
            driver: self.driver.clone(),
            process: self.process,
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn(runner.run());
    }

    #[cfg(test)]
    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }

    /// What stands in the way of acting.
    pub async fn checks(&self) -> Vec<Check> {
        let database = self
            .audit
            .ping()
            .await
            .err()
            .map(|_| "the database does not answer".to_owned());
        let unwritten = match self.driver.unwritten() {
            0 => None,
            n => Some(format!("the ends of {n} operations are not committed yet")),
        };
        let stopping = self
            .stop
            .is_cancelled()
            .then(|| "the gateway is stopping".to_owned());
        vec![
            Check {
                name: "database",
                problem: database,
            },
            Check {
                name: "outcomes",
                problem: unwritten,
            },
            Check {
                name: "running",
                problem: stopping,
            },
        ]
    }

    /// Begins no more acts; waits up to `grace` for what is in hand to be finished or handed over. `true` if
    /// nothing is left.
    pub async fn stop(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(grace, self.tasks.wait()).await.is_ok()
    }
}
