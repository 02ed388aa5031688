//! Waiting for conditions. Not for durations: no test sleeps. Invariant: every wait ends.

use std::time::Duration;

/// Longer than any condition takes on a busy machine, a take-over after a crash (20 s) included.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// Looks until there is something to see, and gives it.
///
/// # Panics
/// If there is nothing within [`PATIENCE`]; `what` says what was missed.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(seen) => seen,
        Err(_) => panic!("not seen within {PATIENCE:?}: {what}"),
    }
}
