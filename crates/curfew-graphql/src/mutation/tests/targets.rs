//! `logoffSession` by host and name or number.

use super::*;

/// Asks for a log-off of a target, written as in a document.
async fn logoff(desk: &Desk, target: &str) -> Value {
    let query = format!(
        "mutation {{ logoffSession(input: {{ target: {{ {target} }}, wait: true, reason: \"Frozen\", \
         clientMutationId: \"7\" }}) {{ status message operation {{ session {{ id }} }} session {{ id }} \
         clientMutationId }} }}"
    );
    let body = desk.ask(&query).await;
    match body["data"]["logoffSession"].clone() {
        Value::Null => body,
        payload => payload,
    }
}

async fn desk() -> Desk {
    Desk::with(&[
        hosted("rds", "TERM04", 3),
        hosted("rds", "TERM04", 4),
        hosted("branch", "TERM05", 3),
    ])
    .await
}

/// Checks that a log-off is refused as input that makes no sense, before anything is looked up.
async fn check_bad(target: &str, says: &str) {
    let desk = desk().await;
    let body = logoff(&desk, target).await;
    let (code, message) = error(&body);
    assert_eq!(code, "BAD_USER_INPUT", "{target}: {message}");
    assert!(message.contains(says), "{target}: {message}");
    assert_eq!((desk.acts(), desk.store.records().len()), (0, 0), "{target}");
    assert_eq!(desk.rds.calls(Call::List), 1, "{target}");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_logged_off_by_its_name_or_its_number() {
    for target in [
        "named: { server: \"TERM04\", sessionName: \"RDP-Tcp#3\" }",
        "named: { server: \"term04\", sessionName: \"rdp-tcp#3\" }",
        "named: { server: \"term04.rds.example\", sessionName: \"RDP-TCP#3\" }",
        "numbered: { server: \"TERM04\", sessionId: 3 }",
        "numbered: { server: \"Term04.RDS.example\", sessionId: 3 }",
    ] {
        let desk = desk().await;
        let payload = logoff(&desk, target).await;
        let id = hosted("rds", "TERM04", 3).id;
        assert_eq!(payload["status"], "LOGGED_OFF", "{target}: {payload}");
        assert_eq!(payload["operation"]["session"]["id"], id.as_str());
        assert!(!desk.rds.holds(&id));
        assert_eq!(desk.acts(), 1);
        let records = desk.store.records();
        assert!(
            records
                .iter()
                .all(|it| it.session.as_deref() == Some(id.as_str()))
        );
        assert_eq!(desk.denied(), [] as [&str; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn variables_name_targets_too() {
    let desk = desk().await;
    let query = "mutation($target: SessionTarget!) { logoffSession(input: { target: $target, wait: true }) { status } }";
    let target = json!({ "target": { "numbered": { "server": "TERM04", "sessionId": 3 } } });
    let body = desk.ask_as(caller(Role::Helpdesk, None), query, target).await;
    assert_eq!(body["data"]["logoffSession"]["status"], "LOGGED_OFF", "{body}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_users_session_is_refused_with_the_reason() {
    let number = |number: &str| format!("numbered: {{ server: \"TERM04\", sessionId: {number} }}");
    check_bad(&number("0"), "is 0: session 0 is that of services").await;
    check_bad(&number("65536"), "is 65536: numbers from 65536 on are listeners").await;
    check_bad(&number("2147483647"), "are listeners").await;
    check_bad(&number("-1"), "is -1: a session's number is from 1 to 65535").await;
    check_bad(&number("-2147483648"), "from 1 to 65535").await;
}

#[tokio::test(start_paused = true)]
async fn names_that_cannot_be_are_refused() {
    let named =
        |server: &str, name: &str| format!("named: {{ server: \"{server}\", sessionName: \"{name}\" }}");
    let long = "x".repeat(257);
    let servers = [
        "",
        " ",
        "TERM04/3",
        "rds:TERM04",
        "\\\\\\\\TERM04",
        "TERM 04",
        "TERM*",
        "a\\u0000",
        &long,
    ];
    for server in servers {
        check_bad(
            &named(server, "Console"),
            "`target.named.server` is not a host's short or DNS name",
        )
        .await;
        let numbered = format!("numbered: {{ server: \"{server}\", sessionId: 3 }}");
        check_bad(
            &numbered,
            "`target.numbered.server` is not a host's short or DNS name",
        )
        .await;
    }
    for name in ["", "  "] {
        check_bad(&named("TERM04", name), "`target.named.sessionName` is empty").await;
    }
    check_bad(&named("TERM04", &long), "longer than 256").await;
    check_bad(&named("TERM04", "a\\u0000"), "NUL").await;
}

#[tokio::test(start_paused = true)]
async fn a_target_is_exactly_one_of_the_three() {
    let numbered = "numbered: { server: \"TERM04\", sessionId: 3 }";
    for target in [
        "".to_owned(),
        format!("{numbered}, onlineSessionId: \"rds:TERM04/3@0123456789abcdef\""),
        format!("{numbered}, named: null"),
        "numbered: null".to_owned(),
        "numbered: { server: \"TERM04\" }".to_owned(),
        "numbered: { sessionId: 3 }".to_owned(),
        "numbered: { server: \"TERM04\", sessionId: \"3\" }".to_owned(),
        "numbered: { server: \"TERM04\", sessionId: 3.5 }".to_owned(),
        "numbered: { server: 4, sessionId: 3 }".to_owned(),
        "numbered: { server: \"TERM04\", sessionId: 3, force: true }".to_owned(),
        "named: { server: \"TERM04\", sessionName: 3 }".to_owned(),
        "named: { server: \"TERM04\" }".to_owned(),
    ] {
        let desk = desk().await;
        let body = logoff(&desk, &target).await;
        let (code, message) = error(&body);
        assert!(
            ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&code),
            "{target}: {code} {message}"
        );
        assert_eq!((desk.acts(), desk.store.records().len()), (0, 0), "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_no_int_is_refused_with_a_code_however_it_comes() {
    let desk = desk().await;
    let operator = || caller(Role::Operator, None);
    for (number, wanted) in [
        ("4294967295", "BAD_USER_INPUT"),
        ("-4294967295", "BAD_USER_INPUT"),
        ("99999999999999999999", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let target = format!("numbered: {{ server: \"TERM04\", sessionId: {number} }}");
        let body = logoff(&desk, &target).await;
        assert_eq!(error(&body).0, wanted, "{number}");
        assert_eq!(body["errors"][0]["extensions"]["retryable"], false);
        assert_eq!(body["data"], Value::Null);
    }
    let whole = "mutation($target: SessionTarget!) { logoffSession(input: { target: $target }) { status } }";
    let number = "mutation($n: Int!) { logoffSession(input: { target: { numbered: { server: \"TERM04\", \
                  sessionId: $n } } }) { status } }";
    let target = json!({ "target": { "numbered": { "server": "TERM04", "sessionId": 4_294_967_295_u32 } } });
    for (query, variables, code) in [
        (whole, target, ErrorCode::BadUserInput),
        (
            number,
            json!({ "n": 4_294_967_295_u32 }),
            ErrorCode::GraphqlValidationFailed,
        ),
    ] {
        let answer = desk.answer(operator(), query, variables).await;
        let body = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.first_code, Some(code), "{body}");
    }
    assert_eq!((desk.acts(), desk.store.records().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_found_and_on_record() {
    for (target, name) in [
        ("numbered: { server: \"TERM04\", sessionId: 99 }", "TERM04/99"),
        ("numbered: { server: \"TERM99\", sessionId: 3 }", "TERM99/3"),
        (
            "named: { server: \"TERM04\", sessionName: \"Console\" }",
            "TERM04/Console",
        ),
    ] {
        let desk = desk().await;
        let payload = logoff(&desk, target).await;
        assert_eq!(
            payload,
            json!({
                "status": "NOT_FOUND",
                "message": format!(
                    "Nothing was sent: no session of a Windows host that you can see is called `{name}`, also not \
                     after a fresh reading. Reload the list."
                ),
                "operation": null,
                "session": null,
                "clientMutationId": "7",
            })
        );
        assert_eq!(desk.denied(), [format!("NO_SUCH_TARGET {name}")]);
        let record = desk.store.records().remove(0);
        assert_eq!(record.reason.as_deref(), Some("Frozen"));
        assert_eq!(desk.acts(), 0);
        assert_eq!(
            (desk.rds.calls(Call::List), desk.branch.calls(Call::List)),
            (2, 2),
            "read anew"
        );
        assert_eq!((desk.site.calls(Call::List), desk.vpn.calls(Call::List)), (1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_logged_on_since_the_last_reading_is_found() {
    let desk = desk().await;
    let young = hosted("rds", "TERM04", 9);
    desk.rds.put(young.clone());
    let payload = logoff(&desk, "numbered: { server: \"TERM04\", sessionId: 9 }").await;
    assert_eq!(payload["status"], "LOGGED_OFF");
    assert_eq!(payload["operation"]["session"]["id"], young.id.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_name_of_several_hosts_is_refused_with_their_ids() {
    let (here, there) = (hosted("rds", "TERM04", 3), hosted("branch", "TERM04", 3));
    let desk = Desk::with(&[here.clone(), there.clone(), hosted("branch", "TERM04", 5)]).await;
    let body = logoff(&desk, "numbered: { server: \"term04\", sessionId: 3 }").await;
    let wanted = format!(
        "`target` means no single session: `term04/3` is ambiguous, it fits 2 sessions: {}, {}. Nothing was sent. Give \
         an id as `onlineSessionId`, or the server's DNS name.",
        there.id, here.id
    );
    assert_eq!(error(&body), ("BAD_USER_INPUT", wanted.as_str()));
    assert_eq!(desk.denied(), ["AMBIGUOUS_TARGET term04/3"]);

    let body = logoff(&desk, "numbered: { server: \"TERM04\", sessionId: 5 }").await;
    let (_, message) = error(&body);
    assert!(
        message.contains("the name of its server fits several hosts: branch:TERM04/5@"),
        "{message}"
    );
    assert_eq!(desk.acts(), 0);

    let payload = logoff(
        &desk,
        "numbered: { server: \"term04.rds.example\", sessionId: 3 }",
    )
    .await;
    assert_eq!(payload["status"], "LOGGED_OFF");
    assert!(desk.branch.holds(&there.id));
}

#[tokio::test(start_paused = true)]
async fn at_most_ten_ids_are_listed() {
    // Agents that give every session the same name.
    let same = |number| Session {
        session_name: Some("ICA".to_owned()),
        ..hosted("rds", "TERM04", number)
    };
    let desk = Desk::with(&(1..=12).map(same).collect::<Vec<_>>()).await;
    let body = logoff(&desk, "named: { server: \"TERM04\", sessionName: \"ica\" }").await;
    let (code, message) = error(&body);
    assert_eq!(code, "BAD_USER_INPUT");
    assert!(message.contains("it fits 12 sessions: "), "{message}");
    assert_eq!(message.matches("rds:TERM04/").count(), 10);
    assert!(
        message.ends_with(" and 2 more. Nothing was sent. Give an id as `onlineSessionId`."),
        "the host's longer name fits them as well: {message}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_lacks_the_right_is_refused_before_anything_is_looked_up() {
    let query = |server: &str| {
        format!(
            "mutation {{ logoffSession(input: {{ target: {{ numbered: {{ server: \"{server}\", sessionId: 3 }} }} }}) {{ status }} }}"
        )
    };
    let desk = desk().await;
    for server in ["TERM04", "TERM99"] {
        let viewer = caller(Role::Viewer, None);
        let body = desk.ask_as(viewer, &query(server), json!({})).await;
        assert_eq!(error(&body).0, "FORBIDDEN");
    }
    assert_eq!(desk.denied(), ["FORBIDDEN TERM04/3", "FORBIDDEN TERM99/3"]);
    assert_eq!(desk.rds.calls(Call::List), 1);

    // Hidden, or not there: the same answer.
    let mut answers = Vec::new();
    for server in ["TERM04", "TERM99"] {
        let elsewhere = caller(Role::Helpdesk, Some(&["branch"]));
        let body = desk.ask_as(elsewhere, &query(server), json!({})).await;
        assert_eq!(body["data"]["logoffSession"]["status"], "NOT_FOUND");
        answers.push(body);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(
        desk.denied()[2..],
        ["NO_SUCH_TARGET TERM04/3", "NO_SUCH_TARGET TERM99/3"]
    );
}

#[tokio::test(start_paused = true)]
async fn citrix_sessions_and_vpn_sessions_have_no_such_names() {
    let host = with_sid(hosted("rds", "TERM04", 3), "S-1-5-21-7");
    let desk = Desk::with(&[brokered("41ba", &host), session("vpn-hq", "TERM04/3", "anna", 1)]).await;
    let payload = logoff(&desk, "numbered: { server: \"TERM04\", sessionId: 3 }").await;
    assert_eq!(payload["status"], "NOT_FOUND");
}

#[tokio::test(start_paused = true)]
async fn a_hidden_windows_row_can_be_acted_on_by_its_number() {
    let host = with_sid(hosted("rds", "TERM04", 3), "S-1-5-21-7");
    let desk = Desk::with(&[brokered("41ba", &host), host.clone()]).await;
    let payload = logoff(&desk, "numbered: { server: \"TERM04\", sessionId: 3 }").await;
    assert_eq!(payload["status"], "LOGGED_OFF");
    assert_eq!((desk.rds.performed(), desk.site.acts().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_other_mutations_take_whole_ids_alone() {
    let desk = desk().await;
    for document in [
        "mutation($id: ID!) { disconnectSession(input: { onlineSessionId: $id }) { status } }",
        "mutation($id: ID!) { sendMessage(input: { onlineSessionId: $id, text: \"Hello\" }) { status } }",
        "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id } }) { status } }",
    ] {
        for id in ["sess_abc", "TERM04/3", "3", "rds:TERM04/3"] {
            let body = desk
                .ask_as(caller(Role::Operator, None), document, json!({ "id": id }))
                .await;
            let (code, message) = error(&body);
            assert_eq!(code, "BAD_USER_INPUT", "{document}");
            assert!(message.contains("is not a session id"), "{message}");
        }
    }
    assert_eq!((desk.acts(), desk.store.records().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_not_said_to_be_empty() {
    let desk = desk().await;
    desk.branch
        .plan(Call::List, 1, Trouble::Fail(BackendErrorKind::Unavailable));
    desk.rds.fail_part("TERM04", BackendErrorKind::TimedOut);
    for (target, name, unread) in [
        (
            "numbered: { server: \"TERM04\", sessionId: 99 }",
            "TERM04/99",
            "branch, TERM04 of rds",
        ),
        (
            "named: { server: \"term04.rds.example\", sessionName: \"Console\" }",
            "term04.rds.example/Console",
            "TERM04 of rds",
        ),
    ] {
        let payload = logoff(&desk, target).await;
        let wanted = format!(
            "Nothing was sent: nothing that is known fits the target `{name}`, and {unread} could not be read just now; \
             it may be there all the same. Try again."
        );
        assert_eq!(
            (&payload["status"], &payload["message"]),
            (&json!("NOT_FOUND"), &json!(wanted))
        );
        assert_eq!(desk.denied().pop(), Some(format!("NO_SUCH_TARGET {name}")));
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
    assert_eq!(desk.acts(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_has_passed_to_another_session_ends_neither() {
    let desk = desk().await;
    let named = |number, name: Option<&str>| Session {
        session_name: name.map(str::to_owned),
        ..hosted("rds", "TERM04", number)
    };
    desk.rds.put(named(3, None));
    desk.rds.put(named(4, Some("RDP-Tcp#3")));
    let target = "named: { server: \"TERM04\", sessionName: \"RDP-Tcp#3\" }";
    let payload = logoff(&desk, target).await;
    assert_eq!(payload["status"], "SUPERSEDED");
    assert_eq!(
        payload["message"],
        "Nothing was done to the session that is called so now: the name has passed to it, or it belongs to a later logon. \
         Reload the list."
    );
    assert_eq!(desk.acts(), 0);
    let body = desk
        .ask("{ operations { nodes { session { id namedAs } } } }")
        .await;
    let session = &body["data"]["operations"]["nodes"][0]["session"];
    let id = hosted("rds", "TERM04", 3).id;
    assert_eq!(*session, json!({ "id": id.as_str(), "namedAs": "RDP-Tcp#3" }));
    // The look has shown that it is not the one: a fresh reading finds who is.
    let payload = logoff(&desk, target).await;
    assert_eq!(payload["status"], "LOGGED_OFF");
    assert!(desk.rds.holds(&id));
}
