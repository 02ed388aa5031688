//! What is bound to statements: the domain's values, in the order in which `sql` numbers them.
//!
//! Not here: SQL, and how a driver encodes a value.
//! Invariant: no text with a NUL reaches a database. Postgres refuses one, and a vendor's odd string must not keep
//! an act's outcome off the record, so U+FFFD stands in its place.

use std::borrow::Cow;

use curfew_core::{AuditRecord, Lease, Move, Operation, StoreError, Timestamp, Verb};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error;

/// One value, or NULL of its type.
#[derive(Debug, Clone)]
pub(crate) enum Param<'a> {
    Uuid(Option<Uuid>),
    Text(Option<Cow<'a, str>>),
    Int(Option<i64>),
    Time(Option<Timestamp>),
    Json(Option<Box<RawValue>>),
    Seconds(f64),
}

impl<'a> Param<'a> {
    /// A text that must be there.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Some(without_nul(text)))
    }

    /// A text that may be missing.
    pub fn text_or_null(text: Option<&'a str>) -> Self {
        Self::Text(text.map(without_nul))
    }

    /// A text in lower case, to be searched for.
    pub fn key(text: &str) -> Self {
        Self::Text(Some(Cow::Owned(without_nul(text).to_lowercase())))
    }

    fn key_or_null(text: Option<&str>) -> Self {
        text.map_or(Self::Text(None), Self::key)
    }

    /// A number that may be missing.
    pub fn int(number: Option<impl Into<i64>>) -> Self {
        Self::Int(number.map(Into::into))
    }

    /// The same, borrowing nothing.
    #[cfg(test)]
    pub fn into_owned(self) -> Param<'static> {
        match self {
            Self::Text(text) => Param::Text(text.map(|text| Cow::Owned(text.into_owned()))),
            Self::Uuid(id) => Param::Uuid(id),
            Self::Int(number) => Param::Int(number),
            Self::Time(at) => Param::Time(at),
            Self::Json(json) => Param::Json(json),
            Self::Seconds(seconds) => Param::Seconds(seconds),
        }
    }

    fn json<T: Serialize>(value: &T) -> Result<Self, StoreError> {
        let mut raw = serde_json::value::to_raw_value(value).map_err(error::refused)?;
        if raw.get().contains("\\u0000") {
            let mut tree: Value = serde_json::from_str(raw.get()).map_err(error::refused)?;
            purge(&mut tree);
            raw = serde_json::value::to_raw_value(&tree).map_err(error::refused)?;
        }
        Ok(Self::Json(Some(raw)))
    }

    fn json_or_null<T: Serialize>(value: Option<&T>) -> Result<Self, StoreError> {
        value.map_or(Ok(Self::Json(None)), Self::json)
    }
}

impl From<Uuid> for Param<'_> {
    fn from(id: Uuid) -> Self {
        Self::Uuid(Some(id))
    }
}

impl From<Timestamp> for Param<'_> {
    fn from(at: Timestamp) -> Self {
        Self::Time(Some(at))
    }
}

impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn purge(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(clean) = without_nul(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(purge),
        Value::Object(fields) => {
            let old = std::mem::take(fields);
            fields.extend(old.into_iter().map(|(name, mut field)| {
                purge(&mut field);
                (without_nul(&name).into_owned(), field)
            }));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Parameters 1 to 24 of `open`; the lease's follow.
pub(crate) fn operation(operation: &Operation) -> Result<Vec<Param<'_>>, StoreError> {
    let course = &operation.course;
    let words = match &operation.verb {
        Verb::Message { title, text } => Some(json!({ "title": title, "text": text })),
        Verb::Disconnect | Verb::Logoff => None,
    };
    let session = &operation.target.session;
    let mut params = Vec::with_capacity(90);
    params.extend([
        operation.id.0.into(),
        Param::text(operation.verb.kind().as_str()),
        Param::json_or_null(words.as_ref())?,
        Param::text(session.as_str()),
        Param::text(session.backend_str()),
        Param::json(&operation.target)?,
        Param::text(&operation.actor.issuer),
        Param::text(&operation.actor.subject),
        Param::text(&operation.actor.name),
        operation.request.id.0.into(),
        Param::Text(operation.request.source_address.map(|ip| ip.to_string().into())),
        Param::text_or_null(operation.reason.as_deref()),
        Param::text_or_null(operation.ticket.as_deref()),
        operation.requested_at.into(),
        Param::text(course.state.as_str()),
        Param::text(course.sent.as_str()),
        i64::from(course.attempt).into(),
        Param::text_or_null(course.job.as_ref().map(|job| job.0.as_str())),
        Param::int(course.progress_percent),
        Param::Time(course.deadline),
        Param::text_or_null(course.reason.map(curfew_core::EndReason::as_str)),
        Param::json(&course.evidence)?,
        Param::text_or_null(course.ended_by.map(curfew_core::EndedBy::as_str)),
        Param::Time(course.finished_at),
    ]);
    Ok(params)
}

/// Parameters 1 to 15 of `advance` and `finish`.
pub(crate) fn step<'a>(lease: &Lease, step: &'a Move) -> Result<Vec<Param<'a>>, StoreError> {
    let course = &step.course;
    let mut params = held(lease);
    params.reserve(50);
    params.extend([
        Param::text(step.from.as_str()),
        step.at.into(),
        Param::text(course.state.as_str()),
        Param::text(course.sent.as_str()),
        i64::from(course.attempt).into(),
        Param::text_or_null(course.job.as_ref().map(|job| job.0.as_str())),
        Param::int(course.progress_percent),
        Param::Time(course.deadline),
        Param::text_or_null(course.reason.map(curfew_core::EndReason::as_str)),
        Param::json(&course.evidence)?,
        Param::text_or_null(course.ended_by.map(curfew_core::EndedBy::as_str)),
        Param::Time(course.finished_at),
    ]);
    Ok(params)
}

/// Parameters 1 to 3 of what only the holder of a lease may do.
pub(crate) fn held<'a>(lease: &Lease) -> Vec<Param<'a>> {
    vec![lease.operation.0.into(), lease.fence.into(), lease.owner.0.into()]
}

/// The 31 parameters of an audit record.
pub(crate) fn record<'a>(params: &mut Vec<Param<'a>>, record: &'a AuditRecord) -> Result<(), StoreError> {
    let facts = record.target.as_ref().and_then(|target| target.facts.as_ref());
    let user = facts.map(|facts| &facts.user);
    let machine = facts.map(|facts| &facts.machine);
    params.extend([
        record.recorded_at.into(),
        record.id.0.into(),
        Param::text(&record.code),
        Param::text(record.phase.as_str()),
        Param::text(record.action.as_str()),
        Param::text_or_null(record.outcome.map(curfew_core::Outcome::as_str)),
        Param::text_or_null(record.cause.as_deref()),
        Param::text(&record.actor.issuer),
        Param::text(&record.actor.subject),
        Param::text(&record.actor.name),
        record.request.0.into(),
        Param::Text(record.source_address.map(|ip| ip.to_string().into())),
        Param::Uuid(record.operation.map(|id| id.0)),
        Param::int(record.attempt),
        Param::text_or_null(record.backend.as_deref()),
        Param::text_or_null(record.session.as_deref()),
        Param::json_or_null(record.target.as_ref())?,
        Param::text_or_null(record.reason.as_deref()),
        Param::text_or_null(record.ticket.as_deref()),
        Param::text_or_null(record.sent.map(curfew_core::Sent::as_str)),
        Param::text_or_null(record.ended_by.map(curfew_core::EndedBy::as_str)),
        Param::json_or_null(record.evidence.as_ref())?,
        Param::Int(record.latency_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX))),
        Param::json_or_null(record.params.as_ref())?,
        Param::key(&record.actor.subject),
        Param::key(&record.actor.name),
        Param::key_or_null(user.map(|user| user.name.as_str())),
        Param::key_or_null(user.and_then(curfew_core::SessionUser::account).as_deref()),
        Param::key_or_null(user.and_then(|user| user.upn.as_deref())),
        Param::key_or_null(machine.and_then(|machine| machine.name.as_deref())),
        Param::key_or_null(machine.and_then(|machine| machine.dns_name.as_deref())),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests;
