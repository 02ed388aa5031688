//! How deep a text nests, whatever strings and comments pretend.

use proptest::prelude::*;

use super::*;

fn passes(text: &str) -> bool {
    check_nesting(text).is_ok()
}

/// `{a{a{a …`: dangerous to parse.
fn braces(depth: usize) -> String {
    "{a".repeat(depth)
}

#[test]
fn nesting_up_to_128_is_parsed() {
    let nested = |depth: usize| format!("{}{}", braces(depth), "}".repeat(depth));
    assert!(passes(&nested(128)));
    assert!(parse_query(nested(60)).is_ok());
    // The parser has a limit of its own for fields, behind the point where it would have overflown.
    assert!(parse_query(nested(128)).is_err());
    let lists = format!("{{ a(b: {}{}) }}", "[".repeat(126), "]".repeat(126));
    assert!(
        passes(&lists) && parse_query(&lists).is_ok(),
        "what passes is harmless"
    );
    assert!(!passes(&nested(129)));
    assert!(
        passes(&"{a}".repeat(100_000)),
        "beside each other they do not nest"
    );
}

#[test]
fn a_hundred_thousand_braces_are_refused_at_once() {
    for text in [
        braces(100_000),
        format!("{{ a(b: {}", "[".repeat(100_000)),
        format!("{{ a(b: {}", "{a:".repeat(100_000)),
        format!("query($a: {}", "[".repeat(100_000)),
        "(".repeat(100_000),
    ] {
        assert!(!passes(&text), "{}", &text[..20]);
    }
}

#[test]
fn braces_in_strings_and_comments_do_not_count() {
    let many = "{".repeat(1_000);
    for text in [
        format!("{{ a(b: \"{many}\") }}"),
        format!("{{ a(b: \"\\\"{many}\\\\\") }}"),
        format!("{{ a(b: \"\"\"{many}\n\" {many} \"\" {many}\"\"\") }}"),
        format!("{{ a(b: \"\"\"\\\"\"\"{many}\"\"\") }}"),
        format!("# {many} \" {many}\n{{ a }}"),
        format!("# {many}\r{{ a }}"),
        format!("{{ a(b: \"#\", c: \"\") # {many}\n }}"),
    ] {
        assert!(passes(&text), "{}", &text[..30]);
        assert!(parse_query(&text).is_ok(), "{}", &text[..30]);
    }
}

#[test]
fn braces_behind_strings_and_comments_count() {
    let deep = braces(1_000);
    for text in [
        format!("# a comment that ends with its line\r{deep}"),
        format!("# a \"comment\" with quotes \"\n{deep}"),
        format!("{{ a(b: \"a string\") {deep}"),
        format!("{{ a(b: \"\\\\\") {deep}"),
        format!("{{ a(b: \"\") {deep}"),
        format!("{{ a(b: \"\"\"a \" quote\"\"\") {deep}"),
        format!("{{ a(b: \"\"\" \" # \"\"\") {deep}"),
        format!("{{ a(b: \"\"\" \" #\n\"\"\") {deep}"),
        format!("{{ a(b: \"\"\"\\\"\"\" \"\"\") {deep}"),
        format!("{{ a(b: \"\"\"\\\\\"\"\") {deep}\"\"\"").replace("\\\\", "x"),
        format!("{{ a(b: [\"\"\" x \"]) {deep}"),
        format!("{{ a(b: [\"\" \"\"]) {deep}"),
    ] {
        assert!(!passes(&text), "{}", &text[..40]);
    }
}

#[test]
fn texts_that_never_close_a_string_are_read_once() {
    for text in [
        "\\\"".repeat(100_000),
        "\"\\\"".repeat(80_000),
        "\"\"\" \\\"\"\" ".repeat(20_000),
        "\"\"\"\n\"\n".repeat(30_000),
        "\"".repeat(250_001),
    ] {
        let _ = check_nesting(&text);
    }
}

proptest! {
    /// Whatever is made of these pieces: if the parser takes it, its depth was seen right.
    #[test]
    fn the_text_is_cut_as_the_parser_cuts_it(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "\"", "\"\"", "\"\"\"", "\\", "\\\"", "#", "\n", "\r", "{", "}", "a", " ", "[", "]", "\\\"\"\"",
            ]),
            0..12,
        ),
        deep in any::<bool>(),
    ) {
        let depth = if deep { 200 } else { 100 };
        let text = format!("{{ a(b: [{}]) c(d: {}{}) }}", pieces.concat(), "[".repeat(depth), "]".repeat(depth));
        let parsed = parse_query(&text).ok().and_then(|document| match document.operations {
            DocumentOperations::Single(operation) => Some(operation.node.selection_set.node.items),
            DocumentOperations::Multiple(_) => None,
        });
        // Unless they have got into a string or a comment, the lists are an argument of the last field.
        let last = parsed.as_ref().and_then(|items| match &items.last()?.node {
            Selection::Field(field) => field.node.get_argument("d"),
            _ => None,
        });
        if last.is_some() {
            prop_assert_eq!(passes(&text), !deep, "{}", text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = check_nesting(&text);
    }
}
