//! What is kept from a cargo started by xtask, and what is not.

use super::*;

#[test]
fn variables_about_xtasks_own_package_are_dropped_and_settings_are_kept() {
    for dropped in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "OUT_DIR"] {
        assert!(describes_a_package(dropped), "{dropped}");
    }
    for kept in [
        "CARGO",
        "CARGO_HOME",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_JOBS",
        "CARGO_TERM_COLOR",
        "RUSTFLAGS",
    ] {
        assert!(!describes_a_package(kept), "{kept}");
    }
}

#[test]
fn the_root_holds_the_workspace_manifest() {
    assert!(root().join("clippy.toml").is_file());
}
