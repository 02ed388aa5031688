//! `curfew dev`: everything in one process, with nothing to set up.
//!
//! Not for production: simulated backends, tokens printed, no TLS. Invariant: it listens on the loopback address
//! unless it is told otherwise, and the adapters verify the simulators' certificates as they do the vendors'.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use curfew_app::{Authorized, ListQuery, PageSpec, SessionOrder, Settings, ViewSessions};
use curfew_backends::BackendConfig;
use curfew_core::{Caller, Clock, Grant, Role, Scope, SessionFilter, SessionId, SessionState, SystemClock};
use curfew_sim::{CitrixSim, CitrixSimConfig};
use curfew_store::{Database, DatabaseUrl, StoreOptions};
use serde_json::json;
use tempfile::TempDir;

use super::serve::adapters;
use crate::auth::dev::{DevIssuer, persona};
use crate::auth::{Authenticate, JwtAuthenticator};
use crate::cli::DevArgs;
use crate::config::Limits;
use crate::failure::Failure;
use crate::http::{Bound, DoorOptions};
use crate::lifecycle::Signals;
use crate::wiring::{Blueprint, Gateway};

/// The backend's name in `dev`.
const CITRIX: &str = "citrix-demo";
/// How long the simulated backends may take for their first reading.
const FIRST_READING: Duration = Duration::from_secs(60);
/// How long requests in hand may go on at the end; with the hand-over, `dev` ends within 5 s.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs until a signal comes.
///
/// # Errors
/// [`Failure::Start`] if the start fails.
pub async fn run(args: DevArgs) -> Result<(), Failure> {
    // First of all: a signal ends it in order from now on, also while it starts.
    let mut signals = Signals::listen().context("the process may not listen for signals")?;
    let stand = tokio::select! {
        stand = stand(args) => stand?,
        name = signals.next() => {
            tracing::info!(signal = name, "Stopping on {name}, before everything stood");
            return Ok(());
        }
    };
    stand.gateway.reason_to_stop(signals).await;
    stand.gateway.stop(DRAIN).await;
    stand.simulator.citrix.shutdown().await;
    drop(stand.folder);
    Ok(())
}

/// Everything at work; the folder lives as long as this.
struct Stand {
    gateway: Gateway,
    simulator: Simulator,
    folder: Option<TempDir>,
}

/// Starts everything and says so.
async fn stand(args: DevArgs) -> Result<Stand, Failure> {
    let public = Bound::bind(args.listen, "--listen").map_err(anyhow::Error::new)?;
    let ops = Bound::bind(args.ops_listen(), "--ops-listen").map_err(anyhow::Error::new)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let simulator = Simulator::start(args.sessions).await?;
    let (database, folder) = open(&args, &clock).await?;
    database.migrate().await.map_err(anyhow::Error::new)?;
    let issuer = DevIssuer::new(Arc::clone(&clock)).map_err(anyhow::Error::new)?;
    let url = format!("http://{}/graphql", public.address());
    let graphiql = curfew_graphql::graphiql("/graphql", &issuer.token(Role::Viewer));
    let described = database.describe();
    let gateway = Gateway::start(Blueprint {
        public,
        ops,
        tls: None,
        door: DoorOptions {
            graphiql: Some(graphiql),
            ..DoorOptions::default()
        },
        limits: Limits::default().of_schema(),
        authenticate: Arc::new(JwtAuthenticator::new(vec![issuer.issuer()], Arc::clone(&clock)))
            as Arc<dyn Authenticate>,
        backends: adapters(&[simulator.backend()?], &clock)?,
        database,
        settings: Settings::default(),
        clock,
    })
    .context("the listeners cannot be served")?;
    gateway.app.directory.first_readings(FIRST_READING).await;
    if let Some(reading) = gateway
        .app
        .directory
        .reading(CITRIX)
        .filter(|reading| reading.observed_at.is_none())
    {
        let why = reading
            .error
            .unwrap_or_else(|| "it did not answer in time".to_owned());
        return Err(Failure::Start(anyhow::anyhow!(
            "the simulated site could not be read: {why}"
        )));
    }
    let welcome = Welcome {
        graphql: url,
        ops: format!("http://{}", gateway.ops_address()),
        tokens: issuer,
        database: described,
        samples: samples(&gateway).await,
    };
    let text = if args.json { welcome.json() } else { welcome.text() };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(anyhow::Error::new)?;
    drop(out);
    Ok(Stand {
        gateway,
        simulator,
        folder,
    })
}

/// Opens the database; the folder lives as long as what is returned.
async fn open(args: &DevArgs, clock: &Arc<dyn Clock>) -> anyhow::Result<(Database, Option<TempDir>)> {
    let options = StoreOptions::default();
    if let Some(url) = &args.database_url {
        return Ok((Database::connect(url, options, Arc::clone(clock)).await?, None));
    }
    let (path, folder) = match &args.data_dir {
        Some(path) => {
            std::fs::create_dir_all(path)
                .with_context(|| format!("--data-dir {} cannot be made", path.display()))?;
            (path.clone(), None)
        }
        None => {
            let folder = tempfile::Builder::new()
                .prefix("curfew-dev-")
                .tempdir()
                .context("no temporary directory")?;
            (folder.path().to_owned(), Some(folder))
        }
    };
    let url = DatabaseUrl::file(&path.join("curfew.db"));
    Ok((Database::open(url, options, Arc::clone(clock)).await?, folder))
}

/// The simulated Citrix site, with a certificate of an authority that lives as long as the process.
struct Simulator {
    citrix: CitrixSim,
    ca: String,
}

