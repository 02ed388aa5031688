//! Texts that keep the rules, and texts that break them.

use super::*;

fn source(path: &str, text: impl Into<String>) -> Source {
    Source {
        path: path.into(),
        text: text.into(),
    }
}

fn problems(path: &str, text: impl Into<String>) -> Vec<String> {
    check(&[source(path, text)])
        .into_iter()
        .map(|it| it.problem)
        .collect()
}

#[test]
fn every_rust_file_begins_with_module_docs() {
    assert_eq!(problems("crates/a/src/lib.rs", "//! A.\n"), Vec::<String>::new());
    assert_eq!(problems("crates/a/src/tests.rs", "use super::*;\n").len(), 1);
    assert_eq!(
        problems("docs/example.rs", "fn main() {}\n"),
        Vec::<String>::new()
    );
}

#[test]
fn a_long_file_is_a_notice_and_a_longer_one_an_error() {
    let lines = |count: usize| format!("//! A.\n{}", "x\n".repeat(count - 1));
    assert!(rust("a.rs", &lines(600)).is_empty());
    assert!(rust("a.rs", &lines(601)).iter().all(|it| !it.is_error()));
    assert_eq!(
        rust("a.rs", &lines(801)),
        [Finding::error("a.rs", "801 lines, more than 800")]
    );
}

#[test]
fn paths_of_one_machine_are_found_and_others_are_not() {
    let [work, root, home] = MACHINE_PATHS;
    for bad in [format!("cd {work}x"), format!("{root}x"), format!("\"{home}me\"")] {
        assert_eq!(problems("a.md", &bad).len(), 1, "{bad}");
    }
    for good in [
        format!("https://example.com{home}x"),
        format!("$HOME{work}x"),
        format!("~{work}"),
        format!("target{root}"),
    ] {
        assert_eq!(problems("a.md", &good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn a_loose_end_needs_the_number_of_its_issue() {
    for good in ["// {}(#12): x", "// {} #12: x", "{}S", "MY_{}"] {
        assert!(!holds_loose_end(&good.replace("{}", LOOSE_END)), "{good}");
    }
    for bad in ["// {}: x", "-- {}", "// {} # 12", "// {}(me): #12"] {
        assert!(holds_loose_end(&bad.replace("{}", LOOSE_END)), "{bad}");
    }
}

#[test]
fn prose_may_speak_of_loose_ends() {
    assert_eq!(
        problems("docs/a.md", format!("a {LOOSE_END} has a number")),
        Vec::<String>::new()
    );
}

#[test]
fn both_databases_have_the_same_migrations() {
    let both = [
        source("migrations/postgres/0001_a.sql", ""),
        source("migrations/sqlite/0001_a.sql", ""),
    ];
    assert!(migrations(&both).is_empty());
    let found = migrations(&both[..1]);
    assert_eq!(
        found[0].to_string(),
        "migrations/sqlite/0001_a.sql: is missing: both folders move together"
    );
    assert!(migrations(&[]).is_empty());
}
