//! The state of a running simulator: estate, tokens, jobs, faults, held answers, the log of acts, counters.
//!
//! Not HTTP. Locks are short and never held across an await. Invariant: an act is in the log as performed
//! exactly if the site accepted it, whatever then became of the answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, Offset as _, Utc};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::call::{Call, Verb};
use super::config::CitrixSimConfig;
use super::estate::{Estate, SessionState};
use super::fault::{FaultBook, Operation};
use super::jobs::Job;
use super::populate;
use super::render::{Fields, Look};
use super::reply::{Problem, Reply};
use crate::board::Board;
use crate::chaos::{Flapper, Switch};
use crate::clock;

/// A message to a user, as `$sendMessage` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `Critical`, `Question`, `Exclamation` or `Information`.
    #[serde(rename(deserialize = "Style", serialize = "style"))]
    pub style: String,
    /// The title.
    #[serde(rename(deserialize = "Title", serialize = "title"))]
    pub title: String,
    /// The text.
    #[serde(rename(deserialize = "Text", serialize = "text"))]
    pub text: String,
}

/// One acting request, in the order in which the site saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// Its number, from 1.
    pub seq: u64,
    /// What it asked for.
    pub verb: Verb,
    /// The session, as the path spelled it.
    pub session: String,
    /// When the request was seen.
    pub at: DateTime<Utc>,
    /// Who asked, if that was known.
    pub principal: Option<String>,
    /// The id that the request brought, or was given.
    pub transaction_id: String,
    /// Whether the site accepted it. Stays false for a refused, dropped or ignored request.
    pub performed: bool,
    /// The status that was answered; none while no answer went out.
    pub answer: Option<u16>,
    /// The message, of a `$sendMessage` that was performed.
    pub message: Option<Message>,
}

/// What was asked of the simulator so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Listings begun: answered first pages of `GET /Sessions`.
    pub listings: u64,
    /// Answered pages of `GET /Sessions`, the first ones too.
    pub pages: u64,
    /// Answered reads of one session, "not found" included.
    pub gets: u64,
    /// Tokens handed out.
    pub tokens_issued: u64,
    /// Requests that authentication turned away.
    pub turned_away: u64,
    /// Faults that fired.
    pub faults_fired: u64,
    /// Requests that arrived, by operation.
    pub requests: BTreeMap<Operation, u64>,
}

/// A request to add sessions by hand.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSession {
    /// `DOMAIN\user`.
    pub user: String,
    /// How many; one by default.
    #[serde(default = "one")]
    pub count: usize,
    /// The state; `Active` by default.
    #[serde(default = "active")]
    pub state: SessionState,
}

fn one() -> usize {
    1
}

fn active() -> SessionState {
    SessionState::Active
}

#[derive(Debug)]
struct Token {
    principal: String,
    ends: Instant,
}

/// Why a token does not open the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadToken {
    Invalid,
    Expired,
}

/// A running site.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) config: CitrixSimConfig,
    pub(crate) url: String,
    pub(crate) estate: RwLock<Estate>,
    pub(crate) jobs: Mutex<HashMap<Uuid, Job>>,
    pub(crate) faults: Mutex<FaultBook>,
    pub(crate) chaos: Switch,
    pub(crate) flapper: Flapper,
    pub(crate) counters: Mutex<Counters>,
    tokens: Mutex<HashMap<String, Token>>,
    acts: Mutex<Vec<Act>>,
    pub(crate) board: Board,
    pub(crate) tasks: TaskTracker,
}

impl Site {
    pub(crate) fn new(mut config: CitrixSimConfig, url: String) -> Arc<Self> {
        let epoch = config.epoch.unwrap_or_else(clock::now);
        let mut faults = FaultBook::default();
        for fault in std::mem::take(&mut config.faults) {
            faults.add(fault);
        }
        Arc::new(Self {
            estate: RwLock::new(populate::estate(config.sessions, config.seed, epoch)),
            jobs: Mutex::default(),
            faults: Mutex::new(faults),
            chaos: Switch::default(),
            flapper: Flapper::default(),
            counters: Mutex::default(),
            tokens: Mutex::default(),
            acts: Mutex::default(),
            board: Board::default(),
            tasks: TaskTracker::new(),
            config,
            url,
        })
    }