impl Simulator {
    async fn start(sessions: usize) -> anyhow::Result<Self> {
        let (ca, certificate, key) =
            certificates().context("the certificates of the simulators cannot be made")?;
        let config = CitrixSimConfig::cloud().sessions(sessions).tls(certificate, key);
        let citrix = CitrixSim::start(config)
            .await
            .context("the simulated Citrix site does not start")?;
        Ok(Self { citrix, ca })
    }

    /// How an administrator would configure this site.
    fn backend(&self) -> anyhow::Result<BackendConfig> {
        let config = self.citrix.config();
        Ok(serde_json::from_value(json!({
            "kind": "citrix",
            "id": CITRIX,
            "flavour": "cloud",
            "url": self.citrix.url(),
            "customer": config.customer,
            "client_id": config.client_id,
            "client_secret": config.client_secret,
            "ca": self.ca,
            "allow_loopback": true,
        }))?)
    }
}

/// An authority's certificate, and a certificate and key for `localhost` that it signed; all PEM.
fn certificates() -> Result<(String, String, String), rcgen::Error> {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    };
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "Curfew dev authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &authority)?;
    Ok((authority.pem(), leaf.pem(), key.serialize_pem()))
}

/// Two sessions to try the acts on: one to disconnect, one to log off.
async fn samples(gateway: &Gateway) -> Option<(SessionId, SessionId)> {
    let persona = persona(Role::Admin);
    let viewer = Caller {
        actor: curfew_core::Actor {
            issuer: crate::auth::dev::ISSUER.to_owned(),
            subject: persona.subject.to_owned(),
            name: persona.name.to_owned(),
        },
        roles: vec![],
        grants: vec![Grant::role(Role::Viewer, Scope::All)],
    };
    let who = Authorized::<ViewSessions>::ask(&*gateway.app.authorizer, &viewer).ok()?;
    let query = ListQuery {
        filter: SessionFilter {
            states: Some(vec![SessionState::Active]),
            ..SessionFilter::default()
        },
        order: SessionOrder::default(),
        page: PageSpec::First(2, None),
        max_age: None,
        count: false,
    };
    let page = gateway.app.directory.page(&who, &query).await;
    let id = |n: usize| page.rows.get(n).map(|row| row.session.id.clone());
    Some((id(0)?, id(1)?))
}

/// What is printed once everything stands.
struct Welcome {
    graphql: String,
    ops: String,
    tokens: DevIssuer,
    database: String,
    samples: Option<(SessionId, SessionId)>,
}

impl Welcome {
    /// One line for programs.
    fn json(&self) -> String {
        let tokens: BTreeMap<_, _> = Role::ALL
            .iter()
            .map(|role| (role.as_str(), self.tokens.token(*role)))
            .collect();
        json!({ "graphql": self.graphql, "ops": self.ops, "tokens": tokens, "database": self.database })
            .to_string()
    }

    /// A page for people.
    fn text(&self) -> String {
        let mut text = format!(
            "\nCurfew DEV: simulated sessions, tokens in the open. Never for production.\n\n\
             GraphQL    {url}\n\
             GraphiQL   {page}   (as the viewer)\n\
             health     {ops}/readyz   {ops}/metrics\n\
             database   {database}\n\n\
             Tokens, valid for 24 hours. Copy this into the shell you will use:\n\n",
            url = self.graphql,
            page = self.graphql.trim_end_matches("graphql"),
            ops = self.ops,
            database = self.database,
        );
        for role in Role::ALL {
            text.push_str(&format!(
                "{}={}\n",
                role.as_str().to_uppercase(),
                self.tokens.token(*role)
            ));
        }
        text.push_str("\nList sessions:\n\n");
        text.push_str(&self.curl("VIEWER", LIST, &json!({})));
        if let Some((disconnect, logoff)) = &self.samples {
            text.push_str("\nDisconnect one; its applications keep running:\n\n");
            text.push_str(&self.curl("HELPDESK", DISCONNECT, &json!({ "id": disconnect })));
            text.push_str(
                "\nLog one off and wait for the end. Do it twice, and the second says ALREADY_GONE:\n\n",
            );
            text.push_str(&self.curl("HELPDESK", LOGOFF, &json!({ "id": logoff })));
            text.push_str("\nA viewer may not; that is on record too:\n\n");
            text.push_str(&self.curl("VIEWER", BY_ID, &json!({ "id": disconnect })));
        }
        text.push_str("\nWho did what:\n\n");
        text.push_str(&self.curl("AUDITOR", AUDIT, &json!({})));
        text.push_str("\nCtrl-C ends it.");
        text
    }

    fn curl(&self, role: &str, query: &str, variables: &serde_json::Value) -> String {
        let body = json!({ "query": query, "variables": variables });
        format!(
            "curl -s {} -H \"Authorization: Bearer ${role}\" -H 'Content-Type: application/json' -d '{body}'\n",
            self.graphql
        )
    }
}

const LIST: &str = "{ onlineSessions(first: 5) { totalCount nodes { id state user { name } machine { name } \
                    allowedActions } backends { backend { id } status observedAt } } }";
const DISCONNECT: &str = "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id, reason: \"trying it \
                          out\", ticket: \"DEMO-1\" }) { status message operation { id state } session { state } } }";
const LOGOFF: &str = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true, \
                      reason: \"trying it out\", ticket: \"DEMO-1\" }) { status message operation { id state outcome \
                      timeline { at to } } } }";
const BY_ID: &str = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
const AUDIT: &str = "{ auditRecords(first: 20) { nodes { recordedAt code phase action outcome actor { name } target { \
                     id user { name } machine { name } } reason ticket sent latencyMs } } }";
