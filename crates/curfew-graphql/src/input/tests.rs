//! Limits of texts, lists and ids.

use super::*;

fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("it is refused").message
}

#[test]
fn a_free_text_is_taken_as_it_is_within_its_limit() {
    let take = |text: &str| free_text("reason", Some(text.to_owned()), 10);
    for text in [
        "",
        "Frozen",
        "ünïcödé ☃",
        "a\nb\tc\u{7}",
        "0123456789",
        "☃☃☃☃☃☃☃☃☃☃",
    ] {
        assert_eq!(take(text).ok().flatten().as_deref(), Some(text));
    }
    assert_eq!(free_text("reason", None, 10).ok(), Some(None));
    assert_eq!(
        refused(take("01234567890")),
        "`reason` is longer than 10 characters. Nothing was done."
    );
    assert!(refused(take("a\0b")).contains("NUL"));
}

#[test]
fn a_shown_text_has_no_controls() {
    let show = |text: &str, line_feeds| shown_text("text", text, 10, line_feeds);
    assert!(show("Save now!", true).is_ok() && show("☃", false).is_ok());
    assert!(show("a\nb", true).is_ok());
    assert!(show("a\nb", false).is_err(), "a title has one line");
    for text in ["a\tb", "a\rb", "a\0b", "a\u{1b}[2J", "a\u{85}b"] {
        assert!(
            refused(show(text, true)).contains("control character"),
            "{text:?}"
        );
    }
    assert_eq!(
        refused(show("", true)),
        "`text` must have 1 to 10 characters, it has 0. Nothing was sent."
    );
    assert!(refused(show("01234567890", true)).contains("it has 11"));
}

#[test]
fn a_filter_that_looks_like_everything_is_refused() {
    assert!(refused(word("user", Some(String::new()))).contains("Leave it out"));
    assert!(refused(word("user", Some(" \t".to_owned()))).contains("Leave it out"));
    assert_eq!(
        word("user", Some("anna".to_owned())).ok().flatten().as_deref(),
        Some("anna")
    );
    assert!(word("user", Some("a".repeat(MAX_WORD + 1))).is_err());
    assert!(refused(list::<u8>("states", Some(vec![]))).contains("`states`"));
    assert_eq!(list("states", Some(vec![1])).ok(), Some(Some(vec![1])));
    assert_eq!(list::<u8>("states", None).ok(), Some(None));
}

#[test]
fn an_id_that_is_none_is_refused_with_the_part_that_is_wrong() {
    for (id, wrong) in [
        ("12", "backend part is missing"),
        ("Site:12@0123456789abcdef", "backend part"),
        ("site:12", "generation part is missing"),
        ("site:@0123456789abcdef", "native part"),
        ("site:12@0123", "generation part"),
    ] {
        let message = refused(session_id("onlineSessionId", id));
        assert!(
            message.contains(wrong) && message.contains("`onlineSessionId`"),
            "{message}"
        );
    }
    assert!(session_id("onlineSessionId", "site:12@0123456789abcdef").is_ok());
    assert!(refused(operation_id("id", &ID::from("x"))).contains("UUID"));
    let names = |names: &[&str]| Some(names.iter().map(ID::from).collect());
    assert!(refused(backend_ids("backendIds", names(&["site-a", "Site"]))).contains("`Site`"));
    assert!(backend_ids("backendIds", names(&["site-a"])).is_ok());
    assert!(backend_ids("backendIds", names(&[])).is_err());
}
