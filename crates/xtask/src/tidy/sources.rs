//! What files must and must not hold: module docs, a bearable length, no paths of one machine, no loose ends.
//!
//! Reads text and parses no Rust. Invariant: the words that it looks for do not stand whole in this file, which
//! is held against the same rules.

use std::collections::BTreeSet;

use super::{Finding, Source};

/// A Rust file may not be longer.
const MOST_LINES: usize = 800;
/// A longer one is a reason to look again.
const MANY_LINES: usize = 600;

/// Folders that exist on somebody's machine only.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];
const LOOSE_END: &str = concat!("TO", "DO");

/// Checks every text file.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = migrations(sources);
    for Source { path, text } in sources {
        if path.ends_with(".rs") && (path.starts_with("crates/") || path.starts_with("tests/")) {
            findings.extend(rust(path, text));
        }
        for (at, line) in text.lines().enumerate() {
            let found = |problem: String| Finding::error(path, format!("line {}: {problem}", at + 1));
            if let Some(machine_path) = MACHINE_PATHS.into_iter().find(|it| holds_path(line, it)) {
                findings.push(found(format!("`{machine_path}` is a path of one machine")));
            }
            // Prose may speak of the word.
            if !path.ends_with(".md") && holds_loose_end(line) {
                findings.push(found(format!("{LOOSE_END} without the #number of its issue")));
            }
        }
    }
    findings
}

fn rust(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("//!") {
        findings.push(Finding::error(
            path,
            "does not begin with `//!`: what it is, what it is not, one invariant",
        ));
    }
    match text.lines().count() {
        lines if lines > MOST_LINES => {
            findings.push(Finding::error(
                path,
                format!("{lines} lines, more than {MOST_LINES}"),
            ));
        }
        lines if lines > MANY_LINES => {
            findings.push(Finding::notice(
                path,
                format!("{lines} lines, more than {MANY_LINES}"),
            ));
        }
        _ => {}
    }
    findings
}

/// Does an absolute path under `folder` stand in `line`? What has something before it (a host, a variable, a
/// placeholder, `~` or `.`) is another path.
fn holds_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || "_.-~})>*".contains(it))
    })
}

/// Does the word stand in `line`, without `#` and a number behind it?
fn holds_loose_end(line: &str) -> bool {
    line.match_indices(LOOSE_END).any(|(at, word)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        let part_of_a_word = before.chars().next_back().is_some_and(is_of_a_word)
            || after.chars().next().is_some_and(is_of_a_word);
        let mut issue = after.trim_start_matches([' ', '(', ':']).chars();
        let numbered = issue.next() == Some('#') && issue.next().is_some_and(|it| it.is_ascii_digit());
        !part_of_a_word && !numbered
    })
}

fn is_of_a_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Both databases have the same migrations, by file name.
fn migrations(sources: &[Source]) -> Vec<Finding> {
    let folders = ["migrations/postgres", "migrations/sqlite"];
    let [postgres, sqlite] = folders.map(|folder| {
        let names = sources
            .iter()
            .filter_map(|it| it.path.strip_prefix(folder)?.strip_prefix('/'));
        names.collect::<BTreeSet<_>>()
    });
    let missing = |from: &BTreeSet<&str>, names: &BTreeSet<&str>, folder: &str| -> Vec<_> {
        let lacking = names.difference(from);
        lacking
            .map(|name| {
                Finding::error(
                    &format!("{folder}/{name}"),
                    "is missing: both folders move together",
                )
            })
            .collect()
    };
    let mut findings = missing(&postgres, &sqlite, folders[0]);
    findings.extend(missing(&sqlite, &postgres, folders[1]));
    findings
}

#[cfg(test)]
mod tests;
