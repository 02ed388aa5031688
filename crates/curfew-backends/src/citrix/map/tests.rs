//! The mapping, on the vendor's own answer and on what else it documents.

use chrono::TimeZone as _;

use super::*;

/// The answer to `$disconnect` on the vendor's documentation page, as captured.
const CAPTURED: &[u8] = include_bytes!("../fixtures/disconnect_answer.json");

fn frame(zone_less: Option<ZoneLessDates>) -> Frame {
    Frame {
        backend: BackendId::parse("citrix-eu").expect("an id"),
        part: PartName::new("site"),
        zone_less,
    }
}

fn noon() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 1, 16, 12, 0, 0).unwrap()
}

fn captured(zone_less: Option<ZoneLessDates>) -> Session {
    let page: wire::Page<'_> = wire::decode(CAPTURED).expect("it reads");
    assert_eq!((page.items.len(), page.continuation_token.get()), (1, None));
    let row: wire::Session<'_> = serde_json::from_str(page.items[0].get()).expect("it reads");
    session(&row, &frame(zone_less), noon()).expect("it has an id")
}

fn mapped(json: &str) -> Session {
    let row: wire::Session<'_> = wire::decode(json.as_bytes()).expect("it reads");
    session(&row, &frame(None), noon()).expect("it has an id")
}

fn with(members: &str) -> Session {
    mapped(&format!(
        r#"{{"Id":"41ba32e9-d12b-485c-afd2-c4d0d047cd8b",{members}}}"#
    ))
}

#[test]
fn the_vendors_own_answer() {
    insta::assert_json_snapshot!(captured(None));
}

#[test]
fn the_vendors_own_answer_of_a_site_in_utc() {
    let session = captured(Some(ZoneLessDates::Utc));
    assert_eq!(
        session.started_at,
        Utc.with_ymd_and_hms(2020, 11, 16, 14, 1, 4).single()
    );
    assert_eq!(
        session.state_changed_at,
        Utc.with_ymd_and_hms(2020, 11, 16, 14, 2, 49).single()
    );
}

