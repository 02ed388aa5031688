//! Puts the parts together: database, backends, use cases, schema, listeners.
//!
//! Not here: where the parts come from. `dev`, `serve` and the tests each bring their own and get the same gateway.
//! Invariant: a request is taken only after everything behind it stands.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use curfew_app::{App, BackendEntry, BuiltInRoles, Parts, Settings};
use curfew_core::{Caller, Clock, RequestMeta};
use curfew_graphql::{Answer, Api, GraphqlCall, Limits};
use curfew_store::Database;

use crate::auth::Authenticate;
use crate::http::{Bound, Door, DoorOptions, Executor, Running};
use crate::lifecycle::{self, Shutdown, Signals};
use crate::ops::{self, Check, Readiness};

/// How long what is in hand may take to be finished or handed over, beside the drain of HTTP.
const HAND_OVER: Duration = Duration::from_secs(1);

/// What a gateway is made of.
pub struct Blueprint {
    /// The public listener, bound.
    pub public: Bound,
    /// The ops listener, bound.
    pub ops: Bound,
    /// TLS of the public listener.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What can be set at the door.
    pub door: DoorOptions,
    /// How much a document may ask for.
    pub limits: Limits,
    /// Who reads tokens.
    pub authenticate: Arc<dyn Authenticate>,
    /// The backends.
    pub backends: Vec<BackendEntry>,
    /// The database, migrated.
    pub database: Database,
    /// What can be tuned.
    pub settings: Settings,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
}

/// A gateway at work.
pub struct Gateway {
    /// Its use cases.
    pub app: Arc<App>,
    public: Running,
    ops: Running,
    database: Database,
    shutdown: Shutdown,
}

impl Gateway {
    /// Starts a gateway.
    ///
    /// # Errors
    /// If a listener cannot be handed to the runtime.
    pub fn start(blueprint: Blueprint) -> std::io::Result<Self> {
        let Blueprint {
            public,
            ops,
            tls,
            door,
            limits,
            authenticate,
            backends,
            database,
            settings,
            clock,
        } = blueprint;
        let metrics = ops::metrics();
        let shutdown = Shutdown::new();
        let app = Arc::new(App::new(Parts {
            backends,
            actions: Arc::clone(&database.actions),
            audit: Arc::clone(&database.audit),
            authorizer: Arc::new(BuiltInRoles),
            clock: Arc::clone(&clock),
            settings,
        }));
        let executor = Arc::new(Schema(Api::new(Arc::clone(&app), limits)));
        let router = crate::http::router(Door {
            executor,
            authenticate,
            clock,
            shutdown: shutdown.clone(),
            options: door,
        });
        let ready = Arc::new(Ready(Arc::clone(&app)));
        let ops = ops.serve(ops::router(ready, shutdown.clone(), metrics.clone()), None)?;
        tokio::spawn(ops::upkeep(metrics, shutdown.clone()));
        app.start();
        let public = public.serve(router, tls)?;
        Ok(Self {
            app,
            public,
            ops,
            database,
            shutdown,
        })
    }

    /// Where the GraphQL endpoint is.
    pub fn public_address(&self) -> std::net::SocketAddr {
        self.public.address()
    }

    /// Where health and metrics are.
    pub fn ops_address(&self) -> std::net::SocketAddr {
        self.ops.address()
    }

    /// Waits until there is a reason to stop.
    pub async fn reason_to_stop(&self, signals: Signals) {
        lifecycle::reason_to_stop(&self.shutdown, signals).await;
    }

    /// Makes [`Gateway::reason_to_stop`] return; clones of the handle share it.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Stops in order: nothing new is taken, what is in hand is finished or handed over, answers are given, and the
    /// database is closed last.
    pub async fn stop(self, drain: Duration) {
        self.shutdown.begin();
        // At once with the drain: a request that waits for its operation is answered when that is handed over.
        let app = Arc::clone(&self.app);
        let handed_over = tokio::spawn(async move { app.stop(drain + HAND_OVER).await });
        let finish = async {
            match handed_over.await {
                Ok(true) => {}
                Ok(false) => tracing::warn!("Some operations are still in hand; their leases will run out"),
                Err(error) => tracing::error!(%error, "Stopping the use cases failed"),
            }
        };
        lifecycle::stop(&self.shutdown, self.public, Some(self.ops), drain, finish).await;
        if tokio::time::timeout(HAND_OVER, self.database.close())
            .await
            .is_err()
        {
            tracing::warn!("The database did not close in time");
        }
    }
}

struct Schema(Api);

#[async_trait]
impl Executor for Schema {
    async fn execute(&self, call: GraphqlCall, caller: Caller, request: RequestMeta) -> Answer {
        self.0.execute(call, caller, request).await
    }
}

struct Ready(Arc<App>);

#[async_trait]
impl Readiness for Ready {
    async fn checks(&self) -> Vec<Check> {
        let checks = self.0.checks().await.into_iter();
        checks
            .map(|check| Check {
                name: check.name.to_owned(),
                ok: check.problem.is_none(),
                detail: check.problem.unwrap_or_else(|| "in order".to_owned()),
            })
            .collect()
    }
}
