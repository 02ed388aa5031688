//! Starts everything that `curfew dev` consists of, and says so.
//!
//! Not the parts themselves: the gateway is the same as everywhere. Invariant: nothing is said before every simulated
//! backend has been read.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use curfew_app::Settings;
use curfew_core::{Clock, Role, SystemClock};
use curfew_store::{Database, DatabaseUrl, StoreOptions};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::chaos::{self, Switchboard};
use super::samples::Samples;
use super::simulators::Simulators;
use super::welcome::{Demo, Welcome};
use crate::auth::dev::DevIssuer;
use crate::auth::{Authenticate, JwtAuthenticator};
use crate::cli::DevArgs;
use crate::commands::serve::adapters;
use crate::config::Limits;
use crate::failure::Failure;
use crate::http::{Bound, DoorOptions, Running};
use crate::wiring::{Blueprint, Gateway};

/// How long the simulated backends may take for their first reading.
const FIRST_READING: Duration = Duration::from_secs(60);

/// Everything at work; the folder lives as long as this.
pub(super) struct Stand {
    pub(super) gateway: Gateway,
    control: Running,
    simulators: Arc<Simulators>,
    in_step: JoinHandle<()>,
    folder: Option<TempDir>,
}

impl Stand {
    /// Ends it all, the simulators after the gateway.
    pub(super) async fn stop(self, drain: Duration) {
        self.gateway.stop(drain).await;
        self.control.stop(Duration::ZERO).await;
        self.in_step.abort();
        let _ = self.in_step.await;
        // Switches and task held them too, and are gone.
        if let Some(simulators) = Arc::into_inner(self.simulators) {
            simulators.shutdown().await;
        }
        drop(self.folder);
    }
}

/// Starts everything and says so.
pub(super) async fn start(args: DevArgs) -> Result<Stand, Failure> {
    let public = Bound::bind(args.listen, "--listen").map_err(anyhow::Error::new)?;
    let ops = Bound::bind(args.ops_listen(), "--ops-listen").map_err(anyhow::Error::new)?;
    let control = Bound::bind(args.control(), "--control").map_err(anyhow::Error::new)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let simulators = Arc::new(Simulators::start(args.sessions).await?);
    let (database, folder) = open(&args, &clock).await?;
    database.migrate().await.map_err(anyhow::Error::new)?;
    let issuer = DevIssuer::new(Arc::clone(&clock)).map_err(anyhow::Error::new)?;
    let url = format!("http://{}/graphql", public.address());
    let graphiql = curfew_graphql::graphiql("/graphql", &issuer.token(Role::Viewer));
    let described = database.describe();
    let configs = simulators.backends()?;
    let gateway = Gateway::start(Blueprint {
        public,
        ops,
        tls: None,
        door: DoorOptions {
            graphiql: Some(graphiql),
            ..DoorOptions::default()
        },
        limits: Limits::default().of_schema(),
        authenticate: Arc::new(JwtAuthenticator::new(vec![issuer.issuer()], Arc::clone(&clock)))
            as Arc<dyn Authenticate>,
        backends: adapters(&configs, &clock)?,
        database,
        settings: Settings::default(),
        clock,
    })
    .context("the listeners cannot be served")?;
    let in_step = Arc::clone(&simulators);
    let in_step = tokio::spawn(async move { in_step.keep_in_step().await });
    let backends = read(&gateway).await?;
    let board = Switchboard::new(Simulators::switches(&simulators));
    let control = control
        .serve(chaos::router(Arc::new(board)), None)
        .context("the control listener cannot be served")?;
    let welcome = Welcome {
        graphql: url,
        ops: format!("http://{}", gateway.ops_address()),
        control: control.address(),
        tokens: issuer,
        database: described,
        backends,
        samples: Samples::find(&gateway, simulators.common_machine()).await,
        common_machine: simulators.common_machine().map(str::to_owned),
    };
    let text = if args.json { welcome.json() } else { welcome.text() };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(anyhow::Error::new)?;
    drop(out);
    Ok(Stand {
        gateway,
        control,
        simulators,
        in_step,
        folder,
    })
}

/// Waits for the first reading of every backend.
async fn read(gateway: &Gateway) -> anyhow::Result<Vec<Demo>> {
    let directory = &gateway.app.directory;
    directory.first_readings(FIRST_READING).await;
    let mut backends = Vec::new();
    let mut unread = Vec::new();
    for backend in directory.backends() {
        let id = backend.id().as_str();
        let reading = directory.reading(id);
        let sessions = reading.as_ref().map_or(0, |it| it.session_count);
        backends.push(Demo {
            id: id.to_owned(),
            kind: backend.kind(),
            sessions,
        });
        if reading.as_ref().is_none_or(|it| it.observed_at.is_none()) {
            let why = reading.and_then(|it| it.error);
            let why = why.unwrap_or_else(|| "it did not answer in time".to_owned());
            unread.push(format!("`{id}`: {why}"));
        }
    }
    if unread.is_empty() {
        Ok(backends)
    } else {
        Err(anyhow!(
            "not every simulated backend could be read: {}",
            unread.join("; ")
        ))
    }
}

/// Opens the database; the folder lives as long as what is returned.
async fn open(args: &DevArgs, clock: &Arc<dyn Clock>) -> anyhow::Result<(Database, Option<TempDir>)> {
    let options = StoreOptions::default();
    if let Some(url) = &args.database_url {
        return Ok((Database::connect(url, options, Arc::clone(clock)).await?, None));
    }
    let (path, folder) = match &args.data_dir {
        Some(path) => {
            std::fs::create_dir_all(path)
                .with_context(|| format!("--data-dir {} cannot be made", path.display()))?;
            (path.clone(), None)
        }
        None => {
            let folder = tempfile::Builder::new()
                .prefix("curfew-dev-")
                .tempdir()
                .context("no temporary directory")?;
            (folder.path().to_owned(), Some(folder))
        }
    };
    let url = DatabaseUrl::file(&path.join("curfew.db"));
    Ok((Database::open(url, options, Arc::clone(clock)).await?, folder))
}
