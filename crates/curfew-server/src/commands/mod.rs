//! What each command of the command line does.
//!
//! Not parsing of options (`cli`). Invariant: configuration is read and checked before anything is bound or opened.

pub mod check;
#[cfg(feature = "dev")]
pub mod dev;
pub mod migrate;
pub mod schema;
pub mod serve;
