//! What a payload says in words: what happened, what was not done, what to do.
//!
//! Not here: anything that decides; clients branch on `status`.
//! Invariant: there is a sentence for every end.

use curfew_app::Upshot;
use curfew_core::ledger::ActionKind;
use curfew_core::{Capabilities, EndReason, Operation, Seen, Sent};

/// How many ids or backends a sentence lists.
const MOST_IDS: usize = 10;

/// The sentence for an end, on a backend that can do what `can` says.
pub fn sentence(
    kind: ActionKind,
    upshot: Upshot,
    operation: Option<&Operation>,
    can: &Capabilities,
) -> String {
    let done = match kind {
        ActionKind::Disconnect => "disconnected",
        ActionKind::Logoff => "logged off",
        ActionKind::Message => "sent",
    };
    let said = operation.and_then(|operation| operation.course.evidence.detail.as_deref());
    let said = said
        .map(|text| format!(" The backend: {}.", text.trim_end_matches('.')))
        .unwrap_or_default();
    match upshot {
        Upshot::Done => match kind {
            ActionKind::Disconnect if can.disconnect_ends_session => {
                "The VPN session has ended; its client may connect again.".to_owned()
            }
            ActionKind::Disconnect if seen(operation) == Some(Seen::Gone) => {
                "The session was cut off and is gone; its applications have ended.".to_owned()
            }
            ActionKind::Disconnect => "The session is disconnected; its applications keep running.".to_owned(),
            ActionKind::Logoff => "The session is gone; its applications have ended.".to_owned(),
            ActionKind::Message => "The backend accepted the message. Whether it was read cannot be seen.".to_owned(),
        },
        Upshot::Accepted => match operation.map(|operation| operation.course.sent) {
            Some(Sent::Yes) => "The backend accepted it, and it has not shown its effect yet. Follow the operation.",
            Some(Sent::Unknown) => {
                "It was sent, but the answer was lost; the session is being read to find out. Do not repeat it: follow \
                 the operation."
            }
            _ => "It is on record and on its way. Follow the operation.",
        }
        .to_owned(),
        Upshot::AlreadyGone => "Nothing was done: the session is not there (any more). Reload the list.".to_owned(),
        Upshot::AlreadyDisconnected => "Nothing was sent: the session is disconnected already.".to_owned(),
        Upshot::Superseded if operation.is_some_and(|operation| operation.target.named_as.is_some()) => {
            "Nothing was done to the session that is called so now: the name has passed to it, or it belongs to a later \
             logon. Reload the list."
                .to_owned()
        }
        Upshot::Superseded => {
            "Nothing was done to the session that is there now: it belongs to a later logon. Reload the list.".to_owned()
        }
        Upshot::NotFound => "Nothing was sent: there is no such session. Reload the list.".to_owned(),
        Upshot::Unsupported if kind == ActionKind::Logoff && can.disconnect_ends_session => {
            "Nothing was sent: a VPN session has no log-off: disconnect ends it.".to_owned()
        }
        Upshot::Unsupported if kind == ActionKind::Message => {
            "Nothing was sent: this backend cannot show messages.".to_owned()
        }
        Upshot::Unsupported => format!("Nothing was sent: sessions of this backend cannot be {done}."),
        Upshot::BackendUnavailable => {
            format!("Not {done}: the backend could not be reached, or asked to slow down. Nothing happened; try again.{said}")
        }
        Upshot::Failed => match operation.and_then(|operation| operation.course.reason) {
            Some(EndReason::StillPresent) => {
                format!("Not {done}: the backend accepted it, but the session is still there. Look at its host.")
            }
            Some(EndReason::JobFailed) => format!("Not {done}: the backend's job failed. Its code stands in `evidence`."),
            _ => format!("Not {done}: the backend refused. Its answer stands in `evidence`.{said}"),
        },
        Upshot::Unknown => {
            "It is not known whether it took effect: the answer was lost, and no read has decided. Do not repeat it \
             blindly: look at the session first."
                .to_owned()
        }
    }
}

fn seen(operation: Option<&Operation>) -> Option<Seen> {
    operation.and_then(|operation| operation.course.evidence.seen)
}

/// Ids, or what could not be read, for people: the first few of them.
pub fn listed<T: ToString>(all: &[T]) -> String {
    let shown: Vec<_> = all.iter().take(MOST_IDS).map(ToString::to_string).collect();
    let more = match all.len().saturating_sub(MOST_IDS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}
