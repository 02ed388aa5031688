//! The sessions of a fake host and what becomes of them.
//!
//! Not here: locks and clocks. Invariant: no two logons have the same `LogonTime`, so that a number that is given again
//! is always another generation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::TimeDelta;
use curfew_core::Timestamp;

use super::{FakeAct, FakeCall, FakeVerb};
use crate::platform::{PlatformError, WtsSession, WtsState, filetime};

/// The number of the listener `RDP-Tcp`.
pub(super) const LISTENER: u32 = 65_536;
/// `WTS_PROTOCOL_TYPE_RDP`.
const RDP: u16 = 2;

pub(super) struct State {
    rows: BTreeMap<u32, Row>,
    last_logon: i64,
    stations: u32,
    pub(super) logoff_takes: Duration,
    pub(super) acts: Vec<FakeAct>,
    pub(super) calls: HashMap<FakeCall, usize>,
    pub(super) faults: Vec<Fault>,
    pub(super) held: Vec<Hold>,
}

struct Row {
    session: WtsSession,
    ends: Ends,
}

enum Ends {
    /// Nobody has asked it to.
    No,
    At(Timestamp),
    Never,
}

pub(super) struct Fault {
    call: FakeCall,
    pub(super) win32: u32,
    left: usize,
    pub(super) after: bool,
}

/// Calls of a kind that wait, but for so many.
pub(super) struct Hold {
    pub(super) call: FakeCall,
    pub(super) passes: usize,
}

impl Fault {
    pub(super) fn new(call: FakeCall, win32: u32, times: usize) -> Self {
        Self {
            call,
            win32,
            left: times,
            after: false,
        }
    }

    pub(super) fn after_the_act(mut self) -> Self {
        self.after = true;
        self
    }
}

/// What of a fault a call needs.
#[derive(Clone, Copy)]
pub(super) struct Failure {
    pub(super) win32: u32,
    pub(super) after: bool,
}

impl State {
    pub(super) fn bare() -> Self {
        let mut state = Self {
            rows: BTreeMap::new(),
            last_logon: 0,
            stations: 0,
            logoff_takes: Duration::ZERO,
            acts: Vec::new(),
            calls: HashMap::new(),
            faults: Vec::new(),
            held: Vec::new(),
        };
        // Since Vista the services' session is "disconnected" by convention (Microsoft KB307642).
        state.insert(WtsSession {
            station: Some("Services".to_owned()),
            ..WtsSession::new(0, WtsState::Disconnected)
        });
        state.insert(WtsSession {
            station: Some("RDP-Tcp".to_owned()),
            ..WtsSession::new(LISTENER, WtsState::Listen)
        });
        state
    }

    pub(super) fn insert(&mut self, session: WtsSession) {
        self.last_logon = self.last_logon.max(session.logon_time);
        let row = Row {
            session,
            ends: Ends::No,
        };
        self.rows.insert(row.session.number, row);
    }

    pub(super) fn log_on(&mut self, number: Option<u32>, user: &str, now: Timestamp) -> u32 {
        let number = number.unwrap_or_else(|| self.lowest_free());
        let ticks = self.next_logon(now);
        let mut session = of_user(number, user);
        session.logon_time = ticks;
        self.insert(session);
        self.attach(number, now);
        number
    }

    pub(super) fn lowest_free(&self) -> u32 {
        (1..LISTENER)
            .find(|number| !self.rows.contains_key(number))
            .expect("a host has room for one more session")
    }

    fn next_logon(&mut self, now: Timestamp) -> i64 {
        self.last_logon = filetime(now).max(self.last_logon + 1);
        self.last_logon
    }

    pub(super) fn session_mut(&mut self, number: u32) -> Option<&mut WtsSession> {
        self.rows.get_mut(&number).map(|row| &mut row.session)
    }

    pub(super) fn row(&self, number: u32, now: Timestamp) -> Option<WtsSession> {
        self.rows.get(&number).map(|row| as_read(row, now))
    }

    pub(super) fn rows(&self, now: Timestamp) -> Vec<WtsSession> {
        self.rows.values().map(|row| as_read(row, now)).collect()
    }

    pub(super) fn end(&mut self, number: u32) -> bool {
        self.rows.remove(&number).is_some()
    }

