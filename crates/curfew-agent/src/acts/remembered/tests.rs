//! What is remembered, for how long, and how much. Time is a parameter.

use curfew_agent_api::ActResult;

use super::*;
use crate::acts::Taken;
use crate::problem::{gone, host_silent};

fn key(n: usize) -> Key {
    Key {
        operation: format!("operation-{n}"),
        attempt: 1,
    }
}

fn target(number: u32) -> Target {
    Target {
        verb: Verb::Logoff,
        number,
        generation: Generation::of(&[None]),
        message: None,
    }
}

fn done() -> Outcome {
    Ok(Taken {
        result: ActResult::Done,
        session: None,
    })
}

fn is_new(entered: &Entered) -> bool {
    matches!(entered, Entered::New(..))
}

#[tokio::test]
async fn an_act_is_remembered_for_ten_minutes_from_its_end() {
    let mut remembered = Remembered::default();
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(is_new(&remembered.enter(key(1), target(2), at(0))));
    // It runs for longer than anything is remembered.
    assert!(matches!(
        remembered.enter(key(1), target(2), at(5_000)),
        Entered::Known(_)
    ));
    remembered.end(&key(1), &done(), at(5_000));
    assert!(matches!(
        remembered.enter(key(1), target(2), at(5_599)),
        Entered::Known(_)
    ));
    assert!(is_new(&remembered.enter(key(1), target(2), at(5_600))));
}

#[tokio::test]
async fn refusals_are_remembered_unless_they_ask_to_come_again() {
    let mut remembered = Remembered::default();
    let now = Instant::now();
    for (n, outcome, new) in [(1, Err(gone(2)), false), (2, Err(host_silent()), true)] {
        assert!(is_new(&remembered.enter(key(n), target(2), now)));
        remembered.end(&key(n), &outcome, now);
        assert_eq!(
            is_new(&remembered.enter(key(n), target(2), now)),
            new,
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn the_same_operation_for_something_else_is_another() {
    let mut remembered = Remembered::default();
    let now = Instant::now();
    assert!(is_new(&remembered.enter(key(1), target(2), now)));
    assert!(matches!(remembered.enter(key(1), target(3), now), Entered::Other));
    let disconnect = Target {
        verb: Verb::Disconnect,
        ..target(2)
    };
    assert!(matches!(
        remembered.enter(key(1), disconnect, now),
        Entered::Other
    ));
    let other_words = Target {
        message: Some(Arc::new(Message {
            title: "a".to_owned(),
            text: "b".to_owned(),
        })),
        ..target(2)
    };
    assert!(matches!(
        remembered.enter(key(1), other_words, now),
        Entered::Other
    ));
}

#[tokio::test]
async fn nothing_is_forgotten_to_make_room() {
    let mut remembered = Remembered::default();
    let now = Instant::now();
    for n in 0..MOST {
        assert!(is_new(&remembered.enter(key(n), target(2), now)));
        remembered.end(&key(n), &done(), now);
    }
    assert!(matches!(
        remembered.enter(key(MOST), target(2), now),
        Entered::Full
    ));
    assert!(matches!(
        remembered.enter(key(0), target(2), now),
        Entered::Known(_)
    ));
    assert!(is_new(&remembered.enter(key(MOST), target(2), now + REMEMBERED)));
    assert_eq!(remembered.acts.len(), 1);
}
