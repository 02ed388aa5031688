//! The way of a request through the simulator: read, let in, suffer a fault, perform, answer.
//!
//! Every request runs in a task of its own, so a client that hangs up does not undo or prevent what it
//! asked for: that is what makes "the request arrived, the answer did not" testable. Invariant: a fault
//! either stands before the act (and nothing is performed) or behind it (and all of it is), never between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};

use super::call::{Call, Route};
use super::config::ErrorStyle;
use super::fault::{self, FaultAction, FaultBody};
use super::reply::{Problem, Reply};
use super::site::Site;
use super::{acts, auth, jobs, reads};
use crate::chaos::{Chaos, Flap, SLOW};
use crate::serve::Dropped;

/// The largest request body that is read.
const BODY_LIMIT: usize = 1 << 20;

/// Answers one request.
pub(crate) async fn answer(site: Arc<Site>, request: Request<Body>) -> Result<Response, Dropped> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|_| Dropped)?;
    let call = Call::read(parts, body);
    let worker = Arc::clone(&site);
    let task = site.tasks.spawn(async move {
        tokio::select! {
            answer = serve(&worker, call) => answer,
            () = worker.board.stop.cancelled() => Err(Dropped),
        }
    });
    task.await.map_err(|_| Dropped)?
}

async fn serve(site: &Arc<Site>, mut call: Call) -> Result<Response, Dropped> {
    *site.counters.lock().requests.entry(call.operation).or_default() += 1;
    let reply = match auth::check(site, &mut call) {
        Ok(()) => serve_known(site, &mut call).await?,
        Err(reply) => {
            site.counters.lock().turned_away += 1;
            reply
        }
    };
    site.note(&mut call);
    site.note_answer(&call, reply.status.as_u16());
    tracing::debug!(operation = ?call.operation, status = reply.status.as_u16(), "Answered");
    Ok(reply.into_response(&call.transaction))
}

async fn serve_known(site: &Arc<Site>, call: &mut Call) -> Result<Reply, Dropped> {
    let scripted = {
        let session = match &call.route {
            Route::Job(id) => id
                .parse()
                .ok()
                .and_then(|id| site.jobs.lock().get(&id).map(|job| job.session)),
            _ => call.session,
        };
        fault::fire(&mut site.faults.lock(), call.operation, session)
    };
    let fault = match scripted {
        Some(fault) => {
            site.counters.lock().faults_fired += 1;
            tracing::debug!(operation = ?call.operation, ?fault, "A fault fires");
            fault
        }
        None => match suffer_chaos(site, call).await? {
            Some(fault) => fault,
            None => return Ok(perform(site, call, None).await),
        },
    };
    if let Some(reply) = before(site, call, &fault).await? {
        return Ok(reply);
    }
    let reply = perform(site, call, Some(&fault)).await;
    after(site, call, &fault, reply).await
}

/// What the chaos does to a request that no fault befalls, in terms of a fault.
async fn suffer_chaos(site: &Site, call: &mut Call) -> Result<Option<FaultAction>, Dropped> {
    let Some(present) = site.chaos.present() else {
        return Ok(None);
    };
    Ok(match present.chaos {
        Chaos::Slow => Some(FaultAction::DelayAnswer {
            ms: SLOW.as_millis().try_into().unwrap_or(u64::MAX),
        }),
        Chaos::Hang => {
            site.note(call);
            present.end().await;
            return Err(Dropped);
        }
        Chaos::Flap => match site.flapper.next() {
            Flap::Passes => None,
            Flap::BadGateway => Some(FaultAction::Status {
                code: 502,
                body: FaultBody::Html,
                headers: BTreeMap::new(),
            }),
            Flap::Closes => Some(FaultAction::DropBefore),
        },
        Chaos::Ghost => call
            .session
            .filter(|id| site.is_ghostly(*id))
            .map(|_| FaultAction::Ghost),
    })
}

/// Suffers what comes before the act: an answer of its own, no answer at all, or a delay.
async fn before(site: &Arc<Site>, call: &mut Call, fault: &FaultAction) -> Result<Option<Reply>, Dropped> {
    let reply = match fault {
        FaultAction::Status { code, body, headers } => {
            let reply = status_reply(site, *code, body);
            headers
                .iter()
                .fold(reply, |reply, (name, value)| reply.header(name, value))
        }
        FaultAction::Refuse => site.problem(Problem::denied("Site", &site.config.site)),
        FaultAction::RevokeTokens => {
            site.revoke_tokens();
            site.problem(Problem::unauthenticated("invalid"))
        }
        FaultAction::Html => Reply::html(StatusCode::OK),
        FaultAction::Redirect { to, code } => {
            Reply::empty(StatusCode::from_u16(*code).unwrap_or(StatusCode::TEMPORARY_REDIRECT)).location(to)
        }
        FaultAction::EndlessBody => Reply::endless(),
        FaultAction::FrozenSite { .. } => site.problem(Problem::of(530)),
        FaultAction::DropBefore => {
            site.note(call);
            return Err(Dropped);
        }
        FaultAction::Hang => {
            site.note(call);
            return std::future::pending().await;
        }
        FaultAction::HoldBefore => {
            site.note(call);
            site.board.hold().await;
            return Ok(None);
        }
        FaultAction::Delay { ms } => {
            site.note(call);
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            return Ok(None);
        }
        _ => return Ok(None),
    };
    Ok(Some(reply))
}

async fn perform(site: &Arc<Site>, call: &mut Call, fault: Option<&FaultAction>) -> Reply {
    match call.route.clone() {
        Route::CloudToken { .. } | Route::OnPremToken => auth::issue(site, call),
        Route::Me => reads::me(site, call),
        Route::Activate { .. } => reads::activate(site),
        Route::Sessions => reads::list(site, call, fault),
        Route::Search => reads::search(site, call, fault),
        Route::Session(id) => reads::get(site, call, &id, fault),
        Route::Act(verb, _) => acts::perform(site, call, verb, fault).await,
        Route::Job(id) => jobs::read(site, call, &id, fault),
        Route::WrongMethod => site.problem(Problem::of(405)),
        Route::Unknown => site.problem(Problem::of(404)),
    }
}

/// Suffers what comes after the act: the answer is late, broken, replaced or lost.
async fn after(site: &Arc<Site>, call: &Call, fault: &FaultAction, reply: Reply) -> Result<Reply, Dropped> {
    match fault {
        FaultAction::ActThenDrop => Err(Dropped),
        FaultAction::BadGatewayAfterAct => Ok(Reply::html(StatusCode::BAD_GATEWAY)),
        FaultAction::WrongTypes => Ok(reads::wrong_types(call)),
        // An answer without a body has nothing to break off but itself.
        FaultAction::TruncatedBody => reply.truncated().ok_or(Dropped),
        FaultAction::Hold => {
            site.board.hold().await;
            Ok(reply)
        }
        FaultAction::DelayAnswer { ms } => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Ok(reply)
        }
        _ => Ok(reply),
    }
}

fn status_reply(site: &Site, code: u16, body: &FaultBody) -> Reply {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        FaultBody::Native => site.problem(Problem::of(code)),
        FaultBody::ErrorResponse => Problem::of(code).reply(ErrorStyle::ErrorResponse),
        FaultBody::ErrorData => Problem::of(code).reply(ErrorStyle::ErrorData),
        FaultBody::Html => Reply::html(status),
        FaultBody::Empty => Reply::empty(status).by_gateway(),
        FaultBody::Custom { content_type, text } => Reply::text(status, content_type, text.clone()),
    }
}
