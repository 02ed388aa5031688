//! A walk over the whole schema: who may use each field, and what each leaves on record.
//!
//! Not what the fields do. Invariant: a field without a case fails the walk, so that none enters the schema untested.

use std::collections::BTreeMap;

use curfew_tests::{AuditTrail, Client, Db, Gateway, on_both};
use serde_json::{Value, json};

use crate::documents::INTROSPECTION;

on_both![
    every_mutation_leaves_a_record_whoever_asks,
    no_query_leaves_a_record_but_that_of_the_log
];

/// One root field: how it is asked for, with `$id` of a session that is there.
struct Case {
    field: &'static str,
    document: &'static str,
}

const QUERIES: &[Case] = &[
    Case {
        field: "onlineSessions",
        document: "{ onlineSessions(first: 1) { totalCount nodes { id } } }",
    },
    Case {
        field: "onlineSession",
        document: "query($id: ID!) { onlineSession(id: $id) { id } }",
    },
    Case {
        field: "backends",
        document: "{ backends { id reading { status } } }",
    },
    Case {
        field: "operation",
        document: "{ operation(id: \"01890000-0000-7000-8000-000000000000\") { id } }",
    },
    Case {
        field: "operations",
        document: "{ operations { totalCount nodes { id } } }",
    },
    Case {
        field: "auditRecords",
        document: "{ auditRecords { totalCount nodes { id } } }",
    },
    Case {
        field: "viewer",
        document: "{ viewer { roles } }",
    },
];

const MUTATIONS: &[Case] = &[
    Case {
        field: "disconnectSession",
        document: "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id }) { status } }",
    },
    Case {
        field: "disconnectBySessionId",
        document: "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }",
    },
    Case {
        field: "logoffSession",
        document: "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id }, wait: true }) { status } }",
    },
    Case {
        field: "sendMessage",
        document: "mutation($id: ID!) { sendMessage(input: { onlineSessionId: $id, text: \"Hello\" }) { status } }",
    },
];

/// The schema as a caller sees it: each type by its name.
async fn types(client: &Client) -> BTreeMap<String, Value> {
    let schema = client.data(INTROSPECTION, json!({})).await["__schema"].clone();
    let types = schema["types"].as_array().cloned().expect("types");
    types
        .into_iter()
        .map(|it| (it["name"].as_str().expect("a name").to_owned(), it))
        .collect()
}

fn names(of: &Value) -> Vec<&str> {
    let all = of.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|it| it["name"].as_str()).collect()
}

/// The case of each field of a root type.
///
/// # Panics
/// If a field has none, or a case no field.
fn covered<'a>(root: &Value, cases: &'a [Case]) -> Vec<&'a Case> {
    let fields = names(&root["fields"]);
    let missing: Vec<_> = fields
        .iter()
        .filter(|it| !cases.iter().any(|case| case.field == **it))
        .collect();
    assert!(
        missing.is_empty(),
        "no case in tests/it/coverage.rs for: {missing:?}"
    );
    let stale: Vec<_> = cases
        .iter()
        .map(|case| case.field)
        .filter(|it| !fields.contains(it))
        .collect();
    assert!(stale.is_empty(), "there are no such fields any more: {stale:?}");
    cases.iter().collect()
}

async fn every_mutation_leaves_a_record_whoever_asks(db: Db) {
    let gw = Gateway::usual(&db).await;
    let types = types(&gw.viewer()).await;
    for (at, case) in covered(&types["Mutation"], MUTATIONS).into_iter().enumerate() {
        let Case { field, document } = case;
        let (session, id) = gw.active(0);
        let before = gw.audit().await.0.len();
        let acts = gw.sim().acts().len();

        let nobody = gw.anonymous().query(document, json!({ "id": id })).await;
        assert_eq!(nobody.verdict(), (401, "UNAUTHENTICATED"), "{field}");
        assert_eq!(
            gw.audit().await.0.len(),
            before,
            "{field}: a flood must not fill the table"
        );

        for (who, client) in [
            ("Nemo Nobody", gw.role_less()),
            ("Vera Viewer", gw.viewer()),
            ("Audrey Auditor", gw.auditor()),
        ] {
            let reply = client.query(document, json!({ "id": id })).await;
            assert_eq!(
                reply.verdict(),
                (403, "FORBIDDEN"),
                "{field} by {who}: {}",
                reply.text
            );
            let audit = gw.audit().await;
            let row = audit.0.last().expect("a record");
            assert_eq!(
                (&row["phase"], &row["cause"]),
                (&json!("DENIED"), &json!("FORBIDDEN")),
                "{field}"
            );
            assert_eq!(
                (&row["actor"]["name"], &row["sessionId"]),
                (&json!(who), &json!(id)),
                "{field}"
            );
            assert!(
                row["params"].as_str().is_some_and(|it| it.contains("sessions:")),
                "{field}: the missing right"
            );
        }
        assert_eq!(gw.audit().await.0.len(), before + 3, "{field}");
        assert_eq!(gw.sim().acts().len(), acts, "{field}");

        for (more, client) in [gw.helpdesk(), gw.operator(), gw.admin()].into_iter().enumerate() {
            let (_, id) = gw.active(more + 1);
            let reply = client.query(document, json!({ "id": id })).await;
            assert_eq!((reply.status, reply.code()), (200, ""), "{field}: {}", reply.text);
        }
        let audit = AuditTrail(gw.audit().await.0.split_off(before + 3));
        for phase in ["INTENT", "ATTEMPT", "OUTCOME"] {
            assert_eq!(audit.phase(phase).len(), 3, "{field}:\n{audit}");
        }
        assert_eq!(gw.sim().acts().len(), acts + 3, "{field} (case {at})");
        assert!(
            gw.sim().session(session).is_some(),
            "{field}: what was refused has no effect"
        );
    }
}

