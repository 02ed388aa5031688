//! What a store can be told, and the database's address.
//!
//! Not here: reading configuration or environment; the server does.
//! Invariant: no text that this module makes holds a password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// How a store works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// How long a lease holds.
    pub lease: Duration,
    /// Most connections to Postgres.
    pub postgres_connections: u32,
    /// How long to wait for a connection to Postgres.
    pub postgres_acquire: Duration,
    /// Readers beside SQLite's one writer.
    pub sqlite_readers: u32,
    /// How long callers queue for SQLite's one writer.
    pub sqlite_acquire: Duration,
    /// How long a call may take once it has a connection. Postgres itself stops a statement after 5 s, so this
    /// runs out only if no answer comes back at all.
    pub statement: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            postgres_connections: 16,
            postgres_acquire: Duration::from_secs(2),
            sqlite_readers: 4,
            sqlite_acquire: Duration::from_secs(5),
            statement: Duration::from_secs(6),
        }
    }
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// An embedded file: for development and small sites.
    Sqlite,
    /// A server that several gateways can share.
    Postgres,
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "Postgres",
        })
    }
}

/// Why a text is not a database's address. The text itself, which may hold a password, is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// It begins with something else.
    #[error("the database URL must begin with `sqlite://`, `postgres://` or `postgresql://`")]
    Scheme,
    /// There is no path.
    #[error(
        "the database URL names no file: `sqlite:///var/lib/curfew/curfew.db`, or `sqlite://curfew.db` here"
    )]
    NoFile,
    /// A database in memory does not outlive the process, and every connection would have its own.
    #[error("a SQLite database in memory keeps no record: name a file")]
    InMemory,
    /// SQLite takes no parameters.
    #[error("a `sqlite://` URL takes no `?` parameters")]
    Parameters,
    /// It cannot be read as a URL of Postgres.
    #[error("the database URL is not valid: {0}")]
    Postgres(String),
}

/// A database's address. Neither `Debug` nor `Display` shows its password.
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) Address);

#[derive(Clone)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// Parses `sqlite:///absolute/path`, `sqlite://relative/path` or `postgres://user:password@host/database`.
    ///
    /// # Errors
    /// [`DatabaseUrlError`], which does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Self::sqlite(path.strip_prefix("//").unwrap_or(path));
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(DatabaseUrlError::Scheme);
        }
        match PgConnectOptions::from_str(text) {
            Ok(options) => Ok(Self(Address::Postgres(Box::new(options)))),
            // The parser's message says what is wrong and does not repeat the input.
            Err(sqlx::Error::Configuration(source)) => Err(DatabaseUrlError::Postgres(source.to_string())),
            Err(_) => Err(DatabaseUrlError::Postgres("it cannot be read".to_owned())),
        }
    }

    fn sqlite(path: &str) -> Result<Self, DatabaseUrlError> {
        match path {
            "" => Err(DatabaseUrlError::NoFile),
            ":memory:" => Err(DatabaseUrlError::InMemory),
            _ if path.contains('?') => Err(DatabaseUrlError::Parameters),
            _ => Ok(Self::file(Path::new(path))),
        }
    }

    /// The address of a SQLite file.
    pub fn file(path: &Path) -> Self {
        Self(Address::Sqlite(path.to_owned()))
    }

    /// The SQLite file; `None` for Postgres.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Address::Sqlite(path) => Some(path),
            Address::Postgres(_) => None,
        }
    }

    /// Which database it is.
    pub fn kind(&self) -> DatabaseKind {
        match self.0 {
            Address::Sqlite(_) => DatabaseKind::Sqlite,
            Address::Postgres(_) => DatabaseKind::Postgres,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Address::Postgres(options) => {
                let user = options.get_username();
                let database = options.get_database().unwrap_or(user);
                match options.get_socket() {
                    Some(socket) => write!(f, "postgres://{user}@{}/{database}", socket.display()),
                    None => write!(
                        f,
                        "postgres://{user}@{}:{}/{database}",
                        options.get_host(),
                        options.get_port()
                    ),
                }
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests;
