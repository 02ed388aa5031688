//! The API over fakes of every kind of backend, for this crate's tests.
//!
//! Not for production. Time is tokio's: in a paused runtime three seconds pass at once.
//! Invariant: answers are looked at as a client gets them, as JSON.

use std::sync::Arc;
use std::time::Duration;

use curfew_app::{App, BackendEntry, BuiltInRoles, Parts, Settings};
use curfew_core::fakes::backend::{ABLE, session};
use curfew_core::fakes::{FakeBackend, MemoryStore, MockClock};
use curfew_core::{
    Actor, BackendId, BackendKind, Caller, Capabilities, Clock, Grant, PartName, RequestId, RequestMeta,
    Role, Scope, Session, SessionBackend, SessionKind, SessionMachine, SessionUser,
};
use serde_json::{Value, json};

use crate::{Answer, Api, GraphqlCall, Limits, Via};

/// What a VPN can do.
const VPN: Capabilities = Capabilities {
    disconnect: true,
    disconnect_ends_session: true,
    logoff: false,
    force: false,
    message: false,
    ..ABLE
};

/// A gateway with a Citrix site, two Windows backends and a VPN, which has read them all five seconds ago.
pub struct Desk {
    clock: Arc<MockClock>,
    pub store: Arc<MemoryStore>,
    pub site: Arc<FakeBackend>,
    pub rds: Arc<FakeBackend>,
    pub branch: Arc<FakeBackend>,
    pub vpn: Arc<FakeBackend>,
    api: Api,
}

/// A session on a Windows host.
pub fn hosted(backend: &str, host: &str, number: u32) -> Session {
    Session {
        part: PartName::new(host),
        session_name: Some(format!("RDP-Tcp#{number}")),
        machine: SessionMachine {
            name: Some(host.to_owned()),
            dns_name: Some(format!("{}.{backend}.example", host.to_lowercase())),
            address: None,
        },
        started_at: Some(chrono::DateTime::UNIX_EPOCH),
        ..session(backend, &format!("{host}/{number}"), "anna", number)
    }
}

/// The same session as a Citrix site reports it; both need [`with_sid`] to be known as one.
pub fn brokered(native: &str, host: &Session) -> Session {
    Session {
        id: session("citrix-eu", native, "anna", 1).id,
        part: PartName::new("site"),
        session_name: None,
        ..host.clone()
    }
}

/// A session of a user with this SID.
pub fn with_sid(session: Session, sid: &str) -> Session {
    let user = SessionUser {
        sid: Some(sid.to_owned()),
        ..session.user.clone()
    };
    Session { user, ..session }
}

/// A VPN session.
pub fn tunnel(native: &str) -> Session {
    Session {
        kind: SessionKind::Vpn,
        ..session("vpn-hq", native, "anna", 1)
    }
}

/// Somebody with a role on some backends, or on all.
pub fn caller(role: Role, backends: Option<&[&str]>) -> Caller {
    let id = |name: &&str| BackendId::parse(name).expect("a backend's name");
    let scope = backends.map_or(Scope::All, |names| Scope::Only(names.iter().map(id).collect()));
    Caller {
        actor: Actor {
            issuer: "https://login.example".to_owned(),
            subject: format!("sub-{role}"),
            name: role.to_string(),
        },
        roles: vec![role],
        grants: vec![Grant::role(role, scope)],
    }
}

impl Desk {
    /// With these sessions, each on the backend that its id names.
    pub async fn with(sessions: &[Session]) -> Self {
        let clock = Arc::new(MockClock::following_tokio());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let of = |name: &str, kind, can| {
            let backend = FakeBackend::new(name, clock.clone());
            Arc::new(backend.with_kind(kind).with_capabilities(can))
        };
        let site = of("citrix-eu", BackendKind::Citrix, ABLE);
        let rds = of("rds", BackendKind::Windows, ABLE);
        let branch = of("branch", BackendKind::Windows, ABLE);
        let vpn = of("vpn-hq", BackendKind::Orbnet, VPN);
        let all = [&site, &rds, &branch, &vpn];
        for session in sessions {
            let mut backends = all.into_iter();
            let backend = backends.find(|it| it.id().as_str() == session.id.backend_str());
            backend.expect("a backend of the desk").put(session.clone());
        }
        let entry = |backend: &Arc<FakeBackend>| BackendEntry {
            backend: backend.clone(),
            interval: Duration::from_secs(3600),
        };
        let app = App::new(Parts {
            backends: all.map(entry).into(),
            actions: store.clone(),
            audit: store.clone(),
            authorizer: Arc::new(BuiltInRoles),
            clock: clock.clone(),
            settings: Settings::default(),
        });
        app.start();
        app.directory.first_readings(Duration::from_secs(1)).await;
        // What is asked for as of now is not what was read then.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let api = Api::new(Arc::new(app), Limits::default());
        Self {
            clock,
            store,
            site,
            rds,
            branch,
            vpn,
            api,
        }
    }

    /// Asks, and gives the answer as it leaves.
    pub async fn answer(&self, caller: Caller, query: &str, variables: Value) -> Answer {
        let request = RequestMeta {
            id: RequestId(self.clock.uuid()),
            source_address: None,
        };
        let call = GraphqlCall {
            query: query.to_owned(),
            operation_name: None,
            variables: variables.as_object().cloned().unwrap_or_default(),
            via: Via::Post,
        };
        self.api.execute(call, caller, request).await
    }

    /// Asks, and gives the JSON body.
    pub async fn ask_as(&self, caller: Caller, query: &str, variables: Value) -> Value {
        let answer = self.answer(caller, query, variables).await;
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// Asks as an operator who may do everything on all backends.
    pub async fn ask(&self, query: &str) -> Value {
        self.ask_as(caller(Role::Operator, None), query, json!({})).await
    }

    /// The records of refusals, as cause and session.
    pub fn denied(&self) -> Vec<String> {
        let records = self.store.records();
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        records
            .iter()
            .filter(|record| record.phase == curfew_core::AuditPhase::Denied)
            .map(|record| format!("{} {}", text(&record.cause), text(&record.session)))
            .collect()
    }

    /// How many requests to act arrived anywhere.
    pub fn acts(&self) -> usize {
        let all = [&self.site, &self.rds, &self.branch, &self.vpn];
        all.iter().map(|backend| backend.acts().len()).sum()
    }
}

/// The code and the message of the first error.
pub fn error(body: &Value) -> (&str, &str) {
    let error = &body["errors"][0];
    let text = error["message"]
        .as_str()
        .zip(error["extensions"]["code"].as_str());
    let (message, code) = text.unwrap_or_else(|| panic!("no error: {body}"));
    (code, message)
}
