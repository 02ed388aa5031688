//! One agent: its settings, what it reads, and how it bounds the calls of the system.
//!
//! Not here: HTTP (`http`), acts (`acts`). Invariant: a call of the platform runs on a blocking thread, and no more
//! than [`READS`] readings run at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use curfew_agent_api::{
    API_VERSION, Health, Host, HostSession, Problem, ProblemCode, SessionAnswer, SessionList,
};
use curfew_core::Clock;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::acts::{ActLog, Acts};
use crate::platform::{Platform, PlatformError, WtsSession};
use crate::policy::Policy;
use crate::problem::{gone, host_silent, of_platform, problem};
use crate::rows;

/// Readings at the same time.
const READS: usize = 8;
/// How long a reading may take, waiting for its turn included.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// What an agent has to know.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// The host's short name, the one in its certificate.
    pub host: String,
    /// Its DNS name.
    pub dns_name: Option<String>,
    /// What the host allows.
    pub policy: Policy,
    /// When the agent's certificate ends.
    pub certificate_ends_at: Option<DateTime<Utc>>,
    /// Where acts are written down. Only simulators go without.
    pub act_log: Option<ActLog>,
}

impl AgentSettings {
    /// The host's name, and nothing else: every act is allowed but on the console, and nothing is written down.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            dns_name: None,
            policy: Policy::default(),
            certificate_ends_at: None,
            act_log: None,
        }
    }
}

/// The agent of one host.
pub struct Agent {
    pub(crate) settings: AgentSettings,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) acts: Acts,
    pub(crate) tasks: TaskTracker,
    reads: Arc<Semaphore>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Agent {
    /// An agent for a platform.
    pub fn new(mut settings: AgentSettings, platform: Arc<dyn Platform>, clock: Arc<dyn Clock>) -> Arc<Self> {
        settings.policy = settings.policy.on(&settings.host);
        Arc::new(Self {
            acts: Acts::new(&settings.policy),
            tasks: TaskTracker::new(),
            reads: Arc::new(Semaphore::new(READS)),
            settings,
            platform,
            clock,
        })
    }

    /// Its HTTP face, without TLS: who may call is decided before.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        crate::http::router(Arc::clone(self))
    }

    /// Its settings.
    pub fn settings(&self) -> &AgentSettings {
        &self.settings
    }

    /// Takes no new acts from now on; those in hand go on, and what came of them can still be asked.
    pub fn take_no_more(&self) {
        self.tasks.close();
    }

    /// Takes no new acts, and waits for those in hand, at most so long; whether all of them ended.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.tasks.close();
        timeout(patience, self.tasks.wait()).await.is_ok()
    }

    /// How it is.
    ///
    /// # Errors
    /// A [`Problem`] if the host's sessions cannot be listed.
    pub async fn health(&self) -> Result<Health, Problem> {
        let sessions = self.user_sessions().await?;
        Ok(Health {
            host: self.host(),
            api_versions: vec![API_VERSION],
            sessions: u32::try_from(sessions.len()).unwrap_or(u32::MAX),
            read_only: self.settings.policy.is_read_only(),
            certificate_ends_at: self.settings.certificate_ends_at,
            platform: self.platform.name().to_owned(),
        })
    }

    /// Every session of a user.
    ///
    /// # Errors
    /// A [`Problem`] if the host's sessions cannot be listed.
    pub async fn sessions(&self) -> Result<SessionList, Problem> {
        let sessions = self.user_sessions().await?;
        Ok(SessionList {
            host: self.host(),
            sessions,
        })
    }

    /// The user's session that has a number now.
    ///
    /// # Errors
    /// A [`Problem`], with [`ProblemCode::SessionGone`] if no user's session has it.
    pub async fn session(&self, number: u32) -> Result<SessionAnswer, Problem> {
        let row = self.row(number).await?.ok_or_else(|| gone(number))?;
        Ok(SessionAnswer {
            host: self.host(),
            session: rows::on_the_wire(&row, &self.settings.policy),
        })
    }

    pub(crate) fn host(&self) -> Host {
        Host {
            name: self.settings.host.clone(),
            dns_name: self.settings.dns_name.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            now: self.clock.now(),
        }
    }

    /// The row of a number, if it is the session of a user.
    pub(crate) async fn row(&self, number: u32) -> Result<Option<WtsSession>, Problem> {
        let row = self
            .read(Some(number), move |platform| platform.get(number))
            .await?;
        Ok(row.filter(rows::is_of_a_user))
    }

    async fn user_sessions(&self) -> Result<Vec<HostSession>, Problem> {
        let rows = self.read(None, <dyn Platform>::list).await?;
        Ok(rows::of_users(rows, &self.settings.policy))
    }

    async fn read<T: Send + 'static>(
        &self,
        number: Option<u32>,
        call: impl FnOnce(&dyn Platform) -> Result<T, PlatformError> + Send + 'static,
    ) -> Result<T, Problem> {
        let platform = Arc::clone(&self.platform);
        let reads = Arc::clone(&self.reads);
        let reading = async move {
            let turn = reads.acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                // The turn ends with the call, also when nobody waits for it any more.
                let _turn = turn;
                call(&*platform)
            })
            .await
        };
        match timeout(READ_PATIENCE, reading).await {
            Ok(Ok(Ok(found))) => Ok(found),
            Ok(Ok(Err(error))) => Err(of_platform(error, number)),
            Ok(Err(_panic)) => Err(problem(
                ProblemCode::Internal,
                "the agent failed while it read the host's sessions",
            )),
            Err(_elapsed) => Err(host_silent()),
        }
    }
}
