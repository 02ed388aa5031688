//! Checks of arguments that the schema cannot express.
//!
//! Not here: rules about sessions or rights.
//! Invariant: a refused argument is named, with its limit.

use async_graphql::{Error, ID, Result};
use curfew_core::{BackendId, OperationId, SessionId};

use crate::error::bad_input;

/// Longest `reason`, in characters.
pub const MAX_REASON: usize = 1000;
/// Longest `ticket`, in characters.
pub const MAX_TICKET: usize = 128;
/// Longest title of a message, in characters.
pub const MAX_TITLE: usize = 100;
/// Longest text of a message, in characters.
pub const MAX_TEXT: usize = 1000;
/// Longest `clientMutationId` and filter text, in characters.
pub const MAX_WORD: usize = 256;

/// A text that may be absent, within `limit` characters. It is stored as data, so only NUL is refused, which no
/// database keeps.
pub fn free_text(name: &str, text: Option<String>, limit: usize) -> Result<Option<String>> {
    match text {
        None => Ok(None),
        Some(text) if text.chars().count() > limit => Err(bad_input(format!(
            "`{name}` is longer than {limit} characters. Nothing was done."
        ))),
        Some(text) if text.contains('\0') => Err(bad_input(format!(
            "`{name}` holds a NUL character. Nothing was done."
        ))),
        Some(text) => Ok(Some(text)),
    }
}

/// A text that a user will read in a box: of 1 to `limit` characters, and no controls but line feeds where allowed.
pub fn shown_text(name: &str, text: &str, limit: usize, line_feeds: bool) -> Result<()> {
    let length = text.chars().count();
    if length == 0 || length > limit {
        return Err(bad_input(format!(
            "`{name}` must have 1 to {limit} characters, it has {length}. Nothing was sent."
        )));
    }
    if text.chars().any(|c| c.is_control() && !(line_feeds && c == '\n')) {
        return Err(bad_input(format!(
            "`{name}` holds a control character. Nothing was sent."
        )));
    }
    Ok(())
}

/// A filter's word: not empty, since an empty one looks like "everything" and would match nothing.
pub fn word(name: &str, text: Option<String>) -> Result<Option<String>> {
    match free_text(name, text, MAX_WORD)? {
        Some(text) if text.trim().is_empty() => Err(bad_input(format!(
            "`{name}` is empty. Leave it out to match everything."
        ))),
        text => Ok(text),
    }
}

/// A filter's list: not empty, for the same reason.
pub fn list<T>(name: &str, values: Option<Vec<T>>) -> Result<Option<Vec<T>>> {
    match values {
        Some(values) if values.is_empty() => Err(bad_input(format!(
            "`{name}` is an empty list. Leave it out to match everything."
        ))),
        values => Ok(values),
    }
}

/// A session's id.
pub fn session_id(name: &str, id: &str) -> Result<SessionId> {
    SessionId::parse(id).map_err(|error| {
        bad_input(format!(
            "`{name}` is not a session id: {error}. Nothing was done."
        ))
    })
}

/// An operation's id.
pub fn operation_id(name: &str, id: &ID) -> Result<OperationId> {
    OperationId::parse(id).map_err(|error| bad_input(format!("`{name}` is not an operation's id: {error}.")))
}

/// Backends' names.
pub fn backend_ids(name: &str, ids: Option<Vec<ID>>) -> Result<Option<Vec<BackendId>>> {
    let parse = |id: &ID| -> Result<BackendId, Error> {
        BackendId::parse(id).map_err(|error| bad_input(format!("`{name}` holds `{}`: {error}.", id.as_str())))
    };
    list(name, ids)?
        .map(|ids| ids.iter().map(parse).collect())
        .transpose()
}

#[cfg(test)]
mod tests;
