//! The handle of a running simulator.
//!
//! Everything here is immediate, but for the conditions that can be waited for. Invariant: dropping the handle
//! ends the listeners, all connections and all held answers.

use std::sync::Arc;
use std::time::Duration;

use super::config::OrbnetSimConfig;
use super::estate::{NewSession, SessionView, UserView};
use super::fault::Fault;
use super::service::{Act, Counters, Service};
use super::{control, dispatch};
use crate::chaos::Chaos;
use crate::clock;
use crate::serve::{Bound, Serving};

/// A running simulator of OrbNet.
pub struct OrbnetSim {
    service: Arc<Service>,
    control_url: Option<String>,
    /// Held for their `Drop`.
    serving: Vec<Serving>,
}

impl std::fmt::Debug for OrbnetSim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrbnetSim")
            .field("url", &self.service.url)
            .finish_non_exhaustive()
    }
}

impl OrbnetSim {
    /// Binds, fills the estate and serves.
    ///
    /// # Errors
    /// An address that cannot be bound, or a certificate and key that do not make TLS.
    pub async fn start(config: OrbnetSimConfig) -> anyhow::Result<Self> {
        let bound = Bound::bind(config.listen, config.tls.as_ref()).await?;
        let control = match config.control {
            Some(address) => Some(Bound::bind(address, None).await?),
            None => None,
        };
        let base = config.public_url.clone().unwrap_or_else(|| bound.url());
        let service = Service::new(config, format!("{}/graphql", base.trim_end_matches('/')));
        let api = Arc::clone(&service);
        let mut serving = vec![bound.serve(move |request| dispatch::answer(Arc::clone(&api), request))];
        let control_url = control.as_ref().map(Bound::url);
        if let Some(control) = control {
            let router = control::router(Arc::clone(&service));
            serving.push(control.serve(move |request| {
                let answer = tower::ServiceExt::oneshot(router.clone(), request);
                async move { Ok(answer.await.unwrap_or_else(|never| match never {})) }
            }));
        }
        Ok(Self {
            service,
            control_url,
            serving,
        })
    }

    /// The GraphQL endpoint, as an adapter's `url` takes it.
    pub fn url(&self) -> &str {
        &self.service.url
    }

    /// The base URL of the control listener, if there is one.
    pub fn control_url(&self) -> Option<&str> {
        self.control_url.as_deref()
    }

    /// What the simulator was told to be.
    pub fn config(&self) -> &OrbnetSimConfig {
        &self.service.config
    }

    /// The token with the scope `admin`.
    pub fn token(&self) -> &str {
        &self.service.config.token
    }

    /// The token with the scope `reseller`.
    pub fn reseller_token(&self) -> &str {
        &self.service.config.reseller_token
    }

    /// Adds a fault and says under which number it stands.
    pub fn add_fault(&self, fault: Fault) -> u64 {
        self.service.faults.lock().add(fault)
    }

    /// Takes one fault away; false if it is not there.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.service.faults.lock().remove(id)
    }

    /// Takes all faults away. What is held stays held.
    pub fn clear_faults(&self) {
        self.service.faults.lock().clear();
    }

    /// Lets the whole service misbehave, or ends that. Faults come first and stay as they are.
    pub fn chaos(&self, chaos: Option<Chaos>) {
        self.service.chaos.set(chaos);
    }

    /// Clients that are disconnected from now on come back after this long, as another session; `None`: they
    /// stay away.
    pub fn reconnect_after(&self, after: Option<Duration>) {
        *self.service.reconnect.lock() = after;
    }

    /// Lets go of everything that is held and says how many requests that were.
    pub fn release(&self) -> usize {
        self.service.board.release()
    }

    /// Every acting request so far, refused ones too, in the order of their arrival.
    pub fn acts(&self) -> Vec<Act> {
        self.service.acts()
    }

    /// What was asked so far.
    pub fn counters(&self) -> Counters {
        self.service.counters.lock().clone()
    }

    /// Waits until so many acting requests are in the log, refused, dropped and held ones included.
    pub async fn wait_for_act(&self, acts: usize) -> Vec<Act> {
        self.service.board.wait_until(|pulse| pulse.acts >= acts).await;
        self.acts()
    }

    /// Waits until so many acts have been performed.
    pub async fn wait_for_performed(&self, acts: usize) -> Vec<Act> {
        self.service
            .board
            .wait_until(|pulse| pulse.performed >= acts)
            .await;
        self.acts()
    }

    /// Waits until so many requests are held at once.
    pub async fn wait_for_held(&self, requests: usize) {
        self.service
            .board
            .wait_until(|pulse| pulse.held >= requests)
            .await;
    }

    /// All users, by id.
    pub fn users(&self) -> Vec<UserView> {
        self.service.estate.read().users()
    }

    /// Adds a user without sessions and says under which id.
    pub fn add_user(&self, name: &str) -> i32 {
        self.service.estate.write().add_user(name)
    }

    /// Removes a user with all sessions; false if there is none.
    pub fn remove_user(&self, id: i32) -> bool {
        self.service.estate.write().remove_user(id)
    }

    /// All sessions, by user.
    pub fn sessions(&self) -> Vec<SessionView> {
        self.service.estate.read().sessions().cloned().collect()
    }

    /// A session as the service has it.
    pub fn session(&self, session_id: &str) -> Option<SessionView> {
        self.service.estate.read().session(session_id).cloned()
    }

    /// Adds a session of a user that begins now; `None` if there is no such user.
    pub fn add_session(&self, user_id: i32) -> Option<SessionView> {
        self.service.add_sessions(&NewSession { user_id, count: 1 }).pop()
    }

    /// Ends a session, as if its user had disconnected; false if it is not there.
    pub fn end_session(&self, session_id: &str) -> bool {
        self.service.estate.write().end(session_id).is_some()
    }

    /// Gives a session's `sessionId` to another logon of the same user, with another `startTime` and `id`; `None`
    /// if nobody has it.
    pub fn replace_session(&self, session_id: &str) -> Option<SessionView> {
        self.service.estate.write().replace(session_id, clock::now())
    }

    /// Ends it all and waits for its tasks.
    pub async fn shutdown(mut self) {
        self.service.board.stop.cancel();
        self.serving.clear();
        self.service.tasks.close();
        self.service.tasks.wait().await;
    }
}

impl Drop for OrbnetSim {
    fn drop(&mut self) {
        self.service.board.stop.cancel();
    }
}
