//! `curfew migrate`: brings the database's tables up to date.
//!
//! Not done by `serve` unless it is asked to. Invariant: the URL, which may hold a password, is never printed.

use std::sync::Arc;

use curfew_core::{Clock, SystemClock};

use super::serve::open;
use crate::cli::MigrateArgs;
use crate::config::{self, DatabaseSettings};
use crate::failure::Failure;

/// Migrates and ends.
///
/// # Errors
/// [`Failure::Usage`] for a wrong configuration, [`Failure::Start`] if the database cannot be migrated.
pub async fn run(args: MigrateArgs) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = open(&settings(args)?, &clock).await?;
    let before = database.migration_status().await.map_err(anyhow::Error::new)?;
    database.migrate().await.map_err(anyhow::Error::new)?;
    println!(
        "{}: {} migrations applied, {} of them now",
        database.describe(),
        before.applied.len() + before.pending.len(),
        before.pending.len()
    );
    database.close().await;
    Ok(())
}

fn settings(args: MigrateArgs) -> Result<DatabaseSettings, Failure> {
    match (args.database_url, args.config) {
        (Some(url), _) => Ok(DatabaseSettings {
            url: Some(url.into()),
            max_connections: None,
            data_dir: Default::default(),
        }),
        (None, Some(path)) => Ok(config::load_file(&path)?.database),
        (None, None) => Err(Failure::usage(anyhow::anyhow!("give --config or --database-url"))),
    }
}
