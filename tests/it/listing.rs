//! The listing: pages, filters, orders, how old it is and how whole.
//!
//! Not rights (`tokens`). Invariant: what is listed agrees with what the site has, and reading it costs the site one
//! listing per interval, whoever asks.

use std::collections::BTreeSet;

use curfew_sim::{CitrixSimConfig, Fault, FaultAction, FaultBody, NewSession, Operation, SessionState};
use curfew_tests::{BACKEND, Client, Db, Gateway, Site, until};
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

const ROWS: &str = "query($f: SessionFilter, $o: SessionOrder, $first: Int, $after: String, $last: Int, $before: String) { \
     onlineSessions(filter: $f, orderBy: $o, first: $first, after: $after, last: $last, before: $before) { totalCount \
     pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } \
     nodes { id state kind protocol startedAt idleSeconds user { name domain upn } machine { name dnsName } \
     client { name address } applications { name } } } }";

/// A gateway that reads its site only when it is asked to.
async fn unhurried(sim: CitrixSimConfig) -> Gateway {
    let site = Site::new(BACKEND, sim)
        .key("refresh_seconds", 3600)
        .key("page_size", 100);
    Gateway::builder()
        .site(site)
        .database(&Db::sqlite())
        .start()
        .await
}

async fn page(client: &Client, variables: Value) -> Value {
    client.data(ROWS, variables).await["onlineSessions"].clone()
}

fn nodes(page: &Value) -> Vec<Value> {
    page["nodes"].as_array().cloned().expect("rows")
}

fn ids(page: &Value) -> Vec<String> {
    let id = |row: &Value| row["id"].as_str().expect("an id").to_owned();
    nodes(page).iter().map(id).collect()
}

/// Every row, page by page.
async fn walk(client: &Client, size: usize, order: &Value, forwards: bool) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let variables = if forwards {
            json!({ "o": order, "first": size, "after": cursor })
        } else {
            json!({ "o": order, "last": size, "before": cursor })
        };
        let page = page(client, variables).await;
        let (info, mut rows) = (&page["pageInfo"], ids(&page));
        let cursors: Vec<_> = page["edges"]
            .as_array()
            .expect("edges")
            .iter()
            .map(|it| &it["cursor"])
            .collect();
        assert_eq!(
            cursors.first().copied().unwrap_or(&Value::Null),
            &info["startCursor"]
        );
        assert_eq!(
            cursors.last().copied().unwrap_or(&Value::Null),
            &info["endCursor"]
        );
        let begun = !all.is_empty();
        if forwards {
            assert_eq!(info["hasPreviousPage"], begun);
            all.append(&mut rows);
        } else {
            assert_eq!(info["hasNextPage"], begun);
            rows.append(&mut all);
            all = rows;
        }
        let (more, next) = if forwards {
            ("hasNextPage", "endCursor")
        } else {
            ("hasPreviousPage", "startCursor")
        };
        if info[more] == false {
            return all;
        }
        cursor = info[next].clone();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_is_met_once_in_both_directions_and_every_order() {
    let gw = unhurried(CitrixSimConfig::cloud().sessions(230)).await;
    let viewer = gw.viewer();
    let listed = page(&viewer, json!({ "first": 1000 })).await;
    assert_eq!(listed["totalCount"], 230);
    let site: BTreeSet<_> = gw.sim().session_ids().into_iter().map(|id| gw.id(id)).collect();
    assert_eq!(ids(&listed).into_iter().collect::<BTreeSet<_>>(), site);

    let mut orders = vec![Value::Null];
    for field in ["USER", "MACHINE", "STARTED_AT", "STATE"] {
        for direction in ["ASCENDING", "DESCENDING"] {
            orders.push(json!({ "field": field, "direction": direction }));
        }
    }
    for order in &orders {
        let whole = page(&viewer, json!({ "first": 1000, "o": order })).await;
        assert_ordered(&nodes(&whole), order);
        for size in [1000, 230, 57] {
            assert_eq!(
                walk(&viewer, size, order, true).await,
                ids(&whole),
                "{order} by {size}"
            );
            assert_eq!(
                walk(&viewer, size, order, false).await,
                ids(&whole),
                "{order} by {size}, backwards"
            );
        }
    }
    assert_eq!(walk(&viewer, 1, &Value::Null, true).await, ids(&listed));
    let none = page(&viewer, json!({ "first": 0 })).await;
    assert_eq!((&none["totalCount"], &none["nodes"]), (&json!(230), &json!([])));
    assert_eq!(none["pageInfo"]["hasNextPage"], true);
    let by_default = page(&viewer, json!({})).await;
    assert_eq!(ids(&by_default), ids(&listed)[..50]);

    // A cursor of one order is none of another.
    let cursor = by_default["pageInfo"]["endCursor"].clone();
    let other = viewer
        .query(ROWS, json!({ "o": { "field": "STATE" }, "after": cursor }))
        .await;
    assert_eq!(other.verdict(), (400, "BAD_USER_INPUT"), "{}", other.text);
}

