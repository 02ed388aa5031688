//! How a simulated OrbNet is set up, and in which ways it may deviate from its documentation.
//!
//! Invariant: every deviation here was seen in the wild or is left open by the vendor's pages.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::ValueEnum;

use super::fault::Fault;
use crate::serve::TlsPem;

/// HTTP status of an answer that holds GraphQL errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorStatus {
    /// 400, 401, 403, as the vendor's pages label their examples.
    #[default]
    Documented,
    /// 200, as most GraphQL servers answer.
    Ok200,
}

/// Which of a row's two ids the mutation takes. No page of the vendor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KillsBy {
    /// `sessionId`, which the documented example looks like.
    #[default]
    SessionId,
    /// `id`.
    Id,
    /// Either.
    Either,
}

/// The answer about a user who does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownUser {
    /// An error with the code `NOT_FOUND`.
    #[default]
    NotFound,
    /// No sessions.
    Empty,
}

/// What `X-RateLimit-Reset` holds. No page of the vendor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetStyle {
    /// Unix time in seconds.
    #[default]
    Epoch,
    /// Seconds from now.
    Seconds,
}

/// How far an id reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// No two sessions have one.
    #[default]
    Account,
    /// Two users may have sessions of the same ids: RFC 2866, section 5.5, has Acct-Session-Id unique for each gateway.
    User,
}

/// A named deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// GraphQL errors come with HTTP 200.
    Errors200,
    /// The mutation takes `id`.
    KillsById,
    /// The mutation takes either id.
    KillsByEither,
    /// A user who does not exist has no sessions.
    UnknownUserEmpty,
    /// `X-RateLimit-Reset` counts seconds from now.
    ResetInSeconds,
    /// The first session of each user has the ids of the first session of every other, and so on.
    SharedIds,
}

/// How a simulated OrbNet is set up.
#[derive(Debug, Clone)]
pub struct OrbnetSimConfig {
    /// Where the API listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the control listener listens, if there is to be one.
    pub control: Option<SocketAddr>,
    /// The base URL to name, if it is not the address listened on.
    pub public_url: Option<String>,
    /// Speaks HTTPS with this.
    pub tls: Option<TlsPem>,
    /// How many users there are at start; their ids count from 101.
    pub users: usize,
    /// How many sessions each of them has at start.
    pub sessions_per_user: usize,
    /// The seed of the estate.
    pub seed: u64,
    /// What the estate takes for now; by default the start of the simulator.
    pub epoch: Option<DateTime<Utc>>,
    /// The token with the scope `admin`.
    pub token: String,
    /// The token with the scope `reseller`.
    pub reseller_token: String,
    /// The token with the scope `user`.
    pub user_token: String,
    /// Requests that each token but the user's may make in a minute; without it, any number.
    pub requests_per_minute: Option<u32>,
    /// The status of errors.
    pub errors: ErrorStatus,
    /// Which id the mutation takes.
    pub kills_by: KillsBy,
    /// The answer about unknown users.
    pub unknown_user: UnknownUser,
    /// What `X-RateLimit-Reset` holds.
    pub reset: ResetStyle,
    /// How far ids reach.
    pub ids: Reach,
    /// Clients that were disconnected come back after this long, as another session.
    pub reconnect: Option<Duration>,
    /// Faults that are there from the first request on.
    pub faults: Vec<Fault>,
}

impl Default for OrbnetSimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: None,
            public_url: None,
            tls: None,
            users: 5,
            sessions_per_user: 2,
            seed: 7,
            epoch: None,
            token: "orb-sim-admin-4f1d".to_owned(),
            reseller_token: "orb-sim-reseller-88c2".to_owned(),
            user_token: "orb-sim-user-0b7e".to_owned(),
            requests_per_minute: Some(1000),
            errors: ErrorStatus::default(),
            kills_by: KillsBy::default(),
            unknown_user: UnknownUser::default(),
            reset: ResetStyle::default(),
            ids: Reach::default(),
            reconnect: None,
            faults: Vec::new(),
        }
    }
}

impl OrbnetSimConfig {
    /// Sets how many users there are.
    pub fn users(mut self, users: usize) -> Self {
        self.users = users;
        self
    }

    /// Sets how many sessions each user has.
    pub fn sessions_per_user(mut self, sessions: usize) -> Self {
        self.sessions_per_user = sessions;
        self
    }

    /// Sets how many requests a minute are allowed.
    pub fn requests_per_minute(mut self, requests: Option<u32>) -> Self {
        self.requests_per_minute = requests;
        self
    }

    /// Lets clients that were disconnected come back.
    pub fn reconnect(mut self, after: Duration) -> Self {
        self.reconnect = Some(after);
        self
    }

    /// Speaks HTTPS with this certificate (PEM) and key (PEM).
    pub fn tls(mut self, cert: impl Into<String>, key: impl Into<String>) -> Self {
        self.tls = Some(TlsPem {
            cert: cert.into(),
            key: key.into(),
        });
        self
    }

    /// Opens the control listener at this address.
    pub fn control(mut self, address: SocketAddr) -> Self {
        self.control = Some(address);
        self
    }

    /// Adds a fault that is there from the first request on.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Applies a named deviation.
    pub fn with(mut self, variant: Variant) -> Self {
        match variant {
            Variant::Errors200 => self.errors = ErrorStatus::Ok200,
            Variant::KillsById => self.kills_by = KillsBy::Id,
            Variant::KillsByEither => self.kills_by = KillsBy::Either,
            Variant::UnknownUserEmpty => self.unknown_user = UnknownUser::Empty,
            Variant::ResetInSeconds => self.reset = ResetStyle::Seconds,
            Variant::SharedIds => self.ids = Reach::User,
        }
        self
    }
}
