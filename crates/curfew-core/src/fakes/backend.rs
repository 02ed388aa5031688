//! A backend in memory that does what it is asked, and breaks on request.
//!
//! Not a simulator of any vendor: nothing here speaks HTTP. The contract between adapters and vendors is held by
//! `curfew-backends`.
//! Invariant: what happened to the sessions stands in [`FakeBackend::acts`], whatever the caller was told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    BackendError, BackendErrorKind, BackendId, BackendKind, Capabilities, Clock, Evidence, Generation,
    JobRef, Listing, OperationId, Part, PartHealth, PartName, Progress, ReadCtx, Recorded, Reply, Session,
    SessionAction, SessionBackend, SessionClient, SessionId, SessionKind, SessionMachine, SessionProtocol,
    SessionState, SessionUser, Sight, Started, Timestamp, Verb,
};

/// A method of the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    /// [`SessionBackend::list`].
    List,
    /// [`SessionBackend::get`].
    Get,
    /// [`SessionBackend::start`].
    Start,
    /// [`SessionBackend::poll`].
    Poll,
    /// [`SessionBackend::check`].
    Check,
}

/// What goes wrong, or otherwise, in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing does: for calls that pass before what is planned next.
    Pass,
    /// It fails so; nothing is done.
    Fail(BackendErrorKind),
    /// It hangs until [`FakeBackend::release`]. A listing shows what was there when it began to hang, anything else
    /// happens when it is released.
    Hang,
    /// The act is done, and then its answer hangs until [`FakeBackend::release`].
    ActAndHang,
    /// The act is done, and its answer is lost: `OutcomeUnknown`.
    AnswerLost,
    /// The act is not done, and nobody is told: `OutcomeUnknown`.
    RequestLost,
    /// The act is accepted, and nothing happens.
    Ignore,
    /// The act becomes a job.
    Job(Job),
}

/// A job, as the backend will tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// How often it answers that it is running.
    pub running: u32,
    /// What it says then.
    pub end: JobEnd,
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// The act is done.
    Complete,
    /// The job says that it is done, and nothing has happened.
    Hollow,
    /// Nothing has happened.
    Failed,
    /// The act is done, but the job is not known any more.
    LostDone,
    /// Nothing has happened, and the job is not known any more.
    LostUndone,
    /// It never ends.
    Never,
}

/// One request to act that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The operation it belongs to.
    pub operation: OperationId,
    /// Which attempt.
    pub attempt: u32,
    /// What was asked for.
    pub verb: Verb,
    /// To which generation.
    pub session: SessionId,
    /// Whether it took effect.
    pub performed: bool,
}

type Witness = Arc<dyn Fn(&Recorded<SessionAction>) + Send + Sync>;

#[derive(Default)]
struct Inner {
    /// By place (`backend:native`): a later logon takes the place of an earlier one.
    sessions: BTreeMap<String, Session>,
    parts: BTreeSet<PartName>,
    failing: BTreeMap<PartName, BackendErrorKind>,
    calls: HashMap<Call, usize>,
    /// What is planned for the calls to come, in order, each with how often.
    plans: HashMap<Call, Vec<(Trouble, usize)>>,
    acts: Vec<Act>,
    jobs: HashMap<String, (usize, Job)>,
}

/// An in-memory [`SessionBackend`].
pub struct FakeBackend {
    id: BackendId,
    kind: BackendKind,
    capabilities: Capabilities,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    released: watch::Sender<u64>,
    witness: Mutex<Option<Witness>>,
}

/// A backend that can do everything, and has a disconnected state.
pub const ABLE: Capabilities = Capabilities {
    disconnect: true,
    disconnect_ends_session: false,
    logoff: true,
    force: true,
    message: true,
    async_logoff: true,
    idle: true,
    bytes: false,
    hold: false,
};

