//! Which sessions a filter finds.

use curfew_core::{
    SessionApplication, SessionClient, SessionKind, SessionMachine, SessionProtocol, SessionUser,
    fakes::store_contract::sample::at,
};

use super::*;

/// Five sessions that differ in everything.
fn rows() -> Vec<Session> {
    let full = Session {
        user: SessionUser {
            name: "Anna".to_owned(),
            domain: Some("CORP".to_owned()),
            upn: Some("anna@corp.example".to_owned()),
            sid: None,
            display_name: Some("Anna Müller".to_owned()),
        },
        machine: SessionMachine {
            name: Some("TERM04".to_owned()),
            dns_name: Some("term04.corp.example".to_owned()),
            address: Some("10.0.0.4".to_owned()),
        },
        client: SessionClient {
            name: Some("LAPTOP-7".to_owned()),
            address: Some("192.0.2.7".to_owned()),
            ..SessionClient::default()
        },
        applications: vec![SessionApplication {
            id: None,
            name: "Notepad".to_owned(),
        }],
        started_at: Some(at(100)),
        idle_seconds: Some(600),
        ..session("site-a", "1", "x", 1)
    };
    let named = |native: &str, name: &str, domain: Option<&str>, upn: Option<&str>| Session {
        user: SessionUser {
            name: name.to_owned(),
            domain: domain.map(str::to_owned),
            upn: upn.map(str::to_owned),
            ..SessionUser::default()
        },
        machine: SessionMachine::default(),
        ..session("site-a", native, "x", 1)
    };
    vec![
        full,
        Session {
            state: SessionState::Disconnected,
            started_at: Some(at(200)),
            idle_seconds: Some(60),
            client: SessionClient {
                address: Some("2001:db8::7".to_owned()),
                ..SessionClient::default()
            },
            ..named("2", "annabel", Some("CORP"), None)
        },
        Session {
            kind: SessionKind::Application,
            protocol: SessionProtocol::Rdp,
            ..named("3", "ANNA", Some("LAB"), Some("anna@lab.example"))
        },
        Session {
            client: SessionClient {
                address: Some("not an address".to_owned()),
                ..SessionClient::default()
            },
            ..named("4", "ärmel", None, None)
        },
    ]
}

/// The numbers of the sessions that `filter` finds; also by page and by count.
async fn found(filter: SessionFilter) -> Vec<String> {
    let fixture = Fixture::new();
    fixture.site.remove(&anna().id);
    rows().into_iter().for_each(|row| fixture.site.put(row));
    fixture.other.remove(&session("site-b", "7", "bert", 1).id);
    fixture.start();
    let query = ListQuery {
        filter,
        ..everything()
    };
    let page = fixture.page(&query).await;
    assert_eq!(page.total, Some(page.rows.len()), "the count agrees");
    let mut found: Vec<_> = page
        .rows
        .iter()
        .map(|row| row.session.id.native().into_owned())
        .collect();
    found.sort();
    found
}

async fn check(filter: SessionFilter, wanted: &[&str]) {
    assert_eq!(found(filter.clone()).await, wanted, "{filter:?}");
}

fn none() -> SessionFilter {
    SessionFilter::default()
}

