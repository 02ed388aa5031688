//! Every refusal of the door as one table. Not what is let through. Invariant: each line stands alone.

use axum::body::Body;

use super::{House, JSON, post, query, request};

#[tokio::test]
async fn what_is_refused_never_reaches_the_executor() {
    let ok = query("{ viewer { name } }");
    let nested = format!("{{\"query\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let huge = format!("{{\"query\":\"{}\"}}", "x".repeat(300 * 1024));
    type Case<'a> = (&'a str, http::Request<Body>, u16, &'a str);
    let cases: Vec<Case> = vec![
        // Who asks.
        (
            "no token",
            post(&[("authorization", "")], ok.clone()),
            401,
            "UNAUTHENTICATED",
        ),
        (
            "bad token",
            post(&[("authorization", "Bearer bad")], ok.clone()),
            401,
            "UNAUTHENTICATED",
        ),
        (
            "another scheme",
            post(&[("authorization", "Basic Z29vZA==")], ok.clone()),
            401,
            "UNAUTHENTICATED",
        ),
        (
            "no scheme",
            post(&[("authorization", "good")], ok.clone()),
            401,
            "UNAUTHENTICATED",
        ),
        (
            "empty token",
            post(&[("authorization", "Bearer ")], ok.clone()),
            401,
            "UNAUTHENTICATED",
        ),
        (
            "no token, broken document",
            post(&[("authorization", "")], "{{{"),
            401,
            "UNAUTHENTICATED",
        ),
        (
            "no token by GET",
            request("GET", "/graphql?query=x", &[("authorization", "")], ""),
            401,
            "UNAUTHENTICATED",
        ),
        (
            "token in the URL",
            request(
                "GET",
                "/graphql?query=x&access_token=good",
                &[("authorization", "")],
                "",
            ),
            401,
            "UNAUTHENTICATED",
        ),
        // Methods.
        (
            "PUT",
            request("PUT", "/graphql", &[], ok.clone()),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            "DELETE",
            request("DELETE", "/graphql", &[], ""),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        ("HEAD", request("HEAD", "/graphql?query=x", &[], ""), 405, ""),
        (
            "OPTIONS",
            request("OPTIONS", "/graphql", &[], ""),
            405,
            "METHOD_NOT_ALLOWED",
        ),
        // Media types.
        (
            "text/plain",
            post(&[("content-type", "text/plain")], ok.clone()),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "form",
            post(
                &[("content-type", "application/x-www-form-urlencoded")],
                ok.clone(),
            ),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "multipart",
            post(&[("content-type", "multipart/form-data; boundary=x")], ok.clone()),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "graphql",
            post(&[("content-type", "application/graphql")], ok.clone()),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "json5",
            post(&[("content-type", "application/json5")], ok.clone()),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "no type",
            post(&[("content-type", "")], ok.clone()),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "latin-1",
            post(
                &[("content-type", "application/json; charset=iso-8859-1")],
                ok.clone(),
            ),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "gzip",
            post(&[("content-encoding", "gzip")], ok.clone()),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "Accept",
            post(&[("accept", "text/html")], ok.clone()),
            406,
            "NOT_ACCEPTABLE",
        ),
        // Size.
        ("large", post(&[], huge.clone()), 413, "BODY_TOO_LARGE"),
        (
            "said to be large",
            post(&[("content-length", "60000000")], ok.clone()),
            413,
            "BODY_TOO_LARGE",
        ),
        // Form.
        ("empty", post(&[], ""), 400, "BAD_REQUEST"),
        ("not JSON", post(&[], "query { viewer }"), 400, "BAD_REQUEST"),
        (
            "not UTF-8",
            post(&[], b"{\"query\":\"\xff\"}".to_vec()),
            400,
            "BAD_REQUEST",
        ),
        (
            "JSON and more",
            post(&[], format!("{ok}{ok}")),
            400,
            "BAD_REQUEST",
        ),
        ("deep JSON", post(&[], nested), 400, "BAD_REQUEST"),
        ("string", post(&[], "\"{ viewer }\""), 400, "BAD_REQUEST"),
        ("null", post(&[], "null"), 400, "BAD_REQUEST"),
        ("array", post(&[], format!("[{ok}]")), 400, "BATCHING_DISABLED"),
        (
            "array of many",
            post(&[], format!("[{ok},{ok}]")),
            400,
            "BATCHING_DISABLED",
        ),
        ("empty array", post(&[], "[]"), 400, "BATCHING_DISABLED"),
        ("no query", post(&[], "{}"), 400, "BAD_REQUEST"),
        ("null query", post(&[], r#"{"query":null}"#), 400, "BAD_REQUEST"),
        ("blank query", post(&[], r#"{"query":" "}"#), 400, "BAD_REQUEST"),
        ("number query", post(&[], r#"{"query":1}"#), 400, "BAD_REQUEST"),
        (
            "persisted query",
            post(&[], r#"{"extensions":{"persistedQuery":{"version":1}}}"#),
            400,
            "BAD_REQUEST",
        ),
        (
            "number name",
            post(&[], r#"{"query":"{a}","operationName":1}"#),
            400,
            "BAD_REQUEST",
        ),
        (
            "array variables",
            post(&[], r#"{"query":"{a}","variables":[]}"#),
            400,
            "BAD_REQUEST",
        ),
        (
            "string variables",
            post(&[], r#"{"query":"{a}","variables":"{}"}"#),
            400,
            "BAD_REQUEST",
        ),
        (
            "number extensions",
            post(&[], r#"{"query":"{a}","extensions":1}"#),
            400,
            "BAD_REQUEST",
        ),
        (
            "GET without query",
            request("GET", "/graphql", &[], ""),
            400,
            "BAD_REQUEST",
        ),
        (
            "GET twice",
            request("GET", "/graphql?query=a&query=b", &[], ""),
            400,
            "BAD_REQUEST",
        ),
        (
            "GET not UTF-8",
            request("GET", "/graphql?query=%ff", &[], ""),
            400,
            "BAD_REQUEST",
        ),
        (
            "GET variables",
            request("GET", "/graphql?query=a&variables=%7B", &[], ""),
            400,
            "BAD_REQUEST",
        ),
        (
            "GET array variables",
            request("GET", "/graphql?query=a&variables=[]", &[], ""),
            400,
            "BAD_REQUEST",
        ),
    ];
    let house = House::new();
    let mut texts = std::collections::BTreeSet::new();
    for (name, request, status, code) in cases {
        let seen = house.send(request).await;
        assert_eq!(seen.status, status, "{name}: {}", seen.body);
        assert_eq!(seen.header("cache-control"), "no-store", "{name}");
        assert_eq!(seen.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(seen.header("x-request-id").len(), 36, "{name}");
        assert_eq!(seen.header("content-type"), JSON, "{name}");
        if !code.is_empty() {
            assert_eq!(seen.code(), code, "{name}");
            assert!(
                seen.error()["message"].as_str().is_some_and(|it| it.len() > 20),
                "{name}"
            );
            assert!(!seen.body.contains("\"data\""), "{name}");
        }
        let challenge = seen.header("www-authenticate");
        assert_eq!(challenge, if status == 401 { "Bearer" } else { "" }, "{name}");
        let allow = seen.header("allow");
        assert_eq!(allow, if status == 405 { "GET, POST" } else { "" }, "{name}");
        if status == 401 {
            texts.insert(seen.body);
        }
    }
    assert_eq!(house.calls(), 0);
    assert_eq!(texts.len(), 1, "one text for every reason: {texts:?}");
}
