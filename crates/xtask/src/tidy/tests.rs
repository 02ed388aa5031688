//! The rules, held against this very tree.

use super::*;

#[test]
fn the_tree_is_tidy() {
    let findings = findings().expect("findings");
    let errors: Vec<_> = findings
        .iter()
        .filter(|it| it.is_error())
        .map(ToString::to_string)
        .collect();
    assert!(errors.is_empty(), "cargo xtask tidy:\n{}", errors.join("\n"));
}

#[test]
fn a_finding_is_one_line_with_its_file_first() {
    assert_eq!(Finding::error("a.rs", "too long").to_string(), "a.rs: too long");
    assert_eq!(Finding::notice("a.rs", "long").to_string(), "notice: a.rs: long");
}
