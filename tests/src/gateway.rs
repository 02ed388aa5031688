//! A gateway in this process: the real wiring, the real HTTP door, the real adapters against simulated vendors.
//!
//! Not here: binaries (`process`). Invariant: ports are free ones, tokens come from an issuer of the gateway's own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use curfew_app::Settings;
use curfew_core::{BackendId, Clock, Deadlines, Generation, Role, Scope, SessionId, SystemClock};
use curfew_graphql::Limits;
use curfew_server::auth::dev::DevIssuer;
use curfew_server::auth::{Issuer, JwtAuthenticator, RoleGrant, RoleMap};
use curfew_server::http::{Bound, DoorOptions};
use curfew_server::wiring::{self, Blueprint};
use curfew_sim::{CitrixSim, CitrixSimConfig, FleetSim, FleetSimConfig, OrbnetSim, OrbnetSimConfig};
use curfew_store::{Database, StoreOptions};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::site::Sim;
use crate::{AuditTrail, Client, Db, Reply, Site, http_client, until};

/// The name of the Citrix backend where there is only one.
pub const BACKEND: &str = "citrix-eu";
/// The name of the Windows backend where there is only one.
pub const WINDOWS: &str = "rds";
/// The name of the VPN where there is only one.
pub const VPN: &str = "vpn-hq";

/// What a gateway is to be.
pub struct Builder {
    sites: Vec<Site>,
    database: Db,
    store: StoreOptions,
    settings: Settings,
    limits: Limits,
    door: DoorOptions,
    clock: Arc<dyn Clock>,
    scoped: Vec<(String, RoleGrant)>,
    issuers: Vec<Issuer>,
}

impl Builder {
    /// Adds a simulated site under the usual name.
    pub fn citrix(self, sim: CitrixSimConfig) -> Self {
        self.site(Site::new(BACKEND, sim))
    }

    /// Adds a simulated fleet of Windows hosts under the usual name.
    pub fn windows(self, sim: FleetSimConfig) -> Self {
        self.site(Site::new(WINDOWS, sim))
    }

    /// Adds a simulated OrbNet under the usual name.
    pub fn orbnet(self, sim: OrbnetSimConfig) -> Self {
        self.site(Site::new(VPN, sim))
    }

    /// Adds a simulated backend.
    pub fn site(mut self, site: Site) -> Self {
        self.sites.push(site);
        self
    }

    /// Uses this database.
    pub fn database(mut self, db: &Db) -> Self {
        self.database = db.clone();
        self
    }

    /// Changes how the database is used.
    pub fn store(mut self, change: impl FnOnce(&mut StoreOptions)) -> Self {
        change(&mut self.store);
        self
    }

    /// Changes how long an operation may stay in each state.
    pub fn deadlines(mut self, change: impl FnOnce(&mut Deadlines)) -> Self {
        change(&mut self.settings.deadlines);
        self
    }

    /// Changes how much a document may ask for.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Changes what can be set at the door.
    pub fn door(mut self, change: impl FnOnce(&mut DoorOptions)) -> Self {
        change(&mut self.door);
        self
    }

    /// Uses this clock, also for tokens.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Maps the group `group` to a role on some backends alone.
    ///
    /// # Panics
    /// If a name is not one of a backend.
    pub fn scoped_role(mut self, group: &str, role: Role, backends: &[&str]) -> Self {
        let backends: BTreeSet<_> = backends
            .iter()
            .map(|it| BackendId::parse(it).expect("a backend's name"))
            .collect();
        let scope = Scope::Only(backends);
        self.scoped.push((group.to_owned(), RoleGrant { role, scope }));
        self
    }

    /// Believes another issuer, as `serve` would, instead of the gateway's own.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Starts the sites and the gateway, and waits until each site was read (or could not be).
    pub async fn start(self) -> Gateway {
        let gateway = self.start_unread().await;
        gateway
            .inner()
            .app
            .directory
            .first_readings(crate::PATIENCE)
            .await;
        gateway
    }

    /// Starts the sites and the gateway, and waits for nothing.
    ///
    /// # Panics
    /// If something does not start.
    pub async fn start_unread(self) -> Gateway {
        curfew_server::cli::install_tls_provider();
        let (mut sims, mut backends) = (Vec::new(), Vec::new());
        for site in self.sites {
            let sim = Sim::start(site.behind).await;
            backends.push(sim.entry(&site.id, site.keys, &self.clock));
            sims.push((site.id, sim));
        }
        let issuer = DevIssuer::new(Arc::clone(&self.clock)).expect("randomness");
        let mut map = RoleMap::by_name();
        map.0.extend(self.scoped);
        let mut issuers = self.issuers;
        if issuers.is_empty() {
            issuers.push(issuer.issuer_with(map));
        }
        let database = Database::connect(&self.database.url, self.store, Arc::clone(&self.clock)).await;
        let database = database.expect("the database opens");
        database.migrate().await.expect("the migrations apply");
        let bind = || Bound::bind(([127, 0, 0, 1], 0).into(), "a test").expect("a port");
        let gateway = wiring::Gateway::start(Blueprint {
            public: bind(),
            ops: bind(),
            tls: None,
            door: self.door,
            limits: self.limits,
            authenticate: Arc::new(JwtAuthenticator::new(issuers, Arc::clone(&self.clock))),
            backends,
            database,
            settings: self.settings,
            clock: self.clock,
        })
        .expect("the gateway starts");
        Gateway {
            url: format!("http://{}/graphql", gateway.public_address()),
            ops: format!("http://{}", gateway.ops_address()),
            inner: Some(gateway),
            sims,
            issuer,
            http: http_client(),
            db: self.database,
        }
    }
}

