//! The state of a running fleet: hosts, faults, the log of acts, counters.
//!
//! Not the sessions: those are the hosts' platforms'. Locks are short and never held across an await.
//! Invariant: an act is in the log as performed exactly if its host performed it, whatever then became of the answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use curfew_agent_api::{ActRequest, ActResult, ProblemCode};
use curfew_core::Clock;
use parking_lot::Mutex;
use rustls::ServerConfig;
use serde::Serialize;
use tokio_util::task::TaskTracker;

use super::call::Call;
use super::fault::{FaultBook, Operation};
use super::host::Host;
use crate::board::Board;
use crate::chaos::Switch;
use crate::pki::DevPki;

/// One acting request, in the order in which the fleet saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Act {
    /// Its number, from 1.
    pub seq: u64,
    /// The host.
    pub host: String,
    /// What it asked for.
    pub operation: Operation,
    /// The number of the session, if the path had one.
    pub session: Option<u32>,
    /// When the request was seen.
    pub at: DateTime<Utc>,
    /// Its body: operation, attempt, generation, on whose behalf. None if it could not be read.
    pub request: Option<ActRequest>,
    /// Whether the host performed it. Stays false for a refused, dropped, ignored or repeated request.
    pub performed: bool,
    /// How the agent took it, if it did.
    pub result: Option<ActResult>,
    /// Why the agent did not do it; also where the fault, not the agent, said so.
    pub code: Option<ProblemCode>,
    /// The status that was answered; none while no answer went out.
    pub answer: Option<u16>,
}

/// What was asked of the fleet so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// Handshakes and requests that arrived, by operation.
    pub requests: BTreeMap<Operation, u64>,
    /// The same for each host that had any.
    pub hosts: BTreeMap<String, BTreeMap<Operation, u64>>,
    /// Handshakes that named no host of the fleet.
    pub nameless: u64,
    /// Faults that fired.
    pub faults_fired: u64,
}

impl Counters {
    /// How many requests (or handshakes) of an operation arrived at a host.
    pub fn of(&self, host: &str, operation: Operation) -> u64 {
        let host = self.hosts.get(host);
        host.and_then(|counts| counts.get(&operation))
            .copied()
            .unwrap_or_default()
    }
}

/// A running fleet.
pub(crate) struct Fleet {
    pub(crate) hosts: Vec<Arc<Host>>,
    /// By name in lower case.
    places: HashMap<String, usize>,
    pub(crate) pki: DevPki,
    /// What every handshake begins with; each host adds its own certificate.
    pub(crate) tls: ServerConfig,
    pub(crate) faults: Mutex<FaultBook>,
    pub(crate) faults_fired: AtomicU64,
    pub(crate) nameless: AtomicU64,
    pub(crate) chaos: Switch,
    pub(crate) board: Board,
    pub(crate) tasks: TaskTracker,
    pub(crate) clock: Arc<dyn Clock>,
    acts: Mutex<Vec<Act>>,
}

impl Fleet {
    pub(crate) fn new(hosts: Vec<Arc<Host>>, pki: DevPki, tls: ServerConfig, clock: Arc<dyn Clock>) -> Self {
        let places = hosts
            .iter()
            .map(|host| (host.name.to_ascii_lowercase(), host.place));
        Self {
            places: places.collect(),
            hosts,
            pki,
            tls,
            faults: Mutex::default(),
            faults_fired: AtomicU64::default(),
            nameless: AtomicU64::default(),
            chaos: Switch::default(),
            board: Board::default(),
            tasks: TaskTracker::new(),
            clock,
            acts: Mutex::default(),
        }
    }

    /// A host by its name in any case.
    pub(crate) fn host(&self, name: &str) -> Option<&Arc<Host>> {
        let place = self.places.get(&name.to_ascii_lowercase())?;
        self.hosts.get(*place)
    }

    /// Closes every connection to a host; false if there is no such host.
    pub(crate) async fn cut(&self, host: &str) -> bool {
        let Some(host) = self.host(host) else {
            return false;
        };
        host.lines.cut().await;
        true
    }

    pub(crate) fn counters(&self) -> Counters {
        let mut counters = Counters {
            nameless: self.nameless.load(Ordering::Relaxed),
            faults_fired: self.faults_fired.load(Ordering::Relaxed),
            ..Counters::default()
        };
        for host in &self.hosts {
            let counts = host.requests.lock().clone();
            for (operation, count) in &counts {
                *counters.requests.entry(*operation).or_default() += count;
            }
            if !counts.is_empty() {
                counters.hosts.insert(host.name.clone(), counts);
            }
        }
        counters
    }

    /// Puts an acting request into the log, once; of other requests nothing is kept.
    pub(crate) fn note(&self, host: &Host, call: &mut Call) {
        let fresh = self.line(host, call);
        self.board.count(usize::from(fresh), 0);
    }

    /// The host has answered: what it did, in one wake-up with the line.
    pub(crate) fn note_outcome(&self, host: &Host, call: &mut Call, outcome: &Outcome) {
        let fresh = self.line(host, call);
        let performed = outcome.performed && !self.is_repeated(host, call);
        self.amend(call, |act| {
            act.performed = performed;
            act.result = outcome.result;
            act.code = outcome.code;
        });
        self.board.count(usize::from(fresh), usize::from(performed));
    }

    pub(crate) fn note_answer(&self, call: &Call, status: u16, code: Option<ProblemCode>) {
        self.amend(call, |act| {
            act.answer = Some(status);
            act.code = act.code.or(code);
        });
    }

    pub(crate) fn acts(&self) -> Vec<Act> {
        self.acts.lock().clone()
    }

    /// Writes the line of an acting request that has none yet.
    fn line(&self, host: &Host, call: &mut Call) -> bool {
        if !call.operation.acts() || call.line.is_some() {
            return false;
        }
        let mut acts = self.acts.lock();
        let seq = acts.len() as u64 + 1;
        acts.push(Act {
            seq,
            host: host.name.clone(),
            operation: call.operation,
            session: call.session,
            at: self.clock.now(),
            request: call.act.clone(),
            performed: false,
            result: None,
            code: None,
            answer: None,
        });
        call.line = Some(seq);
        true
    }

    /// Whether the host has performed the same attempt of the same operation before: an agent then answers as before.
    fn is_repeated(&self, host: &Host, call: &Call) -> bool {
        let Some(request) = &call.act else {
            return false;
        };
        let same = |earlier: &ActRequest| {
            (&earlier.operation, earlier.attempt) == (&request.operation, request.attempt)
        };
        let acts = self.acts.lock();
        acts.iter()
            .any(|act| act.performed && act.host == host.name && act.request.as_ref().is_some_and(same))
    }

    fn amend(&self, call: &Call, change: impl FnOnce(&mut Act)) {
        let Some(seq) = call.line else { return };
        let index = usize::try_from(seq - 1).unwrap_or(usize::MAX);
        if let Some(act) = self.acts.lock().get_mut(index) {
            change(act);
        }
    }
}

/// What a host made of an act.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) performed: bool,
    pub(crate) result: Option<ActResult>,
    pub(crate) code: Option<ProblemCode>,
}
