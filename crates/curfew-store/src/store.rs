//! Both ports, each method once for both databases.
//!
//! Not here: connections and transactions (`postgres`, `sqlite`) and SQL (`sql`, `filter`).
//! Invariant: each method that writes makes exactly one [`Change`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use curfew_core::{
    ActionStore, AuditFilter, AuditLog, AuditPhase, AuditRecord, Keyset, Lease, Move, Operation,
    OperationEvent, OperationFilter, OperationId, ProcessId, RecordPage, StoreError, Timestamp,
};
use tokio::time::Instant;

use crate::filter::{self, Query};
use crate::params::{self, Param};
use crate::rows::{AnyRow, AuditRow, CountRow, EventRow, IdRow, LeaseRow, OperationRow};
use crate::sql::{self, Change, Changes};
use crate::{error, options::StoreOptions};

/// What differs between databases.
pub(crate) trait Driver: Send + Sync + 'static {
    /// The changes as this database wants them.
    const CHANGES: &'static Changes;

    /// The end of a lease that begins now, as the statements want it.
    fn until(&self, lease: Duration) -> Param<'static>;

    /// The present instant, where the statements want to be told it.
    fn now(&self) -> Option<Param<'static>>;

    /// Commits a change; gives the rows of its first statement, and none if it did not apply.
    fn change<T: AnyRow>(
        &self,
        change: &Change,
        params: Vec<Param<'_>>,
    ) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send;

    /// Reads rows.
    fn read<T: AnyRow>(&self, query: Query<'_>) -> impl Future<Output = Result<Vec<T>, StoreError>> + Send;
}

/// Storage on one database.
pub(crate) struct Store<D> {
    driver: Arc<D>,
    lease: Duration,
}

impl<D: Driver> Store<D> {
    pub fn new(driver: Arc<D>, options: &StoreOptions) -> Self {
        Self {
            driver,
            lease: options.lease,
        }
    }

    async fn lease_of(&self, id: OperationId) -> Result<Option<Lease>, StoreError> {
        let rows: Vec<LeaseRow> = self
            .driver
            .read(Query::Fixed(sql::LEASE, vec![id.0.into()]))
            .await?;
        Ok(rows.first().and_then(|row| row.lease(id)))
    }

    async fn count(&self, query: Query<'_>) -> Result<u64, StoreError> {
        let rows: Vec<CountRow> = self.driver.read(query).await?;
        Ok(rows
            .first()
            .and_then(|row| u64::try_from(row.count).ok())
            .unwrap_or(0))
    }

    /// Whether exactly this outcome of this operation is on record.
    async fn is_recorded(&self, id: OperationId, record: &AuditRecord) -> Result<bool, StoreError> {
        let params = vec![record.recorded_at.into(), record.id.0.into(), id.0.into()];
        Ok(self.count(Query::Fixed(sql::RECORD_PRESENT, params)).await? > 0)
    }
}

/// Measures a method.
async fn timed<T>(
    method: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    let result = work.await;
    metrics::histogram!("curfew_store_seconds", "method" => method).record(begun.elapsed().as_secs_f64());
    result
}

/// A change that its caller must not ask for.
#[derive(Debug, thiserror::Error)]
enum Misuse {
    #[error("a change carries at most {} audit records", sql::MAX_RECORDS)]
    TooManyRecords,
    #[error("the last arrow leads to a final state and carries exactly one OUTCOME")]
    NotAnEnd,
    #[error("an arrow that is not the last leads to no final state and carries no OUTCOME")]
    AnEnd,
}

fn pick<'a>(
    changes: &'static [Change; sql::MAX_RECORDS + 1],
    records: &'a [AuditRecord],
    params: &mut Vec<Param<'a>>,
) -> Result<&'static Change, StoreError> {
    for record in records {
        params::record(params, record)?;
    }
    changes
        .get(records.len())
        .ok_or_else(|| error::refused(Misuse::TooManyRecords))
}

fn outcomes(step: &Move) -> impl Iterator<Item = &AuditRecord> {
    step.records
        .iter()
        .filter(|record| record.phase == AuditPhase::Outcome)
}

fn lost(lease: &Lease) -> StoreError {
    StoreError::LeaseLost {
        operation: lease.operation,
    }
}

