//! Online sessions.
//!
//! Not here: filters (`query`) and what is known of a session that an operation was about (`operation`).
//! Invariant: nothing is looked up to answer a field; the row has it all.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use curfew_app::{App, Cursor, Listed, Page, Row};
use curfew_core::Caller;

use super::backend::{Backend, BackendReading};
use super::enums::{SessionAction, SessionKind, SessionProtocol, SessionState};
use super::scalars::BigInt;
use crate::connection::PageInfo;
use crate::error::internal;

/// One session of one user, as its backend reported it.
pub struct OnlineSession(pub Listed);

/// One session of one user, as its backend reported it. One that a Citrix site and the agent on its host both report is
/// listed once, as Citrix has it, in every answer that holds Citrix's row; where that row is not asked for, or does not pass
/// the filter, the agent's is listed. See `sources`.
#[Object]
impl OnlineSession {
    /// Names this session, and no later one that is given the same number: `backend:native@generation`.
    async fn id(&self) -> ID {
        ID(self.0.session.id.to_string())
    }

    /// Where it runs.
    async fn backend(&self, ctx: &Context<'_>) -> Result<Backend> {
        backend_of(ctx, &self.0)
    }

    /// What kind of session it is.
    async fn kind(&self) -> SessionKind {
        self.0.session.kind.into()
    }

    /// What its host calls it beside its number, such as `RDP-Tcp#3` or `Console`; null while nobody is connected, and
    /// on backends without such names. Another one after every reconnect.
    async fn session_name(&self) -> Option<&str> {
        self.0.session.session_name.as_deref()
    }

    /// Its state.
    async fn state(&self) -> SessionState {
        self.0.session.state.into()
    }

    /// The protocol between client and session.
    async fn protocol(&self) -> SessionProtocol {
        self.0.session.protocol.into()
    }

    /// Whose session it is.
    async fn user(&self) -> SessionUser {
        SessionUser::from(&self.0.session.user)
    }

    /// The host it runs on.
    async fn machine(&self) -> SessionMachine {
        SessionMachine::from(&self.0.session.machine)
    }

    /// The device it is used from.
    async fn client(&self) -> SessionClient {
        SessionClient::from(&self.0.session.client)
    }

    /// Addresses given to the client inside a VPN.
    async fn virtual_addresses(&self) -> &[String] {
        &self.0.session.virtual_addresses
    }

    /// Published applications in use.
    async fn applications(&self) -> Vec<SessionApplication> {
        let applications = self.0.session.applications.iter();
        applications
            .map(|app| SessionApplication {
                id: app.id.clone(),
                name: app.name.clone(),
            })
            .collect()
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.session.started_at
    }

    /// When its state last changed.
    async fn state_changed_at(&self) -> Option<DateTime<Utc>> {
        self.0.session.state_changed_at
    }

    /// Seconds without input, where the backend says.
    async fn idle_seconds(&self) -> Option<u64> {
        self.0.session.idle_seconds
    }

    /// Bytes received from the client, as the server counts.
    async fn bytes_received(&self) -> Option<BigInt> {
        self.0.session.bytes_received.map(BigInt)
    }

    /// Bytes sent to the client, as the server counts.
    async fn bytes_sent(&self) -> Option<BigInt> {
        self.0.session.bytes_sent.map(BigInt)
    }

    /// Whether this row's own backend refuses every act on it by policy (a protected user, the console, a read-only
    /// host). A Citrix row does not know the policy of the agent on its host.
    async fn protected(&self) -> bool {
        self.0.session.protected
    }

    /// When the backend said so.
    async fn observed_at(&self) -> DateTime<Utc> {
        self.0.session.observed_at
    }

    /// Which backends report this session: the one that this row is of, and with it the other one where a Citrix site
    /// and the agent on its host both do (the Citrix site first). Backends that the caller does not see are left out.
    async fn sources(&self) -> Vec<SessionSource> {
        self.0.sources().cloned().map(SessionSource).collect()
    }

    /// What the caller can do to this session now; dashboards need no rules of their own.
    async fn allowed_actions(&self, ctx: &Context<'_>) -> Result<Vec<SessionAction>> {
        let app = ctx.data::<Arc<App>>()?;
        let session = &self.0.session;
        let can = app
            .directory
            .backend(session.id.backend_str())
            .map(|info| info.capabilities)
            .unwrap_or_default();
        let allowed = app.actions.allowed(ctx.data::<Caller>()?, session, &can);
        Ok(allowed.into_iter().map(Into::into).collect())
    }
}

/// A session as one backend reports it.
pub struct SessionSource(Arc<Row>);

