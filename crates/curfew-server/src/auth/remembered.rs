//! Tokens that were verified a moment ago.
//!
//! Verifying a signature costs more than answering a page from memory, and a dashboard sends the same token again and
//! again. Not here: refused tokens, which are verified each time.
//! Invariant: what is remembered is found only by the whole token, and its time is looked at on every use.

use std::collections::HashMap;

use curfew_core::Caller;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

/// Most tokens that are remembered; when there are more, all are forgotten.
const MOST: usize = 4096;

/// A token's validity, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Validity {
    /// `exp`.
    pub until: f64,
    /// `nbf`.
    pub from: Option<f64>,
}

/// Verified tokens, by their SHA-256.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<HashMap<[u8; 32], (Validity, Caller)>>);

/// What a token is found by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl Remembered {
    pub fn get(&self, token: Fingerprint) -> Option<(Validity, Caller)> {
        self.0.lock().get(&token.0).cloned()
    }

    pub fn put(&self, token: Fingerprint, validity: Validity, caller: Caller) {
        let mut known = self.0.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(token.0, (validity, caller));
    }
}
