//! The way of a request through the simulator: read, let in, suffer a fault, perform, answer.
//!
//! Every request runs in a task of its own, so a client that hangs up does not undo or prevent what it asked for:
//! that is what makes "the request arrived, the answer did not" testable. Invariant: a fault either stands before
//! the act (and nothing is performed) or behind it (and all of it is), never between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};

use super::config::UnknownUser;
use super::estate::SessionView;
use super::fault::{self, FaultAction, FaultBody, Operation, Seen};
use super::question::{self, Asked, Question};
use super::reply::{Problem, Reply};
use super::service::{Line, Scope, Service};
use crate::chaos::{Chaos, Flap, SLOW};
use crate::serve::Dropped;

/// The largest request body that is read.
const BODY_LIMIT: usize = 1 << 20;

/// Answers one request.
pub(crate) async fn answer(service: Arc<Service>, request: Request<Body>) -> Result<Response, Dropped> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| Dropped)?;
    let worker = Arc::clone(&service);
    let task = service.tasks.spawn(async move {
        tokio::select! {
            answer = serve(&worker, &parts, &body) => answer,
            () = worker.board.stop.cancelled() => Err(Dropped),
        }
    });
    task.await.map_err(|_| Dropped)?
}

async fn serve(service: &Arc<Service>, parts: &Parts, body: &[u8]) -> Result<Response, Dropped> {
    let asked = if parts.uri.path() == "/graphql" && parts.method == Method::POST && is_json(parts) {
        Some(question::read(body))
    } else {
        None
    };
    let question = asked.as_ref().and_then(|asked| asked.as_ref().ok());
    let operation = match question.map(|asked| &asked.question) {
        Some(Question::List { .. }) => Operation::List,
        Some(Question::Disconnect { .. }) => Operation::Disconnect,
        None => Operation::Other,
    };
    let _inside = service.enter(operation);
    let token = bearer(parts);
    let scope = token.and_then(|token| service.scope_of(token));
    let line = match question.map(|asked| &asked.question) {
        Some(Question::Disconnect { session }) => Some(service.note(session, scope)),
        _ => None,
    };
    let reply = match (scope, token) {
        (Some(scope), _) => {
            let allowance = service.allowance(scope);
            let reply = if allowance.is_some_and(|allowance| allowance.exceeded) {
                service.too_many()
            } else {
                let asked = asked.unwrap_or_else(|| Err(elsewhere(parts)));
                let call = Call {
                    operation,
                    scope,
                    line,
                };
                call.serve(service, asked).await?
            };
            match allowance {
                Some(allowance) => service.with_allowance(reply, allowance),
                None => reply,
            }
        }
        (None, token) => {
            service.counters.lock().turned_away += 1;
            let problem = match token {
                None => Problem::unauthenticated(),
                Some(_) => Problem::authentication(),
            };
            service.problem(&problem)
        }
    };
    if let Some(line) = line {
        service.note_answer(line, reply.status.as_u16());
    }
    tracing::debug!(?operation, status = reply.status.as_u16(), "Answered");
    Ok(reply.into_response())
}

fn is_json(parts: &Parts) -> bool {
    parts
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("application/json"))
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// What is wrong with a request that is none of GraphQL.
fn elsewhere(parts: &Parts) -> Problem {
    match () {
        () if parts.uri.path() != "/graphql" => Problem::bad("BAD_REQUEST", "There is only /graphql"),
        () if parts.method != Method::POST => Problem::bad("BAD_REQUEST", "There is only POST"),
        () => Problem::bad("BAD_REQUEST", "The body must be application/json"),
    }
}

/// A request that a known token brought.
struct Call {
    operation: Operation,
    scope: Scope,
    line: Option<Line>,
}

impl Call {
    async fn serve(&self, service: &Arc<Service>, asked: Result<Asked, Problem>) -> Result<Reply, Dropped> {
        let asked = match asked {
            Ok(asked) => asked,
            Err(problem) => return Ok(service.problem(&problem)),
        };
        let refused = match (&asked.question, self.scope) {
            (Question::List { .. }, Scope::User) => Some(Problem::may_not_list()),
            (Question::Disconnect { .. }, Scope::User | Scope::Reseller) => {
                Some(Problem::may_not_disconnect())
            }
            _ => None,
        };
        if let Some(problem) = refused {
            service.counters.lock().turned_away += 1;
            return Ok(service.problem(&problem));
        }
        let seen = match &asked.question {
            Question::List { user, .. } => (Some(*user), None),
            Question::Disconnect { session } => (None, Some(session.as_str())),
        };
        let seen = Seen {
            operation: self.operation,
            user: seen.0,
            session: seen.1,
        };
        let scripted = fault::fire(&mut service.faults.lock(), seen);
        let fault = match scripted {
            Some(fault) => {
                service.counters.lock().faults_fired += 1;
                tracing::debug!(operation = ?self.operation, ?fault, "A fault fires");
                fault
            }
            None => match suffer_chaos(service, &asked).await? {
                Some(fault) => fault,
                None => return Ok(self.perform(service, &asked, None)),
            },
        };
        if let Some(reply) = before(service, &fault).await? {
            return Ok(reply);
        }
        let reply = self.perform(service, &asked, Some(&fault));
        after(service, &asked, &fault, reply).await
    }

