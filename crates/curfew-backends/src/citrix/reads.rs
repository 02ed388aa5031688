//! The two reads: all sessions, and one.
//!
//! Not here: acting. Invariant: a listing is whole or an error, never silently short; a session is `Gone` only
//! if the vendor said so or a whole listing lacks it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use curfew_core::{
    BackendError, BackendErrorKind as Kind, Evidence, Listing, Part, ReadCtx, Reply as Answered, Session,
    SessionId, Sight, Timestamp,
};
use http::StatusCode;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::answer::{Absence, Reply, nonsense};
use super::client::{Ask, Client};
use super::{map, wire};
use crate::http::PAGE_CAP;

/// Most pages that a listing may have; a million sessions by default.
const MAX_PAGES: usize = 1000;
/// Pauses before a page that failed in passing is asked for again. The first page is not: nothing is lost with
/// it, and the next reading comes soon.
const PAGE_RETRIES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(1000)];
/// RFC 3986 `unreserved` stays as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a whole run through the pages found beside the rows.
struct Run {
    evidence: Evidence,
    /// When the first page was asked for.
    began: Timestamp,
}

impl Client {
    /// Reads all sessions.
    pub(super) async fn list(&self, ctx: &ReadCtx) -> Result<Listing, BackendError> {
        let mut sessions: Vec<Box<Session>> = Vec::new();
        let mut places: HashMap<SessionId, usize> = HashMap::new();
        let mut unreadable = 0_u64;
        let run = self
            .pages(wire::FIELDS, self.settings.page_size, ctx.deadline, |row, at| {
                let found = serde_json::from_str::<wire::Session<'_>>(row.get())
                    .ok()
                    .and_then(|row| map::session(&row, &self.frame, at));
                let Some(session) = found else {
                    unreadable += 1;
                    return;
                };
                // Pages are no snapshot: a row that moved between two of them comes twice. The later word counts.
                match places.get(&session.id) {
                    Some(place) => *sessions[*place] = session,
                    None => {
                        places.insert(session.id.clone(), sessions.len());
                        sessions.push(Box::new(session));
                    }
                }
            })
            .await?;
        if unreadable > 0 {
            let backend = &self.settings.id;
            metrics::counter!("curfew_citrix_rows_unreadable_total", "backend" => backend.to_string())
                .increment(unreadable);
            tracing::warn!(
                backend.id = %backend,
                rows = unreadable,
                "`{backend}` listed {unreadable} sessions without a usable id; they are not shown",
            );
        }
        let part = Part {
            name: self.frame.part.clone(),
            outcome: Ok(run.began),
        };
        Ok(Listing {
            sessions,
            parts: vec![part],
        })
    }

    /// Reads the first session only, to see whether reading works.
    pub(super) async fn peek(&self, deadline: Instant) -> Result<Evidence, BackendError> {
        let reply = self
            .read(Ask::get(
                "list",
                "Sessions?limit=1&fields=Id".to_owned(),
                deadline,
            ))
            .await?;
        let (body, evidence) = page_body(reply)?;
        let page = wire::decode::<wire::Page<'_>>(&body);
        page.map(|_| evidence.clone())
            .map_err(|error| nonsense(error, evidence))
    }

    /// Reads one session.
    pub(super) async fn get(&self, id: &SessionId, ctx: &ReadCtx) -> Result<Answered<Sight>, BackendError> {
        let Some(native) = map::native(&id.native()) else {
            // Not a text that this vendor could have as an id: no session ever had it, so none is asked for.
            return Ok(Answered {
                value: Sight::Gone,
                evidence: Evidence::default(),
            });
        };
        let path = format!("Sessions/{native}?fields={}", wire::FIELDS);
        let reply = self.read(Ask::get("get", path, ctx.deadline)).await?;
        match reply.status {
            StatusCode::OK => self.seen(id, &native, reply),
            StatusCode::NOT_FOUND => match reply.absence() {
                Absence::Proven => Ok(Answered {
                    value: Sight::Gone,
                    evidence: reply.evidence,
                }),
                Absence::Doubtful => self.gone_if_unlisted(&native, reply, ctx.deadline).await,
                Absence::NotTheVendor => Err(reply.read_error()),
            },
            // Some servers say so of what does not exist ("Object does not exist.", terraform-provider-citrix
            // common.go). The text is no proof; a whole listing is.
            StatusCode::INTERNAL_SERVER_ERROR => self.gone_if_unlisted(&native, reply, ctx.deadline).await,
            _ => Err(reply.read_error()),
        }
    }

