//! Listing, searching and reading sessions.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Desk;
use crate::citrix::{CitrixSimConfig, Variant};

/// The members of the vendor's sample, with the dates that newer servers add.
const SESSION: [&str; 26] = [
    "AppState",
    "AppStateLastChangeTime",
    "ApplicationsInUse",
    "Brokering",
    "Client",
    "Connection",
    "ContainerScopes",
    "EstablishmentDurationMilliseconds",
    "EstablishmentTime",
    "FormattedAppStateLastChangeTime",
    "FormattedEstablishmentTime",
    "FormattedStartTime",
    "FormattedStateChangeTime",
    "Id",
    "IsAnonymousUser",
    "IsHidden",
    "LogoffInProgress",
    "LogonInProgress",
    "Machine",
    "SessionType",
    "StartTime",
    "State",
    "StateChangeTime",
    "Uid",
    "UntrustedUserName",
    "User",
];

/// Follows the continuation tokens to the end; the rows as they came, and how many pages they were.
async fn list_all(desk: &Desk, limit: usize) -> (Vec<Value>, usize) {
    let mut rows = Vec::new();
    let mut token = None::<String>;
    for page in 1.. {
        let mut request = desk
            .request(Method::GET, "Sessions")
            .query(&[("limit", limit.to_string())]);
        if let Some(token) = &token {
            request = request.query(&[("continuationToken", token)]);
        }
        let body: Value = request
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        rows.extend(body["Items"].as_array().expect("items").iter().cloned());
        match body["ContinuationToken"]
            .as_str()
            .filter(|token| !token.is_empty())
        {
            Some(next) => token = Some(next.to_owned()),
            None => return (rows, page),
        }
    }
    unreachable!("the loop ends with the last page")
}

fn ids(rows: &[Value]) -> Vec<Uuid> {
    rows.iter()
        .map(|row| row["Id"].as_str().expect("an id").parse().expect("a GUID"))
        .collect()
}

#[tokio::test]
async fn a_listing_meets_every_session_once() {
    let desk = Desk::open(CitrixSimConfig::cloud().sessions(2_500)).await;
    let (rows, pages) = list_all(&desk, 1_000).await;
    assert_eq!(ids(&rows), desk.sim.session_ids());
    let counters = desk.sim.counters();
    assert_eq!((pages, counters.listings, counters.pages), (3, 1, 3));
    assert_eq!(
        desk.json("Sessions").await["Items"].as_array().map(Vec::len),
        Some(250)
    );
    assert_eq!(desk.status("Sessions?limit=1001").await, 400);
    assert_eq!(desk.status("Sessions?continuationToken=nonsense").await, 400);
}

#[tokio::test]
async fn pages_that_repeat_rows_still_come_to_an_end() {
    for variant in [Variant::RepeatRows, Variant::EndAbsent, Variant::EndEmpty] {
        let desk = Desk::open(CitrixSimConfig::cloud().sessions(95).with(variant)).await;
        let (rows, _) = list_all(&desk, 10).await;
        let distinct: HashSet<Uuid> = ids(&rows).into_iter().collect();
        assert_eq!(distinct.len(), 95, "{variant:?}");
        assert_eq!(rows.len() > 95, variant == Variant::RepeatRows);
    }
}

#[tokio::test]
async fn a_session_has_all_members_of_the_vendors_sample() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let session = desk.json(&format!("Sessions/{}", desk.first())).await;
    let names: Vec<&String> = session.as_object().expect("an object").keys().collect();
    assert_eq!(names, SESSION);
    let members = |name: &str| session[name].as_object().map(serde_json::Map::len);
    // Machine, User, Client: as in the sample; Brokering and Connection have one more each by now.
    assert_eq!(members("Machine"), Some(60));
    assert_eq!(members("User"), Some(31));
    assert_eq!(members("Client"), Some(9));
    assert_eq!(members("Brokering"), Some(6));
    assert_eq!(members("Connection"), Some(9));
    assert_eq!(session["User"]["Name"], "CORP\\jsmith");
}

#[tokio::test]
async fn fields_choose_top_level_members() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let row = desk.json("sessions?limit=1&FIELDS=id,State,NoSuchThing").await["Items"][0].clone();
    assert_eq!(row, json!({ "Id": desk.first(), "State": "Active" }));
}