/// Rows in the direction of paging, one more than asked for if there are more, as a page that is newest first.
fn page<R, T>(mut rows: Vec<R>, keyset: Keyset, limit: u32) -> Result<RecordPage<T>, StoreError>
where
    T: TryFrom<R, Error = StoreError>,
{
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    if matches!(keyset, Keyset::Before(_)) {
        rows.reverse();
    }
    let rows = rows.into_iter().map(T::try_from).collect::<Result<_, _>>()?;
    Ok(RecordPage { rows, more })
}

fn all<R, T>(rows: Vec<R>) -> Result<Vec<T>, StoreError>
where
    T: TryFrom<R, Error = StoreError>,
{
    rows.into_iter().map(T::try_from).collect()
}

#[async_trait]
impl<D: Driver> ActionStore for Store<D> {
    async fn operation_open(
        &self,
        operation: &Operation,
        owner: ProcessId,
        records: &[AuditRecord],
    ) -> Result<Lease, StoreError> {
        timed("operation_open", async {
            let mut params = params::operation(operation)?;
            params.push(owner.0.into());
            params.push(self.driver.until(self.lease));
            let change = pick(&D::CHANGES.open, records, &mut params)?;
            let rows: Vec<LeaseRow> = self.driver.change(change, params).await?;
            let lease = match rows.first() {
                Some(row) => row.lease(operation.id),
                // It was there: this is a repeated call, or the operation has gone to another owner since.
                None => self.lease_of(operation.id).await?,
            };
            lease
                // With a later fence somebody has claimed it since, be it this process itself.
                .filter(|lease| lease.owner == owner && lease.fence == 1)
                .ok_or(StoreError::LeaseLost {
                    operation: operation.id,
                })
        })
        .await
    }

    async fn operation_claim(
        &self,
        owner: ProcessId,
        limit: u32,
    ) -> Result<Vec<(Operation, Lease)>, StoreError> {
        timed("operation_claim", async {
            let mut params = vec![
                owner.0.into(),
                self.driver.until(self.lease),
                i64::from(limit).into(),
            ];
            params.extend(self.driver.now());
            let rows: Vec<OperationRow> = self.driver.change(&D::CHANGES.claim, params).await?;
            let mut claimed = Vec::with_capacity(rows.len());
            for row in rows {
                let lease = row.lease();
                // One row that cannot be read must not keep the others from being driven to their end.
                match (Operation::try_from(row), lease) {
                    (Ok(operation), Some(lease)) => claimed.push((operation, lease)),
                    (Ok(_), None) => {}
                    (Err(error), _) => tracing::error!(%error, "An operation cannot be taken over"),
                }
            }
            // UPDATE .. RETURNING gives no order.
            claimed.sort_by_key(|(operation, _)| (operation.requested_at, operation.id));
            Ok(claimed)
        })
        .await
    }

    async fn operation_renew(&self, lease: &Lease) -> Result<Lease, StoreError> {
        timed("operation_renew", async {
            let mut params = params::held(lease);
            params.push(self.driver.until(self.lease));
            let rows: Vec<LeaseRow> = self.driver.change(&D::CHANGES.renew, params).await?;
            rows.first()
                .and_then(|row| row.lease(lease.operation))
                .ok_or_else(|| lost(lease))
        })
        .await
    }

    async fn operation_release(&self, lease: &Lease) -> Result<(), StoreError> {
        timed("operation_release", async {
            let rows: Vec<LeaseRow> = self
                .driver
                .change(&D::CHANGES.release, params::held(lease))
                .await?;
            rows.first().map(|_| ()).ok_or_else(|| lost(lease))
        })
        .await
    }

    async fn operation_advance(&self, lease: &Lease, step: &Move) -> Result<(), StoreError> {
        timed("operation_advance", async {
            if step.course.state.is_final() || outcomes(step).next().is_some() {
                return Err(error::refused(Misuse::AnEnd));
            }
            let mut params = params::step(lease, step)?;
            let change = pick(&D::CHANGES.advance, &step.records, &mut params)?;
            let rows: Vec<LeaseRow> = self.driver.change(change, params).await?;
            rows.first().map(|_| ()).ok_or_else(|| lost(lease))
        })
        .await
    }

