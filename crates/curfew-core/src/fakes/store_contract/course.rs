//! Arrows, and the end.
//!
//! Not here: who may drive (`leases`).

use super::{Stores, sample};
use crate::{
    AuditFilter, AuditLog, AuditPhase, AuditRecord, Course, Keyset, Operation, OperationEvent,
    OperationFilter, OperationState, StoreError,
};

async fn course(stores: &Stores, operation: &Operation) -> Course {
    let found = stores.actions.operation_get(operation.id).await.expect("a read");
    found.expect("the operation is there").course
}

async fn events(stores: &Stores, operation: &Operation) -> Vec<OperationEvent> {
    stores
        .actions
        .operation_events(operation.id)
        .await
        .expect("a read")
}

async fn outcomes(audit: &dyn AuditLog, operation: &Operation) -> Vec<AuditRecord> {
    let filter = AuditFilter {
        operation: Some(operation.id),
        phases: Some(vec![AuditPhase::Outcome]),
        ..AuditFilter::default()
    };
    let page = audit.audit_page(&filter, Keyset::After(None), 9).await;
    page.expect("a page of records").rows
}

fn assert_lost<T: std::fmt::Debug>(result: Result<T, StoreError>, operation: &Operation) {
    match result {
        Err(StoreError::LeaseLost { operation: id }) => assert_eq!(id, operation.id),
        other => panic!("the lease should be lost, not {other:?}"),
    }
}

fn assert_refused<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Refused { .. })), "{result:?}");
}

pub(super) async fn a_course_advances_arrow_by_arrow(stores: &Stores) {
    let mut operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;

    let mut step = sample::advance(&operation, OperationState::Running, 1);
    step.records = vec![sample::record(&operation, AuditPhase::Attempt, 1)];
    stores
        .actions
        .operation_advance(&lease, &step)
        .await
        .expect("advances");
    assert_eq!(course(stores, &operation).await, step.course);
    operation.course = step.course.clone();

    let last = sample::finish(&operation, OperationState::Failed, 2);
    stores
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("ends");
    assert_eq!(course(stores, &operation).await, last.course);

    let events = events(stores, &operation).await;
    let way: Vec<_> = events.iter().map(|it| (it.seq, it.from, it.to)).collect();
    use OperationState as S;
    let expected = [
        (0, None, S::Dispatching),
        (1, Some(S::Dispatching), S::Running),
        (2, Some(S::Running), S::Failed),
    ];
    assert_eq!(way, expected);
    assert_eq!(events[2].reason, last.course.reason);
    assert_eq!((events[1].at, events[2].at), (sample::at(1), sample::at(2)));
    assert_eq!(outcomes(&*stores.audit, &operation).await, last.records);
    let filter = AuditFilter {
        operation: Some(operation.id),
        ..AuditFilter::default()
    };
    assert_eq!(stores.audit.audit_count(&filter).await.expect("a count"), 4);
}

pub(super) async fn an_arrow_that_changes_nothing_leaves_no_event(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let mut step = sample::advance(&operation, OperationState::Dispatching, 1);
    stores
        .actions
        .operation_advance(&lease, &step)
        .await
        .expect("advances");
    assert_eq!(course(stores, &operation).await, step.course);
    assert_eq!(events(stores, &operation).await.len(), 1);

    step.course.attempt = 2;
    step.at = sample::at(2);
    stores
        .actions
        .operation_advance(&lease, &step)
        .await
        .expect("advances");
    // Said again, as after a lost answer.
    stores
        .actions
        .operation_advance(&lease, &step)
        .await
        .expect("advances");
    let events = events(stores, &operation).await;
    assert_eq!(events.len(), 2);
    assert_eq!((events[1].seq, events[1].attempt), (1, 2));
    assert_eq!(events[1].from, Some(OperationState::Dispatching));
}

