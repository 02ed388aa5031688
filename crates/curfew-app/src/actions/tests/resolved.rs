//! Acts on sessions that are named without their ids: who may look, what is found, and the record of a search in vain.

use curfew_core::fakes::FakeBackend;
use curfew_core::{BackendKind, PartName, SessionMachine};

use super::*;
use crate::{App, Found, Meant, Resolve, TargetName};

/// A VPN, a Windows backend and another, in one gateway that has read them.
struct Estate {
    house: House,
    app: App,
    vpn: Arc<FakeBackend>,
    rds: Arc<FakeBackend>,
}

fn tunnel(native: &str) -> Session {
    curfew_core::fakes::backend::session("vpn-hq", native, "anna", 1)
}

fn hosted(backend: &str, number: u32, user: &str) -> Session {
    Session {
        part: PartName::new("TERM04"),
        session_name: Some(format!("RDP-Tcp#{number}")),
        machine: SessionMachine {
            name: Some("TERM04".to_owned()),
            ..SessionMachine::default()
        },
        ..curfew_core::fakes::backend::session(backend, &format!("TERM04/{number}"), user, number)
    }
}

impl Estate {
    async fn new() -> Self {
        let house = House::new();
        let of = |name: &str, kind| Arc::new(FakeBackend::new(name, house.clock.clone()).with_kind(kind));
        let (vpn, rds) = (of("vpn-hq", BackendKind::Orbnet), of("rds", BackendKind::Windows));
        let branch = of("branch", BackendKind::Windows);
        vpn.put(tunnel("71/sess_abc"));
        vpn.put(tunnel("71/sess_twice"));
        vpn.put(tunnel("72/sess_twice"));
        rds.put(hosted("rds", 3, "anna"));
        rds.put(hosted("rds", 4, "bert"));
        branch.put(Session {
            part: PartName::new("TERM05"),
            machine: SessionMachine::default(),
            ..hosted("branch", 3, "carl")
        });
        watch_over(&rds, &house.store);
        let app = app(&house.clock, &house.store, &[&vpn, &rds, &branch]);
        app.start();
        app.directory.first_readings(Duration::from_secs(1)).await;
        Self { house, app, vpn, rds }
    }

    async fn resolve(&self, caller: &Caller, kind: ActionKind, name: TargetName) -> Result<Found, ActError> {
        let wanted = Resolve {
            name,
            kind,
            reason: Some("Frozen".to_owned()),
            ticket: Some("INC-4711".to_owned()),
        };
        self.app
            .actions
            .resolve(caller, &self.house.request(), wanted)
            .await
    }

    /// The only record: cause, session, who and why.
    fn denied(&self) -> (String, String) {
        let records = self.house.store.records();
        assert_eq!(records.len(), 1);
        let record = &records[0];
        assert_eq!(
            (record.phase, record.code.as_str()),
            (curfew_core::AuditPhase::Denied, "P1001W")
        );
        assert_eq!((record.operation, record.backend.as_deref()), (None, None));
        assert_eq!(
            (record.reason.as_deref(), record.ticket.as_deref()),
            (Some("Frozen"), Some("INC-4711"))
        );
        assert_eq!((self.vpn.calls(Call::Get), self.rds.calls(Call::Get)), (0, 0));
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        (text(&record.cause), text(&record.session))
    }
}

fn bare(native: &str) -> TargetName {
    TargetName::Bare(native.to_owned())
}

fn numbered(session_id: u16) -> TargetName {
    TargetName::Numbered {
        server: "term04".to_owned(),
        session_id,
    }
}

fn named(name: &str) -> TargetName {
    TargetName::Named {
        server: "term04".to_owned(),
        session_name: name.to_owned(),
    }
}

