//! Clients that have not shown who they are.
//!
//! Anybody who reaches the port is one, also a user who is logged on to the host. Not here: the handshake itself.
//! Invariant: one address never has more than [`EACH`] handshakes open, so that it cannot use up the turns of others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Handshakes at the same time; who comes then waits in the system's queue.
const ALL: usize = 512;
/// Handshakes at the same time from one address; who comes then is sent away.
const EACH: usize = 8;

/// The handshakes that are open.
#[derive(Debug)]
pub(super) struct Knocking {
    turns: Arc<Semaphore>,
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

impl Default for Knocking {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(ALL)),
            by_address: Mutex::default(),
        }
    }
}

impl Knocking {
    /// A turn for whoever comes next.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.expect("the semaphore is never closed")
    }

    /// Uses the turn for a client, unless its address has its share already.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, turn: OwnedSemaphorePermit) -> Option<Knock> {
        // On a socket for both families an IPv4 client has an IPv6 address (RFC 4291, section 2.5.5.2).
        let address = address.to_canonical();
        let mut by_address = self.by_address.lock();
        let open = by_address.entry(address).or_default();
        if *open >= EACH {
            return None;
        }
        *open += 1;
        Some(Knock {
            knocking: Arc::clone(self),
            address,
            _turn: turn,
        })
    }
}

/// A handshake that is open; dropping it gives its share back.
#[derive(Debug)]
pub(super) struct Knock {
    knocking: Arc<Knocking>,
    address: IpAddr,
    _turn: OwnedSemaphorePermit,
}

impl Drop for Knock {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = self.knocking.by_address.lock().entry(self.address) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_its_share_and_leaves_nothing_behind() {
        let knocking = Arc::new(Knocking::default());
        let one: IpAddr = "10.0.0.1".parse().expect("an address");
        let mut open = Vec::new();
        for _ in 0..EACH {
            open.push(knocking.admit(one, knocking.turn().await).expect("its share"));
        }
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
        for same in [one, mapped] {
            assert!(knocking.admit(same, knocking.turn().await).is_none(), "{same}");
        }
        let other: IpAddr = "10.0.0.2".parse().expect("an address");
        assert!(knocking.admit(other, knocking.turn().await).is_some());
        open.pop();
        assert!(knocking.admit(one, knocking.turn().await).is_some());
        open.clear();
        assert!(knocking.by_address.lock().is_empty());
        assert_eq!(knocking.turns.available_permits(), ALL);
    }
}