pub(super) async fn an_arrow_must_start_where_the_operation_stands(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let mut step = sample::advance(&operation, OperationState::Confirming, 1);
    step.from = OperationState::Running;
    step.records = vec![sample::record(&operation, AuditPhase::Attempt, 1)];
    assert_lost(stores.actions.operation_advance(&lease, &step).await, &operation);
    let mut last = sample::finish(&operation, OperationState::Succeeded, 1);
    last.from = OperationState::Confirming;
    assert_lost(stores.actions.operation_finish(&lease, &last).await, &operation);

    assert_eq!(course(stores, &operation).await, operation.course);
    assert_eq!(events(stores, &operation).await.len(), 1);
    let count = stores.audit.audit_count(&AuditFilter::default()).await;
    assert_eq!(count.expect("a count"), 2, "a refused arrow leaves no record");
}

pub(super) async fn the_end_is_final(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let last = sample::finish(&operation, OperationState::AlreadyGone, 1);
    stores
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("ends");
    let step = sample::advance(&operation, OperationState::Running, 2);
    assert_lost(stores.actions.operation_advance(&lease, &step).await, &operation);
    assert_lost(stores.actions.operation_renew(&lease).await, &operation);
    assert_lost(stores.actions.operation_release(&lease).await, &operation);
    assert_eq!(course(stores, &operation).await, last.course);
}

pub(super) async fn finishing_twice_is_finishing_once(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let last = sample::finish(&operation, OperationState::Succeeded, 1);
    stores
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("ends");
    stores
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("has ended so");
    assert_eq!(outcomes(&*stores.audit, &operation).await, last.records);
    assert_eq!(events(stores, &operation).await.len(), 2);
}

pub(super) async fn another_end_is_refused(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let last = sample::finish(&operation, OperationState::Succeeded, 1);
    stores
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("ends");
    let other = sample::finish(&operation, OperationState::Unknown, 1);
    assert_lost(stores.actions.operation_finish(&lease, &other).await, &operation);
    assert_eq!(outcomes(&*stores.audit, &operation).await, last.records);
    assert_eq!(course(stores, &operation).await, last.course);
}

pub(super) async fn an_end_carries_exactly_one_outcome(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let good = sample::finish(&operation, OperationState::Succeeded, 1);

    let mut none = good.clone();
    none.records = vec![sample::record(&operation, AuditPhase::Attempt, 1)];
    assert_refused(stores.actions.operation_finish(&lease, &none).await);
    let mut two = good.clone();
    two.records
        .push(sample::record(&operation, AuditPhase::Outcome, 1));
    assert_refused(stores.actions.operation_finish(&lease, &two).await);
    let mut open = sample::advance(&operation, OperationState::Running, 1);
    open.records = good.records.clone();
    assert_refused(stores.actions.operation_finish(&lease, &open).await);
    assert_refused(stores.actions.operation_advance(&lease, &open).await);
    assert_refused(stores.actions.operation_advance(&lease, &good).await);

    assert_eq!(course(stores, &operation).await, operation.course);
    let count = stores.audit.audit_count(&AuditFilter::default()).await;
    assert_eq!(count.expect("a count"), 2);
    stores
        .actions
        .operation_finish(&lease, &good)
        .await
        .expect("ends");
}

pub(super) async fn an_outcome_must_be_whole(stores: &Stores) {
    let operation = sample::operation(0);
    let whole = sample::record(&operation, AuditPhase::Outcome, 1);
    type Spoil = fn(&mut AuditRecord);
    let spoils: [Spoil; 4] = [
        |it| it.outcome = None,
        |it| it.sent = None,
        |it| it.ended_by = None,
        |it| it.phase = AuditPhase::Intent,
    ];
    for spoil in spoils {
        let mut record = whole.clone();
        spoil(&mut record);
        assert_refused(stores.audit.audit_append(&record).await);
    }
    let count = stores.audit.audit_count(&AuditFilter::default()).await;
    assert_eq!(count.expect("a count"), 0);
}

pub(super) async fn open_operations_are_counted(stores: &Stores) {
    let count = async || stores.actions.operation_open_count().await.expect("a count");
    assert_eq!(count().await, 0);
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    sample::open(stores, &sample::operation(0), sample::process()).await;
    assert_eq!(count().await, 2);
    let last = sample::finish(&operation, OperationState::Succeeded, 1);
    stores
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("ends");
    assert_eq!(count().await, 1);
    let all = stores.actions.operation_count(&OperationFilter::default()).await;
    assert_eq!(all.expect("a count"), 2);
}
