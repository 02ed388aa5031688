//! `curfew dev chaos`: what a running `dev` listens for, and the command that asks it.
//!
//! Not the misbehaviour itself, which is the simulators'. For training, screenshots and a look at how partial
//! failures are shown. Invariant: nothing of it is reachable through the gateway's own listeners, and what is asked
//! for and does not exist is answered with what does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use curfew_sim::Chaos;
use http::StatusCode;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::{ChaosArgs, NO_CHAOS};
use crate::failure::Failure;

/// How long a running `dev` may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes one simulated backend behave so.
pub(super) type Switch = Box<dyn Fn(Option<Chaos>) + Send + Sync>;

/// The switches of all simulated backends, and how they stand.
pub(super) struct Switchboard {
    switches: BTreeMap<&'static str, Switch>,
    now: Mutex<BTreeMap<&'static str, Option<Chaos>>>,
}

impl Switchboard {
    /// All of them off.
    pub(super) fn new(switches: impl IntoIterator<Item = (&'static str, Switch)>) -> Self {
        let switches: BTreeMap<_, _> = switches.into_iter().collect();
        let now = switches.keys().map(|backend| (*backend, None)).collect();
        Self {
            switches,
            now: Mutex::new(now),
        }
    }

    fn standing(&self) -> Vec<Standing> {
        let now = self.now.lock();
        now.iter()
            .map(|(backend, chaos)| standing(backend, *chaos))
            .collect()
    }

    fn set(&self, backend: &str, chaos: Option<Chaos>) -> Result<Standing, Refused> {
        let Some((name, switch)) = self.switches.get_key_value(backend) else {
            let known: Vec<_> = self.switches.keys().copied().collect();
            return Err(Refused::of("NOT_FOUND", "backend", backend, &known));
        };
        // Under the lock, so that what is listed is what was switched last.
        let mut now = self.now.lock();
        switch(chaos);
        now.insert(name, chaos);
        let word = chaos.map_or(NO_CHAOS, Chaos::as_str);
        tracing::warn!(backend.id = name, "Chaos on `{name}`: {word}");
        Ok(standing(name, chaos))
    }
}

/// How a simulated backend behaves.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    backend: String,
    /// Null if it behaves.
    chaos: Option<String>,
}

fn standing(backend: &str, chaos: Option<Chaos>) -> Standing {
    Standing {
        backend: backend.to_owned(),
        chaos: chaos.map(|it| it.as_str().to_owned()),
    }
}

/// What was asked for does not exist; says what does.
#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    code: String,
    message: String,
    known: Vec<String>,
}

impl Refused {
    fn of(code: &str, what: &str, asked: &str, known: &[&str]) -> Self {
        Self {
            code: code.to_owned(),
            message: format!("there is no {what} `{asked}`: {} are", listed(known)),
            known: known.iter().map(ToString::to_string).collect(),
        }
    }
}

/// `a, b and c`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `GET /chaos` lists, `POST /chaos/{backend}` with `{"chaos": "hang"}` or `{"chaos": null}` switches.
pub(super) fn router(board: Arc<Switchboard>) -> Router {
    Router::new()
        .route("/chaos", get(list))
        .route("/chaos/{backend}", post(switch))
        .with_state(board)
}

async fn list(State(board): State<Arc<Switchboard>>) -> Json<Vec<Standing>> {
    Json(board.standing())
}

/// What is posted. Another content type than JSON is refused, so that no web page can post it unasked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    chaos: Option<String>,
}

async fn switch(
    State(board): State<Arc<Switchboard>>,
    Path(backend): Path<String>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<Standing>, (StatusCode, Json<Refused>)> {
    let parsed = wanted.chaos.as_deref().map(|word| {
        word.parse().map_err(|_| {
            let known = Chaos::ALL.map(Chaos::as_str);
            let refused = Refused::of("BAD_USER_INPUT", "chaos", word, &known);
            (StatusCode::BAD_REQUEST, Json(refused))
        })
    });
    let chaos = parsed.transpose()?;
    let standing = board.set(&backend, chaos);
    standing
        .map(Json)
        .map_err(|refused| (StatusCode::NOT_FOUND, Json(refused)))
}

/// Asks the `dev` that runs.
///
/// # Errors
/// [`Failure::Usage`] for a backend or a word that does not exist, [`Failure::Start`] if no `dev` answers.
pub(super) async fn ask(args: ChaosArgs) -> Result<(), Failure> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([])
        .timeout(PATIENCE)
        .build()
        .context("the HTTP client cannot be made")?;
    let mut url = url::Url::parse(&format!("http://{}/chaos", args.control)).map_err(Failure::usage)?;
    let request = match (&args.backend, &args.chaos) {
        (Some(backend), Some(chaos)) => {
            if let Ok(mut path) = url.path_segments_mut() {
                path.push(backend);
            }
            let chaos = Some(chaos).filter(|it| *it != NO_CHAOS);
            client.post(url).json(&json!({ "chaos": chaos }))
        }
        _ => client.get(url),
    };
    let answer = request.send().await.map_err(|_| nobody(args.control))?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(|_| nobody(args.control))?;
    if status.is_success() {
        return print(body, args.control);
    }
    match serde_json::from_value::<Refused>(body) {
        Ok(refused) => Err(Failure::usage(anyhow!("{} ({})", refused.message, refused.code))),
        Err(_) => Err(nobody(args.control)),
    }
}

fn nobody(control: SocketAddr) -> Failure {
    Failure::Start(anyhow!(
        "no `curfew dev` answers on {control}: is it running, and is that the control address that it printed \
         (`--control`)?"
    ))
}

fn print(body: Value, control: SocketAddr) -> Result<(), Failure> {
    let standing: Vec<Standing> = match body {
        Value::Array(_) => serde_json::from_value(body).map_err(|_| nobody(control))?,
        one => vec![serde_json::from_value(one).map_err(|_| nobody(control))?],
    };
    let width = standing.iter().map(|it| it.backend.len()).max().unwrap_or(0);
    for Standing { backend, chaos } in standing {
        println!("{backend:<width$}  {}", chaos.as_deref().unwrap_or(NO_CHAOS));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
