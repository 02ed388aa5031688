//! How the arguments for cargo test are read.

use super::*;

fn owned(args: &[&str]) -> Vec<String> {
    args.iter().map(ToString::to_string).collect()
}

#[test]
fn a_chosen_package_replaces_the_workspace() {
    assert!(names_packages(&owned(&["-p", "curfew-store"])));
    assert!(names_packages(&owned(&["--package=curfew-store", "name"])));
    assert!(!names_packages(&owned(&["--no-fail-fast", "name"])));
    assert!(!names_packages(&owned(&["name", "--", "-p"])));
}

#[test]
fn the_whole_workspace_is_built_with_the_features_of_its_tests() {
    assert!(build_args(true).contains(&"--tests"));
    assert!(!build_args(false).contains(&"--tests"));
}
