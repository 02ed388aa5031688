//! `curfew check`: looks at configuration, database and backends, one line each.
//!
//! Not a monitor (`/readyz` is). Invariant: nothing is changed, and no secret is printed.

use std::fmt;
use std::io::{self, Write};

use crate::cli::CheckArgs;
use crate::config::{self, ConfigError};
use crate::failure::Failure;

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
/// [`Failure::Found`] if something does not work.
pub async fn run(args: CheckArgs) -> Result<(), Failure> {
    let mut report = Report::default();
    let config = match config::load_file(&args.config) {
        Ok(config) => config,
        Err(error) => {
            refused(&error, &mut report);
            return report.finish();
        }
    };
    match config.check_serving() {
        Ok(()) => {
            let detail = format!("{} can be used", config.source);
            report.add(Line::new(Status::Ok, "configuration", detail));
        }
        Err(error) => refused(&error, &mut report),
    }
    for warning in &config.warnings {
        report.add(Line::new(Status::Warn, "configuration", warning));
    }
    // The database and each backend follow here.
    report.finish()
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
