//! `curfew-agent doctor`: looks at everything that an agent needs, and says what is wrong.
//!
//! Not looked at: whether the address can be listened on (a running agent has it), and acts, which would change the
//! host. Changes nothing but that it writes an empty line to the act log.
//! Invariant: it exits with 0 only if the settings can be used, the certificate is this host's and of `ca`, the act log
//! can be written, and the host's sessions can be listed.

use std::fmt::Display;
use std::sync::Arc;

use anyhow::anyhow;
use curfew_core::{Clock as _, SystemClock};

use super::{Failure, platform};
use crate::acts::ActLog;
use crate::agent::{Agent, AgentSettings};
use crate::cli::Start;
use crate::config::{Config, Credentials};
use crate::policy::Policy;

/// From how many days before the end of the certificate its end is pointed out.
const SOON_DAYS: i64 = 14;

pub(crate) async fn run(start: Start) -> Result<(), Failure> {
    let config = Config::load(&start.config)?;
    let mut report = Report::default();
    report.good("host", config.host());
    report.good("listen", config.listen);
    let credentials = match config.credentials(SystemClock.now()) {
        Ok(credentials) => {
            report.certificate(&credentials);
            Some(credentials)
        }
        Err(error) => {
            report.bad("certificate", format!("{:#}", anyhow::Error::new(error)));
            None
        }
    };
    let settings = credentials.as_ref().map_or_else(
        || AgentSettings {
            policy: config.policy().clone(),
            ..AgentSettings::new(config.host())
        },
        |credentials| config.agent_settings(credentials),
    );
    report.act_log(config.act_log());
    report.policy(config.policy());
    match platform(&start, config.host()) {
        Ok(platform) => {
            report.good("platform", platform.name());
            let agent = Agent::new(settings, platform, Arc::new(SystemClock));
            match agent.health().await {
                Ok(health) => report.good("sessions", health.sessions),
                Err(problem) => report.bad("sessions", with_number(&problem)),
            }
        }
        Err(failure) => report.bad("platform", failure),
    }
    report.end()
}

fn with_number(problem: &curfew_agent_api::Problem) -> String {
    match problem.win32 {
        Some(number) => format!("{} (Windows error {number})", problem.message),
        None => problem.message.clone(),
    }
}

/// Lines that were printed, and how many of them were bad.
#[derive(Default)]
struct Report {
    bad: usize,
}

impl Report {
    fn good(&mut self, what: &str, text: impl Display) {
        println!("ok    {what:<12} {text}");
    }

    fn bad(&mut self, what: &str, text: impl Display) {
        self.bad += 1;
        println!("WRONG {what:<12} {text}");
    }

    fn certificate(&mut self, credentials: &Credentials) {
        let id = &credentials.id;
        let Some(ends_at) = credentials.ends_at else {
            return self.bad("certificate", format!("{id}; its end cannot be read"));
        };
        let left = ends_at - SystemClock.now();
        if left <= chrono::TimeDelta::zero() {
            return self.bad("certificate", format!("{id}; it ended at {ends_at}"));
        }
        let days = left.num_days();
        let soon = if days < SOON_DAYS { ", which is soon" } else { "" };
        self.good(
            "certificate",
            format!("{id}, until {ends_at} ({days} days{soon})"),
        );
    }

    fn act_log(&mut self, log: &ActLog) {
        match log.probe() {
            Ok(()) => self.good("act log", log),
            Err(error) => self.bad("act log", format!("{:#}", anyhow::Error::new(error))),
        }
    }

    fn policy(&mut self, policy: &Policy) {
        self.good("policy", policy);
    }

    fn end(self) -> Result<(), Failure> {
        match self.bad {
            0 => Ok(()),
            1 => Err(Failure::start(anyhow!("one thing is wrong"))),
            bad => Err(Failure::start(anyhow!("{bad} things are wrong"))),
        }
    }
}
