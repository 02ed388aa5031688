//! Sessions to try the acts on, picked from what was read.
//!
//! Not a use case: it looks with the eyes of a viewer of everything. Invariant: no session is picked for two acts, and
//! none that its host would refuse to act on.

use curfew_app::{Authorized, ListQuery, PageSpec, SessionOrder, ViewSessions};
use curfew_core::{Actor, Caller, Grant, Role, Scope, Session, SessionFilter, SessionId, SessionState};

use super::simulators::{CITRIX, RDS, VPN};
use crate::auth::dev::{ISSUER, persona};
use crate::wiring::Gateway;

/// How many sessions of a backend are looked at.
const ENOUGH: usize = 100;

/// Sessions to try the acts on; none where a backend has too few.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) citrix: Option<Citrix>,
    pub(super) windows: Option<Windows>,
    pub(super) vpn: Option<Vpn>,
}

/// Of the Citrix site.
#[derive(Debug)]
pub(super) struct Citrix {
    pub(super) disconnect: SessionId,
    pub(super) logoff: SessionId,
}

/// Of the Windows hosts.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) by_id: SessionId,
    /// Server and session name, as `query session` shows them.
    pub(super) named: (String, String),
    /// Server and session number.
    pub(super) numbered: (String, u32),
}

/// Of the VPN.
#[derive(Debug)]
pub(super) struct Vpn {
    /// The vendor's own id.
    pub(super) bare: String,
    pub(super) other: SessionId,
}

impl Samples {
    /// Looks for some, but not on the machine whose sessions two backends report: there an act shows on both.
    pub(super) async fn find(gateway: &Gateway, common_machine: Option<&str>) -> Self {
        let elsewhere = |it: &Session| {
            let machine = it.machine.name.as_deref();
            machine.is_none() || machine != common_machine
        };
        let mut citrix = active(gateway, CITRIX).await;
        citrix.retain(elsewhere);
        let mut windows = active(gateway, RDS).await;
        windows.retain(elsewhere);
        let vpn = active(gateway, VPN).await;
        Self {
            citrix: Citrix::of(&citrix),
            windows: Windows::of(&windows),
            vpn: Vpn::of(&vpn),
        }
    }
}

impl Citrix {
    fn of(sessions: &[Session]) -> Option<Self> {
        let [disconnect, logoff, ..] = sessions else {
            return None;
        };
        Some(Self {
            disconnect: disconnect.id.clone(),
            logoff: logoff.id.clone(),
        })
    }
}

impl Windows {
    fn of(sessions: &[Session]) -> Option<Self> {
        let [first, second, third, ..] = sessions else {
            return None;
        };
        Some(Self {
            by_id: first.id.clone(),
            named: (server(second)?, second.session_name.clone()?),
            numbered: (server(third)?, number(third)?),
        })
    }
}

/// The host: the part of the backend that a Windows session belongs to.
fn server(session: &Session) -> Option<String> {
    let native = session.id.native();
    native.split_once('/').map(|(server, _)| server.to_owned())
}

fn number(session: &Session) -> Option<u32> {
    let native = session.id.native();
    native.split_once('/').and_then(|(_, number)| number.parse().ok())
}

impl Vpn {
    fn of(sessions: &[Session]) -> Option<Self> {
        let [first, second, ..] = sessions else {
            return None;
        };
        // Behind the user's number, which the vendor's own ids do without.
        let native = first.id.native();
        let (_, bare) = native.rsplit_once('/').unwrap_or(("", &native));
        Some(Self {
            bare: bare.to_owned(),
            other: second.id.clone(),
        })
    }
}

/// The active sessions of a backend on which its host allows acts.
async fn active(gateway: &Gateway, backend: &str) -> Vec<Session> {
    let persona = persona(Role::Viewer);
    let viewer = Caller {
        actor: Actor {
            issuer: ISSUER.to_owned(),
            subject: persona.subject.to_owned(),
            name: persona.name.to_owned(),
        },
        roles: vec![],
        grants: vec![Grant::role(Role::Viewer, Scope::All)],
    };
    let directory = &gateway.app.directory;
    let Ok(who) = Authorized::<ViewSessions>::ask(&*gateway.app.authorizer, &viewer) else {
        return Vec::new();
    };
    let Some(id) = directory
        .backends()
        .map(|it| it.id())
        .find(|it| it.as_str() == backend)
    else {
        return Vec::new();
    };
    let query = ListQuery {
        filter: SessionFilter {
            backend_ids: Some(vec![id.clone()]),
            states: Some(vec![SessionState::Active]),
            ..SessionFilter::default()
        },
        order: SessionOrder::default(),
        page: PageSpec::First(ENOUGH, None),
        max_age: None,
        count: false,
    };
    let rows = directory.page(&who, &query).await.rows;
    let sessions = rows.iter().map(|row| &*row.session);
    sessions.filter(|it| !it.protected).cloned().collect()
}
