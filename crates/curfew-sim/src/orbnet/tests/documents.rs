//! The two documented operations, their errors, scopes and limits.

use chrono::{TimeZone as _, Utc};
use serde_json::{Value, json};

use super::{DISCONNECT, Desk, LIST, code};
use crate::orbnet::{OrbnetSimConfig, Variant};

#[tokio::test]
async fn a_user_has_the_documented_rows() {
    let config = OrbnetSimConfig {
        epoch: Utc.with_ymd_and_hms(2026, 1, 16, 12, 0, 0).single(),
        ..OrbnetSimConfig::default()
    };
    let desk = Desk::open(config).await;
    let (status, body) = desk.list(101).await;
    assert_eq!(status, 200);
    let rows = body["data"]["getOnlineSessions"].as_array().expect("rows");
    assert_eq!(rows.len(), 2);
    let shapes = json!({
        "id": "active_001", "nasPortType": "Virtual", "connectInfoStart": rows[0]["connectInfoStart"],
        "sessionId": rows[0]["sessionId"], "nasIpAddress": rows[0]["nasIpAddress"], "nasPortId": rows[0]["nasPortId"],
        "startTime": rows[0]["startTime"], "callingStationId": rows[0]["callingStationId"],
        "framedIpAddress": "10.8.0.0",
    });
    assert_eq!(rows[0], shapes);
    let text = |name: &str| rows[0][name].as_str().unwrap_or_default().to_owned();
    assert!(text("sessionId").starts_with("sess_live_"), "{shapes}");
    assert!(
        text("startTime").starts_with("2026-01-16T") && text("startTime").ends_with('Z'),
        "{shapes}"
    );
    assert!(
        ["WireGuard", "OpenConnect", "OpenVPN", "IKEv2"].contains(&&*text("connectInfoStart")),
        "{shapes}"
    );
    assert_eq!(text("callingStationId").matches(':').count(), 5, "{shapes}");

    let other = desk.sim.add_user("newcomer");
    assert_eq!(
        desk.list(other).await.1,
        json!({ "data": { "getOnlineSessions": [] } })
    );
}

#[tokio::test]
async fn a_disconnect_ends_one_session_and_only_once() {
    let desk = Desk::open(OrbnetSimConfig::default()).await;
    let (session, id) = desk.first();
    let true_answer = (200, json!({ "data": { "disconnectBySessionId": true } }));
    assert_eq!(desk.disconnect(&session).await, true_answer);
    let gone = json!({
        "errors": [{
            "message": "Session not found or already disconnected",
            "path": ["disconnectBySessionId"],
            "extensions": { "code": "SESSION_NOT_FOUND" },
        }],
        "data": null,
    });
    assert_eq!(desk.disconnect(&session).await, (400, gone.clone()));
    assert_eq!(desk.disconnect(&id).await, (400, gone));
    assert_eq!(desk.sim.sessions().len(), 9);
    let acts: Vec<_> = desk
        .sim
        .acts()
        .iter()
        .map(|act| (act.performed, act.answer))
        .collect();
    assert_eq!(acts, [(true, Some(200)), (false, Some(400)), (false, Some(400))]);
}

#[tokio::test]
async fn which_id_ends_a_session_is_a_variant() {
    for (variant, by_session, by_id) in [(Variant::KillsById, 400, 200), (Variant::KillsByEither, 200, 400)] {
        let desk = Desk::open(OrbnetSimConfig::default().with(variant)).await;
        let (session, id) = desk.first();
        assert_eq!(desk.disconnect(&session).await.0, by_session, "{variant:?}");
        assert_eq!(desk.disconnect(&id).await.0, by_id, "{variant:?}");
    }
}

