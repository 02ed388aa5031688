//! The vendor's two documents and its JSON, as far as Curfew reads it: borrowed from the answer's bytes.
//!
//! Not here: what any of it means (`map.rs`, `answer.rs`). Invariant: a field of an unexpected type costs the field, not
//! the row; a row, a list or an answer of an unexpected type is no row, no list, no answer.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The sessions of one user, with every documented field that Curfew shows.
pub(super) const LIST: &str = "query getOnlineSessions($userId: Int!) { getOnlineSessions(userId: $userId) { id sessionId \
                               nasIpAddress startTime connectInfoStart callingStationId framedIpAddress } }";

/// The end of one session, as the vendor's page has it.
pub(super) const DISCONNECT: &str = "mutation disconnectBySessionId($onlineSessionId: String!) { \
                                     disconnectBySessionId(onlineSessionId: $onlineSessionId) }";

/// A GraphQL request.
#[derive(Debug, Serialize)]
pub(super) struct Request<V> {
    pub(super) query: &'static str,
    pub(super) variables: V,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListVariables {
    pub(super) user_id: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DisconnectVariables<'a> {
    pub(super) online_session_id: &'a str,
}

/// A GraphQL answer.
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<Vec<Error<'a>>>,
}

/// A GraphQL error. Its message is never read.
#[derive(Debug, Deserialize)]
struct Error<'a> {
    #[serde(borrow, default)]
    extensions: Option<Extensions<'a>>,
}

#[derive(Debug, Deserialize)]
struct Extensions<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
}

/// What an answer holds.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) data: Option<&'a RawValue>,
    /// There are errors, with the code that all of them carry.
    pub(super) errors: Option<Option<Cow<'a, str>>>,
}

/// Reads an answer; `None` if it is none of GraphQL's.
pub(super) fn answer(body: &[u8]) -> Option<Answer<'_>> {
    let envelope: Envelope<'_> = object(std::str::from_utf8(body).ok()?)?;
    let errors = envelope.errors.filter(|errors| !errors.is_empty()).map(|errors| {
        let mut codes = errors
            .into_iter()
            .map(|error| error.extensions.and_then(|extensions| extensions.code));
        let first = codes.next().flatten();
        // Errors that do not agree say nothing that could be acted upon.
        first.filter(|first| codes.all(|code| code.as_ref() == Some(first)))
    });
    Some(Answer {
        data: envelope.data,
        errors,
    })
}

/// Reads an object. Serde would take a list for one, field by field.
fn object<'a, T: Deserialize<'a>>(json: &'a str) -> Option<T> {
    if !json.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// One row. Whatever type a field has, it is not an error here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) session_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) nas_ip_address: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) start_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) connect_info_start: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) calling_station_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) framed_ip_address: Option<&'a RawValue>,
}

/// The rows in the data of a listing; `None` if it is not a list of objects.
pub(super) fn rows(data: &RawValue) -> Option<Vec<Row<'_>>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data<'a> {
        #[serde(borrow)]
        get_online_sessions: Vec<&'a RawValue>,
    }
    let data: Data<'_> = object(data.get())?;
    data.get_online_sessions
        .into_iter()
        .map(|row| object(row.get()))
        .collect()
}

/// The word in the data of a disconnect; `None` if it is no Boolean.
pub(super) fn disconnected(data: &RawValue) -> Option<bool> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Data {
        disconnect_by_session_id: bool,
    }
    object::<Data>(data.get()).map(|data| data.disconnect_by_session_id)
}

/// The string in a field, as it is; `None` if it is blank, missing or no string.
pub(super) fn text(field: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(field?.get()).ok()?;
    (!text.trim().is_empty()).then_some(text)
}

/// The string in a field, or what stands there instead, spelled as it came.
pub(super) fn spelled(field: Option<&RawValue>) -> Option<String> {
    text(field).or_else(|| {
        let raw = field?.get();
        (raw != "null" && !raw.starts_with('"')).then(|| raw.to_owned())
    })
}
