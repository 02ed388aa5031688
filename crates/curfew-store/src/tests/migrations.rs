//! The two schemas agree, and every statement fits them.

use std::collections::BTreeSet;

use curfew_core::fakes::store_contract::sample;
use curfew_core::{AuditPhase, Lease, OperationState};
use sqlx::postgres::PgTypeInfo;
use sqlx::{Executor, Postgres, Row, SqlSafeStr, Type};

use super::support;
use crate::database::{self, Engine};
use crate::params::{self, Param};
use crate::{MigrationStatus, sql};

/// (table, column, declared type, may be null)
type Declared = (String, String, String, bool);

/// (table, column, kind, may be null)
type Column = (String, String, &'static str, bool);

/// What one database has and the other has not, or has in another way, and why that is right.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "audit_record_append_only",
        "one trigger for UPDATE and DELETE; SQLite wants one each",
    ),
    ("audit_record_no_truncate", "SQLite has no TRUNCATE"),
    ("audit_record_no_update", "see audit_record_append_only"),
    ("audit_record_no_delete", "see audit_record_append_only"),
];

fn kind(declared: &str) -> &'static str {
    match declared.to_lowercase().as_str() {
        "bigint" | "integer" => "whole number",
        "uuid" | "blob" => "UUID",
        "text" | "timestamp with time zone" | "jsonb" => "text, instant or JSON",
        other => panic!("{other} is no type for both databases"),
    }
}

const COLUMNS_OF_POSTGRES: &str = "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), CAST(data_type AS TEXT), \
     is_nullable = 'YES' FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'";
const COLUMNS_OF_SQLITE: &str = "SELECT t.name, c.name, c.type, c.\"notnull\" = 0 AND c.pk = 0 \
     FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name <> '_sqlx_migrations'";
const NAMES_OF_POSTGRES: &str = "SELECT CAST(indexname AS TEXT) FROM pg_indexes WHERE schemaname = 'public' \
     AND indexname NOT LIKE '%_pkey' UNION ALL SELECT CAST(tgname AS TEXT) FROM pg_trigger WHERE NOT tgisinternal";
const NAMES_OF_SQLITE: &str =
    "SELECT name FROM sqlite_master WHERE type IN ('index', 'trigger') AND name NOT LIKE 'sqlite_%'";

/// Columns, and the names of indexes and triggers.
async fn shape(engine: &Engine) -> (BTreeSet<Column>, BTreeSet<String>) {
    let (columns, names): (Vec<Declared>, Vec<String>) = match engine {
        Engine::Sqlite(driver) => {
            let mut writer = driver.writer().await.expect("the writer");
            let columns = sqlx::query_as(COLUMNS_OF_SQLITE).fetch_all(&mut *writer).await;
            let names = sqlx::query_scalar(NAMES_OF_SQLITE).fetch_all(&mut *writer).await;
            (columns.expect("columns"), names.expect("names"))
        }
        Engine::Postgres(driver) => {
            let mut connection = driver.acquire().await.expect("a connection");
            let columns = sqlx::query_as(COLUMNS_OF_POSTGRES)
                .fetch_all(&mut *connection)
                .await;
            let names = sqlx::query_scalar(NAMES_OF_POSTGRES)
                .fetch_all(&mut *connection)
                .await;
            (columns.expect("columns"), names.expect("names"))
        }
    };
    let columns = columns
        .into_iter()
        .map(|(table, column, declared, null)| (table, column, kind(&declared), null));
    (columns.collect(), names.into_iter().collect())
}

#[test]
fn both_folders_hold_the_same_versions() {
    let list = |migrator: &sqlx::migrate::Migrator| {
        let all = migrator.iter().map(|it| (it.version, it.description.to_string()));
        all.collect::<Vec<_>>()
    };
    assert_eq!(list(&database::POSTGRES), list(&database::SQLITE));
    assert!(!list(&database::SQLITE).is_empty());
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let sqlite = support::sqlite().await;
    let Some(postgres) = support::postgres().await else {
        return;
    };
    let (one, mut names) = shape(sqlite.database.engine()).await;
    let (other, other_names) = shape(postgres.database.engine()).await;
    assert_eq!(one, other);
    let tables: BTreeSet<_> = one.iter().map(|(table, ..)| table.as_str()).collect();
    assert_eq!(
        tables,
        BTreeSet::from(["audit_record", "operation", "operation_event"])
    );
    names = &names ^ &other_names;
    for (name, _) in EXCEPTIONS {
        assert!(names.remove(*name), "{name} is no exception any more");
    }
    assert_eq!(names, BTreeSet::new());
}

