//! The mapping, on a full answer and on what may be missing from it.

use chrono::TimeZone as _;
use serde_json::{Value, json};

use super::*;

fn mapped(row: Value) -> Result<Session, RowError> {
    let row = serde_json::from_value(row).expect("it reads");
    let frame = Frame {
        backend: &BackendId::parse("rds").expect("an id"),
        part: &PartName::new("TERM04"),
        dns_name: Some("term04.corp.example"),
        ahead: TimeDelta::zero(),
        observed_at: Utc.with_ymd_and_hms(2026, 1, 16, 14, 40, 0).unwrap(),
    };
    session(row, frame)
}

fn full() -> Value {
    json!({
        "number": 12,
        "generation": "9c1e52aa7b0d4f13",
        "name": "RDP-Tcp#3",
        "state": "ACTIVE",
        "protocol": "RDP",
        "user": "alice",
        "domain": "CORP",
        "upn": "alice@corp.example",
        "sid": "S-1-5-21-1-2-3-1105",
        "loggedOnAt": "2026-01-16T08:00:00.1234567Z",
        "connectedAt": "2026-01-16T09:00:00Z",
        "disconnectedAt": "2026-01-16T08:59:00Z",
        "idleSeconds": 17,
        "clientName": "PC-0815",
        "clientAddress": "192.168.1.7",
        "bytesReceived": 1000,
        "bytesSent": 90000,
        "protected": true,
        "ofALaterVersion": { "x": 1 },
    })
}

fn with(changes: &Value) -> Session {
    let mut row = full();
    for (key, value) in changes.as_object().into_iter().flatten() {
        row[key] = value.clone();
    }
    mapped(row).expect("a session")
}

#[test]
fn a_full_answer() {
    insta::assert_json_snapshot!(mapped(full()).expect("a session"));
}

#[test]
fn the_least_answer() {
    let least = json!({
        "number": 65535, "generation": "0000000000000000", "state": "HIBERNATING", "protocol": "VNC", "user": "",
    });
    insta::assert_json_snapshot!(mapped(least).expect("a session"));
}

#[test]
fn every_state_with_when_it_began() {
    let said: Vec<String> = [
        "ACTIVE",
        "SHADOW",
        "CONNECTED",
        "CONNECT_QUERY",
        "DISCONNECTED",
        "RESET",
        "DOWN",
        "NEW",
    ]
    .iter()
    .map(|state| {
        let known = with(&json!({ "state": state }));
        let new = with(&json!({ "state": state, "loggedOnAt": null }));
        let at = known.state_changed_at.map(|at| at.format("%H:%M").to_string());
        format!(
            "{state}: {} {}, nobody logged on: {}",
            known.state,
            at.unwrap_or_default(),
            new.state
        )
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    ACTIVE: ACTIVE 09:00, nobody logged on: ACTIVE
    SHADOW: ACTIVE 09:00, nobody logged on: ACTIVE
    CONNECTED: CONNECTED 09:00, nobody logged on: LOGGING_ON
    CONNECT_QUERY: CONNECTED 09:00, nobody logged on: LOGGING_ON
    DISCONNECTED: DISCONNECTED 08:59, nobody logged on: DISCONNECTED
    RESET: LOGGING_OFF , nobody logged on: LOGGING_OFF
    DOWN: LOGGING_OFF , nobody logged on: LOGGING_OFF
    NEW: UNKNOWN , nobody logged on: UNKNOWN
    ");
}

#[test]
fn every_protocol_with_the_kind_of_session() {
    let said: Vec<String> = ["CONSOLE", "ICA", "RDP", "NEW"]
        .iter()
        .map(|protocol| {
            let active = with(&json!({ "protocol": protocol }));
            let left = with(&json!({ "protocol": protocol, "state": "DISCONNECTED" }));
            format!(
                "{protocol}: {} {} / left: {} {}",
                active.kind, active.protocol, left.kind, left.protocol
            )
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    CONSOLE: CONSOLE CONSOLE / left: DESKTOP UNKNOWN
    ICA: DESKTOP HDX / left: DESKTOP HDX
    RDP: DESKTOP RDP / left: DESKTOP RDP
    NEW: DESKTOP UNKNOWN / left: DESKTOP UNKNOWN
    ");
}

#[test]
fn an_id_is_host_number_and_generation_and_nothing_else() {
    let one = with(&json!({}));
    let other =
        with(&json!({ "state": "DISCONNECTED", "name": null, "clientAddress": "10.0.0.9", "user": "bob" }));
    assert_eq!(one.id, other.id);
    assert_eq!(one.id.as_str(), "rds:TERM04/12@9c1e52aa7b0d4f13");
    assert_eq!(parse_native(&one.id.native()), Some(("TERM04", 12)));
}

#[test]
fn what_is_no_session_of_a_user_is_none_of_ours() {
    for number in [0, 65_536, u32::MAX - 1, u32::MAX] {
        let mut row = full();
        row["number"] = number.into();
        assert_eq!(mapped(row), Err(RowError::Number(number)));
    }
    for generation in ["", "9C1E52AA7B0D4F13", "9c1e52aa7b0d4f1", "9c1e52aa7b0d4f130"] {
        let mut row = full();
        row["generation"] = generation.into();
        assert_eq!(mapped(row), Err(RowError::Generation(12)), "{generation}");
    }
}

#[test]
fn texts_are_cut_and_not_in_the_middle_of_a_character() {
    let long = format!("x{}", "ä".repeat(2000));
    let session = with(&json!({ "clientName": long, "user": long, "domain": "" }));
    assert_eq!(session.client.name.map(|name| name.len()), Some(511));
    assert_eq!(session.user.name.len(), 511);
    assert_eq!(session.user.domain, None);
}

#[test]
fn a_name_is_the_hosts_own_by_its_first_label() {
    for (said, own) in [
        ("term04.corp.example", true),
        ("TERM04", true),
        ("Term04.", true),
        ("term05.corp.example", false),
        ("term04x.corp.example", false),
        ("corp.term04", false),
        ("", false),
        (".term04", false),
    ] {
        assert_eq!(own_dns_name("TERM04", said), own.then_some(said), "{said}");
    }
}

#[test]
fn an_instant_that_cannot_be_ours_is_unknown() {
    let frame = Frame {
        backend: &BackendId::parse("rds").expect("an id"),
        part: &PartName::new("TERM04"),
        dns_name: None,
        ahead: TimeDelta::MAX,
        observed_at: Utc.with_ymd_and_hms(2026, 1, 16, 14, 40, 0).unwrap(),
    };
    let row = serde_json::from_value(full()).expect("it reads");
    let session = session(row, frame).expect("a session");
    assert_eq!((session.started_at, session.state_changed_at), (None, None));
}
