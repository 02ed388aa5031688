//! Jobs: what an accepted request is still to do, and how the site reports on it.
//!
//! Progress follows `tokio::time`, so paused time works. A job is known to the principal that started it
//! and to nobody else. Invariant: a job's effect happens once, when it ends, whether anybody looks or not.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::call::{Call, Verb};
use super::config::LocationStyle;
use super::fault::{FaultAction, JobStatus};
use super::render::{Json, Look};
use super::reply::{Problem, Reply};
use super::site::Site;
use crate::clock;

/// How a job is going to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Never: it stays in progress.
    Never,
    /// With this status.
    With {
        status: JobStatus,
        /// The vendor's `ErrorCode`, of a failure.
        code: Option<String>,
        /// Whether the session changes.
        performs: bool,
    },
}

impl Ending {
    /// A job that does what it was asked to.
    pub(crate) const COMPLETE: Self = Self::With {
        status: JobStatus::Complete,
        code: None,
        performs: true,
    };

    /// The ending that a fault demands, if it demands one.
    pub(crate) fn of(fault: Option<&FaultAction>) -> Option<Self> {
        match fault? {
            FaultAction::JobNeverEnds => Some(Self::Never),
            FaultAction::JobFails { code } => Some(Self::With {
                status: JobStatus::Failed,
                code: Some(code.clone()),
                performs: false,
            }),
            FaultAction::JobEnds { status, performs } => {
                let code = (*status == JobStatus::Failed).then(|| "UnknownSession".to_owned());
                Some(Self::With {
                    status: *status,
                    code,
                    performs: *performs,
                })
            }
            FaultAction::AcceptButIgnore => Some(Self::With {
                status: JobStatus::Complete,
                code: None,
                performs: false,
            }),
            _ => None,
        }
    }
}

/// One job.
#[derive(Debug)]
pub(crate) struct Job {
    verb: Verb,
    pub(crate) session: Uuid,
    principal: Option<String>,
    created: DateTime<Utc>,
    begun: Instant,
    duration: Duration,
    ending: Ending,
    ended: Option<DateTime<Utc>>,
    /// Nobody can see it, but it works.
    vanished: bool,
}

/// Starts a job and says under which id it can be asked for.
pub(crate) fn start(
    site: &Arc<Site>,
    call: &Call,
    verb: Verb,
    session: Uuid,
    fault: Option<&FaultAction>,
) -> Uuid {
    let id = clock::fresh_id();
    let duration = if verb == Verb::Logoff {
        site.config.logoff
    } else {
        site.config.quick_job
    };
    let ending = Ending::of(fault).unwrap_or(Ending::COMPLETE);
    let untouched = matches!(fault, Some(FaultAction::AcceptButIgnore));
    if verb == Verb::Logoff && !untouched {
        site.estate.write().set_logoff(session, true);
    }
    let never = ending == Ending::Never;
    let job = Job {
        verb,
        session,
        principal: call.principal.clone(),
        created: clock::now(),
        begun: Instant::now(),
        duration,
        ending,
        ended: None,
        vanished: matches!(fault, Some(FaultAction::JobVanishes)),
    };
    site.jobs.lock().insert(id, job);
    match (never, duration.is_zero()) {
        (true, _) => {}
        (false, true) => finish(site, id),
        (false, false) => site.later(duration, move |site| finish(site, id)),
    }
    id
}

/// Ends a job, once.
fn finish(site: &Site, id: Uuid) {
    let now = clock::now();
    let (verb, session, performs) = {
        let mut jobs = site.jobs.lock();
        let Some(job) = jobs.get_mut(&id).filter(|job| job.ended.is_none()) else {
            return;
        };
        let Ending::With { performs, .. } = job.ending else {
            return;
        };
        job.ended = Some(now);
        (job.verb, job.session, performs)
    };
    let mut estate = site.estate.write();
    match (verb, performs) {
        (Verb::Logoff, true) => {
            estate.remove(session);
        }
        (Verb::Logoff, false) => estate.set_logoff(session, false),
        (Verb::Disconnect, true) => estate.disconnect(session, now),
        (Verb::Disconnect, false) | (Verb::SendMessage, _) => {}
    }
}

