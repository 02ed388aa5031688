//! How many values are bound, and what becomes of a NUL.

use curfew_core::fakes::store_contract::sample;
use curfew_core::{AuditPhase, OperationState};

use super::*;

#[test]
fn the_counts_are_those_of_the_statements() {
    let it = sample::operation(0);
    assert_eq!(operation(&it).expect("parameters").len(), 24);
    let lease = Lease::first(it.id, sample::process(), sample::at(0));
    let arrow = sample::advance(&it, OperationState::Running, 1);
    assert_eq!(step(&lease, &arrow).expect("parameters").len(), 15);
    let outcome = sample::record(&it, AuditPhase::Outcome, 1);
    let mut params = Vec::new();
    record(&mut params, &outcome).expect("parameters");
    assert_eq!(params.len(), 31);
}

#[test]
fn a_nul_is_replaced_wherever_it_stands() {
    let Param::Json(Some(raw)) =
        Param::json(&json!({ "a\0": ["b\0", { "c": "\0" }], "d": "\\u0000" })).expect("JSON")
    else {
        panic!("no JSON");
    };
    let value: Value = serde_json::from_str(raw.get()).expect("JSON");
    assert_eq!(
        value,
        json!({ "a\u{fffd}": ["b\u{fffd}", { "c": "\u{fffd}" }], "d": "\\u0000" })
    );
    assert!(matches!(Param::text("a\0b"), Param::Text(Some(text)) if text == "a\u{fffd}b"));
    assert!(matches!(Param::key("A\0Σ"), Param::Text(Some(text)) if text == "a\u{fffd}σ"));
}