/// A gateway at work, and the sites behind it.
pub struct Gateway {
    /// The GraphQL endpoint.
    pub url: String,
    /// Where health and metrics are.
    pub ops: String,
    /// Its database.
    pub db: Db,
    inner: Option<wiring::Gateway>,
    sims: Vec<(String, Sim)>,
    issuer: DevIssuer,
    http: reqwest::Client,
}

impl Gateway {
    /// A gateway with no site, on a SQLite file, and with the defaults of `serve`.
    pub fn builder() -> Builder {
        Builder {
            sites: Vec::new(),
            database: Db::sqlite(),
            store: StoreOptions::default(),
            settings: Settings::default(),
            limits: Limits::default(),
            door: DoorOptions::default(),
            clock: Arc::new(SystemClock),
            scoped: Vec::new(),
            issuers: Vec::new(),
        }
    }

    /// The usual gateway: one site of 30 sessions, log-offs that take no time.
    pub async fn usual(db: &Db) -> Self {
        let sim = CitrixSimConfig::cloud().sessions(30).logoff_takes(Duration::ZERO);
        Self::builder().citrix(sim).database(db).start().await
    }

    fn inner(&self) -> &wiring::Gateway {
        self.inner.as_ref().expect("the gateway was not stopped")
    }

    fn behind(&self, id: &str) -> &Sim {
        let found = self.sims.iter().find(|(name, _)| name == id);
        &found.expect("a backend of that name").1
    }

    /// The usual site.
    pub fn sim(&self) -> &CitrixSim {
        self.sim_of(BACKEND)
    }

    /// A site by name.
    ///
    /// # Panics
    /// If there is none.
    pub fn sim_of(&self, id: &str) -> &CitrixSim {
        self.behind(id).citrix()
    }

    /// The usual fleet.
    pub fn fleet(&self) -> &FleetSim {
        self.behind(WINDOWS).fleet()
    }

    /// The usual VPN.
    pub fn vpn(&self) -> &OrbnetSim {
        self.vpn_of(VPN)
    }

    /// A VPN by name.
    ///
    /// # Panics
    /// If there is none.
    pub fn vpn_of(&self, id: &str) -> &OrbnetSim {
        self.behind(id).orbnet()
    }

    /// Somebody with this token, or without any.
    pub fn client(&self, token: Option<String>) -> Client {
        Client::new(&self.http, &self.url, token)
    }

    /// Nobody.
    pub fn anonymous(&self) -> Client {
        self.client(None)
    }

    /// Vera Viewer.
    pub fn viewer(&self) -> Client {
        self.role(Role::Viewer)
    }

    /// Hanna Helpdesk.
    pub fn helpdesk(&self) -> Client {
        self.role(Role::Helpdesk)
    }

    /// Otto Operator.
    pub fn operator(&self) -> Client {
        self.role(Role::Operator)
    }

    /// Audrey Auditor.
    pub fn auditor(&self) -> Client {
        self.role(Role::Auditor)
    }

    /// Ada Admin.
    pub fn admin(&self) -> Client {
        self.role(Role::Admin)
    }

    /// Nemo Nobody, who has a good token and no role.
    pub fn role_less(&self) -> Client {
        self.with_claims(json!({ "sub": "nemo", "name": "Nemo Nobody" }))
    }

    /// The persona of a role.
    pub fn role(&self, role: Role) -> Client {
        self.client(Some(self.issuer.token(role)))
    }

    /// Somebody with these claims.
    pub fn with_claims(&self, claims: Value) -> Client {
        self.client(Some(self.issuer.sign(claims)))
    }

    /// What is on record, readings of the log apart.
    pub async fn audit(&self) -> AuditTrail {
        AuditTrail::read(&self.auditor()).await
    }

    /// The id under which the gateway knows a session of the usual site.
    pub fn id(&self, session: Uuid) -> String {
        self.id_on(BACKEND, session)
    }

    /// The id under which the gateway knows a session of a site.
    ///
    /// # Panics
    /// If there cannot be such an id.
    pub fn id_on(&self, backend: &str, session: Uuid) -> String {
        let native = session.to_string();
        let backend = BackendId::parse(backend).expect("a backend's name");
        SessionId::new(&backend, &native, Generation::of(&[Some(&native)]))
            .expect("an id")
            .to_string()
    }

    /// The `n`th session of the usual site that somebody works in.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn active(&self, n: usize) -> (Uuid, String) {
        let sessions = self.sim().sessions();
        let mut active = sessions.iter().filter(|it| {
            it.state == curfew_sim::SessionState::Active && !it.logon_in_progress && !it.logoff_in_progress
        });
        let found = active.nth(n).expect("an active session").id;
        (found, self.id(found))
    }

    /// The state of a session as the listing has it; `None` if it is not listed.
    pub async fn listed(&self, id: &str) -> Option<String> {
        let document = "query($id: ID!) { onlineSession(id: $id) { state } }";
        let data = self.viewer().data(document, json!({ "id": id })).await;
        data["onlineSession"]["state"].as_str().map(str::to_owned)
    }

    /// A page of the ops listener.
    pub async fn ops(&self, path: &str) -> Reply {
        Reply::of(self.http.get(format!("{}{path}", self.ops))).await
    }

    /// Waits until no act may be refused for the gateway's own sake.
    pub async fn ready(&self) {
        until("/readyz says yes", async || {
            (self.ops("/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    /// Begins to stop, and does not wait.
    pub fn begin_to_stop(&self) {
        self.inner().shutdown().begin();
    }

    /// Stops in order, as a signal would; the sites go on.
    pub async fn stop(&mut self, drain: Duration) {
        if let Some(inner) = self.inner.take() {
            inner.stop(drain).await;
        }
    }
}
