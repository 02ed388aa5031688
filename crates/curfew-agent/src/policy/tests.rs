//! Whom an entry of `protected_users` means.

use super::*;
use crate::platform::WtsState;

fn session(domain: Option<&str>, user: &str) -> WtsSession {
    WtsSession {
        user: Some(user.to_owned()),
        domain: domain.map(str::to_owned),
        sid: Some("S-1-5-21-1-2-3-1104".to_owned()),
        upn: Some(format!("{user}@corp.example")),
        logon_time: 1,
        ..WtsSession::new(2, WtsState::Active)
    }
}

fn protects(entry: &str, session: &WtsSession) -> bool {
    let policy = Policy {
        protected_users: vec![entry.to_owned()],
        ..Policy::default()
    };
    policy.refuses_every_act(session) == Some(Refusal::ProtectedUser)
}

#[test]
fn an_entry_means_a_user_whatever_its_form_and_case() {
    let session = session(Some("CORP"), "Örjan");
    for entry in [
        "CORP\\örjan",
        "corp\\ÖRJAN",
        "örjan",
        "ÖRJAN@corp.EXAMPLE",
        "s-1-5-21-1-2-3-1104",
    ] {
        assert!(protects(entry, &session), "{entry}");
    }
    for entry in [
        "PARTNER\\örjan",
        "CORP\\anna",
        "anna",
        "corp",
        "S-1-5-21-1-2-3-110",
        "örjan@partner.example",
    ] {
        assert!(!protects(entry, &session), "{entry}");
    }
}

#[test]
fn a_bare_name_is_meant_in_every_domain() {
    assert!(protects("bob", &session(Some("CORP"), "bob")));
    assert!(protects("bob", &session(Some("PARTNER"), "bob")));
    assert!(protects("bob", &session(None, "bob")));
}

#[test]
fn a_domain_that_is_not_known_may_be_the_one_that_is_meant() {
    assert!(protects("CORP\\bob", &session(None, "bob")));
    assert!(!protects("CORP\\bob", &session(None, "anna")));
}

#[test]
fn what_windows_leaves_empty_is_not_known() {
    for empty in [None, Some(String::new())] {
        let mut session = session(Some("CORP"), "bob");
        session.domain.clone_from(&empty);
        assert!(protects("CORP\\bob", &session));
        assert!(!protects("CORP\\anna", &session));
        session.sid = empty;
        assert!(protects("S-1-5-21-9-9-9-500", &session), "it may be that one");
        assert!(!protects("anna", &session));
    }
}

#[test]
fn names_are_compared_in_capitals_as_windows_does() {
    let session = session(Some("CORP"), "ΣΊΣΥΦΟΣ");
    assert!(protects("CORP\\σίσυφος", &session));
    assert!(protects("CORP\\σίσυφοσ", &session));
}

#[test]
fn a_dot_is_the_netbios_name_of_the_host() {
    let of = |host: &str| {
        let policy = Policy {
            protected_users: vec![".\\bob".to_owned(), "CORP\\anna".to_owned()],
            ..Policy::default()
        };
        policy.on(host).protected_users
    };
    assert_eq!(of("TERM04"), ["TERM04\\bob", "CORP\\anna"]);
    assert_eq!(of("TERMINALSERVER-04"), ["TERMINALSERVER-\\bob", "CORP\\anna"]);
}

#[test]
fn a_disconnected_session_is_not_the_console_for_having_no_protocol() {
    let mut session = session(Some("CORP"), "bob");
    session.protocol = Some(0);
    assert_eq!(
        Policy::default().refuses_every_act(&session),
        Some(Refusal::Console)
    );
    session.state = WtsState::Disconnected;
    assert_eq!(Policy::default().refuses_every_act(&session), None);
    session.station = Some("Console".to_owned());
    assert_eq!(
        Policy::default().refuses_every_act(&session),
        Some(Refusal::Console)
    );
}