#[tokio::test(start_paused = true)]
async fn no_filter_finds_all() {
    check(none(), &["1", "2", "3", "4"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_user_is_found_by_name_account_or_upn_and_never_by_a_part_of_it() {
    for (user, wanted) in [
        ("anna", &["1", "3"] as &[_]),
        ("ANNA", &["1", "3"]),
        ("corp\\Anna", &["1"]),
        ("LAB\\anna", &["3"]),
        ("Anna@Corp.Example", &["1"]),
        ("ann", &[]),
        ("nna", &[]),
        ("anna@", &[]),
        ("CORP\\", &[]),
        ("corp", &[]),
        ("Anna Müller", &[]),
        ("ÄRMEL", &["4"]),
        ("", &[]),
    ] {
        let user = Some(user.to_owned());
        check(SessionFilter { user, ..none() }, wanted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_found_by_what_they_are() {
    let states = Some(vec![SessionState::Disconnected, SessionState::LoggingOff]);
    check(SessionFilter { states, ..none() }, &["2"]).await;
    let kinds = Some(vec![SessionKind::Application]);
    check(SessionFilter { kinds, ..none() }, &["3"]).await;
    let protocols = Some(vec![SessionProtocol::Rdp, SessionProtocol::Console]);
    check(SessionFilter { protocols, ..none() }, &["3"]).await;
    let states = Some(vec![]);
    check(SessionFilter { states, ..none() }, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn sessions_are_found_by_backend() {
    let site_b = session("site-b", "7", "bert", 1).id.backend();
    let backend_ids = Some(vec![site_b.clone(), anna().id.backend()]);
    check(
        SessionFilter {
            backend_ids,
            ..none()
        },
        &["1", "2", "3", "4"],
    )
    .await;
    let backend_ids = Some(vec![site_b]);
    check(
        SessionFilter {
            backend_ids,
            ..none()
        },
        &[],
    )
    .await;
    let backend_kinds = Some(vec![BackendKind::Citrix]);
    check(
        SessionFilter {
            backend_kinds,
            ..none()
        },
        &["1", "2", "3", "4"],
    )
    .await;
    let backend_kinds = Some(vec![]);
    check(
        SessionFilter {
            backend_kinds,
            ..none()
        },
        &[],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_found_by_its_short_or_full_name() {
    for (machine, wanted) in [
        ("term04", &["1"] as &[_]),
        ("Term04.Corp.Example", &["1"]),
        ("term0", &[]),
        ("10.0.0.4", &[]),
    ] {
        let machine = Some(machine.to_owned());
        check(SessionFilter { machine, ..none() }, wanted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_found_by_address_or_network() {
    for (net, wanted) in [
        ("192.0.2.7/32", &["1"] as &[_]),
        ("192.0.2.0/24", &["1"]),
        ("192.0.3.0/24", &[]),
        ("2001:db8::/32", &["2"]),
        ("0.0.0.0/0", &["1"]),
    ] {
        let client_address = Some(net.parse().expect("a network"));
        check(
            SessionFilter {
                client_address,
                ..none()
            },
            wanted,
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_found_by_application() {
    for (application, wanted) in [("NOTEPAD", &["1"] as &[_]), ("note", &[])] {
        let application = Some(application.to_owned());
        check(
            SessionFilter {
                application,
                ..none()
            },
            wanted,
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_are_found_by_time() {
    let started_before = Some(at(200));
    check(
        SessionFilter {
            started_before,
            ..none()
        },
        &["1"],
    )
    .await;
    let started_after = Some(at(100));
    check(
        SessionFilter {
            started_after,
            ..none()
        },
        &["2"],
    )
    .await;
    let idle_longer_than_seconds = Some(60);
    check(
        SessionFilter {
            idle_longer_than_seconds,
            ..none()
        },
        &["1"],
    )
    .await;
    let idle_longer_than_seconds = Some(59);
    check(
        SessionFilter {
            idle_longer_than_seconds,
            ..none()
        },
        &["1", "2"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_search_finds_words_anywhere() {
    for (search, wanted) in [
        ("nna", &["1", "2", "3"] as &[_]),
        ("müller", &["1"]),
        ("corp\\anna", &["1", "2"]),
        ("laptop term", &["1"]),
        ("notepad 192.0.2", &["1"]),
        ("anna nowhere", &[]),
        ("  ", &["1", "2", "3", "4"]),
    ] {
        let search = Some(search.to_owned());
        check(SessionFilter { search, ..none() }, wanted).await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_field_must_match() {
    let filter = SessionFilter {
        user: Some("anna".to_owned()),
        kinds: Some(vec![SessionKind::Application]),
        ..none()
    };
    check(filter.clone(), &["3"]).await;
    let states = Some(vec![SessionState::Disconnected]);
    check(SessionFilter { states, ..filter }, &[]).await;
}
