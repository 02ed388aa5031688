//! Opening, reading and settling operations.
//!
//! Not here: arrows (`course`) and leases (`leases`).

use super::{Stores, sample};
use crate::{
    AuditFilter, AuditPhase, AuditRecord, EndReason, EndedBy, JobRef, Keyset, Operation, OperationEvent,
    OperationId, OperationState, Sent, StoreError, TargetSnapshot, Verb,
};

/// Texts that databases, encodings and escapes stumble over.
pub(super) const ODD: &[&str] = &[
    "",
    " leading and trailing ",
    "it's \"quoted\" \\ and `ticked`",
    "'; DROP TABLE audit_record; --",
    "100 % of _all_ $1 ?1 :name @p1 {} {{x}}",
    "Grüße, Ελλάδα ΣΑΣ, Ѕвіт, 日本語, 👩🏽‍💻",
    "\u{202e}gnippilf\u{202c} مرحبا \u{feff}bom",
    "line\r\nbreak\tand \u{1b}[31mred\u{7f}",
    "e\u{301} is not é; \u{fffd} \u{10ffff}",
];

/// Oldest first.
async fn records_of(stores: &Stores, id: OperationId) -> Vec<AuditRecord> {
    let filter = AuditFilter {
        operation: Some(id),
        ..AuditFilter::default()
    };
    let page = stores.audit.audit_page(&filter, Keyset::Before(None), 100).await;
    let mut rows = page.expect("a page of records").rows;
    rows.reverse();
    rows
}

async fn get(stores: &Stores, id: OperationId) -> Operation {
    let found = stores.actions.operation_get(id).await.expect("a read");
    found.expect("the operation is there")
}

pub(super) async fn an_operation_comes_back_as_it_was(stores: &Stores) {
    let operation = sample::operation(0);
    let owner = sample::process();
    let lease = sample::open(stores, &operation, owner).await;
    assert_eq!(
        (lease.operation, lease.owner, lease.fence),
        (operation.id, owner, 1)
    );
    assert_eq!(get(stores, operation.id).await, operation);
    let first = OperationEvent {
        seq: 0,
        at: operation.requested_at,
        from: None,
        to: OperationState::Dispatching,
        attempt: 1,
        reason: None,
    };
    let events = stores
        .actions
        .operation_events(operation.id)
        .await
        .expect("events");
    assert_eq!(events, [first]);
}

pub(super) async fn every_verb_state_and_reason_is_kept(stores: &Stores) {
    let message = Verb::Message {
        title: "Maintenance".to_owned(),
        text: "Please save your work.\nThank you".to_owned(),
    };
    let verbs = [Verb::Disconnect, Verb::Logoff, message];
    let count = OperationState::ALL.len().max(EndReason::ALL.len());
    for n in 0..count {
        let mut operation = sample::operation(0);
        let course = &mut operation.course;
        course.state = OperationState::ALL[n % OperationState::ALL.len()];
        course.reason = Some(EndReason::ALL[n % EndReason::ALL.len()]);
        course.sent = Sent::ALL[n % Sent::ALL.len()];
        course.job = Some(JobRef(format!("job-{n}")));
        course.progress_percent = u8::try_from(n * 10 % 101).ok();
        course.evidence = sample::full_evidence();
        if !course.state.is_final() {
            operation.verb = verbs[n % verbs.len()].clone();
            operation.target = TargetSnapshot::bare(operation.target.session);
            operation.request.source_address = None;
            operation.reason = None;
            operation.ticket = None;
            sample::open(stores, &operation, sample::process()).await;
            assert_eq!(get(stores, operation.id).await, operation);
            continue;
        }
        operation.verb = verbs[n % verbs.len()].clone();
        let state = operation.course.state;
        operation.course = sample::course(operation.requested_at);
        let mut last = sample::finish(&operation, state, 5);
        last.course.reason = Some(EndReason::ALL[n % EndReason::ALL.len()]);
        last.course.ended_by = Some(EndedBy::ALL[n % EndedBy::ALL.len()]);
        let lease = sample::open(stores, &operation, sample::process()).await;
        stores
            .actions
            .operation_finish(&lease, &last)
            .await
            .expect("an end");
        operation.course = last.course;
        assert_eq!(get(stores, operation.id).await, operation);
    }
}

pub(super) async fn opening_twice_is_opening_once(stores: &Stores) {
    let operation = sample::operation(0);
    let records = sample::first_records(&operation);
    let owner = sample::process();
    let first = stores
        .actions
        .operation_open(&operation, owner, &records)
        .await
        .expect("opens");
    let second = stores
        .actions
        .operation_open(&operation, owner, &records)
        .await
        .expect("opens again");
    assert_eq!(first, second);
    assert_eq!(records_of(stores, operation.id).await, records);
    let events = stores
        .actions
        .operation_events(operation.id)
        .await
        .expect("events");
    assert_eq!(events.len(), 1);
    assert_eq!(stores.actions.operation_open_count().await.expect("a count"), 1);
}

pub(super) async fn many_open_at_once(stores: &Stores) {
    let owner = sample::process();
    let all: Vec<Operation> = (0..12).map(|_| sample::operation(0)).collect();
    let mut rest = all.as_slice();
    while let [a, b, c, d, more @ ..] = rest {
        tokio::join!(
            sample::open(stores, a, owner),
            sample::open(stores, b, owner),
            sample::open(stores, c, owner),
            sample::open(stores, d, owner),
        );
        rest = more;
    }
    for operation in &all {
        assert_eq!(get(stores, operation.id).await, *operation);
        assert_eq!(records_of(stores, operation.id).await.len(), 2);
    }
}

