//! What tests wait for: how many acts there were, how many were performed, and how many requests are held right now.
//!
//! Not the log of acts itself. Invariant: a waiter wakes when its condition holds, or when the simulator stops.

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

/// What waiters look at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pulse {
    pub(crate) acts: usize,
    pub(crate) performed: usize,
    pub(crate) held: usize,
}

/// The pulse of a simulator, and the requests that it holds.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pulse: watch::Sender<Pulse>,
    held: Mutex<Vec<oneshot::Sender<()>>>,
    /// Cancelled when the simulator stops.
    pub(crate) stop: CancellationToken,
}

impl Board {
    /// So many more acts, and so many more performed ones, in one wake-up.
    pub(crate) fn count(&self, acts: usize, performed: usize) {
        self.pulse.send_if_modified(|pulse| {
            pulse.acts += acts;
            pulse.performed += performed;
            acts + performed > 0
        });
    }

    /// Waits for a condition on the pulse; ends early only when the simulator stops.
    pub(crate) async fn wait_until(&self, condition: impl FnMut(&Pulse) -> bool) {
        let mut pulse = self.pulse.subscribe();
        tokio::select! {
            _ = pulse.wait_for(condition) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Waits until released.
    pub(crate) async fn hold(&self) {
        let (release, released) = oneshot::channel();
        {
            // The count moves under the lock of what it counts.
            let mut held = self.held.lock();
            held.push(release);
            self.pulse.send_modify(|pulse| pulse.held = held.len());
        }
        // An error means that the simulator is at its end, which lets go as well.
        let _ = released.await;
    }

    /// Releases everything that is held and says how many that were.
    pub(crate) fn release(&self) -> usize {
        let released = {
            let mut held = self.held.lock();
            self.pulse.send_modify(|pulse| pulse.held = 0);
            std::mem::take(&mut *held)
        };
        let count = released.len();
        for release in released {
            // The request behind it may be gone with the simulator.
            let _ = release.send(());
        }
        count
    }
}
