//! The reads: all hosts together, silent hosts apart, one session, one host's health.
//!
//! Not here: acting. Invariant: the rows of a listing were asked for by that listing: what a probe, or an answer that
//! came too late, has shown heals a host's standing and is thrown away.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use curfew_agent_api::{self as api, ProblemCode};
use curfew_core::{
    BackendError, BackendErrorKind as Kind, Listing, Part, PartHealth, ReadCtx, Reply as Answered, Session,
    SessionId, Sight, Timestamp,
};
use futures::stream::{self, StreamExt as _};
use tokio::time::Instant;

use super::answer::{Heard, nonsense};
use super::client::{After, Fleet, LIST_CAP, Read};
use super::host::{Before, Change, Host, Outage, Turn};
use super::map::{self, Frame};
use crate::http::Purpose;

/// The most that is kept of a listing's time to come back with what there is.
const SLACK: Duration = Duration::from_secs(1);
/// The share of the time that is kept, if that is less.
const SHARE: u32 = 10;
/// How long a probe counts among those that go on at the same time: as long as connecting may take.
const PERMIT_LIFE: Duration = Duration::from_secs(2);

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
    /// The time of the listing was over before the host had had its own.
    cut: bool,
}

impl Fleet {
    /// Reads every host that is not silent.
    pub(super) async fn list(self: &Arc<Self>, ctx: &ReadCtx) -> Result<Listing, BackendError> {
        self.remind();
        let hosts = self.hosts.len();
        let slack = (ctx.left() / SHARE).min(SLACK);
        let deadline = ctx.deadline.checked_sub(slack).unwrap_or(ctx.deadline);
        let outage = if self.silent() * 2 > hosts {
            Outage::Most
        } else {
            Outage::Some
        };
        let first = self.first.load(Ordering::Relaxed) % hosts;
        let mut readings: Vec<Reading> = stream::iter((0..hosts).map(|step| (first + step) % hosts))
            .map(|at| Box::pin(self.turn(at, outage, deadline)))
            .buffer_unordered(self.concurrency)
            .collect()
            .await;
        // Who came off badly comes first the next time.
        let unread = readings.iter().filter(|reading| reading.cut);
        let step = unread.map(|reading| (reading.at + hosts - first) % hosts).min();
        self.first
            .store((first + step.unwrap_or(0)) % hosts, Ordering::Relaxed);
        readings.sort_unstable_by_key(|reading| reading.at);
        metrics::gauge!("curfew_windows_hosts_silent", "backend" => self.id.to_string())
            .set(self.silent() as f64);
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

    fn silent(&self) -> usize {
        let silent = self.hosts.iter().filter(|host| host.standing().is_silent());
        silent.count()
    }

    async fn turn(self: &Arc<Self>, at: usize, outage: Outage, deadline: Instant) -> Reading {
        let host = &self.hosts[at];
        let now = Instant::now();
        // The guard must not live over an await.
        let turn = host.standing().turn(now, self.host_timeout, outage);
        let (outcome, cut) = match turn {
            Turn::Skip { error, probe } => {
                if probe {
                    self.probe(at);
                }
                (Err(error), false)
            }
            Turn::Ask(_) if deadline <= now => {
                let public = format!("{host} was not asked: the time of the listing was over");
                (Err(BackendError::new(Kind::TimedOut, public)), true)
            }
            Turn::Ask(patience) => {
                let began = self.clock.now();
                match self.sessions(host, (now + patience).min(deadline)).await {
                    Ok((sessions, latency)) => {
                        self.answered(host, latency);
                        (Ok((sessions, began)), false)
                    }
                    // A host that was cut off with the listing as a whole may be well.
                    Err(error) if error.kind == Kind::TimedOut && now + patience > deadline => {
                        (Err(error), true)
                    }
                    Err(error) => {
                        self.failed(host, &error, now.elapsed());
                        (Err(error), false)
                    }
                }
            }
        };
        Reading { at, outcome, cut }
    }

    /// Asks a silent host apart from the others, with all the time that a host may take.
    fn probe(self: &Arc<Self>, at: usize) {
        let fleet = Arc::clone(self);
        let stop = self.stop.clone();
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            let Ok(permit) = fleet.probes.acquire().await else {
                return;
            };
            let host = &fleet.hosts[at];
            let began = Instant::now();
            let sessions = fleet.sessions(host, began + fleet.host_timeout);
            tokio::pin!(sessions);
            // One that hangs must not keep the others, which may be well, from being probed.
            let soon = tokio::time::timeout(PERMIT_LIFE, &mut sessions).await;
            drop(permit);
            let outcome = match soon {
                Ok(outcome) => outcome,
                Err(_) => sessions.await,
            };
            match outcome {
                Ok((_, latency)) => fleet.answered(host, latency),
                Err(error) => fleet.failed(host, &error, began.elapsed()),
            }
        }));
    }

    fn answered(&self, host: &Host, latency: Duration) {
        let before = host.standing().answered(latency);
        self.tell_healed(host, before);
    }

    /// The host has answered something else than a reading.
    pub(super) fn lives(&self, host: &Host) {
        let before = host.standing().lives();
        self.tell_healed(host, before);
    }

    fn tell_healed(&self, host: &Host, before: Before) {
        if before == Before::Well {
            return;
        }
        tracing::info!(backend.id = %self.id, %host, "Host `{host}` of `{}` answers again", self.id);
        if before == Before::Silent {
            let now = Instant::now();
            for other in &self.hosts {
                other.standing().stir(now);
            }
        }
    }

    fn failed(&self, host: &Host, error: &BackendError, waited: Duration) {
        let change = {
            let mut standing = host.standing();
            if error.kind == Kind::TimedOut {
                standing.outlasted(waited);
            }
            standing.failed(error.clone(), Instant::now())
        };
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
        let read = Read {
            operation: "list",
            path: "/sessions",
            cap: LIST_CAP,
            after: if host.renews() { After::Close } else { After::Keep },
        };
        let heard: Heard<api::SessionList> = self.read(host, read, deadline).await?.read(host)?;
        let frame = Frame {
            backend: &self.id,
            part: host.part(),
            dns_name: self.dns_name(host, &heard.value.host),
            ahead: heard.ahead,
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

    /// What the host calls itself in the name service.
    fn dns_name<'a>(&self, host: &Host, said: &'a api::Host) -> Option<&'a str> {
        let said = said.dns_name.as_deref()?;
        let own = map::own_dns_name(host.name(), said);
        if own.is_none() {
            tracing::debug!(backend.id = %self.id, %host, "Host `{host}` of `{}` gives the name of another host", self.id);
        }
        own
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
        let reply = self.read(host, Read::of("get", &path), deadline).await?;
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
            dns_name: self.dns_name(host, &who),
            ahead: heard.ahead,
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
        let reply = self.read(host, Read::of("health", "/health"), deadline).await?;
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
