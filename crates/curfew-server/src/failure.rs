//! How a command ends when it does not end well.
//!
//! Not the errors of requests. Invariant: 64 means that the operator must change what was asked or configured, 1
//! that the start failed although it was sound.

use std::process::ExitCode;

use crate::config::ConfigError;

/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The configuration or the command line is wrong.
    Usage(anyhow::Error),
    /// What was asked could not be done.
    Start(anyhow::Error),
    /// It was done, the answer is no, and it has been printed already (`curfew check`).
    Found,
    /// The configuration is wrong, and that has been printed already (`curfew check`).
    FoundWrong,
}

impl Failure {
    /// The configuration or the command line is wrong.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) | Self::FoundWrong => ExitCode::from(USAGE),
            Self::Start(_) | Self::Found => ExitCode::FAILURE,
        }
    }

    /// What to print, if anything is left to print.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Usage(error) | Self::Start(error) => Some(chain(error.as_ref())),
            Self::Found | Self::FoundWrong => None,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Start(error)
    }
}

/// An error and its causes, without those whose text has been said already.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str("\n  because: ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn a_cause_is_printed_once() {
        let inner = Layer {
            text: "connection refused",
            source: None,
        };
        let middle = Layer {
            text: "connect failed: connection refused",
            source: Some(Box::new(inner)),
        };
        let outer = Layer {
            text: "the database cannot be reached",
            source: Some(Box::new(middle)),
        };
        assert_eq!(
            chain(&outer),
            "the database cannot be reached\n  because: connect failed: connection refused"
        );
    }
}
