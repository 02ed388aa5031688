//! Reading the log is itself on record, and shows no more than the caller may see.

use curfew_core::fakes::Fault;
use curfew_core::{AuditPhase, Role, Scope, Verb};
use serde_json::json;

use super::*;
use crate::testing::*;

fn query(count: bool) -> AuditQuery {
    AuditQuery {
        filter: AuditFilter::default(),
        keyset: Keyset::After(None),
        limit: 50,
        count,
        params: json!({ "ticket": "INC-4711" }),
    }
}

async fn read(house: &House, scope: Scope) -> Result<AuditPage, StoreError> {
    let auditor = caller(Role::Auditor, scope);
    let who = Authorized::ask(&*house.app.authorizer, &auditor).expect("may read the log");
    house.app.audit.page(&who, &house.request(), query(true)).await
}

#[tokio::test(start_paused = true)]
async fn a_reading_is_on_record_before_anything_is_shown() {
    let house = House::new();
    house.act(act(Verb::Logoff, &anna().id)).await.expect("it ends");
    later(1).await;
    let page = read(&house, Scope::All).await.expect("a page");
    let phases: Vec<_> = page.records.iter().map(|record| record.phase).collect();
    use AuditPhase as P;
    assert_eq!(
        phases,
        [P::Read, P::Outcome, P::Attempt, P::Intent],
        "newest first"
    );
    assert_eq!((page.total, page.more), (Some(4), false));
    let reading = &page.records[0];
    assert_eq!(reading.actor.subject, "sub-auditor");
    assert_eq!(reading.params, Some(json!({ "ticket": "INC-4711" })));
}

#[tokio::test(start_paused = true)]
async fn without_a_record_of_the_reading_nothing_is_shown() {
    let house = House::new();
    for fault in [Fault::Unavailable, Fault::CommitLost, Fault::AnswerLost] {
        house.store.fail_next("audit_append", 1, fault);
        assert!(read(&house, Scope::All).await.is_err());
    }
    assert!(!house.store.calls().contains(&"audit_page"));
}

#[tokio::test(start_paused = true)]
async fn who_is_limited_to_backends_reads_what_concerns_them() {
    let house = House::new();
    house.act(act(Verb::Logoff, &anna().id)).await.expect("it ends");
    let page = read(&house, only(&["site-a"])).await.expect("a page");
    assert!(
        page.records
            .iter()
            .all(|record| record.backend.as_deref() == Some("site-a"))
    );
    assert_eq!(page.total, Some(3));
    let page = read(&house, only(&["site-b"])).await.expect("a page");
    assert_eq!((page.records.len(), page.total), (0, Some(0)));
}
