//! Ids round-trip, and a wrong one says which part is wrong.

use proptest::prelude::*;

use super::*;

fn backend(text: &str) -> BackendId {
    BackendId::parse(text).unwrap()
}

#[test]
fn a_windows_id_reads_as_it_is_written() {
    let id = SessionId::new(&backend("rds"), "TERM04/12", Generation::of(&[Some("x")])).unwrap();
    assert_eq!(id.backend_str(), "rds");
    assert_eq!(id.native(), "TERM04/12");
    assert_eq!(id.place(), "rds:TERM04/12");
    assert_eq!(SessionId::parse(id.as_str()).unwrap(), id);
}

#[test]
fn a_missing_field_is_not_an_empty_field() {
    assert_ne!(Generation::of(&[None]), Generation::of(&[Some("")]));
    assert_ne!(
        Generation::of(&[Some("ab"), Some("c")]),
        Generation::of(&[Some("a"), Some("bc")])
    );
}

#[test]
fn the_generation_is_the_head_of_sha_256() {
    // printf '\x01\x00\x00\x00\x03abc' | sha256sum
    assert_eq!(Generation::of(&[Some("abc")]).to_string().len(), 16);
}

#[test]
fn each_wrong_part_is_named() {
    let check = |text: &str, error: IdError| assert_eq!(SessionId::parse(text), Err(error), "{text}");
    check("", IdError::NoBackend);
    check("no-colon@0123456789abcdef", IdError::NoBackend);
    check("Rds:1@0123456789abcdef", IdError::Backend);
    check(":1@0123456789abcdef", IdError::Backend);
    check("rds:1", IdError::NoGeneration);
    check("rds:@0123456789abcdef", IdError::Native);
    check("rds:a b@0123456789abcdef", IdError::Native);
    check("rds:%61@0123456789abcdef", IdError::Native);
    check("rds:%ff@0123456789abcdef", IdError::Native);
    check("rds:1@0123456789ABCDEF", IdError::Generation);
    check("rds:1@012", IdError::Generation);
    check(
        &format!("rds:{}@0123456789abcdef", "a".repeat(600)),
        IdError::TooLong,
    );
}

proptest! {
    #[test]
    fn every_native_name_round_trips(native in "\\PC{1,40}", backend in "[a-z][a-z0-9-]{0,31}") {
        let id = SessionId::new(&BackendId::parse(&backend).unwrap(), &native, Generation::of(&[None])).unwrap();
        let back = SessionId::parse(&id.to_string()).unwrap();
        prop_assert_eq!(back.native(), native);
        prop_assert_eq!(back.backend_str(), backend);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*") {
        let _ = SessionId::parse(&text);
    }
}
