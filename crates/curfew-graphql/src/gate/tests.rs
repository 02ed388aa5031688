//! The gate: what passes, and what is refused before anything runs.

use async_graphql::parser::parse_query;
use serde_json::json;

use super::*;

mod acts;
mod limits;
mod spread;
mod texts;
mod whole;

/// Asks the gate about a document that comes by POST.
fn gate(text: &str, name: Option<&str>, variables: serde_json::Value) -> Result<Pass, Refusal> {
    let document = parse_query(text).expect("the document parses");
    let serde_json::Value::Object(variables) = variables else {
        panic!("variables are an object");
    };
    check(&document, name, &variables, Via::Post, &Limits::default())
}

fn plain(text: &str) -> Result<Pass, Refusal> {
    gate(text, None, json!({}))
}

/// The code of a refusal, or what passed.
fn told(result: Result<Pass, Refusal>) -> &'static str {
    match result {
        Ok(Pass { acts: true }) => "an act",
        Ok(Pass { acts: false }) => "no act",
        Err(refusal) => refusal.code.as_str(),
    }
}
