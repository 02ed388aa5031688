//! The three acts and the job that one of them becomes.
//!
//! Not here: sending (`client.rs`) and looking whether it worked (a later `get`).
//! Invariant: an answer that only *may* mean success is never called one: the session is read instead.

use bytes::Bytes;
use curfew_core::{
    BackendError, BackendErrorKind as Kind, Evidence, JobRef, Progress, ReadCtx, Reply as Answered,
    SessionAction, Started, Verb,
};
use http::header::LOCATION;
use http::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use super::answer::{Absence, Reply, code, nonsense};
use super::client::{Ask, Client};
use super::config::is_identifier;
use super::{map, wire};
use crate::http::{BODY_CAP, Purpose};

impl Client {
    /// Sends one act.
    pub(super) async fn start(&self, action: &SessionAction) -> Result<Answered<Started>, BackendError> {
        let untouched = |value| {
            Ok(Answered {
                value,
                evidence: Evidence::default(),
            })
        };
        let native = match map::native(&action.session.native()) {
            Some(native) => native,
            // No session of this vendor ever had such an id.
            None => return untouched(Started::AlreadyGone),
        };
        if map::session_id(&self.settings.id, &native).as_ref() != Some(&action.session) {
            // A GUID has one generation for ever: this id was not given out by us.
            return untouched(Started::Replaced);
        }
        let (operation, verb, body) = match &action.verb {
            Verb::Disconnect => ("disconnect", "$disconnect", Bytes::new()),
            // Without `async` the vendor holds the answer until the session has ended, for 90 s and more.
            Verb::Logoff => ("logoff", "$logoff?async=true", Bytes::new()),
            Verb::Message { title, text } => ("message", "$sendMessage", message(title, text)?),
        };
        let ask = Ask {
            operation,
            purpose: Purpose::Act,
            method: Method::POST,
            path: format!("Sessions/{native}/{verb}"),
            body: Some(body),
            cap: BODY_CAP,
            deadline: Instant::now() + self.settings.act_timeout,
            not_after: Some(action.not_after),
        };
        let reply = self.act(ask).await?;
        if reply.status.is_success() {
            return self.taken(&action.verb, &native, reply);
        }
        if reply.status == StatusCode::NOT_FOUND && reply.absence() == Absence::Proven {
            return Ok(Answered {
                value: Started::AlreadyGone,
                evidence: reply.evidence,
            });
        }
        Err(reply.act_error())
    }

    fn taken(&self, verb: &Verb, native: &str, reply: Reply) -> Result<Answered<Started>, BackendError> {
        let mut reply = reply;
        if let Some(job) = self.job(&reply) {
            reply.evidence.job_id = Some(job.0.clone());
            return Ok(Answered {
                value: Started::Job(job),
                evidence: reply.evidence,
            });
        }
        let body = match reply.body {
            Ok(body) => body,
            Err(error) => return Err(error.into_backend(Purpose::Act, reply.evidence)),
        };
        let sense = if body.trim_ascii().is_empty() {
            // 202 and 204 have no body, and neither has 204 in place of an asynchronous log-off's 202.
            Some(Started::Accepted)
        } else {
            match verb {
                Verb::Disconnect => disconnected(&body, native),
                Verb::Logoff => is_object(&body).then_some(Started::Accepted),
                Verb::Message { .. } => is_object(&body).then_some(Started::Done),
            }
        };
        match (sense, verb) {
            // A message is done when it is accepted.
            (Some(Started::Accepted), Verb::Message { .. }) => Ok(Answered {
                value: Started::Done,
                evidence: reply.evidence,
            }),
            (Some(value), _) => Ok(Answered {
                value,
                evidence: reply.evidence,
            }),
            (None, _) => Err(Reply {
                body: Ok(body),
                ..reply
            }
            .nonsense()),
        }
    }

    /// The job that `Location` names. Its last segment counts and no more: gateway and controller name
    /// different hosts and paths for the same job, and the token goes to neither.
    fn job(&self, reply: &Reply) -> Option<JobRef> {
        let location = reply.headers.get(LOCATION)?.to_str().ok()?;
        let url = Url::options()
            .base_url(Some(&self.settings.base))
            .parse(location)
            .ok()?;
        let backend = &self.settings.id;
        if url.host_str() != self.settings.base.host_str() {
            tracing::warn!(
                backend.id = %backend,
                security = true,
                host = url.host_str(),
                "`{backend}` named another host for a job; it is not contacted",
            );
        }
        let mut segments = url.path_segments()?.rev().filter(|segment| !segment.is_empty());
        let (id, collection) = (segments.next()?, segments.next()?);
        if collection.eq_ignore_ascii_case("jobs") && is_identifier(id) {
            return Some(JobRef(id.to_owned()));
        }
        tracing::warn!(backend.id = %backend, "`{backend}` named something that is no job");
        None
    }