/// Every change with what is bound to it.
fn changes(
    all: &sql::Changes,
    until: &Param<'static>,
    now: Option<&Param<'static>>,
) -> Vec<(sql::Change, Vec<Param<'static>>)> {
    let own = |params: Vec<Param<'_>>| params.into_iter().map(Param::into_owned).collect::<Vec<_>>();
    let operation = sample::operation(0);
    let lease = Lease::first(operation.id, sample::process(), sample::at(0));
    let step = sample::advance(&operation, OperationState::Running, 1);
    let mut open = own(params::operation(&operation).expect("parameters"));
    open.extend([lease.owner.0.into(), until.clone()]);
    let step = own(params::step(&lease, &step).expect("parameters"));
    let mut record = Vec::new();
    let denied = sample::record(&operation, AuditPhase::Denied, 1);
    params::record(&mut record, &denied).expect("parameters");
    let record = own(record);

    let mut pairs = Vec::new();
    for (group, head) in [(&all.open, &open), (&all.advance, &step), (&all.finish, &step)] {
        for (n, change) in group.iter().enumerate() {
            pairs.push((*change, [head.clone(), vec![record.clone(); n].concat()].concat()));
        }
    }
    let settled = vec![operation.id.0.into(), sample::at(0).into()];
    pairs.push((all.resolve, [settled, record.clone()].concat()));
    let mut claim = vec![lease.owner.0.into(), until.clone(), 5.into()];
    claim.extend(now.cloned());
    pairs.push((all.claim, claim));
    pairs.push((
        all.renew,
        [own(params::held(&lease)), vec![until.clone()]].concat(),
    ));
    pairs.push((all.release, own(params::held(&lease))));
    pairs.push((all.append, record));
    pairs
}

/// How many parameters a text has, if none is left out.
fn parameters(text: &str) -> usize {
    let has = |n: usize| {
        let name = format!("${n}");
        let mut places = text.match_indices(&name).map(|(at, found)| at + found.len());
        places.any(|end| !text[end..].starts_with(|next: char| next.is_ascii_digit()))
    };
    (1..).take_while(|n| has(*n)).count()
}

#[tokio::test]
async fn every_statement_can_be_prepared_and_gets_what_it_wants() {
    for test in support::each().await {
        match test.database.engine() {
            Engine::Sqlite(driver) => {
                let until = Param::from(sample::at(0));
                for (change, params) in changes(&sql::SQLITE, &until, Some(&until)) {
                    let whole = [&[change.first], change.rest].concat().join(" ");
                    // SQLite takes a missing parameter for NULL, so they are counted.
                    assert_eq!(parameters(&whole), params.len(), "{whole}");
                    for text in [&[change.first], change.rest].concat() {
                        let prepared = driver
                            .writer()
                            .await
                            .expect("the writer")
                            .prepare(text.into_sql_str())
                            .await;
                        prepared.unwrap_or_else(|error| panic!("{text}: {error}"));
                    }
                }
                for text in sql::READS {
                    let prepared = driver
                        .writer()
                        .await
                        .expect("the writer")
                        .prepare(text.into_sql_str())
                        .await;
                    prepared.unwrap_or_else(|error| panic!("{text}: {error}"));
                }
            }
            Engine::Postgres(driver) => {
                let mut connection = driver.acquire().await.expect("a connection");
                for (change, params) in changes(&sql::POSTGRES, &Param::Seconds(15.0), None) {
                    assert_eq!(parameters(change.first), params.len(), "{}", change.first);
                    let types: Vec<PgTypeInfo> = params.iter().map(postgres_type).collect();
                    let prepared = connection.prepare_with(change.first.into_sql_str(), &types).await;
                    prepared.unwrap_or_else(|error| panic!("{}: {error}", change.first));
                    assert!(
                        change.rest.is_empty(),
                        "a change is one statement here, or it is not one transaction"
                    );
                }
                for text in sql::READS {
                    let prepared = connection.prepare(text.into_sql_str()).await;
                    prepared.unwrap_or_else(|error| panic!("{text}: {error}"));
                }
            }
        }
    }
}

