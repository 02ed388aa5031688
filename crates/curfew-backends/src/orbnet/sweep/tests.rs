//! Sweeps on paused time, with a service that answers after a while.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::pace::Rate;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

fn fails(kind: Kind) -> BackendError {
    BackendError::new(kind, "it fails")
}

#[tokio::test(start_paused = true)]
async fn two_thousand_users_take_their_time_and_an_act_does_not_wait() {
    let pace = Pace::new(Rate::of(1000));
    let sent = Mutex::new(Vec::new());
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ask = |place: usize| {
        let (sent, now, most) = (&sent, &now, &most);
        async move {
            sent.lock().push(Instant::now());
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(300)).await;
            now.fetch_sub(1, Ordering::Relaxed);
            Ok::<_, BackendError>(place)
        }
    };
    let acts = async {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let before = Instant::now();
            pace.count();
            assert_eq!(Instant::now(), before, "an act waits for a listing");
            sent.lock().push(before);
        }
    };
    let began = Instant::now();
    let (swept, ()) = tokio::join!(sweep(2000, 0, &pace, far(), ask), acts);
    let read: Vec<usize> = swept.outcomes.into_iter().flatten().collect();
    assert_eq!(read, (0..2000).collect::<Vec<_>>());
    assert!(swept.stopped.is_none());
    // 900 a minute.
    assert!(began.elapsed() >= MINUTE * 2000 / 900, "{:?}", began.elapsed());
    assert!(began.elapsed() <= MINUTE * 2000 / 850, "{:?}", began.elapsed());
    assert!(most.into_inner() <= AT_ONCE);
    let sent = sent.into_inner();
    let busiest = sent
        .iter()
        .map(|from| {
            sent.iter()
                .filter(|at| *at >= from && **at < *from + MINUTE)
                .count()
        })
        .max();
    assert!(busiest.is_some_and(|busiest| busiest <= 1000), "{busiest:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_not_reached_in_time_comes_first_the_next_time() {
    let pace = Pace::new(Rate::of(1000));
    let ask = |place: usize| async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok::<_, BackendError>(place)
    };
    let mut first = 0;
    let mut seen = vec![0; 2000];
    for _ in 0..3 {
        let deadline = Instant::now() + MINUTE;
        let swept = sweep(2000, first, &pace, deadline, ask).await;
        assert!(Instant::now() <= deadline + Duration::from_millis(50));
        for (place, outcome) in swept.outcomes.iter().enumerate() {
            match outcome {
                Ok(_) => seen[place] += 1,
                Err(error) => assert_eq!(error.kind, Kind::TimedOut),
            }
        }
        assert_eq!(swept.stopped.map(|stop| stop.kind), Some(Kind::TimedOut));
        first = swept.next;
    }
    assert!(seen.iter().all(|times| (1..=2).contains(times)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_is_not_asked_for_every_user() {
    let pace = Pace::new(Rate::of(1000));
    for (kind, most) in [
        (Kind::Credentials, AT_ONCE),
        (Kind::RateLimited { retry_after: None }, AT_ONCE),
        (Kind::Unavailable, GIVE_UP_AFTER + AT_ONCE),
        (Kind::TimedOut, GIVE_UP_AFTER + AT_ONCE),
        (Kind::Denied, 200),
        (Kind::Protocol, 200),
    ] {
        let asked = AtomicUsize::new(0);
        let ask = |_: usize| {
            asked.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Err::<(), _>(fails(kind))
            }
        };
        let swept = sweep(200, 0, &pace, far(), ask).await;
        assert_eq!(swept.outcomes.len(), 200);
        assert!(
            swept
                .outcomes
                .iter()
                .all(|outcome| outcome.as_ref().is_err_and(|error| error.kind == kind))
        );
        let asked = asked.into_inner();
        assert!(asked <= most, "{kind:?}: {asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn single_failures_stop_nothing() {
    let pace = Pace::new(Rate::of(1000));
    let ask = |place: usize| async move {
        match place % 3 {
            0 => Err(fails(Kind::Unavailable)),
            _ => Ok(place),
        }
    };
    let swept = sweep(300, 299, &pace, far(), ask).await;
    assert!(swept.stopped.is_none());
    assert_eq!(
        swept.outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        200
    );
}
