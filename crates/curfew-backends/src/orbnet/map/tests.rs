//! The mapping, on rows as the vendor's page shows them and on what gateways are known to put there.

use curfew_core::PartName;
use serde_json::value::RawValue;

use super::*;

fn noon() -> Timestamp {
    date("2026-01-16T12:00:00Z").expect("a date")
}

fn user() -> User {
    User {
        id: 12345,
        name: PartName::new("anna"),
    }
}

fn found(rows: &str) -> Option<Vec<Found>> {
    let data: Box<RawValue> =
        serde_json::from_str(&format!(r#"{{"getOnlineSessions":[{rows}]}}"#)).expect("JSON");
    let rows = wire::rows(&data)?;
    let backend = BackendId::parse("orb").expect("an id");
    sessions(&rows, &backend, &user(), noon())
}

fn one(members: &str) -> Session {
    let mut all = found(&format!(r#"{{"sessionId":"sess_live_abc123",{members}}}"#)).expect("it reads");
    all.swap_remove(0).session
}

#[test]
fn the_vendors_own_row() {
    let all = found(
        r#"{"id":"active_001","sessionId":"sess_live_abc123","nasIpAddress":"10.0.1.1","nasPortId":"port_443",
            "nasPortType":"Virtual","startTime":"2024-01-20T14:30:00Z","connectInfoStart":"WireGuard",
            "callingStationId":"00:1B:44:11:3A:B7","framedIpAddress":"10.8.0.2"}"#,
    )
    .expect("it reads");
    assert_eq!(
        (all[0].row_id.as_deref(), &*all[0].session_id),
        (Some("active_001"), "sess_live_abc123")
    );
    insta::assert_json_snapshot!(all[0].session);
}

#[test]
fn a_row_with_nothing_but_its_id() {
    insta::assert_json_snapshot!(found(r#"{"sessionId":"a/b c@d"}"#).expect("it reads")[0].session);
}

#[test]
fn what_is_no_usable_row_spoils_the_reading() {
    let long = format!(r#"{{"sessionId":"{}"}}"#, "x".repeat(600));
    for rows in [
        "null",
        "7",
        "\"sess\"",
        "[]",
        "[\"a\",\"b\"]",
        "{}",
        r#"{"sessionId":null}"#,
        r#"{"sessionId":""}"#,
        r#"{"sessionId":" "}"#,
        r#"{"sessionId":7}"#,
        r#"{"id":"active_001"}"#,
        &long,
    ] {
        assert_eq!(found(rows), None, "{rows}");
        assert_eq!(
            found(&format!(r#"{{"sessionId":"good"}},{rows}"#)),
            None,
            "{rows}"
        );
    }
    assert_eq!(found(""), Some(vec![]));
}

#[test]
fn user_session_and_start_as_they_are_given_make_the_generation() {
    let id = |start: &str| one(&format!(r#""startTime":{start}"#)).id.to_string();
    let said = [
        id(r#""2024-01-20T14:30:00Z""#),
        id(r#""2024-01-20T14:30:00.000Z""#),
        id(r#""yesterday""#),
        id("1705761000"),
        id("null"),
        id(r#""""#),
    ];
    insta::assert_snapshot!(said.join("\n"));
    // Nothing else does.
    let other = one(r#""startTime":"2024-01-20T14:30:00Z","id":"active_9","framedIpAddress":"10.8.0.9""#);
    assert_eq!(other.id.to_string(), said[0]);
}

#[test]
fn a_start_that_is_no_date_is_unknown() {
    let start = |text: &str| {
        let session = one(&format!(r#""startTime":{text}"#));
        session
            .started_at
            .map_or("unknown".to_owned(), |at| at.to_rfc3339())
    };
    let said = [
        start(r#""2024-01-20T14:30:00Z""#),
        start(r#""2024-01-20T16:30:00.1234567+02:00""#),
        start(r#""2024-01-20 14:30:00""#),
        start(r#""1705761000""#),
        start("1705761000"),
        start("[]"),
        start("null"),
    ];
    insta::assert_snapshot!(said.join(" "), @"2024-01-20T14:30:00+00:00 2024-01-20T14:30:00.123456+00:00 unknown unknown unknown unknown unknown");
}

#[test]
fn protocols_are_told_by_a_word() {
    let protocol = |text: &str| one(&format!(r#""connectInfoStart":{text}"#)).protocol.to_string();
    let said: Vec<String> = [
        r#""WireGuard""#,
        r#""wireguard 1.0""#,
        r#""OpenConnect""#,
        r#""Cisco AnyConnect""#,
        r#""OPENVPN""#,
        r#""IKEv2""#,
        r#""IPsec""#,
        r#""L2TP""#,
        r#""  ""#,
        "7",
        "null",
    ]
    .into_iter()
    .map(|text| format!("{text} {}", protocol(text)))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    "WireGuard" WIREGUARD
    "wireguard 1.0" WIREGUARD
    "OpenConnect" ANYCONNECT
    "Cisco AnyConnect" ANYCONNECT
    "OPENVPN" OPENVPN
    "IKEv2" IKEV2
    "IPsec" IKEV2
    "L2TP" OTHER
    "  " UNKNOWN
    7 UNKNOWN
    null UNKNOWN
    "#);
}

#[test]
fn a_station_is_an_address_or_a_device() {
    let client = |text: &str| {
        let client = one(&format!(r#""callingStationId":"{text}""#)).client;
        (
            client.address.unwrap_or_default(),
            client.name.unwrap_or_default(),
        )
    };
    let pair = |address: &str, name: &str| (address.to_owned(), name.to_owned());
    assert_eq!(client("00:1B:44:11:3A:B7"), pair("", "00:1B:44:11:3A:B7"));
    assert_eq!(client("198.51.100.7"), pair("198.51.100.7", ""));
    assert_eq!(client(" 198.51.100.7:51820 "), pair("198.51.100.7", ""));
    assert_eq!(client("[2001:db8::7]:500"), pair("2001:db8::7", ""));
    assert_eq!(client("2001:db8::7"), pair("2001:db8::7", ""));
    assert_eq!(client("annas-phone"), pair("", "annas-phone"));
    assert_eq!(client(""), pair("", ""));
}

#[test]
fn texts_are_cut_and_not_in_the_middle_of_a_character() {
    let long = "ä".repeat(2000);
    let session = one(&format!(r#""nasIpAddress":"x{long}""#));
    assert_eq!(session.machine.address.map(|text| text.len()), Some(511));
}

#[test]
fn a_native_id_has_one_spelling() {
    assert_eq!(native("12345/sess_1"), Some((12345, "sess_1")));
    assert_eq!(native("1/a/b"), Some((1, "a/b")));
    for text in [
        "",
        "/",
        "1/",
        "/a",
        "01/a",
        "+1/a",
        " 1/a",
        "1",
        "x/a",
        "2147483648/a",
    ] {
        assert_eq!(native(text), None, "{text}");
    }
}

#[test]
fn rows_that_could_be_hit_for_each_other_are_told() {
    let row = |id: &str, session_id: &str, start: &str| {
        format!(r#"{{"id":{id},"sessionId":"{session_id}","startTime":{start}}}"#)
    };
    let verdict = |rows: [String; 2]| {
        let all = found(&rows.join(",")).expect("it reads");
        assert_eq!(all.len(), 2, "every row is kept");
        let [by_session, by_id] = [DisconnectBy::SessionId, DisconnectBy::Id].map(|by| {
            let [one, other] = [0, 1].map(|place| shared(&all[place], &all, by));
            assert_eq!(one, other);
            one
        });
        (by_session, by_id, shown(all).len())
    };
    let (a, b) = (r#""active_1""#, r#""active_2""#);
    let (old, new) = (r#""2024-01-20T14:30:00Z""#, r#""2024-01-20T15:30:00Z""#);
    for (rows, expected) in [
        ([row(a, "s", old), row(b, "t", old)], (false, false, 2)),
        ([row(a, "s", old), row(b, "s", new)], (true, false, 1)),
        ([row(a, "s", old), row(b, "s", old)], (true, true, 1)),
        ([row(a, "s", "null"), row(b, "s", "null")], (true, true, 1)),
        ([row(a, "s", "null"), row("null", "s", "null")], (true, true, 1)),
        ([row(a, "s", old), row(a, "t", new)], (false, true, 2)),
        ([row("null", "s", old), row("null", "t", new)], (false, false, 2)),
        // One row, twice.
        ([row(a, "s", old), row(a, "s", old)], (false, false, 1)),
    ] {
        assert_eq!(verdict(rows.clone()), expected, "{rows:?}");
    }
}
