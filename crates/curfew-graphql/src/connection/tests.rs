//! Page arguments and cursors.

use curfew_core::fakes::store_contract::sample;
use proptest::prelude::*;

use super::*;

fn args(first: Option<i32>, after: Option<&str>, last: Option<i32>, before: Option<&str>) -> PageArgs {
    PageArgs {
        first,
        after: after.map(str::to_owned),
        last,
        before: before.map(str::to_owned),
    }
}

fn span(args: PageArgs) -> Result<Span> {
    args.within(50, 1_000)
}

fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.expect_err("it is refused").message
}

#[test]
fn a_page_goes_forwards_or_backwards() {
    let x = || Some("x".to_owned());
    let spans = [
        (args(None, None, None, None), Span::First(50, None)),
        (args(Some(7), None, None, None), Span::First(7, None)),
        (args(Some(7), Some("x"), None, None), Span::First(7, x())),
        (args(None, Some("x"), None, None), Span::First(50, x())),
        (args(None, None, Some(7), None), Span::Last(7, None)),
        (args(None, None, Some(7), Some("x")), Span::Last(7, x())),
        (args(None, None, None, Some("x")), Span::Last(50, x())),
        (args(Some(0), None, None, None), Span::First(0, None)),
        (args(Some(1_000), None, None, None), Span::First(1_000, None)),
    ];
    for (args, wanted) in spans {
        assert_eq!(span(args.clone()).ok(), Some(wanted), "{args:?}");
    }
}

#[test]
fn a_page_that_makes_no_sense_is_refused_with_the_name_of_its_argument() {
    for (args, name) in [
        (args(Some(1_001), None, None, None), "`first` is 1001"),
        (args(Some(-1), None, None, None), "`first` is -1"),
        (args(Some(i32::MIN), None, None, None), "`first`"),
        (args(None, None, Some(1_001), None), "`last` is 1001"),
        (args(None, None, Some(-1), None), "`last` is -1"),
        (args(Some(1), None, Some(1), None), "exclude each other"),
        (args(None, Some("x"), None, Some("x")), "exclude each other"),
        (args(Some(1), None, None, Some("x")), "goes with `after`"),
        (args(None, Some("x"), Some(1), None), "goes with `before`"),
    ] {
        let message = refused(span(args));
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn a_cursor_of_another_listing_is_refused() {
    for text in ["", "x", "====", "AAAA", "not base64 at all", &"A".repeat(33)] {
        for (span, name) in [
            (Span::First(1, Some(text.to_owned())), "`after`"),
            (Span::Last(1, Some(text.to_owned())), "`before`"),
        ] {
            let message = refused(span.keyset());
            assert!(message.contains(name), "{message}");
        }
    }
    // An instant that no calendar has.
    let beyond = URL_SAFE_NO_PAD.encode([0x7f; 24]);
    assert!(Span::First(1, Some(beyond)).keyset().is_err());
}

#[test]
fn a_page_says_what_lies_around_it() {
    let place = |seconds| (sample::at(seconds), Uuid::nil());
    let info = |keyset, more| {
        let info = place_info(keyset, more, Some(place(2)), Some(place(1)));
        assert_eq!(info.start_cursor, Some(place_cursor(place(2))));
        assert_eq!(info.end_cursor, Some(place_cursor(place(1))));
        (info.has_next_page, info.has_previous_page)
    };
    assert_eq!(info(Keyset::After(None), false), (false, false));
    assert_eq!(info(Keyset::After(None), true), (true, false));
    assert_eq!(info(Keyset::After(Some(place(3))), true), (true, true));
    assert_eq!(info(Keyset::Before(None), true), (false, true));
    assert_eq!(info(Keyset::Before(Some(place(0))), false), (true, false));
    let empty = place_info(Keyset::After(None), false, None, None);
    assert_eq!((empty.start_cursor, empty.end_cursor), (None, None));
}

proptest! {
    #[test]
    fn a_cursor_names_the_place_it_was_made_of(micros in -1_000_000_000_000_i64..4_000_000_000_000_000, id in any::<u128>()) {
        let at = DateTime::from_timestamp_micros(micros).expect("an instant");
        let place = (at, Uuid::from_u128(id));
        let cursor = place_cursor(place);
        let forwards = Span::First(3, Some(cursor.clone())).keyset().expect("a place");
        prop_assert_eq!(forwards, (Keyset::After(Some(place)), 3));
        let backwards = Span::Last(3, Some(cursor)).keyset().expect("a place");
        prop_assert_eq!(backwards, (Keyset::Before(Some(place)), 3));
    }

    #[test]
    fn no_text_makes_a_cursor_panic(text in ".{0,60}") {
        let _ = Span::First(1, Some(text)).keyset();
    }
}