fn assert_ordered(rows: &[Value], order: &Value) {
    let states = [
        "ACTIVE",
        "CONNECTED",
        "DISCONNECTED",
        "LOGGING_ON",
        "LOGGING_OFF",
        "UNKNOWN",
    ];
    let key = |row: &Value| {
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        match order["field"].as_str() {
            None | Some("USER") => text(&row["user"]["name"]).to_lowercase(),
            Some("MACHINE") => text(&row["machine"]["name"]).to_lowercase(),
            Some("STARTED_AT") => text(&row["startedAt"]),
            Some(_) => states
                .iter()
                .position(|it| row["state"] == **it)
                .expect("a state")
                .to_string(),
        }
    };
    let keys: Vec<_> = rows.iter().map(key).collect();
    if order["direction"] == "DESCENDING" {
        assert!(keys.iter().rev().is_sorted(), "{order}: {keys:?}");
    } else {
        assert!(keys.is_sorted(), "{order}: {keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_selects_what_it_says() {
    let gw = unhurried(CitrixSimConfig::cloud().sessions(120)).await;
    let viewer = gw.viewer();
    let all = nodes(&page(&viewer, json!({ "first": 1000 })).await);
    let text = |row: &Value, a: &str, b: &str| row[a][b].as_str().map(str::to_lowercase);
    let known = all.iter().find(|row| {
        row["user"]["domain"].is_string()
            && row["user"]["upn"].is_string()
            && row["machine"]["dnsName"].is_string()
            && row["client"]["address"].is_string()
            && row["applications"].as_array().is_some_and(|it| !it.is_empty())
    });
    let known = known.expect("a session of which everything is known").clone();
    let part = |a: &str, b: &str| known[a][b].as_str().expect("text").to_owned();
    let (name, domain) = (part("user", "name"), part("user", "domain"));
    let account = format!("{domain}\\{name}").to_uppercase();
    let application = known["applications"][0]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let address = part("client", "address");
    let network = format!(
        "{}.0.0/16",
        address.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
    );
    let prefix = network.trim_end_matches("0.0/16").to_owned();
    let middle = known["startedAt"].as_str().expect("a date").to_owned();
    let same = |a: &'static str, b: &'static str, value: &str| {
        let value = value.to_lowercase();
        move |row: &Value| text(row, a, b) == Some(value.clone())
    };
    let started = |row: &Value| row["startedAt"].as_str().map(str::to_owned);
    type Select<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    #[rustfmt::skip] // a table
    let cases: Vec<(Value, Select)> = vec![
        (json!({ "states": ["DISCONNECTED"] }), Box::new(|row| row["state"] == "DISCONNECTED")),
        (json!({ "states": ["ACTIVE", "LOGGING_ON"] }), Box::new(|row| row["state"] == "ACTIVE" || row["state"] == "LOGGING_ON")),
        (json!({ "kinds": ["DESKTOP"] }), Box::new(|row| row["kind"] == "DESKTOP")),
        (json!({ "protocols": ["RDP", "CONSOLE"] }), Box::new(|row| row["protocol"] == "RDP" || row["protocol"] == "CONSOLE")),
        (json!({ "user": name.to_uppercase() }), Box::new(same("user", "name", &name))),
        (json!({ "user": account }), Box::new(|row| text(row, "user", "name") == Some(name.to_lowercase()) && row["user"]["domain"] == known["user"]["domain"])),
        (json!({ "user": part("user", "upn") }), Box::new(same("user", "upn", &part("user", "upn")))),
        (json!({ "machine": part("machine", "name").to_lowercase() }), Box::new(same("machine", "name", &part("machine", "name")))),
        (json!({ "machine": part("machine", "dnsName") }), Box::new(same("machine", "dnsName", &part("machine", "dnsName")))),
        (json!({ "clientAddress": address }), Box::new(same("client", "address", &address))),
        (json!({ "clientAddress": network }), Box::new(|row| text(row, "client", "address").is_some_and(|it| it.starts_with(&prefix)))),
        (json!({ "application": application.to_lowercase() }), Box::new(|row| row["applications"].as_array().is_some_and(|it| it.iter().any(|it| it["name"] == json!(application))))),
        (json!({ "startedBefore": middle }), Box::new(|row| started(row).is_some_and(|at| at < middle))),
        (json!({ "startedAfter": middle }), Box::new(|row| started(row).is_some_and(|at| at > middle))),
        (json!({ "idleLongerThanSeconds": 60 }), Box::new(|row| row["idleSeconds"].as_i64().is_some_and(|it| it > 60))),
        (json!({ "search": format!("{} {}", &name[1..], part("machine", "name").to_lowercase()) }), Box::new(|row| row["machine"]["name"] == known["machine"]["name"] && row["user"].to_string().to_lowercase().contains(&name[1..].to_lowercase()))),
        (json!({ "backendIds": [BACKEND], "backendKinds": ["CITRIX"] }), Box::new(|_| true)),
        (json!({ "backendIds": ["another"] }), Box::new(|_| false)),
        (json!({ "user": name[..name.len() - 1] }), Box::new(|row| text(row, "user", "name") == Some(name[..name.len() - 1].to_lowercase()))),
        (json!({ "user": "jsmith,ALL" }), Box::new(|_| false)),
        (json!({ "user": "%" }), Box::new(|_| false)),
        (json!({ "states": ["ACTIVE"], "user": name }), Box::new(|row| row["state"] == "ACTIVE" && text(row, "user", "name") == Some(name.to_lowercase()))),
    ];
    let mut selecting = 0;
    for (filter, select) in cases {
        let found = page(&viewer, json!({ "f": filter, "first": 1000 })).await;
        let expected: Vec<_> = all
            .iter()
            .filter(|row| select(row))
            .map(|row| row["id"].clone())
            .collect();
        let found_ids: Vec<_> = nodes(&found).iter().map(|row| row["id"].clone()).collect();
        assert_eq!(found_ids, expected, "{filter}");
        assert_eq!(found["totalCount"], expected.len(), "{filter}");
        selecting += usize::from(!expected.is_empty() && expected.len() < all.len());
    }
    assert!(
        selecting >= 13,
        "only {selecting} filters select some rows and not others"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_only_looks_like_one_is_refused() {
    let gw = unhurried(CitrixSimConfig::cloud().sessions(3)).await;
    for (filter, wrong) in [
        (
            json!({ "user": "" }),
            "`user` is empty. Leave it out to match everything.",
        ),
        (
            json!({ "search": "  " }),
            "`search` is empty. Leave it out to match everything.",
        ),
        (
            json!({ "states": [] }),
            "`states` is an empty list. Leave it out to match everything.",
        ),
        (
            json!({ "backendIds": [] }),
            "`backendIds` is an empty list. Leave it out to match everything.",
        ),
        (
            json!({ "clientAddress": "*" }),
            "`clientAddress` is neither an IP address nor a network in CIDR notation.",
        ),
        (
            json!({ "idleLongerThanSeconds": -1 }),
            "`idleLongerThanSeconds` is negative.",
        ),
        (
            json!({ "user": "x".repeat(257) }),
            "`user` is longer than 256 characters. Nothing was done.",
        ),
        (
            json!({ "user": "a\u{0}b" }),
            "`user` holds a NUL character. Nothing was done.",
        ),
        (
            json!({ "startedBefore": "2026-01-01T00:00:00Z", "startedAfter": "2026-01-01T00:00:00Z" }),
            "`startedBefore` is not after `startedAfter`, so nothing can match.",
        ),
    ] {
        let refused = gw.viewer().query(ROWS, json!({ "f": filter })).await;
        assert_eq!(
            (refused.verdict(), refused.message()),
            ((400, "BAD_USER_INPUT"), wrong),
            "{filter}"
        );
    }
    let refused = gw
        .viewer()
        .query("{ onlineSessions(maxAge: -1) { totalCount } }", json!({}))
        .await;
    assert_eq!(
        (refused.verdict(), refused.message()),
        ((400, "BAD_USER_INPUT"), "`maxAge` is negative.")
    );
}

/// `totalCount`, and status, error and number of sessions of the one backend.
async fn standing(client: &Client, arguments: &str) -> Value {
    let document = format!(
        "{{ onlineSessions{arguments} {{ totalCount backends {{ status error sessionCount observedAt parts {{ total failed {{ name }} }} }} }} }}"
    );
    client.data(&document, json!({})).await["onlineSessions"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn max_age_reads_the_backend_now() {
    let gw = unhurried(CitrixSimConfig::cloud().sessions(10)).await;
    let viewer = gw.viewer();
    let added = gw.id(gw.sim().add_session("CORP\\newcomer"));
    assert_eq!(gw.listed(&added).await, None, "the last reading, as it is");
    assert_eq!(standing(&viewer, "(maxAge: 3600)").await["totalCount"], 10);
    until("it is listed", async || {
        (standing(&viewer, "(maxAge: 0)").await["totalCount"] == 11).then_some(())
    })
    .await;
    assert_eq!(gw.listed(&added).await.as_deref(), Some("ACTIVE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_polling_clients_cost_the_site_nothing() {
    let gw = unhurried(CitrixSimConfig::cloud().sessions(250)).await;
    let first = gw.sim().counters();
    assert_eq!(
        (first.listings, first.pages),
        (1, 3),
        "one listing of three pages"
    );
    let clients: Vec<_> = (0..50).map(|_| gw.viewer()).collect();
    let poll = async |client: &Client| {
        for _ in 0..10 {
            assert_eq!(page(client, json!({ "first": 20 })).await["totalCount"], 250);
        }
    };
    join_all(clients.iter().map(poll)).await;
    assert_eq!(
        gw.sim().counters().requests.get(&Operation::List),
        first.requests.get(&Operation::List)
    );

    // Also if all of them want it fresh: a reading starts every 2 s at the most.
    let begun = Instant::now();
    for _ in 0..3 {
        join_all(
            clients
                .iter()
                .map(async |client| standing(client, "(maxAge: 0)").await),
        )
        .await;
    }
    let most = 2 + begun.elapsed().as_secs() / 2;
    let listings = gw.sim().counters().listings - first.listings;
    assert!(
        (1..=most).contains(&listings),
        "{listings} listings, {most} at the most"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_is_not_read_yet_is_pending() {
    let sim = CitrixSimConfig::cloud()
        .sessions(10)
        .fault(Fault::on(Operation::List, FaultAction::Hold));
    let gw = Gateway::builder().citrix(sim).start_unread().await;
    let viewer = gw.viewer();
    let pending = standing(&viewer, "").await;
    assert_eq!(
        pending,
        json!({ "totalCount": 0, "backends": [{ "status": "PENDING", "error": null, "sessionCount": 0, "observedAt": null,
            "parts": { "total": 0, "failed": [] } }] })
    );
    gw.sim().clear_faults();
    gw.sim().release();
    let read = until("the first reading", async || {
        let now = standing(&viewer, "").await;
        (now["backends"][0]["status"] == "OK").then_some(now)
    })
    .await;
    assert_eq!(
        (&read["totalCount"], &read["backends"][0]["sessionCount"]),
        (&json!(10), &json!(10))
    );
    assert!(read["backends"][0]["observedAt"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_fails_leaves_the_rows_of_the_last_good_one() {
    let gw = unhurried(CitrixSimConfig::cloud().sessions(250)).await;
    let viewer = gw.viewer();
    let good = standing(&viewer, "").await["backends"][0].clone();
    let faults = [
        FaultAction::Refuse,
        FaultAction::Html,
        FaultAction::EndlessBody,
        FaultAction::WrongTypes,
        FaultAction::TruncatedBody,
        FaultAction::DropBefore,
        FaultAction::Redirect {
            to: "http://127.0.0.1:1/".to_owned(),
            code: 302,
        },
        FaultAction::Status {
            code: 503,
            body: FaultBody::Html,
            headers: Default::default(),
        },
        FaultAction::RevokeTokens,
    ];
    for fault in faults {
        // From the second page on: half a listing is none.
        gw.sim()
            .add_fault(Fault::on(Operation::List, fault.clone()).skip(1));
        let failed = until(&format!("a reading that failed by {fault:?}"), async || {
            let now = standing(&viewer, "(maxAge: 0)").await;
            (now["backends"][0]["status"] != "OK").then_some(now)
        })
        .await;
        let backend = &failed["backends"][0];
        assert_eq!(
            (&failed["totalCount"], &backend["status"]),
            (&json!(250), &json!("FAILED")),
            "{fault:?}"
        );
        assert!(
            backend["error"].as_str().is_some_and(|it| !it.is_empty()),
            "{fault:?}: {backend}"
        );
        assert!(
            !backend["error"].to_string().contains("127.0.0.1"),
            "no internals: {backend}"
        );
        assert!(backend["observedAt"].as_str() >= good["observedAt"].as_str());
        gw.sim().clear_faults();
        until("a good reading", async || {
            let now = standing(&viewer, "(maxAge: 0)").await["backends"][0].clone();
            (now["status"] == "OK" && now["error"].is_null()).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_site_that_turns_in_circles_is_read_to_its_end() {
    let mut sim = CitrixSimConfig::cloud().sessions(250);
    sim.repeat_rows = 3;
    let gw = unhurried(sim).await;
    let viewer = gw.viewer();
    assert_eq!(standing(&viewer, "").await["totalCount"], 250, "no row twice");
    gw.sim()
        .add_fault(Fault::on(Operation::List, FaultAction::RepeatContinuationToken));
    let pages = gw.sim().counters().pages;
    let now = until("another reading", async || {
        let now = standing(&viewer, "(maxAge: 0)").await;
        (gw.sim().counters().pages > pages && now["backends"][0]["status"] != "PENDING").then_some(now)
    })
    .await;
    assert_eq!(now["totalCount"], 250, "{now}");
    gw.sim().clear_faults();
    gw.sim()
        .add_fault(Fault::on(Operation::List, FaultAction::GarbageEnum));
    until("rows with unknown states", async || {
        let unknown = page(&viewer, json!({ "f": { "states": ["UNKNOWN"] } })).await;
        standing(&viewer, "(maxAge: 0)").await;
        (unknown["totalCount"].as_u64() > Some(100)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_reading_is_stale() {
    let site = Site::new(BACKEND, CitrixSimConfig::cloud().sessions(5)).key("refresh_seconds", 2);
    let gw = Gateway::builder().site(site).start().await;
    let viewer = gw.viewer();
    gw.sim().add_fault(Fault::on(Operation::List, FaultAction::Hold));
    let status = async |wanted: &str| {
        until(&format!("the status {wanted}"), async || {
            let now = standing(&viewer, "").await;
            (now["backends"][0]["status"] == wanted).then_some(now)
        })
        .await
    };
    assert_eq!(
        status("STALE").await["totalCount"],
        5,
        "its rows are served all the same"
    );
    gw.sim().clear_faults();
    gw.sim().release();
    status("OK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_site_that_fails_does_not_take_the_other_with_it() {
    let sim = || CitrixSimConfig::cloud().sessions(8);
    let refuse = Fault::on(Operation::Any, FaultAction::Refuse);
    let us = Site::new("citrix-us", sim().fault(refuse)).key("refresh_seconds", 2);
    let gw = Gateway::builder()
        .site(Site::new("citrix-eu", sim()))
        .site(us)
        .start()
        .await;
    let viewer = gw.viewer();
    let document = "{ onlineSessions { totalCount nodes { backend { id } } backends { backend { id } status sessionCount } } \
        backends { id reading { status } } }";
    let partial = viewer.data(document, json!({})).await;
    assert_eq!(partial["onlineSessions"]["totalCount"], 8);
    assert_eq!(
        partial["onlineSessions"]["backends"],
        json!([
            { "backend": { "id": "citrix-eu" }, "status": "OK", "sessionCount": 8 },
            { "backend": { "id": "citrix-us" }, "status": "FAILED", "sessionCount": 0 },
        ])
    );
    assert_eq!(
        partial["backends"][1],
        json!({ "id": "citrix-us", "reading": { "status": "FAILED" } })
    );
    gw.sim_of("citrix-us").clear_faults();
    until("both are whole", async || {
        let now = viewer.data(document, json!({})).await;
        (now["onlineSessions"]["totalCount"] == 16).then_some(())
    })
    .await;
}

/// Sessions come and go between two pages: who lived throughout is met exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paging_while_sessions_come_and_go_loses_nobody() {
    let gw = unhurried(CitrixSimConfig::cloud().sessions(60)).await;
    let viewer = gw.viewer();
    let (mut met, mut cursor) = (Vec::new(), Value::Null);
    let mut gone = BTreeSet::new();
    for round in 0.. {
        let page = page(&viewer, json!({ "first": 20, "after": cursor })).await;
        met.append(&mut ids(&page));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        cursor = page["pageInfo"]["endCursor"].clone();
        // The row that the cursor stands on ends, too.
        let last = met.last().expect("a row").clone();
        for id in gw.sim().session_ids().into_iter().filter(|id| gw.id(*id) == last) {
            gone.insert(last.clone());
            assert!(gw.sim().remove_session(id));
        }
        let user = format!("CORP\\aa-newcomer{round}");
        gw.sim().add_sessions(&NewSession {
            user,
            count: 3,
            state: SessionState::Active,
        });
        let expected = gw.sim().sessions().len();
        until("a listing of what there is now", async || {
            (standing(&viewer, "(maxAge: 0)").await["totalCount"] == expected).then_some(())
        })
        .await;
    }
    let once: BTreeSet<_> = met.iter().cloned().collect();
    assert_eq!(once.len(), met.len(), "nobody twice");
    assert!(!gone.is_empty());
    let lived = gw
        .sim()
        .sessions()
        .into_iter()
        .filter(|it| it.user.as_deref().is_none_or(|user| !user.contains("newcomer")));
    for session in lived {
        assert!(once.contains(&gw.id(session.id)), "{session:?} was lost");
    }
}