#[test]
fn an_id_is_the_guid_in_lower_case_and_nothing_else() {
    let one = mapped(r#"{"Id":"41BA32E9-D12B-485C-AFD2-C4D0D047CD8B","State":"Active","StartTime":"x"}"#);
    let other = mapped(r#"{"Id":"41ba32e9-d12b-485c-afd2-c4d0d047cd8b","Uid":9,"Client":{"Name":"PC"}}"#);
    assert_eq!(one.id, other.id);
    assert_eq!(
        one.id.to_string(),
        "citrix-eu:41ba32e9-d12b-485c-afd2-c4d0d047cd8b@982927683b34be22"
    );
}

#[test]
fn what_is_under_way_goes_before_the_state() {
    let state = |members: &str| with(members).state.to_string();
    let said = [
        state(r#""State":"Active","LogoffInProgress":true,"LogonInProgress":true"#),
        state(r#""State":"Connected","LogonInProgress":true"#),
        state(r#""State":"Active""#),
        state(r#""State":"Connected""#),
        state(r#""State":"Disconnected""#),
        state(r#""State":"Unknown""#),
        state(r#""State":"PreparingNewSession""#),
        state(r#""State":null,"User":{"State":"Active"}"#),
    ];
    insta::assert_snapshot!(said.join(" "), @"LOGGING_OFF LOGGING_ON ACTIVE CONNECTED DISCONNECTED UNKNOWN UNKNOWN UNKNOWN");
}

#[test]
fn the_most_trustworthy_name_wins() {
    let name = |members: &str| {
        let user = with(members).user;
        format!("{}|{}", user.domain.unwrap_or_default(), user.name)
    };
    let said = [
        name(r#""User":{"Name":"A\\u1"},"Brokering":{"UserName":"A\\u2"},"UntrustedUserName":"A\\u3""#),
        name(r#""User":{"Name":null},"Brokering":{"UserName":"A\\u2"},"UntrustedUserName":"A\\u3""#),
        name(r#""User":null,"Brokering":{"UserName":" "},"UntrustedUserName":"A\\u3""#),
        name(r#""User":{"Name":"u4@corp.example"}"#),
        name(r#""User":{"Name":"A\\"}"#),
        name(r#""User":{"Name":"\\u5"}"#),
        name(r#""IsAnonymousUser":true"#),
        name(r#""IsAnonymousUser":false"#),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    A|u1
    A|u2
    A|u3
    |u4@corp.example
    |A\
    |u5
    |anonymous
    |unknown
    ");
}

#[test]
fn dates_are_read_or_unknown_and_never_an_error() {
    let read = |text: &str, zone_less| {
        let json = serde_json::to_string(text).expect("a string");
        let text: wire::Text<'_> = serde_json::from_str(&json).expect("a string");
        date(&text, zone_less).map_or_else(|| "unknown".to_owned(), |at| at.to_rfc3339())
    };
    let said: Vec<String> = [
        "2026-01-16T14:40:00Z",
        "2026-01-16T14:40:00.1234567Z",
        "2026-01-16T09:40:00-05:00",
        "2026-01-16T14:40:00",
        "2026-01-16 14:40:00Z",
        "11/16/2020 2:01:04 PM",
        "11/16/2020 12:01:04 AM",
        "16.11.2020 14:01:04",
        "13/32/2020 2:01:04 PM",
        "1/1/0001 12:00:00 AM",
        "0001-01-01T00:00:00Z",
        "5:19:11 AM",
        "yesterday",
        "",
    ]
    .iter()
    .map(|text| {
        format!(
            "{text}: {} / in UTC: {}",
            read(text, None),
            read(text, Some(ZoneLessDates::Utc))
        )
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_formatted_date_goes_before_a_plain_one_and_does_not_hide_it() {
    let both = with(r#""StartTime":"1/1/2020 1:00:00 AM","FormattedStartTime":"2026-01-16T14:40:00Z""#);
    assert_eq!(
        both.started_at,
        Utc.with_ymd_and_hms(2026, 1, 16, 14, 40, 0).single()
    );
    let plain = with(r#""StartTime":"2026-01-16T14:40:00Z","FormattedStartTime":"soon""#);
    assert_eq!(plain.started_at, both.started_at);
}

#[test]
fn what_is_blank_is_absent() {
    let session = with(
        r#""Client":{"Name":"","Platform":"Unknown","IPAddress":" ","Version":null},
           "Machine":{"Name":"CORP\\TERM04","DnsName":""},
           "ApplicationsInUse":[{"Id":"00000000-0000-0000-0000-000000000000","Name":"A"},{"Id":"7","Name":"B"},{"Name":""}],
           "Connection":{"Protocol":"Unknown"},"SessionType":"Desktop""#,
    );
    assert_eq!(session.client, SessionClient::default());
    assert_eq!(session.machine.name.as_deref(), Some("TERM04"));
    assert_eq!(session.machine.dns_name, None);
    let applications: Vec<_> = session
        .applications
        .iter()
        .map(|a| (a.id.as_deref(), &*a.name))
        .collect();
    assert_eq!(applications, [(None, "A"), (Some("7"), "B")]);
    assert_eq!(
        (session.protocol, session.kind),
        (SessionProtocol::Unknown, SessionKind::Desktop)
    );
}

#[test]
fn texts_are_cut_and_not_in_the_middle_of_a_character() {
    let long = "ä".repeat(2000);
    let session = with(&format!(r#""Machine":{{"DnsName":"x{long}"}}"#));
    assert_eq!(session.machine.dns_name.map(|name| name.len()), Some(511));
}

#[test]
fn what_is_no_guid_like_id_is_no_session() {
    let long = "a".repeat(65);
    for id in ["", " ", "../x", "a/b", "ä", "a b", "$x", &long] {
        let json = serde_json::json!({ "Id": id }).to_string();
        let row: wire::Session<'_> = wire::decode(json.as_bytes()).expect("it reads");
        assert_eq!(session(&row, &frame(None), noon()), None, "{id}");
    }
}
