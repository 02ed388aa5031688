//! Filters and pages as SQL: pieces of fixed text, and what is bound between them.
//!
//! Not here: whether a caller may see what a filter finds (`curfew-app`).
//! Invariant: every piece of text is static; what a caller gave is bound, never written into the text.

use curfew_core::{AuditFilter, Keyset, OperationFilter};

use crate::params::Param;
use crate::sql;

/// A statement to read with.
#[derive(Debug)]
pub(crate) enum Query<'a> {
    /// One of `sql`'s.
    Fixed(&'static str, Vec<Param<'a>>),
    /// Put together from pieces.
    Built(Vec<Piece<'a>>),
}

/// A part of a statement.
#[derive(Debug)]
pub(crate) enum Piece<'a> {
    Sql(&'static str),
    Bind(Param<'a>),
}

#[derive(Debug)]
struct Builder<'a> {
    pieces: Vec<Piece<'a>>,
}

impl<'a> Builder<'a> {
    fn new(head: &'static str) -> Self {
        Self {
            pieces: vec![Piece::Sql(head)],
        }
    }

    fn sql(&mut self, text: &'static str) -> &mut Self {
        self.pieces.push(Piece::Sql(text));
        self
    }

    fn bind(&mut self, param: Param<'a>) -> &mut Self {
        self.pieces.push(Piece::Bind(param));
        self
    }

    /// ` AND column op param`, if there is something to compare with.
    fn when(&mut self, condition: &'static str, param: Option<impl Into<Param<'a>>>) {
        if let Some(param) = param {
            self.sql(condition).bind(param.into());
        }
    }

    fn when_text(&mut self, condition: &'static str, text: Option<&'a str>) {
        self.when(condition, text.map(Param::text));
    }

    /// ` AND column IN (…)`. An empty list finds nothing, as the words say.
    fn when_in(&mut self, condition: &'static str, texts: Option<impl IntoIterator<Item = &'a str>>) {
        let Some(texts) = texts else { return };
        let mut texts = texts.into_iter();
        let Some(first) = texts.next() else {
            self.sql(" AND 1 = 0");
            return;
        };
        self.sql(condition).sql(" IN (").bind(Param::text(first));
        for text in texts {
            self.sql(", ").bind(Param::text(text));
        }
        self.sql(")");
    }

    /// Order and place; one row more than asked for shows whether there are more.
    fn page(&mut self, columns: PlaceColumns, keyset: Keyset, limit: u32) {
        let (place, beyond, order) = match keyset {
            Keyset::After(place) => (place, columns.older, columns.newest_first),
            Keyset::Before(place) => (place, columns.newer, columns.oldest_first),
        };
        if let Some((at, id)) = place {
            self.sql(beyond)
                .bind(at.into())
                .sql(", ")
                .bind(id.into())
                .sql(")");
        }
        self.sql(order).bind((i64::from(limit) + 1).into());
    }

    fn done(self) -> Query<'a> {
        Query::Built(self.pieces)
    }
}

struct PlaceColumns {
    older: &'static str,
    newer: &'static str,
    newest_first: &'static str,
    oldest_first: &'static str,
}

const OPERATIONS: PlaceColumns = PlaceColumns {
    older: " AND (requested_at, id) < (",
    newer: " AND (requested_at, id) > (",
    newest_first: " ORDER BY requested_at DESC, id DESC LIMIT ",
    oldest_first: " ORDER BY requested_at, id LIMIT ",
};

const RECORDS: PlaceColumns = PlaceColumns {
    older: " AND (recorded_at, id) < (",
    newer: " AND (recorded_at, id) > (",
    newest_first: " ORDER BY recorded_at DESC, id DESC LIMIT ",
    oldest_first: " ORDER BY recorded_at, id LIMIT ",
};

/// A page of operations, in the direction of paging.
pub(crate) fn operation_page(filter: &OperationFilter, keyset: Keyset, limit: u32) -> Query<'_> {
    let mut query = operations(sql::PAGE_OF_OPERATIONS, filter);
    query.page(OPERATIONS, keyset, limit);
    query.done()
}

