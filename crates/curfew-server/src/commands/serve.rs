//! `curfew serve`: the gateway in production.
//!
//! Not `dev`: no simulators, no HS256, whatever the build. Invariant: the configuration is checked before a port is
//! bound, and ports are bound before the database is opened.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use curfew_app::{BackendEntry, Settings};
use curfew_backends::{BackendConfig, Deps};
use curfew_core::{Clock, SystemClock};
use curfew_store::{Database, StoreOptions};
use secrecy::ExposeSecret as _;

use crate::auth::JwtAuthenticator;
use crate::cli::ServeArgs;
use crate::config::{self, DatabaseSettings};
use crate::failure::Failure;
use crate::http::Bound;
use crate::lifecycle::Signals;
use crate::wiring::{Blueprint, Gateway};

/// Runs until a signal comes.
///
/// # Errors
/// [`Failure::Usage`] for a wrong configuration, [`Failure::Start`] if the start fails.
pub async fn run(args: ServeArgs) -> Result<(), Failure> {
    let config = config::load_file(&args.config)?;
    config.check_serving()?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let backends = adapters(&config.backends, &clock)?;
    let public = Bound::bind(config.server.listen, "server.listen").map_err(anyhow::Error::new)?;
    let ops = Bound::bind(config.server.ops_listen, "server.ops_listen").map_err(anyhow::Error::new)?;
    let database = open(&config.database, &clock).await?;
    migrated(&database, args.migrate).await?;
    let gateway = Gateway::start(Blueprint {
        public,
        ops,
        tls: config.server.tls.as_ref().map(|tls| Arc::clone(&tls.0)),
        door: config.server.door_options(),
        limits: config.server.limits.of_schema(),
        authenticate: Arc::new(JwtAuthenticator::new(config.issuers, Arc::clone(&clock))),
        backends,
        database,
        settings: Settings {
            deadlines: config.deadlines,
        },
        clock,
    })
    .context("the listeners cannot be served")?;
    // Before anybody can know of it: a signal from then on ends it in order.
    let signals = Signals::listen().context("the process may not listen for signals")?;
    tracing::info!(
        "Serving GraphQL on {}, health on {}",
        gateway.public_address(),
        gateway.ops_address()
    );
    gateway.reason_to_stop(signals).await;
    gateway.stop(config.server.drain).await;
    Ok(())
}

/// Builds the adapters. Nothing is connected to yet.
pub(super) fn adapters(
    configs: &[BackendConfig],
    clock: &Arc<dyn Clock>,
) -> Result<Vec<BackendEntry>, Failure> {
    let deps = Deps {
        clock: Arc::clone(clock),
    };
    let build = |config: &BackendConfig| {
        let backend = curfew_backends::build(config, &deps).map_err(Failure::usage)?;
        Ok(BackendEntry {
            backend,
            interval: config.refresh_interval(),
        })
    };
    configs.iter().map(build).collect()
}

/// Opens the configured database; a SQLite file's folder is made if it is missing.
pub(super) async fn open(settings: &DatabaseSettings, clock: &Arc<dyn Clock>) -> Result<Database, Failure> {
    if settings.url.is_none() {
        std::fs::create_dir_all(&settings.data_dir).with_context(|| {
            format!(
                "the data directory {} cannot be made",
                settings.data_dir.display()
            )
        })?;
    }
    let mut options = StoreOptions::default();
    if let Some(connections) = settings.max_connections {
        options.postgres_connections = connections;
    }
    let url = settings.url();
    Ok(Database::connect(url.expose_secret(), options, Arc::clone(clock))
        .await
        .map_err(anyhow::Error::new)?)
}

/// Sees to it that the database has the tables of this build: by migrating if that is asked for, else by refusing.
async fn migrated(database: &Database, migrate: bool) -> Result<(), Failure> {
    if migrate {
        database.migrate().await.map_err(anyhow::Error::new)?;
        return Ok(());
    }
    let status = database.migration_status().await.map_err(anyhow::Error::new)?;
    if status.is_current() {
        return Ok(());
    }
    let fix = if status.unknown.is_empty() && status.changed.is_empty() {
        "run `curfew migrate`, or start with --migrate"
    } else {
        "it was migrated by another build of Curfew: run that one, or a newer one"
    };
    Err(Failure::Start(anyhow!(
        "the database {} is not as this build wants it ({status}); {fix}",
        database.describe()
    )))
}
