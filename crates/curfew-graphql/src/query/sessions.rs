//! Queries about sessions and backends.
//!
//! Not here: how a page is made (`curfew_app::directory`).
//! Invariant: a filter that cannot match anything, or that only looks like one, is refused and named.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use curfew_app::{
    App, Authorized, Cursor, ListQuery, PageSpec, SessionOrder as Order, ViewSessions, directory::Direction,
};
use curfew_core::Caller;
use ipnet::IpNet;

use crate::connection::{PageArgs, Span, foreign_cursor};
use crate::error::{bad_input, from_denied};
use crate::input::{backend_ids, list, session_id, word};
use crate::model::{
    Backend, BackendKind, OnlineSession, OnlineSessionConnection, OrderDirection, SessionKind,
    SessionOrderField, SessionProtocol, SessionState,
};

/// Which sessions to list. Every field that is given must match.
#[derive(Debug, Default, InputObject)]
pub struct SessionFilter {
    /// On one of these backends.
    backend_ids: Option<Vec<ID>>,
    /// On backends of one of these kinds.
    backend_kinds: Option<Vec<BackendKind>>,
    /// Of one of these kinds.
    kinds: Option<Vec<SessionKind>>,
    /// In one of these states. Without it all are listed: a DISCONNECTED session still holds its applications.
    states: Option<Vec<SessionState>>,
    /// With one of these protocols.
    protocols: Option<Vec<SessionProtocol>>,
    /// The user's name, `DOMAIN\name` or UPN: whole and case-insensitive, never a substring.
    user: Option<String>,
    /// The machine's short or DNS name: whole and case-insensitive.
    machine: Option<String>,
    /// The client's address, or a network in CIDR notation that it is in.
    client_address: Option<String>,
    /// The name of an application in use: whole and case-insensitive.
    application: Option<String>,
    /// Began before.
    started_before: Option<DateTime<Utc>>,
    /// Began after.
    started_after: Option<DateTime<Utc>>,
    /// Without input for longer than this many seconds; sessions whose backend does not say never match.
    idle_longer_than_seconds: Option<i32>,
    /// Words that all occur somewhere in user, machine, client or application.
    search: Option<String>,
}

impl SessionFilter {
    fn read(self) -> Result<curfew_core::SessionFilter> {
        if let (Some(before), Some(after)) = (self.started_before, self.started_after)
            && before <= after
        {
            return Err(bad_input(
                "`startedBefore` is not after `startedAfter`, so nothing can match.",
            ));
        }
        let client_address = word("clientAddress", self.client_address)?
            .map(|text| {
                let net = text
                    .parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
                net.map_err(|_| {
                    bad_input("`clientAddress` is neither an IP address nor a network in CIDR notation.")
                })
            })
            .transpose()?;
        let idle = self.idle_longer_than_seconds.map(u64::try_from).transpose();
        Ok(curfew_core::SessionFilter {
            backend_ids: backend_ids("backendIds", self.backend_ids)?,
            backend_kinds: into_all(list("backendKinds", self.backend_kinds)?),
            kinds: into_all(list("kinds", self.kinds)?),
            states: into_all(list("states", self.states)?),
            protocols: into_all(list("protocols", self.protocols)?),
            user: word("user", self.user)?,
            machine: word("machine", self.machine)?,
            client_address,
            application: word("application", self.application)?,
            started_before: self.started_before,
            started_after: self.started_after,
            idle_longer_than_seconds: idle.map_err(|_| bad_input("`idleLongerThanSeconds` is negative."))?,
            search: word("search", self.search)?,
        })
    }
}

/// The values of an API enum as those of the domain.
pub(super) fn into_all<A: Into<B>, B>(values: Option<Vec<A>>) -> Option<Vec<B>> {
    values.map(|values| values.into_iter().map(Into::into).collect())
}

/// The order of a listing. Without it: by user. Sessions that are alike are ordered by id.
#[derive(Debug, InputObject)]
pub struct SessionOrder {
    /// By what.
    field: SessionOrderField,
    /// Which way.
    #[graphql(default_with = "OrderDirection::Ascending")]
    direction: OrderDirection,
}

/// Queries about sessions and backends.
pub struct SessionQueries;

#[Object]
impl SessionQueries {
    /// A page of the online sessions of every backend that the caller can see. Answered from the last reading of
    /// each backend; `backends` says how old that is and whether it is whole.
    #[expect(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn online_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sessions; all without it.")] filter: Option<SessionFilter>,
        #[graphql(desc = "In which order; by user without it.")] order_by: Option<SessionOrder>,
        #[graphql(desc = "How many, from the first; 50 without it, 1,000 at the most.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "How many, from the last; 1,000 at the most.")] last: Option<i32>,
        #[graphql(desc = "Only what precedes this cursor.")] before: Option<String>,
        #[graphql(
            desc = "The oldest data that is accepted, in seconds; 0 reads the backends now (at most one reading \
                          every 2 s, 3 s are waited at most). Without it: the last reading as it is."
        )]
        max_age: Option<i32>,
    ) -> Result<OnlineSessionConnection> {
        let app = ctx.data::<Arc<App>>()?;
        let who =
            Authorized::<ViewSessions>::ask(&*app.authorizer, ctx.data::<Caller>()?).map_err(from_denied)?;
        let order = order_by.map_or(Order::default(), |order| Order {
            field: order.field.into(),
            direction: Direction::from(order.direction),
        });
        let read = |name: &str, text: Option<String>| {
            text.map(|text| Cursor::decode(&text, order).ok_or_else(|| foreign_cursor(name)))
                .transpose()
        };
        let page = match (PageArgs {
            first,
            after,
            last,
            before,
        })
        .span(ctx)?
        {
            Span::First(n, cursor) => PageSpec::First(n as usize, read("after", cursor)?),
            Span::Last(n, cursor) => PageSpec::Last(n as usize, read("before", cursor)?),
        };
        let max_age = max_age
            .map(u64::try_from)
            .transpose()
            .map_err(|_| bad_input("`maxAge` is negative."))?;
        let query = ListQuery {
            filter: filter.unwrap_or_default().read()?,
            order,
            page,
            max_age: max_age.map(Duration::from_secs),
            count: ctx.look_ahead().field("totalCount").exists(),
        };
        Ok(OnlineSessionConnection(app.directory.page(&who, &query).await))
    }

    /// One session, from the last reading. Null if it is gone or hidden, or if a later logon has its number.
    async fn online_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session's id.")] id: ID,
    ) -> Result<Option<OnlineSession>> {
        let app = ctx.data::<Arc<App>>()?;
        let who =
            Authorized::<ViewSessions>::ask(&*app.authorizer, ctx.data::<Caller>()?).map_err(from_denied)?;
        let id = session_id("id", &id)?;
        Ok(app.directory.session(&who, &id).await.map(OnlineSession))
    }

    /// Every backend that the caller can see, and how its reading stands.
    async fn backends(&self, ctx: &Context<'_>) -> Result<Vec<Backend>> {
        let app = ctx.data::<Arc<App>>()?;
        let who =
            Authorized::<ViewSessions>::ask(&*app.authorizer, ctx.data::<Caller>()?).map_err(from_denied)?;
        Ok(app
            .directory
            .readings(&who)
            .into_iter()
            .map(|reading| Backend(reading.backend))
            .collect())
    }
}
