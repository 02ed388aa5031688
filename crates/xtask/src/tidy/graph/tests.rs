//! Edges that are allowed, and edges that are not.

use super::*;

fn edge<'a>(from: &'a str, to: &'a str) -> Edge<'a> {
    Edge {
        from,
        to,
        use_of: Use::Build,
        optional: false,
    }
}

fn in_tests<'a>(from: &'a str, to: &'a str) -> Edge<'a> {
    Edge {
        use_of: Use::Tests,
        ..edge(from, to)
    }
}

#[test]
fn the_diamond_points_downwards() {
    assert_eq!(problem(edge("curfew-app", "curfew-core")), None);
    assert_eq!(problem(edge("curfew-agent", "curfew-agent-api")), None);
    let upwards = problem(edge("curfew-app", "curfew-store"));
    assert_eq!(
        upwards.as_deref(),
        Some("curfew-app may not depend on curfew-store")
    );
    assert!(problem(edge("curfewctl", "curfew-core")).is_some());
    assert!(problem(edge("xtask", "curfew-core")).is_some());
}

#[test]
fn tests_may_use_the_fakes_and_adapters_the_simulators() {
    assert_eq!(problem(in_tests("curfewctl", "curfew-core")), None);
    assert_eq!(problem(in_tests("curfew-backends", "curfew-sim")), None);
    assert!(problem(edge("curfew-backends", "curfew-sim")).is_some());
    assert!(problem(in_tests("curfew-app", "curfew-sim")).is_some());
}

#[test]
fn the_server_can_be_built_without_simulators() {
    assert!(problem(edge("curfew-server", "curfew-sim")).is_some());
    assert_eq!(
        problem(Edge {
            optional: true,
            ..edge("curfew-server", "curfew-sim")
        }),
        None
    );
}

#[test]
fn a_confined_library_is_refused_even_in_tests() {
    assert_eq!(problem(edge("curfew-store", "sqlx")), None);
    assert_eq!(
        problem(in_tests("curfew-app", "sqlx")).as_deref(),
        Some("sqlx is known only to curfew-store")
    );
    assert!(problem(edge("curfew-server", "async-graphql")).is_some());
    assert_eq!(problem(edge("curfew-app", "serde")), None);
}

#[test]
fn the_table_names_only_its_own_members() {
    for (member, dependencies) in ALLOWED {
        assert!(dependencies.iter().all(|it| is_member(it)), "{member}");
    }
}