#[tokio::test]
async fn the_estate_is_a_function_of_its_seed_and_has_the_awkward_rows() {
    let epoch = DateTime::<Utc>::from_timestamp(1_750_000_000, 0).expect("a time");
    let config = |seed| CitrixSimConfig {
        epoch: Some(epoch),
        ..CitrixSimConfig::cloud().seed(seed)
    };
    let (one, same, other) = (
        Desk::open(config(7)).await,
        Desk::open(config(7)).await,
        Desk::open(config(8)).await,
    );
    let rows = one.json("Sessions").await;
    assert_eq!(rows, same.json("Sessions").await);
    assert_ne!(rows, other.json("Sessions").await);
    let rows = rows["Items"].as_array().expect("items");
    let some = |test: &dyn Fn(&Value) -> bool| rows.iter().any(test);
    assert!(some(
        &|row| row["IsAnonymousUser"] == true && row["User"].is_null()
    ));
    assert!(some(
        &|row| row["User"].is_null() && row["UntrustedUserName"].is_string()
    ));
    assert!(some(
        &|row| row["User"].is_null() && row["UntrustedUserName"].is_null()
    ));
    assert!(some(
        &|row| row["User"]["PossibleLookupFailure"] == true && row["User"]["Name"].is_null()
    ));
    assert!(some(
        &|row| row["LogonInProgress"] == true && row["EstablishmentTime"].is_null()
    ));
    assert!(some(&|row| row["Client"]["Name"].is_null()) && some(&|row| row["Client"]["Name"] == ""));
    assert!(some(&|row| row["Connection"]["Protocol"] == "Console") && some(&|row| row["IsHidden"] == true));
    for state in ["Active", "Connected", "Disconnected", "Unknown"] {
        assert!(some(&|row| row["State"] == state), "{state}");
    }
}

#[tokio::test]
async fn dates_come_in_every_form() {
    let epoch = DateTime::<Utc>::from_timestamp(1_750_000_000, 0).expect("a time");
    let check = async |variant: Option<Variant>, legacy: &str, formatted: Value| {
        let config = CitrixSimConfig {
            epoch: Some(epoch),
            ..CitrixSimConfig::cloud()
        };
        let desk = Desk::open(variant.into_iter().fold(config, CitrixSimConfig::with)).await;
        let row = desk.json(&format!("Sessions/{}", desk.first())).await;
        assert_eq!(row["StartTime"], legacy, "{variant:?}");
        assert_eq!(
            row.get("FormattedStartTime").cloned().unwrap_or_default(),
            formatted,
            "{variant:?}"
        );
    };
    let (local, utc) = ("6/15/2025 7:16:37 AM", "6/15/2025 12:16:37 PM");
    check(None, local, json!("2025-06-15T12:16:37Z")).await;
    check(
        Some(Variant::DatesOffset),
        local,
        json!("2025-06-15T07:16:37-05:00"),
    )
    .await;
    check(Some(Variant::DatesLegacy), local, Value::Null).await;
    check(Some(Variant::DatesLegacyUtc), utc, Value::Null).await;
    check(
        Some(Variant::DatesGarbage),
        "32/13/2020 25:61:61 XM",
        json!("yesterday, about noon"),
    )
    .await;
}

#[tokio::test]
async fn a_search_filters_and_counts() {
    let desk = Desk::open(CitrixSimConfig::cloud().sessions(200)).await;
    let search = async |filters: Value| {
        let request = desk
            .request(Method::POST, "Sessions/$search?limit=5")
            .json(&filters);
        request
            .send()
            .await
            .expect("an answer")
            .json::<Value>()
            .await
            .expect("JSON")
    };
    let filter = |property: &str, value: &str| json!({ "SearchFilters": [{ "Property": property, "Operator": "Equals", "Value": value }] });
    let mine = search(filter("CurrentUser", "corp\\JSMITH")).await;
    assert!(
        mine["TotalItems"].as_u64().is_some_and(|total| total >= 2),
        "{mine}"
    );
    let active = search(filter("SessionState", "Active")).await;
    assert_eq!(active["Items"].as_array().map(Vec::len), Some(5));
    assert!(active["TotalItems"].as_u64().is_some_and(|total| total > 100));
    // The member is called `State`, the property is not.
    assert_eq!(
        search(filter("State", "Active")).await["type"],
        "https://errors-api.cloud.com/common/invalidEnum"
    );
}

#[tokio::test]
async fn an_unknown_session_is_404_or_the_500_that_means_it() {
    let path = format!("Sessions/{}", Uuid::nil());
    let cloud = Desk::open(CitrixSimConfig::cloud()).await;
    let answer = cloud.get(&path).await;
    assert_eq!(answer.status(), 404);
    assert!(answer.headers().contains_key("citrix-transactionid"));
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        body["parameters"][0],
        json!({ "name": "entityType", "value": "Session" })
    );

    let on_prem = Desk::open(CitrixSimConfig::on_prem().with(Variant::NotFound500)).await;
    let answer = on_prem.get(&path).await;
    assert_eq!(answer.status(), 500);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["ErrorMessage"], "Object does not exist.");
    assert!(body["SdkErrorId"].is_string());
}
