//! What filters find.
//!
//! Not here: pages (`audit`).

use std::slice::from_ref;

use super::{Stores, sample};
use crate::ledger::ActionKind;
use crate::{
    AuditAction, AuditFilter, AuditPhase, AuditRecord, Keyset, Operation, OperationFilter, OperationId,
    OperationState, Outcome, TargetSnapshot, Verb,
};

/// Two records that differ in everything; a filter of the first must not find the second.
async fn two_records(stores: &Stores) -> (AuditRecord, AuditRecord) {
    let mut operation = sample::operation(0);
    operation.actor = sample::actor("Anna");
    let one = sample::record(&operation, AuditPhase::Outcome, 10);
    let mut two = sample::bare_record(AuditPhase::Read, AuditAction::AuditRead, 20);
    two.actor = sample::actor("bert");
    for record in [&one, &two] {
        stores.audit.audit_append(record).await.expect("a record");
    }
    (one, two)
}

async fn find(stores: &Stores, filter: &AuditFilter) -> Vec<AuditRecord> {
    let page = stores
        .audit
        .audit_page(filter, Keyset::After(None), 99)
        .await
        .expect("a page");
    let count = stores.audit.audit_count(filter).await.expect("a count");
    assert_eq!(count, page.rows.len() as u64);
    let back = stores
        .audit
        .audit_page(filter, Keyset::Before(None), 99)
        .await
        .expect("a page");
    assert_eq!(page, back);
    page.rows
}

fn all_of(record: &AuditRecord) -> AuditFilter {
    AuditFilter {
        after: Some(record.recorded_at),
        before: Some(record.recorded_at + chrono::TimeDelta::microseconds(1)),
        actor: Some("ANNA".to_owned()),
        user: Some("corp\\ANNA.MÜLLER".to_owned()),
        machine: Some("term04".to_owned()),
        backends: Some(vec![sample::backend("site-b"), sample::backend("site-a")]),
        actions: Some(vec![AuditAction::Message, AuditAction::Logoff]),
        phases: Some(vec![AuditPhase::Intent, AuditPhase::Outcome]),
        outcomes: Some(vec![Outcome::Unknown, Outcome::Succeeded]),
        ticket: record.ticket.clone(),
        operation: record.operation,
        session: record.session.clone(),
    }
}

