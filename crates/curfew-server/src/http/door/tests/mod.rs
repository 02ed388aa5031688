//! The door through its router, with a fake executor and a fake authenticator.
//!
//! Not GraphQL and not tokens. Invariant: every refusal is checked with its status, its code, its headers, and
//! that the executor was not called.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use curfew_core::fakes::MockClock;
use curfew_core::{Actor, Caller};
use curfew_graphql::{Ending, Via};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

mod refusals;

const JSON: &str = "application/json; charset=utf-8";
const NEW: &str = "application/graphql-response+json; charset=utf-8";

#[derive(Default)]
struct FakeExecutor {
    calls: AtomicUsize,
    last: parking::Last,
    busy: tokio::sync::Notify,
}

/// The last call, behind the lock that the standard library has.
mod parking {
    use std::sync::Mutex;

    use curfew_core::RequestMeta;
    use curfew_graphql::GraphqlCall;

    #[derive(Default)]
    pub struct Last(Mutex<Option<(GraphqlCall, RequestMeta)>>);

    impl Last {
        pub fn set(&self, call: GraphqlCall, meta: RequestMeta) {
            *self.0.lock().expect("not poisoned") = Some((call, meta));
        }

        pub fn get(&self) -> Option<(GraphqlCall, RequestMeta)> {
            self.0.lock().expect("not poisoned").clone()
        }
    }
}

#[async_trait]
impl Executor for FakeExecutor {
    async fn execute(&self, call: GraphqlCall, caller: Caller, request: RequestMeta) -> Answer {
        assert_eq!(caller.actor.subject, "good");
        self.calls.fetch_add(1, Ordering::SeqCst);
        let query = call.query.clone();
        self.last.set(call, request);
        let (ending, code, retry_after_ms) = match query.as_str() {
            "not run" => (Ending::NotRun, Some(ErrorCode::GraphqlParseFailed), None),
            "too many" => (Ending::Refused, Some(ErrorCode::TooManyActs), None),
            "mutation by get" => (Ending::Refused, Some(ErrorCode::MethodNotAllowed), None),
            "forbidden" => (Ending::DataNull, Some(ErrorCode::Forbidden), None),
            "limited" => (Ending::DataNull, Some(ErrorCode::RateLimited), Some(1500)),
            "partial" => (Ending::Data, Some(ErrorCode::BackendTimeout), None),
            "panic" => panic!("boom"),
            "wait" => {
                self.busy.notified().await;
                (Ending::Data, None, None)
            }
            _ => (Ending::Data, None, None),
        };
        Answer {
            body: "{}".into(),
            ending,
            first_code: code,
            retry_after_ms,
        }
    }
}

struct FakeAuthenticate;

#[async_trait]
impl Authenticate for FakeAuthenticate {
    async fn authenticate(&self, bearer: Option<&str>) -> Result<Caller, AuthError> {
        match bearer {
            None => Err(AuthError::Missing),
            Some("good") => Ok(Caller {
                actor: Actor {
                    issuer: "i".into(),
                    subject: "good".into(),
                    name: "n".into(),
                },
                roles: Vec::new(),
                grants: Vec::new(),
            }),
            Some(_) => Err(AuthError::Signature),
        }
    }
}

struct House {
    executor: Arc<FakeExecutor>,
    shutdown: Shutdown,
    router: Router,
}

impl House {
    fn with(options: DoorOptions) -> Self {
        let executor = Arc::new(FakeExecutor::default());
        let shutdown = Shutdown::new();
        let door = Door {
            executor: Arc::clone(&executor) as Arc<dyn Executor>,
            authenticate: Arc::new(FakeAuthenticate),
            clock: Arc::new(MockClock::default()),
            shutdown: shutdown.clone(),
            options,
        };
        let peer = SocketAddr::from(([10, 0, 0, 1], 4711));
        Self {
            executor,
            shutdown,
            router: router(door).layer(axum::Extension(ConnectInfo(peer))),
        }
    }

