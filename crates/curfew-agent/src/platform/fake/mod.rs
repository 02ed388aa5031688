//! A stateful stand-in for a Windows host: for tests, for simulators, and for `--platform fake`.
//!
//! No mock: it expects nothing. It keeps sessions, changes them when it is asked to, and remembers every act it
//! performed. Not simulated: processes, permissions by account, time that a call takes (but see [`FakePlatform::hold`]).
//! Invariant: what it answers comes from its sessions and from the failures it was told to have, nothing else.

mod populate;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use curfew_agent_api::Message;
use curfew_core::{Clock, Timestamp};
use parking_lot::{Condvar, Mutex};

use self::state::{Fault, Hold, State};
use super::{Platform, PlatformError, PlatformErrorKind, WtsSession};

/// A call of [`Platform`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FakeCall {
    /// [`Platform::list`].
    List,
    /// [`Platform::get`].
    Get,
    /// [`Platform::disconnect`].
    Disconnect,
    /// [`Platform::logoff`].
    Logoff,
    /// [`Platform::message`].
    Message,
}

/// What was done to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FakeVerb {
    /// Its client was taken away.
    Disconnect,
    /// Its end was begun.
    Logoff,
    /// This was shown.
    Message(Message),
}

/// An act that was performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeAct {
    /// The session's number.
    pub number: u32,
    /// Who was logged on there, as `DOMAIN\name`.
    pub user: String,
    /// The session's `LogonTime`, in `FILETIME` ticks.
    pub logon_time: i64,
    /// What was done.
    pub verb: FakeVerb,
    /// When.
    pub at: Timestamp,
}

/// A host that is not there. Every method may be called from many threads at once.
pub struct FakePlatform {
    host: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    released: Condvar,
}

impl fmt::Debug for FakePlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakePlatform")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Sessions.
impl FakePlatform {
    /// A host on which nobody is logged on: `Services` and the RDP listener. Log-offs are done at once.
    pub fn new(host: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            host: host.to_owned(),
            state: Mutex::new(State::bare()),
            released: Condvar::new(),
            clock,
        }
    }

    /// A host with `users` sessions of users, as many real ones look: most active, some disconnected, one of them on
    /// the console, and beside them the rows that are nobody's. The same seed gives the same host.
    pub fn populate(host: &str, users: usize, seed: u64, clock: Arc<dyn Clock>) -> Self {
        let fake = Self::new(host, clock);
        populate::fill(&mut fake.state.lock(), host, users, seed, fake.clock.now());
        fake
    }

    /// The host's name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Somebody (`DOMAIN\name`) logs on by RDP; gives the number, the lowest free one as on Windows.
    pub fn log_on(&self, user: &str) -> u32 {
        let now = self.clock.now();
        self.with_state(|state| state.log_on(None, user, now))
    }

    /// The session of `number` ends, if there is one, and somebody else gets the number.
    pub fn replace(&self, number: u32, user: &str) {
        let now = self.clock.now();
        self.with_state(|state| state.log_on(Some(number), user, now));
    }

    /// Puts a row there as it is, in place of one that has its number.
    pub fn insert(&self, session: WtsSession) {
        self.with_state(|state| state.insert(session));
    }

    /// Changes a row, if it is there.
    pub fn change(&self, number: u32, change: impl FnOnce(&mut WtsSession)) {
        self.with_state(|state| {
            if let Some(session) = state.session_mut(number) {
                change(session);
            }
        });
    }

    /// The session ends by itself; whether it was there.
    pub fn end(&self, number: u32) -> bool {
        self.with_state(|state| state.end(number))
    }

    /// The user goes, the session stays.
    pub fn leave(&self, number: u32) {
        let now = self.clock.now();
        self.with_state(|state| state.detach(number, now));
    }

    /// The user comes back to a session that was disconnected.
    pub fn come_back(&self, number: u32) {
        let now = self.clock.now();
        self.with_state(|state| state.attach(number, now));
    }

    /// The row of `number` as it is now; no call, and no failure.
    pub fn session(&self, number: u32) -> Option<WtsSession> {
        let now = self.clock.now();
        self.with_state(|state| state.row(number, now))
    }

    /// Every row as it is now; no call, and no failure.
    pub fn sessions(&self) -> Vec<WtsSession> {
        let now = self.clock.now();
        self.with_state(|state| state.rows(now))
    }

    /// How long log-offs take from now on; longer than any calendar means that they never end.
    pub fn set_logoff_takes(&self, takes: Duration) {
        self.with_state(|state| state.logoff_takes = takes);
    }
}

