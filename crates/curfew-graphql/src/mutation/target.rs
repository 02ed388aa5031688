//! Which session an act is meant for: by its id, or by host and name or number as the `logoff` command takes them.
//!
//! Not here: the look-up (`curfew_app::directory`).
//! Invariant: what can be no user's session is refused before anything is looked up, with the reason.

use std::fmt;
use std::sync::Arc;

use async_graphql::{Context, Error, ID, InputObject, OneofObject, Result};
use curfew_app::{App, Found, Meant, Resolve, TargetName, Unread};
use curfew_core::ledger::ActionKind;
use curfew_core::{Caller, RequestMeta, SessionId};

use super::words::listed;
use crate::error::{bad_input, from_act};
use crate::input::{MAX_WORD, free_text, session_id};

/// Which session is meant. Exactly one field.
#[derive(Debug, OneofObject)]
pub enum SessionTarget {
    /// The session's id, as `onlineSessions` gives it: the only one of the three that cannot mean somebody who logged
    /// on later.
    OnlineSessionId(ID),
    /// A session of a Windows host, by its name there.
    Named(NamedTarget),
    /// A session of a Windows host, by its number there.
    Numbered(NumberedTarget),
}

/// A session of a Windows host, by its name there. It is looked up in the last reading, and in a fresh one if it is not
/// in that. Nothing is sent if the name has passed to another session since then.
#[derive(Debug, InputObject)]
pub struct NamedTarget {
    /// The host's short or DNS name; its case does not matter. A short name must fit one host alone.
    server: String,
    /// The session's name, such as `RDP-Tcp#3`: whole; its case does not matter.
    session_name: String,
}

/// A session of a Windows host, by its number there. It is looked up in the last reading, and in a fresh one if it is
/// not in that; what has the number then is acted on, and nothing that gets it later.
#[derive(Debug, InputObject)]
pub struct NumberedTarget {
    /// The host's short or DNS name; its case does not matter. A short name must fit one host alone.
    server: String,
    /// The session's number, 1 to 65535. 0 is the session of services, and numbers from 65536 on are listeners.
    session_id: i32,
}

/// A target that makes sense.
#[derive(Debug)]
pub enum Wanted {
    /// One generation of one session.
    Id(SessionId),
    /// A session to be looked up.
    Name(TargetName),
}

/// What a search for a target led to.
#[derive(Debug)]
pub enum Looked {
    /// One session.
    Found(Meant),
    /// Nothing that is known; the rest could not be read.
    InVain(Vec<Unread>),
}

impl SessionTarget {
    /// Checks it.
    pub fn read(self) -> Result<Wanted> {
        Ok(match self {
            Self::OnlineSessionId(id) => Wanted::Id(session_id("target.onlineSessionId", &id)?),
            Self::Named(named) => Wanted::Name(TargetName::Named {
                server: server("target.named.server", named.server)?,
                session_name: session_name("target.named.sessionName", named.session_name)?,
            }),
            Self::Numbered(numbered) => Wanted::Name(TargetName::Numbered {
                server: server("target.numbered.server", numbered.server)?,
                session_id: number("target.numbered.sessionId", numbered.session_id)?,
            }),
        })
    }
}

/// A host's name, which stands in the record before a `/`: nothing in it may look like another part of an id.
fn server(name: &str, text: String) -> Result<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.chars().count() > MAX_WORD || !text.chars().all(is_part) {
        return Err(bad_input(format!(
            "`{name}` is not a host's short or DNS name (such as TERM04). Nothing was sent."
        )));
    }
    Ok(text)
}

fn session_name(name: &str, text: String) -> Result<String> {
    let text = free_text(name, Some(text), MAX_WORD)?.unwrap_or_default();
    if text.trim().is_empty() {
        return Err(bad_input(format!(
            "`{name}` is empty, and a session without a name cannot be meant. Nothing was sent."
        )));
    }
    Ok(text)
}

fn number(name: &str, number: i32) -> Result<u16> {
    let why = match number {
        1..=0xFFFF => return u16::try_from(number).map_err(|_| bad_input(name)),
        0 => "session 0 is that of services, where no user is logged on",
        ..0 => "a session's number is from 1 to 65535",
        _ => "numbers from 65536 on are listeners, which have no user",
    };
    Err(bad_input(format!(
        "`{name}` is {number}: {why}. Nothing was sent."
    )))
}

impl Wanted {
    /// The session that is meant, or the fact that nothing is called so, which is on record.
    pub async fn session(
        &self,
        ctx: &Context<'_>,
        kind: ActionKind,
        reason: &Option<String>,
        ticket: &Option<String>,
    ) -> Result<Looked> {
        let name = match self {
            Self::Id(session) => {
                return Ok(Looked::Found(Meant {
                    session: session.clone(),
                    named_as: None,
                }));
            }
            Self::Name(name) => name,
        };
        let wanted = Resolve {
            name: name.clone(),
            kind,
            reason: reason.clone(),
            ticket: ticket.clone(),
        };
        let (caller, request) = (ctx.data::<Caller>()?, ctx.data::<RequestMeta>()?);
        let actions = &ctx.data::<Arc<App>>()?.actions;
        match actions.resolve(caller, request, wanted).await.map_err(from_act)? {
            Found::One(meant) => Ok(Looked::Found(meant)),
            Found::Nothing { unread } => Ok(Looked::InVain(unread)),
            Found::Several { count, hosts, ids } => Err(ambiguous(name, (count, hosts), &ids)),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

fn ambiguous(called: &TargetName, (count, hosts): (usize, usize), ids: &[SessionId]) -> Error {
    let what = match count {
        1 => "the name of its server fits several hosts".to_owned(),
        _ => format!("it fits {count} sessions"),
    };
    let ids = match ids {
        [] => String::new(),
        ids => format!(": {}", listed(ids)),
    };
    // A longer name of the same host fits the same sessions.
    let or_else = match hosts {
        ..=1 => "",
        _ => ", or the server's DNS name",
    };
    bad_input(format!(
        "`target` means no single session: `{called}` is ambiguous, {what}{ids}. Nothing was sent. Give an id as \
         `onlineSessionId`{or_else}."
    ))
}
