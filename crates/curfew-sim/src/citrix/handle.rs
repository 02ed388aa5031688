//! The handle of a running simulator.
//!
//! Everything here is immediate, but for the two conditions that can be waited for. Invariant: dropping the
//! handle ends the listeners, all connections, all held answers and all jobs.

use std::sync::Arc;

use uuid::Uuid;

use super::config::CitrixSimConfig;
use super::estate::{SessionState, SessionView};
use super::fault::Fault;
use super::site::{Act, Counters, NewSession, Site};
use super::{control, dispatch};
use crate::chaos::Chaos;
use crate::clock;
use crate::serve::{Bound, Serving};

/// A running simulator of a Citrix site.
pub struct CitrixSim {
    site: Arc<Site>,
    control_url: Option<String>,
    /// Held for their `Drop`.
    serving: Vec<Serving>,
}

impl std::fmt::Debug for CitrixSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CitrixSim")
            .field("url", &self.site.url)
            .finish_non_exhaustive()
    }
}

impl CitrixSim {
    /// Binds, fills the estate and serves.
    ///
    /// # Errors
    /// An address that cannot be bound, or a certificate and key that do not make TLS.
    pub async fn start(config: CitrixSimConfig) -> anyhow::Result<Self> {
        let bound = Bound::bind(config.listen, config.tls.as_ref()).await?;
        let control = match config.control {
            Some(address) => Some(Bound::bind(address, None).await?),
            None => None,
        };
        let url = config.public_url.clone().unwrap_or_else(|| bound.url());
        let site = Site::new(config, url.trim_end_matches('/').to_owned());
        let api = Arc::clone(&site);
        let mut serving = vec![bound.serve(move |request| dispatch::answer(Arc::clone(&api), request))];
        let control_url = control.as_ref().map(Bound::url);
        if let Some(control) = control {
            let router = control::router(Arc::clone(&site));
            serving.push(control.serve(move |request| {
                let answer = tower::ServiceExt::oneshot(router.clone(), request);
                async move { Ok(answer.await.unwrap_or_else(|never| match never {})) }
            }));
        }
        Ok(Self {
            site,
            control_url,
            serving,
        })
    }

    /// The base URL of the API, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.site.url
    }

    /// The base URL of the control listener, if there is one.
    pub fn control_url(&self) -> Option<&str> {
        self.control_url.as_deref()
    }

    /// What the simulator was told to be: customer, site, credentials.
    pub fn config(&self) -> &CitrixSimConfig {
        &self.site.config
    }

    /// The customer id that clients must send, in either flavour.
    pub fn customer_id(&self) -> &str {
        self.site.config.customer_id()
    }

    /// Adds a fault and says under which number it stands.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.site.faults.lock().add(fault)
    }

    /// Takes one fault away; false if it is not there.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.site.faults.lock().remove(id)
    }

    /// Takes all faults away. What is held stays held.
    pub fn clear_faults(&self) {
        self.site.faults.lock().clear();
    }

    /// Lets the whole site misbehave, or ends that. Faults come first and stay as they are.
    pub fn chaos(&self, chaos: Option<Chaos>) {
        self.site.chaos.set(chaos);
    }

    /// Lets go of everything that is held and says how many requests that were.
    pub fn release(&self) -> usize {
        self.site.board.release()
    }

    /// Withdraws every token.
    pub fn revoke_tokens(&self) {
        self.site.revoke_tokens();
    }

    /// Every acting request so far, refused ones too, in the order of their arrival.
    pub fn acts(&self) -> Vec<Act> {
        self.site.acts()
    }

    /// What was asked so far.
    pub fn counters(&self) -> Counters {
        self.site.counters.lock().clone()
    }

    /// Waits until so many acting requests are in the log, refused, dropped and held ones included.
    pub async fn wait_for_act(&self, acts: usize) -> Vec<Act> {
        self.site.board.wait_until(|pulse| pulse.acts >= acts).await;
        self.acts()
    }

    /// Waits until so many acts have been performed.
    pub async fn wait_for_performed(&self, acts: usize) -> Vec<Act> {
        self.site.board.wait_until(|pulse| pulse.performed >= acts).await;
        self.acts()
    }

    /// Waits until so many requests are held at once.
    pub async fn wait_for_held(&self, requests: usize) {
        self.site.board.wait_until(|pulse| pulse.held >= requests).await;
    }

    /// A session as the site has it.
    pub fn session(&self, id: Uuid) -> Option<SessionView> {
        self.site.estate.read().get(id).map(SessionView::from)
    }

    /// All sessions in the order of the list.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.site
            .estate
            .read()
            .after(0)
            .map(|(_, session)| session.into())
            .collect()
    }

    /// The ids of all sessions in the order of the list.
    pub fn session_ids(&self) -> Vec<Uuid> {
        self.site.estate.read().ids()
    }

    /// Adds an active session of `DOMAIN\user`, who need not be known.
    pub fn add_session(&self, user: &str) -> Uuid {
        let new = NewSession {
            user: user.to_owned(),
            count: 1,
            state: SessionState::Active,
        };
        self.site.add_sessions(&new).first().copied().unwrap_or_default()
    }

    /// Adds several sessions of one user.
    pub fn add_sessions(&self, new: &NewSession) -> Vec<Uuid> {
        self.site.add_sessions(new)
    }

    /// Ends a session, as if its user had logged off; false if it is not there.
    pub fn remove_session(&self, id: Uuid) -> bool {
        self.site.estate.write().remove(id)
    }

    /// Puts a session into a state, as if its user had reconnected or disconnected; false if it is not there.
    pub fn set_state(&self, id: Uuid, state: SessionState) -> bool {
        self.site.estate.write().set_state(id, state, clock::now())
    }

    /// Ends it all and waits for its tasks.
    pub async fn shutdown(mut self) {
        self.site.board.stop.cancel();
        self.serving.clear();
        self.site.tasks.close();
        self.site.tasks.wait().await;
    }
}

impl Drop for CitrixSim {
    fn drop(&mut self) {
        self.site.board.stop.cancel();
    }
}