    fn new() -> Self {
        Self::with(DoorOptions::default())
    }

    fn calls(&self) -> usize {
        self.executor.calls.load(Ordering::SeqCst)
    }

    async fn send(&self, request: http::Request<Body>) -> Seen {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the door always answers");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Seen {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into(),
        }
    }
}

struct Seen {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().expect("text"))
    }

    fn error(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).expect("JSON")["errors"][0].clone()
    }

    fn code(&self) -> String {
        self.error()["extensions"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// A POST with a good token, and headers over it; an empty value removes one.
fn post(headers: &[(&str, &str)], body: impl Into<Body>) -> http::Request<Body> {
    request("POST", "/graphql", headers, body)
}

fn request(method: &str, uri: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> http::Request<Body> {
    let mut request = http::Request::new(body.into());
    *request.method_mut() = method.parse().expect("a method");
    *request.uri_mut() = uri.parse().expect("a URI");
    let all = request.headers_mut();
    all.insert("authorization", HeaderValue::from_static("Bearer good"));
    if method == "POST" {
        all.insert("content-type", HeaderValue::from_static("application/json"));
    }
    for (name, value) in headers {
        let name: HeaderName = name.parse().expect("a name");
        if value.is_empty() {
            all.remove(name);
        } else {
            all.insert(name, value.parse().expect("a value"));
        }
    }
    request
}

fn query(text: &str) -> String {
    json!({ "query": text }).to_string()
}

#[tokio::test]
async fn two_authorization_headers_are_refused() {
    let house = House::new();
    let mut twice = post(&[], query("{a}"));
    twice
        .headers_mut()
        .append("authorization", HeaderValue::from_static("Bearer good"));
    assert_eq!(house.send(twice).await.status, 401);
    let mut types = post(&[], query("{a}"));
    types
        .headers_mut()
        .append("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(house.send(types).await.status, 415);
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_refusal_has_the_media_type_that_was_asked_for() {
    let house = House::new();
    let seen = house
        .send(post(&[("accept", "application/graphql-response+json")], "[]"))
        .await;
    assert_eq!((seen.status, seen.header("content-type")), (400, NEW));
}

#[tokio::test]
async fn the_status_follows_from_the_ending_and_the_code() {
    let house = House::new();
    for (text, legacy, new) in [
        ("data", 200, 200),
        ("partial", 200, 200),
        ("not run", 200, 400),
        ("too many", 400, 400),
        ("mutation by get", 405, 405),
        ("forbidden", 403, 403),
        ("limited", 429, 429),
    ] {
        for (accept, status, content_type) in [
            ("application/json", legacy, JSON),
            ("application/graphql-response+json", new, NEW),
        ] {
            let seen = house.send(post(&[("accept", accept)], query(text))).await;
            assert_eq!(
                (seen.status, seen.header("content-type")),
                (status, content_type),
                "{text}"
            );
            assert_eq!(
                seen.header("allow"),
                if status == 405 { "POST" } else { "" },
                "{text}"
            );
            assert_eq!(
                seen.header("retry-after"),
                if text == "limited" { "2" } else { "" },
                "{text}"
            );
            assert_eq!(seen.header("x-content-type-options"), "nosniff");
            assert_eq!(seen.header("vary"), "accept");
        }
    }
}

#[tokio::test]
async fn a_post_arrives_as_it_was_sent() {
    let house = House::new();
    let body = json!({
        "query": "query Q($a: Int) { a }", "operationName": "Q", "variables": { "a": 1 },
        "extensions": { "persistedQuery": { "version": 1 } }, "unknown": true,
    });
    let seen = house
        .send(post(
            &[("content-type", "Application/JSON; Charset=\"utf-8\"")],
            body.to_string(),
        ))
        .await;
    assert_eq!((seen.status, seen.body.as_str()), (200, "{}"));
    let (call, meta) = house.executor.last.get().expect("a call");
    assert_eq!(call.query, "query Q($a: Int) { a }");
    assert_eq!(call.operation_name.as_deref(), Some("Q"));
    assert_eq!(Value::Object(call.variables), json!({ "a": 1 }));
    assert_eq!(call.via, Via::Post);
    assert_eq!(seen.header("x-request-id"), meta.id.to_string());
    assert_eq!(meta.source_address, Some(IpAddr::from([10, 0, 0, 1])));
}

#[tokio::test]
async fn a_get_is_percent_decoded() {
    let house = House::new();
    let uri = "/graphql?query=query+Q%28%24a%3A+String%29+%7B+a+%7D&operationName=Q&variables=%7B%22a%22%3A%22%C3%A4%2B%22%7D&x=%ff";
    assert_eq!(house.send(request("GET", uri, &[], "")).await.status, 200);
    let (call, _) = house.executor.last.get().expect("a call");
    assert_eq!(call.query, "query Q($a: String) { a }");
    assert_eq!(call.operation_name.as_deref(), Some("Q"));
    assert_eq!(Value::Object(call.variables), json!({ "a": "ä+" }));
    assert_eq!(call.via, Via::Get);
}

#[tokio::test]
async fn empty_name_and_null_members_mean_none() {
    let house = House::new();
    let body = r#"{"query":"{a}","operationName":"","variables":null,"extensions":null}"#;
    assert_eq!(house.send(post(&[], body)).await.status, 200);
    let (call, _) = house.executor.last.get().expect("a call");
    assert_eq!((call.operation_name, call.variables.len()), (None, 0));
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let house = House::new();
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let endless = futures::stream::repeat_with(move || {
        counter.fetch_add(64 * 1024, Ordering::SeqCst);
        Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; 64 * 1024]))
    });
    let seen = house.send(post(&[], Body::from_stream(endless))).await;
    assert_eq!((seen.status, seen.code().as_str()), (413, "BODY_TOO_LARGE"));
    assert!(sent.load(Ordering::SeqCst) <= 512 * 1024);
    assert_eq!(house.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_not_waited_for() {
    let house = House::new();
    let silent = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let seen = house.send(post(&[], Body::from_stream(silent))).await;
    assert_eq!((seen.status, seen.code().as_str()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let house = House::new();
    let broken = futures::stream::iter([
        Ok(bytes::Bytes::from_static(b"{")),
        Err(std::io::Error::other("cut")),
    ]);
    let seen = house.send(post(&[], Body::from_stream(broken))).await;
    assert_eq!((seen.status, seen.code().as_str()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn a_panic_becomes_an_answer_with_an_id_and_the_door_stays_open() {
    let house = House::new();
    let seen = house.send(post(&[], query("panic"))).await;
    assert_eq!((seen.status, seen.code().as_str()), (500, "INTERNAL"));
    assert!(seen.body.contains(seen.header("x-request-id")));
    assert!(!seen.body.contains("boom"));
    assert_eq!(house.send(post(&[], query("data"))).await.status, 200);
}

#[tokio::test]
async fn more_requests_than_places_are_told_to_come_back() {
    let house = House::with(DoorOptions {
        in_flight: 1,
        ..DoorOptions::default()
    });
    let first = house.router.clone().oneshot(post(&[], query("wait")));
    let first = tokio::spawn(first);
    while house.calls() == 0 {
        tokio::task::yield_now().await;
    }
    let seen = house.send(post(&[], query("data"))).await;
    assert_eq!(
        (seen.status, seen.code().as_str(), seen.header("retry-after")),
        (429, "OVERLOADED", "1")
    );
    assert_eq!(seen.error()["extensions"]["retryAfterMs"], 1000);
    assert_eq!(seen.error()["extensions"]["retryable"], true);
    house.executor.busy.notify_one();
    first.await.expect("no panic").expect("an answer");
    assert_eq!(house.send(post(&[], query("data"))).await.status, 200);
}

#[tokio::test]
async fn a_stopping_gateway_runs_nothing() {
    let house = House::new();
    house.shutdown.begin();
    let seen = house.send(post(&[], query("data"))).await;
    assert_eq!(
        (seen.status, seen.code().as_str(), seen.header("retry-after")),
        (503, "SHUTTING_DOWN", "1")
    );
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn the_source_is_taken_from_trusted_proxies_alone() {
    let trusting = DoorOptions {
        trusted_proxies: vec!["10.0.0.0/8".parse().expect("a net")],
        ..DoorOptions::default()
    };
    for (options, expected) in [
        (trusting, [203, 0, 113, 9]),
        (DoorOptions::default(), [10, 0, 0, 1]),
    ] {
        let house = House::with(options);
        house
            .send(post(
                &[("x-forwarded-for", "1.2.3.4, 203.0.113.9")],
                query("data"),
            ))
            .await;
        let (_, meta) = house.executor.last.get().expect("a call");
        assert_eq!(meta.source_address, Some(IpAddr::from(expected)));
    }
}

#[tokio::test]
async fn only_allowed_origins_get_cors_headers() {
    let preflight = |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
            ("authorization", ""),
        ];
        request("OPTIONS", "/graphql", &headers, "")
    };
    let origins = vec![HeaderValue::from_static("https://desk.example.com")];
    let house = House::with(DoorOptions {
        allowed_origins: origins,
        ..DoorOptions::default()
    });
    let seen = house.send(preflight("https://desk.example.com")).await;
    assert_eq!(seen.status, 200);
    assert_eq!(
        seen.header("access-control-allow-origin"),
        "https://desk.example.com"
    );
    assert_eq!(seen.header("access-control-allow-methods"), "GET,POST");
    assert_eq!(
        seen.header("access-control-allow-headers"),
        "authorization,content-type"
    );
    assert_eq!(seen.header("access-control-allow-credentials"), "");
    let seen = house.send(preflight("https://evil.example.com")).await;
    assert_eq!(seen.header("access-control-allow-origin"), "");
    // A refusal can be read by the page too.
    let refused = post(
        &[("origin", "https://desk.example.com"), ("authorization", "")],
        query("data"),
    );
    let seen = house.send(refused).await;
    assert_eq!(
        (seen.status, seen.header("access-control-allow-origin")),
        (401, "https://desk.example.com")
    );

    let closed = House::new();
    let seen = closed.send(preflight("https://desk.example.com")).await;
    assert_eq!(
        (seen.status, seen.header("access-control-allow-origin")),
        (405, "")
    );
    assert_eq!(house.calls() + closed.calls(), 0);
}

#[tokio::test]
async fn graphiql_is_there_only_if_it_is_switched_on() {
    let browser = [("accept", "text/html,*/*;q=0.8"), ("authorization", "")];
    let with = House::with(DoorOptions {
        graphiql: Some("<p>hi</p>".into()),
        ..DoorOptions::default()
    });
    for path in ["/", "/graphql"] {
        let seen = with.send(request("GET", path, &browser, "")).await;
        assert_eq!((seen.status, seen.body.as_str()), (200, "<p>hi</p>"), "{path}");
        assert_eq!(seen.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(seen.header("content-security-policy"), "frame-ancestors 'none'");
    }
    let program = [("accept", "*/*"), ("authorization", "")];
    assert_eq!(
        with.send(request("GET", "/graphql?query=a", &program, ""))
            .await
            .status,
        401
    );
    assert_eq!(with.send(request("GET", "/", &program, "")).await.status, 404);
    let without = House::new();
    assert_eq!(without.send(request("GET", "/", &browser, "")).await.status, 404);
    assert_eq!(
        without
            .send(request("GET", "/graphql", &browser, ""))
            .await
            .status,
        401
    );
    assert_eq!(
        without
            .send(request("POST", "/", &[], query("data")))
            .await
            .status,
        404
    );
    assert_eq!(with.calls() + without.calls(), 0);
}