pub(super) async fn an_unknown_operation_is_none(stores: &Stores) {
    let id = OperationId(sample::uuid());
    assert_eq!(stores.actions.operation_get(id).await.expect("a read"), None);
    assert_eq!(stores.actions.operation_events(id).await.expect("a read"), []);
    stores.actions.ping().await.expect("the store answers");
}

pub(super) async fn odd_texts_come_back(stores: &Stores) {
    for text in ODD {
        let mut operation = sample::operation(0);
        operation.reason = Some((*text).to_owned());
        operation.ticket = Some((*text).to_owned());
        operation.actor.name = (*text).to_owned();
        operation.verb = Verb::Message {
            title: (*text).to_owned(),
            text: text.repeat(300),
        };
        operation.course.evidence.detail = Some((*text).to_owned());
        sample::open(stores, &operation, sample::process()).await;
        assert_eq!(get(stores, operation.id).await, operation);
    }
}

/// Postgres cannot keep a NUL. A store may put U+FFFD in its place, but it must keep the rest: what a vendor sends
/// must not be able to keep an act off the record.
pub(super) async fn a_nul_does_not_get_in_the_way(stores: &Stores) {
    let mut operation = sample::operation(0);
    operation.reason = Some("a\0b".to_owned());
    operation.course.evidence.detail = Some("c\0d \\u0000".to_owned());
    sample::open(stores, &operation, sample::process()).await;
    let found = get(stores, operation.id).await;
    let shown = |text: Option<String>| text.map(|text| text.replace('\0', "\u{fffd}"));
    assert_eq!(shown(found.reason).as_deref(), Some("a\u{fffd}b"));
    assert_eq!(
        shown(found.course.evidence.detail).as_deref(),
        Some("c\u{fffd}d \\u0000")
    );
}

pub(super) async fn no_more_than_two_records_go_with_a_change(stores: &Stores) {
    let operation = sample::operation(0);
    let [intent, attempt] = sample::first_records(&operation);
    let third = sample::record(&operation, AuditPhase::Attempt, 1);
    let records = [intent, attempt, third];
    let opened = stores
        .actions
        .operation_open(&operation, sample::process(), &records)
        .await;
    assert!(matches!(opened, Err(StoreError::Refused { .. })), "{opened:?}");
    assert_eq!(
        stores.actions.operation_get(operation.id).await.expect("a read"),
        None
    );
    assert_eq!(records_of(stores, operation.id).await, []);
}

pub(super) async fn what_ended_unknown_is_settled_once(stores: &Stores) {
    let (later, earlier) = (sample::operation(0), sample::operation(0));
    sample::ended(stores, &later, OperationState::Unknown, 20).await;
    sample::ended(stores, &earlier, OperationState::Unknown, 10).await;
    let ids = async |since, limit| {
        let found = stores
            .actions
            .operation_unresolved(sample::at(since), limit)
            .await;
        found.expect("a read").iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(0, 9).await, [earlier.id, later.id]);
    assert_eq!(ids(0, 1).await, [earlier.id]);
    assert_eq!(ids(11, 9).await, [later.id]);

    let record = sample::record(&earlier, AuditPhase::Resolution, 30);
    let resolve = async |record| {
        let resolved = stores
            .actions
            .operation_resolve(earlier.id, sample::at(30), record)
            .await;
        resolved.expect("a write")
    };
    assert!(resolve(&record).await);
    let again = sample::record(&earlier, AuditPhase::Resolution, 31);
    assert!(!resolve(&again).await);
    assert_eq!(ids(0, 9).await, [later.id]);
    let kept = records_of(stores, earlier.id).await;
    assert_eq!(
        kept.iter()
            .filter(|it| it.phase == AuditPhase::Resolution)
            .count(),
        1
    );
    assert!(kept.contains(&record));
    assert_eq!(
        get(stores, earlier.id).await.course.state,
        OperationState::Unknown
    );
}

pub(super) async fn only_what_can_be_read_is_unresolved(stores: &Stores) {
    let mut message = sample::operation(0);
    message.verb = Verb::Message {
        title: "Hello".to_owned(),
        text: "there".to_owned(),
    };
    sample::ended(stores, &message, OperationState::Unknown, 10).await;
    sample::ended(stores, &sample::operation(0), OperationState::Failed, 10).await;
    sample::open(stores, &sample::operation(0), sample::process()).await;
    let found = stores
        .actions
        .operation_unresolved(sample::at(-100), 9)
        .await
        .expect("a read");
    assert_eq!(found, []);
}

pub(super) async fn what_is_not_unknown_is_not_settled(stores: &Stores) {
    let operation = sample::operation(0);
    sample::ended(stores, &operation, OperationState::Failed, 10).await;
    let record = sample::record(&operation, AuditPhase::Resolution, 30);
    let settled = stores
        .actions
        .operation_resolve(operation.id, sample::at(30), &record)
        .await;
    assert!(!settled.expect("a write"));
    assert!(!records_of(stores, operation.id).await.contains(&record));
}
