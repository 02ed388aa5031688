//! At most one act, however it is written.

use super::*;

const A: &str = "a: logoffSession(input: {}) { status }";
const B: &str = "b: disconnectSession(input: {}) { status }";

fn check(text: &str, wanted: &str) {
    assert_eq!(told(plain(text)), wanted, "{text}");
}

#[test]
fn one_act_passes_and_two_do_not() {
    check(&format!("mutation {{ {A} }}"), "an act");
    check(&format!("mutation {{ {A} {B} }}"), "TOO_MANY_ACTS");
    check(&format!("mutation {{ {A} __typename }}"), "an act");
    check("query { viewer { name } backends { id } }", "no act");
    check("{ viewer { name } }", "no act");
}

#[test]
fn the_same_act_under_two_names_is_two() {
    check(
        "mutation { a: logoffSession(input: {}) { status } b: logoffSession(input: {}) { status } }",
        "TOO_MANY_ACTS",
    );
}

#[test]
fn acts_are_found_behind_fragments() {
    check(
        &format!("mutation {{ ...F }} fragment F on Mutation {{ {A} }}"),
        "an act",
    );
    check(
        &format!("mutation {{ {B} ...F }} fragment F on Mutation {{ {A} }}"),
        "TOO_MANY_ACTS",
    );
    check(
        &format!("mutation {{ ...F }} fragment F on Mutation {{ {A} {B} }}"),
        "TOO_MANY_ACTS",
    );
    let nested = "mutation { ...F ...G } fragment F on Mutation { ...H } fragment G on Mutation { ...H }";
    check(
        &format!("{nested} fragment H on Mutation {{ {A} }}"),
        "TOO_MANY_ACTS",
    );
    check(
        &format!("mutation {{ ... {{ {A} }} ... on Mutation {{ {B} }} }}"),
        "TOO_MANY_ACTS",
    );
    check(&format!("mutation {{ ... {{ ... {{ {A} }} }} }}"), "an act");
}

#[test]
fn what_is_skipped_for_certain_does_not_count() {
    check(
        &format!("mutation {{ {A} ... @skip(if: true) {{ {B} }} }}"),
        "an act",
    );
    check(
        &format!("mutation {{ {A} ... @include(if: false) {{ {B} }} }}"),
        "an act",
    );
    check(
        &format!("mutation {{ {A} ... @skip(if: false) @include(if: true) {{ {B} }} }}"),
        "TOO_MANY_ACTS",
    );
    check(
        &format!("mutation {{ {A} ... @skip(if: false) @include(if: false) {{ {B} }} }}"),
        "an act",
    );
    check(&format!("mutation {{ ... @skip(if: true) {{ {B} }} }}"), "no act");
    check(
        &format!("mutation {{ {A} ...F @skip(if: true) }} fragment F on Mutation {{ {B} }}"),
        "an act",
    );
    check(
        "mutation { a: logoffSession(input: {}) @skip(if: true) { status } }",
        "no act",
    );
}

#[test]
fn directives_are_decided_by_variables_and_their_defaults() {
    let document = |default: &str| {
        format!("mutation($both: Boolean{default}) {{ {A} ... @include(if: $both) {{ {B} }} }}")
    };
    let told = |default, variables| told(gate(&document(default), None, variables));
    assert_eq!(told("", json!({ "both": true })), "TOO_MANY_ACTS");
    assert_eq!(told("", json!({ "both": false })), "an act");
    assert_eq!(told(" = false", json!({})), "an act");
    assert_eq!(told(" = true", json!({})), "TOO_MANY_ACTS");
    assert_eq!(told(" = false", json!({ "both": true })), "TOO_MANY_ACTS");
    assert_eq!(told(" = true", json!({ "both": false })), "an act");
    // What cannot be decided counts.
    assert_eq!(told("", json!({})), "TOO_MANY_ACTS");
    assert_eq!(told("", json!({ "both": null })), "TOO_MANY_ACTS");
    assert_eq!(told("", json!({ "both": "false" })), "TOO_MANY_ACTS");
}

#[test]
fn only_the_operation_that_runs_counts() {
    let text =
        format!("mutation Two {{ {A} {B} }} mutation One {{ {A} }} query None {{ viewer {{ name }} }}");
    assert_eq!(told(gate(&text, Some("One"), json!({}))), "an act");
    assert_eq!(told(gate(&text, Some("Two"), json!({}))), "TOO_MANY_ACTS");
    assert_eq!(told(gate(&text, Some("None"), json!({}))), "no act");
    assert_eq!(
        told(gate(&text, Some("Missing"), json!({}))),
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(told(gate(&text, None, json!({}))), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(
        told(gate("query Only { viewer { name } }", None, json!({}))),
        "no act"
    );
    assert_eq!(
        told(gate("query Only { viewer { name } }", Some("Only"), json!({}))),
        "no act"
    );
    assert_eq!(
        told(gate("{ viewer { name } }", Some("Only"), json!({}))),
        "GRAPHQL_VALIDATION_FAILED"
    );
}

#[test]
fn mutations_are_not_taken_by_get() {
    let by_get = |text: &str| {
        let document = parse_query(text).expect("it parses");
        told(super::check(
            &document,
            None,
            &Map::new(),
            Via::Get,
            &Limits::default(),
        ))
    };
    assert_eq!(by_get(&format!("mutation {{ {A} }}")), "METHOD_NOT_ALLOWED");
    assert_eq!(by_get("mutation { __typename }"), "METHOD_NOT_ALLOWED");
    assert_eq!(by_get("{ viewer { name } }"), "no act");
}

#[test]
fn subscriptions_are_not_served() {
    check(
        "subscription { operationUpdated(id: 1) { id } }",
        "GRAPHQL_VALIDATION_FAILED",
    );
}