#[tokio::test]
async fn ids_may_be_those_of_sessions_of_several_users() {
    let desk = Desk::open(OrbnetSimConfig::default().with(Variant::SharedIds)).await;
    let rows = desk.sim.sessions();
    let ids = |user: i32| -> Vec<_> {
        let own = rows.iter().filter(|row| row.user_id == user);
        own.map(|row| (row.id.clone(), row.session_id.clone())).collect()
    };
    assert_eq!(ids(101).len(), 2);
    assert_ne!(ids(101)[0], ids(101)[1]);
    assert_eq!(ids(101), ids(105));
    // Whom the mutation hits is not for the caller to say.
    assert_eq!(desk.disconnect(&ids(105)[0].1).await.0, 200);
    let left = desk.sim.sessions();
    assert_eq!(left.iter().filter(|row| row.user_id == 101).count(), 1);
}

#[tokio::test]
async fn an_unknown_user_is_an_error_or_has_no_sessions() {
    let desk = Desk::open(OrbnetSimConfig::default()).await;
    let (status, body) = desk.list(9).await;
    assert_eq!(
        (status, code(&body), &body["data"]),
        (400, "NOT_FOUND", &Value::Null)
    );
    let desk = Desk::open(OrbnetSimConfig::default().with(Variant::UnknownUserEmpty)).await;
    assert_eq!(
        desk.list(9).await,
        (200, json!({ "data": { "getOnlineSessions": [] } }))
    );
}

#[tokio::test]
async fn a_scope_decides_what_a_token_is_good_for() {
    for (variant, unknown, refused) in [(None, 401, 403), (Some(Variant::Errors200), 200, 200)] {
        let config = variant
            .into_iter()
            .fold(OrbnetSimConfig::default(), OrbnetSimConfig::with);
        let desk = Desk::open(config).await;
        let (session, _) = desk.first();
        let ask = async |token: &str, query: &str| {
            let variables = json!({ "userId": 101, "onlineSessionId": session });
            let (status, body) = desk.ask_as(token, query, variables).await;
            (status, code(&body).to_owned())
        };
        let config = desk.sim.config();
        let said = |status, code: &str| (status, code.to_owned());
        assert_eq!(ask(&config.user_token, LIST).await, said(refused, "FORBIDDEN"));
        assert_eq!(ask(&config.reseller_token, LIST).await, said(200, ""));
        assert_eq!(
            ask(&config.reseller_token, DISCONNECT).await,
            said(refused, "FORBIDDEN")
        );
        assert_eq!(
            ask("nobody", DISCONNECT).await,
            said(unknown, "AUTHENTICATION_ERROR")
        );
        let bare = desk.http.post(desk.sim.url()).json(&json!({ "query": LIST }));
        let bare = bare.send().await.expect("an answer");
        assert_eq!(bare.status().as_u16(), unknown);
        let bare = bare.json::<Value>().await.expect("JSON");
        assert_eq!(code(&bare), "UNAUTHENTICATED");
        assert!(desk.sim.session(&session).is_some());
        assert_eq!(desk.sim.counters().turned_away, 4);
    }
}

