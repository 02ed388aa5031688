//! What the mutations answer, as a client gets it.

use curfew_core::fakes::backend::{Call, Trouble, session};
use curfew_core::{BackendErrorKind, Role, Session};
use serde_json::{Value, json};

use crate::ErrorCode;
use crate::testing::*;

mod bare;
mod targets;
mod words;
