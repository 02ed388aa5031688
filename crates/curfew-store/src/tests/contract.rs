//! The contract of every store, on both databases.

use curfew_core::fakes::store_contract;

use super::support;

#[tokio::test]
async fn sqlite_keeps_the_contract() {
    store_contract::run(async |lease| {
        support::stores(support::migrated(support::empty_sqlite(lease).await).await)
    })
    .await;
}

#[tokio::test]
async fn postgres_keeps_the_contract() {
    if support::postgres_url().is_none() {
        return;
    }
    store_contract::run(async |lease| {
        let empty = support::empty_postgres(lease).await.expect("the server is there");
        support::stores(support::migrated(empty).await)
    })
    .await;
}
