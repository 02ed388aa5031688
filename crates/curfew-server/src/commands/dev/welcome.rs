//! What `curfew dev` prints once everything stands: a page for people, or one line for programs.
//!
//! Not logs, which go to stderr. Invariant: every command on the page works when it is pasted, in the order of the
//! page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use curfew_core::{BackendKind, Role};
use serde_json::{Value, json};

use super::samples::{Citrix, Samples, Vpn, Windows};
use super::simulators::RDS;
use crate::auth::dev::DevIssuer;

/// A simulated backend, as it was first read.
pub(super) struct Demo {
    pub(super) id: String,
    pub(super) kind: BackendKind,
    pub(super) sessions: usize,
}

/// What is said.
pub(super) struct Welcome {
    pub(super) graphql: String,
    pub(super) ops: String,
    pub(super) control: SocketAddr,
    pub(super) tokens: DevIssuer,
    pub(super) database: String,
    pub(super) backends: Vec<Demo>,
    pub(super) samples: Samples,
    /// The machine whose sessions two backends report.
    pub(super) common_machine: Option<String>,
}

impl Welcome {
    /// One line for programs.
    pub(super) fn json(&self) -> String {
        let tokens: BTreeMap<_, _> = Role::ALL
            .iter()
            .map(|role| (role.as_str(), self.tokens.token(*role)))
            .collect();
        let backends: Vec<_> = self
            .backends
            .iter()
            .map(|it| json!({ "id": it.id, "kind": it.kind.as_str(), "sessions": it.sessions }))
            .collect();
        json!({
            "graphql": self.graphql,
            "ops": self.ops,
            "control": self.control,
            "tokens": tokens,
            "database": self.database,
            "backends": backends,
        })
        .to_string()
    }

    /// A page for people.
    pub(super) fn text(&self) -> String {
        let mut page = Page {
            url: &self.graphql,
            text: self.head(),
        };
        page.step("List what is online, on all backends", "VIEWER", LIST, &json!({}));
        if let Some(machine) = &self.common_machine {
            page.step(
                "A Citrix machine with an agent: what both report is listed once, with both sources",
                "VIEWER",
                TWINS,
                &json!({ "machine": machine }),
            );
        }
        let Samples { citrix, windows, vpn } = &self.samples;
        if let Some(citrix) = citrix {
            page.citrix(citrix);
        }
        if let Some(windows) = windows {
            page.windows(windows);
        }
        if let Some(vpn) = vpn {
            page.vpn(vpn);
        }
        page.step("Who did what", "AUDITOR", AUDIT, &json!({}));
        let mut text = page.text;
        let at = match self.control.port() {
            // Where the command looks by itself.
            9465 if self.control.ip().is_loopback() => String::new(),
            _ => format!(" --control {}", self.control),
        };
        let _ = write!(
            text,
            "\nSee a backend fail: `curfew dev chaos {RDS} hang{at}` in another shell, then list again; `off` ends it.\n\
             \nCtrl-C ends it all."
        );
        text
    }

    fn head(&self) -> String {
        let mut text = format!(
            "\nCurfew DEV: simulated sessions, tokens in the open. Never for production.\n\n\
             GraphQL    {url}\n\
             GraphiQL   {page}   (as the viewer)\n\
             health     {ops}/readyz   {ops}/metrics\n\
             database   {database}\n",
            url = self.graphql,
            page = self.graphql.trim_end_matches("graphql"),
            ops = self.ops,
            database = self.database,
        );
        let width = self.backends.iter().map(|it| it.id.len()).max().unwrap_or(0);
        for (at, backend) in self.backends.iter().enumerate() {
            let head = if at == 0 { "backends" } else { "" };
            let Demo { id, kind, sessions } = backend;
            let _ = writeln!(
                text,
                "{head:<10} {id:<width$}   {}, {sessions} sessions",
                kind.as_str()
            );
        }
        text.push_str("\nTokens, valid for 24 hours. Copy this into the shell you will use:\n\n");
        for role in Role::ALL {
            let _ = writeln!(
                text,
                "{}={}",
                role.as_str().to_uppercase(),
                self.tokens.token(*role)
            );
        }
        text
    }
}

/// The page as far as it is written.
struct Page<'a> {
    url: &'a str,
    text: String,
}

impl Page<'_> {
    /// A heading, and a command to paste below it.
    fn step(&mut self, heading: &str, role: &str, query: &str, variables: &Value) {
        let body = json!({ "query": query, "variables": variables });
        let _ = write!(
            self.text,
            "\n{heading}:\n\ncurl -s {} -H \"Authorization: Bearer ${role}\" -H 'Content-Type: application/json' -d \
             '{body}'\n",
            self.url
        );
    }

    fn citrix(&mut self, samples: &Citrix) {
        let (disconnect, logoff) = (&samples.disconnect, &samples.logoff);
        self.step(
            "Citrix: disconnect one; its applications keep running",
            "HELPDESK",
            DISCONNECT,
            &json!({ "id": disconnect }),
        );
        self.step(
            "Citrix: log one off and wait for the end. Do it twice, and the second says ALREADY_GONE",
            "HELPDESK",
            LOGOFF,
            &json!({ "target": { "onlineSessionId": logoff } }),
        );
        self.step(
            "A viewer may not; that is on record too",
            "VIEWER",
            BY_ID,
            &json!({ "id": disconnect }),
        );
    }

    fn windows(&mut self, samples: &Windows) {
        let Windows {
            by_id,
            named: (named_on, name),
            numbered: (numbered_on, number),
        } = samples;
        self.step(
            "Windows: log off by id",
            "HELPDESK",
            LOGOFF,
            &json!({ "target": { "onlineSessionId": by_id } }),
        );
        self.step(
            "Windows: by server and session name, as `query session` shows them",
            "HELPDESK",
            LOGOFF,
            &json!({ "target": { "named": { "server": named_on, "sessionName": name } } }),
        );
        self.step(
            "Windows: by server and number, as `logoff 3 /server:…` has them",
            "HELPDESK",
            LOGOFF,
            &json!({ "target": { "numbered": { "server": numbered_on, "sessionId": number } } }),
        );
    }

    fn vpn(&mut self, samples: &Vpn) {
        self.step(
            "VPN: disconnect by the vendor's own id, as its dashboards do",
            "HELPDESK",
            BY_ID,
            &json!({ "id": samples.bare }),
        );
        self.step(
            "VPN: a log-off is UNSUPPORTED, for there is nothing to log off from",
            "HELPDESK",
            LOGOFF,
            &json!({ "target": { "onlineSessionId": samples.other } }),
        );
    }
}

const LIST: &str = "{ onlineSessions(first: 5) { totalCount nodes { id state user { name } machine { name } \
                    allowedActions } backends { backend { id } status parts { total failed { name error } } } } }";
const TWINS: &str = "query($machine: String!) { onlineSessions(filter: { machine: $machine }, first: 5) { totalCount nodes { \
                     user { name } sources { id backend { id } } } } }";
const DISCONNECT: &str = "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id, reason: \"trying it \
                          out\", ticket: \"DEMO-1\" }) { status message operation { id state } session { state } } }";
const LOGOFF: &str = "mutation($target: SessionTarget!) { logoffSession(input: { target: $target, wait: true, \
                      reason: \"trying it out\", ticket: \"DEMO-1\" }) { status message operation { id state outcome \
                      timeline { at to } } } }";
const BY_ID: &str = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";
const AUDIT: &str = "{ auditRecords(first: 50) { nodes { recordedAt code phase action outcome actor { name } target { \
                     id user { name } machine { name } } reason ticket sent latencyMs } } }";
