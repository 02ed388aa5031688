//! The router of the public listener: `/graphql`, and in `dev` the GraphiQL page.
//!
//! Not here: reading of bodies (`extract`), choice of the media type (`accept`), statuses (`respond`).
//! Invariant: shutting down, overload, method, token, `Accept`, content type, size and form are looked at in this
//! order, and the executor is called only if none of them refuses.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::any;
use curfew_core::{Caller, Clock, RequestId, RequestMeta};
use curfew_graphql::{Answer, ErrorCode, GraphqlCall};
use futures::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use ipnet::IpNet;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::respond::{Refusal, answered, plain};
use super::{MediaType, accept, cors, extract, negotiate, source_address};
use crate::auth::{AuthError, Authenticate};
use crate::lifecycle::Shutdown;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long an overloaded or stopping gateway asks to wait.
const COME_BACK_MS: u64 = 1000;

/// Runs GraphQL requests; the schema is behind it.
#[async_trait]
pub trait Executor: Send + Sync + 'static {
    /// Answers one request of an authenticated caller. The deadline is the executor's own matter; it must not
    /// depend on being polled to the end, because a client that hangs up drops the future.
    async fn execute(&self, call: GraphqlCall, caller: Caller, request: RequestMeta) -> Answer;
}

/// What can be set at the door.
#[derive(Debug, Clone)]
pub struct DoorOptions {
    /// Longest body in bytes.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_patience: Duration,
    /// Most requests at the same time.
    pub in_flight: usize,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of the web pages that may call.
    pub allowed_origins: Vec<HeaderValue>,
    /// The GraphiQL page, in `dev` alone.
    pub graphiql: Option<String>,
}

impl Default for DoorOptions {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            body_patience: Duration::from_secs(10),
            in_flight: 1024,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            graphiql: None,
        }
    }
}

/// What the door is made of.
#[derive(Clone)]
pub struct Door {
    /// Runs requests.
    pub executor: Arc<dyn Executor>,
    /// Reads tokens.
    pub authenticate: Arc<dyn Authenticate>,
    /// Names requests.
    pub clock: Arc<dyn Clock>,
    /// Refuses everything once it has begun.
    pub shutdown: Shutdown,
    /// Limits and addresses.
    pub options: DoorOptions,
}

struct Inner {
    door: Door,
    places: Semaphore,
}

/// The router of the public listener. Serve it with [`Running`](super::Running), which knows the peers' addresses.
pub fn router(door: Door) -> Router {
    let cors = cors::layer(&door.options.allowed_origins);
    let places = Semaphore::new(door.options.in_flight);
    let inner = Arc::new(Inner { door, places });
    let router = Router::new()
        .route("/graphql", any(graphql))
        .route("/", any(root))
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&inner), enter))
        .with_state(inner);
    match cors {
        Some(cors) => router.layer(cors),
        None => router,
    }
}

/// What holds for every request: a name, a place, an answer even after a panic, headers and counters.
async fn enter(State(inner): State<Arc<Inner>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId(inner.door.clock.uuid());
    let media_type = negotiate(request.headers()).unwrap_or(MediaType::Json);
    let method = method_label(request.method());
    request.extensions_mut().insert(id);
    let _counted = InFlight::count();
    let answer = async {
        if inner.door.shutdown.has_begun() {
            return shutting_down().into_response(media_type);
        }
        let Ok(_place) = inner.places.try_acquire() else {
            return overloaded().into_response(media_type);
        };
        next.run(request).await
    };
    let span = tracing::info_span!("request", request.id = %id);
    let answer = AssertUnwindSafe(answer).catch_unwind().instrument(span).await;
    let mut response = answer.unwrap_or_else(|panic| {
        let what = panic_text(panic.as_ref());
        tracing::error!(request.id = %id, panic = what, "Request `{id}` ended in a panic: {what}");
        internal(id).into_response(media_type)
    });
    finish(&mut response, id);
    record(&response, id, method, started.elapsed());
    response
}

/// One request in the gauge, also if its client hangs up and the future is dropped.
struct InFlight;

impl InFlight {
    fn count() -> Self {
        metrics::gauge!("curfew_http_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("curfew_http_requests_in_flight").decrement(1.0);
    }
}

fn finish(response: &mut Response, id: RequestId) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
}

fn record(response: &Response, id: RequestId, method: &'static str, took: Duration) {
    let status = response.status().as_u16();
    let code = response
        .extensions()
        .get::<ErrorCode>()
        .map_or("none", |it| it.as_str());
    metrics::counter!(
        "curfew_http_requests_total",
        "method" => method,
        "status" => status.to_string(),
        "code" => code,
    )
    .increment(1);
    metrics::histogram!("curfew_http_request_duration_seconds").record(took.as_secs_f64());
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::debug!(request.id = %id, http.status = status, code, duration_ms, "Answered request `{id}` with {status}");
}

