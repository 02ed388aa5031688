//! What the host itself allows, whatever the gateway asks.
//!
//! Not here: who the gateway is (`tls`), how the settings are read (`config`).
//! Invariant: a session that the listing calls protected is one on which every act is refused.

mod entry;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::entry::unusable;
use crate::platform::{WtsSession, filled};

/// Acts at the same time, if nobody says otherwise.
const CONCURRENCY: usize = 4;
/// Longest NetBIOS name of a host or domain, in characters.
pub(crate) const NETBIOS: usize = 15;

/// What can be done to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Take the client away.
    Disconnect,
    /// End the session.
    Logoff,
    /// Show a message.
    Message,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 3] = [Self::Disconnect, Self::Logoff, Self::Message];

    /// Its spelling, in paths, settings and the act log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Logoff => "logoff",
            Self::Message => "message",
        }
    }
}

/// What the host itself allows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Sessions may be seen; every act is refused.
    pub read_only: bool,
    /// Acts on the console's session are allowed too.
    pub allow_console: bool,
    /// Users whose sessions nobody touches: `DOMAIN\name`, `.\name` for an account of the host itself, a UPN or a SID,
    /// without regard to case. A bare name protects that name in every domain.
    pub protected_users: Vec<String>,
    /// Acts that are refused altogether.
    pub deny: BTreeSet<Verb>,
    /// Most log-offs in any 60 seconds.
    pub max_logoffs_per_minute: Option<u32>,
    /// Most acts at the same time.
    pub concurrency: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            read_only: false,
            allow_console: false,
            protected_users: Vec::new(),
            deny: BTreeSet::new(),
            max_logoffs_per_minute: None,
            concurrency: CONCURRENCY,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let denied: Vec<&str> = self.deny.iter().map(|verb| verb.as_str()).collect();
        let yes_or_no = |it| if it { "yes" } else { "no" };
        write!(
            f,
            "read-only {}, acts on the console {}, {} protected, denied: {}, log-offs in a minute: {}, acts at once: {}",
            yes_or_no(self.is_read_only()),
            yes_or_no(self.allow_console),
            self.protected_users.len(),
            if denied.is_empty() {
                "none".to_owned()
            } else {
                denied.join(", ")
            },
            self.max_logoffs_per_minute
                .map_or_else(|| "any".to_owned(), |limit| limit.to_string()),
            self.concurrency
        )
    }
}

/// Why the host refuses an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It refuses every act.
    ReadOnly,
    /// It refuses every act of this kind.
    Denied(Verb),
    /// The user is protected.
    ProtectedUser,
    /// It is the console's session.
    Console,
    /// Windows tells no time of logon, so that the session cannot be told from the next one that gets its number.
    NoLogonTime,
}

impl Policy {
    /// The policy as it is meant on a host: `.` is the host itself.
    pub(crate) fn on(mut self, host: &str) -> Self {
        for entry in &mut self.protected_users {
            if let Some(name) = entry.strip_prefix(".\\") {
                // Windows calls the host by its NetBIOS name, of at most 15 characters.
                let host: String = host.chars().take(NETBIOS).collect();
                *entry = format!("{host}\\{name}");
            }
        }
        self
    }

    /// Whether every act on every session is refused.
    pub fn is_read_only(&self) -> bool {
        self.read_only || Verb::ALL.iter().all(|verb| self.deny.contains(verb))
    }

    /// Whether an act is refused.
    pub fn refuses(&self, verb: Verb, session: &WtsSession) -> Option<Refusal> {
        if self.deny.contains(&verb) && !self.is_read_only() {
            return Some(Refusal::Denied(verb));
        }
        self.refuses_every_act(session)
    }

    /// Whether every act on a session is refused.
    pub fn refuses_every_act(&self, session: &WtsSession) -> Option<Refusal> {
        if self.is_read_only() {
            Some(Refusal::ReadOnly)
        } else if session.is_console() && !self.allow_console {
            Some(Refusal::Console)
        } else if self.protected_users.iter().any(|entry| names(entry, session)) {
            Some(Refusal::ProtectedUser)
        } else if session.logon_time <= 0 {
            // Without it the generation is that of everybody who gets the number, or of the same user's next logon.
            Some(Refusal::NoLogonTime)
        } else {
            None
        }
    }
}

/// Whether an entry of the settings means the session's user, or may mean it: a domain or SID that Windows did not tell
/// can be any.
fn names(entry: &str, session: &WtsSession) -> bool {
    let is = |found: &Option<String>, wanted: &str| filled(found).is_some_and(|found| same(found, wanted));
    if let Some((domain, user)) = entry.split_once('\\') {
        let domain = filled(&session.domain).is_none() || is(&session.domain, domain);
        return domain && is(&session.user, user);
    }
    if entry::is_sid(entry) {
        return filled(&session.sid).is_none() || is(&session.sid, entry);
    }
    is(&session.user, entry) || is(&session.upn, entry)
}

/// Windows compares names in capitals; small letters tell apart what capitals do not, such as `ς` and `σ`.
fn same(one: &str, other: &str) -> bool {
    one.to_uppercase() == other.to_uppercase()
}

#[cfg(test)]
mod tests;
