//! The host's own log of acts: a file, one line of JSON for each thing that happens.
//!
//! Not the gateway's audit trail: nobody's right to see or to ask hangs on it. It is opened for every line, so that it
//! can be rotated by renaming it, and a disk that is full shows at once.
//! Invariant: a line is written by one call, so that lines of acts at the same time do not mix, and none begins behind a
//! line that broke off.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use curfew_agent_api::{ActRequest, ActResult, HostSession, Message, OnBehalf, Problem};
use parking_lot::Mutex;
use serde::Serialize;

use super::Outcome;
use crate::policy::Verb;

/// The log cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the act log {} cannot be written", path.display())]
pub struct ActLogError {
    path: PathBuf,
    source: io::Error,
}

/// A file that acts are written to. Clones write to the same one.
#[derive(Debug, Clone)]
pub struct ActLog {
    path: Arc<Path>,
    /// Whose turn it is to write, and whether the last one broke off.
    torn: Arc<Mutex<bool>>,
}

impl ActLog {
    /// The file at `path`; it is made with the first line.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into().into(),
            torn: Arc::default(),
        }
    }

    /// Writes an empty line, to see whether it can be done; makes the file if it is not there. It also ends a line that a
    /// hard stop broke off.
    ///
    /// # Errors
    /// [`ActLogError`] with the reason.
    pub fn probe(&self) -> Result<(), ActLogError> {
        self.append(b"\n")
    }

    /// Writes one line, and waits until the system has it.
    pub(super) fn write(&self, line: &Line) -> Result<(), ActLogError> {
        let text = serde_json::to_vec(line).map_err(|error| self.failed(error.into()));
        let mut text = text?;
        text.push(b'\n');
        self.append(&text)
    }

    fn append(&self, text: &[u8]) -> Result<(), ActLogError> {
        let mut torn = self.torn.lock();
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.path)
            .and_then(|mut file| write_whole(&mut file, &mut torn, text))
            .map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ActLogError {
        ActLogError {
            path: self.path.to_path_buf(),
            source,
        }
    }
}

/// Writes a line, on a line of its own also after one of which only a part could be written.
fn write_whole(file: &mut impl Write, torn: &mut bool, text: &[u8]) -> io::Result<()> {
    let written = if *torn {
        file.write_all(&[b"\n", text].concat())
    } else {
        file.write_all(text)
    };
    *torn = written.is_err();
    written
}

impl fmt::Display for ActLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// What is known of an act before it is done; every line of it begins with these.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) host: String,
    pub(super) verb: Verb,
    pub(super) number: u32,
    pub(super) generation: String,
    pub(super) operation: String,
    pub(super) attempt: u32,
    pub(super) on_behalf: OnBehalf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ticket: Option<String>,
    pub(super) not_after: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<Message>,
    /// Who has the number, whether or not it is the one that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<HostSession>,
}

impl Asked {
    pub(super) fn new(host: &str, verb: Verb, number: u32, request: ActRequest) -> Self {
        Self {
            host: host.to_owned(),
            verb,
            number,
            generation: request.generation,
            operation: request.operation,
            attempt: request.attempt,
            on_behalf: request.on_behalf,
            reason: request.reason,
            ticket: request.ticket,
            not_after: request.not_after,
            message: request.message,
            session: None,
        }
    }
}

/// A line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    at: DateTime<Utc>,
    event: &'static str,
    #[serde(flatten)]
    asked: Asked,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ActResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

impl Line {
    /// Before the act.
    pub(super) fn asked(at: DateTime<Utc>, asked: Asked) -> Self {
        Self {
            at,
            event: "asked",
            asked,
            result: None,
            problem: None,
        }
    }

    /// After it.
    pub(super) fn ended(at: DateTime<Utc>, asked: Asked, outcome: &Outcome) -> Self {
        Self::after("ended", at, asked, outcome)
    }

    /// When a call that was given up after it had begun has come back.
    pub(super) fn late(at: DateTime<Utc>, asked: Asked, outcome: &Outcome) -> Self {
        Self::after("late", at, asked, outcome)
    }

    fn after(event: &'static str, at: DateTime<Utc>, asked: Asked, outcome: &Outcome) -> Self {
        Self {
            at,
            event,
            asked,
            result: outcome.as_ref().ok().map(|taken| taken.result),
            problem: outcome.as_ref().err().cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes and no more.
    struct Full {
        text: Vec<u8>,
        room: usize,
    }

    impl Write for Full {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let taken = text.len().min(self.room - self.text.len());
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.text.extend_from_slice(&text[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_a_line_that_broke_off_the_next_one_has_a_line_of_its_own() {
        let mut disk = Full {
            text: Vec::new(),
            room: 5,
        };
        let mut torn = false;
        assert!(write_whole(&mut disk, &mut torn, b"one\n").is_ok());
        assert!(write_whole(&mut disk, &mut torn, b"two\n").is_err());
        disk.room = 100;
        for line in [b"three\n", b"fours\n"] {
            assert!(write_whole(&mut disk, &mut torn, line).is_ok());
        }
        assert_eq!(String::from_utf8_lossy(&disk.text), "one\nt\nthree\nfours\n");
    }
}
