//! Who sees which operations.

use curfew_core::fakes::backend::session;
use curfew_core::{Role, Scope, Verb};

use super::*;
use crate::ActRequest;
use crate::testing::*;

const NEWEST: Keyset = Keyset::After(None);

/// One operation of the help desk and one of the operator, both on `site-a`.
async fn two() -> House {
    let house = House::new();
    let carl = session("site-a", "13", "carl", 1);
    house.site.put(carl.clone());
    for (role, id) in [(Role::Helpdesk, &anna().id), (Role::Operator, &carl.id)] {
        let request: ActRequest = act(Verb::Logoff, id);
        let acted = house
            .app
            .actions
            .act(&caller(role, Scope::All), &house.request(), request)
            .await;
        assert_eq!(told(&acted), "Done: SUCCEEDED YES");
    }
    house
}

/// The subjects whose operations `caller` sees: on the page, one by one, and how many are counted.
async fn seen(house: &House, caller: &Caller, filter: OperationFilter) -> Vec<String> {
    let operations = &house.app.operations;
    let who = Authorized::ask(&*house.app.authorizer, caller).expect("may read operations");
    let page = operations
        .page(&who, filter.clone(), NEWEST, 10)
        .await
        .expect("a page");
    let count = operations.count(&who, filter).await.expect("a count");
    assert_eq!(count, page.rows.len() as u64);
    for operation in house.store.operations() {
        let alone = operations.get(&who, operation.id).await.expect("an answer");
        if page.rows.contains(&operation) {
            assert_eq!(alone, Some(operation));
        }
    }
    let mut subjects: Vec<_> = page.rows.into_iter().map(|it| it.actor.subject).collect();
    subjects.sort();
    subjects
}

fn all() -> OperationFilter {
    OperationFilter::default()
}

#[tokio::test(start_paused = true)]
async fn one_sees_ones_own_and_others_only_with_the_right_to_act_in_bulk() {
    let house = two().await;
    assert_eq!(
        seen(&house, &caller(Role::Helpdesk, Scope::All), all()).await,
        ["sub-helpdesk"]
    );
    assert_eq!(
        seen(&house, &caller(Role::Viewer, Scope::All), all()).await,
        [] as [&str; 0]
    );
    let both = ["sub-helpdesk", "sub-operator"];
    assert_eq!(
        seen(&house, &caller(Role::Operator, Scope::All), all()).await,
        both
    );
    assert_eq!(seen(&house, &caller(Role::Admin, Scope::All), all()).await, both);
}

#[tokio::test(start_paused = true)]
async fn a_filter_for_somebody_else_does_not_show_their_operations() {
    let house = two().await;
    let theirs = OperationFilter {
        requested_by: Some(("https://login.example".to_owned(), "sub-operator".to_owned())),
        ..all()
    };
    assert_eq!(
        seen(&house, &caller(Role::Helpdesk, Scope::All), theirs).await,
        ["sub-helpdesk"]
    );
}

#[tokio::test(start_paused = true)]
async fn operations_on_a_hidden_backend_do_not_exist() {
    let house = two().await;
    let elsewhere = caller(Role::Admin, only(&["site-b"]));
    assert_eq!(seen(&house, &elsewhere, all()).await, [] as [&str; 0]);
    let asked_for = OperationFilter {
        backends: Some(vec![anna().id.backend()]),
        ..all()
    };
    assert_eq!(seen(&house, &elsewhere, asked_for).await, [] as [&str; 0]);
    let who = Authorized::ask(&*house.app.authorizer, &elsewhere).expect("may read operations");
    for operation in house.store.operations() {
        assert_eq!(
            house
                .app
                .operations
                .get(&who, operation.id)
                .await
                .expect("an answer"),
            None
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_way_of_an_operation_is_kept() {
    let house = two().await;
    for operation in house.store.operations() {
        let events = house.app.operations.events(operation.id).await.expect("events");
        let way: Vec<_> = events.iter().map(|event| event.to.as_str()).collect();
        // A short act is committed at its beginning and at its end.
        assert_eq!(way, ["DISPATCHING", "SUCCEEDED"]);
    }
}
