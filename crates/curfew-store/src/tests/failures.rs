//! Databases that are away, slow, cut off or spoilt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use curfew_core::fakes::store_contract::sample;
use curfew_core::{
    ActionStore, AuditAction, AuditFilter, AuditPhase, Keyset, OperationState, StoreError, SystemClock,
};
use sqlx::{Connection, Executor, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::support;
use crate::database::Engine;
use crate::{Database, DatabaseUrl, StoreOptions};

fn assert_unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(
        matches!(result, Err(StoreError::Unavailable { .. })),
        "{result:?}"
    );
}

fn assert_commit_unknown<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(
        matches!(result, Err(StoreError::CommitUnknown { .. })),
        "{result:?}"
    );
}

/// Everything that a person may come to read of an error.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        text = format!("{text}\n{error}");
        next = error.source();
    }
    text
}

async fn assert_away(database: &Database) {
    let operation = sample::operation(0);
    let lease = curfew_core::Lease::first(operation.id, sample::process(), sample::at(0));
    let step = sample::advance(&operation, OperationState::Running, 1);
    let last = sample::finish(&operation, OperationState::Failed, 1);
    let record = sample::record(&operation, AuditPhase::Denied, 1);
    let actions = &database.actions;
    assert_unavailable(actions.ping().await);
    assert_unavailable(actions.operation_open(&operation, lease.owner, &[]).await);
    assert_unavailable(actions.operation_claim(lease.owner, 1).await);
    assert_unavailable(actions.operation_renew(&lease).await);
    assert_unavailable(actions.operation_release(&lease).await);
    assert_unavailable(actions.operation_advance(&lease, &step).await);
    assert_unavailable(actions.operation_finish(&lease, &last).await);
    assert_unavailable(actions.operation_get(operation.id).await);
    assert_unavailable(actions.operation_open_count().await);
    assert_unavailable(database.audit.audit_append(&record).await);
    assert_unavailable(
        database
            .audit
            .audit_page(&AuditFilter::default(), Keyset::After(None), 1)
            .await,
    );
}

