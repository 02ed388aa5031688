//! The pace, on paused time.

use super::*;

fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

/// The most instants that lie in any minute.
fn busiest_minute(sent: &[Instant]) -> usize {
    let in_minute = |from: &Instant| {
        sent.iter()
            .filter(|at| **at >= *from && **at < *from + MINUTE)
            .count()
    };
    sent.iter().map(in_minute).max().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_listing_leaves_a_tenth_to_others() {
    for (per_minute, share) in [(10, 8), (60, 54), (1000, 900), (100_000, 90_000)] {
        let pace = Pace::new(Rate::of(per_minute));
        let began = Instant::now();
        let mut sent = Vec::new();
        while began.elapsed() < MINUTE * 2 && sent.len() < 4000 {
            pace.turn(far()).await.expect("a turn");
            sent.push(Instant::now());
        }
        let most = busiest_minute(&sent);
        assert!(most <= share, "{per_minute}: {most}");
        assert!(
            sent.len() == 4000 || most * 10 >= share * 9,
            "{per_minute}: {most}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_after_a_pause_does_not_make_up_for_it() {
    let pace = Pace::new(Rate::of(1000));
    pace.turn(far()).await.expect("a turn");
    tokio::time::advance(MINUTE * 10).await;
    let began = Instant::now();
    let mut at_once = 0;
    while began.elapsed().is_zero() {
        pace.turn(far()).await.expect("a turn");
        at_once += 1;
    }
    assert!(at_once <= BURST as usize + 1, "{at_once}");
}

#[tokio::test(start_paused = true)]
async fn acts_never_wait_and_what_they_take_the_listing_goes_without() {
    let pace = Pace::new(Rate::of(1000));
    let began = Instant::now();
    let mut sent = Vec::new();
    // One act after every second request of a listing: three times the reserve.
    while began.elapsed() < MINUTE * 3 {
        for _ in 0..2 {
            pace.turn(far()).await.expect("a turn");
            sent.push(Instant::now());
        }
        let before = Instant::now();
        pace.count();
        assert_eq!(Instant::now(), before);
        sent.push(before);
    }
    let most = busiest_minute(&sent);
    assert!((900..=1000).contains(&most), "{most}");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_acts_holds_a_listing_up_for_a_minute_at_most() {
    let pace = Pace::new(Rate::of(1000));
    for _ in 0..5000 {
        pace.count();
    }
    let began = Instant::now();
    pace.turn(far()).await.expect("a turn");
    assert!(began.elapsed() <= MINUTE, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_would_come_too_late_is_refused_at_once() {
    let pace = Pace::new(Rate::of(10));
    let deadline = Instant::now() + Duration::from_secs(10);
    assert_eq!(pace.turn(deadline).await, Ok(()));
    assert_eq!(pace.turn(deadline).await, Ok(()));
    let before = Instant::now();
    assert_eq!(pace.turn(deadline).await, Err(NoTurn::TooLate));
    assert_eq!(Instant::now(), before);
}

#[tokio::test(start_paused = true)]
async fn a_vendor_who_asks_for_rest_gets_it() {
    let pace = Pace::new(Rate::of(1000));
    pace.rest(Duration::from_secs(30));
    pace.rest(Duration::from_secs(7));
    assert_eq!(
        pace.turn(far()).await,
        Err(NoTurn::Resting(Duration::from_secs(30)))
    );
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(pace.turn(far()).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_while_rest_is_asked_for_is_sent_away() {
    let pace = Pace::new(Rate::of(10));
    pace.turn(far()).await.expect("a turn");
    let (turn, ()) = tokio::join!(pace.turn(far()), async { pace.rest(MINUTE) });
    assert!(matches!(turn, Err(NoTurn::Resting(_))), "{turn:?}");
}