pub(super) async fn records_are_found_by_each_field(stores: &Stores) {
    let (one, two) = two_records(stores).await;
    let all = all_of(&one);
    let none = AuditFilter::default();
    assert_eq!(find(stores, &none).await, [two.clone(), one.clone()]);
    let filters = [
        AuditFilter {
            before: all.before,
            ..none.clone()
        },
        AuditFilter {
            actor: all.actor.clone(),
            ..none.clone()
        },
        AuditFilter {
            actor: Some("name OF anna".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            user: all.user.clone(),
            ..none.clone()
        },
        AuditFilter {
            machine: all.machine.clone(),
            ..none.clone()
        },
        AuditFilter {
            backends: all.backends.clone(),
            ..none.clone()
        },
        AuditFilter {
            actions: all.actions.clone(),
            ..none.clone()
        },
        AuditFilter {
            phases: all.phases.clone(),
            ..none.clone()
        },
        AuditFilter {
            outcomes: all.outcomes.clone(),
            ..none.clone()
        },
        AuditFilter {
            ticket: all.ticket.clone(),
            ..none.clone()
        },
        AuditFilter {
            operation: all.operation,
            ..none.clone()
        },
        AuditFilter {
            session: all.session.clone(),
            ..none.clone()
        },
    ];
    for filter in filters {
        assert_eq!(find(stores, &filter).await, from_ref(&one), "{filter:?}");
    }
    let after = AuditFilter {
        after: Some(two.recorded_at),
        ..none.clone()
    };
    assert_eq!(find(stores, &after).await, from_ref(&two));
    let before = AuditFilter {
        before: Some(one.recorded_at),
        ..none
    };
    assert_eq!(
        find(stores, &before).await,
        [],
        "`before` does not include its instant"
    );
}

pub(super) async fn records_are_found_by_user_and_machine(stores: &Stores) {
    let (one, _) = two_records(stores).await;
    let user = |text: &str| AuditFilter {
        user: Some(text.to_owned()),
        ..AuditFilter::default()
    };
    for text in [
        "anna.müller",
        "ANNA.MÜLLER",
        "Corp\\Anna.Müller",
        "ANNA.MUELLER@corp.example",
    ] {
        assert_eq!(find(stores, &user(text)).await, from_ref(&one), "{text}");
    }
    for text in [
        "other\\anna.müller",
        "corp\\",
        "\\anna.müller",
        "anna.müller@corp.example",
        "Müller, Anna",
    ] {
        assert_eq!(find(stores, &user(text)).await, [], "{text}");
    }
    let machine = |text: &str| AuditFilter {
        machine: Some(text.to_owned()),
        ..AuditFilter::default()
    };
    for text in ["TERM04", "Term04.corp.EXAMPLE"] {
        assert_eq!(find(stores, &machine(text)).await, from_ref(&one), "{text}");
    }
    assert_eq!(find(stores, &machine("10.1.2.3")).await, []);

    // A name may hold what looks like a domain.
    let mut vpn = sample::record(&sample::operation(0), AuditPhase::Intent, 30);
    let mut target = sample::target("7");
    if let Some(facts) = &mut target.facts {
        facts.user = crate::SessionUser {
            name: "LAB\\Carla".to_owned(),
            ..Default::default()
        };
    }
    vpn.target = Some(target);
    stores.audit.audit_append(&vpn).await.expect("a record");
    assert_eq!(find(stores, &user("lab\\carla")).await, [vpn]);
}

pub(super) async fn texts_are_compared_whole(stores: &Stores) {
    two_records(stores).await;
    let none = AuditFilter::default();
    let filters = [
        AuditFilter {
            actor: Some("ann".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            actor: Some("%".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            actor: Some("ann_".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            actor: Some(String::new()),
            ..none.clone()
        },
        AuditFilter {
            user: Some("anna".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            machine: Some("term".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            ticket: Some("inc-4711".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            session: Some("site-a:".to_owned()),
            ..none.clone()
        },
        AuditFilter {
            backends: Some(vec![sample::backend("site")]),
            ..none.clone()
        },
        AuditFilter {
            operation: Some(OperationId(sample::uuid())),
            ..none
        },
    ];
    for filter in filters {
        assert_eq!(find(stores, &filter).await, [], "{filter:?}");
    }
}

pub(super) async fn an_empty_list_finds_nothing(stores: &Stores) {
    two_records(stores).await;
    sample::open(stores, &sample::operation(0), sample::process()).await;
    let none = AuditFilter::default();
    let filters = [
        AuditFilter {
            backends: Some(Vec::new()),
            ..none.clone()
        },
        AuditFilter {
            actions: Some(Vec::new()),
            ..none.clone()
        },
        AuditFilter {
            phases: Some(Vec::new()),
            ..none.clone()
        },
        AuditFilter {
            outcomes: Some(Vec::new()),
            ..none
        },
    ];
    for filter in filters {
        assert_eq!(find(stores, &filter).await, [], "{filter:?}");
    }
    let none = OperationFilter::default();
    let filters = [
        OperationFilter {
            states: Some(Vec::new()),
            ..none.clone()
        },
        OperationFilter {
            actions: Some(Vec::new()),
            ..none.clone()
        },
        OperationFilter {
            backends: Some(Vec::new()),
            ..none
        },
    ];
    for filter in filters {
        assert_eq!(find_operations(stores, &filter).await, [], "{filter:?}");
    }
}

pub(super) async fn records_are_found_by_all_fields_together(stores: &Stores) {
    let (one, _) = two_records(stores).await;
    let filter = all_of(&one);
    assert_eq!(find(stores, &filter).await, from_ref(&one));
    let older = Keyset::After(Some((one.recorded_at, one.id.0)));
    let page = stores.audit.audit_page(&filter, older, 9).await.expect("a page");
    assert_eq!((page.rows, page.more), (Vec::new(), false));
}

async fn find_operations(stores: &Stores, filter: &OperationFilter) -> Vec<Operation> {
    let page = stores
        .actions
        .operation_page(filter, Keyset::After(None), 99)
        .await
        .expect("a page");
    let count = stores.actions.operation_count(filter).await.expect("a count");
    assert_eq!(count, page.rows.len() as u64);
    page.rows
}

pub(super) async fn operations_are_found_by_each_field(stores: &Stores) {
    let one = sample::operation(10);
    sample::open(stores, &one, sample::process()).await;
    let mut two = sample::operation(20);
    two.verb = Verb::Message {
        title: "a".to_owned(),
        text: "b".to_owned(),
    };
    let elsewhere = crate::SessionId::new(
        &sample::backend("site-b"),
        "other",
        crate::Generation::of(&[Some("other")]),
    );
    two.target = TargetSnapshot::bare(elsewhere.expect("a session id"));
    two.actor = sample::actor("bert");
    two.ticket = None;
    two.course = sample::ended(stores, &two, OperationState::Failed, 21)
        .await
        .course;

    let by = |operation: &Operation| Some((operation.actor.issuer.clone(), operation.actor.subject.clone()));
    let none = OperationFilter::default();
    let of_one = OperationFilter {
        states: Some(vec![OperationState::Running, OperationState::Dispatching]),
        actions: Some(vec![ActionKind::Disconnect, ActionKind::Logoff]),
        backends: Some(vec![sample::backend("site-c"), sample::backend("site-a")]),
        session: Some(one.target.session.clone()),
        requested_by: by(&one),
        ticket: one.ticket.clone(),
        requested_after: Some(sample::at(10)),
        requested_before: Some(sample::at(20)),
    };
    assert_eq!(find_operations(stores, &none).await, [two.clone(), one.clone()]);
    let filters = [
        OperationFilter {
            states: of_one.states.clone(),
            ..none.clone()
        },
        OperationFilter {
            actions: of_one.actions.clone(),
            ..none.clone()
        },
        OperationFilter {
            backends: of_one.backends.clone(),
            ..none.clone()
        },
        OperationFilter {
            session: of_one.session.clone(),
            ..none.clone()
        },
        OperationFilter {
            requested_by: of_one.requested_by.clone(),
            ..none.clone()
        },
        OperationFilter {
            ticket: of_one.ticket.clone(),
            ..none.clone()
        },
        OperationFilter {
            requested_before: of_one.requested_before,
            ..none.clone()
        },
        of_one,
    ];
    for filter in filters {
        assert_eq!(
            find_operations(stores, &filter).await,
            from_ref(&one),
            "{filter:?}"
        );
    }
    let filters = [
        OperationFilter {
            states: Some(vec![OperationState::Failed]),
            ..none.clone()
        },
        OperationFilter {
            requested_by: by(&two),
            ..none.clone()
        },
        OperationFilter {
            requested_after: Some(sample::at(20)),
            ..none.clone()
        },
    ];
    for filter in filters {
        assert_eq!(
            find_operations(stores, &filter).await,
            from_ref(&two),
            "{filter:?}"
        );
    }
    // The subject alone is nobody: another issuer may give it to somebody else.
    let stranger = Some(("https://elsewhere.example".to_owned(), one.actor.subject.clone()));
    let filter = OperationFilter {
        requested_by: stranger,
        ..none
    };
    assert_eq!(find_operations(stores, &filter).await, []);
}

pub(super) async fn operations_are_paged_both_ways(stores: &Stores) {
    let mut all = Vec::new();
    // Two of each instant.
    for seconds in [0, 0, 1, 1, 2, 2] {
        let operation = sample::operation(seconds);
        sample::open(stores, &operation, sample::process()).await;
        all.push(operation);
    }
    all.sort_by_key(|it| std::cmp::Reverse((it.requested_at, it.id)));
    let place = |n: usize| Some((all[n].requested_at, all[n].id.0));
    let page = async |keyset, limit| {
        let page = stores
            .actions
            .operation_page(&OperationFilter::default(), keyset, limit)
            .await;
        let page = page.expect("a page");
        (page.rows, page.more)
    };
    assert_eq!(page(Keyset::After(None), 3).await, (all[..3].to_vec(), true));
    assert_eq!(page(Keyset::After(place(2)), 3).await, (all[3..].to_vec(), false));
    assert_eq!(page(Keyset::Before(None), 3).await, (all[3..].to_vec(), true));
    assert_eq!(
        page(Keyset::Before(place(3)), 2).await,
        (all[1..3].to_vec(), true)
    );
    assert_eq!(
        page(Keyset::Before(place(1)), 2).await,
        (all[..1].to_vec(), false)
    );
}
