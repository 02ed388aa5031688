//! The reads: all hosts together, silent hosts apart, one session, one host's health.
//!
//! Not here: acting. Invariant: the rows of a listing were asked for by that listing: what a probe, or an answer that
//! came too late, has shown heals a host's standing and is thrown away.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use curfew_agent_api::{self as api, ProblemCode};
use curfew_core::{
    BackendError, BackendErrorKind as Kind, Listing, Part, PartHealth, ReadCtx, Reply as Answered, Session,
    SessionId, Sight, Timestamp,
};
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::answer::{Heard, nonsense};
use super::client::{ANSWER_CAP, Fleet, LIST_CAP};
use super::host::{Change, Host, Turn};
use super::map::{self, Frame};
use crate::http::Purpose;

/// Where a native id leads.
pub(super) enum Place<'a> {
    /// To this number on this host.
    At(&'a Host, u32),
    /// To no session that any user can have.
    Nowhere,
    /// To a host that cannot be asked.
    Unknown(BackendError),
}

/// What one host had to say to a listing.
struct Reading {
    at: usize,
    outcome: Result<(Vec<Session>, Timestamp), BackendError>,
}

impl Fleet {
    /// Reads every host that is not silent.
    pub(super) async fn list(self: &Arc<Self>, ctx: &ReadCtx) -> Result<Listing, BackendError> {
        let mut readings: Vec<Reading> = stream::iter(0..self.hosts.len())
            .map(|at| Box::pin(self.turn(at, ctx.deadline)))
            .buffer_unordered(self.concurrency)
            .collect()
            .await;
        readings.sort_unstable_by_key(|reading| reading.at);
        let silent = self.hosts.iter().filter(|host| host.standing().is_silent());
        metrics::gauge!("curfew_windows_hosts_silent", "backend" => self.id.to_string())
            .set(silent.count() as f64);
        let mut listing = Listing::default();
        for reading in readings {
            let outcome = reading.outcome.map(|(sessions, began)| {
                listing.sessions.extend(sessions.into_iter().map(Box::new));
                began
            });
            listing.parts.push(Part {
                name: self.hosts[reading.at].part().clone(),
                outcome,
            });
        }
        match nothing(listing.parts.iter().map(|part| part.outcome.as_ref().err())) {
            Some(error) => Err(error),
            None => Ok(listing),
        }
    }

    async fn turn(self: &Arc<Self>, at: usize, deadline: Instant) -> Reading {
        let host = &self.hosts[at];
        let now = Instant::now();
        // The guard must not live over an await.
        let turn = host.standing().turn(now, self.host_timeout);
        let outcome = match turn {
            Turn::Skip { error, probe } => {
                if probe {
                    self.probe(at);
                }
                Err(error)
            }
            Turn::Ask(_) if deadline <= now => Err(BackendError::new(
                Kind::TimedOut,
                format!("{host} was not asked: the time of the listing was over"),
            )),
            Turn::Ask(patience) => self.ask(host, now + patience, deadline).await,
        };
        Reading { at, outcome }
    }

    async fn ask(
        &self,
        host: &Host,
        patience: Instant,
        deadline: Instant,
    ) -> Result<(Vec<Session>, Timestamp), BackendError> {
        let began = self.clock.now();
        match self.sessions(host, patience.min(deadline)).await {
            Ok((sessions, latency)) => {
                self.answered(host, latency);
                Ok((sessions, began))
            }
            Err(error) => {
                // A host that was cut off with the listing as a whole may be well.
                if error.kind != Kind::TimedOut || patience <= deadline {
                    self.failed(host, &error);
                }
                Err(error)
            }
        }
    }

