//! `curfew check`: looks at configuration, database and backends, one line each.
//!
//! Not a monitor (`/readyz` is). Invariant: nothing is changed, and no secret is printed.

mod report;

use std::sync::Arc;
use std::time::Duration;

use curfew_backends::BackendConfig;
use curfew_core::{
    BackendError, BackendErrorKind, BackendId, BackendKind, Clock, PartHealth, ReadCtx, SystemClock,
};
use curfew_store::{Database, DatabaseUrl};
use secrecy::ExposeSecret as _;

use super::serve::{adapters, open};
use crate::cli::CheckArgs;
use crate::config::{self, ConfigError, DatabaseSettings};
use crate::failure::Failure;

pub use report::{Line, Report, Status};

/// How far the database's clock may be off before it is worth a word, in milliseconds.
const MOST_SKEW_MS: i64 = 1000;
/// How long one backend may take.
const BACKEND_PATIENCE: Duration = Duration::from_secs(30);
/// Most parts of one backend that are said to be in order one by one; of more, only how many they are.
const MOST_GOOD_LINES: usize = 20;

/// What a report ends with that found a wrong configuration.
fn wrong(failure: Failure) -> Failure {
    match failure {
        Failure::Found => Failure::FoundWrong,
        other => other,
    }
}

/// The lines of a configuration that cannot be used.
fn refused(error: &ConfigError, report: &mut Report) {
    for problem in &error.problems {
        let detail = if problem.key.is_empty() {
            problem.what.clone()
        } else {
            format!("{}: {}", problem.key, problem.what)
        };
        report.add(Line::new(Status::Fail, "configuration", detail));
    }
}

