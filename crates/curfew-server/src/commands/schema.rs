//! `curfew schema`: prints the SDL, for `cargo xtask codegen`.
//!
//! Not for callers, who introspect. Invariant: stdout holds the SDL and nothing else.

use std::io::{Write as _, stdout};

use crate::failure::Failure;

/// Prints the schema.
///
/// # Errors
/// [`Failure::Start`] if stdout is closed.
pub fn run() -> Result<(), Failure> {
    stdout()
        .lock()
        .write_all(curfew_graphql::sdl().as_bytes())
        .map_err(anyhow::Error::new)?;
    Ok(())
}
