//! What the tables themselves refuse, and the rights that suffice.

use std::sync::Arc;

use curfew_core::fakes::store_contract::{Stores, sample};
use curfew_core::{AuditFilter, AuditPhase, Keyset, OperationState, SystemClock};
use sqlx::Executor;

use super::support::{self, TestDatabase};
use crate::database::Engine;
use crate::testing::made_here;

/// Runs a statement past the store; gives the database's refusal.
async fn direct(test: &TestDatabase, text: &'static str) -> Result<u64, String> {
    let done = match test.database.engine() {
        Engine::Sqlite(driver) => driver
            .writer()
            .await
            .expect("the writer")
            .execute(text)
            .await
            .map(|done| done.rows_affected()),
        Engine::Postgres(driver) => driver
            .acquire()
            .await
            .expect("a connection")
            .execute(text)
            .await
            .map(|done| done.rows_affected()),
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
                assert_refused(
                    &test,
                    "TRUNCATE operation CASCADE; TRUNCATE audit_record",
                    refused,
                )
                .await;
                let replica = "SET session_replication_role = replica; DELETE FROM audit_record";
                assert_refused(&test, replica, refused).await;
            }
        }
        let page = test
            .database
            .audit
            .audit_page(&AuditFilter::default(), Keyset::After(None), 9)
            .await;
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
        let refusal = direct(test, orphan)
            .await
            .expect_err("events hold their operation")
            .to_lowercase();
        assert!(refusal.contains("foreign key"), "{refusal}");
    }
}

/// What `migrations/README.md` grants the gateway's role is enough, and no more than it says.
#[tokio::test]
async fn the_gateway_works_with_the_rights_of_the_readme() {
    let Some(test) = support::postgres().await else {
        return;
    };
    let Engine::Postgres(owner) = test.database.engine() else {
        return;
    };
    let role = format!("curfew_app_{}", sample::uuid().simple());
    let readme = include_str!("../../../../migrations/README.md");
    let grants = readme
        .lines()
        .filter(|line| line.starts_with("GRANT") && line.contains(" TO curfew_app;"));
    let mut setup = format!("CREATE ROLE {role} LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC;");
    for grant in grants {
        setup.push_str(&grant.replace("curfew_app;", &format!("{role};\n")));
    }
    owner
        .acquire()
        .await
        .expect("a connection")
        .execute(made_here(setup))
        .await
        .expect("a role");

    let url = support::with_role(&test.url, &role);
    let database =
        crate::Database::connect(&url, crate::StoreOptions::default(), Arc::new(SystemClock)).await;
    let database = database.expect("the role may connect");
    assert!(database.migration_status().await.expect("a status").is_current());
    let stores = Stores {
        actions: Arc::clone(&database.actions),
        audit: Arc::clone(&database.audit),
        keep: Box::new(()),
    };
    let operation = sample::operation(0);
    let lease = sample::open(&stores, &operation, sample::process()).await;
    stores.actions.operation_release(&lease).await.expect("a release");
    let claimed = stores
        .actions
        .operation_claim(sample::process(), 1)
        .await
        .expect("a claim");
    let last = sample::finish(&operation, OperationState::Unknown, 1);
    stores
        .actions
        .operation_finish(&claimed[0].1, &last)
        .await
        .expect("an end");
    let record = sample::record(&operation, AuditPhase::Resolution, 2);
    let settled = stores
        .actions
        .operation_resolve(operation.id, sample::at(2), &record)
        .await;
    assert!(settled.expect("a write"));
    assert_eq!(
        stores
            .audit
            .audit_count(&AuditFilter::default())
            .await
            .expect("a count"),
        4
    );

    let Engine::Postgres(gateway) = database.engine() else {
        return;
    };
    for text in [
        "UPDATE audit_record SET reason = NULL",
        "DELETE FROM audit_record",
        "TRUNCATE audit_record",
        "DELETE FROM operation_event",
        "DELETE FROM operation",
        "DROP TABLE audit_record",
        "CREATE TABLE other (id BIGINT)",
    ] {
        let refusal = gateway
            .acquire()
            .await
            .expect("a connection")
            .execute(text)
            .await
            .expect_err(text)
            .to_string();
        assert!(
            refusal.contains("permission denied") || refusal.contains("must be owner"),
            "{refusal}"
        );
    }
    database.close().await;
    let teardown = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    owner
        .acquire()
        .await
        .expect("a connection")
        .execute(made_here(teardown))
        .await
        .expect("the role is gone");
}