    fn perform(&self, service: &Arc<Service>, asked: &Asked, fault: Option<&FaultAction>) -> Reply {
        match &asked.question {
            Question::List { user, columns } => {
                let estate = service.estate.read();
                match (estate.of(*user), service.config.unknown_user) {
                    (Some(rows), _) => {
                        let rows = rows.iter().map(|row| shown(row, columns)).collect();
                        Reply::data(&asked.key, Value::Array(rows))
                    }
                    (None, UnknownUser::Empty) => Reply::data(&asked.key, json!([])),
                    (None, UnknownUser::NotFound) => service.problem(&Problem::no_user()),
                }
            }
            Question::Disconnect { session } => {
                let named = service
                    .estate
                    .read()
                    .named(session, service.config.kills_by)
                    .cloned();
                let Some(named) = named.filter(|_| fault != Some(&FaultAction::Ghost)) else {
                    return service.problem(&Problem::no_session());
                };
                if fault == Some(&FaultAction::False) {
                    return Reply::data(&asked.key, json!(false));
                }
                if fault != Some(&FaultAction::AcceptButIgnore) {
                    if !service.disconnect(&named.session_id) {
                        // Another request was faster.
                        return service.problem(&Problem::no_session());
                    }
                    if let Some(line) = self.line {
                        service.note_performed(line);
                    }
                }
                Reply::data(&asked.key, json!(true))
            }
        }
    }
}

/// The row as it was asked for.
fn shown(row: &SessionView, columns: &[(String, &'static str)]) -> Value {
    let of = |column: &str| match column {
        "id" => &row.id,
        "sessionId" => &row.session_id,
        "nasIpAddress" => &row.nas_ip_address,
        "nasPortId" => &row.nas_port_id,
        "nasPortType" => &row.nas_port_type,
        "startTime" => &row.start_time,
        "connectInfoStart" => &row.connect_info_start,
        "callingStationId" => &row.calling_station_id,
        _ => &row.framed_ip_address,
    };
    let fields: Map<String, Value> = columns
        .iter()
        .map(|(key, column)| (key.clone(), Value::String(of(column).clone())))
        .collect();
    Value::Object(fields)
}

/// What the chaos does to a request that no fault befalls, in terms of a fault.
async fn suffer_chaos(service: &Service, asked: &Asked) -> Result<Option<FaultAction>, Dropped> {
    let Some(present) = service.chaos.present() else {
        return Ok(None);
    };
    Ok(match present.chaos {
        Chaos::Slow => Some(FaultAction::DelayAnswer {
            ms: SLOW.as_millis().try_into().unwrap_or(u64::MAX),
        }),
        Chaos::Hang => {
            present.end().await;
            return Err(Dropped);
        }
        Chaos::Flap => match service.flapper.next() {
            Flap::Passes => None,
            Flap::BadGateway => Some(FaultAction::Status {
                code: 502,
                body: FaultBody::Html,
                headers: BTreeMap::new(),
            }),
            Flap::Closes => Some(FaultAction::DropBefore),
        },
        Chaos::Ghost => match &asked.question {
            Question::Disconnect { session } if service.is_ghostly(session) => Some(FaultAction::Ghost),
            _ => None,
        },
    })
}

/// Suffers what comes before the act: an answer of its own, no answer at all, or a delay.
async fn before(service: &Arc<Service>, fault: &FaultAction) -> Result<Option<Reply>, Dropped> {
    let reply = match fault {
        FaultAction::Status { code, body, headers } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let reply = match body {
                FaultBody::Empty => Reply::empty(status),
                FaultBody::Html => Reply::html(status),
                FaultBody::Custom { content_type, text } => Reply::text(status, content_type, text.clone()),
            };
            headers
                .iter()
                .fold(reply, |reply, (name, value)| reply.header(name, value))
        }
        FaultAction::GraphqlError {
            code,
            message,
            status,
        } => {
            let problem = Problem::other(code, message);
            match status {
                Some(status) => problem.with_status(*status),
                None => service.problem(&problem),
            }
        }
        FaultAction::RateLimited => service.too_many(),
        FaultAction::Html => Reply::html(StatusCode::OK),
        FaultAction::EndlessBody => Reply::endless(),
        FaultAction::DropBefore => return Err(Dropped),
        FaultAction::Hang => return std::future::pending().await,
        FaultAction::HoldBefore => {
            service.board.hold().await;
            return Ok(None);
        }
        FaultAction::Delay { ms } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            return Ok(None);
        }
        _ => return Ok(None),
    };
    Ok(Some(reply))
}

/// Suffers what comes after the act: the answer is late, broken, replaced or lost.
async fn after(
    service: &Arc<Service>,
    asked: &Asked,
    fault: &FaultAction,
    reply: Reply,
) -> Result<Reply, Dropped> {
    match fault {
        FaultAction::ActThenDrop => Err(Dropped),
        FaultAction::BadGatewayAfterAct => Ok(Reply::html(StatusCode::BAD_GATEWAY)),
        FaultAction::WrongTypes => Ok(wrong_types(asked)),
        FaultAction::NullData => Ok(Reply::json(StatusCode::OK, &json!({ "data": null }))),
        FaultAction::ErrorBesideData { code } => {
            let value = match asked.question {
                Question::List { .. } => json!([]),
                Question::Disconnect { .. } => json!(true),
            };
            let mut body = json!({ "errors": [Problem::other(code, "Partial failure").entry()], "data": {} });
            body["data"][&asked.key] = value;
            Ok(Reply::json(StatusCode::OK, &body))
        }
        FaultAction::TruncatedBody => Ok(reply.truncated()),
        FaultAction::Hold => {
            service.board.hold().await;
            Ok(reply)
        }
        FaultAction::DelayAnswer { ms } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Ok(reply)
        }
        _ => Ok(reply),
    }
}

fn wrong_types(asked: &Asked) -> Reply {
    match asked.question {
        Question::List { .. } => Reply::data(&asked.key, json!({ "sessionId": [1, 2], "startTime": {} })),
        Question::Disconnect { .. } => Reply::data(&asked.key, json!("true")),
    }
}