async fn graphql(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    if request.method() == Method::GET
        && let Some(page) = page(&inner, request.headers())
    {
        return page;
    }
    let media_type = negotiate(request.headers());
    let outcome = serve(&inner, request, media_type).await;
    let media_type = media_type.unwrap_or(MediaType::Json);
    match outcome {
        Ok(answer) => answered(answer, media_type),
        Err(refusal) => refusal.into_response(media_type),
    }
}

async fn serve(inner: &Inner, request: Request, media_type: Option<MediaType>) -> Result<Answer, Refusal> {
    let Door {
        executor,
        authenticate,
        options,
        ..
    } = &inner.door;
    if !matches!(*request.method(), Method::GET | Method::POST) {
        return Err(Refusal::new(
            ErrorCode::MethodNotAllowed,
            "Only POST, and GET for queries, are taken here; nothing was run",
        )
        .allow("GET, POST"));
    }
    let meta = meta(&request, &options.trusted_proxies);
    let caller = match bearer(request.headers()) {
        Ok(token) => authenticate.authenticate(token).await,
        Err(error) => Err(error),
    };
    let caller = caller.map_err(|error| unauthenticated(&error, &meta))?;
    if media_type.is_none() {
        return Err(Refusal::new(
            ErrorCode::NotAcceptable,
            "No media type in `Accept` can be given; nothing was run: \
             accept application/graphql-response+json or application/json",
        ));
    }
    let (parts, body) = request.into_parts();
    let call = if parts.method == Method::GET {
        extract::from_query_string(parts.uri.query().unwrap_or_default())?
    } else {
        extract::check_content_type(&parts.headers)?;
        let body =
            extract::read_body(&parts.headers, body, options.body_bytes, options.body_patience).await?;
        extract::from_body(&body)?
    };
    Ok(executor.execute(call, caller, meta).await)
}

fn meta(request: &Request, trusted: &[IpNet]) -> RequestMeta {
    let extensions = request.extensions();
    let peer: Option<IpAddr> = extensions.get::<ConnectInfo<SocketAddr>>().map(|it| it.0.ip());
    RequestMeta {
        // `enter` has set it.
        id: extensions
            .get::<RequestId>()
            .copied()
            .unwrap_or(RequestId(uuid::Uuid::nil())),
        source_address: peer.map(|peer| source_address(peer, request.headers(), trusted)),
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1), `None` without the header. Tokens in URLs and
/// bodies are not taken: they end up in logs.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, AuthError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| AuthError::Malformed)?,
        (Some(_), Some(_)) => return Err(AuthError::Malformed),
    };
    let (scheme, token) = value.trim().split_once(' ').ok_or(AuthError::Malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Err(AuthError::Scheme)
    }
}

/// One text for every reason; the reason is counted and logged here, the token never.
fn unauthenticated(error: &AuthError, request: &RequestMeta) -> Refusal {
    let reason = error.reason();
    metrics::counter!("curfew_auth_failures_total", "reason" => reason).increment(1);
    let source = request
        .source_address
        .map(|it| it.to_string())
        .unwrap_or_default();
    tracing::info!(
        request.id = %request.id,
        source.address = source,
        reason,
        "Refused request `{}`: {error}",
        request.id,
    );
    Refusal::new(
        ErrorCode::Unauthenticated,
        "A valid bearer token is required; nothing was run: sign in and send `Authorization: Bearer <token>`",
    )
}

async fn root(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    if request.method() == Method::GET
        && let Some(page) = page(&inner, request.headers())
    {
        return page;
    }
    not_found().await
}

fn page(inner: &Inner, headers: &HeaderMap) -> Option<Response> {
    let page = inner.door.options.graphiql.as_ref()?;
    if !accept::wants_page(headers) {
        return None;
    }
    let mut response = plain(StatusCode::OK, "text/html; charset=utf-8", page.clone());
    // The page holds a token: nobody may put it into a frame.
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("frame-ancestors 'none'"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Some(response)
}

async fn not_found() -> Response {
    plain(
        StatusCode::NOT_FOUND,
        "text/plain; charset=utf-8",
        "Not found. The GraphQL endpoint is /graphql.\n",
    )
}

fn shutting_down() -> Refusal {
    Refusal::new(
        ErrorCode::ShuttingDown,
        "The gateway is stopping; nothing was run: send the request again, to another gateway if there is one",
    )
    .retry_after_ms(COME_BACK_MS)
}

fn overloaded() -> Refusal {
    Refusal::new(
        ErrorCode::Overloaded,
        "The gateway has too many requests in hand; nothing was run: send the request again later",
    )
    .retry_after_ms(COME_BACK_MS)
}

fn internal(id: RequestId) -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        format!(
            "The gateway failed, and whether the request was run is not known: \
             look before sending it again, and quote {id} when reporting this"
        ),
    )
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        _ => "other",
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

#[cfg(test)]
mod tests;
