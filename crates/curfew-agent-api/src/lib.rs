//! The contract between the gateway and the agent on a Windows host: wire types, names, and who trusts whom.
//!
//! Version 1 is HTTP/1.1 or HTTP/2 over mutual TLS 1.3:
//!
//! | request | answer |
//! |---|---|
//! | `GET /v1/health` | [`Health`] |
//! | `GET /v1/sessions` | [`SessionList`] |
//! | `GET /v1/sessions/{number}` | [`SessionAnswer`], or 404 with [`ProblemCode::SessionGone`] |
//! | `POST /v1/sessions/{number}/disconnect` with [`ActRequest`] | [`ActAnswer`] |
//! | `POST /v1/sessions/{number}/logoff` with [`ActRequest`] | [`ActAnswer`] |
//! | `POST /v1/sessions/{number}/message` with [`ActRequest`] | [`ActAnswer`] |
//!
//! `HEAD` is answered as `GET` is, without the body. Every other answer is a [`Problem`] with the status of its code. Within a version fields are only added, and each
//! side ignores what it does not know; anything else is `/v2`.
//!
//! Not here: HTTP, Windows, policy (`curfew-agent`), retries and read-back (`curfew-backends`).
//! Invariant: a session is named by number *and* generation; nothing acts on a number alone.

mod act;
mod health;
pub mod identity;
#[cfg(feature = "openapi")]
pub mod openapi;
mod problem;
mod session;
#[cfg(feature = "tls")]
pub mod tls;

pub use act::{ActAnswer, ActRequest, ActResult, Message, OnBehalf};
pub use health::Health;
pub use identity::TrustDomain;
pub use problem::{Problem, ProblemCode};
pub use session::{
    FIRST_NUMBER, Host, HostSession, LAST_NUMBER, SessionAnswer, SessionList, SessionProtocol, SessionState,
    is_user_session,
};

/// The version of the contract, as in the paths.
pub const API_VERSION: u32 = 1;

/// Longest body of a request that an agent reads, in bytes.
pub const MAX_REQUEST_BYTES: usize = 16 << 10;
