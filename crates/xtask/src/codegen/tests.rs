//! Where two texts begin to differ.

use super::*;

#[test]
fn the_first_difference_is_counted_from_one() {
    assert_eq!(first_difference("a\nb\n", "x\nb\n"), 1);
    assert_eq!(first_difference("a\nb\n", "a\nc\n"), 2);
    assert_eq!(first_difference("a\n", "a\nb\n"), 2);
}
