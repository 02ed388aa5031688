//! What the manifests must say: workspace lints, workspace dependencies, and a reason for each of those.
//!
//! Who depends on whom is `graph`'s. Invariant: a version and its features stand in the root manifest alone.

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::{Finding, Source};

const ROOT: &str = "Cargo.toml";

/// Checks the root manifest and those of the members.
pub fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|it| is_manifest(&it.path)) {
        let manifest: Table = source
            .text
            .parse()
            .with_context(|| format!("{} cannot be read", source.path))?;
        let problems = match source.path.as_str() {
            ROOT => without_reason(&source.text, &manifest),
            _ => member(&manifest),
        };
        findings.extend(
            problems
                .into_iter()
                .map(|problem| Finding::error(&source.path, problem)),
        );
    }
    Ok(findings)
}

/// The root's manifest and those of members; a `Cargo.toml` that lies deeper is a test's data.
fn is_manifest(path: &str) -> bool {
    let parts: Vec<_> = path.split('/').collect();
    matches!(parts[..], [ROOT] | ["tests", ROOT] | ["crates", _, ROOT])
}

/// What is wrong with a member's manifest.
fn member(manifest: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    if !manifest.get("lints").is_some_and(from_workspace) {
        problems.push("`[lints] workspace = true` is missing".to_owned());
    }
    for (name, _) in dependencies(manifest)
        .into_iter()
        .filter(|(_, entry)| !from_workspace(entry))
    {
        problems.push(format!("{name} must be `workspace = true`"));
    }
    problems
}

fn from_workspace(entry: &Value) -> bool {
    entry.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// Every entry of every dependency table, those for one target included.
fn dependencies(manifest: &Table) -> Vec<(&String, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets
        .into_iter()
        .flat_map(|it| it.values())
        .filter_map(Value::as_table);
    [manifest]
        .into_iter()
        .chain(tables)
        .flat_map(|table| {
            ["dependencies", "dev-dependencies", "build-dependencies"].map(|kind| table.get(kind))
        })
        .flatten()
        .filter_map(Value::as_table)
        .flatten()
        .collect()
}

/// The entries of `[workspace.dependencies]` that no comment on their line gives a reason for; ours need none.
fn without_reason(text: &str, manifest: &Table) -> Vec<String> {
    let entries = manifest
        .get("workspace")
        .and_then(|it| it.get("dependencies"))
        .and_then(Value::as_table);
    let section = text
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1);
    let lines: Vec<_> = section.take_while(|line| !line.starts_with('[')).collect();
    entries
        .into_iter()
        .flatten()
        .filter(|(_, entry)| entry.get("path").is_none())
        .filter(|(name, _)| {
            !lines
                .iter()
                .any(|line| is_entry_of(line, name) && has_comment(line))
        })
        .map(|(name, _)| format!("{name} has no `# reason` behind it on its line"))
        .collect()
}

fn is_entry_of(line: &str, name: &str) -> bool {
    line.split_once(['=', '.'])
        .is_some_and(|(key, _)| key.trim().trim_matches('"') == name)
}

/// Is there a `#`, outside a string, with words behind it?
fn has_comment(line: &str) -> bool {
    let mut in_string = false;
    for (at, character) in line.char_indices() {
        match character {
            '"' => in_string = !in_string,
            '#' if !in_string => return !line[at + 1..].trim().is_empty(),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests;