/// Looks at everything and prints what it saw.
///
/// # Errors
/// [`Failure::FoundWrong`] for a wrong configuration, [`Failure::Found`] if something does not work.
pub async fn run(args: CheckArgs) -> Result<(), Failure> {
    let mut report = Report::default();
    let config = match config::load_file(&args.config) {
        Ok(config) => config,
        Err(error) => {
            refused(&error, &mut report);
            return report.finish().map_err(wrong);
        }
    };
    match config.check_serving() {
        Ok(()) => {
            let detail = format!("{} can be used", config.source);
            report.add(Line::new(Status::Ok, "configuration", detail));
        }
        Err(error) => {
            refused(&error, &mut report);
            return report.finish().map_err(wrong);
        }
    }
    for warning in &config.warnings {
        report.add(Line::new(Status::Warn, "configuration", warning));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    look_at_database(&config.database, &clock, &mut report).await;
    if look_at_backends(&config.backends, &clock, &mut report).await {
        report.finish()
    } else {
        report.finish().map_err(wrong)
    }
}

async fn look_at_database(settings: &DatabaseSettings, clock: &Arc<dyn Clock>, report: &mut Report) {
    // Opening a SQLite file would make it, and a check changes nothing.
    let url = DatabaseUrl::parse(settings.url().expose_secret());
    if let Ok(Some(path)) = url.as_ref().map(DatabaseUrl::path)
        && !path.exists()
    {
        let line = Line::new(
            Status::Fail,
            "database",
            format!("there is no file {}", path.display()),
        );
        report.add(line.fix("run `curfew migrate`"));
        return;
    }
    let database = match open(settings, clock).await {
        Ok(database) => database,
        Err(failure) => {
            let why = failure.text().unwrap_or_default().replace('\n', " ");
            let fix = "is it running, and do the address and the password in `database.url` hold?";
            report.add(Line::new(Status::Fail, "database", why).fix(fix));
            return;
        }
    };
    report.add(Line::new(
        Status::Ok,
        "database",
        format!("{} answers", database.describe()),
    ));
    report.add(match database.migration_status().await {
        Ok(status) if status.is_current() => Line::new(Status::Ok, "migrations", status.to_string()),
        Ok(status) if status.unknown.is_empty() && status.changed.is_empty() => {
            Line::new(Status::Fail, "migrations", status.to_string()).fix("run `curfew migrate`")
        }
        Ok(status) => {
            let fix = "the database was migrated by another build: run that one, or a newer one";
            Line::new(Status::Fail, "migrations", status.to_string()).fix(fix)
        }
        Err(error) => Line::new(
            Status::Fail,
            "migrations",
            crate::failure::chain(&error).replace('\n', " "),
        ),
    });
    report.add(look_at_clocks(&database, &**clock).await);
    database.close().await;
}

async fn look_at_clocks(database: &Database, clock: &dyn Clock) -> Line {
    let before = clock.now();
    match database.now().await {
        Ok(theirs) => {
            let after = clock.now();
            let skew = (theirs - (before + (after - before) / 2)).num_milliseconds();
            let detail = format!("the database's clock differs from this machine's by {skew} ms");
            if skew.abs() <= MOST_SKEW_MS {
                Line::new(Status::Ok, "clock", detail)
            } else {
                Line::new(Status::Warn, "clock", detail)
                    .fix("synchronise both machines; records carry this one's time")
            }
        }
        Err(error) => Line::new(
            Status::Fail,
            "clock",
            crate::failure::chain(&error).replace('\n', " "),
        ),
    }
}

/// Says whether every backend could be built: if not, the configuration is to be changed.
async fn look_at_backends(configs: &[BackendConfig], clock: &Arc<dyn Clock>, report: &mut Report) -> bool {
    let mut entries = Vec::new();
    for config in configs {
        // Each for itself: what is wrong with one says nothing about the others.
        match adapters(std::slice::from_ref(config), clock) {
            Ok(built) => entries.extend(built),
            Err(failure) => report.add(Line::new(
                Status::Fail,
                format!("backend {}", config.id()),
                failure.text().unwrap_or_default().replace('\n', " "),
            )),
        }
    }
    if configs.is_empty() {
        report
            .add(Line::new(Status::Warn, "backends", "none is configured").fix("add a [[backends]] section"));
    }
    let looks = entries.iter().map(|entry| async move {
        let ctx = ReadCtx::within(BACKEND_PATIENCE);
        let late = || BackendError::new(BackendErrorKind::TimedOut, "no answer within 30 s");
        let result = tokio::time::timeout_at(ctx.deadline, entry.backend.check(&ctx)).await;
        (entry.backend.id(), result.unwrap_or_else(|_| Err(late())))
    });
    let results = futures::future::join_all(looks).await;
    for (entry, (id, result)) in entries.iter().zip(results) {
        match result {
            Ok(parts) => of_parts(id, entry.backend.kind(), parts, report),
            Err(error) => report.add(of_backend(format!("backend {id}"), Err(error))),
        }
    }
    entries.len() == configs.len()
}

/// One line for each part; where many are in order, one for all of those.
fn of_parts(id: &BackendId, kind: BackendKind, parts: Vec<PartHealth>, report: &mut Report) {
    let all = parts.len();
    let good = parts.iter().filter(|part| part.outcome.is_ok()).count();
    let summed_up = good > MOST_GOOD_LINES;
    for part in parts {
        if part.outcome.is_err() || !summed_up {
            report.add(of_backend(format!("backend {id}/{}", part.name), part.outcome));
        }
    }
    if summed_up {
        let parts = match kind {
            BackendKind::Citrix => "sites",
            BackendKind::Windows => "hosts",
            BackendKind::Orbnet => "users",
        };
        let detail = format!("{good} of {all} {parts} answer");
        report.add(Line::new(Status::Ok, format!("backend {id}"), detail));
    }
}

fn of_backend(name: String, outcome: Result<String, BackendError>) -> Line {
    match outcome {
        Ok(seen) => Line::new(Status::Ok, name, seen),
        Err(error) => {
            let fix = match error.kind {
                BackendErrorKind::Credentials => {
                    "check the backend's credentials: the vendor does not accept them"
                }
                BackendErrorKind::Denied => "give the account the right to see and end sessions",
                BackendErrorKind::RateLimited { .. } => "the vendor asks to slow down; try again later",
                BackendErrorKind::Protocol => "is this address really that of the vendor's API?",
                _ => "check the address, the network between, and the certificate authority (`ca`)",
            };
            Line::new(
                Status::Fail,
                name,
                crate::failure::chain(&error).replace('\n', " "),
            )
            .fix(fix)
        }
    }
}

#[cfg(test)]
mod tests;
