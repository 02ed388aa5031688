//! One host: where it is, how it stands, and how far its clock is off.
//!
//! Not here: asking it. How it stands is a pure machine that is told the time.
//! Invariant: a host that failed [`SILENT_AFTER`] times in a row is not asked together with the others until it has
//! answered again.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use curfew_core::{BackendError, PartName, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::config::HostSettings;

/// After how many failures in a row a host is silent.
const SILENT_AFTER: u32 = 2;
/// How long a host is waited for that has never answered.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// Shortest time that a host is waited for.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);
/// How many times as long as it last took a host is waited for.
const PATIENCE_FACTOR: u32 = 4;
/// First and longest pause between two probes of a silent host.
const PROBE_PAUSES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));
/// How long a connection to a host is used: it looks at certificates when it is made and never again.
const CONNECTION_LIFE: Duration = Duration::from_secs(600);
/// A clock that is no further off than this is taken for right: so long an answer may take on its way.
pub(super) const SKEW: TimeDelta = TimeDelta::seconds(2);
/// How long it is believed how far a host's clock is off. A host that is well is read every few seconds.
const OFFSET_LIFE: Duration = Duration::from_secs(120);

/// A host of the configuration.
#[derive(Debug)]
pub(super) struct Host {
    part: PartName,
    /// `https://<name>:<port>/v1`.
    root: String,
    standing: Mutex<Standing>,
    offset: Mutex<Option<Offset>>,
    /// What the host's instants are taken back by.
    shift: Mutex<TimeDelta>,
    /// When its connection is to be ended.
    renewal: Mutex<Instant>,
}

/// How far a host's clock is ahead of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offset {
    /// At least so far: it is what it would be if the host had looked at its clock when its answer was here already.
    pub(super) least: TimeDelta,
    /// Most likely so far.
    pub(super) likely: TimeDelta,
    learnt: Instant,
}

impl Host {
    /// A host, `share` of the way through the fleet: their connections are not all to end at once.
    pub(super) fn new(settings: &HostSettings, share: f64) -> Self {
        Self {
            part: PartName::new(&settings.name),
            root: format!("{}v1", settings.base),
            standing: Mutex::new(Standing::default()),
            offset: Mutex::new(None),
            shift: Mutex::new(TimeDelta::zero()),
            renewal: Mutex::new(Instant::now() + CONNECTION_LIFE.mul_f64(share.clamp(0.1, 1.0))),
        }
    }

    /// Whether the connection has had its time, which is told once.
    pub(super) fn renews(&self) -> bool {
        let now = Instant::now();
        let mut renewal = self.renewal.lock();
        let due = *renewal <= now;
        if due {
            *renewal = now + CONNECTION_LIFE;
        }
        due
    }

    /// Its name as it is configured.
    pub(super) fn name(&self) -> &str {
        &self.part.0
    }

    pub(super) fn part(&self) -> &PartName {
        &self.part
    }

    /// A URL of its agent.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    pub(super) fn standing(&self) -> parking_lot::MutexGuard<'_, Standing> {
        self.standing.lock()
    }

    /// How far its clock is ahead, if that was learnt not long ago.
    pub(super) fn offset(&self) -> Option<Offset> {
        self.offset
            .lock()
            .filter(|offset| offset.learnt.elapsed() < OFFSET_LIFE)
    }

    /// The host's clock showed `now` at some time between sending and receiving. Returns what its instants are to be
    /// taken back by to be ours.
    ///
    /// That is nothing, as long as the clock may be right within [`SKEW`]; and else the same again as long as this
    /// answer bears it within [`SKEW`], so that a row does not change with every reading of it.
    pub(super) fn heard_clock(
        &self,
        now: DateTime<Utc>,
        (sent, received): (Timestamp, Timestamp),
    ) -> TimeDelta {
        let offset = Offset {
            least: now.signed_duration_since(received),
            likely: now.signed_duration_since(sent + (received - sent) / 2),
            learnt: Instant::now(),
        };
        let most = now.signed_duration_since(sent);
        *self.offset.lock() = Some(offset);
        let borne = |shift: TimeDelta| offset.least - SKEW <= shift && shift <= most + SKEW;
        let mut shift = self.shift.lock();
        if borne(TimeDelta::zero()) {
            *shift = TimeDelta::zero();
        } else if !borne(*shift) {
            *shift = offset.likely;
        }
        *shift
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a host stands.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// How long its last answer took.
    latency: Option<Duration>,
    /// Failures since its last answer.
    failures: u32,
    /// The last of them.
    error: Option<BackendError>,
    probe: Option<Probe>,
    probing: bool,
}

