//! The fake is like Windows where it matters.

use std::sync::Arc;
use std::time::Duration;

use curfew_core::fakes::MockClock;

use super::*;
use crate::platform::WtsState;

fn host() -> (FakePlatform, Arc<MockClock>) {
    let clock = Arc::new(MockClock::default());
    (FakePlatform::new("TERM04", Arc::clone(&clock) as _), clock)
}

#[test]
fn the_lowest_free_number_is_given_again_as_another_generation() {
    let (fake, _) = host();
    assert_eq!(["a", "b", "c"].map(|user| fake.log_on(user)), [1, 2, 3]);
    let before = crate::generation(&fake.session(2).expect("b"));
    assert!(fake.end(2));
    assert_eq!(fake.log_on("b"), 2);
    assert_ne!(crate::generation(&fake.session(2).expect("b again")), before);
    assert_eq!(fake.log_on("d"), 4);
}

#[test]
fn a_reconnect_is_the_same_logon() {
    let (fake, clock) = host();
    let number = fake.log_on("CORP\\alice");
    let first = fake.session(number).expect("alice");
    fake.leave(number);
    clock.advance(Duration::from_secs(60));
    fake.come_back(number);
    let again = fake.session(number).expect("alice");
    assert_eq!(crate::generation(&again), crate::generation(&first));
    assert_eq!(again.state, WtsState::Active);
    assert_ne!(again.station, first.station);
    assert!(again.connect_time > first.connect_time);
}

#[test]
fn the_services_and_the_listener_are_there_and_are_refused() {
    let (fake, _) = host();
    let numbers: Vec<u32> = fake.list().expect("a list").iter().map(|it| it.number).collect();
    assert_eq!(numbers, [0, 65_536]);
    for number in numbers {
        assert_eq!(fake.logoff(number), Err(PlatformError::from_win32(5)));
    }
    assert_eq!(fake.logoff(9), Err(PlatformError::from_win32(2)));
    assert!(fake.acts().is_empty());
}

#[test]
fn a_log_off_takes_its_time_and_a_second_one_does_not_prolong_it() {
    let (fake, clock) = host();
    fake.set_logoff_takes(Duration::from_secs(3));
    let number = fake.log_on("CORP\\alice");
    fake.logoff(number).expect("it begins");
    clock.advance(Duration::from_secs(2));
    fake.logoff(number).expect("it goes on");
    assert!(fake.get(number).expect("an answer").is_some());
    clock.advance(Duration::from_secs(1));
    assert_eq!(fake.get(number), Ok(None));
    assert_eq!(fake.acts().len(), 2);
}

#[test]
fn a_populated_host_has_what_real_ones_have() {
    let clock = Arc::new(MockClock::default());
    let fake = FakePlatform::populate("TERM04", 50, 7, clock);
    let rows = fake.sessions();
    let of = |state| {
        rows.iter()
            .filter(|it| it.state == state && it.user.is_some())
            .count()
    };
    assert_eq!(of(WtsState::Active) + of(WtsState::Disconnected), 50);
    assert!(of(WtsState::Disconnected) > 0);
    assert!(
        rows.iter()
            .any(|it| it.state == WtsState::Down && it.user.is_none())
    );
    assert!(rows.iter().any(WtsSession::is_console));
    let other = FakePlatform::populate("TERM05", 50, 7, Arc::new(MockClock::default()));
    let users = |fake: &FakePlatform| -> Vec<_> { fake.sessions().into_iter().map(|it| it.user).collect() };
    assert_ne!(
        users(&fake),
        users(&other),
        "hosts differ though the seed is the same"
    );
}