    pub(crate) fn problem(&self, problem: Problem) -> Reply {
        problem.reply(self.config.error_style())
    }

    pub(crate) fn look(&self, fields: Option<&str>, garbage: bool) -> Look {
        let seconds = self.config.site_offset_minutes.saturating_mul(60);
        Look {
            fields: fields.map_or(Fields::ALL, Fields::parse),
            dates: self.config.dates,
            offset: FixedOffset::east_opt(seconds).unwrap_or_else(|| Utc.fix()),
            garbage,
        }
    }

    pub(crate) fn issue_token(&self, principal: &str) -> String {
        let token = format!(
            "eySim.{}.{}==",
            clock::fresh_id().simple(),
            clock::fresh_id().simple()
        );
        let ends = Instant::now() + self.config.token_lifetime;
        self.tokens.lock().insert(
            token.clone(),
            Token {
                principal: principal.to_owned(),
                ends,
            },
        );
        self.counters.lock().tokens_issued += 1;
        token
    }

    pub(crate) fn principal_of(&self, token: &str) -> Result<String, BadToken> {
        let tokens = self.tokens.lock();
        let found = tokens.get(token).ok_or(BadToken::Invalid)?;
        if found.ends <= Instant::now() {
            return Err(BadToken::Expired);
        }
        Ok(found.principal.clone())
    }

    pub(crate) fn revoke_tokens(&self) {
        self.tokens.lock().clear();
    }

    /// Puts an acting request into the log, once; of other requests nothing is kept.
    pub(crate) fn note(&self, call: &mut Call) {
        let fresh = self.line(call);
        self.board.count(usize::from(fresh), 0);
    }

    /// The act was accepted. One wake-up for line and mark, so that a waiter finds it performed.
    pub(crate) fn note_performed(&self, call: &mut Call, message: Option<Message>) {
        let fresh = self.line(call);
        self.amend(call, |act| {
            act.performed = true;
            act.message = message;
        });
        self.board.count(usize::from(fresh), 1);
    }

    /// Writes the line of an acting request that has none yet.
    fn line(&self, call: &mut Call) -> bool {
        let Some((verb, session)) = call.verb().filter(|_| call.act.is_none()) else {
            return false;
        };
        let mut acts = self.acts.lock();
        let seq = acts.len() as u64 + 1;
        acts.push(Act {
            seq,
            verb,
            session: session.to_owned(),
            at: clock::now(),
            principal: call.principal.clone(),
            transaction_id: call.transaction.clone(),
            performed: false,
            answer: None,
            message: None,
        });
        call.act = Some(seq);
        true
    }

    pub(crate) fn note_answer(&self, call: &Call, status: u16) {
        self.amend(call, |act| act.answer = Some(status));
    }

    fn amend(&self, call: &Call, change: impl FnOnce(&mut Act)) {
        let Some(seq) = call.act else { return };
        let index = usize::try_from(seq - 1).unwrap_or(usize::MAX);
        if let Some(act) = self.acts.lock().get_mut(index) {
            change(act);
        }
    }

    pub(crate) fn acts(&self) -> Vec<Act> {
        self.acts.lock().clone()
    }

    /// Whether the session is one of those that [`Chaos::Ghost`](crate::Chaos::Ghost) makes a ghost: the first one, and
    /// every tenth from there.
    pub(crate) fn is_ghostly(&self, id: Uuid) -> bool {
        self.estate
            .read()
            .get(id)
            .is_some_and(|session| session.uid % 10 == 1)
    }

    /// Runs something later, unless the simulator stops before.
    pub(crate) fn later(self: &Arc<Self>, delay: Duration, work: impl FnOnce(&Self) + Send + 'static) {
        let site = Arc::clone(self);
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(delay) => work(&site),
                () = site.board.stop.cancelled() => {}
            }
        });
    }

    pub(crate) fn add_sessions(&self, new: &NewSession) -> Vec<Uuid> {
        let mut estate = self.estate.write();
        (0..new.count)
            .map(|_| {
                let session = populate::further(&mut estate, &new.user, new.state);
                estate.insert(session)
            })
            .collect()
    }
}
