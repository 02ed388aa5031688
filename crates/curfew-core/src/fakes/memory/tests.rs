//! The in-memory store keeps the contract, and breaks when it is told to.

use std::sync::Arc;

use super::*;
use crate::fakes::MockClock;
use crate::fakes::store_contract::{self, Stores, sample};

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(Arc::new(MockClock::default())))
}

#[tokio::test]
async fn the_store_in_memory_keeps_the_contract() {
    store_contract::run(async |lease| {
        let store = Arc::new(MemoryStore::with_lease(Arc::new(MockClock::default()), lease));
        Stores {
            actions: Arc::clone(&store) as _,
            audit: store,
            keep: Box::new(()),
        }
    })
    .await;
}

#[tokio::test]
async fn a_lease_runs_out_by_the_clock() {
    let clock = Arc::new(MockClock::default());
    let store = MemoryStore::new(Arc::clone(&clock) as _);
    let operation = sample::operation(0);
    store
        .operation_open(&operation, sample::process(), &[])
        .await
        .expect("opens");
    clock.advance(Duration::from_secs(14));
    assert_eq!(
        store
            .operation_claim(sample::process(), 9)
            .await
            .expect("a claim"),
        []
    );
    clock.advance(Duration::from_secs(1));
    assert_eq!(
        store
            .operation_claim(sample::process(), 9)
            .await
            .expect("a claim")
            .len(),
        1
    );
}

#[tokio::test]
async fn a_lost_answer_has_been_committed_and_a_lost_commit_has_not() {
    let store = store();
    let operation = sample::operation(0);
    let records = sample::first_records(&operation);
    for (fault, there) in [(Fault::CommitLost, 0), (Fault::AnswerLost, 1)] {
        store.fail_next("operation_open", 1, fault);
        let opened = store
            .operation_open(&operation, sample::process(), &records)
            .await;
        assert!(matches!(opened, Err(StoreError::CommitUnknown { .. })));
        assert_eq!(store.operations().len(), there);
        assert_eq!(store.records().len(), there * 2);
    }
}

#[tokio::test]
async fn faults_hit_the_calls_they_were_planned_for() {
    let store = store();
    store.fail_nth_call(2, Fault::Unavailable);
    store.ping().await.expect("the first passes");
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable { .. })));
    store.ping().await.expect("the third passes");

    store.fail_from_call(2, Fault::Refused);
    store.ping().await.expect("the first passes");
    for _ in 0..3 {
        assert!(matches!(
            store.operation_open_count().await,
            Err(StoreError::Refused { .. })
        ));
    }
    store.heal();
    store.fail_next("ping", 1, Fault::Unavailable);
    store.operation_open_count().await.expect("another method passes");
    assert!(store.ping().await.is_err());
    store.ping().await.expect("it was only once");
    assert_eq!(store.calls().len(), 10);
}
