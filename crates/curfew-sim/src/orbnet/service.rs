//! The state of a running simulator: estate, faults, limits, held answers, the log of acts, counters.
//!
//! Not HTTP. Locks are short and never held across an await. Invariant: an act is in the log as performed exactly
//! if the service ended the session for it, whatever then became of the answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::config::{OrbnetSimConfig, ResetStyle};
use super::estate::{Estate, NewSession, SessionView};
use super::fault::{FaultBook, Operation};
use super::reply::{Problem, Reply};
use crate::board::Board;
use crate::chaos::{Flapper, Switch};
use crate::clock;

/// The window of the limit.
const WINDOW: Duration = Duration::from_secs(60);
/// Requests that a user's token may make in a minute.
const USER_LIMIT: u32 = 300;

/// What a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// May list and disconnect.
    Admin,
    /// May list.
    Reseller,
    /// May do neither.
    User,
}

/// One acting request, in the order in which the service saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// Its number, from 1.
    pub seq: u64,
    /// The argument `onlineSessionId`.
    pub session: String,
    /// When the request was seen.
    pub at: DateTime<Utc>,
    /// Whose token it brought, if it is known.
    pub scope: Option<Scope>,
    /// Whether a session ended for it.
    pub performed: bool,
    /// The status that was answered; none while no answer went out.
    pub answer: Option<u16>,
}

/// What was asked of the simulator so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Requests that arrived, by operation.
    pub requests: BTreeMap<Operation, u64>,
    /// Requests that token or scope turned away.
    pub turned_away: u64,
    /// Requests beyond the limit.
    pub rate_limited: u64,
    /// Faults that fired.
    pub faults_fired: u64,
    /// The most requests that were served at the same time.
    pub at_once: u64,
}

/// The place of an acting request in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line(usize);

#[derive(Debug)]
struct Window {
    since: Instant,
    used: u32,
}

/// What the limit has to say about one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    limit: u32,
    remaining: u32,
    reset: Duration,
    pub(crate) exceeded: bool,
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) config: OrbnetSimConfig,
    pub(crate) url: String,
    pub(crate) estate: RwLock<Estate>,
    pub(crate) faults: Mutex<FaultBook>,
    pub(crate) counters: Mutex<Counters>,
    pub(crate) chaos: Switch,
    pub(crate) flapper: Flapper,
    pub(crate) reconnect: Mutex<Option<Duration>>,
    windows: Mutex<HashMap<Scope, Window>>,
    serving: Mutex<u64>,
    acts: Mutex<Vec<Act>>,
    pub(crate) board: Board,
    pub(crate) tasks: TaskTracker,
}

impl Service {
    pub(crate) fn new(mut config: OrbnetSimConfig, url: String) -> Arc<Self> {
        let epoch = config.epoch.unwrap_or_else(clock::now);
        let mut faults = FaultBook::default();
        for fault in std::mem::take(&mut config.faults) {
            faults.add(fault);
        }
        let estate = Estate::new(
            config.users,
            config.sessions_per_user,
            config.seed,
            epoch,
            config.ids,
        );
        Arc::new(Self {
            estate: RwLock::new(estate),
            faults: Mutex::new(faults),
            counters: Mutex::default(),
            chaos: Switch::default(),
            flapper: Flapper::default(),
            reconnect: Mutex::new(config.reconnect),
            windows: Mutex::default(),
            serving: Mutex::default(),
            acts: Mutex::default(),
            board: Board::default(),
            tasks: TaskTracker::new(),
            config,
            url,
        })
    }

    pub(crate) fn problem(&self, problem: &Problem) -> Reply {
        problem.reply(self.config.errors)
    }

    /// Whose token this is.
    pub(crate) fn scope_of(&self, token: &str) -> Option<Scope> {
        let config = &self.config;
        [
            (&config.token, Scope::Admin),
            (&config.reseller_token, Scope::Reseller),
            (&config.user_token, Scope::User),
        ]
        .into_iter()
        .find(|(known, _)| *known == token)
        .map(|(_, scope)| scope)
    }

