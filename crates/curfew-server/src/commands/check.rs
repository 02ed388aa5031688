//! `curfew check`: looks at configuration, database and backends, one line each.
//!
//! Not a monitor (`/readyz` is). Invariant: nothing is changed, and no secret is printed.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use curfew_backends::BackendConfig;
use curfew_core::{BackendError, BackendErrorKind, Clock, ReadCtx, SystemClock};
use curfew_store::{Database, DatabaseUrl};
use secrecy::ExposeSecret as _;

use super::serve::{adapters, open};
use crate::cli::CheckArgs;
use crate::config::{self, ConfigError, DatabaseSettings};
use crate::failure::Failure;

/// How far the database's clock may be off before it is worth a word, in milliseconds.
const MOST_SKEW_MS: i64 = 1000;
/// How long one backend may take.
const BACKEND_PATIENCE: Duration = Duration::from_secs(30);

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// In order.
    Ok,
    /// It works, but probably not as meant.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// One line of the report: `ok|warn|fail  name  detail — fix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How it ended.
    pub status: Status,
    /// What was looked at: `configuration`, `database`, `backend citrix-eu`.
    pub name: String,
    /// What was seen.
    pub detail: String,
    /// What to do, if there is something to do.
    pub fix: Option<String>,
}

impl Line {
    /// A line without a fix.
    pub fn new(status: Status, name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            status,
            name: name.into(),
            detail: detail.into(),
            fix: None,
        }
    }

    /// With what to do.
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

/// The lines so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report(pub Vec<Line>);

impl Report {
    /// Adds a line.
    pub fn add(&mut self, line: Line) {
        self.0.push(line);
    }

    /// The worst of all; `Ok` without any.
    pub fn worst(&self) -> Status {
        self.0.iter().map(|it| it.status).max().unwrap_or(Status::Ok)
    }

    /// Writes the lines, names in one column.
    ///
    /// # Errors
    /// If `out` is closed.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.0.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
        for Line {
            status,
            name,
            detail,
            fix,
        } in &self.0
        {
            write!(out, "{status:<4}  {name:<width$}  {detail}")?;
            match fix {
                Some(fix) => writeln!(out, " — {fix}")?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }

    /// Prints the lines to stdout, and fails if one of them does.
    ///
    /// # Errors
    /// [`Failure::Found`] if something does not work.
    pub fn finish(&self) -> Result<(), Failure> {
        self.write(&mut io::stdout().lock()).map_err(anyhow::Error::new)?;
        if self.worst() == Status::Fail {
            Err(Failure::Found)
        } else {
            Ok(())
        }
    }
}

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
    look_at_backends(&config.backends, &clock, &mut report).await;
    report.finish()
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

async fn look_at_backends(configs: &[BackendConfig], clock: &Arc<dyn Clock>, report: &mut Report) {
    let entries = match adapters(configs, clock) {
        Ok(entries) => entries,
        Err(failure) => {
            report.add(Line::new(
                Status::Fail,
                "backends",
                failure.text().unwrap_or_default().replace('\n', " "),
            ));
            return;
        }
    };
    if entries.is_empty() {
        report
            .add(Line::new(Status::Warn, "backends", "none is configured").fix("add a [[backends]] section"));
    }
    let looks = entries.iter().map(|entry| async move {
        let ctx = ReadCtx::within(BACKEND_PATIENCE);
        let late = || BackendError::new(BackendErrorKind::TimedOut, "no answer within 30 s");
        let result = tokio::time::timeout_at(ctx.deadline, entry.backend.check(&ctx)).await;
        (entry.backend.id(), result.unwrap_or_else(|_| Err(late())))
    });
    for (id, result) in futures::future::join_all(looks).await {
        let parts = match result {
            Ok(parts) => parts,
            Err(error) => {
                report.add(of_backend(format!("backend {id}"), Err(error)));
                continue;
            }
        };
        for part in parts {
            report.add(of_backend(format!("backend {id}/{}", part.name), part.outcome));
        }
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
mod tests {
    use super::*;

    #[test]
    fn the_report_has_a_line_for_each_check() {
        let mut report = Report::default();
        report.add(Line::new(Status::Ok, "database", "SQLite, migrated"));
        report.add(Line::new(
            Status::Warn,
            "backend rds",
            "2 of 40 hosts do not answer",
        ));
        report.add(Line::new(Status::Fail, "backend citrix-eu", "401").fix("check client_secret"));
        let mut out = Vec::new();
        report.write(&mut out).expect("a vector takes everything");
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "ok    database           SQLite, migrated\n\
             warn  backend rds        2 of 40 hosts do not answer\n\
             fail  backend citrix-eu  401 — check client_secret\n"
        );
        assert_eq!(report.worst(), Status::Fail);
    }
}