async fn no_query_leaves_a_record_but_that_of_the_log(db: Db) {
    let gw = Gateway::usual(&db).await;
    let types = types(&gw.viewer()).await;
    let (_, id) = gw.active(0);
    // Counted behind the door's back, because reading the log is itself on record.
    let reads = async || {
        AuditTrail::read_where(&gw.auditor(), json!({ "actor": "dev-admin" }))
            .await
            .0
    };
    for Case { field, document } in covered(&types["Query"], QUERIES) {
        let before = reads().await.len();
        let nobody = gw.anonymous().query(document, json!({ "id": id })).await;
        assert_eq!(nobody.verdict(), (401, "UNAUTHENTICATED"), "{field}");

        let role_less = gw.role_less().query(document, json!({ "id": id })).await;
        let expected = if *field == "viewer" {
            (200, "")
        } else {
            (403, "FORBIDDEN")
        };
        assert_eq!(role_less.verdict(), expected, "{field}: {}", role_less.text);
        assert_eq!(
            role_less.code() == "FORBIDDEN",
            role_less.message().contains("is required"),
            "{field}"
        );

        let reply = gw.admin().query(document, json!({ "id": id })).await;
        assert_eq!(reply.verdict(), (200, ""), "{field}: {}", reply.text);
        let left = reads().await.split_off(before);
        if *field == "auditRecords" {
            assert_eq!(left.len(), 1, "{field}");
            assert_eq!(
                (&left[0]["phase"], &left[0]["action"]),
                (&json!("READ"), &json!("AUDIT_READ"))
            );
        } else {
            assert_eq!(left, [] as [Value; 0], "{field}");
        }
    }
    assert_eq!(gw.audit().await.0, [] as [Value; 0], "nobody was refused an act");
    assert_eq!(gw.sim().acts(), []);
}

/// The roles of the contract, at every root field.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_what_the_contract_says() {
    let gw = Gateway::usual(&Db::sqlite()).await;
    let sessions = [
        "onlineSessions",
        "onlineSession",
        "backends",
        "operation",
        "operations",
        "viewer",
    ];
    for (role, client, allowed) in [
        ("viewer", gw.viewer(), &sessions[..]),
        ("helpdesk", gw.helpdesk(), &sessions[..]),
        ("operator", gw.operator(), &sessions[..]),
        (
            "automation",
            gw.role(curfew_core::Role::Automation),
            &sessions[..],
        ),
        ("auditor", gw.auditor(), &["auditRecords", "viewer"][..]),
    ] {
        for Case { field, document } in QUERIES {
            let (_, id) = gw.active(0);
            let reply = client.query(document, json!({ "id": id })).await;
            let expected = if allowed.contains(field) {
                (200, "")
            } else {
                (403, "FORBIDDEN")
            };
            assert_eq!(reply.verdict(), expected, "{field} by {role}: {}", reply.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_in_the_schema_is_described() {
    let gw = Gateway::usual(&Db::sqlite()).await;
    let mut bare = Vec::new();
    let mut look = |place: String, it: &Value| {
        if it["description"]
            .as_str()
            .is_none_or(|text| text.trim().is_empty())
        {
            bare.push(place);
        }
    };
    for (name, it) in types(&gw.viewer()).await {
        if name.starts_with("__") || ["String", "Int", "Float", "Boolean", "ID"].contains(&name.as_str()) {
            continue;
        }
        look(name.clone(), &it);
        for list in ["fields", "inputFields", "enumValues"] {
            for member in it[list].as_array().map(Vec::as_slice).unwrap_or_default() {
                let place = format!("{name}.{}", member["name"].as_str().unwrap_or_default());
                for argument in member["args"].as_array().map(Vec::as_slice).unwrap_or_default() {
                    look(
                        format!("{place}({})", argument["name"].as_str().unwrap_or_default()),
                        argument,
                    );
                }
                look(place, member);
            }
        }
    }
    assert_eq!(
        bare,
        [] as [String; 0],
        "every item of the schema is documented where it stands"
    );
}

#[test]
fn the_published_schema_is_that_of_the_code() {
    let published = include_str!("../../schema/schema.graphql");
    assert!(
        published == curfew_graphql::sdl(),
        "schema/schema.graphql is not what the code makes: run `cargo xtask codegen`"
    );
}
