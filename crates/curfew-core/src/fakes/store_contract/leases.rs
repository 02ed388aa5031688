//! Who may drive an operation.
//!
//! Not here: what a driver does with it (`course`).

use std::collections::BTreeSet;

use super::{Stores, sample};
use crate::{Lease, Operation, OperationId, OperationState, ProcessId, StoreError};

async fn claim(stores: &Stores, owner: ProcessId, limit: u32) -> Vec<(Operation, Lease)> {
    stores
        .actions
        .operation_claim(owner, limit)
        .await
        .expect("a claim")
}

async fn release(stores: &Stores, lease: &Lease) {
    stores.actions.operation_release(lease).await.expect("a release");
}

/// That nothing can be done with `lease`.
async fn assert_dead(stores: &Stores, lease: &Lease, operation: &Operation) {
    let before = stores.actions.operation_get(operation.id).await.expect("a read");
    let step = sample::advance(operation, OperationState::Running, 50);
    let last = sample::finish(operation, OperationState::Failed, 50);
    let results = [
        stores.actions.operation_advance(lease, &step).await,
        stores.actions.operation_finish(lease, &last).await,
        stores.actions.operation_renew(lease).await.map(|_| ()),
        stores.actions.operation_release(lease).await,
    ];
    for result in results {
        match result {
            Err(StoreError::LeaseLost { operation: id }) => assert_eq!(id, operation.id),
            other => panic!("the lease should be lost, not {other:?}"),
        }
    }
    let after = stores.actions.operation_get(operation.id).await.expect("a read");
    assert_eq!(before, after);
}

pub(super) async fn a_held_operation_is_not_claimed(stores: &Stores) {
    let owner = sample::process();
    sample::open(stores, &sample::operation(0), owner).await;
    assert_eq!(claim(stores, sample::process(), 9).await, []);
    assert_eq!(claim(stores, owner, 9).await, [], "not even by its owner");
}

pub(super) async fn a_released_operation_is_claimed_at_once(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    release(stores, &lease).await;
    let runner = sample::process();
    let claimed = claim(stores, runner, 9).await;
    assert_eq!(claimed.len(), 1);
    let (found, held) = &claimed[0];
    assert_eq!(*found, operation);
    assert_eq!(
        (held.operation, held.owner, held.fence),
        (operation.id, runner, 2)
    );
    assert_eq!(claim(stores, sample::process(), 9).await, []);
    assert_dead(stores, &lease, &operation).await;
    let last = sample::finish(&operation, OperationState::Failed, 1);
    stores
        .actions
        .operation_finish(held, &last)
        .await
        .expect("the runner ends it");
}

pub(super) async fn a_finished_operation_is_not_claimed(stores: &Stores) {
    sample::ended(stores, &sample::operation(0), OperationState::Succeeded, 1).await;
    assert_eq!(claim(stores, sample::process(), 9).await, []);
}

pub(super) async fn the_oldest_are_claimed_first(stores: &Stores) {
    let mut all = Vec::new();
    for seconds in [30, 10, 20, 0] {
        let operation = sample::operation(seconds);
        let lease = sample::open(stores, &operation, sample::process()).await;
        release(stores, &lease).await;
        all.push(operation);
    }
    all.sort_by_key(|operation| operation.requested_at);
    let wanted: Vec<_> = all.iter().map(|operation| operation.id).collect();
    let runner = sample::process();
    let mut got = Vec::new();
    for size in [3, 1, 0] {
        let claimed = claim(stores, runner, 3).await;
        assert_eq!(claimed.len(), size);
        got.extend(claimed.iter().map(|(operation, _)| operation.id));
    }
    assert_eq!(got, wanted);
}

pub(super) async fn two_claimers_never_get_the_same_operation(stores: &Stores) {
    for seconds in 0..24 {
        let lease = sample::open(stores, &sample::operation(seconds), sample::process()).await;
        release(stores, &lease).await;
    }
    let run = async || {
        let owner = sample::process();
        let mut got: Vec<OperationId> = Vec::new();
        // A claimer that finds all locked by others gets none, though there are some; so it asks again.
        for _ in 0..24 {
            let claimed = claim(stores, owner, 2).await;
            got.extend(claimed.iter().map(|(operation, _)| operation.id));
        }
        got
    };
    let (a, b, c, d) = tokio::join!(run(), run(), run(), run());
    let got: Vec<_> = [a, b, c, d].concat();
    assert_eq!(got.len(), 24);
    assert_eq!(got.iter().collect::<BTreeSet<_>>().len(), 24);
}

pub(super) async fn a_renewed_lease_lasts(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let renewed = stores.actions.operation_renew(&lease).await.expect("a renewal");
    assert!(renewed.until >= lease.until);
    assert_eq!((renewed.fence, renewed.owner), (lease.fence, lease.owner));
    assert_eq!(claim(stores, sample::process(), 9).await, []);
    let step = sample::advance(&operation, OperationState::Running, 1);
    stores
        .actions
        .operation_advance(&lease, &step)
        .await
        .expect("the fence counts, not the date");
}

pub(super) async fn an_old_fence_is_refused(stores: &Stores) {
    let operation = sample::operation(0);
    let owner = sample::process();
    let first = sample::open(stores, &operation, owner).await;
    release(stores, &first).await;
    // The same process once more: its own older lease is as dead as anybody's.
    let claimed = claim(stores, owner, 1).await;
    assert_eq!(claimed[0].1.fence, 2);
    assert_dead(stores, &first, &operation).await;
    stores
        .actions
        .operation_renew(&claimed[0].1)
        .await
        .expect("the new one lives");
}

pub(super) async fn another_owner_is_refused(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let forged = Lease {
        owner: sample::process(),
        ..lease
    };
    assert_dead(stores, &forged, &operation).await;
}

pub(super) async fn an_operation_that_has_gone_over_is_not_opened_again(stores: &Stores) {
    let operation = sample::operation(0);
    let owner = sample::process();
    let lease = sample::open(stores, &operation, owner).await;
    release(stores, &lease).await;
    claim(stores, sample::process(), 1).await;
    let records = sample::first_records(&operation);
    let again = stores.actions.operation_open(&operation, owner, &records).await;
    assert!(matches!(again, Err(StoreError::LeaseLost { .. })), "{again:?}");
}

pub(super) async fn an_expired_operation_is_claimed(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    let runner = sample::process();
    let claimed = claim(stores, runner, 9).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!((claimed[0].1.fence, claimed[0].1.owner), (2, runner));
    assert_dead(stores, &lease, &operation).await;
}

pub(super) async fn an_expired_lease_holds_until_somebody_claims(stores: &Stores) {
    let operation = sample::operation(0);
    let lease = sample::open(stores, &operation, sample::process()).await;
    stores
        .actions
        .operation_renew(&lease)
        .await
        .expect("nobody else has it");
    let last = sample::finish(&operation, OperationState::Succeeded, 1);
    stores
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("nobody else has it");
}
