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
    pub(super) fn new(settings: &HostSettings) -> Self {
        Self {
            part: PartName::new(&settings.name),
            root: format!("{}v1", settings.base),
            standing: Mutex::new(Standing::default()),
            offset: Mutex::new(None),
        }
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

    /// The host's clock showed `now` at some time between sending and receiving.
    pub(super) fn heard_clock(&self, now: DateTime<Utc>, (sent, received): (Timestamp, Timestamp)) {
        *self.offset.lock() = Some(Offset {
            least: now.signed_duration_since(received),
            likely: now.signed_duration_since(sent + (received - sent) / 2),
            learnt: Instant::now(),
        });
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
    /// When it may be probed, and the pause after that.
    probe: Option<(Instant, Duration)>,
    probing: bool,
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
    pub(super) fn turn(&mut self, now: Instant, longest: Duration) -> Turn {
        match &self.error {
            Some(error) if self.is_silent() => {
                let due = !self.probing && self.probe.is_some_and(|(at, _)| at <= now);
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

    /// It answered a reading or a probe, which took so long. Returns whether it had failed before.
    pub(super) fn answered(&mut self, latency: Duration) -> bool {
        self.latency = Some(latency);
        self.lives()
    }

    /// It answered something else. Returns whether it had failed before.
    pub(super) fn lives(&mut self) -> bool {
        let failed = self.failures > 0;
        self.failures = 0;
        self.error = None;
        self.probe = None;
        self.probing = false;
        failed
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
        let pause = self.probe.map_or(first, |(_, pause)| pause);
        self.probe = Some((now + pause, (pause * 2).min(longest)));
        if silent { Change::Still } else { Change::Silenced }
    }
}

#[cfg(test)]
mod tests;
