//! What the filters of the ports mean, in Rust.
//!
//! Not for production: the databases do it in SQL. Invariant: every field that is given must match.

use crate::{AuditFilter, AuditRecord, BackendId, Operation, OperationFilter};

fn any<T: PartialEq>(wanted: Option<&Vec<T>>, is: Option<T>) -> bool {
    wanted.is_none_or(|wanted| is.is_some_and(|is| wanted.contains(&is)))
}

fn any_backend(wanted: Option<&Vec<BackendId>>, is: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| wanted.iter().any(|id| Some(id.as_str()) == is))
}

fn same(wanted: Option<&str>, is: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| Some(wanted) == is)
}

/// Whole and case-insensitive, against any of `texts`.
fn alike(wanted: Option<&String>, texts: &[Option<&str>]) -> bool {
    wanted.is_none_or(|wanted| {
        let wanted = wanted.to_lowercase();
        let mut texts = texts.iter().flatten();
        texts.any(|text| text.to_lowercase() == wanted)
    })
}

/// Whether `filter` finds `operation`.
pub(super) fn operation(filter: &OperationFilter, operation: &Operation) -> bool {
    let OperationFilter {
        states,
        actions,
        backends,
        session,
        requested_by,
        ticket,
        requested_after,
        requested_before,
    } = filter;
    let by = (&operation.actor.issuer, &operation.actor.subject);
    any(states.as_ref(), Some(operation.course.state))
        && any(actions.as_ref(), Some(operation.verb.kind()))
        && any_backend(backends.as_ref(), Some(operation.target.session.backend_str()))
        && session.as_ref().is_none_or(|id| *id == operation.target.session)
        && requested_by
            .as_ref()
            .is_none_or(|(issuer, subject)| (issuer, subject) == by)
        && same(ticket.as_deref(), operation.ticket.as_deref())
        && requested_after.is_none_or(|at| operation.requested_at >= at)
        && requested_before.is_none_or(|at| operation.requested_at < at)
}

/// Whether `filter` finds `record`.
pub(super) fn record(filter: &AuditFilter, record: &AuditRecord) -> bool {
    let AuditFilter {
        after,
        before,
        actor,
        user,
        machine,
        backends,
        actions,
        phases,
        outcomes,
        ticket,
        operation,
        session,
    } = filter;
    let facts = record.target.as_ref().and_then(|target| target.facts.as_ref());
    let account = facts.and_then(|facts| facts.user.account());
    let users = [
        facts.map(|facts| facts.user.name.as_str()),
        facts.and_then(|facts| facts.user.upn.as_deref()),
        account.as_deref(),
    ];
    let machines = [
        facts.and_then(|facts| facts.machine.name.as_deref()),
        facts.and_then(|facts| facts.machine.dns_name.as_deref()),
    ];
    let actors = [
        Some(record.actor.subject.as_str()),
        Some(record.actor.name.as_str()),
    ];
    after.is_none_or(|at| record.recorded_at >= at)
        && before.is_none_or(|at| record.recorded_at < at)
        && alike(actor.as_ref(), &actors)
        && alike(user.as_ref(), &users)
        && alike(machine.as_ref(), &machines)
        && any_backend(backends.as_ref(), record.backend.as_deref())
        && any(actions.as_ref(), Some(record.action))
        && any(phases.as_ref(), Some(record.phase))
        && any(outcomes.as_ref(), record.outcome)
        && same(ticket.as_deref(), record.ticket.as_deref())
        && operation.is_none_or(|id| record.operation == Some(id))
        && same(session.as_deref(), record.session.as_deref())
}