/// When a silent host may be probed.
#[derive(Debug, Clone, Copy)]
struct Probe {
    /// If most of the fleet is silent.
    soonest: Instant,
    /// Otherwise.
    at: Instant,
    /// The pause after that.
    pause: Duration,
}

/// How much of a fleet is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outage {
    /// Half of it at most: each host for reasons of its own.
    Some,
    /// More than half of it, as when a network is down: they will come back together.
    Most,
}

/// How a host stood before it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Its last reading was good too.
    Well,
    /// Its last reading had failed.
    Failing,
    /// It was silent.
    Silent,
}

/// What a listing does about a host.
#[derive(Debug)]
pub(super) enum Turn {
    /// It is asked, and waited for so long.
    Ask(Duration),
    /// It is silent: why, and whether it is to be probed now.
    Skip {
        /// Its last failure.
        error: BackendError,
        /// The caller starts a probe.
        probe: bool,
    },
}

/// What a failure changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It was well before.
    Failed,
    /// It is silent from now on.
    Silenced,
    /// It was silent already.
    Still,
}

impl Standing {
    /// What a listing does about it; the longest time that it is waited for is `longest`.
    pub(super) fn turn(&mut self, now: Instant, longest: Duration, outage: Outage) -> Turn {
        match &self.error {
            Some(error) if self.is_silent() => {
                let at = self.probe.map(|probe| match outage {
                    Outage::Some => probe.at,
                    Outage::Most => probe.at.min(probe.soonest),
                });
                let due = !self.probing && at.is_some_and(|at| at <= now);
                self.probing |= due;
                Turn::Skip {
                    error: error.clone(),
                    probe: due,
                }
            }
            _ => Turn::Ask(self.patience(longest)),
        }
    }

    fn patience(&self, longest: Duration) -> Duration {
        let patience = match self.latency {
            Some(latency) => latency.saturating_mul(PATIENCE_FACTOR).max(LEAST_PATIENCE),
            None => FIRST_PATIENCE,
        };
        patience.min(longest)
    }

    /// Whether it is left out of listings.
    pub(super) fn is_silent(&self) -> bool {
        self.failures >= SILENT_AFTER
    }

    /// It answered a reading or a probe, which took so long.
    pub(super) fn answered(&mut self, latency: Duration) -> Before {
        self.latency = Some(latency);
        self.lives()
    }

    /// It answered something else, which says nothing about how long a reading takes.
    pub(super) fn lives(&mut self) -> Before {
        let before = match self.failures {
            0 => Before::Well,
            _ if self.is_silent() => Before::Silent,
            _ => Before::Failing,
        };
        self.failures = 0;
        self.error = None;
        self.probe = None;
        self.probing = false;
        before
    }

    /// A reading of it was waited for so long, and in vain: the next one needs more than that.
    pub(super) fn outlasted(&mut self, waited: Duration) {
        self.latency = Some(self.latency.map_or(waited, |latency| latency.max(waited)));
    }

    /// Another host that was silent answers again. Whatever kept that one silent may have kept this one: it is worth a
    /// probe at once.
    pub(super) fn stir(&mut self, now: Instant) {
        if let Some(probe) = &mut self.probe {
            probe.at = probe.at.min(now);
        }
    }

    /// A reading of it failed.
    pub(super) fn failed(&mut self, error: BackendError, now: Instant) -> Change {
        let silent = self.is_silent();
        self.failures = self.failures.saturating_add(1);
        self.error = Some(error);
        self.probing = false;
        if !self.is_silent() {
            return Change::Failed;
        }
        let (first, longest) = PROBE_PAUSES;
        let pause = self.probe.map_or(first, |probe| probe.pause);
        self.probe = Some(Probe {
            soonest: now + first,
            at: now + pause,
            pause: (pause * 2).min(longest),
        });
        if silent { Change::Still } else { Change::Silenced }
    }
}

#[cfg(test)]
mod tests;
