//! Rows as Windows gives them, odd ones above all.

use chrono::DateTime;

use super::*;

const AT: &str = "2026-01-16T14:40:00.1234567Z";

fn ticks(text: &str) -> i64 {
    crate::platform::filetime(DateTime::parse_from_rfc3339(text).expect("an instant").to_utc())
}

fn row() -> WtsSession {
    WtsSession {
        user: Some("alice".to_owned()),
        sid: Some("S-1-5-21-1-2-3-1104".to_owned()),
        logon_time: ticks(AT),
        current_time: ticks("2026-01-16T15:40:00Z"),
        protocol: Some(2),
        ..WtsSession::new(12, WtsState::Active)
    }
}

fn mapped(row: &WtsSession) -> HostSession {
    on_the_wire(row, &Policy::default())
}

#[test]
fn filetime_keeps_its_ticks_and_1601_is_no_instant() {
    let at = from_filetime(ticks(AT)).expect("an instant");
    assert_eq!(at, DateTime::parse_from_rfc3339(AT).expect("an instant"));
    // 1970-01-01 (Microsoft, "Converting a time_t value to a file time").
    assert_eq!(from_filetime(116_444_736_000_000_000), Some(DateTime::UNIX_EPOCH));
    for nothing in [0, -1, i64::MIN] {
        assert_eq!(from_filetime(nothing), None);
    }
    // No instant, or one; but no panic.
    let _ = from_filetime(i64::MAX);
}

#[test]
fn only_rows_of_users_are_sessions() {
    let is = |change: fn(&mut WtsSession)| {
        let mut row = row();
        change(&mut row);
        is_of_a_user(&row)
    };
    assert!(is(|_| {}));
    assert!(is(|it| it.number = 1));
    assert!(is(|it| it.number = 65_535));
    for state in [0, 1, 2, 3, 4, 7, 8, 99] {
        let row = WtsSession {
            state: WtsState::from(state),
            ..row()
        };
        assert!(is_of_a_user(&row), "{state}");
    }
    for state in [5, 6, 9] {
        let row = WtsSession {
            state: WtsState::from(state),
            ..row()
        };
        assert!(!is_of_a_user(&row), "{state}");
    }
    assert!(!is(|it| it.number = 0));
    assert!(!is(|it| it.number = 65_536));
    assert!(!is(|it| it.user = None));
    assert!(!is(|it| it.user = Some(String::new())));
}

#[test]
fn empty_texts_are_absent() {
    let session = mapped(&WtsSession {
        station: Some(String::new()),
        domain: Some(String::new()),
        sid: Some(String::new()),
        client_name: Some(String::new()),
        client_address: Some(String::new()),
        upn: Some(String::new()),
        ..row()
    });
    assert_eq!((session.name, session.domain, session.sid), (None, None, None));
    assert_eq!(
        (session.client_name, session.client_address, session.upn),
        (None, None, None)
    );
}

#[test]
fn the_generation_is_number_logon_and_sid_and_nothing_else() {
    let session = row();
    let same = WtsSession {
        state: WtsState::Disconnected,
        connect_time: 5,
        disconnect_time: 6,
        last_input_time: 7,
        current_time: 8,
        client_address: Some("10.0.0.1".to_owned()),
        station: None,
        protocol: None,
        user: Some("renamed".to_owned()),
        ..session.clone()
    };
    assert_eq!(generation(&session), generation(&same));
    let expected = Generation::of(&[
        Some("12"),
        Some(&ticks(AT).to_string()),
        Some("S-1-5-21-1-2-3-1104"),
    ]);
    assert_eq!(generation(&session), expected);
    for change in [
        (|it| it.number = 13) as fn(&mut WtsSession),
        |it| it.logon_time += 1,
        |it| it.logon_time = 0,
        |it| it.sid = None,
        |it| it.sid = Some("S-1-5-21-1-2-3-1105".to_owned()),
    ] {
        let mut other = session.clone();
        change(&mut other);
        assert_ne!(generation(&other), generation(&session));
    }
    let [missing, empty] = [None, Some(String::new())].map(|sid| generation(&WtsSession { sid, ..row() }));
    assert_eq!(missing, empty, "Windows says both when it does not know");
}

#[test]
fn idle_seconds_need_two_instants_of_one_reading() {
    let idle = |last_input: i64, change: fn(&mut WtsSession)| {
        let mut row = WtsSession {
            last_input_time: last_input,
            ..row()
        };
        change(&mut row);
        mapped(&row).idle_seconds
    };
    let input = ticks("2026-01-16T15:30:00Z");
    assert_eq!(idle(input, |_| {}), Some(600));
    assert_eq!(idle(0, |_| {}), None, "never 425 years");
    assert_eq!(idle(input, |it| it.current_time = 0), None);
    assert_eq!(
        idle(ticks("2026-01-16T15:41:00Z"), |_| {}),
        Some(0),
        "never negative"
    );
    let left = |it: &mut WtsSession| {
        it.state = WtsState::Disconnected;
        it.disconnect_time = ticks("2026-01-16T15:39:30Z");
    };
    assert_eq!(idle(0, left), Some(30));
    assert_eq!(idle(input, left), Some(600));
    assert_eq!(idle(0, |it| it.state = WtsState::Disconnected), None);
    let console = |it: &mut WtsSession| it.protocol = Some(0);
    assert_eq!(idle(0, console), None);
    assert_eq!(idle(ticks("2026-01-16T15:40:00Z"), console), None);
    assert_eq!(idle(input, console), Some(600));
}

#[test]
fn the_time_of_a_disconnect_is_told_while_it_lasts() {
    let mut session = row();
    session.disconnect_time = ticks(AT);
    assert_eq!(mapped(&session).disconnected_at, None);
    session.state = WtsState::Disconnected;
    assert_eq!(mapped(&session).disconnected_at, from_filetime(ticks(AT)));
}

#[test]
fn protocols_that_say_nothing_are_unknown() {
    let of = |protocol, state| {
        mapped(&WtsSession {
            protocol,
            state,
            ..row()
        })
        .protocol
    };
    assert_eq!(of(Some(0), WtsState::Active), SessionProtocol::Console);
    assert_eq!(of(Some(1), WtsState::Active), SessionProtocol::Ica);
    assert_eq!(of(Some(2), WtsState::Active), SessionProtocol::Rdp);
    assert_eq!(of(Some(3), WtsState::Active), SessionProtocol::Unknown);
    assert_eq!(of(None, WtsState::Active), SessionProtocol::Unknown);
    assert_eq!(of(Some(0), WtsState::Disconnected), SessionProtocol::Unknown);
}

#[test]
fn a_number_that_comes_twice_is_listed_once_and_in_order() {
    let numbers = [7, 3, 7].map(|number| WtsSession { number, ..row() });
    let listed = of_users(numbers.into(), &Policy::default());
    let numbers: Vec<u32> = listed.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [3, 7]);
}
