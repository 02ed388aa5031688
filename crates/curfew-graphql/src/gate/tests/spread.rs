//! Fragments that blow a document up: answered at once.

use super::*;

/// `levels` fragments, each of which spreads the next twice.
fn bomb(root: &str, levels: usize, spread: &str, leaf: &str) -> String {
    let mut text = format!("{{ {root} }}");
    for level in 0..levels {
        let next = level + 1;
        text.push_str(&format!(
            " fragment F{level} on T {{ ...F{next} {spread} ...F{next} {spread} }}"
        ));
    }
    text.push_str(&format!(" fragment F{levels} on T {{ {leaf} }}"));
    text
}

#[test]
fn what_doubles_forty_times_is_refused_at_once() {
    assert_eq!(told(plain(&bomb("...F0", 40, "", "a"))), "QUERY_TOO_COMPLEX");
    assert_eq!(told(plain(&bomb("...F0", 63, "", "a"))), "QUERY_TOO_COMPLEX");
}

#[test]
fn what_costs_nothing_is_counted_as_well() {
    // Whoever validates and runs it walks through introspection, skipped fragments and unused ones alike.
    assert_eq!(
        told(plain(&bomb("__schema { ...F0 }", 40, "", "description"))),
        "QUERY_TOO_COMPLEX"
    );
    assert_eq!(
        told(plain(&bomb("a ...F0", 40, "@skip(if: true)", "a"))),
        "QUERY_TOO_COMPLEX"
    );
    assert_eq!(told(plain(&bomb("a", 40, "", "a"))), "QUERY_TOO_COMPLEX");
    let other = bomb("a", 40, "", "a").replacen("{ a }", "query One { a } query Two { ...F0 }", 1);
    assert_eq!(told(gate(&other, Some("One"), json!({}))), "QUERY_TOO_COMPLEX");
}

#[test]
fn a_document_may_be_large_without_fragments() {
    assert_eq!(told(plain(&format!("{{ {} }}", "a ".repeat(40_000)))), "no act");
    assert_eq!(
        told(plain(&format!("{{ {} }}", "a ".repeat(50_001)))),
        "QUERY_TOO_COMPLEX"
    );
}

#[test]
fn fragments_that_include_themselves_are_refused() {
    for text in [
        "{ ...A } fragment A on T { ...A }",
        "{ ...A } fragment A on T { a { ...B } } fragment B on T { ...A }",
        "{ a } fragment A on T { ...B } fragment B on T { ...A }",
        "{ a ...A @skip(if: true) } fragment A on T { ...A ...A }",
    ] {
        assert_eq!(told(plain(text)), "GRAPHQL_VALIDATION_FAILED", "{text}");
    }
}

/// A chain of fragments, spread so that its links are reached from `first`.
fn chain(length: usize, first: &str) -> String {
    let mut text = format!("{{ {first} }}");
    for link in 0..length {
        text.push_str(&format!(" fragment F{link} on T {{ ...F{} }}", link + 1));
    }
    text.push_str(&format!(" fragment F{length} on T {{ a }}"));
    text
}

#[test]
fn a_chain_of_fragments_may_be_only_so_long() {
    assert_eq!(told(plain(&chain(60, "...F0"))), "no act");
    assert_eq!(told(plain(&chain(64, "...F0"))), "QUERY_TOO_COMPLEX");
    assert_eq!(
        told(plain(&chain(7_000, "...F0"))),
        "QUERY_TOO_COMPLEX",
        "without a stack overflow"
    );
    // From its end to its beginning, so that each link is known before it is needed.
    let backwards: String = (0..=7_000).rev().map(|link| format!("...F{link} ")).collect();
    assert_eq!(told(plain(&chain(7_000, &backwards))), "QUERY_TOO_COMPLEX");
    assert_eq!(
        told(plain(&chain(7_000, "a"))),
        "QUERY_TOO_COMPLEX",
        "unused as well"
    );
}

#[test]
fn a_fragment_that_does_not_exist_is_for_the_validation_to_name() {
    assert_eq!(told(plain("{ ...Missing }")), "no act");
}
