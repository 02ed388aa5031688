//! Ids, each a type of its own with one parser.
//!
//! Not here: who may use an id. An id carries no authority, it is readable on purpose: it stands in logs and
//! audit records.
//! Invariant: `Display` and `parse` round-trip, and one session has exactly one spelling.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Longest session id that is accepted, in bytes.
pub const MAX_SESSION_ID_BYTES: usize = 512;

/// What may stand unescaped in the native part of a session id.
const NATIVE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'_')
    .remove(b'[')
    .remove(b']')
    .remove(b'/')
    .remove(b'-');

/// Why a text is not an id; the message names the part that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The backend's part is not `[a-z][a-z0-9-]{0,31}`.
    #[error(
        "the backend part (before the first `:`) must be a lower-case letter followed by at most 31 of a-z, 0-9 and `-`"
    )]
    Backend,
    /// There is no `:`.
    #[error("the backend part is missing: a session id reads `backend:native@generation`")]
    NoBackend,
    /// The native part is empty or not in its one percent-encoded spelling.
    #[error(
        "the native part (between the first `:` and the last `@`) is empty or not percent-encoded as it was given out"
    )]
    Native,
    /// There is no `@`.
    #[error("the generation part is missing: a session id reads `backend:native@generation`")]
    NoGeneration,
    /// The generation is not 16 lower-case hex digits.
    #[error("the generation part (after the last `@`) must be 16 lower-case hexadecimal digits")]
    Generation,
    /// The text is longer than [`MAX_SESSION_ID_BYTES`].
    #[error("the id is longer than 512 bytes")]
    TooLong,
    /// Not a UUID.
    #[error("the id must be a UUID")]
    Uuid,
}

/// Name of a backend, as the configuration gives it: `[a-z][a-z0-9-]{0,31}`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackendId(Arc<str>);

impl BackendId {
    /// Parses a backend's name.
    ///
    /// # Errors
    /// [`IdError::Backend`] if it has another form.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let goes_on = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if starts && goes_on && text.len() <= 32 {
            Ok(Self(text.into()))
        } else {
            Err(IdError::Backend)
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackendId({})", self.0)
    }
}

impl TryFrom<String> for BackendId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<BackendId> for String {
    fn from(id: BackendId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl FromStr for BackendId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

/// Fingerprint of the fields that cannot change while a session lives: tells one logon from the next that was
/// given the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(u64);

impl Generation {
    /// First 16 hex digits of SHA-256 over the identity fields. A field that is there is encoded as byte 1, its
    /// length as big-endian `u32` and its UTF-8 bytes; a missing one as byte 0.
    pub fn of(fields: &[Option<&str>]) -> Self {
        let mut hash = Sha256::new();
        for field in fields {
            match field {
                Some(text) => {
                    hash.update([1]);
                    hash.update(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                    hash.update(text.as_bytes());
                }
                None => hash.update([0]),
            }
        }
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }

    /// Parses 16 lower-case hex digits.
    ///
    /// # Errors
    /// [`IdError::Generation`] if it is anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let canonical = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !canonical {
            return Err(IdError::Generation);
        }
        u64::from_str_radix(text, 16)
            .map(Self)
            .map_err(|_| IdError::Generation)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names one generation of one session: `backend ":" native "@" generation`.
///
/// One allocation that is shared by all clones; the order is that of the text.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId {
    text: Arc<str>,
    colon: u16,
    at: u16,
}

impl SessionId {
    /// The id of a session that a backend calls `native`.
    ///
    /// # Errors
    /// [`IdError::Native`] or [`IdError::TooLong`] if the vendor's name for the session is empty or absurdly long.
    pub fn new(backend: &BackendId, native: &str, generation: Generation) -> Result<Self, IdError> {
        if native.is_empty() {
            return Err(IdError::Native);
        }
        let text = format!("{backend}:{}@{generation}", utf8_percent_encode(native, NATIVE));
        if text.len() > MAX_SESSION_ID_BYTES {
            return Err(IdError::TooLong);
        }
        let colon = backend.as_str().len();
        let at = text.len() - 17;
        Ok(Self {
            colon: colon as u16,
            at: at as u16,
            text: text.into(),
        })
    }

    /// Parses an id.
    ///
    /// # Errors
    /// An [`IdError`] that names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() > MAX_SESSION_ID_BYTES {
            return Err(IdError::TooLong);
        }
        let colon = text.find(':').ok_or(IdError::NoBackend)?;
        BackendId::parse(&text[..colon])?;
        let at = text
            .rfind('@')
            .filter(|at| *at > colon)
            .ok_or(IdError::NoGeneration)?;
        Generation::parse(&text[at + 1..])?;
        let encoded = &text[colon + 1..at];
        let native = percent_decode_str(encoded)
            .decode_utf8()
            .map_err(|_| IdError::Native)?;
        // One session has one spelling: anything that does not encode back to itself was not given out by us.
        if native.is_empty() || utf8_percent_encode(&native, NATIVE).to_string() != encoded {
            return Err(IdError::Native);
        }
        Ok(Self {
            text: text.into(),
            colon: colon as u16,
            at: at as u16,
        })
    }

    /// The backend's name.
    pub fn backend(&self) -> BackendId {
        BackendId(self.backend_str().into())
    }

    /// The backend's name as text, without an allocation.
    pub fn backend_str(&self) -> &str {
        &self.text[..usize::from(self.colon)]
    }

    /// What the backend itself calls the session.
    pub fn native(&self) -> Cow<'_, str> {
        percent_decode_str(&self.text[usize::from(self.colon) + 1..usize::from(self.at)]).decode_utf8_lossy()
    }

    /// The id without its generation (`backend:native`): what a later logon may be given again.
    pub fn place(&self) -> &str {
        &self.text[..usize::from(self.at)]
    }

    /// The generation.
    pub fn generation(&self) -> Generation {
        // The constructor saw it parse.
        Generation::parse(&self.text[usize::from(self.at) + 1..]).unwrap_or(Generation(0))
    }

    /// The whole id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for SessionId {}
impl PartialOrd for SessionId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for SessionId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl std::hash::Hash for SessionId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({})", self.text)
    }
}

impl TryFrom<String> for SessionId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.text.as_ref().to_owned()
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $Name(pub Uuid);

        impl $Name {
            /// Parses the usual spelling of a UUID.
            ///
            /// # Errors
            /// [`IdError::Uuid`] if it is anything else.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                text.parse().map(Self).map_err(|_| IdError::Uuid)
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// Names an operation (UUID version 7).
    OperationId
}
uuid_id! {
    /// Names an audit record (UUID version 7).
    AuditId
}
uuid_id! {
    /// Names one run of one gateway: the owner of leases.
    ProcessId
}
uuid_id! {
    /// Names one HTTP request.
    RequestId
}

#[cfg(test)]
mod tests;
