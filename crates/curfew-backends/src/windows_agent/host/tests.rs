//! How a host stands, step by step.

use curfew_core::BackendErrorKind as Kind;

use super::*;

const LONGEST: Duration = Duration::from_secs(5);

fn error() -> BackendError {
    BackendError::new(Kind::Unavailable, "down")
}

fn patience(standing: &mut Standing) -> Option<f32> {
    match standing.turn(Instant::now(), LONGEST, Outage::Some) {
        Turn::Ask(patience) => Some(patience.as_secs_f32()),
        Turn::Skip { .. } => None,
    }
}

/// Whether it is probed at `now`; `None` if it is asked with the others.
fn probed(standing: &mut Standing, now: Instant) -> Option<bool> {
    match standing.turn(now, LONGEST, Outage::Some) {
        Turn::Ask(_) => None,
        Turn::Skip { probe, .. } => Some(probe),
    }
}

#[test]
fn a_host_is_waited_for_by_what_is_known_of_it() {
    let mut standing = Standing::default();
    assert_eq!(patience(&mut standing), Some(2.0), "never seen");
    for (latency, expected) in [
        (1, 1.0),
        (250, 1.0),
        (500, 2.0),
        (1250, 5.0),
        (4900, 5.0),
        (20, 1.0),
    ] {
        standing.answered(Duration::from_millis(latency));
        assert_eq!(patience(&mut standing), Some(expected), "{latency} ms");
    }
    let mut short = Standing::default();
    assert!(matches!(
        short.turn(Instant::now(), Duration::from_secs(1), Outage::Some),
        Turn::Ask(patience) if patience == Duration::from_secs(1)
    ));
}

#[test]
fn one_failure_is_forgiven_and_two_in_a_row_are_not() {
    let now = Instant::now();
    let mut standing = Standing::default();
    assert_eq!(standing.failed(error(), now), Change::Failed);
    assert_eq!(standing.answered(Duration::from_millis(5)), Before::Failing);
    assert_eq!(
        standing.answered(Duration::from_millis(5)),
        Before::Well,
        "once only"
    );
    assert_eq!(standing.failed(error(), now), Change::Failed);
    assert_eq!(probed(&mut standing, now), None);
    assert_eq!(standing.failed(error(), now), Change::Silenced);
    assert_eq!(probed(&mut standing, now), Some(false));
    assert_eq!(standing.lives(), Before::Silent);
}

#[test]
fn pauses_between_probes_double_up_to_five_minutes_and_begin_anew() {
    let start = Instant::now();
    let mut standing = Standing::default();
    for _ in 0..2 {
        let mut now = start;
        standing.failed(error(), now);
        standing.failed(error(), now);
        for pause in [10, 20, 40, 80, 160, 300, 300] {
            let pause = Duration::from_secs(pause);
            let early = now + pause - Duration::from_millis(1);
            assert_eq!(probed(&mut standing, early), Some(false), "{pause:?}");
            now += pause;
            assert_eq!(probed(&mut standing, now), Some(true), "{pause:?}");
            assert_eq!(probed(&mut standing, now), Some(false), "one probe at a time");
            assert_eq!(standing.failed(error(), now), Change::Still);
        }
        standing.answered(Duration::from_millis(5));
        assert_eq!(probed(&mut standing, now), None);
    }
}

#[test]
fn waiting_in_vain_is_learnt_from_and_not_forgotten_for_a_sign_of_life() {
    let mut standing = Standing::default();
    standing.answered(Duration::from_millis(5));
    assert_eq!(patience(&mut standing), Some(1.0));
    standing.outlasted(Duration::from_secs(1));
    assert_eq!(patience(&mut standing), Some(4.0));
    standing.lives();
    assert_eq!(patience(&mut standing), Some(4.0));
    standing.outlasted(Duration::from_secs(4));
    assert_eq!(patience(&mut standing), Some(5.0), "but no longer than allowed");
    standing.outlasted(Duration::from_millis(1));
    assert_eq!(patience(&mut standing), Some(5.0), "and not less than before");
    standing.answered(Duration::from_millis(5));
    assert_eq!(patience(&mut standing), Some(1.0));
}

#[test]
fn an_outage_of_most_keeps_the_first_pause_and_another_that_heals_ends_it() {
    let start = Instant::now();
    let mut standing = Standing::default();
    let mut now = start;
    standing.failed(error(), now);
    for _ in 0..5 {
        standing.failed(error(), now);
        now += Duration::from_secs(400);
    }
    standing.failed(error(), now);
    let asks = |standing: &mut Standing, after: u64, outage| {
        matches!(
            standing.turn(now + Duration::from_secs(after), LONGEST, outage),
            Turn::Skip { probe: true, .. }
        )
    };
    assert!(!asks(&mut standing, 9, Outage::Most));
    assert!(!asks(&mut standing, 10, Outage::Some));
    assert!(asks(&mut standing, 10, Outage::Most));
    assert!(!asks(&mut standing, 11, Outage::Most), "one probe at a time");
    standing.failed(error(), now);
    assert!(!asks(&mut standing, 0, Outage::Some));
    standing.stir(now);
    assert!(asks(&mut standing, 0, Outage::Some));
    let mut well = Standing::default();
    well.stir(now);
    assert!(!asks(&mut well, 0, Outage::Most));
}