/// A session as one backend reports it.
#[Object]
impl SessionSource {
    /// The session's id on that backend; acts take it as well.
    async fn id(&self) -> ID {
        ID(self.0.session.id.to_string())
    }

    /// Which backend.
    async fn backend(&self, ctx: &Context<'_>) -> Result<Backend> {
        backend_of(ctx, &self.0)
    }

    /// When that backend said so.
    async fn observed_at(&self) -> DateTime<Utc> {
        self.0.session.observed_at
    }
}

fn backend_of(ctx: &Context<'_>, row: &Row) -> Result<Backend> {
    let directory = &ctx.data::<Arc<App>>()?.directory;
    let info = directory.backend(row.session.id.backend_str());
    info.map(Backend).ok_or_else(|| internal(&std::fmt::Error))
}

/// Whose session it is.
#[derive(SimpleObject)]
pub struct SessionUser {
    /// Account name without its domain.
    name: String,
    /// NetBIOS domain.
    domain: Option<String>,
    /// User principal name.
    upn: Option<String>,
    /// Windows security identifier.
    sid: Option<String>,
    /// Name for people.
    display_name: Option<String>,
}

impl From<&curfew_core::SessionUser> for SessionUser {
    fn from(user: &curfew_core::SessionUser) -> Self {
        let curfew_core::SessionUser {
            name,
            domain,
            upn,
            sid,
            display_name,
        } = user.clone();
        Self {
            name,
            domain,
            upn,
            sid,
            display_name,
        }
    }
}

/// The host of a session, or the VPN gateway.
#[derive(SimpleObject)]
pub struct SessionMachine {
    /// Short name.
    name: Option<String>,
    /// Fully qualified name.
    dns_name: Option<String>,
    /// IP address.
    address: Option<String>,
}

impl From<&curfew_core::SessionMachine> for SessionMachine {
    fn from(machine: &curfew_core::SessionMachine) -> Self {
        let curfew_core::SessionMachine {
            name,
            dns_name,
            address,
        } = machine.clone();
        Self {
            name,
            dns_name,
            address,
        }
    }
}

/// The device a session is used from.
#[derive(SimpleObject)]
pub struct SessionClient {
    /// Name of the device.
    name: Option<String>,
    /// IP address.
    address: Option<String>,
    /// Operating system.
    platform: Option<String>,
    /// Version of the client program.
    version: Option<String>,
}

impl From<&curfew_core::SessionClient> for SessionClient {
    fn from(client: &curfew_core::SessionClient) -> Self {
        let curfew_core::SessionClient {
            name,
            address,
            platform,
            version,
        } = client.clone();
        Self {
            name,
            address,
            platform,
            version,
        }
    }
}

/// A published application in use.
#[derive(SimpleObject)]
pub struct SessionApplication {
    /// The backend's id of it, if there is one.
    id: Option<String>,
    /// Name for people.
    name: String,
}

/// A page of sessions.
pub struct OnlineSessionConnection(pub Page);

/// A page of sessions. A backend that could not be read makes the page partial, never an error: see `backends`.
#[Object]
impl OnlineSessionConnection {
    /// The sessions with their cursors.
    async fn edges(&self) -> Vec<OnlineSessionEdge> {
        let cursor = |row: &Listed| Cursor::of(row, self.0.order).encode();
        self.0
            .rows
            .iter()
            .map(|row| OnlineSessionEdge {
                cursor: cursor(row),
                node: OnlineSession(row.clone()),
            })
            .collect()
    }

    /// The sessions.
    async fn nodes(&self) -> Vec<OnlineSession> {
        self.0.rows.iter().cloned().map(OnlineSession).collect()
    }

    /// Where this page stands among all sessions that match.
    async fn page_info(&self) -> PageInfo {
        let cursor = |row: &Listed| Cursor::of(row, self.0.order).encode();
        PageInfo {
            has_next_page: self.0.has_next,
            has_previous_page: self.0.has_previous,
            start_cursor: self.0.rows.first().map(cursor),
            end_cursor: self.0.rows.last().map(cursor),
        }
    }

    /// How many sessions match; counted only if it is asked for.
    async fn total_count(&self) -> usize {
        self.0.total.unwrap_or(self.0.rows.len())
    }

    /// How the reading of each backend stands that this listing covers.
    async fn backends(&self) -> Vec<BackendReading> {
        self.0.readings.iter().cloned().map(BackendReading).collect()
    }
}

/// A session and its place in the listing.
#[derive(SimpleObject)]
pub struct OnlineSessionEdge {
    /// Its place; give it as `after` or `before`.
    cursor: String,
    /// The session.
    node: OnlineSession,
}
