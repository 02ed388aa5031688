//! What each kind of error is taken for.

use super::*;

fn lost() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())
}

#[test]
fn silence_during_a_commit_is_not_a_no() {
    assert!(matches!(
        of_change(lost(), Stage::Committing),
        StoreError::CommitUnknown { .. }
    ));
    assert!(matches!(
        of_change(lost(), Stage::Before),
        StoreError::Unavailable { .. }
    ));
    assert!(matches!(
        of_change(sqlx::Error::WorkerCrashed, Stage::Committing),
        StoreError::CommitUnknown { .. }
    ));
}

#[test]
fn no_connection_is_a_no() {
    for error in [sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed] {
        assert!(matches!(
            of_change(error, Stage::Committing),
            StoreError::Unavailable { .. }
        ));
    }
}

#[test]
fn what_postgres_says_decides() {
    for code in [
        "40001", "40P01", "55P03", "57014", "57P03", "53300", "28P01", "25006",
    ] {
        assert!(matches!(of_postgres(code), Verdict::Undone), "{code}");
    }
    for code in ["08006", "57P01", "57P02", "40003"] {
        assert!(matches!(of_postgres(code), Verdict::Lost), "{code}");
    }
    for code in ["23514", "42P01", "42501", "22021"] {
        assert!(matches!(of_postgres(code), Verdict::Refused), "{code}");
    }
}
