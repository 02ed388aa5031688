//! What a document may ask for: acts, depth, cost, aliases, pages, ids.
//!
//! Not how it arrives (`http_door`). Invariant: one document does at most one act, however it is written.

use curfew_core::Permission;
use curfew_sim::CitrixSimConfig;
use curfew_tests::{Db, Gateway, on_both};
use serde_json::{Value, json};

on_both![
    two_acts_in_one_document_are_none_and_one_record,
    a_backend_that_is_not_there_is_not_found_and_on_record
];

async fn gateway() -> Gateway {
    Gateway::usual(&Db::sqlite()).await
}

async fn two_acts_in_one_document_are_none_and_one_record(db: Db) {
    let gw = Gateway::usual(&db).await;
    let (one, two) = (gw.active(0).1, gw.active(1).1);
    let variables = json!({ "a": one, "b": two, "yes": true, "no": false });
    let documents = [
        "mutation($a: String!, $b: String!) { x: disconnectBySessionId(onlineSessionId: $a) \
         y: disconnectBySessionId(onlineSessionId: $b) }",
        "mutation($a: String!) { disconnectBySessionId(onlineSessionId: $a) \
         disconnectBySessionId(onlineSessionId: $a) }",
        "mutation($a: String!, $b: ID!) { disconnectBySessionId(onlineSessionId: $a) \
         logoffSession(input: { target: { onlineSessionId: $b } }) { status } }",
        "mutation($a: String!, $b: String!) { ...F y: disconnectBySessionId(onlineSessionId: $b) } \
         fragment F on Mutation { x: disconnectBySessionId(onlineSessionId: $a) }",
        "mutation($a: String!, $b: String!) { ...F } fragment F on Mutation { ...G x: disconnectBySessionId(onlineSessionId: $a) } \
         fragment G on Mutation { ... on Mutation { ...H } } \
         fragment H on Mutation { y: disconnectBySessionId(onlineSessionId: $b) }",
        "mutation($a: String!, $b: String!, $yes: Boolean!) { x: disconnectBySessionId(onlineSessionId: $a) @include(if: $yes) \
         ... @skip(if: false) { y: disconnectBySessionId(onlineSessionId: $b) } }",
        "mutation($a: String!, $b: String!, $no: Boolean!) { x: disconnectBySessionId(onlineSessionId: $a) @skip(if: $no) \
         y: disconnectBySessionId(onlineSessionId: $b) @include(if: true) @skip(if: $no) }",
    ];
    for (at, document) in documents.iter().enumerate() {
        let refused = gw.admin().query(document, variables.clone()).await;
        assert_eq!(
            refused.verdict(),
            (400, "TOO_MANY_ACTS"),
            "{document}: {}",
            refused.text
        );
        assert!(refused.body.get("data").is_none());
        assert_eq!(
            refused.message(),
            "The document has 2 acts; one request does at most one. Nothing was done. Send one request for each."
        );
        let audit = gw.audit().await;
        assert_eq!(audit.0.len(), at + 1, "one record for each document");
        let row = &audit.0[at];
        assert_eq!(
            (&row["phase"], &row["action"], &row["cause"]),
            (&json!("DENIED"), &json!("MANY_ACTS"), &json!("TOO_MANY_ACTS"))
        );
    }
    let named = "mutation A($a: String!, $b: String!) { x: disconnectBySessionId(onlineSessionId: $a) \
        y: disconnectBySessionId(onlineSessionId: $b) } query B { viewer { roles } }";
    let body = |name: &str| json!({ "query": named, "operationName": name, "variables": variables });
    let refused = curfew_tests::Reply::of(gw.admin().post(&body("A"))).await;
    assert_eq!(refused.verdict(), (400, "TOO_MANY_ACTS"));
    let thousand: String = (0..1000)
        .map(|n| format!("a{n}: disconnectBySessionId(onlineSessionId: $a) "))
        .collect();
    let refused = gw
        .admin()
        .query(
            &format!("mutation($a: String!) {{ {thousand} }}"),
            variables.clone(),
        )
        .await;
    assert_eq!(refused.verdict(), (400, "TOO_MANY_ACTS"));
    assert_eq!(gw.sim().acts(), []);

    // A second act that is not included is none, and the one that is there is done.
    let one_left = "mutation($a: String!, $b: String!, $no: Boolean!) { x: disconnectBySessionId(onlineSessionId: $a) \
        y: disconnectBySessionId(onlineSessionId: $b) @include(if: $no) __typename }";
    let done = gw
        .admin()
        .query(one_left, json!({ "a": one, "b": two, "no": false }))
        .await;
    assert_eq!((done.status, &done.body["data"]["x"]), (200, &json!(true)));
    assert_eq!(gw.sim().acts().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_not_deeper_wider_or_dearer_than_allowed() {
    let gw = gateway().await;
    let nest = |depth: usize| {
        let open = "backend { reading { ".repeat(depth);
        format!(
            "{{ backends {{ reading {{ {open} status {} }} }} }}",
            "} } ".repeat(depth)
        )
    };
    let wide = |aliases: usize| {
        let fields: String = (0..aliases).map(|n| format!("a{n}: __typename ")).collect();
        format!("{{ {fields} }}")
    };
    let bomb: String = (0..40)
        .map(|n| format!("fragment F{n} on Query {{ ...F{m} ...F{m} }} ", m = n + 1))
        .collect();
    let bomb = format!("{{ ...F0 }} {bomb} fragment F40 on Query {{ viewer {{ roles }} }}");
    let text = "{ a ".repeat(50_000);
    for (document, has) in [
        (nest(4), "a depth of 11, at most 10 is allowed"),
        (wide(31), "aliases, in number 31, at most 30 is allowed"),
        (
            "{ onlineSessions(first: 1000) { nodes { ".to_owned() + &wide_session(60) + " } } }",
            "a complexity of",
        ),
        (bomb, "at most 50000"),
        (text, "nests 50000 deep"),
        (
            "{ backends(id: ".to_owned() + &"[".repeat(1000) + " ) }",
            "nests 1002 deep",
        ),
    ] {
        let refused = gw.viewer().query(&document, json!({})).await;
        let shown: String = document.chars().take(100).collect();
        assert_eq!(
            refused.verdict(),
            (400, "QUERY_TOO_COMPLEX"),
            "{shown}: {}",
            refused.text
        );
        assert!(refused.message().contains(has), "{shown}: {}", refused.message());
        assert!(
            refused.message().contains("Nothing was run"),
            "{}",
            refused.message()
        );
    }
    assert_eq!(gw.viewer().query(&nest(3), json!({})).await.status, 200);
    assert_eq!(gw.viewer().query(&wide(30), json!({})).await.status, 200);
    let circle = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }";
    assert_eq!(
        gw.viewer().query(circle, json!({})).await.code(),
        "GRAPHQL_VALIDATION_FAILED"
    );
}

fn wide_session(times: usize) -> String {
    "user { name } ".repeat(times)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_a_million_is_bad_input() {
    let gw = gateway().await;
    for (field, below) in [
        ("onlineSessions", "nodes { id }"),
        ("operations", "nodes { id }"),
        ("auditRecords", "edges { node { id } }"),
    ] {
        for argument in ["first", "last"] {
            for size in [1_000_000, 1001, -1] {
                let document = format!("{{ {field}({argument}: {size}) {{ {below} }} }}");
                let refused = gw.admin().query(&document, json!({})).await;
                assert_eq!(
                    refused.verdict(),
                    (400, "BAD_USER_INPUT"),
                    "{document}: {}",
                    refused.text
                );
                assert_eq!(
                    refused.message(),
                    format!(
                        "`{argument}` is {size}; it must be from 0 to 1000. Follow the cursors for more."
                    )
                );
            }
        }
        for (arguments, wrong) in [
            ("first: 1, last: 1", "`first` and `last` exclude each other."),
            (
                "first: 1, before: \"x\"",
                "`first` goes with `after`, not with `before`.",
            ),
            (
                "last: 1, after: \"x\"",
                "`last` goes with `before`, not with `after`.",
            ),
            (
                "after: \"x\", before: \"y\"",
                "`after` and `before` exclude each other.",
            ),
            (
                "first: 1, after: \"nonsense\"",
                "`after` is not a cursor of this listing in this order. Begin again without it.",
            ),
        ] {
            let refused = gw
                .admin()
                .query(&format!("{{ {field}({arguments}) {{ {below} }} }}"), json!({}))
                .await;
            assert_eq!(
                (refused.verdict(), refused.message()),
                ((400, "BAD_USER_INPUT"), wrong),
                "{field}"
            );
        }
    }
    assert_eq!(
        gw.admin()
            .query("{ onlineSessions(first: 1000) { nodes { id } } }", json!({}))
            .await
            .status,
        200
    );
}

/// Every field that takes a session's id says which part of it is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_cannot_be_read_is_bad_input_and_the_part_is_named() {
    let gw = gateway().await;
    let fields = [
        ("query($id: ID!) { onlineSession(id: $id) { id } }", "id"),
        (
            "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }",
            "onlineSessionId",
        ),
        (
            "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id }) { status } }",
            "onlineSessionId",
        ),
        (
            "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id } }) { status } }",
            "target.onlineSessionId",
        ),
        (
            "mutation($id: ID!) { sendMessage(input: { onlineSessionId: $id, text: \"x\" }) { status } }",
            "onlineSessionId",
        ),
        (
            "query($id: ID!) { operations(filter: { onlineSessionId: $id }) { nodes { id } } }",
            "onlineSessionId",
        ),
    ];
    let good = "0123456789abcdef";
    let ids = [
        ("no-colon-at-all".to_owned(), "the backend part is missing"),
        (
            format!("Citrix:x@{good}"),
            "the backend part (before the first `:`)",
        ),
        (format!(":x@{good}"), "the backend part (before the first `:`)"),
        (format!("citrix-eu:@{good}"), "the native part"),
        (format!("citrix-eu:a b@{good}"), "the native part"),
        (format!("citrix-eu:%41@{good}"), "the native part"),
        ("citrix-eu:x".to_owned(), "the generation part is missing"),
        (
            "citrix-eu:x@0123".to_owned(),
            "the generation part (after the last `@`)",
        ),
        (
            "citrix-eu:x@0123456789ABCDEF".to_owned(),
            "the generation part (after the last `@`)",
        ),
        (
            format!("citrix-eu:{}@{good}", "x".repeat(600)),
            "the id is longer than 512 bytes",
        ),
    ];
    for (document, argument) in fields {
        for (id, part) in &ids {
            let reply = gw.admin().query(document, json!({ "id": id })).await;
            if argument == "onlineSessionId" && document.contains("BySessionId") && !id.contains(':') {
                // A bare id of a VPN session, of which there is none.
                assert_eq!(reply.verdict(), (400, "SESSION_NOT_FOUND"));
                continue;
            }
            assert_eq!(
                reply.verdict(),
                (400, "BAD_USER_INPUT"),
                "{document} {id}: {}",
                reply.text
            );
            let begins = format!("`{argument}` is not a session id: {part}");
            assert!(reply.message().starts_with(&begins), "{id}: {}", reply.message());
        }
    }
    for document in [
        "query($id: ID!) { operation(id: $id) { id } }",
        "query($id: ID!) { auditRecords(filter: { operationId: $id }) { nodes { id } } }",
    ] {
        let reply = gw.admin().query(document, json!({ "id": "17" })).await;
        assert_eq!(reply.verdict(), (400, "BAD_USER_INPUT"));
        assert!(
            reply.message().ends_with("the id must be a UUID."),
            "{}",
            reply.message()
        );
    }
    for filter in ["onlineSessions", "operations", "auditRecords"] {
        let document = format!("{{ {filter}(filter: {{ backendIds: [\"NO\"] }}) {{ totalCount }} }}");
        let reply = gw.admin().query(&document, json!({})).await;
        assert_eq!(reply.verdict(), (400, "BAD_USER_INPUT"));
        assert!(
            reply
                .message()
                .starts_with("`backendIds` holds `NO`: the backend part"),
            "{}",
            reply.message()
        );
    }
    assert_eq!(gw.sim().acts(), []);
    let audit = gw.audit().await;
    let bare = audit.only("DENIED");
    assert_eq!(
        (&bare["cause"], &bare["sessionId"], audit.0.len()),
        (&json!("NO_SUCH_TARGET"), &json!("no-colon-at-all"), 1),
        "what cannot be read was never asked for; a bare id can be read, and was"
    );
}

async fn a_backend_that_is_not_there_is_not_found_and_on_record(db: Db) {
    let gw = Gateway::usual(&db).await;
    let id = "citrix-us:41ba32e9-0000-4000-8000-000000000000@0123456789abcdef";
    let acts = [
        (
            "mutation($id: ID!) { act: disconnectSession(input: { onlineSessionId: $id }) { status operation { id } } }",
            "DISCONNECT",
        ),
        (
            "mutation($id: ID!) { act: logoffSession(input: { target: { onlineSessionId: $id }, wait: true }) { status operation { id } } }",
            "LOGOFF",
        ),
        (
            "mutation($id: ID!) { act: sendMessage(input: { onlineSessionId: $id, text: \"x\" }) { status operation { id } } }",
            "MESSAGE",
        ),
    ];
    for (document, _) in acts {
        let data = gw.admin().data(document, json!({ "id": id })).await;
        assert_eq!(
            data,
            json!({ "act": { "status": "NOT_FOUND", "operation": null } })
        );
    }
    let by_id = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
    let reply = gw.admin().query(by_id, json!({ "id": id })).await;
    assert_eq!(reply.verdict(), (400, "SESSION_NOT_FOUND"));
    assert_eq!(gw.listed(id).await, None);
    gw.audit().await.assert_is(
        "
        DENIED DISCONNECT HIDDEN_BACKEND <- Ada Admin
        DENIED LOGOFF HIDDEN_BACKEND <- Ada Admin
        DENIED MESSAGE HIDDEN_BACKEND <- Ada Admin
        DENIED DISCONNECT HIDDEN_BACKEND <- Ada Admin
    ",
    );
    // Whoever may not act at all is told so first: no oracle for backends.
    let reply = gw.viewer().query(by_id, json!({ "id": id })).await;
    assert_eq!(reply.verdict(), (403, "FORBIDDEN"));
    let missing: Value =
        serde_json::from_str(gw.audit().await.0[4]["params"].as_str().expect("params")).expect("JSON");
    assert_eq!(missing["missing"], Permission::SessionsDisconnect.as_str());

    // Another generation of a session that is there: nothing is done to the one that is.
    let (session, real) = gw.active(0);
    let stale = format!(
        "{}@{}",
        real.rsplit_once('@').expect("an id").0,
        "0123456789abcdef"
    );
    let reply = gw.admin().query(by_id, json!({ "id": stale })).await;
    assert_eq!(reply.verdict(), (409, "SESSION_CHANGED"), "{}", reply.text);
    assert_eq!(gw.sim().acts(), []);
    assert!(gw.sim().session(session).is_some());
    assert_eq!(gw.audit().await.only("OUTCOME")["outcome"], "SUPERSEDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schema_may_be_asked_for_unless_that_is_forbidden() {
    let gw = gateway().await;
    let reply = gw.viewer().query(INTROSPECTION, json!({})).await;
    assert_eq!((reply.status, reply.code()), (200, ""));
    assert_eq!(reply.body["data"]["__schema"]["queryType"]["name"], "Query");
    let by_get = gw
        .viewer()
        .request(reqwest::Method::GET)
        .query(&[("query", INTROSPECTION)]);
    assert_eq!(curfew_tests::Reply::of(by_get).await.status, 200);
    assert_eq!(gw.anonymous().query(INTROSPECTION, json!({})).await.status, 401);

    let sim = CitrixSimConfig::cloud().sessions(3);
    let closed = Gateway::builder()
        .citrix(sim)
        .limits(|limits| limits.introspection = false)
        .start()
        .await;
    for document in [
        INTROSPECTION,
        "{ __type(name: \"Query\") { name } }",
        "{ ... { a: __schema { description } } }",
    ] {
        let refused = closed.admin().query(document, json!({})).await;
        assert_eq!(refused.verdict(), (400, "INTROSPECTION_DISABLED"));
    }
    let typed = closed
        .viewer()
        .data("{ __typename viewer { __typename } }", json!({}))
        .await;
    assert_eq!(typed["__typename"], "Query");
    let wrong = closed.viewer().query("{ viewr { roles } }", json!({})).await;
    assert!(!wrong.text.contains("viewer"), "no suggestions: {}", wrong.text);
}

/// What GraphiQL and code generators send.
pub const INTROSPECTION: &str = "query IntrospectionQuery { __schema { description queryType { name kind } \
    mutationType { name kind } subscriptionType { name kind } types { ...FullType } \
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } } \
    fragment FullType on __Type { kind name description specifiedByURL \
    fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } \
    type { ...TypeRef } isDeprecated deprecationReason } \
    inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef } \
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } } \
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason } \
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }";
