//! The proof of a committed intent: what is on record when there is one, and when there is none.

use super::*;
use crate::fakes::backend::session;
use crate::fakes::store_contract::sample;
use crate::fakes::{Fault, MemoryStore, MockClock};
use crate::{AuditPhase, Evidence, Grant, RequestId, Role, Scope, Session};

struct House {
    store: Arc<MemoryStore>,
    ledger: Ledger,
    process: ProcessId,
}

impl House {
    fn new() -> Self {
        Self::with_lease(Duration::from_secs(15))
    }

    fn with_lease(lease: Duration) -> Self {
        let clock = Arc::new(MockClock::following_tokio());
        let store = Arc::new(MemoryStore::with_lease(clock.clone(), lease));
        let process = sample::process();
        let ledger = Ledger::new(store.clone(), clock, process, Deadlines::default());
        Self {
            store,
            ledger,
            process,
        }
    }

    fn only(&self) -> Operation {
        let mut operations = self.store.operations();
        assert_eq!(operations.len(), 1, "there is one operation");
        operations.remove(0)
    }

    fn phases(&self) -> Vec<(AuditPhase, Option<u32>)> {
        let records = self.store.records();
        records
            .iter()
            .map(|record| (record.phase, record.attempt))
            .collect()
    }

    /// Opens an operation whose driver then dies, and claims it for this process.
    async fn taken_up(&self) -> (Operation, Lease) {
        self.ledger.open(intent()).await.expect("opens");
        tokio::time::advance(Duration::from_secs(15)).await;
        let mut claimed = self
            .store
            .operation_claim(self.process, 9)
            .await
            .expect("a claim");
        claimed.pop().expect("the operation")
    }
}

fn anna() -> Session {
    session("site-a", "12", "anna", 1)
}

fn intent() -> Intent {
    Intent {
        caller: Caller {
            actor: sample::actor("help-desk"),
            roles: vec![Role::Helpdesk],
            grants: vec![Grant::role(Role::Helpdesk, Scope::All)],
        },
        request: RequestMeta {
            id: RequestId(sample::uuid()),
            source_address: None,
        },
        verb: Verb::Logoff,
        target: TargetSnapshot::of(&anna()),
        reason: Some("Frozen".to_owned()),
        ticket: Some("INC-4711".to_owned()),
    }
}

fn reply(sight: Sight) -> Reply<Sight> {
    Reply {
        value: sight,
        evidence: Evidence::default(),
    }
}

fn sighting_of(session: Session) -> Sighting {
    let id = session.id.clone();
    Sighting::of(&id, &reply(Sight::Here(Box::new(session)))).expect("it shows that generation")
}

