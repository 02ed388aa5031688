//! What configuration is read from beside its own text: environment variables and files.
//!
//! Not the command line. Invariant: the process environment is read here and nowhere else.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use curfew_backends::SecretSource;

/// Longest file that is referred to, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Environment variables and files.
pub trait Surroundings {
    /// One environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The names of all environment variables.
    fn names(&self) -> Vec<String>;

    /// The text of a file; a relative path is meant from the directory of the configuration file.
    ///
    /// # Errors
    /// If it cannot be read, is not UTF-8, or is absurdly large.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// The machine that the process runs on.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    directory: PathBuf,
}

impl Machine {
    /// Relative paths are meant from the directory of this file.
    pub fn beside(config: &Path) -> Self {
        Self {
            directory: config.parent().map(Path::to_path_buf).unwrap_or_default(),
        }
    }
}

impl Surroundings for Machine {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name)?.into_string().ok()
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .collect()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let path = self.directory.join(path);
        let size = std::fs::metadata(&path)?.len();
        if size > MAX_FILE {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the file is larger than 4 MiB",
            ));
        }
        std::fs::read_to_string(path)
    }
}

/// Surroundings that are given, for tests.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// The files.
    pub files: BTreeMap<PathBuf, String>,
}

impl Surroundings for Given {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The same surroundings, as the adapters look secrets up.
pub(super) struct Secrets<'a>(pub &'a dyn Surroundings);

impl SecretSource for Secrets<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.0.variable(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.0.file(path)
    }
}
