//! Chaos: one switch that makes a simulator misbehave as a whole, for training and for trying things by hand.
//!
//! Not scripted faults: those hit chosen requests, come first, and stay as they are whatever the switch says.
//! Invariant: once a chaos has ended nothing of it is left; what it let hang is closed, and was never performed.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// How much later [`Chaos::Slow`] answers.
pub(crate) const SLOW: Duration = Duration::from_secs(2);

/// How a simulator misbehaves as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Chaos {
    /// Every answer is two seconds late; what was asked is done at once.
    Slow,
    /// Requests are neither performed nor answered. Of a fleet every tenth host hangs, the first one among them.
    Hang,
    /// Every other request fails and is not performed: in turn by a 502 in HTML and by a closed connection.
    Flap,
    /// One session in ten (of a fleet: on every host) is listed, but to read it or act on it says that it is not
    /// there.
    Ghost,
}

impl Chaos {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Slow, Self::Hang, Self::Flap, Self::Ghost];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Hang => "hang",
            Self::Flap => "flap",
            Self::Ghost => "ghost",
        }
    }
}

impl fmt::Display for Chaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no chaos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownChaos(String);

impl fmt::Display for UnknownChaos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = Chaos::ALL.map(Chaos::as_str).join(", ");
        write!(f, "`{}` is no chaos; there are: {words}", self.0)
    }
}

impl std::error::Error for UnknownChaos {}

impl FromStr for Chaos {
    type Err = UnknownChaos;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|chaos| chaos.as_str() == word)
            .ok_or_else(|| UnknownChaos(word.to_owned()))
    }
}

/// The body of `POST /chaos` on a control listener: `{"chaos": "slow"}`, or `null` to end it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// Must be there: a body that forgets it must not end the chaos.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) chaos: Option<Chaos>,
}

/// The switch of one simulator.
#[derive(Debug, Default)]
pub(crate) struct Switch(Mutex<Reign>);

/// A chaos, or the lack of one, while it lasts.
#[derive(Debug, Clone, Default)]
struct Reign {
    chaos: Option<Chaos>,
    ended: CancellationToken,
}

/// The chaos that a request meets.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) chaos: Chaos,
    ended: CancellationToken,
}

impl Present {
    /// Waits until this chaos ends.
    pub(crate) async fn end(&self) {
        self.ended.cancelled().await;
    }
}

impl Switch {
    /// Turns the switch; the same again changes nothing.
    pub(crate) fn set(&self, chaos: Option<Chaos>) {
        let mut reign = self.0.lock();
        if reign.chaos != chaos {
            let ended = CancellationToken::new();
            std::mem::replace(&mut *reign, Reign { chaos, ended })
                .ended
                .cancel();
        }
    }

    /// What is set.
    pub(crate) fn get(&self) -> Option<Chaos> {
        self.0.lock().chaos
    }

    /// The chaos that reigns, for a request that has just come in.
    pub(crate) fn present(&self) -> Option<Present> {
        let Reign { chaos, ended } = self.0.lock().clone();
        chaos.map(|chaos| Present { chaos, ended })
    }
}

/// What [`Chaos::Flap`] does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flap {
    Passes,
    BadGateway,
    Closes,
}

/// Counts the requests that meet [`Chaos::Flap`]; one for each server that flaps by itself.
#[derive(Debug, Default)]
pub(crate) struct Flapper(AtomicU64);

impl Flapper {
    /// What befalls the next request: the first one fails.
    pub(crate) fn next(&self) -> Flap {
        match self.0.fetch_add(1, Ordering::Relaxed) % 4 {
            0 => Flap::BadGateway,
            2 => Flap::Closes,
            _ => Flap::Passes,
        }
    }
}

#[cfg(test)]
mod tests;
