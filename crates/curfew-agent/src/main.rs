//! The agent's binary: everything is in the library. Not a place for logic. Invariant: one call.

fn main() -> std::process::ExitCode {
    curfew_agent::cli::run()
}