/// Waits for the end of a job and says whether it did what it was to do.
pub(crate) async fn wait(site: &Arc<Site>, id: Uuid) -> bool {
    let (begun, duration, never) = {
        let jobs = site.jobs.lock();
        let Some(job) = jobs.get(&id) else { return false };
        (job.begun, job.duration, job.ending == Ending::Never)
    };
    if never {
        return std::future::pending().await;
    }
    tokio::time::sleep_until(begun + duration).await;
    finish(site, id);
    let jobs = site.jobs.lock();
    !matches!(
        jobs.get(&id).map(|job| &job.ending),
        Some(Ending::With {
            status: JobStatus::Failed | JobStatus::Canceled,
            ..
        })
    )
}

/// The `Location` of a job.
pub(crate) fn location(site: &Site, id: Uuid) -> String {
    let config = &site.config;
    match &config.location {
        LocationStyle::Gateway => format!("{}/cvad/manage/Jobs/{id}", site.url),
        LocationStyle::Orchestration => {
            let (customer, instance) = (config.customer_id(), &config.site);
            format!(
                "{}/citrix/orchestration/api/{customer}/{instance}/Jobs/{id}",
                site.url
            )
        }
        LocationStyle::Foreign(host) => format!("{host}/cvad/manage/Jobs/{id}"),
        LocationStyle::Relative => format!("/cvad/manage/Jobs/{id}"),
    }
}

/// `GET /Jobs/{id}`.
pub(crate) fn read(site: &Arc<Site>, call: &Call, id: &str, fault: Option<&FaultAction>) -> Reply {
    let not_found = || site.problem(Problem::not_found("Job", id));
    let Ok(key) = id.parse::<Uuid>() else {
        return not_found();
    };
    if let Some(ending) = Ending::of(fault) {
        rewrite(site, key, ending);
    }
    let mut jobs = site.jobs.lock();
    let Some(job) = jobs.get_mut(&key) else {
        return not_found();
    };
    if fault == Some(&FaultAction::JobVanishes) {
        job.vanished = true;
    }
    if job.vanished || job.principal != call.principal {
        return not_found();
    }
    Reply::json(StatusCode::OK, &report(key, job, &site.look(None, false)))
}

/// A fault on the poll changes how a running job ends; a failure is there at once.
fn rewrite(site: &Arc<Site>, id: Uuid, ending: Ending) {
    let now = ending != Ending::Never;
    if let Some(job) = site.jobs.lock().get_mut(&id).filter(|job| job.ended.is_none()) {
        job.ending = ending;
    }
    if now {
        finish(site, id);
    }
}

fn report(id: Uuid, job: &Job, look: &Look) -> Value {
    let share = if job.duration.is_zero() {
        1.0
    } else {
        job.begun.elapsed().as_secs_f64() / job.duration.as_secs_f64()
    };
    // A job that never ends crawls to 50 % and stays there.
    let ceiling = if job.ending == Ending::Never { 50.0 } else { 99.0 };
    let percent = (share * 100.0).clamp(0.0, ceiling).floor() as u8;
    let (status, percent, code) = match (&job.ending, job.ended) {
        (Ending::With { status, code, .. }, Some(_)) => (status.text(), 100, code.as_deref()),
        _ if percent < 10 => ("NotStarted", 0, None),
        _ => ("InProgress", percent, None),
    };
    let started = (status != "NotStarted").then_some(job.created);
    let failed = code.map(|code| {
        let text = format!("Operation : Session\r\nErrorMessage : The operation failed with {code}\r\n");
        json!([{ "Name": "ErrorDetails", "Value": text }])
    });
    let kind = match job.verb {
        Verb::Disconnect => "DisconnectSessions",
        Verb::Logoff => "LogoffSessions",
        Verb::SendMessage => "SendSessionMessage",
    };
    let mut report = json!({
        "Id": id,
        "Type": kind,
        "Status": status,
        "Parameters": [{ "Name": "Id", "Value": job.session }],
        "OverallProgressPercent": percent,
        "IsCancellable": false,
        "SubJobs": [],
        "ResultLocation": null,
        "ErrorString": code.map(|code| format!("The operation failed with {code}.")),
        "ErrorCode": code,
        "ErrorParameters": failed.unwrap_or_else(|| json!([])),
    });
    let dates = [
        ("CreationTime", Some(job.created)),
        ("StartTime", started),
        ("EndTime", job.ended),
    ];
    for (name, at) in dates {
        report[name] = date(at, look, Json::legacy);
        report[format!("Formatted{name}")] = date(at, look, Json::formatted);
    }
    report
}

fn date(at: Option<DateTime<Utc>>, look: &Look, write: fn(&mut Json, Option<DateTime<Utc>>, &Look)) -> Value {
    let mut json = Json::default();
    write(&mut json, at, look);
    serde_json::from_str(&json.0).unwrap_or_default()
}