fn quick() -> StoreOptions {
    StoreOptions {
        postgres_acquire: Duration::from_millis(300),
        sqlite_acquire: Duration::from_millis(300),
        statement: Duration::from_millis(300),
        ..StoreOptions::default()
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_no_text_holds_the_password() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("a port")
        .port();
    for query in ["", "?sslmode=disable"] {
        let url = format!("postgres://curfew:geheim@127.0.0.1:{port}/curfew{query}");
        let parsed = DatabaseUrl::parse(&url).expect("a URL");
        let database = Database::lazy(parsed, quick(), Arc::new(SystemClock));
        assert_away(&database).await;
        assert_eq!(
            database.describe(),
            format!("postgres://curfew@127.0.0.1:{port}/curfew")
        );
        let failed = Database::connect(&url, quick(), Arc::new(SystemClock))
            .await
            .expect_err("nobody there");
        let migrated = database.migrate().await.expect_err("nobody there");
        let texts = [format!("{database:?}"), whole(&failed), whole(&migrated)];
        assert!(texts.iter().all(|text| !text.contains("geheim")), "{texts:?}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_unavailable() {
    let url = "sqlite:///nonexistent/directory/curfew.db";
    let database = Database::lazy(
        DatabaseUrl::parse(url).expect("a URL"),
        quick(),
        Arc::new(SystemClock),
    );
    assert_away(&database).await;
    let failed = Database::connect(url, quick(), Arc::new(SystemClock))
        .await
        .expect_err("no directory");
    assert!(
        whole(&failed).contains("the database sqlite:///nonexistent/directory/curfew.db cannot be opened")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let test = support::sqlite().await;
    test.database
        .audit
        .audit_append(&sample::bare_record(AuditPhase::Read, AuditAction::AuditRead, 1))
        .await
        .expect("a record");
    let path = test.url.trim_start_matches("sqlite://");
    for file in [path.to_owned(), format!("{path}-wal")] {
        let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_writer_that_is_busy_elsewhere_is_unavailable_and_comes_back() {
    let test = support::sqlite().await;
    let database = Database::connect(&test.url, quick(), Arc::new(SystemClock))
        .await
        .expect("a database");
    database.actions.ping().await.expect("it answers");
    let path = test.url.trim_start_matches("sqlite://");
    let mut other = SqliteConnection::connect(path).await.expect("another process");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");

    let operation = sample::operation(0);
    let owner = sample::process();
    assert_unavailable(database.actions.operation_open(&operation, owner, &[]).await);
    assert_unavailable(database.actions.operation_open(&operation, owner, &[]).await);
    database.actions.ping().await.expect("reading goes on");
    other.execute("ROLLBACK").await.expect("the end of the lock");

    // Until the worker has noticed, its connection is not back.
    let mut tries = 0;
    while database
        .actions
        .operation_open(&operation, owner, &[])
        .await
        .is_err()
    {
        tries += 1;
        assert!(tries < 50, "the writer has not come back");
    }
    assert_eq!(
        database
            .actions
            .operation_get(operation.id)
            .await
            .expect("a read"),
        Some(operation)
    );
}

#[tokio::test]
async fn a_row_that_is_locked_elsewhere_is_unavailable() {
    let Some(test) = support::postgres().await else {
        return;
    };
    let Engine::Postgres(driver) = test.database.engine() else {
        return;
    };
    let operation = sample::operation(0);
    let lease = test
        .database
        .actions
        .operation_open(&operation, sample::process(), &[])
        .await
        .expect("opens");
    let mut connection = driver.acquire().await.expect("a connection");
    let mut other = connection.begin().await.expect("a transaction");
    other
        .execute("UPDATE operation SET fence = fence")
        .await
        .expect("the lock");
    let claimed = test.database.actions.operation_claim(sample::process(), 9).await;
    assert_eq!(claimed.expect("a claim passes locked rows over"), []);
    // lock_timeout
    assert_unavailable(test.database.actions.operation_renew(&lease).await);
    other.rollback().await.expect("the end of the lock");
    test.database
        .actions
        .operation_renew(&lease)
        .await
        .expect("a renewal");
}

/// What a proxy does with what passes.
#[derive(Clone)]
struct Line(Arc<AtomicU8>);

const OPEN: u8 = 0;
/// Nothing passes, and nobody is told.
const DEAD: u8 = 1;
/// What the client says passes, what the server says does not.
const DEAF: u8 = 2;

impl Line {
    fn set(&self, state: u8) {
        self.0.store(state, Ordering::SeqCst);
    }

    /// A proxy to `server`; gives the port it listens on.
    async fn to(server: String) -> (Self, u16) {
        let line = Self(Arc::new(AtomicU8::new(OPEN)));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("a port").port();
        let mine = line.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    return;
                };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(mine.clone().pass(from_client, to_server, DEAD));
                tokio::spawn(mine.clone().pass(from_server, to_client, DEAF));
            }
        });
        (line, port)
    }

    async fn pass(self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: u8) {
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = from.read(&mut buffer).await {
            let state = self.0.load(Ordering::SeqCst);
            let swallowed = state == DEAD || state == cut;
            if !swallowed && to.write_all(&buffer[..n]).await.is_err() {
                return;
            }
        }
    }
}

/// A store behind a line that can be cut; `None` without a server.
async fn behind_a_line() -> Option<(support::TestDatabase, Database, Line)> {
    let test = support::postgres().await?;
    let (base, name) = test.url.rsplit_once('/').expect("a database's name");
    let (scheme, authority) = base.split_once("://").expect("a scheme");
    let (login, server) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (line, port) = Line::to(server.to_owned()).await;
    let url = format!("{scheme}://{login}@127.0.0.1:{port}/{name}");
    let database = Database::connect(&url, quick(), Arc::new(SystemClock))
        .await
        .expect("a database");
    Some((test, database, line))
}

async fn open_with_patience(
    actions: &dyn ActionStore,
    operation: &curfew_core::Operation,
    owner: curfew_core::ProcessId,
    records: &[curfew_core::AuditRecord],
) -> curfew_core::Lease {
    for _ in 0..9 {
        match actions.operation_open(operation, owner, records).await {
            Ok(lease) => return lease,
            Err(StoreError::CommitUnknown { .. } | StoreError::Unavailable { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("the store has not come back");
}

#[tokio::test]
async fn a_dead_network_is_noticed_and_survived() {
    let Some((_test, database, line)) = behind_a_line().await else {
        return;
    };
    database.actions.ping().await.expect("it answers");
    line.set(DEAD);
    let operation = sample::operation(0);
    let owner = sample::process();
    let records = sample::first_records(&operation);
    // The statement may have arrived.
    assert_commit_unknown(database.actions.operation_open(&operation, owner, &records).await);
    // No new connection can be had.
    assert_unavailable(database.actions.operation_open(&operation, owner, &records).await);
    assert_unavailable(database.actions.operation_get(operation.id).await);
    line.set(OPEN);
    open_with_patience(&*database.actions, &operation, owner, &records).await;
    assert_eq!(
        database
            .actions
            .operation_get(operation.id)
            .await
            .expect("a read"),
        Some(operation)
    );
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_recognised() {
    let Some((_test, database, line)) = behind_a_line().await else {
        return;
    };
    let warm = sample::operation(0);
    let owner = sample::process();
    database
        .actions
        .operation_open(&warm, owner, &sample::first_records(&warm))
        .await
        .expect("opens");

    line.set(DEAF);
    let operation = sample::operation(0);
    let records = sample::first_records(&operation);
    assert_commit_unknown(database.actions.operation_open(&operation, owner, &records).await);
    line.set(OPEN);
    let lease = open_with_patience(&*database.actions, &operation, owner, &records).await;
    assert_eq!((lease.fence, lease.owner), (1, owner));

    let last = sample::finish(&operation, OperationState::Succeeded, 1);
    line.set(DEAF);
    assert_commit_unknown(database.actions.operation_finish(&lease, &last).await);
    line.set(OPEN);
    while database.actions.ping().await.is_err() {}
    database
        .actions
        .operation_finish(&lease, &last)
        .await
        .expect("has ended so");
    let filter = AuditFilter {
        operation: Some(operation.id),
        ..AuditFilter::default()
    };
    assert_eq!(database.audit.audit_count(&filter).await.expect("a count"), 3);
}

#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let Some(test) = support::postgres().await else {
        return;
    };
    let Engine::Postgres(driver) = test.database.engine() else {
        return;
    };
    let actions = &test.database.actions;
    tokio::join!(async { actions.ping().await.expect("up") }, async {
        actions.ping().await.expect("up");
    });
    let mut axe = driver.unlimited().await.expect("a connection");
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    axe.execute(kill).await.expect("a kill");
    let operation = sample::operation(0);
    let records = sample::first_records(&operation);
    open_with_patience(&**actions, &operation, sample::process(), &records).await;
    let count = test.database.audit.audit_count(&AuditFilter::default()).await;
    assert_eq!(count.expect("a count"), 2);
}

#[tokio::test]
async fn a_spoilt_row_is_named_and_does_not_hide_the_others() {
    let test = support::sqlite().await;
    let stores = support::stores(test);
    let test: &support::TestDatabase = stores.keep.downcast_ref().expect("the database");
    let Engine::Sqlite(driver) = test.database.engine() else {
        return;
    };
    let spoilt = sample::operation(0);
    let good = sample::operation(1);
    for operation in [&spoilt, &good] {
        let lease = sample::open(&stores, operation, sample::process()).await;
        stores.actions.operation_release(&lease).await.expect("a release");
    }
    let spoil = sqlx::query("UPDATE operation SET evidence = '{' WHERE id = $1").bind(spoilt.id.0);
    spoil
        .execute(&mut *driver.writer().await.expect("the writer"))
        .await
        .expect("a change");
    match stores.actions.operation_get(spoilt.id).await {
        Err(StoreError::Inconsistent { table, column, id }) => {
            assert_eq!(
                (table, column, id),
                ("operation", "evidence", spoilt.id.to_string())
            );
        }
        other => panic!("{other:?}"),
    }
    let claimed = stores
        .actions
        .operation_claim(sample::process(), 9)
        .await
        .expect("a claim");
    assert_eq!(claimed.iter().map(|(it, _)| it.id).collect::<Vec<_>>(), [good.id]);

    let copy = "INSERT INTO audit_record (recorded_at, id, code, phase, action, actor_issuer, actor_subject, \
                actor_name, request_id, target, evidence, params, actor_subject_key, actor_name_key) \
                SELECT '2027-01-01T00:00:00+00:00', id, code, phase, action, actor_issuer, actor_subject, \
                actor_name, request_id, '{', '7', 'x', actor_subject_key, actor_name_key \
                FROM audit_record WHERE phase = 'INTENT' LIMIT 1";
    driver
        .writer()
        .await
        .expect("the writer")
        .execute(copy)
        .await
        .expect("a row");
    let page = stores
        .audit
        .audit_page(&AuditFilter::default(), Keyset::After(None), 9)
        .await;
    let rows = page.expect("the others can be read").rows;
    assert_eq!(rows.len(), 5);
    assert_eq!(
        (&rows[0].target, &rows[0].evidence, &rows[0].params),
        (&None, &None, &None)
    );
    assert_eq!(rows[0].phase, AuditPhase::Intent);
}