    fn seen(&self, id: &SessionId, native: &str, reply: Reply) -> Result<Answered<Sight>, BackendError> {
        let (body, evidence) = reply.into_body()?;
        let row: wire::Session<'_> =
            wire::decode(&body).map_err(|error| nonsense(error, evidence.clone()))?;
        let session = map::session(&row, &self.frame, self.clock.now());
        let asked_for = row.id.get().and_then(map::native).as_deref() == Some(native);
        match session {
            Some(session) if asked_for => {
                // One GUID has one generation, so only an id that we never gave out can differ here.
                let value = if session.id == *id {
                    Sight::Here(Box::new(session))
                } else {
                    Sight::Replaced(Box::new(session))
                };
                Ok(Answered { value, evidence })
            }
            _ => {
                let public = "Citrix answered with something else than the session that was asked for";
                Err(BackendError::new(Kind::Protocol, public).with_evidence(evidence))
            }
        }
    }

    async fn gone_if_unlisted(
        &self,
        native: &str,
        doubtful: Reply,
        deadline: Instant,
    ) -> Result<Answered<Sight>, BackendError> {
        let mut listed = false;
        let mut unreadable = false;
        let run = self
            .pages("Id", self.settings.page_size, deadline, |row, _| {
                let row = serde_json::from_str::<wire::Session<'_>>(row.get());
                match row.ok().and_then(|row| map::native(row.id.get()?)) {
                    Some(other) => listed |= other == native,
                    None => unreadable = true,
                }
            })
            .await;
        match run {
            Ok(run) if !listed && !unreadable => {
                let native_code = doubtful.evidence.native_code;
                let evidence = Evidence {
                    native_code,
                    ..run.evidence
                };
                Ok(Answered {
                    value: Sight::Gone,
                    evidence,
                })
            }
            _ => Err(doubtful.read_error()),
        }
    }

    /// Runs through all pages and hands out the rows.
    async fn pages(
        &self,
        fields: &str,
        limit: u32,
        deadline: Instant,
        mut each: impl FnMut(&RawValue, Timestamp),
    ) -> Result<Run, BackendError> {
        let began = self.clock.now();
        let first = format!("Sessions?limit={limit}&fields={fields}");
        let mut used = HashSet::new();
        let mut path = first.clone();
        for number in 0..MAX_PAGES {
            let (body, evidence) = self.page(path, number, deadline).await?;
            let at = self.clock.now();
            let page: wire::Page<'_> =
                wire::decode(&body).map_err(|error| nonsense(error, evidence.clone()))?;
            for row in page.items {
                each(row, at);
            }
            let Some(token) = page.continuation_token.get() else {
                return Ok(Run { evidence, began });
            };
            if !used.insert(token.to_owned()) {
                let public = "Citrix repeats its continuation token: the listing has no end";
                return Err(BackendError::new(Kind::Protocol, public).with_evidence(evidence));
            }
            path = format!("{first}&continuationToken={}", utf8_percent_encode(token, QUERY));
        }
        Err(BackendError::new(
            Kind::Protocol,
            "the listing has too many pages",
        ))
    }

    async fn page(
        &self,
        path: String,
        number: usize,
        deadline: Instant,
    ) -> Result<(Bytes, Evidence), BackendError> {
        let ask = Ask {
            cap: PAGE_CAP,
            ..Ask::get("list", path, deadline)
        };
        let mut pauses = PAGE_RETRIES.iter().filter(|_| number > 0);
        loop {
            let result = self.read(ask.clone()).await.and_then(page_body);
            let passing = match &result {
                Err(error) => match error.evidence.as_ref().and_then(|evidence| evidence.status) {
                    // No answer, or half of one.
                    None | Some(200) => matches!(error.kind, Kind::Unavailable | Kind::TimedOut),
                    // Gateways fail in passing (terraform-provider-citrix #278).
                    Some(status) => (502..=504).contains(&status),
                },
                Ok(_) => false,
            };
            match pauses.next() {
                Some(pause) if passing && Instant::now() + *pause < deadline => {
                    tokio::time::sleep(*pause).await;
                }
                _ => return result,
            }
        }
    }
}

fn page_body(reply: Reply) -> Result<(Bytes, Evidence), BackendError> {
    if reply.status == StatusCode::OK {
        reply.into_body()
    } else {
        Err(reply.read_error())
    }
}
