//! The report of `curfew check`: lines of `ok|warn|fail  name  detail — fix`.
//!
//! Not what is looked at. Invariant: names stand in one column, and the exit code is that of the worst line.

use std::fmt;
use std::io::{self, Write};

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