    pub(super) fn attach(&mut self, number: u32, now: Timestamp) {
        // No two clients that are connected at a time share a station.
        let station = loop {
            self.stations += 1;
            let station = format!("RDP-Tcp#{}", self.stations);
            let taken = |row: &Row| row.session.station.as_deref() == Some(&station);
            if !self.rows.values().any(taken) {
                break station;
            }
        };
        if let Some(session) = self.session_mut(number) {
            let now = filetime(now);
            session.state = WtsState::Active;
            session.station = Some(station);
            session.protocol = Some(RDP);
            session.connect_time = now;
            session.last_input_time = now;
            session.client_name = Some(format!("PC-{number:04}"));
            session.client_address = Some(format!("10.20.{}.{}", number / 250 % 250, number % 250 + 1));
        }
    }

    pub(super) fn detach(&mut self, number: u32, now: Timestamp) {
        if let Some(session) = self.session_mut(number) {
            session.state = WtsState::Disconnected;
            session.disconnect_time = filetime(now);
            // Without a client there is no station, and the protocol reads as 0.
            session.station = None;
            session.protocol = Some(0);
            session.client_name = None;
            session.client_address = None;
        }
    }

    /// Ends what was to end by now.
    pub(super) fn settle(&mut self, now: Timestamp) {
        self.rows
            .retain(|_, row| !matches!(row.ends, Ends::At(at) if at <= now));
    }

    /// Whether a call is held no longer; takes a pass if there is one.
    pub(super) fn may_go_on(&mut self, call: FakeCall) -> bool {
        match self.held.iter_mut().find(|hold| hold.call == call) {
            None => true,
            Some(hold) if hold.passes > 0 => {
                hold.passes -= 1;
                true
            }
            Some(_) => false,
        }
    }

    pub(super) fn fault(&mut self, call: FakeCall) -> Option<Failure> {
        let at = self.faults.iter().position(|fault| fault.call == call)?;
        let fault = &mut self.faults[at];
        let failure = Failure {
            win32: fault.win32,
            after: fault.after,
        };
        fault.left = fault.left.saturating_sub(1);
        if fault.left == 0 {
            self.faults.remove(at);
        }
        Some(failure)
    }

    pub(super) fn act(&mut self, number: u32, verb: FakeVerb, now: Timestamp) -> Result<(), PlatformError> {
        let Some(row) = self.rows.get(&number) else {
            return Err(PlatformError::from_win32(2));
        };
        // Windows refuses the services' session and listeners so.
        let user = row.session.user.as_deref().unwrap_or_default();
        if number == 0 || number >= LISTENER {
            return Err(PlatformError::from_win32(5));
        }
        self.acts.push(FakeAct {
            number,
            user: format!("{}\\{user}", row.session.domain.as_deref().unwrap_or_default()),
            logon_time: row.session.logon_time,
            verb: verb.clone(),
            at: now,
        });
        match verb {
            FakeVerb::Disconnect => self.detach(number, now),
            FakeVerb::Logoff => self.begin_to_end(number, now),
            FakeVerb::Message(_) => {}
        }
        self.settle(now);
        Ok(())
    }

    fn begin_to_end(&mut self, number: u32, now: Timestamp) {
        let takes = TimeDelta::from_std(self.logoff_takes).ok();
        let at = takes.and_then(|takes| now.checked_add_signed(takes));
        if let Some(row) = self.rows.get_mut(&number)
            && matches!(row.ends, Ends::No)
        {
            row.ends = at.map_or(Ends::Never, Ends::At);
        }
    }
}

fn as_read(row: &Row, now: Timestamp) -> WtsSession {
    WtsSession {
        current_time: filetime(now),
        ..row.session.clone()
    }
}

/// A session of `DOMAIN\name`; of a bare name, in the domain `CORP`.
pub(super) fn of_user(number: u32, user: &str) -> WtsSession {
    let (domain, name) = user.split_once('\\').unwrap_or(("CORP", user));
    WtsSession {
        user: Some(name.to_owned()),
        domain: Some(domain.to_owned()),
        sid: Some(sid(domain, name)),
        upn: Some(format!("{name}@{}.example", domain.to_lowercase())),
        bytes_in: Some(0),
        bytes_out: Some(0),
        ..WtsSession::new(number, WtsState::Active)
    }
}

/// A SID that is the same for the same account, whatever the case of its name.
fn sid(domain: &str, name: &str) -> String {
    let [domain, name] = [domain, name].map(|text| fnv(&text.to_lowercase()));
    let [a, b, c] = [domain, domain.rotate_left(21), domain.rotate_left(42)].map(|part| part & 0xffff_ffff);
    format!("S-1-5-21-{a}-{b}-{c}-{}", 1_100 + name % 900_000)
}

/// FNV-1a.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
