//! The commands, and how they fail.
//!
//! Invariant: on a system without a platform of its own no command makes one up unless it is told to.

pub(crate) mod doctor;
pub(crate) mod openapi;
pub(crate) mod run;

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use curfew_core::SystemClock;

use crate::cli::{Choice, Start};
use crate::config::{ConfigError, CredentialsError};
use crate::platform::{FakePlatform, Platform};

/// `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;
/// The fake host is the same at every start.
const SEED: u64 = 1;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Configuration or command line must be changed.
    Usage(anyhow::Error),
    /// It could not be done.
    Start(anyhow::Error),
}

impl Failure {
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    pub(crate) fn start(error: impl Into<anyhow::Error>) -> Self {
        Self::Start(error.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(USAGE),
            Self::Start(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(error) | Self::Start(error)) = self;
        write!(f, "{error:#}")
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        Self::usage(error)
    }
}

/// Where the sessions come from.
fn platform(start: &Start, host: &str) -> Result<Arc<dyn Platform>, Failure> {
    match start.platform {
        Some(Choice::Fake) => {
            let clock = Arc::new(SystemClock);
            Ok(Arc::new(FakePlatform::populate(
                host,
                start.fake_sessions,
                SEED,
                clock,
            )))
        }
        None => Err(Failure::usage(anyhow!(
            "this build knows no sessions of {}; to try the agent out with made-up ones, start it with `--platform fake`",
            std::env::consts::OS
        ))),
    }
}
