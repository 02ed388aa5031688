//! The adapter: the contract suite against a simulated fleet, and (in the modules) what only Windows hosts do,
//! against hosts whose answers a test writes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use curfew_core::fakes::MockClock;
use curfew_core::{
    BackendError, Clock, Listing, ReadCtx, Recorded, Reply, SessionAction, SessionBackend, SessionId,
    Started, Verb,
};
use tokio::time::Instant;

use self::pki::{Pair, Pki, agent};
use self::stub::{Asked, GENERATION, React, Stub, sane};
use super::WindowsBackend;
use crate::citrix::tests::install_provider;
use crate::{BackendConfig, BuildError, Deps, build};

mod acts;
mod answers;
mod certificates;
mod config;
mod fleet;
mod hosts;
pub(crate) mod pki;
pub(crate) mod stub;

/// The configuration of a backend, as the server's file has it.
pub(crate) fn text(ca: &str, gateway: &Pair, hosts: &[(&str, String)], lines: &str) -> String {
    let hosts: Vec<String> = hosts
        .iter()
        .map(|(name, address)| format!("{{ name = '{name}', address = '{address}' }}"))
        .collect();
    format!(
        "kind = 'windows'\nid = 'rds'\nca = '''{ca}'''\nclient_cert = '''{}'''\nclient_key = '''{}'''\n\
         allow_loopback = true\nhosts = [{}]\n{lines}\n",
        gateway.cert,
        gateway.key,
        hosts.join(", ")
    )
}

pub(crate) fn built(text: &str, clock: Arc<dyn Clock>) -> Result<Arc<dyn SessionBackend>, BuildError> {
    install_provider();
    let config: BackendConfig = toml::from_str(text).expect("the configuration reads");
    build(&config, &Deps { clock })
}

/// The adapter with a second for each act, which no configuration can give it.
pub(crate) fn hasty(text: &str, clock: Arc<dyn Clock>) -> Arc<dyn SessionBackend> {
    install_provider();
    let Ok(BackendConfig::Windows(config)) = toml::from_str(text) else {
        panic!("no configuration of this kind: {text}")
    };
    let backend = WindowsBackend::new(&config, &Deps { clock }).expect("the adapter builds");
    Arc::new(backend.hasty(Duration::from_secs(1)))
}

/// Hosts with an adapter before them, whose clock stands still.
struct Hosts {
    stubs: Vec<Stub>,
    clock: Arc<MockClock>,
    backend: Arc<dyn SessionBackend>,
}

impl Hosts {
    /// Sane hosts of these names.
    async fn start(names: &[&'static str]) -> Self {
        Self::with(names, "").await
    }

    async fn with(names: &[&'static str], lines: &str) -> Self {
        Self::before(names, lines, |text, clock| {
            built(text, clock).expect("the adapter builds")
        })
        .await
    }

    /// Sane hosts of these names, and an adapter with a second for each act.
    async fn hasty(names: &[&'static str]) -> Self {
        Self::before(names, "", hasty).await
    }

    async fn before(
        names: &[&'static str],
        lines: &str,
        adapter: impl FnOnce(&str, Arc<dyn Clock>) -> Arc<dyn SessionBackend>,
    ) -> Self {
        let pki = Pki::new();
        let mut stubs = Vec::new();
        for name in names {
            stubs.push(Stub::start(&pki.ca, &pki.pair(&[&agent(name)]), sane(name)).await);
        }
        let addresses: Vec<_> = names
            .iter()
            .zip(&stubs)
            .map(|(name, stub)| (*name, stub.address.to_string()))
            .collect();
        let clock = Arc::new(MockClock::default());
        let text = text(&pki.ca, &pki.gateway(), &addresses, lines);
        let backend = adapter(&text, clock.clone());
        Self {
            stubs,
            clock,
            backend,
        }
    }

    /// One host, `TERM04`, that answers so.
    async fn one(script: impl Fn(&Asked) -> React + Send + Sync + 'static) -> Self {
        let hosts = Self::start(&["TERM04"]).await;
        hosts.stubs[0].set(script);
        hosts
    }

    async fn act(&self, session: &SessionId, verb: Verb) -> Result<Reply<Started>, BackendError> {
        self.act_until(session, verb, TimeDelta::seconds(15)).await
    }

    async fn act_until(
        &self,
        session: &SessionId,
        verb: Verb,
        left: TimeDelta,
    ) -> Result<Reply<Started>, BackendError> {
        let action = SessionAction {
            session: session.clone(),
            verb,
            not_after: self.clock.now() + left,
        };
        self.backend.start(Recorded::for_test(action)).await
    }
}

fn soon() -> ReadCtx {
    ReadCtx::within(Duration::from_secs(20))
}

fn id(native: &str) -> SessionId {
    SessionId::parse(&format!("rds:{native}@{GENERATION}")).expect("an id")
}

/// One line for each part of a listing: its rows, or why there are none.
fn parts(listing: &Listing) -> Vec<String> {
    let rows = |part: &curfew_core::Part| {
        let rows = listing.sessions.iter().filter(|row| row.part == part.name);
        let rows: Vec<_> = rows.map(|row| row.id.native().into_owned()).collect();
        rows.join(" ")
    };
    let line = |part: &curfew_core::Part| match &part.outcome {
        Ok(_) => rows(part),
        Err(error) => format!("{:?}: {}", error.kind, error.public),
    };
    listing.parts.iter().map(line).collect()
}

/// What was said, with its kind.
fn said<T: std::fmt::Debug>(result: Result<T, BackendError>) -> String {
    match result {
        Ok(value) => panic!("it succeeded: {value:?}"),
        Err(error) => format!("{:?}: {}", error.kind, error.public),
    }
}

/// Waits until `done`, which something that is under way brings about.
async fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Lets time pass for everyone who waits.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// A port where nobody listens.
fn closed_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address")
}