    /// Asks a silent host apart from the others, with all the time that a host may take.
    fn probe(self: &Arc<Self>, at: usize) {
        let fleet = Arc::clone(self);
        let stop = self.stop.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            let Ok(_permit) = fleet.probes.acquire().await else {
                return;
            };
            let host = &fleet.hosts[at];
            match fleet.sessions(host, Instant::now() + fleet.host_timeout).await {
                Ok((_, latency)) => fleet.answered(host, latency),
                Err(error) => fleet.failed(host, &error),
            }
        }));
    }

    fn answered(&self, host: &Host, latency: Duration) {
        if host.standing().answered(latency) {
            self.tell_healed(host);
        }
    }

    /// The host has answered something else than a reading.
    pub(super) fn lives(&self, host: &Host) {
        if host.standing().lives() {
            self.tell_healed(host);
        }
    }

    fn tell_healed(&self, host: &Host) {
        tracing::info!(backend.id = %self.id, %host, "Host `{host}` of `{}` answers again", self.id);
    }

    fn failed(&self, host: &Host, error: &BackendError) {
        let change = host.standing().failed(error.clone(), Instant::now());
        let cause = error.source.as_ref().map(tracing::field::display);
        match change {
            Change::Failed => tracing::warn!(
                backend.id = %self.id, %host, kind = ?error.kind, %error, cause,
                "Could not read host `{host}` of `{}`", self.id,
            ),
            Change::Silenced => tracing::warn!(
                backend.id = %self.id, %host, kind = ?error.kind, %error, cause,
                "Could not read host `{host}` of `{}` again; it is asked apart from the others", self.id,
            ),
            Change::Still => tracing::debug!(
                backend.id = %self.id, %host, kind = ?error.kind, %error, cause,
                "Host `{host}` of `{}` is still silent", self.id,
            ),
        }
    }

    /// Every session of a host, and how long the answer took.
    async fn sessions(
        &self,
        host: &Host,
        deadline: Instant,
    ) -> Result<(Vec<Session>, Duration), BackendError> {
        let reply = self.read(host, "list", "/sessions", LIST_CAP, deadline).await?;
        let heard: Heard<api::SessionList> = reply.read(host)?;
        let dns_name = heard.value.host.dns_name;
        let frame = Frame {
            backend: &self.id,
            part: host.part(),
            dns_name: dns_name.as_deref(),
            observed_at: heard.at,
        };
        let mut numbers = HashSet::with_capacity(heard.value.sessions.len());
        let mut sessions = Vec::with_capacity(heard.value.sessions.len());
        for row in heard.value.sessions {
            let number = row.number;
            if !numbers.insert(number) {
                let twice = nonsense(host, "with a list that has a session twice", Purpose::Read);
                return Err(twice.with_evidence(heard.evidence));
            }
            match map::session(row, frame) {
                Ok(session) => sessions.push(session),
                // One such row, and the whole list is not what an agent says.
                Err(error) => return Err(no_session(host, error).with_evidence(heard.evidence)),
            }
        }
        Ok((sessions, heard.latency))
    }

    /// Where a native id leads.
    pub(super) fn place(&self, native: &str) -> Place<'_> {
        let Some((name, number)) = map::parse_native(native) else {
            // A number that Windows gives to no user, or a spelling that was never given out: there is nothing that
            // could be asked for, and nobody to be hit.
            return Place::Nowhere;
        };
        match self.host(name) {
            Some(host) => Place::At(host, number),
            // It may be up, with the session on it: that its name has left the configuration proves nothing.
            None => Place::Unknown(BackendError::new(
                Kind::Unavailable,
                "the host of this session is not one that is configured",
            )),
        }
    }

    /// Reads one session.
    pub(super) async fn get(&self, id: &SessionId, ctx: &ReadCtx) -> Result<Answered<Sight>, BackendError> {
        let native = id.native();
        let (host, number) = match self.place(&native) {
            Place::At(host, number) => (host, number),
            Place::Nowhere => {
                return Ok(Answered {
                    value: Sight::Gone,
                    evidence: curfew_core::Evidence::default(),
                });
            }
            Place::Unknown(error) => return Err(error),
        };
        let deadline = ctx.deadline.min(Instant::now() + self.host_timeout);
        let path = format!("/sessions/{number}");
        let reply = self.read(host, "get", &path, ANSWER_CAP, deadline).await?;
        if reply.code() == Some(ProblemCode::SessionGone) {
            self.lives(host);
            return Ok(Answered {
                value: Sight::Gone,
                evidence: reply.into_evidence(),
            });
        }
        let heard: Heard<api::SessionAnswer> = reply.read(host)?;
        let api::SessionAnswer { host: who, session } = heard.value;
        if session.number != number {
            let other = nonsense(host, "with another session than was asked for", Purpose::Read);
            return Err(other.with_evidence(heard.evidence));
        }
        let frame = Frame {
            backend: &self.id,
            part: host.part(),
            dns_name: who.dns_name.as_deref(),
            observed_at: heard.at,
        };
        let session = map::session(session, frame)
            .map_err(|error| no_session(host, error).with_evidence(heard.evidence.clone()))?;
        self.lives(host);
        let value = if session.id == *id {
            Sight::Here(Box::new(session))
        } else {
            Sight::Replaced(Box::new(session))
        };
        Ok(Answered {
            value,
            evidence: heard.evidence,
        })
    }

    /// How a host is; its clock is known afterwards.
    pub(super) async fn health(
        &self,
        host: &Host,
        deadline: Instant,
    ) -> Result<Heard<api::Health>, BackendError> {
        let reply = self.read(host, "health", "/health", ANSWER_CAP, deadline).await?;
        let heard: Heard<api::Health> = reply.read(host)?;
        if !heard.value.api_versions.contains(&api::API_VERSION) {
            let versions = nonsense(host, "for other versions of the agent's interface", Purpose::Read);
            return Err(versions.with_evidence(heard.evidence));
        }
        Ok(heard)
    }

    /// Asks every host how it is.
    pub(super) async fn check(&self, ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        let ask = async |at: usize| {
            let host = &self.hosts[at];
            let deadline = ctx.deadline.min(Instant::now() + self.host_timeout);
            let outcome = self.health(host, deadline).await;
            let outcome = outcome.map(|heard| super::health::words(&heard.value, host.offset(), heard.at));
            let name = host.part().clone();
            (at, PartHealth { name, outcome })
        };
        let mut parts: Vec<(usize, PartHealth)> = stream::iter(0..self.hosts.len())
            .map(|at| Box::pin(ask(at)))
            .buffer_unordered(self.concurrency)
            .collect()
            .await;
        parts.sort_unstable_by_key(|(at, _)| *at);
        match nothing(parts.iter().map(|(_, part)| part.outcome.as_ref().err())) {
            Some(error) => Err(error),
            None => Ok(parts.into_iter().map(|(_, part)| part).collect()),
        }
    }
}

fn no_session(host: &Host, error: map::RowError) -> BackendError {
    let error = Box::<dyn std::error::Error + Send + Sync>::from(error);
    nonsense(host, "with something that is no session of a user", Purpose::Read).with_source(error)
}

/// The error of a reading of which nothing could be read; `None` if something could.
fn nothing<'a>(errors: impl Iterator<Item = Option<&'a BackendError>>) -> Option<BackendError> {
    let errors: Vec<&BackendError> = errors.collect::<Option<_>>()?;
    let (first, others) = errors.split_first()?;
    if others.is_empty() {
        return Some((*first).clone());
    }
    // The one kind of all, or the one that says least.
    let kind = match first.kind {
        kind if others.iter().all(|error| error.kind == kind) => kind,
        _ => Kind::Unavailable,
    };
    Some(BackendError {
        kind,
        public: format!("none of {} hosts could be read; {}", errors.len(), first.public),
        ..(*first).clone()
    })
}
