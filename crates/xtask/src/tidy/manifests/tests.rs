//! Manifests that keep the rules, and manifests that break them.

use super::*;

fn table(text: &str) -> Table {
    text.parse().expect("TOML")
}

#[test]
fn a_member_takes_lints_and_dependencies_from_the_workspace() {
    let good = "[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true\n\
                url = { workspace = true, optional = true }\n";
    assert_eq!(member(&table(good)), Vec::<String>::new());
    let bad = "[dependencies]\nserde = \"1\"\n[dev-dependencies]\ninsta = { version = \"1\" }\n\
               [target.'cfg(windows)'.dependencies]\nwindows = { path = \"x\" }\n";
    assert_eq!(
        member(&table(bad)),
        [
            "`[lints] workspace = true` is missing",
            "serde must be `workspace = true`",
            "insta must be `workspace = true`",
            "windows must be `workspace = true`",
        ]
    );
}

#[test]
fn a_workspace_dependency_needs_a_reason_on_its_line() {
    let text = "[workspace.dependencies]\nours = { path = \"crates/ours\" }\nurl = \"2\" # URLs\n\
                bare = \"1\"\nhash = \"1#2\"\nempty = \"1\" #\n[profile.dev]\n";
    let problems = without_reason(text, &table(text));
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(
        problems
            .iter()
            .zip(["bare", "empty", "hash"])
            .all(|(it, name)| it.starts_with(name))
    );
}

#[test]
fn a_name_is_not_mistaken_for_a_longer_one() {
    assert!(is_entry_of("http = \"1\"", "http"));
    assert!(is_entry_of("http.version = \"1\"", "http"));
    assert!(!is_entry_of("http-body = \"1\"", "http"));
}

#[test]
fn manifests_in_test_data_are_not_ours() {
    assert!(
        is_manifest("Cargo.toml")
            && is_manifest("tests/Cargo.toml")
            && is_manifest("crates/xtask/Cargo.toml")
    );
    assert!(!is_manifest("crates/curfewctl/tests/data/Cargo.toml"));
}