/// Failures, and what was asked.
impl FakePlatform {
    /// From now on a call fails with a Windows error number and does nothing, until [`FakePlatform::heal`].
    pub fn fail(&self, call: FakeCall, win32: u32) {
        self.fail_times(call, win32, usize::MAX);
    }

    /// The next `times` calls fail with a Windows error number and do nothing.
    pub fn fail_times(&self, call: FakeCall, win32: u32, times: usize) {
        self.with_state(|state| state.faults.push(Fault::new(call, win32, times)));
    }

    /// The next `times` calls do what they are asked and fail all the same.
    pub fn act_then_fail(&self, call: FakeCall, win32: u32, times: usize) {
        self.with_state(|state| state.faults.push(Fault::new(call, win32, times).after_the_act()));
    }

    /// No call fails any more.
    pub fn heal(&self) {
        self.with_state(|state| state.faults.clear());
    }

    /// Calls of this kind do not go on while the guard lives; they are counted already.
    pub fn hold(self: &Arc<Self>, call: FakeCall) -> Held {
        self.with_state(|state| state.held.push(Hold { call, passes: 0 }));
        Held {
            platform: Arc::clone(self),
            call,
        }
    }

    /// How often a call was made, whatever came of it.
    pub fn calls(&self, call: FakeCall) -> usize {
        self.with_state(|state| state.calls.get(&call).copied().unwrap_or(0))
    }

    /// Every act that was performed, the oldest first.
    pub fn acts(&self) -> Vec<FakeAct> {
        self.with_state(|state| state.acts.clone())
    }

    /// Counts the call, waits while it is held, fails if it is to fail before anything is done; gives the failure for
    /// afterwards.
    fn enter(&self, call: FakeCall) -> Result<Option<PlatformError>, PlatformError> {
        let mut state = self.state.lock();
        *state.calls.entry(call).or_default() += 1;
        while !state.may_go_on(call) {
            self.released.wait(&mut state);
        }
        match state.fault(call) {
            Some(fault) if !fault.after => Err(PlatformError::from_win32(fault.win32)),
            fault => Ok(fault.map(|it| PlatformError::from_win32(it.win32))),
        }
    }

    fn act(&self, call: FakeCall, number: u32, verb: FakeVerb) -> Result<(), PlatformError> {
        let afterwards = self.enter(call)?;
        let now = self.clock.now();
        self.with_state(|state| state.act(number, verb, now))?;
        afterwards.map_or(Ok(()), Err)
    }

    fn with_state<T>(&self, body: impl FnOnce(&mut State) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.settle(now);
        body(&mut state)
    }
}

impl Platform for FakePlatform {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn list(&self) -> Result<Vec<WtsSession>, PlatformError> {
        let afterwards = self.enter(FakeCall::List)?;
        afterwards.map_or_else(|| Ok(self.sessions()), Err)
    }

    fn get(&self, number: u32) -> Result<Option<WtsSession>, PlatformError> {
        match self.enter(FakeCall::Get) {
            Ok(None) => Ok(self.session(number)),
            Ok(Some(error)) | Err(error) if error.kind == PlatformErrorKind::NotFound => Ok(None),
            Ok(Some(error)) | Err(error) => Err(error),
        }
    }

    fn disconnect(&self, number: u32) -> Result<(), PlatformError> {
        self.act(FakeCall::Disconnect, number, FakeVerb::Disconnect)
    }

    fn logoff(&self, number: u32) -> Result<(), PlatformError> {
        self.act(FakeCall::Logoff, number, FakeVerb::Logoff)
    }

    fn message(&self, number: u32, message: &Message) -> Result<(), PlatformError> {
        self.act(FakeCall::Message, number, FakeVerb::Message(message.clone()))
    }
}

/// Holds calls of one kind back; dropping it lets them go on.
#[derive(Debug)]
pub struct Held {
    platform: Arc<FakePlatform>,
    call: FakeCall,
}

impl Held {
    /// Lets one call go on, one that waits or the next one.
    pub fn let_one_pass(&self) {
        let mut state = self.platform.state.lock();
        if let Some(hold) = state.held.iter_mut().find(|hold| hold.call == self.call) {
            hold.passes += 1;
        }
        self.platform.released.notify_all();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.platform.state.lock();
        if let Some(at) = state.held.iter().position(|hold| hold.call == self.call) {
            state.held.swap_remove(at);
        }
        self.platform.released.notify_all();
    }
}
