//! Depth, cost and aliases.

use super::*;

/// A document whose fields nest `depth` deep.
fn deep(depth: usize) -> String {
    format!("{}a{}", "{ a ".repeat(depth - 1) + "{ ", " }".repeat(depth))
}

#[test]
fn ten_levels_are_deep_enough() {
    assert_eq!(told(plain(&deep(10))), "no act");
    assert_eq!(told(plain(&deep(11))), "QUERY_TOO_COMPLEX");
}

#[test]
fn fragments_are_as_deep_as_what_is_in_them() {
    let in_fragment = |depth: usize| {
        let inner = deep(depth - 1);
        format!("{{ x {{ ...F }} }} fragment F on T {inner}")
    };
    assert_eq!(told(plain(&in_fragment(10))), "no act");
    assert_eq!(told(plain(&in_fragment(11))), "QUERY_TOO_COMPLEX");
    let inline = format!("{{ x {{ ... {} }} }}", deep(10));
    assert_eq!(told(plain(&inline)), "QUERY_TOO_COMPLEX");
}

/// The least complexity that lets a document pass.
fn cost(text: &str, variables: serde_json::Value) -> u64 {
    let document = parse_query(text).expect("it parses");
    let variables = variables.as_object().cloned().unwrap_or_default();
    let passes = |complexity| {
        let limits = Limits {
            complexity,
            ..Limits::default()
        };
        check(&document, None, &variables, Via::Post, &limits).is_ok()
    };
    let (mut low, mut high) = (0, 1 << 40);
    while low < high {
        let middle = u64::midpoint(low, high);
        if passes(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[test]
fn a_page_costs_what_it_may_hold() {
    let none = || json!({});
    assert_eq!(cost("{ viewer { name } }", none()), 2);
    assert_eq!(
        cost("{ onlineSessions(first: 10) { nodes { id state } } }", none()),
        10 * 2 + 2
    );
    assert_eq!(
        cost("{ onlineSessions(last: 10) { edges { node { id } } } }", none()),
        10 * 2 + 2
    );
    assert_eq!(
        cost("{ onlineSessions { nodes { id } } }", none()),
        50 + 2,
        "the default page"
    );
    assert_eq!(
        cost("{ onlineSessions(after: \"x\") { nodes { id } } }", none()),
        50 + 2
    );
    assert_eq!(
        cost("{ onlineSessions(first: 10) { totalCount } }", none()),
        2,
        "no rows"
    );
    let by_variable = "query($n: Int = 20) { onlineSessions(first: $n) { nodes { id } } }";
    assert_eq!(cost(by_variable, json!({ "n": 7 })), 7 + 2);
    assert_eq!(cost(by_variable, none()), 20 + 2);
    assert_eq!(
        cost(
            "{ onlineSessions(first: null, last: 30) { nodes { id } } }",
            none()
        ),
        30 + 2
    );
    let skipped = "{ onlineSessions(first: 10) { nodes { id state @skip(if: true) } } }";
    assert_eq!(cost(skipped, none()), 10 + 2);
}

#[test]
fn pages_in_pages_multiply() {
    let text = "{ a(first: 10) { nodes { b(first: 20) { nodes { id } } } } }";
    assert_eq!(cost(text, json!({})), 10 * (20 + 2) + 2);
    let spread = "{ a(first: 10) { nodes { ...F } } } fragment F on T { b(first: 20) { ...G } } \
                  fragment G on T { nodes { id } }";
    assert_eq!(
        cost(spread, json!({})),
        10 * (20 + 2) + 2,
        "through fragments as well"
    );
    let both = "{ a(first: 10) { ...G } b(first: 20) { ...G } } fragment G on T { nodes { id } }";
    assert_eq!(
        cost(both, json!({})),
        (10 + 2) + (20 + 2),
        "a fragment costs what its place says"
    );
}

#[test]
fn what_costs_too_much_is_refused() {
    let page = |fields: usize| {
        let fields: String = (0..fields).map(|n| format!("f{n} ")).collect();
        format!("{{ onlineSessions(first: 1000) {{ nodes {{ {fields} }} }} }}")
    };
    assert_eq!(told(plain(&page(49))), "no act");
    assert_eq!(told(plain(&page(50))), "QUERY_TOO_COMPLEX");
    let absurd = "{ a(first: 4294967296) { nodes { a(first: 4294967296) { nodes { a(first: 4294967296) \
                  { nodes { id } } } } } } }";
    assert_eq!(told(plain(absurd)), "QUERY_TOO_COMPLEX", "without an overflow");
}

#[test]
fn thirty_aliases_are_enough() {
    let aliases = |n: usize| {
        let fields: String = (0..n)
            .map(|n| format!("a{n}: viewer {{ x: __typename }} "))
            .collect();
        format!("{{ {fields} }}")
    };
    assert_eq!(told(plain(&aliases(15))), "no act");
    assert_eq!(told(plain(&aliases(16))), "QUERY_TOO_COMPLEX");
}

/// What GraphiQL asks.
pub const STANDARD: &str = "
    query IntrospectionQuery {
      __schema {
        queryType { name } mutationType { name } subscriptionType { name }
        types { ...FullType }
        directives { name description locations args(includeDeprecated: true) { ...InputValue } }
      }
    }
    fragment FullType on __Type {
      kind name description
      fields(includeDeprecated: true) {
        name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason
      }
      inputFields(includeDeprecated: true) { ...InputValue }
      interfaces { ...TypeRef }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { ...TypeRef }
    }
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
    fragment TypeRef on __Type {
      kind name
      ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
        ofType { kind name ofType { kind name } } } } } } } }
    }";

#[test]
fn the_standard_introspection_passes_where_it_is_allowed() {
    assert_eq!(told(plain(STANDARD)), "no act");
    let document = parse_query(STANDARD).expect("it parses");
    let closed = Limits {
        introspection: false,
        ..Limits::default()
    };
    let ask = |document: &ExecutableDocument| told(check(document, None, &Map::new(), Via::Post, &closed));
    assert_eq!(ask(&document), "INTROSPECTION_DISABLED");
    let hidden =
        parse_query("{ viewer { name } ... { ...F } } fragment F on Query { __type(name: \"X\") { name } }");
    assert_eq!(ask(&hidden.expect("it parses")), "INTROSPECTION_DISABLED");
    let typename = parse_query("{ __typename viewer { __typename } }").expect("it parses");
    assert_eq!(ask(&typename), "no act", "a type's name is no introspection");
}

#[test]
fn introspection_has_a_depth_of_its_own() {
    let deep = |depth: usize| {
        format!(
            "{{ __schema {{ t {} }} }}",
            "{ t ".repeat(depth - 2) + &" }".repeat(depth - 2)
        )
    };
    assert_eq!(told(plain(&deep(20))), "no act");
    assert_eq!(told(plain(&deep(21))), "QUERY_TOO_COMPLEX");
}