    /// Counts a request against its token's limit.
    pub(crate) fn allowance(&self, scope: Scope) -> Option<Allowance> {
        let limit = self.config.requests_per_minute?;
        let limit = if scope == Scope::User {
            limit.min(USER_LIMIT)
        } else {
            limit
        };
        let now = Instant::now();
        let mut windows = self.windows.lock();
        let window = windows.entry(scope).or_insert(Window { since: now, used: 0 });
        if now.duration_since(window.since) >= WINDOW {
            *window = Window { since: now, used: 0 };
        }
        let exceeded = window.used >= limit;
        window.used += u32::from(!exceeded);
        Some(Allowance {
            limit,
            remaining: limit - window.used,
            reset: (window.since + WINDOW).duration_since(now),
            exceeded,
        })
    }

    /// The documented headers about the limit.
    pub(crate) fn with_allowance(&self, reply: Reply, allowance: Allowance) -> Reply {
        let seconds = allowance.reset.as_millis().div_ceil(1000);
        let reset = match self.config.reset {
            ResetStyle::Seconds => seconds.to_string(),
            ResetStyle::Epoch => {
                (u128::try_from(clock::now().timestamp()).unwrap_or_default() + seconds).to_string()
            }
        };
        reply
            .header("X-RateLimit-Limit", allowance.limit.to_string())
            .header("X-RateLimit-Remaining", allowance.remaining.to_string())
            .header("X-RateLimit-Reset", reset)
    }

    /// The answer beyond the limit.
    pub(crate) fn too_many(&self) -> Reply {
        self.counters.lock().rate_limited += 1;
        self.problem(&Problem::too_many())
    }

    /// Counts a request while it is served.
    pub(crate) fn enter(self: &Arc<Self>, operation: Operation) -> Inside {
        let now = {
            let mut serving = self.serving.lock();
            *serving += 1;
            *serving
        };
        let mut counters = self.counters.lock();
        *counters.requests.entry(operation).or_default() += 1;
        counters.at_once = counters.at_once.max(now);
        Inside(Arc::clone(self))
    }

    /// Puts an acting request into the log.
    pub(crate) fn note(&self, session: &str, scope: Option<Scope>) -> Line {
        let line = {
            let mut acts = self.acts.lock();
            let seq = acts.len() as u64 + 1;
            acts.push(Act {
                seq,
                session: session.to_owned(),
                at: clock::now(),
                scope,
                performed: false,
                answer: None,
            });
            Line(acts.len() - 1)
        };
        self.board.count(1, 0);
        line
    }

    pub(crate) fn note_performed(&self, line: Line) {
        self.acts.lock()[line.0].performed = true;
        self.board.count(0, 1);
    }

    pub(crate) fn note_answer(&self, line: Line, status: u16) {
        self.acts.lock()[line.0].answer = Some(status);
    }

    pub(crate) fn acts(&self) -> Vec<Act> {
        self.acts.lock().clone()
    }

    /// Whether the session that a disconnect names is one of those that [`Chaos::Ghost`](crate::Chaos::Ghost) makes
    /// a ghost: the first one, and every tenth from there.
    pub(crate) fn is_ghostly(&self, argument: &str) -> bool {
        let estate = self.estate.read();
        estate
            .named(argument, self.config.kills_by)
            .is_some_and(|session| session.number % 10 == 1)
    }

    pub(crate) fn add_sessions(&self, new: &NewSession) -> Vec<SessionView> {
        let mut estate = self.estate.write();
        (0..new.count)
            .filter_map(|_| estate.add_session(new.user_id, clock::now()))
            .collect()
    }

    /// Ends a session on request. Its client comes back later, if clients do.
    pub(crate) fn disconnect(self: &Arc<Self>, session_id: &str) -> bool {
        let Some(ended) = self.estate.write().end(session_id) else {
            return false;
        };
        if let Some(after) = *self.reconnect.lock() {
            let service = Arc::clone(self);
            self.tasks.spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(after) => {
                        service.estate.write().add_session(ended.user_id, clock::now());
                    }
                    () = service.board.stop.cancelled() => {}
                }
            });
        }
        true
    }
}

/// A request that is being served.
pub(crate) struct Inside(Arc<Service>);

impl Drop for Inside {
    fn drop(&mut self) {
        *self.0.serving.lock() -= 1;
    }
}
