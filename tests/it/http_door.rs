//! The HTTP door: methods, media types, bodies, statuses, web pages of other origins, stopping.
//!
//! Not what documents may ask for (`documents`). Invariant: whatever is refused has a code, says that nothing was run,
//! and nothing was.

use std::time::Duration;

use curfew_core::Role;
use curfew_sim::CitrixSimConfig;
use curfew_tests::{Client, Db, Dev, Gateway, Reply, on_both};
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, ORIGIN};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

on_both![the_source_address_and_the_request_are_on_record];

const JSON: &str = "application/json; charset=utf-8";
const NEWER: &str = "application/graphql-response+json; charset=utf-8";
const VIEWER: &str = "{ viewer { actor { subject } } }";

async fn gateway() -> Gateway {
    Gateway::usual(&Db::sqlite()).await
}

/// `url?query=…` as a link in a page would have it.
async fn by_get(client: &Client, document: &str) -> Reply {
    Reply::of(client.request(Method::GET).query(&[("query", document)])).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_may_come_by_get_and_a_mutation_may_not() {
    let gw = gateway().await;
    let (_, id) = gw.active(0);
    let read = by_get(&gw.viewer(), VIEWER).await;
    assert_eq!(
        (read.status, &read.body),
        (
            200,
            &json!({ "data": { "viewer": { "actor": { "subject": "dev-viewer" } } } })
        )
    );

    let mutation = format!("mutation {{ disconnectBySessionId(onlineSessionId: \"{id}\") }}");
    let several =
        format!("query A {VIEWER} mutation B {{ disconnectBySessionId(onlineSessionId: \"{id}\") }}");
    for (document, name) in [(&mutation, None), (&several, Some("B"))] {
        let mut request = gw
            .admin()
            .request(Method::GET)
            .query(&[("query", document.as_str())]);
        if let Some(name) = name {
            request = request.query(&[("operationName", name)]);
        }
        let refused = Reply::of(request).await;
        assert_eq!(refused.verdict(), (405, "METHOD_NOT_ALLOWED"), "{}", refused.text);
        assert_eq!(refused.header("allow"), "POST");
        assert_eq!(
            refused.message(),
            "Mutations are not taken by GET. Nothing was done. Send it by POST."
        );
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let request = gw
            .admin()
            .request(method)
            .header(CONTENT_TYPE, "application/json");
        let refused = Reply::of(request.body(json!({ "query": mutation }).to_string())).await;
        assert_eq!(refused.verdict(), (405, "METHOD_NOT_ALLOWED"));
        assert_eq!(refused.header("allow"), "GET, POST");
    }
    assert_eq!(gw.sim().acts(), []);
    assert_eq!(gw.audit().await.0, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_page_can_send_without_asking_is_not_taken() {
    let gw = gateway().await;
    let (_, id) = gw.active(0);
    let body = json!({ "query": format!("mutation {{ disconnectBySessionId(onlineSessionId: \"{id}\") }}") })
        .to_string();
    let boundary = "X";
    let multipart = format!(
        "--X\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{body}\r\n\
         --X\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{{}}\r\n--X--\r\n"
    );
    for (content_type, body) in [
        ("text/plain", body.clone()),
        ("text/plain; charset=application/json", body.clone()),
        ("application/x-www-form-urlencoded", format!("query={body}")),
        ("application/graphql", body.clone()),
        ("application/json; charset=utf-16", body.clone()),
        (&format!("multipart/form-data; boundary={boundary}"), multipart),
    ] {
        let request = gw
            .admin()
            .request(Method::POST)
            .header(CONTENT_TYPE, content_type)
            .body(body);
        let refused = Reply::of(request).await;
        assert_eq!(
            refused.verdict(),
            (415, "UNSUPPORTED_MEDIA_TYPE"),
            "{content_type}"
        );
        assert!(
            refused.message().contains("nothing was run"),
            "{}",
            refused.message()
        );
    }
    let none = Reply::of(gw.admin().request(Method::POST).body(body.clone())).await;
    assert_eq!(
        none.verdict(),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        "no content type at all"
    );
    let packed = gw
        .admin()
        .request(Method::POST)
        .header(CONTENT_TYPE, "application/json")
        .header("content-encoding", "gzip");
    assert_eq!(
        Reply::of(packed.body(body)).await.verdict(),
        (415, "UNSUPPORTED_MEDIA_TYPE")
    );
    assert_eq!(gw.sim().acts(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_request_is_refused() {
    let gw = gateway().await;
    let post = async |body: &str| {
        let request = gw
            .viewer()
            .request(Method::POST)
            .header(CONTENT_TYPE, "application/json");
        Reply::of(request.body(body.to_owned())).await
    };
    let batch = post(&json!([{ "query": VIEWER }, { "query": VIEWER }]).to_string()).await;
    assert_eq!(batch.verdict(), (400, "BATCHING_DISABLED"));
    for (body, problem) in [
        ("", "the body is not JSON (line 1, column 0)"),
        ("{\"query\": ", "the body is not JSON (line 1, column 10)"),
        ("query=%7Bviewer%7D", "the body is not JSON (line 1, column 1)"),
        ("\u{feff}{}", "the body is not JSON (line 1, column 1)"),
        ("17", "the body is not a JSON object"),
        ("{}", "there is no `query`"),
        ("{\"query\": null}", "there is no `query`"),
        ("{\"query\": \" \"}", "`query` is empty"),
        ("{\"query\": 17}", "`query` is not a string"),
        (
            "{\"query\": \"{ viewer }\", \"variables\": []}",
            "`variables` is not an object",
        ),
        (
            "{\"query\": \"{ viewer }\", \"operationName\": {}}",
            "`operationName` is not a string",
        ),
        (
            "{\"query\": \"{ viewer }\", \"extensions\": 1}",
            "`extensions` is not an object",
        ),
    ] {
        let refused = post(body).await;
        assert_eq!(refused.verdict(), (400, "BAD_REQUEST"), "{body}");
        assert_eq!(
            refused.message(),
            format!("Not a GraphQL request: {problem}; nothing was run")
        );
        assert!(refused.body.get("data").is_none());
    }
    let deep = format!(
        "{{\"query\": \"{{ viewer }}\", \"variables\": {}",
        "[".repeat(100_000)
    );
    assert_eq!(post(&deep).await.verdict(), (400, "BAD_REQUEST"));
    for query in [
        "query=%zz",
        "query=%ff",
        "variables=%7B%7D",
        "query=%7Bviewer%7D&query=%7Bviewer%7D",
    ] {
        let url = format!("{}?{query}", gw.url);
        let request = curfew_tests::http_client()
            .get(url)
            .header(AUTHORIZATION, bearer(&gw));
        let refused = Reply::of(request).await;
        let expected = if query == "query=%zz" {
            "GRAPHQL_PARSE_FAILED"
        } else {
            "BAD_REQUEST"
        };
        assert_eq!(refused.code(), expected, "{query}: {}", refused.text);
    }
}

fn bearer(gw: &Gateway) -> HeaderValue {
    let request = gw.viewer().request(Method::GET).build().expect("a request");
    request.headers()[AUTHORIZATION].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_has_the_media_type_that_is_asked_for() {
    let gw = gateway().await;
    for (accept, media_type) in [
        (None, JSON),
        (Some("*/*"), JSON),
        (Some("application/*"), JSON),
        (Some("application/json"), JSON),
        (Some("application/graphql-response+json"), NEWER),
        (
            Some("application/graphql-response+json, application/json;q=0.9"),
            NEWER,
        ),
        (
            Some("application/graphql-response+json;q=0.5, application/json"),
            JSON,
        ),
        (Some("text/html, application/graphql-response+json;q=0.1"), NEWER),
    ] {
        let mut request = gw.viewer().post(&json!({ "query": VIEWER }));
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let reply = Reply::of(request).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, media_type),
            "{accept:?}"
        );
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("vary"), "accept");
        assert!(!reply.header("x-request-id").is_empty());
    }
    for accept in [
        "text/html",
        "image/*",
        "application/json;q=0",
        "application/json; charset=utf-16",
    ] {
        let refused = gw.admin().query_accepting(accept, VIEWER, json!({})).await;
        assert_eq!(refused.verdict(), (406, "NOT_ACCEPTABLE"), "{accept}");
        assert_eq!(refused.header("content-type"), JSON);
    }
}

/// What was not run has no `data`: 400 under the newer media type, 200 under the older. What was run and gave nothing
/// has the status of its code under both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_says_whether_a_document_was_run() {
    let gw = gateway().await;
    let by_id =
        "query($id: ID!, $n: Int) { onlineSession(id: $id) { id } onlineSessions(first: $n) { totalCount } }";
    let id = "citrix-eu:x@0123456789abcdef";
    for (document, variables, code) in [
        ("{ viewer", json!({}), "GRAPHQL_PARSE_FAILED"),
        ("", json!({}), "BAD_REQUEST"),
        ("{ nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("{ viewer }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        (
            "{ backends(id: 1) { id } }",
            json!({}),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "query A { viewer { roles } } query B { viewer { roles } }",
            json!({}),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "subscription { sessions }",
            json!({}),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (by_id, json!({}), "GRAPHQL_VALIDATION_FAILED"),
        (by_id, json!({ "id": null }), "GRAPHQL_VALIDATION_FAILED"),
        (by_id, json!({ "id": { "a": 1 } }), "GRAPHQL_VALIDATION_FAILED"),
        (
            by_id,
            json!({ "id": id, "n": "ten" }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (by_id, json!({ "id": id, "n": 1.5 }), "GRAPHQL_VALIDATION_FAILED"),
        (
            by_id,
            json!({ "id": id, "n": 4_000_000_000_u32 }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "{ onlineSessions(filter: { states: [SLEEPING] }) { totalCount } }",
            json!({}),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "query($f: SessionFilter) { onlineSessions(filter: $f) { totalCount } }",
            json!({ "f": { "stat": [] } }),
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ] {
        for (accept, status) in [
            ("application/graphql-response+json", 400),
            ("application/json", 200),
        ] {
            let status = if code == "BAD_REQUEST" { 400 } else { status };
            let reply = gw
                .admin()
                .query_accepting(accept, document, variables.clone())
                .await;
            assert_eq!(
                reply.verdict(),
                (status, code),
                "{document} {variables} {accept}: {}",
                reply.text
            );
            assert!(reply.body.get("data").is_none(), "{}", reply.text);
            assert_eq!(reply.body["errors"][0]["extensions"]["retryable"], false);
        }
    }
    for accept in ["application/graphql-response+json", "application/json"] {
        let run = gw
            .auditor()
            .query_accepting(accept, "{ backends { id } }", json!({}))
            .await;
        assert_eq!(run.verdict(), (403, "FORBIDDEN"));
        assert_eq!(run.body.get("data"), Some(&Value::Null));
        let partly = "{ viewer { roles } onlineSession(id: \"nonsense\") { id } }";
        let partly = gw.viewer().query_accepting(accept, partly, json!({})).await;
        assert_eq!(partly.verdict(), (200, "BAD_USER_INPUT"));
        assert_eq!(partly.body["data"]["viewer"], json!({ "roles": ["viewer"] }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_pages_of_allowed_origins_may_read_answers() {
    let sim = CitrixSimConfig::cloud().sessions(3);
    let desk = "https://desk.example.com";
    let gw = Gateway::builder()
        .citrix(sim)
        .door(|door| door.allowed_origins = vec![HeaderValue::from_static(desk)]);
    let gw = gw.start().await;
    let preflight = async |origin: &'static str| {
        let request = gw.anonymous().request(Method::OPTIONS).header(ORIGIN, origin);
        let request = request.header("access-control-request-method", "POST");
        Reply::of(request.header("access-control-request-headers", "authorization,content-type")).await
    };
    let allowed = preflight(desk).await;
    assert_eq!(
        (allowed.status, allowed.header("access-control-allow-origin")),
        (200, desk)
    );
    assert_eq!(
        allowed.header("access-control-allow-headers"),
        "authorization,content-type"
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), "");
    for origin in ["https://evil.example.com", "http://desk.example.com", "null"] {
        assert_eq!(
            preflight(origin).await.header("access-control-allow-origin"),
            "",
            "{origin}"
        );
    }
    let read = Reply::of(gw.viewer().post(&json!({ "query": VIEWER })).header(ORIGIN, desk)).await;
    assert_eq!(
        (read.status, read.header("access-control-allow-origin")),
        (200, desk)
    );
    assert!(
        read.header("access-control-expose-headers")
            .contains("x-request-id")
    );

    let closed = gateway().await;
    let request = closed.anonymous().request(Method::OPTIONS).header(ORIGIN, desk);
    let refused = Reply::of(request.header("access-control-request-method", "POST")).await;
    assert_eq!(
        refused.header("access-control-allow-origin"),
        "",
        "nobody, unless somebody is named"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_gateway_refuses_and_says_when_to_come_again() {
    let gw = gateway().await;
    let (_, id) = gw.active(0);
    gw.begin_to_stop();
    let document = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
    let refused = gw.admin().query(document, json!({ "id": id })).await;
    assert_eq!(refused.verdict(), (503, "SHUTTING_DOWN"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        refused.body["errors"][0]["extensions"],
        json!({ "code": "SHUTTING_DOWN", "retryable": true, "retryAfterMs": 1000 })
    );
    assert!(refused.message().contains("nothing was run"));
    assert_eq!(gw.ops("/readyz").await.status, 503);
    assert_eq!(gw.sim().acts(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_requests_than_there_are_places_are_refused() {
    let sim = CitrixSimConfig::cloud().sessions(3).fault(curfew_sim::Fault::on(
        curfew_sim::Operation::Get,
        curfew_sim::FaultAction::Hold,
    ));
    let gw = Gateway::builder()
        .citrix(sim)
        .door(|door| door.in_flight = 1)
        .start()
        .await;
    let (_, id) = gw.active(0);
    let document = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
    let admin = gw.admin();
    let slow = tokio::spawn(async move { admin.query(document, json!({ "id": id })).await });
    gw.sim().wait_for_held(1).await;
    let refused = gw.viewer().query(VIEWER, json!({})).await;
    assert_eq!(refused.verdict(), (429, "OVERLOADED"));
    assert_eq!(refused.body["errors"][0]["extensions"]["retryAfterMs"], 1000);
    gw.sim().clear_faults();
    gw.sim().release();
    assert_eq!(slow.await.expect("an answer").status, 200);
    assert_eq!(gw.viewer().query(VIEWER, json!({})).await.status, 200);
}

async fn the_source_address_and_the_request_are_on_record(db: Db) {
    let sim = CitrixSimConfig::cloud().sessions(5);
    let trusting = |door: &mut curfew_server::http::DoorOptions| {
        door.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    };
    let gw = Gateway::builder()
        .citrix(sim.clone())
        .database(&db)
        .door(trusting)
        .start()
        .await;
    let (_, id) = gw.active(0);
    let body = json!({ "query": "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }",
        "variables": { "id": id } });
    let request = gw
        .viewer()
        .post(&body)
        .header("x-forwarded-for", "6.6.6.6, 203.0.113.9, 127.0.0.2");
    let refused = Reply::of(request).await;
    assert_eq!(refused.status, 403);
    let row = gw.audit().await.only("DENIED").clone();
    assert_eq!(
        row["sourceAddress"], "203.0.113.9",
        "the nearest that no trusted proxy has"
    );
    assert_eq!(row["requestId"], refused.header("x-request-id"));

    let gw = Gateway::builder().citrix(sim).database(&db).start().await;
    let refused = Reply::of(gw.viewer().post(&body).header("x-forwarded-for", "6.6.6.6")).await;
    let rows = gw.audit().await;
    let row = rows
        .0
        .iter()
        .find(|row| row["requestId"] == refused.header("x-request-id"));
    assert_eq!(
        row.expect("on record")["sourceAddress"],
        "127.0.0.1",
        "nobody is believed unless named"
    );
}

const SIXTY_MEGABYTES: usize = 60_000_000;
/// Above the cap of 256 KiB.
const HARDLY_TOO_LARGE: usize = 320 * 1024;

/// Sends a body of 60 MB that must not be read to its end, and gives the answer's head.
async fn large_body(address: &str, token: &str, total: usize, chunked: bool) -> String {
    const CHUNK: usize = 64 * 1024;
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let length = if chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {total}")
    };
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let (mut from, mut to) = stream.into_split();
    let sending = async move {
        let chunk = vec![b' '; CHUNK];
        for _ in 0..total / CHUNK {
            if chunked && to.write_all(format!("{CHUNK:x}\r\n").as_bytes()).await.is_err() {
                break;
            }
            // The gateway closes as soon as it has had enough.
            if to.write_all(&chunk).await.is_err() || (chunked && to.write_all(b"\r\n").await.is_err()) {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length) = from.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..length]);
            let text = String::from_utf8_lossy(&answer);
            if length == 0 || text.contains("BODY_TOO_LARGE") {
                break;
            }
        }
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::select! {
        () = sending => unreachable!("it never ends"),
        answer = tokio::time::timeout(Duration::from_secs(60), reading) => answer.expect("an answer in time"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_sixty_megabytes_is_refused_and_not_kept() {
    let Some(dev) = Dev::start(&["--sessions", "20"]).await else {
        return;
    };
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", dev.process.id())).expect("a status");
        let line = status
            .lines()
            .find(|it| it.starts_with("VmHWM:"))
            .expect("a peak");
        let kilobytes = line
            .split_whitespace()
            .nth(1)
            .and_then(|it| it.parse::<u64>().ok());
        kilobytes.expect("a number")
    };
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let address = text(&dev.ready["graphql"])
        .replace("http://", "")
        .replace("/graphql", "");
    let token = text(&dev.ready["tokens"]["admin"]);
    assert_eq!(dev.role(Role::Viewer).query(VIEWER, json!({})).await.status, 200);
    // What a connection and a refusal cost at first, with bodies that are hardly too large.
    for chunked in [false, true, false, true] {
        large_body(&address, &token, HARDLY_TOO_LARGE, chunked).await;
    }
    let before = peak();
    for chunked in [false, true, false, true] {
        let answer = large_body(&address, &token, SIXTY_MEGABYTES, chunked).await;
        assert!(
            answer.starts_with("HTTP/1.1 413 "),
            "chunked: {chunked}: {answer}"
        );
        assert!(answer.contains("BODY_TOO_LARGE"), "{answer}");
    }
    let grown = peak() - before;
    assert!(grown < 20_000, "the gateway grew by {grown} kB");
    assert_eq!(dev.role(Role::Viewer).query(VIEWER, json!({})).await.status, 200);
}
