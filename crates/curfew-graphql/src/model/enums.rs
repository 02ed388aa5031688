//! The enums of the API, each the mirror of one of the domain.
//!
//! Not here: what a value means for a decision.
//! Invariant: the spelling is that of the domain's `as_str`, so that answers, audit records and logs agree.

use async_graphql::Enum;

/// The product behind a backend. Grows with the adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::BackendKind")]
pub enum BackendKind {
    /// Citrix Virtual Apps and Desktops, or Citrix DaaS.
    Citrix,
    /// Windows hosts and RD Session Hosts, through an agent on each.
    Windows,
    /// OrbNet (OrbVPN), a hosted VPN.
    Orbnet,
}

/// What kind of session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::SessionKind")]
pub enum SessionKind {
    /// A desktop.
    Desktop,
    /// One or more published applications without a desktop.
    Application,
    /// The physical console of a machine.
    Console,
    /// A VPN connection.
    Vpn,
    /// The backend does not say.
    Unknown,
}

/// The state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::SessionState")]
pub enum SessionState {
    /// Somebody is connected and logged on.
    Active,
    /// A client is connected, but nobody works in the session (yet).
    Connected,
    /// No client is connected. The applications keep running.
    Disconnected,
    /// The logon is under way.
    LoggingOn,
    /// The log-off is under way.
    LoggingOff,
    /// The backend gave a state that Curfew does not know.
    Unknown,
}

/// The protocol between client and session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::SessionProtocol")]
pub enum SessionProtocol {
    /// Citrix HDX (ICA).
    Hdx,
    /// Microsoft RDP.
    Rdp,
    /// The physical console.
    Console,
    /// OpenVPN.
    #[graphql(name = "OPENVPN")]
    OpenVpn,
    /// Cisco AnyConnect and what speaks it (OpenConnect, ocserv).
    #[graphql(name = "ANYCONNECT")]
    AnyConnect,
    /// IPsec with IKEv2.
    #[graphql(name = "IKEV2")]
    IkeV2,
    /// WireGuard.
    #[graphql(name = "WIREGUARD")]
    WireGuard,
    /// A protocol that has no name here.
    Other,
    /// The backend does not say.
    Unknown,
}

/// What can be done to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::ledger::ActionKind")]
pub enum SessionAction {
    /// Cut the client off. The applications keep running, and the user may reconnect.
    Disconnect,
    /// End the session and its applications. Unsaved work is lost.
    Logoff,
    /// Show a message to its user.
    Message,
}

/// How the reading of a backend stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_app::ReadingStatus")]
pub enum ReadingStatus {
    /// Not read since the gateway started; its sessions are not in this answer.
    Pending,
    /// The last reading was good and is young.
    Ok,
    /// The last good reading is older than three intervals.
    Stale,
    /// Some parts could not be read; their sessions are those of their last good reading.
    Partial,
    /// The last reading failed; the sessions are those of the last good one.
    Failed,
    /// The last reading took too long; the sessions are those of the last good one.
    TimedOut,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::OperationState")]
pub enum OperationState {
    /// Accepted, nothing begun.
    Received,
    /// The user has been warned; the grace period runs.
    Notifying,
    /// The session is looked at, and the act sent.
    Dispatching,
    /// The backend works on it as a job.
    Running,
    /// The session is read until the goal shows.
    Confirming,
    /// The goal was seen after the act.
    Succeeded,
    /// The goal held before anything was sent, or the backend said that there is no such session.
    AlreadyGone,
    /// Another logon has the session's place, or another session the name that it was asked for by; it was not touched.
    Superseded,
    /// The act did not happen, or did not have its effect.
    Failed,
    /// Called off before anything was sent.
    Canceled,
    /// Whether it happened cannot be told.
    Unknown,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::Outcome")]
pub enum Outcome {
    /// The goal was seen after the act.
    Succeeded,
    /// The goal held before anything was sent, or the backend said that there is no such session.
    AlreadyGone,
    /// Another logon has the session's place, or another session the name that it was asked for by; it was not touched.
    Superseded,
    /// The act did not happen, or did not have its effect.
    Failed,
    /// Called off before anything was sent.
    Canceled,
    /// Whether it happened cannot be told.
    Unknown,
}

/// Whether an acting request left for the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::Sent")]
pub enum Sent {
    /// None did.
    No,
    /// One did, and was answered.
    Yes,
    /// It cannot be told.
    Unknown,
}

/// Who brought an operation to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::EndedBy")]
pub enum EndedBy {
    /// The request that began it.
    Request,
    /// A gateway that took it over.
    Runner,
    /// A person.
    Person,
}

/// What a read of a session showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::Seen")]
pub enum Seen {
    /// It is gone.
    Gone,
    /// It is disconnected.
    Disconnected,
    /// It is being logged off.
    LoggingOff,
    /// It is there as before.
    StillThere,
    /// Another logon has its place, or it has lost the name that it was asked for by.
    Replaced,
    /// It could not be read.
    Unreadable,
}

/// Why an operation ended as it did, where its state alone does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::EndReason")]
pub enum EndReason {
    /// The session is still there at the deadline.
    StillPresent,
    /// No read decided before the deadline.
    HostDown,
    /// The answer was lost, and no read can show what became of the act.
    AnswerLost,
    /// The backend could not be reached; nothing was sent.
    BackendUnavailable,
    /// The backend asked us to slow down; it did nothing.
    RateLimited,
    /// The backend refused.
    Refused,
    /// The backend does not accept the gateway's credentials.
    Credentials,
    /// The backend cannot do that.
    Unsupported,
    /// The backend's job ended without doing its work.
    JobFailed,
    /// The record could not be settled in time, so nothing was sent.
    NotSent,
}

/// Which step of an act an audit record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::AuditPhase")]
pub enum AuditPhase {
    /// It was refused; nothing was sent.
    Denied,
    /// It is wanted and allowed.
    Intent,
    /// From here at most one request may leave for the backend.
    Attempt,
    /// It has ended.
    Outcome,
    /// What had ended UNKNOWN was settled later.
    Resolution,
    /// The audit log was read.
    Read,
}

/// What was done, or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_core::AuditAction")]
pub enum AuditAction {
    /// Disconnecting a session.
    Disconnect,
    /// Logging a session off.
    Logoff,
    /// Showing a message.
    Message,
    /// Reading the audit log.
    AuditRead,
    /// A document with more than one act in it; none was done.
    ManyActs,
}

/// What sessions are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_app::OrderField")]
pub enum SessionOrderField {
    /// When the session began; those that do not say come first.
    StartedAt,
    /// The user's name.
    User,
    /// The machine's name.
    Machine,
    /// The state.
    State,
}

/// Which way an order runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "curfew_app::Direction")]
pub enum OrderDirection {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}