/// Session `native` of `user`; a different `logon` gives another generation in the same place.
///
/// # Panics
/// If `native` is empty or too long.
pub fn session(backend: &str, native: &str, user: &str, logon: u32) -> Session {
    let backend = BackendId::parse(backend).expect("a backend's name");
    let generation = Generation::of(&[Some(native), Some(&logon.to_string())]);
    Session {
        id: SessionId::new(&backend, native, generation).expect("a session's name"),
        part: PartName::new("site"),
        kind: SessionKind::Desktop,
        session_name: None,
        state: SessionState::Active,
        protocol: SessionProtocol::Hdx,
        user: SessionUser {
            name: user.to_owned(),
            domain: Some("CORP".to_owned()),
            upn: Some(format!("{user}@corp.example")),
            ..SessionUser::default()
        },
        machine: SessionMachine {
            name: Some("TERM04".to_owned()),
            dns_name: Some("term04.corp.example".to_owned()),
            address: None,
        },
        client: SessionClient::default(),
        virtual_addresses: Vec::new(),
        applications: Vec::new(),
        started_at: None,
        state_changed_at: None,
        idle_seconds: None,
        bytes_received: None,
        bytes_sent: None,
        protected: false,
        observed_at: Timestamp::UNIX_EPOCH,
    }
}