fn postgres_type(param: &Param<'_>) -> PgTypeInfo {
    match param {
        Param::Uuid(_) => <uuid::Uuid as Type<Postgres>>::type_info(),
        Param::Text(_) => <String as Type<Postgres>>::type_info(),
        Param::Int(_) => <i64 as Type<Postgres>>::type_info(),
        Param::Time(_) => <curfew_core::Timestamp as Type<Postgres>>::type_info(),
        Param::Json(_) => <sqlx::types::Json<()> as Type<Postgres>>::type_info(),
        Param::Seconds(_) => <f64 as Type<Postgres>>::type_info(),
    }
}

#[tokio::test]
async fn the_status_tells_what_is_pending_unknown_and_changed() {
    let mut all = vec![support::empty_sqlite(std::time::Duration::ZERO).await];
    all.extend(support::empty_postgres(std::time::Duration::ZERO).await);
    for test in all {
        let database = &test.database;
        let versions: Vec<i64> = database::SQLITE.iter().map(|it| it.version).collect();
        let status = database.migration_status().await.expect("a status");
        assert_eq!(status.pending, versions);
        assert!(!status.is_current());

        database.migrate().await.expect("the migrations apply");
        database
            .migrate()
            .await
            .expect("a second time there is nothing to do");
        let status = database.migration_status().await.expect("a status");
        assert_eq!(
            status,
            MigrationStatus {
                applied: versions.clone(),
                ..MigrationStatus::default()
            }
        );
        assert!(status.is_current());

        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     SELECT 9999, 'to come', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        match database.engine() {
            Engine::Sqlite(driver) => {
                driver
                    .writer()
                    .await
                    .expect("the writer")
                    .execute(newer)
                    .await
                    .expect("a row");
                let change = "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1";
                driver
                    .writer()
                    .await
                    .expect("the writer")
                    .execute(change)
                    .await
                    .expect("a row");
            }
            Engine::Postgres(driver) => {
                driver
                    .acquire()
                    .await
                    .expect("a connection")
                    .execute(newer)
                    .await
                    .expect("a row");
                let change = "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1";
                driver
                    .acquire()
                    .await
                    .expect("a connection")
                    .execute(change)
                    .await
                    .expect("a row");
            }
        }
        let status = database.migration_status().await.expect("a status");
        assert_eq!(
            (&status.unknown[..], &status.changed[..]),
            (&[9999][..], &[1][..])
        );
        assert!(!status.is_current());
        assert!(
            status.to_string().contains("unknown: [9999], changed: [1]"),
            "{status}"
        );
        database
            .migrate()
            .await
            .expect_err("a database that is newer is left alone");
    }
}

#[tokio::test]
async fn gateways_that_migrate_together_wait_for_each_other() {
    let Some(test) = support::empty_postgres(std::time::Duration::ZERO).await else {
        return;
    };
    let (a, b, c) = tokio::join!(
        test.database.migrate(),
        test.database.migrate(),
        test.database.migrate()
    );
    for done in [a, b, c] {
        done.expect("the migrations apply once");
    }
}

#[tokio::test]
async fn the_claim_uses_its_index() {
    let Some(test) = support::postgres().await else {
        return;
    };
    let Engine::Postgres(driver) = test.database.engine() else {
        return;
    };
    let mut connection = driver.acquire().await.expect("a connection");
    connection
        .execute("SET enable_seqscan = off")
        .await
        .expect("a setting");
    let explain = "EXPLAIN SELECT id FROM operation WHERE finished_at IS NULL AND (lease_until IS NULL OR \
                   lease_until <= clock_timestamp()) ORDER BY requested_at, id LIMIT 5 FOR UPDATE SKIP LOCKED";
    let plan = sqlx::query(explain)
        .fetch_all(&mut *connection)
        .await
        .expect("a plan");
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(plan.join("\n").contains("operation_unfinished"), "{plan:?}");
}
