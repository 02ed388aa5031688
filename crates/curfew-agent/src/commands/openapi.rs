//! `curfew-agent openapi`: the contract as a document. Invariant: stdout has the document and nothing else.

use std::io::Write as _;

use anyhow::Context as _;

use super::Failure;

pub(crate) fn run() -> Result<(), Failure> {
    let text = curfew_agent_api::openapi::yaml();
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("stdout cannot be written")
        .map_err(Failure::start)
}