    async fn operation_finish(&self, lease: &Lease, step: &Move) -> Result<(), StoreError> {
        timed("operation_finish", async {
            let mut outcomes = outcomes(step);
            let (Some(outcome), None, true) =
                (outcomes.next(), outcomes.next(), step.course.state.is_final())
            else {
                return Err(error::refused(Misuse::NotAnEnd));
            };
            let mut params = params::step(lease, step)?;
            let change = pick(&D::CHANGES.finish, &step.records, &mut params)?;
            let rows: Vec<LeaseRow> = self.driver.change(change, params).await?;
            if rows.is_empty() && !self.is_recorded(lease.operation, outcome).await? {
                return Err(lost(lease));
            }
            Ok(())
        })
        .await
    }

    async fn operation_unresolved(&self, since: Timestamp, limit: u32) -> Result<Vec<Operation>, StoreError> {
        timed("operation_unresolved", async {
            let params = vec![since.into(), i64::from(limit).into()];
            let rows: Vec<OperationRow> = self.driver.read(Query::Fixed(sql::UNRESOLVED, params)).await?;
            all(rows)
        })
        .await
    }

    async fn operation_resolve(
        &self,
        id: OperationId,
        at: Timestamp,
        record: &AuditRecord,
    ) -> Result<bool, StoreError> {
        timed("operation_resolve", async {
            let mut params = vec![id.0.into(), at.into()];
            params::record(&mut params, record)?;
            let rows: Vec<LeaseRow> = self.driver.change(&D::CHANGES.resolve, params).await?;
            Ok(!rows.is_empty())
        })
        .await
    }

    async fn operation_get(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        timed("operation_get", async {
            let rows: Vec<OperationRow> = self
                .driver
                .read(Query::Fixed(sql::GET, vec![id.0.into()]))
                .await?;
            rows.into_iter().next().map(Operation::try_from).transpose()
        })
        .await
    }

    async fn operation_events(&self, id: OperationId) -> Result<Vec<OperationEvent>, StoreError> {
        timed("operation_events", async {
            let rows: Vec<EventRow> = self
                .driver
                .read(Query::Fixed(sql::EVENTS, vec![id.0.into()]))
                .await?;
            all(rows)
        })
        .await
    }

    async fn operation_page(
        &self,
        filter: &OperationFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<Operation>, StoreError> {
        timed("operation_page", async {
            let rows: Vec<OperationRow> = self
                .driver
                .read(filter::operation_page(filter, keyset, limit))
                .await?;
            page(rows, keyset, limit)
        })
        .await
    }

    async fn operation_count(&self, filter: &OperationFilter) -> Result<u64, StoreError> {
        timed("operation_count", self.count(filter::operation_count(filter))).await
    }

    async fn operation_open_count(&self) -> Result<u64, StoreError> {
        let query = Query::Fixed(sql::OPEN_COUNT, Vec::new());
        timed("operation_open_count", self.count(query)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        timed("ping", async {
            self.count(Query::Fixed(sql::PING, Vec::new())).await.map(|_| ())
        })
        .await
    }
}

#[async_trait]
impl<D: Driver> AuditLog for Store<D> {
    async fn audit_append(&self, record: &AuditRecord) -> Result<(), StoreError> {
        timed("audit_append", async {
            let mut params = Vec::with_capacity(31);
            params::record(&mut params, record)?;
            // No row: it was there, so this is a repeated call after a lost answer.
            let _: Vec<IdRow> = self.driver.change(&D::CHANGES.append, params).await?;
            Ok(())
        })
        .await
    }

    async fn audit_page(
        &self,
        filter: &AuditFilter,
        keyset: Keyset,
        limit: u32,
    ) -> Result<RecordPage<AuditRecord>, StoreError> {
        timed("audit_page", async {
            let rows: Vec<AuditRow> = self
                .driver
                .read(filter::audit_page(filter, keyset, limit))
                .await?;
            page(rows, keyset, limit)
        })
        .await
    }

    async fn audit_count(&self, filter: &AuditFilter) -> Result<u64, StoreError> {
        timed("audit_count", self.count(filter::audit_count(filter))).await
    }
}
