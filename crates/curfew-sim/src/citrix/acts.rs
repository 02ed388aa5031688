//! The acting endpoints: disconnect, log off, send a message.
//!
//! As the cmdlets behind the real ones, all three are *accepted* here; a log-off ends later. Invariant: a
//! request that is accepted is performed even if its client hangs up while it waits for the answer.

use std::sync::Arc;

use http::StatusCode;
use uuid::Uuid;

use super::call::{Call, Verb};
use super::config::{DisconnectBody, LogoffAnswer};
use super::fault::FaultAction;
use super::jobs;
use super::reads;
use super::render::{self, Json};
use super::reply::{Problem, Reply};
use super::site::{Message, Site};
use crate::clock;

/// Performs an acting request.
pub(crate) async fn perform(
    site: &Arc<Site>,
    call: &mut Call,
    verb: Verb,
    fault: Option<&FaultAction>,
) -> Reply {
    let Some(id) = call.session.filter(|id| known(site, *id, fault)) else {
        let named = call.verb().map(|(_, id)| id.to_owned()).unwrap_or_default();
        return reads::not_found(site, &named);
    };
    let message = match verb {
        Verb::SendMessage => match read_message(call) {
            Ok(message) => Some(message),
            Err(problem) => return site.problem(problem),
        },
        Verb::Disconnect | Verb::Logoff => None,
    };
    let ignored = fault == Some(&FaultAction::AcceptButIgnore);
    let asked_async = call.query.flag("async");
    let job = (verb == Verb::Logoff || asked_async).then(|| jobs::start(site, call, verb, id, fault));
    if verb == Verb::Disconnect && job.is_none() && !ignored {
        site.estate.write().disconnect(id, clock::now());
    }
    if !ignored {
        site.note_performed(call, message);
    }
    match (verb, job) {
        (Verb::Logoff, Some(job)) => logoff_answer(site, job, asked_async).await,
        (_, Some(job)) => accepted(site, job),
        (_, None) => session_answer(site, call, verb, id, fault),
    }
}

fn known(site: &Site, id: Uuid, fault: Option<&FaultAction>) -> bool {
    fault != Some(&FaultAction::Ghost) && site.estate.read().get(id).is_some()
}

fn accepted(site: &Site, job: Uuid) -> Reply {
    Reply::empty(StatusCode::ACCEPTED).location(jobs::location(site, job))
}

async fn logoff_answer(site: &Arc<Site>, job: Uuid, asked_async: bool) -> Reply {
    match site.config.logoff_answer {
        LogoffAnswer::Ok200Location => Reply::text(StatusCode::OK, "application/json; charset=utf-8", "")
            .location(jobs::location(site, job)),
        LogoffAnswer::NoContent => Reply::empty(StatusCode::NO_CONTENT),
        LogoffAnswer::Specified if asked_async => accepted(site, job),
        LogoffAnswer::Specified if jobs::wait(site, job).await => Reply::empty(StatusCode::NO_CONTENT),
        LogoffAnswer::Specified => site.problem(Problem::of(500)),
    }
}

fn session_answer(site: &Site, call: &Call, verb: Verb, id: Uuid, fault: Option<&FaultAction>) -> Reply {
    let estate = site.estate.read();
    // It may have been logged off in this very moment.
    let Some(session) = estate.get(id) else {
        return reads::not_found(site, &id.to_string());
    };
    let look = reads::look(site, call, fault);
    if verb != Verb::Disconnect || site.config.disconnect_body == DisconnectBody::Single {
        return reads::one(session, &look);
    }
    let mut json = Json::default();
    json.raw(r#"{"Items":["#);
    render::session(&mut json, session, &look);
    json.raw(r#"],"ContinuationToken":null,"TotalItems":1}"#);
    Reply::rendered(StatusCode::OK, json.0)
}

fn read_message(call: &Call) -> Result<Message, Problem> {
    if call.body.is_empty() {
        return Err(Problem::bad_request("common/missing", "body"));
    }
    let message: Message =
        serde_json::from_slice(&call.body).map_err(|_| Problem::bad_request("common/invalidJson", "body"))?;
    let styles = ["Critical", "Question", "Exclamation", "Information"];
    if !styles.contains(&message.style.as_str()) {
        return Err(Problem::bad_request("common/invalidEnum", "Style"));
    }
    Ok(message)
}