/// How many operations a filter finds.
pub(crate) fn operation_count(filter: &OperationFilter) -> Query<'_> {
    operations(sql::COUNT_OF_OPERATIONS, filter).done()
}

fn operations<'a>(head: &'static str, filter: &'a OperationFilter) -> Builder<'a> {
    let mut query = Builder::new(head);
    let states = filter.states.as_ref();
    query.when_in(" AND state", states.map(|all| all.iter().map(|one| one.as_str())));
    let actions = filter.actions.as_ref();
    query.when_in(
        " AND action",
        actions.map(|all| all.iter().map(|one| one.as_str())),
    );
    let backends = filter.backends.as_ref();
    query.when_in(
        " AND backend",
        backends.map(|all| all.iter().map(curfew_core::BackendId::as_str)),
    );
    query.when_text(
        " AND session_id = ",
        filter.session.as_ref().map(curfew_core::SessionId::as_str),
    );
    if let Some((issuer, subject)) = &filter.requested_by {
        query.when_text(" AND actor_issuer = ", Some(issuer));
        query.when_text(" AND actor_subject = ", Some(subject));
    }
    query.when_text(" AND ticket = ", filter.ticket.as_deref());
    query.when(" AND requested_at >= ", filter.requested_after);
    query.when(" AND requested_at < ", filter.requested_before);
    query
}

/// A page of records, in the direction of paging.
pub(crate) fn audit_page(filter: &AuditFilter, keyset: Keyset, limit: u32) -> Query<'_> {
    let mut query = records(sql::PAGE_OF_RECORDS, filter);
    query.page(RECORDS, keyset, limit);
    query.done()
}

/// How many records a filter finds.
pub(crate) fn audit_count(filter: &AuditFilter) -> Query<'_> {
    records(sql::COUNT_OF_RECORDS, filter).done()
}

fn records<'a>(head: &'static str, filter: &'a AuditFilter) -> Builder<'a> {
    let mut query = Builder::new(head);
    query.when(" AND recorded_at >= ", filter.after);
    query.when(" AND recorded_at < ", filter.before);
    if let Some(actor) = &filter.actor {
        let key = Param::key(actor);
        query.sql(" AND (actor_subject_key = ").bind(key.clone());
        query.sql(" OR actor_name_key = ").bind(key).sql(")");
    }
    if let Some(user) = &filter.user {
        let key = Param::key(user);
        query.sql(" AND (target_user_key = ").bind(key.clone());
        query.sql(" OR target_upn_key = ").bind(key.clone());
        if let Some((_, name)) = user.split_once('\\') {
            // The account name decides; the bare name beside it is there for its index.
            query.sql(" OR (target_user_key = ").bind(Param::key(name));
            query.sql(" AND target_account_key = ").bind(key).sql(")");
        }
        query.sql(")");
    }
    if let Some(machine) = &filter.machine {
        let key = Param::key(machine);
        query.sql(" AND (target_machine_key = ").bind(key.clone());
        query.sql(" OR target_dns_key = ").bind(key).sql(")");
    }
    let backends = filter.backends.as_ref();
    query.when_in(
        " AND backend",
        backends.map(|all| all.iter().map(curfew_core::BackendId::as_str)),
    );
    let actions = filter.actions.as_ref();
    query.when_in(
        " AND action",
        actions.map(|all| all.iter().map(|one| one.as_str())),
    );
    let phases = filter.phases.as_ref();
    query.when_in(" AND phase", phases.map(|all| all.iter().map(|one| one.as_str())));
    let outcomes = filter.outcomes.as_ref();
    query.when_in(
        " AND outcome",
        outcomes.map(|all| all.iter().map(|one| one.as_str())),
    );
    query.when_text(" AND ticket = ", filter.ticket.as_deref());
    query.when(" AND operation_id = ", filter.operation.map(|id| id.0));
    query.when_text(" AND session_id = ", filter.session.as_deref());
    query
}
