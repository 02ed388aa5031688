//! The acts: every end of the contract's table, the record they leave, and what goes wrong on the way.

use curfew_core::fakes::backend::{ABLE, Call, Job, JobEnd, Trouble};
use curfew_core::{ActionStore as _, BackendErrorKind as Kind, Role, Scope};

use super::*;
use crate::testing::*;

mod ends;
mod ledger;
mod life;
mod refused;
mod resolved;

const INTENT: [&str; 2] = ["INTENT", "ATTEMPT 1"];

/// The record of an act that ended so.
fn trail(outcome: &str) -> Vec<String> {
    INTENT.iter().chain([&outcome]).map(ToString::to_string).collect()
}

fn long(verb: Verb) -> ActRequest {
    ActRequest {
        wait: Duration::from_secs(3600),
        ..act(verb, &anna().id)
    }
}

fn short(verb: Verb) -> ActRequest {
    act(verb, &anna().id)
}