    /// Asks how far a job is.
    pub(super) async fn poll(&self, job: &JobRef, ctx: &ReadCtx) -> Result<Answered<Progress>, BackendError> {
        if !is_identifier(&job.0) {
            return Ok(Answered {
                value: Progress::Lost,
                evidence: Evidence::default(),
            });
        }
        let mut reply = self
            .read(Ask::get("job", format!("Jobs/{}", job.0), ctx.deadline))
            .await?;
        reply.evidence.job_id = Some(job.0.clone());
        match reply.status {
            StatusCode::OK => {}
            // Jobs are removed 48 hours after their end, and hidden from all but who started them.
            StatusCode::NOT_FOUND if reply.vendor => {
                return Ok(Answered {
                    value: Progress::Lost,
                    evidence: reply.evidence,
                });
            }
            _ => return Err(reply.read_error()),
        }
        let (body, mut evidence) = reply.into_body()?;
        let job: wire::Job<'_> = wire::decode(&body).map_err(|error| nonsense(error, evidence.clone()))?;
        let Some(status) = job.status.get() else {
            let public = "Citrix gave a job without a status";
            return Err(BackendError::new(Kind::Protocol, public).with_evidence(evidence));
        };
        let error_code = job
            .error_code
            .get()
            .filter(|code| *code != "Unknown")
            .and_then(code);
        let value = progress(status, &job, error_code.clone());
        evidence.native_code = error_code.or_else(|| code(status));
        Ok(Answered { value, evidence })
    }
}

fn progress(status: &str, job: &wire::Job<'_>, error_code: Option<String>) -> Progress {
    match status {
        // What `NonTerminatingError` leaves behind is not documented; the session itself will tell.
        "Complete" | "CompleteWithWarning" | "NonTerminatingError" => Progress::Complete,
        "Failed" => {
            // The texts in `ErrorParameters` are for people; the name of the first is at least a code.
            let parameter = || {
                job.error_parameters
                    .0
                    .iter()
                    .find_map(|p| p.name.get())
                    .and_then(code)
            };
            Progress::Failed {
                code: error_code.or_else(parameter),
            }
        }
        "Canceled" => Progress::Failed {
            code: Some("Canceled".to_owned()),
        },
        // `Unknown`, `NotStarted`, `InProgress`, and whatever a later release calls it.
        _ => Progress::Running {
            percent: job
                .overall_progress_percent
                .0
                .and_then(|percent| u8::try_from(percent).ok())
                .filter(|percent| *percent <= 100),
        },
    }
}

/// One session object (specification) or a list of them (documentation).
fn disconnected(body: &[u8], native: &str) -> Option<Started> {
    let ours = |id: &wire::Text<'_>| id.get().and_then(map::native).as_deref() == Some(native);
    if let Ok(page) = wire::decode::<wire::Page<'_>>(body) {
        let listed = page
            .items
            .iter()
            .any(|row| serde_json::from_str::<wire::Session<'_>>(row.get()).is_ok_and(|row| ours(&row.id)));
        // The broker drops sessions from its list that it could not act on.
        return Some(if listed { Started::Done } else { Started::Accepted });
    }
    let session: wire::Session<'_> = wire::decode(body).ok()?;
    ours(&session.id).then_some(Started::Done)
}

fn is_object(body: &[u8]) -> bool {
    wire::decode::<wire::Member<wire::Job<'_>>>(body).is_ok()
        && body.trim_ascii_start().first() == Some(&b'{')
}

fn message(title: &str, text: &str) -> Result<Bytes, BackendError> {
    let message = wire::SendMessage {
        style: "Information",
        title,
        text,
    };
    serde_json::to_vec(&message).map(Bytes::from).map_err(|error| {
        BackendError::new(
            Kind::Unavailable,
            "the message cannot be written as JSON; nothing was sent",
        )
        .with_source(Box::<dyn std::error::Error + Send + Sync>::from(error))
    })
}
