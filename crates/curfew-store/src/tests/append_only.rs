use curfew_core::fakes::store_contract::sample;
use curfew_core::{AuditFilter, AuditPhase, Keyset, OperationState};
use sqlx::Executor;

use super::support::{self, TestDatabase};
use crate::database::Engine;

/// Runs a statement past the store; gives the database's refusal.
async fn direct(test: &TestDatabase, text: &'static str) -> Result<u64, String> {
    let done = match test.database.engine() {
        Engine::Sqlite(driver) => driver.writer().execute(text).await.map(|done| done.rows_affected()),
        Engine::Postgres(driver) => driver.pool().execute(text).await.map(|done| done.rows_affected()),
    };
    done.map_err(|error| error.to_string())
}

async fn assert_refused(test: &TestDatabase, text: &'static str, because: &str) {
    let refusal = direct(test, text).await.expect_err(text);
    assert!(refusal.contains(because), "{text}: {refusal}");
}

#[tokio::test]
async fn a_record_cannot_be_changed_or_removed() {
    for test in support::each().await {
        let record = sample::record(&sample::operation(0), AuditPhase::Denied, 1);
        test.database.audit.audit_append(&record).await.expect("a record");
        let refused = "audit_record is append-only";
        assert_refused(&test, "UPDATE audit_record SET reason = 'other'", refused).await;
        assert_refused(&test, "DELETE FROM audit_record", refused).await;
        let upsert = "INSERT INTO audit_record SELECT * FROM audit_record WHERE 1 = 1 \
                      ON CONFLICT (recorded_at, id) DO UPDATE SET reason = 'other'";
        assert_refused(&test, upsert, refused).await;
        match test.database.engine() {
            Engine::Sqlite(_) => {
                let replace = "INSERT OR REPLACE INTO audit_record SELECT * FROM audit_record";
                assert_refused(&test, replace, refused).await;
            }
            Engine::Postgres(_) => {
                assert_refused(&test, "TRUNCATE audit_record", refused).await;
                assert_refused(&test, "TRUNCATE operation CASCADE; TRUNCATE audit_record", refused).await;
                let replica = "SET session_replication_role = replica; DELETE FROM audit_record";
                assert_refused(&test, replica, refused).await;
            }
        }
        let page = test.database.audit.audit_page(&AuditFilter::default(), Keyset::After(None), 9).await;
        assert_eq!(page.expect("a page").rows, [record]);
    }
}

#[tokio::test]
async fn the_tables_refuse_what_no_operation_can_be() {
    for test in support::each().await {
        let stores = support::stores(test);
        let test: &TestDatabase = stores.keep.downcast_ref().expect("the database");
        sample::open(&stores, &sample::operation(0), sample::process()).await;
        for text in [
            "UPDATE operation SET state = 'SUCCEEDED'",
            "UPDATE operation SET state = 'DONE'",
            "UPDATE operation SET sent = 'MAYBE'",
            "UPDATE operation SET action = 'KILL'",
            "UPDATE operation SET finished_at = requested_at, ended_by = 'REQUEST'",
            "UPDATE operation SET finished_at = requested_at, state = 'FAILED', lease_owner = NULL, lease_until = NULL",
            "UPDATE operation SET resolved_at = requested_at",
            "UPDATE operation SET fence = 0",
            "UPDATE operation SET attempt = 0",
            "UPDATE operation SET lease_owner = NULL",
            "UPDATE operation SET progress_percent = 101",
        ] {
            assert_refused(test, text, "constraint").await;
        }
        let ended = sample::operation(0);
        sample::ended(&stores, &ended, OperationState::Failed, 5).await;
        let orphan = "DELETE FROM operation";
        let refusal = direct(test, orphan).await.expect_err("events hold their operation").to_lowercase();
        assert!(refusal.contains("foreign key"), "{refusal}");
    }
}
