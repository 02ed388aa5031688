//! What holds for the databases themselves; what holds for any store is `curfew_core::fakes::store_contract`.
//!
//! Postgres is tested on the server that `CURFEW_TEST_POSTGRES_URL` names (`cargo xtask test` starts one), each
//! test in a database of its own. Invariant: a test that could not run says so in one line.

mod append_only;
mod contract;
mod failures;
mod migrations;
mod support;
