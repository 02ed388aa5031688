//! References to secrets in the configuration: `env:NAME`, `file:/path`, or the secret itself.
//!
//! Not here: reading the environment or files. A binary does that and passes it in as a [`SecretSource`].
//! Invariant: no secret is printed, by `Debug`, by `Display` or by an error.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;

/// Where references lead: the environment and the files of the process.
pub trait SecretSource {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// The text of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// A secret, or where to find it. Also used for values that are often kept beside secrets, such as a CA file.
#[derive(Clone)]
pub enum SecretRef {
    /// The value itself.
    Value(SecretString),
    /// `env:NAME`.
    Env(String),
    /// `file:/path`.
    File(PathBuf),
}

/// Why a reference leads nowhere. Names the reference, never a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No such variable.
    #[error("the environment variable `{0}` is not set")]
    Env(String),
    /// The file cannot be read.
    #[error("the file `{path}` cannot be read")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(String),
}

impl SecretRef {
    /// Reads the text form. A value that itself begins with `env:` or `file:` must be given by reference.
    pub fn parse(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Env(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path.into())
        } else {
            Self::Value(text.into())
        }
    }

    /// The value, if it has been looked up.
    pub fn value(&self) -> Option<&SecretString> {
        match self {
            Self::Value(value) => Some(value),
            Self::Env(_) | Self::File(_) => None,
        }
    }

    /// Looks the reference up in `source`. Line ends after the value, as editors leave them, are dropped.
    ///
    /// # Errors
    /// If the reference leads nowhere or to nothing.
    pub fn resolve(&self, source: &dyn SecretSource) -> Result<Self, SecretError> {
        let text = match self {
            Self::Value(value) => return Ok(Self::Value(value.clone())),
            Self::Env(name) => source.env(name).ok_or_else(|| SecretError::Env(name.clone()))?,
            Self::File(path) => source.file(path).map_err(|error| SecretError::File {
                path: path.clone(),
                source: error,
            })?,
        };
        match text.trim_end_matches(['\r', '\n']) {
            "" => Err(SecretError::Empty(self.to_string())),
            value => Ok(Self::Value(value.into())),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("[redacted]"),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = SecretRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`env:NAME`, `file:/path` or the value itself, as a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<SecretRef, E> {
                Ok(SecretRef::parse(text))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    struct House;
    impl SecretSource for House {
        fn env(&self, name: &str) -> Option<String> {
            (name == "PW").then(|| "hunter2".to_owned())
        }
        fn file(&self, path: &Path) -> io::Result<String> {
            match path.to_str() {
                Some("/s") => Ok("s3cret==\r\n".to_owned()),
                Some("/empty") => Ok("\n".to_owned()),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        }
    }

    fn look(text: &str) -> Result<String, String> {
        match SecretRef::parse(text).resolve(&House) {
            Ok(found) => Ok(found
                .value()
                .map(|v| v.expose_secret().to_owned())
                .unwrap_or_default()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn references_are_looked_up_and_values_taken_as_they_are() {
        assert_eq!(look("env:PW").as_deref(), Ok("hunter2"));
        assert_eq!(look("file:/s").as_deref(), Ok("s3cret=="));
        assert_eq!(look(" plain \n").as_deref(), Ok(" plain \n"));
        assert_eq!(
            look("env:NO").unwrap_err(),
            "the environment variable `NO` is not set"
        );
        assert_eq!(look("file:/empty").unwrap_err(), "file:/empty is empty");
        assert_eq!(look("file:/no").unwrap_err(), "the file `/no` cannot be read");
    }

    #[test]
    fn no_value_is_printed() {
        let value = SecretRef::parse("hunter2");
        assert_eq!(format!("{value:?} {value}"), "[redacted] [redacted]");
        assert_eq!(format!("{:?}", SecretRef::parse("env:PW")), "env:PW");
        assert_eq!(SecretRef::parse("env:PW").value().map(|_| ()), None);
    }
}