impl FakeBackend {
    /// A Citrix backend called `name` that is [`ABLE`] and has no sessions.
    ///
    /// # Panics
    /// If `name` is no backend's name.
    pub fn new(name: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            id: BackendId::parse(name).expect("a backend's name"),
            kind: BackendKind::Citrix,
            capabilities: ABLE,
            clock,
            inner: Mutex::default(),
            released: watch::Sender::new(0),
            witness: Mutex::default(),
        }
    }

    /// The same as another product.
    #[must_use]
    pub fn with_kind(mut self, kind: BackendKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same with other capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Lets a session be there, in place of whatever had its number.
    pub fn put(&self, session: Session) {
        let mut inner = self.inner.lock();
        inner.parts.insert(session.part.clone());
        inner.sessions.insert(session.id.place().to_owned(), session);
    }

    /// Lets a session be gone, as when its user logs off.
    pub fn remove(&self, id: &SessionId) {
        self.inner.lock().sessions.remove(id.place());
    }

    /// Lets a session be in `state`.
    pub fn set_state(&self, id: &SessionId, state: SessionState) {
        if let Some(session) = self.inner.lock().sessions.get_mut(id.place()) {
            session.state = state;
        }
    }

    /// The session that has this place now, whichever generation.
    pub fn at(&self, id: &SessionId) -> Option<Session> {
        self.inner.lock().sessions.get(id.place()).cloned()
    }

    /// Whether exactly this generation is there.
    pub fn holds(&self, id: &SessionId) -> bool {
        self.at(id).is_some_and(|session| session.id == *id)
    }

    /// Lets a part fail in listings and reads from now on.
    pub fn fail_part(&self, part: &str, kind: BackendErrorKind) {
        let mut inner = self.inner.lock();
        inner.parts.insert(PartName::new(part));
        inner.failing.insert(PartName::new(part), kind);
    }

    /// Lets a part answer again.
    pub fn heal_part(&self, part: &str) {
        self.inner.lock().failing.remove(&PartName::new(part));
    }

    /// Plans `trouble` for the next `times` calls of a method, after what is planned already.
    pub fn plan(&self, call: Call, times: usize, trouble: Trouble) {
        let mut inner = self.inner.lock();
        inner.plans.entry(call).or_default().push((trouble, times));
    }

    /// Forgets what is planned.
    pub fn heal(&self) {
        self.inner.lock().plans.clear();
    }

    /// Lets every call that hangs at present go on.
    pub fn release(&self) {
        self.released.send_modify(|n| *n += 1);
    }

    /// How often a method was called.
    pub fn calls(&self, call: Call) -> usize {
        self.inner.lock().calls.get(&call).copied().unwrap_or(0)
    }

    /// The requests to act that arrived, in order.
    pub fn acts(&self) -> Vec<Act> {
        self.inner.lock().acts.clone()
    }

    /// How many requests to act took effect.
    pub fn performed(&self) -> usize {
        self.acts().iter().filter(|act| act.performed).count()
    }

    /// Has `witness` look at every request to act before anything is done with it.
    pub fn witness(&self, witness: impl Fn(&Recorded<SessionAction>) + Send + Sync + 'static) {
        *self.witness.lock() = Some(Arc::new(witness));
    }

    fn called(&self, call: Call) -> Option<Trouble> {
        let mut inner = self.inner.lock();
        *inner.calls.entry(call).or_default() += 1;
        let plans = inner.plans.get_mut(&call)?;
        plans.retain(|(_, times)| *times > 0);
        let (trouble, times) = plans.first_mut()?;
        *times -= 1;
        Some(trouble.clone())
    }

    async fn hang(&self) {
        let mut released = self.released.subscribe();
        released.mark_unchanged();
        // The sender lives as long as the backend.
        let _ = released.changed().await;
    }

    /// What may go wrong in a call that only reads.
    async fn read_trouble(&self, trouble: Option<Trouble>) -> Result<(), BackendError> {
        match trouble {
            Some(Trouble::Fail(kind)) => Err(fails(kind)),
            Some(Trouble::Hang) => {
                self.hang().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn listing(&self) -> Listing {
        let inner = self.inner.lock();
        let now = self.clock.now();
        let sessions = inner.sessions.values();
        let sessions = sessions.filter(|session| !inner.failing.contains_key(&session.part));
        let part = |name: &PartName| Part {
            name: name.clone(),
            outcome: inner.failing.get(name).map_or(Ok(now), |kind| Err(fails(*kind))),
        };
        Listing {
            sessions: sessions.map(|session| Box::new(observed(session, now))).collect(),
            parts: inner.parts.iter().map(part).collect(),
        }
    }

    /// Whether the session is there to be acted on, and what to answer if not.
    fn absent(&self, id: &SessionId) -> Option<Started> {
        match self.at(id) {
            None => Some(Started::AlreadyGone),
            Some(session) if session.id != *id => Some(Started::Replaced),
            Some(_) => None,
        }
    }

    fn note(&self, recorded: &Recorded<SessionAction>) -> usize {
        let mut inner = self.inner.lock();
        inner.acts.push(Act {
            operation: recorded.operation(),
            attempt: recorded.attempt(),
            verb: recorded.get().verb.clone(),
            session: recorded.get().session.clone(),
            performed: false,
        });
        inner.acts.len() - 1
    }

    /// Does what act number `index` asks for, unless its session has gone meanwhile.
    fn perform(&self, index: usize) {
        let mut inner = self.inner.lock();
        let Act { session, verb, .. } = inner.acts[index].clone();
        let place = session.place();
        if inner.sessions.get(place).is_none_or(|held| held.id != session) {
            return;
        }
        inner.acts[index].performed = true;
        match verb {
            Verb::Message { .. } => {}
            Verb::Disconnect if !self.capabilities.disconnect_ends_session => {
                if let Some(held) = inner.sessions.get_mut(place) {
                    held.state = SessionState::Disconnected;
                }
            }
            Verb::Disconnect | Verb::Logoff => {
                inner.sessions.remove(place);
            }
        }
    }

    fn reply<T>(&self, value: T) -> Reply<T> {
        let calls = self.inner.lock().calls.values().sum::<usize>();
        let evidence = Evidence {
            status: Some(200),
            transaction_id: Some(format!("fake-{calls}")),
            ..Evidence::default()
        };
        Reply { value, evidence }
    }
}

fn observed(session: &Session, now: Timestamp) -> Session {
    Session {
        observed_at: now,
        ..session.clone()
    }
}

fn fails(kind: BackendErrorKind) -> BackendError {
    BackendError::new(kind, format!("the fake fails as planned ({kind:?})"))
}

#[async_trait]
impl SessionBackend for FakeBackend {
    fn id(&self) -> &BackendId {
        &self.id
    }

    fn kind(&self) -> BackendKind {
        self.kind
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn list(&self, _ctx: &ReadCtx) -> Result<Listing, BackendError> {
        let trouble = self.called(Call::List);
        let listing = self.listing();
        self.read_trouble(trouble).await?;
        Ok(listing)
    }

    async fn get(&self, id: &SessionId, _ctx: &ReadCtx) -> Result<Reply<Sight>, BackendError> {
        let trouble = self.called(Call::Get);
        self.read_trouble(trouble).await?;
        let held = self.at(id);
        let part = held.as_ref().map(|session| session.part.clone());
        if let Some(kind) = part.and_then(|part| self.inner.lock().failing.get(&part).copied()) {
            return Err(fails(kind));
        }
        let now = self.clock.now();
        Ok(self.reply(match held {
            None => Sight::Gone,
            Some(session) if session.id == *id => Sight::Here(Box::new(observed(&session, now))),
            Some(session) => Sight::Replaced(Box::new(observed(&session, now))),
        }))
    }

    async fn start(&self, action: Recorded<SessionAction>) -> Result<Reply<Started>, BackendError> {
        let trouble = self.called(Call::Start);
        let witness = self.witness.lock().clone();
        if let Some(witness) = witness {
            witness(&action);
        }
        if self.clock.now() > action.get().not_after {
            return Err(fails(BackendErrorKind::Unavailable));
        }
        match &trouble {
            Some(Trouble::Fail(kind)) => return Err(fails(*kind)),
            Some(Trouble::Hang) => self.hang().await,
            _ => {}
        }
        let index = self.note(&action);
        match trouble {
            Some(Trouble::RequestLost) => return Err(fails(BackendErrorKind::OutcomeUnknown)),
            Some(Trouble::Ignore) => return Ok(self.reply(Started::Accepted)),
            _ => {}
        }
        if let Some(answer) = self.absent(&action.get().session) {
            return Ok(self.reply(answer));
        }
        if let Some(Trouble::Job(job)) = trouble {
            let name = format!("job-{index}");
            self.inner.lock().jobs.insert(name.clone(), (index, job));
            return Ok(self.reply(Started::Job(JobRef(name))));
        }
        self.perform(index);
        match trouble {
            Some(Trouble::AnswerLost) => return Err(fails(BackendErrorKind::OutcomeUnknown)),
            Some(Trouble::ActAndHang) => self.hang().await,
            _ => {}
        }
        let said = if action.get().verb.is_message() {
            Started::Done
        } else {
            Started::Accepted
        };
        Ok(self.reply(said))
    }

    async fn poll(&self, job: &JobRef, _ctx: &ReadCtx) -> Result<Reply<Progress>, BackendError> {
        let trouble = self.called(Call::Poll);
        self.read_trouble(trouble).await?;
        let found = {
            let mut inner = self.inner.lock();
            inner.jobs.get_mut(&job.0).map(|(index, job)| {
                let running = job.running > 0 || job.end == JobEnd::Never;
                job.running = job.running.saturating_sub(1);
                (*index, running, job.end)
            })
        };
        let Some((index, running, end)) = found else {
            return Ok(self.reply(Progress::Lost));
        };
        if running {
            return Ok(self.reply(Progress::Running { percent: Some(50) }));
        }
        if matches!(end, JobEnd::Complete | JobEnd::LostDone) {
            self.perform(index);
        }
        Ok(self.reply(match end {
            JobEnd::Complete | JobEnd::Hollow | JobEnd::Never => Progress::Complete,
            JobEnd::Failed => Progress::Failed {
                code: Some("FAKE_FAILURE".to_owned()),
            },
            JobEnd::LostDone | JobEnd::LostUndone => Progress::Lost,
        }))
    }

    async fn check(&self, _ctx: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        let trouble = self.called(Call::Check);
        self.read_trouble(trouble).await?;
        let parts = self.listing().parts.into_iter();
        Ok(parts
            .map(|part| PartHealth {
                name: part.name,
                outcome: part.outcome.map(|_| "answers".to_owned()),
            })
            .collect())
    }
}