#[tokio::test(start_paused = true)]
async fn intent_and_attempt_are_committed_before_there_is_a_right_to_send() {
    let house = House::new();
    let opened = house.ledger.open(intent()).await.expect("opens");
    assert_eq!(
        house.phases(),
        [(AuditPhase::Intent, None), (AuditPhase::Attempt, Some(1))]
    );
    assert_eq!(house.only(), opened.operation);
    assert_eq!(
        (opened.recorded.operation(), opened.recorded.attempt()),
        (opened.operation.id, 1)
    );
    assert_eq!((opened.lease.owner, opened.lease.fence), (house.process, 1));
    assert_eq!(opened.operation.course.state, OperationState::Dispatching);
    let action = opened.recorded.get();
    assert_eq!((&action.session, &action.verb), (&anna().id, &Verb::Logoff));
    assert_eq!(Some(action.not_after), opened.operation.course.deadline);
    assert!(
        house
            .store
            .records()
            .iter()
            .all(|record| record.ticket.as_deref() == Some("INC-4711"))
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_commit_there_is_no_right_to_send() {
    let house = House::new();
    for fault in [Fault::Unavailable, Fault::Refused] {
        house.store.fail_next("operation_open", 1, fault);
        let refused = house.ledger.open(intent()).await;
        assert!(matches!(refused, Err(LedgerError::Unrecorded(_))), "{refused:?}");
    }
    assert_eq!(house.store.operations(), []);
    assert_eq!(house.phases(), []);
    assert_eq!(
        house.store.calls().len(),
        2,
        "what is certain is not asked for again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_commit_whose_answer_is_lost_is_settled_as_one_operation() {
    for fault in [Fault::AnswerLost, Fault::CommitLost] {
        for times in 1..=4 {
            let house = House::new();
            house.store.fail_next("operation_open", times, fault);
            let opened = house.ledger.open(intent()).await.expect("it is settled");
            assert_eq!(house.store.operations(), [opened.operation], "{fault:?} {times}");
            assert_eq!(
                house.phases(),
                [(AuditPhase::Intent, None), (AuditPhase::Attempt, Some(1))]
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_may_have_happened_is_asked_for_even_if_the_database_then_fails_otherwise() {
    let house = House::new();
    house.store.fail_next("operation_open", 1, Fault::AnswerLost);
    house.store.fail_next("operation_open", 3, Fault::Unavailable);
    let opened = house.ledger.open(intent()).await.expect("it is settled");
    assert_eq!(house.store.operations(), [opened.operation]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_settled_names_the_operation_and_gives_no_right_to_send() {
    for (fault, there) in [(Fault::AnswerLost, 1), (Fault::CommitLost, 0)] {
        let house = House::new();
        house.store.fail_next("operation_open", 5, fault);
        match house.ledger.open(intent()).await {
            Err(LedgerError::Unsettled { lease, operation, .. }) => {
                assert_eq!(
                    (lease.operation, lease.owner, lease.fence),
                    (operation.id, house.process, 1)
                );
                let held = house.store.operations();
                assert_eq!(held.len(), there);
                assert!(held.iter().all(|it| *it == *operation));
            }
            other => panic!("it is not settled: {other:?}"),
        }
        assert_eq!(house.store.calls().len(), 5);
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_has_taken_up_meanwhile_is_not_sent() {
    let house = House::with_lease(Duration::from_millis(100));
    house.store.fail_next("operation_open", 1, Fault::AnswerLost);
    let opening = tokio::spawn({
        let ledger = house.ledger.clone();
        async move { ledger.open(intent()).await }
    });
    tokio::task::yield_now().await;
    house.store.fail_next("operation_open", 1, Fault::Unavailable);
    tokio::time::sleep(Duration::from_millis(150)).await;
    let claimed = house
        .store
        .operation_claim(sample::process(), 9)
        .await
        .expect("a claim");
    assert_eq!(
        claimed.len(),
        1,
        "the lease has run out while the database was away"
    );
    let refused = opening.await.expect("no panic");
    assert!(
        matches!(refused, Err(LedgerError::Unsettled { .. })),
        "{refused:?}"
    );
}

#[test]
fn only_a_live_read_of_the_same_generation_is_a_sighting() {
    let anna = anna();
    let later = session("site-a", "12", "bert", 2);
    let of = |sight| Sighting::of(&anna.id, &reply(sight));
    assert!(of(Sight::Here(Box::new(anna.clone()))).is_some());
    assert!(
        of(Sight::Here(Box::new(later.clone()))).is_none(),
        "an adapter's slip"
    );
    assert!(of(Sight::Replaced(Box::new(later))).is_none());
    assert!(of(Sight::Gone).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_further_attempt_is_on_record_before_there_is_a_right_to_send() {
    let house = House::new();
    let (operation, lease) = house.taken_up().await;
    let (recorded, operation) = house
        .ledger
        .retry(&lease, &operation, sighting_of(anna()))
        .await
        .expect("a further attempt");
    assert_eq!((recorded.attempt(), operation.course.attempt), (2, 2));
    assert_eq!(house.only(), operation);
    assert_eq!(house.phases().last(), Some(&(AuditPhase::Attempt, Some(2))));
    assert_eq!(Some(recorded.get().not_after), operation.course.deadline);
    assert!(
        recorded.get().not_after > operation.requested_at + TimeDelta::seconds(15),
        "a deadline of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sighting_of_another_session_gives_no_right_to_send() {
    let house = House::new();
    let (operation, lease) = house.taken_up().await;
    for other in [
        session("site-a", "13", "anna", 1),
        session("site-a", "12", "anna", 2),
    ] {
        let refused = house.ledger.retry(&lease, &operation, sighting_of(other)).await;
        assert!(
            matches!(refused, Err(LedgerError::WrongSighting(_))),
            "{refused:?}"
        );
    }
    assert_eq!(house.phases().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_the_lease_gets_no_right_to_send() {
    let house = House::new();
    let (operation, lease) = house.taken_up().await;
    tokio::time::advance(Duration::from_secs(15)).await;
    house
        .store
        .operation_claim(sample::process(), 9)
        .await
        .expect("another process claims it");
    let refused = house.ledger.retry(&lease, &operation, sighting_of(anna())).await;
    assert!(matches!(refused, Err(LedgerError::LeaseLost(_))), "{refused:?}");
    assert_eq!(house.phases().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_commit_of_a_further_attempt_there_is_no_right_to_send() {
    for fault in [Fault::Unavailable, Fault::Refused] {
        let house = House::new();
        let (operation, lease) = house.taken_up().await;
        house.store.fail_next("operation_advance", 1, fault);
        let refused = house.ledger.retry(&lease, &operation, sighting_of(anna())).await;
        assert!(matches!(refused, Err(LedgerError::Unrecorded(_))), "{refused:?}");
        assert_eq!(house.phases().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_further_attempt_whose_commit_is_in_doubt_is_settled_as_one() {
    for fault in [Fault::AnswerLost, Fault::CommitLost] {
        let house = House::new();
        let (operation, lease) = house.taken_up().await;
        house.store.fail_next("operation_advance", 2, fault);
        let (recorded, operation) = house
            .ledger
            .retry(&lease, &operation, sighting_of(anna()))
            .await
            .expect("it is settled");
        assert_eq!(
            (recorded.attempt(), house.store.operations()),
            (2, vec![operation])
        );
        let attempts = house
            .phases()
            .into_iter()
            .filter(|it| it.0 == AuditPhase::Attempt);
        assert_eq!(attempts.count(), 2, "one record for each attempt: {fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_further_attempt_that_stays_in_doubt_gives_no_right_to_send() {
    let house = House::new();
    let (operation, lease) = house.taken_up().await;
    house.store.fail_next("operation_advance", 9, Fault::AnswerLost);
    let refused = house.ledger.retry(&lease, &operation, sighting_of(anna())).await;
    assert!(matches!(refused, Err(LedgerError::Unrecorded(_))), "{refused:?}");
}
