//! Marked rows are passed over, in every order and in both directions, whatever lies on the border of a word.

use curfew_core::fakes::store_contract::sample::at;
use proptest::prelude::*;

use super::super::marks::{Marks, unmarked};
use super::super::snapshot::{Place, Snapshot};
use super::*;

fn snapshot(rows: usize) -> Snapshot {
    let row = |n: usize| {
        let user = format!("user{}", n * 7 % 50);
        let session = Session {
            state: SessionState::ALL[n % 3],
            started_at: Some(at(n as i64 * 11 % 40)),
            ..session("rds", &format!("TERM04/{n}"), &user, 1)
        };
        Arc::new(Row::new(session, BackendKind::Windows))
    };
    Snapshot::new((0..rows).map(row).collect())
}

fn marked(base: &Snapshot, rows: &[bool]) -> Marks {
    let rows = base.rows.iter().enumerate().filter(|(place, _)| rows[*place]);
    Marks::new(base, rows.map(|(place, row)| (Place::Base(place), row)))
}

/// The places that a walk comes by, with every row that is passed over in between left out.
fn walked(base: &Snapshot, marks: &[&Marks], field: OrderField, from_start: bool) -> Vec<usize> {
    let (mut left, mut found) = (0..base.rows.len(), Vec::new());
    loop {
        left = unmarked(marks, field, left, from_start);
        if left.is_empty() {
            return found;
        }
        if from_start {
            found.push(base.nth(field, left.start));
            left.start += 1;
        } else {
            left.end -= 1;
            found.push(base.nth(field, left.end));
        }
    }
}

fn check(base: &Snapshot, marks: &[&Marks], hidden: impl Fn(usize) -> bool) {
    for field in OrderField::ALL {
        let mut wanted: Vec<_> = (0..base.rows.len()).map(|n| base.nth(field, n)).collect();
        wanted.retain(|place| !hidden(*place));
        assert_eq!(walked(base, marks, field, true), wanted);
        wanted.reverse();
        assert_eq!(walked(base, marks, field, false), wanted);
    }
    for place in 0..base.rows.len() {
        assert_eq!(marks.iter().any(|marks| marks.holds(place)), hidden(place));
    }
}

proptest! {
    #[test]
    fn a_walk_leaves_out_what_is_marked_and_nothing_else(
        (a, b) in (0..300_usize).prop_flat_map(|rows| {
            let bits = |weight| prop::collection::vec(prop::bool::weighted(weight), rows);
            ([0.05, 0.5, 0.95].map(bits).prop_map(|all| all.concat()), bits(0.3))
        }),
    ) {
        let base = snapshot(b.len());
        for a in a.chunks(b.len().max(1)) {
            let marks = [marked(&base, a), marked(&base, &b)];
            check(&base, &[&marks[0], &marks[1]], |place| a[place] || b[place]);
            check(&base, &[&marks[0]], |place| a[place]);
            prop_assert_eq!(marks[0].count(), a.iter().filter(|marked| **marked).count());
            // One by one is the same as at once.
            let (mut few, mut none) = (Marks::default(), marks[0].clone());
            for (place, row) in base.rows.iter().enumerate().filter(|(place, _)| a[*place]) {
                few.put(&base, Place::Base(place), row, true);
                none.put(&base, Place::Base(place), row, false);
            }
            check(&base, &[&few], |place| a[place]);
            check(&base, &[&none], |_| false);
            prop_assert_eq!((few.count(), none.count()), (marks[0].count(), 0));
        }
    }
}

#[test]
fn whole_words_are_passed_over() {
    for rows in [0, 1, 63, 64, 65, 128, 200] {
        let base = snapshot(rows);
        let all = marked(&base, &vec![true; rows]);
        check(&base, &[&all], |_| true);
        check(&base, &[], |_| false);
        for free in (0..rows).filter(|place| place % 63 < 3) {
            let mut bits = vec![true; rows];
            bits[free] = false;
            check(&base, &[&marked(&base, &bits)], |place| place != free);
        }
    }
}
