//! One host of the fleet: its agent, what it shows in handshakes, and its counts.
//!
//! Invariant: its certificate is made once, when it is first needed: a fleet of thousands starts at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use curfew_agent::platform::FakePlatform;
use curfew_agent_api::SessionState;
use curfew_agent_api::tls::{Identity, certified_key};
use parking_lot::Mutex;
use rustls::sign::CertifiedKey;

use super::cut::Lines;
use super::fault::Operation;
use super::view::{NewSession, SessionView, windows_state};
use crate::chaos::Flapper;
use crate::serve::TlsPem;

/// One host.
pub(crate) struct Host {
    pub(crate) name: String,
    /// Its place in the fleet, from 0.
    pub(crate) place: usize,
    pub(crate) platform: Arc<FakePlatform>,
    pub(crate) agent: Router,
    pub(crate) flapper: Flapper,
    /// Handshakes and requests that arrived.
    pub(crate) requests: Mutex<BTreeMap<Operation, u64>>,
    certificate: Mutex<Option<Arc<CertifiedKey>>>,
    pub(crate) lines: Lines,
}

impl Host {
    pub(crate) fn new(name: String, place: usize, platform: Arc<FakePlatform>, agent: Router) -> Self {
        Self {
            name,
            place,
            platform,
            agent,
            flapper: Flapper::default(),
            requests: Mutex::default(),
            certificate: Mutex::default(),
            lines: Lines::default(),
        }
    }

    /// What the host shows in handshakes.
    pub(crate) fn certificate(
        &self,
        issue: impl FnOnce(&str) -> anyhow::Result<TlsPem>,
    ) -> anyhow::Result<Arc<CertifiedKey>> {
        let mut certificate = self.certificate.lock();
        if let Some(made) = &*certificate {
            return Ok(Arc::clone(made));
        }
        let made = certified(&issue(&self.name)?)?;
        Ok(Arc::clone(certificate.insert(made)))
    }

    /// The users' sessions, in the order of their numbers.
    pub(crate) fn sessions(&self) -> Vec<SessionView> {
        self.platform
            .sessions()
            .iter()
            .filter_map(SessionView::of)
            .collect()
    }

    pub(crate) fn session(&self, number: u32) -> Option<SessionView> {
        self.platform.session(number).as_ref().and_then(SessionView::of)
    }

    pub(crate) fn add(&self, new: &NewSession) -> Vec<u32> {
        let add = |_| {
            let number = self.platform.log_on(&new.user);
            self.set_state(number, new.state);
            number
        };
        (0..new.count).map(add).collect()
    }

    /// Somebody else gets the number; `None` if no user's session has it.
    pub(crate) fn replace(&self, number: u32, user: &str) -> Option<SessionView> {
        self.session(number)?;
        self.platform.replace(number, user);
        self.session(number)
    }

    /// Puts a user's session into a state; false if it is not there.
    pub(crate) fn set_state(&self, number: u32, state: SessionState) -> bool {
        let Some(session) = self.session(number) else {
            return false;
        };
        match state {
            same if same == session.state => {}
            SessionState::Active => self.platform.come_back(number),
            SessionState::Disconnected => self.platform.leave(number),
            other => self
                .platform
                .change(number, |row| row.state = windows_state(other)),
        }
        true
    }

    pub(crate) fn count(&self, operation: Operation) {
        *self.requests.lock().entry(operation).or_default() += 1;
    }
}

pub(crate) fn certified(pem: &TlsPem) -> anyhow::Result<Arc<CertifiedKey>> {
    Identity::from_pem(&pem.cert, &pem.key)
        .and_then(certified_key)
        .context("reading a certificate that was just made")
}