/// Names of what is not there.
fn absent() -> [(ActionKind, TargetName, &'static str); 3] {
    [
        (ActionKind::Disconnect, bare("sess_new"), "sess_new"),
        (ActionKind::Logoff, numbered(99), "term04/99"),
        (ActionKind::Logoff, named("Console"), "term04/Console"),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_is_found_leaves_no_record_of_its_own() {
    let estate = Estate::new().await;
    for (kind, name, id) in [
        (ActionKind::Disconnect, bare("sess_abc"), tunnel("71/sess_abc").id),
        (ActionKind::Logoff, numbered(3), hosted("rds", 3, "anna").id),
        (
            ActionKind::Logoff,
            named("rdp-tcp#4"),
            hosted("rds", 4, "bert").id,
        ),
    ] {
        let found = estate.resolve(&helpdesk(), kind, name).await;
        assert!(
            matches!(found, Ok(Found::One(found)) if found.session == id),
            "{id}"
        );
    }
    assert_eq!(estate.house.trail(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_on_record_as_it_was_asked_for() {
    for (kind, name, session) in absent() {
        let estate = Estate::new().await;
        let found = estate.resolve(&helpdesk(), kind, name).await;
        assert!(
            matches!(found, Ok(Found::Nothing { unread }) if unread.is_empty()),
            "{session}"
        );
        assert_eq!(estate.denied(), ("NO_SUCH_TARGET".to_owned(), session.to_owned()));
        let action = estate.house.store.records()[0].action;
        assert_eq!(action, AuditAction::from(kind));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_ambiguous_is_on_record_and_told() {
    let estate = Estate::new().await;
    let found = estate
        .resolve(&helpdesk(), ActionKind::Disconnect, bare("sess_twice"))
        .await;
    let Ok(Found::Several { count: 2, ids, .. }) = found else {
        panic!("{found:?}");
    };
    assert_eq!(ids, [tunnel("71/sess_twice").id, tunnel("72/sess_twice").id]);
    assert_eq!(
        estate.denied(),
        ("AMBIGUOUS_TARGET".to_owned(), "sess_twice".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn ids_are_told_to_who_may_see_them() {
    let estate = Estate::new().await;
    let mut blind = helpdesk();
    blind.grants[0].permissions.remove(&Permission::SessionsRead);
    let found = estate
        .resolve(&blind, ActionKind::Disconnect, bare("sess_twice"))
        .await;
    assert!(matches!(found, Ok(Found::Several { count: 2, ids, .. }) if ids.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn who_lacks_the_right_learns_nothing() {
    let there = [
        bare("sess_abc"),
        bare("sess_twice"),
        numbered(3),
        named("RDP-Tcp#3"),
    ];
    let not = absent().map(|(_, name, _)| name);
    for name in there.into_iter().chain(not) {
        for role in [Role::Viewer, Role::Auditor] {
            let estate = Estate::new().await;
            let before = Instant::now();
            let caller = caller(role, Scope::All);
            let found = estate.resolve(&caller, ActionKind::Logoff, name.clone()).await;
            let missing = Permission::SessionsLogoff;
            assert!(matches!(found, Err(ActError::Forbidden { missing: it }) if it == missing));
            assert_eq!(estate.denied(), ("FORBIDDEN".to_owned(), name.to_string()));
            let params = estate.house.store.records()[0].params.clone();
            assert_eq!(params, Some(serde_json::json!({ "missing": missing })));
            assert_eq!(before.elapsed(), Duration::ZERO);
            assert_eq!(
                (estate.vpn.calls(Call::List), estate.rds.calls(Call::List)),
                (1, 1)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hidden_backend_is_as_if_it_did_not_exist() {
    // Elsewhere they may act, and here they hold some right that is neither to see nor to act.
    let mut elsewhere = caller(Role::Helpdesk, only(&["branch"]));
    elsewhere
        .grants
        .extend(caller(Role::Auditor, only(&["rds", "vpn-hq"])).grants);
    for (kind, name) in [
        (ActionKind::Logoff, numbered(3)),
        (ActionKind::Logoff, named("RDP-Tcp#3")),
        (ActionKind::Disconnect, bare("sess_abc")),
        (ActionKind::Disconnect, bare("sess_twice")),
    ] {
        for caller in [&caller(Role::Helpdesk, only(&["branch"])), &elsewhere] {
            let estate = Estate::new().await;
            let found = estate.resolve(caller, kind, name.clone()).await;
            assert!(
                matches!(found, Ok(Found::Nothing { unread }) if unread.is_empty()),
                "{name}"
            );
            assert_eq!(estate.denied(), ("NO_SUCH_TARGET".to_owned(), name.to_string()));
            assert_eq!(
                (estate.vpn.calls(Call::List), estate.rds.calls(Call::List)),
                (1, 1)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_seen_and_not_acted_on_is_found_and_refused() {
    let estate = Estate::new().await;
    let mut both = caller(Role::Helpdesk, only(&["branch"]));
    both.grants.extend(caller(Role::Viewer, only(&["rds"])).grants);
    let found = estate.resolve(&both, ActionKind::Logoff, numbered(3)).await;
    let Ok(Found::One(Meant { session: id, .. })) = found else {
        panic!("{found:?}");
    };
    let acted = estate
        .app
        .actions
        .act(&both, &estate.house.request(), act(Verb::Logoff, &id))
        .await;
    assert_eq!(told(&acted), "Forbidden: sessions:logoff");
    assert_eq!(estate.house.trail(), ["DENIED FORBIDDEN"]);
}

#[tokio::test(start_paused = true)]
async fn who_gets_the_number_after_it_was_resolved_is_not_touched() {
    let estate = Estate::new().await;
    // The directory still has Anna, and Bert has her number by now.
    let successor = Session {
        id: curfew_core::fakes::backend::session("rds", "TERM04/3", "bert", 77).id,
        ..hosted("rds", 3, "bert")
    };
    estate.rds.put(successor.clone());
    let found = estate.resolve(&helpdesk(), ActionKind::Logoff, numbered(3)).await;
    let Ok(Found::One(Meant { session: id, .. })) = found else {
        panic!("{found:?}");
    };
    assert_eq!(id, hosted("rds", 3, "anna").id);
    let acted = estate
        .app
        .actions
        .act(&helpdesk(), &estate.house.request(), act(Verb::Logoff, &id))
        .await;
    assert_eq!(told(&acted), "Superseded: SUPERSEDED NO");
    assert_eq!(estate.rds.acts(), []);
    assert!(estate.rds.holds(&successor.id));
}

/// `RDP-Tcp#3` passes from session 3 to session 4, whose users both stay logged on.
fn pass_the_name(rds: &FakeBackend) {
    rds.put(Session {
        session_name: None,
        state: SessionState::Disconnected,
        ..hosted("rds", 3, "anna")
    });
    rds.put(Session {
        session_name: Some("RDP-Tcp#3".to_owned()),
        ..hosted("rds", 4, "bert")
    });
}

async fn meant(estate: &Estate, name: &str) -> ActRequest {
    let found = estate.resolve(&helpdesk(), ActionKind::Logoff, named(name)).await;
    let Ok(Found::One(Meant { session, named_as })) = found else {
        panic!("{found:?}");
    };
    assert_eq!(
        (&session, named_as.as_deref()),
        (&hosted("rds", 3, "anna").id, Some(name))
    );
    ActRequest {
        named_as,
        ..act(Verb::Logoff, &session)
    }
}

#[tokio::test(start_paused = true)]
async fn who_lost_the_name_since_the_last_reading_is_not_touched() {
    for moved in [true, false] {
        let estate = Estate::new().await;
        if moved {
            pass_the_name(&estate.rds);
        }
        let request = meant(&estate, "rdp-tcp#3").await;
        let acted = estate
            .app
            .actions
            .act(&helpdesk(), &estate.house.request(), request)
            .await;
        let operation = estate.house.only();
        assert_eq!(
            operation.target.named_as.as_deref(),
            Some("rdp-tcp#3"),
            "it is on record"
        );
        if !moved {
            assert_eq!(told(&acted), "Done: SUCCEEDED YES", "its case does not matter");
            continue;
        }
        assert_eq!(told(&acted), "Superseded: SUPERSEDED NO");
        assert_eq!(estate.rds.acts(), []);
        let seen = operation.course.evidence.seen;
        assert_eq!(seen, Some(curfew_core::Seen::Replaced));
        // The look was at a session that is there: it is not lost, and known without the name from now on.
        let row = estate
            .app
            .directory
            .row(&hosted("rds", 3, "anna").id)
            .expect("a row");
        assert_eq!(row.session.session_name, None);
        let number = act(Verb::Logoff, &row.session.id);
        let acted = estate
            .app
            .actions
            .act(&helpdesk(), &estate.house.request(), number)
            .await;
        assert_eq!(
            told(&acted),
            "Done: SUCCEEDED YES",
            "by its id it is meant as it is"
        );
    }
}

/// Asks through a gateway that dies at the act: intent, look, act.
async fn die_acting(estate: &Estate, request: ActRequest, dies: Dies) {
    let fate = Fate::at(3, dies);
    let dying = App::new(crate::Parts {
        backends: vec![crate::BackendEntry {
            backend: Mortal::new(&estate.rds, &fate),
            interval: INTERVAL,
        }],
        actions: Mortal::new(&estate.house.store, &fate),
        audit: Mortal::new(&estate.house.store, &fate),
        authorizer: Arc::new(crate::BuiltInRoles),
        clock: estate.house.clock.clone(),
        settings: crate::Settings::default(),
    });
    // As when the directory knows it; else one more look comes first.
    dying
        .directory
        .saw(&request.session, estate.rds.at(&request.session).as_ref());
    let (caller, meta) = (helpdesk(), estate.house.request());
    let acting = dying.actions.act(&caller, &meta, request);
    let _ = tokio::time::timeout(Duration::from_secs(1), acting).await;
    assert!(fate.is_dead());
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_over_sends_nothing_to_who_lost_the_name() {
    for moved in [true, false] {
        let estate = Estate::new().await;
        let request = meant(&estate, "RDP-Tcp#3").await;
        die_acting(&estate, request, Dies::Before).await;
        assert_eq!(estate.rds.acts(), []);
        if moved {
            pass_the_name(&estate.rds);
        }
        later(30).await;
        let (end, sent) = match moved {
            true => ("SUPERSEDED UNKNOWN", 0),
            false => ("SUCCEEDED YES", 1),
        };
        assert_eq!(stands(&estate.house.only()), end);
        assert_eq!(estate.rds.acts().len(), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_over_knows_the_goal_though_it_took_the_name_away() {
    let estate = Estate::new().await;
    let request = ActRequest {
        verb: Verb::Disconnect,
        ..meant(&estate, "RDP-Tcp#3").await
    };
    die_acting(&estate, request, Dies::After).await;
    assert_eq!(estate.rds.performed(), 1);
    pass_the_name(&estate.rds);
    later(30).await;
    assert_eq!(stands(&estate.house.only()), "SUCCEEDED UNKNOWN");
    assert_eq!(estate.rds.acts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_act_itself_took_away_is_not_missed() {
    let estate = Estate::new().await;
    // The agent takes the log-off and is slow; the session has lost its name by then.
    estate.rds.plan(Call::Start, 1, Trouble::Ignore);
    let request = meant(&estate, "RDP-Tcp#3").await;
    let (caller, meta) = (helpdesk(), estate.house.request());
    let acting = estate.app.actions.act(&caller, &meta, request);
    let going = async {
        later(1).await;
        pass_the_name(&estate.rds);
        later(2).await;
        let state = estate.house.only().course.state;
        assert_eq!(
            state,
            curfew_core::OperationState::Confirming,
            "it is not over by that"
        );
        estate.rds.remove(&hosted("rds", 3, "anna").id);
    };
    let (acted, ()) = tokio::join!(acting, going);
    assert_eq!(told(&acted), "Done: SUCCEEDED YES");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_says_so_at_once() {
    for (kind, name, _) in absent() {
        for already in [true, false] {
            let estate = Estate::new().await;
            later(5).await;
            estate.vpn.plan(Call::List, 9, Trouble::Hang);
            estate.rds.plan(Call::List, 9, Trouble::Hang);
            let stop = || estate.app.stop(Duration::ZERO);
            if already {
                stop().await;
            }
            let before = Instant::now();
            let stopping = async {
                if !already {
                    later(1).await;
                    stop().await;
                }
            };
            let caller = helpdesk();
            let (found, ()) = tokio::join!(estate.resolve(&caller, kind, name.clone()), stopping);
            assert!(matches!(found, Err(ActError::ShuttingDown)), "{found:?}");
            assert!(
                before.elapsed() <= Duration::from_secs(1),
                "{:?}",
                before.elapsed()
            );
            assert_eq!(estate.house.trail(), [] as [&str; 0], "nothing can be said of it");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_while_it_is_looked_for_does_not_escape_the_record() {
    for (kind, name, session) in absent() {
        let estate = Estate::new().await;
        later(5).await;
        estate.vpn.plan(Call::List, 1, Trouble::Hang);
        estate.rds.plan(Call::List, 1, Trouble::Hang);
        let caller = helpdesk();
        let mut asking = Box::pin(estate.resolve(&caller, kind, name));
        assert!(futures::poll!(&mut asking).is_pending());
        later(1).await;
        assert!(futures::poll!(&mut asking).is_pending());
        drop(asking);
        later(5).await;
        assert_eq!(estate.denied(), ("NO_SUCH_TARGET".to_owned(), session.to_owned()));
    }
}
