//! The Citrix REST API, cloud (DaaS) and on-prem (CVAD): what a session adapter needs of it.
//!
//! Simulated are tokens, `me`, the list, the search, one session, disconnect, log off, message and jobs.
//! Not simulated are `$batch`, machines, `$cancel` of jobs, job results, recording. The state is in memory
//! and ends with the handle. Invariant: two requests that see the same state get the same answer, but for
//! fresh ids and dates.

mod acts;
mod auth;
mod call;
mod config;
mod control;
mod dispatch;
mod estate;
mod fault;
mod handle;
mod jobs;
mod populate;
mod reads;
mod render;
mod reply;
mod site;
#[cfg(test)]
mod tests;

pub use call::Verb;
pub use config::{
    BadCredentials, CitrixSimConfig, DateStyle, DisconnectBody, Discovery, EndOfPages, ErrorStyle, Flavour,
    LocationStyle, LogoffAnswer, NotFoundStyle, OnPremToken, Variant,
};
pub use estate::{SessionState, SessionView};
pub use fault::{Fault, FaultAction, FaultBody, JobStatus, Matcher, Operation};
pub use handle::CitrixSim;
pub use site::{Act, Counters, Message, NewSession};
