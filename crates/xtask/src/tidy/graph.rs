//! Who may depend on whom (ARCHITECTURE.md), checked on cargo's metadata.
//!
//! Looks at direct dependencies only: what comes in through an allowed one is allowed. Invariant: a crate that is
//! not in [`ALLOWED`] is a finding, so that a new one cannot slip past the table.

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, Package};

use super::Finding;

/// Every crate of the workspace, with those of the workspace that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("curfew-core", &[]),
    ("curfew-agent-api", &[]),
    ("curfew-app", &["curfew-core"]),
    ("curfew-store", &["curfew-core"]),
    ("curfew-backends", &["curfew-core", "curfew-agent-api"]),
    ("curfew-graphql", &["curfew-core", "curfew-app"]),
    (
        "curfew-server",
        &[
            "curfew-core",
            "curfew-app",
            "curfew-store",
            "curfew-backends",
            "curfew-graphql",
            "curfew-sim",
        ],
    ),
    ("curfew-agent", &["curfew-core", "curfew-agent-api"]),
    ("curfew-sim", &["curfew-core", "curfew-agent", "curfew-agent-api"]),
    ("curfewctl", &[]),
    (
        "curfew-tests",
        &[
            "curfew-core",
            "curfew-app",
            "curfew-store",
            "curfew-backends",
            "curfew-graphql",
            "curfew-server",
            "curfew-sim",
            "curfew-agent",
            "curfew-agent-api",
            "curfewctl",
        ],
    ),
    ("xtask", &[]),
];

/// Allowed for tests and benchmarks beside what [`ALLOWED`] says; `None` stands for every crate.
const ALLOWED_DEV: &[(Option<&str>, &str)] =
    &[(None, "curfew-core"), (Some("curfew-backends"), "curfew-sim")];

/// Must be `optional = true`: shipped builds go without.
const OPTIONAL: &[(&str, &str)] = &[("curfew-server", "curfew-sim")];

/// Libraries that only some crates may know, also in their tests.
const CONFINED: &[(&str, &[&str])] = &[
    (
        "axum",
        &["curfew-server", "curfew-sim", "curfew-agent", "curfew-tests"],
    ),
    (
        "axum-server",
        &["curfew-server", "curfew-sim", "curfew-agent", "curfew-tests"],
    ),
    // A RADIUS backend that reads an accounting table will add curfew-backends.
    ("sqlx", &["curfew-store"]),
    ("async-graphql", &["curfew-graphql"]),
    ("async-graphql-axum", &["curfew-server"]),
    ("jsonwebtoken", &["curfew-server", "curfew-tests"]),
];

/// A direct dependency, without what does not matter here.
#[derive(Debug, Clone, Copy)]
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    use_of: Use,
    optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Build,
    Tests,
}

/// Checks every member of the workspace.
pub fn check(metadata: &Metadata) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let manifest = manifest(metadata, package)?;
        if !is_member(&package.name) {
            findings.push(Finding::error(
                &manifest,
                format!("{} is not in xtask's table ALLOWED", package.name),
            ));
        }
        for dependency in &package.dependencies {
            let use_of = match dependency.kind {
                DependencyKind::Development => Use::Tests,
                _ => Use::Build,
            };
            let edge = Edge {
                from: &package.name,
                to: &dependency.name,
                use_of,
                optional: dependency.optional,
            };
            findings.extend(problem(edge).map(|problem| Finding::error(&manifest, problem)));
        }
    }
    Ok(findings)
}

fn manifest(metadata: &Metadata, package: &Package) -> Result<String> {
    let path = package.manifest_path.strip_prefix(&metadata.workspace_root);
    Ok(path.context("a member lies outside the workspace")?.to_string())
}

fn is_member(name: &str) -> bool {
    ALLOWED.iter().any(|(member, _)| *member == name)
}

fn problem(edge: Edge<'_>) -> Option<String> {
    let Edge { from, to, .. } = edge;
    if is_member(to) && !is_allowed(edge) {
        return Some(format!("{from} may not depend on {to}"));
    }
    if OPTIONAL.contains(&(from, to)) && edge.use_of == Use::Build && !edge.optional {
        return Some(format!(
            "{from} may depend on {to} only as an optional dependency"
        ));
    }
    let (library, crates) = CONFINED.iter().find(|(library, _)| *library == to)?;
    // An adapter's tests may answer as its vendor would.
    if to == "axum" && edge.use_of == Use::Tests {
        return None;
    }
    (!crates.contains(&from)).then(|| format!("{library} is known only to {}", crates.join(", ")))
}

fn is_allowed(edge: Edge<'_>) -> bool {
    let Edge { from, to, use_of, .. } = edge;
    let always = ALLOWED
        .iter()
        .any(|(member, to_these)| *member == from && to_these.contains(&to));
    let in_tests = || {
        ALLOWED_DEV
            .iter()
            .any(|(who, what)| *what == to && who.is_none_or(|who| who == from))
    };
    always || (use_of == Use::Tests && in_tests())
}

#[cfg(test)]
mod tests;