#[tokio::test]
async fn documents_and_variables_are_checked() {
    let desk = Desk::open(OrbnetSimConfig::default()).await;
    let fields = "{ id }";
    let question = |variable: &str| {
        format!("query($userId: {variable}) {{ getOnlineSessions(userId: $userId) {fields} }}")
    };
    let (parse, validation, input) = (
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "BAD_USER_INPUT",
    );
    for (query, variables, wanted) in [
        (question("Int!"), json!({ "userId": 101 }), ""),
        (
            "{ getOnlineSessions(userId: 101) { s: sessionId } }".to_owned(),
            json!({}),
            "",
        ),
        (question("Int!"), json!({ "userId": 2_147_483_648_i64 }), input),
        (question("Int!"), json!({ "userId": "101" }), input),
        (question("Int!"), json!({ "userId": 101.5 }), input),
        (question("Int!"), json!({ "userId": null }), input),
        (question("Int!"), json!({}), input),
        (question("Int"), json!({ "userId": 101 }), validation),
        (question("String!"), json!({ "userId": "101" }), validation),
        (
            "query { getOnlineSessions(userId: $userId) { id } }".to_owned(),
            json!({}),
            validation,
        ),
        (
            "query { getOnlineSessions(userId: 101) }".to_owned(),
            json!({}),
            validation,
        ),
        (
            "query { getOnlineSessions(userId: 101) { userName } }".to_owned(),
            json!({}),
            validation,
        ),
        (
            "query { getOnlineSessions { id } }".to_owned(),
            json!({}),
            validation,
        ),
        ("query { allSessions { id } }".to_owned(), json!({}), validation),
        (
            "query { disconnectBySessionId(onlineSessionId: \"x\") }".to_owned(),
            json!({}),
            validation,
        ),
        (DISCONNECT.to_owned(), json!({ "onlineSessionId": 7 }), input),
        ("query {".to_owned(), json!({}), parse),
    ] {
        let (_, body) = desk.ask(&query, variables).await;
        assert_eq!(code(&body), wanted, "{query}");
    }
    let renamed = "{ all: getOnlineSessions(userId: 101) { s: sessionId } }";
    let (_, body) = desk.ask(renamed, json!({})).await;
    assert_eq!(body["data"]["all"][0]["s"], json!(desk.first().0));
    assert_eq!(desk.sim.acts(), []);

    let plain = desk
        .http
        .post(desk.sim.url())
        .bearer_auth(desk.sim.token())
        .body("{}");
    let plain = plain.send().await.expect("an answer");
    assert_eq!(plain.status(), 400);
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_until_the_window_is_over() {
    for variant in [None, Some(Variant::ResetInSeconds)] {
        let config = OrbnetSimConfig::default().requests_per_minute(Some(3));
        let desk = Desk::open(variant.into_iter().fold(config, OrbnetSimConfig::with)).await;
        let body = json!({ "query": LIST, "variables": { "userId": 101 } });
        let mut seen = Vec::new();
        for _ in 0..4 {
            let answer = desk.send(desk.sim.token(), &body).await.expect("an answer");
            let header = |name: &str| {
                let value = answer.headers()[name].to_str().expect("ASCII");
                value.parse::<i64>().expect("a number")
            };
            let reset = match variant {
                Some(_) => header("x-ratelimit-reset"),
                None => header("x-ratelimit-reset") - crate::clock::now().timestamp(),
            };
            assert!((58..=61).contains(&reset), "{reset}");
            assert_eq!(header("x-ratelimit-limit"), 3);
            seen.push((answer.status().as_u16(), header("x-ratelimit-remaining")));
        }
        assert_eq!(seen, [(200, 2), (200, 1), (200, 0), (429, 0)]);
        let (status, body) = desk.list(101).await;
        assert_eq!((status, code(&body)), (429, "RATE_LIMITED"));
        assert_eq!(desk.sim.counters().rate_limited, 2);
        // Another token has a limit of its own.
        let reseller = desk.sim.reseller_token();
        assert_eq!(desk.ask_as(reseller, LIST, json!({ "userId": 101 })).await.0, 200);

        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(61)).await;
        tokio::time::resume();
        assert_eq!(desk.list(101).await.0, 200);
    }
}

#[tokio::test]
async fn five_thousand_sessions_are_cheap_and_each_is_another() {
    let desk = Desk::open(OrbnetSimConfig::default().users(500).sessions_per_user(10)).await;
    let sessions = desk.sim.sessions();
    let ids: std::collections::BTreeSet<_> = sessions.iter().map(|row| &row.session_id).collect();
    assert_eq!((sessions.len(), ids.len()), (5000, 5000));
    let names: std::collections::BTreeSet<_> = desk.sim.users().into_iter().map(|user| user.name).collect();
    assert_eq!(names.len(), 500);
    let last = desk.list(600).await.1;
    assert_eq!(
        last["data"]["getOnlineSessions"].as_array().map(Vec::len),
        Some(10)
    );
}
