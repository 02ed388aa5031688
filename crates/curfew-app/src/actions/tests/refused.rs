//! Acts that are refused: on record, and unknown to the backend.

use super::*;

/// Asks as `caller` and checks that only a DENIED record comes of it.
async fn check(house: &House, caller: &Caller, request: ActRequest, wanted: &str, cause: &str) {
    let session = request.session.to_string();
    let acted = house.app.actions.act(caller, &house.request(), request).await;
    assert_eq!(told(&acted), wanted);
    assert_eq!(house.trail(), [format!("DENIED {cause}")]);
    let record = house.store.records().remove(0);
    assert_eq!(record.actor, caller.actor);
    assert_eq!(record.session, Some(session));
    assert_eq!(
        (record.reason.as_deref(), record.ticket.as_deref()),
        (Some("Frozen"), Some("INC-4711"))
    );
    assert_eq!(house.store.operations(), []);
    for call in [Call::List, Call::Get, Call::Start, Call::Poll] {
        assert_eq!(house.site.calls(call), 0, "the backend is not asked: {call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_lacks_the_right_is_refused() {
    for role in [Role::Viewer, Role::Auditor] {
        for (verb, right) in [
            (Verb::Disconnect, "sessions:disconnect"),
            (Verb::Logoff, "sessions:logoff"),
            (message(), "sessions:message"),
        ] {
            let house = House::new();
            let wanted = format!("Forbidden: {right}");
            check(
                &house,
                &caller(role, Scope::All),
                short(verb),
                &wanted,
                "FORBIDDEN",
            )
            .await;
            let missing = house.store.records().remove(0).params;
            assert_eq!(missing, Some(serde_json::json!({ "missing": right })));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_nothing_is_refused() {
    let house = House::new();
    let nobody = Caller {
        grants: Vec::new(),
        roles: Vec::new(),
        ..helpdesk()
    };
    check(
        &house,
        &nobody,
        short(Verb::Logoff),
        "Forbidden: sessions:logoff",
        "FORBIDDEN",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hidden_backend_does_not_exist() {
    let house = House::new();
    let elsewhere = caller(Role::Helpdesk, only(&["site-b"]));
    check(
        &house,
        &elsewhere,
        short(Verb::Logoff),
        "NotFound",
        "HIDDEN_BACKEND",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_seen_but_not_in_the_grant_is_forbidden() {
    let house = House::new();
    let mut both = caller(Role::Helpdesk, only(&["site-b"]));
    both.grants.extend(caller(Role::Viewer, only(&["site-a"])).grants);
    check(
        &house,
        &both,
        short(Verb::Logoff),
        "Forbidden: sessions:logoff",
        "FORBIDDEN",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_not_configured_does_not_exist() {
    let house = House::new();
    let id = SessionId::parse("site-z:12@0123456789abcdef").expect("an id");
    check(
        &house,
        &helpdesk(),
        act(Verb::Logoff, &id),
        "NotFound",
        "HIDDEN_BACKEND",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_the_backend_cannot_do_is_refused() {
    for (verb, capabilities) in [
        (
            Verb::Disconnect,
            Capabilities {
                disconnect: false,
                ..ABLE
            },
        ),
        (
            Verb::Logoff,
            Capabilities {
                logoff: false,
                ..ABLE
            },
        ),
        (
            message(),
            Capabilities {
                message: false,
                ..ABLE
            },
        ),
    ] {
        let house = House::of(|site| site.with_capabilities(capabilities));
        check(&house, &helpdesk(), short(verb), "Unsupported", "UNSUPPORTED").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_holds_even_if_it_cannot_be_recorded() {
    let house = House::new();
    house
        .store
        .fail_from_call(1, curfew_core::fakes::Fault::Unavailable);
    let viewer = caller(Role::Viewer, Scope::All);
    let acted = house
        .app
        .actions
        .act(&viewer, &house.request(), short(Verb::Logoff))
        .await;
    assert_eq!(told(&acted), "Forbidden: sessions:logoff");
    assert_eq!(house.site.calls(Call::Start), 0);
}

#[tokio::test(start_paused = true)]
async fn a_document_with_many_acts_is_on_record() {
    let house = House::new();
    house.app.actions.refuse_many(&helpdesk(), &house.request()).await;
    assert_eq!(house.trail(), ["DENIED TOO_MANY_ACTS"]);
}

#[test]
fn what_is_offered_is_what_is_allowed_and_makes_sense() {
    let house = House::new();
    let offered = |caller: &Caller, state, capabilities: &Capabilities| {
        let session = Session { state, ..anna() };
        let kinds = house.app.actions.allowed(caller, &session, capabilities);
        kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>()
    };
    let vpn = Capabilities {
        disconnect_ends_session: true,
        logoff: false,
        message: false,
        ..ABLE
    };
    use SessionState as S;
    assert_eq!(
        offered(&helpdesk(), S::Active, &ABLE),
        ["DISCONNECT", "LOGOFF", "MESSAGE"]
    );
    assert_eq!(offered(&helpdesk(), S::Disconnected, &ABLE), ["LOGOFF"]);
    assert_eq!(offered(&helpdesk(), S::LoggingOff, &ABLE), [] as [&str; 0]);
    assert_eq!(offered(&helpdesk(), S::Disconnected, &vpn), ["DISCONNECT"]);
    assert_eq!(
        offered(&caller(Role::Viewer, Scope::All), S::Active, &ABLE),
        [] as [&str; 0]
    );
    assert_eq!(
        offered(&caller(Role::Helpdesk, only(&["site-b"])), S::Active, &ABLE),
        [] as [&str; 0]
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_hangs_up_at_once_does_not_escape_the_record() {
    let house = House::new();
    let (viewer, meta) = (caller(Role::Viewer, Scope::All), house.request());
    let mut asking = Box::pin(house.app.actions.act(&viewer, &meta, short(Verb::Logoff)));
    assert!(futures::poll!(&mut asking).is_pending());
    drop(asking);
    later(1).await;
    assert_eq!(house.trail(), ["DENIED FORBIDDEN"]);
}

#[tokio::test(start_paused = true)]
async fn the_right_to_act_is_not_the_right_to_see() {
    let house = House::new();
    house.app.start();
    later(1).await;
    let mut blind = caller(Role::Helpdesk, Scope::All);
    for grant in &mut blind.grants {
        grant.permissions.remove(&Permission::SessionsRead);
    }
    for (who, shown) in [(blind, false), (caller(Role::Helpdesk, Scope::All), true)] {
        let acted = house
            .app
            .actions
            .act(&who, &house.request(), short(message()))
            .await;
        let Ok(Acted::Operation { row, .. }) = acted else {
            panic!("{acted:?}")
        };
        assert_eq!(row.is_some(), shown);
    }
}
