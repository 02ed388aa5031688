//! A session that a Citrix site and the agent on its host both report: one row, wherever both are part of the answer.

use curfew_core::SessionUser;
use curfew_core::fakes::store_contract::sample::at;

use super::*;

const SID: &str = "S-1-5-21-1-2-3-1104";

/// Anna's session as the Citrix site reports it.
fn brokered(native: &str) -> Session {
    let anna = session("citrix-eu", native, "anna", 1);
    Session {
        started_at: Some(at(1_000)),
        user: SessionUser {
            sid: Some(SID.to_owned()),
            ..anna.user.clone()
        },
        ..anna
    }
}

/// The same as the agent on the host reports it.
fn hosted(native: &str) -> Session {
    let twin = brokered("x");
    Session {
        id: session("rds", native, "anna", 1).id,
        part: curfew_core::PartName::new("TERM04"),
        state: SessionState::Disconnected,
        ..twin
    }
}

fn with_sid(session: Session, sid: Option<&str>) -> Session {
    let user = SessionUser {
        sid: sid.map(str::to_owned),
        ..session.user.clone()
    };
    Session { user, ..session }
}

fn on_machine(session: Session, name: Option<&str>, dns: Option<&str>) -> Session {
    let machine = curfew_core::SessionMachine {
        name: name.map(str::to_owned),
        dns_name: dns.map(str::to_owned),
        address: None,
    };
    Session { machine, ..session }
}

fn begun(session: Session, second: Option<i64>) -> Session {
    Session {
        started_at: second.map(at),
        ..session
    }
}

/// A Citrix site and a Windows backend.
struct Estate {
    site: Arc<FakeBackend>,
    hosts: Arc<FakeBackend>,
    directory: Arc<Directory>,
}

impl Estate {
    async fn of(sessions: &[Session]) -> Self {
        let clock = Arc::new(MockClock::following_tokio());
        let site = Arc::new(FakeBackend::new("citrix-eu", clock.clone()));
        let hosts = FakeBackend::new("rds", clock.clone()).with_kind(BackendKind::Windows);
        let hosts = Arc::new(hosts);
        for session in sessions {
            let backend = [&site, &hosts]
                .into_iter()
                .find(|backend| backend.id().as_str() == session.id.backend_str());
            backend.expect("one of the two").put(session.clone());
        }
        let backends: Vec<(Arc<dyn SessionBackend>, Duration)> =
            vec![(hosts.clone(), INTERVAL), (site.clone(), INTERVAL)];
        let directory = Arc::new(Directory::new(backends, Arc::new(BuiltInRoles), clock));
        directory.start(&TaskTracker::new(), &CancellationToken::new());
        directory.first_readings(Duration::from_secs(1)).await;
        Self {
            site,
            hosts,
            directory,
        }
    }

    async fn page(&self, caller: &Caller, filter: SessionFilter) -> Page {
        let who = Authorized::ask(&BuiltInRoles, caller).expect("may see sessions");
        let query = ListQuery {
            filter,
            ..everything()
        };
        self.directory.page(&who, &query).await
    }

    /// Each row's sources, in the order of the listing, as whoever sees all gets it.
    async fn sources(&self) -> Vec<Vec<String>> {
        let page = self.page(&everybody(), SessionFilter::default()).await;
        assert_eq!(page.total, Some(page.rows.len()), "what is hidden is not counted");
        page.rows.iter().map(sources).collect()
    }
}

fn everybody() -> Caller {
    caller(Role::Viewer, Scope::All)
}

/// The places of the rows that are a session, such as `rds:TERM04/3`.
fn sources(listed: &Listed) -> Vec<String> {
    listed
        .sources()
        .map(|row| row.session.id.place().to_owned())
        .collect()
}

/// Checks whether two sessions are listed as one.
async fn check(what: &str, broker: Session, host: Session, one: bool) {
    let (a, b) = (broker.id.place().to_owned(), host.id.place().to_owned());
    let estate = Estate::of(&[broker, host]).await;
    let wanted = if one {
        vec![vec![a, b]]
    } else {
        vec![vec![a], vec![b]]
    };
    assert_eq!(estate.sources().await, wanted, "{what}");
}

#[tokio::test(start_paused = true)]
async fn the_same_session_is_listed_once_as_citrix_has_it() {
    let estate = Estate::of(&[brokered("41ba"), hosted("TERM04/3")]).await;
    let page = estate.page(&everybody(), SessionFilter::default()).await;
    assert_eq!((page.rows.len(), page.total), (1, Some(1)));
    assert_eq!(page.rows[0].session.id, brokered("41ba").id);
    assert_eq!(sources(&page.rows[0]), ["citrix-eu:41ba", "rds:TERM04/3"]);
    assert_eq!(
        page.readings
            .iter()
            .map(|it| it.session_count)
            .collect::<Vec<_>>(),
        [1, 1],
        "what each backend reports is told as it is"
    );
}

#[tokio::test(start_paused = true)]
async fn machine_user_and_start_decide() {
    let (broker, host) = (|| brokered("41ba"), || hosted("TERM04/3"));
    let lower = on_machine(host(), Some("term04"), Some("TERM04.corp.example"));
    check("names in another case", broker(), lower, true).await;
    let lower = with_sid(host(), Some(&SID.to_lowercase()));
    check("a SID in another case", broker(), lower, true).await;
    let nameless = on_machine(host(), Some("TERM04"), None);
    check("one DNS name alone", broker(), nameless, true).await;
    let nameless = on_machine(broker(), Some("TERM04"), None);
    check("the other DNS name alone", nameless, host(), true).await;
    let other = on_machine(host(), Some("TERM04"), Some("term04.lab.example"));
    check("another domain", broker(), other, false).await;
    let other = on_machine(host(), Some("TERM05"), None);
    check("another machine", broker(), other, false).await;
    let none = on_machine(host(), None, Some("term04.corp.example"));
    check("no machine", broker(), none, false).await;
    let (a, b) = (on_machine(broker(), None, None), on_machine(host(), None, None));
    check("no machine at all", a, b, false).await;

    check(
        "another user",
        broker(),
        with_sid(host(), Some("S-1-5-21-1-2-3-9")),
        false,
    )
    .await;
    check("no SID", broker(), with_sid(host(), None), false).await;
    check("no SID at Citrix", with_sid(broker(), None), host(), false).await;
    check(
        "no SID at all",
        with_sid(broker(), None),
        with_sid(host(), None),
        false,
    )
    .await;
    check(
        "empty SIDs",
        with_sid(broker(), Some("")),
        with_sid(host(), Some("")),
        false,
    )
    .await;

    for (second, one) in [(1_120, true), (1_121, false), (880, true), (879, false)] {
        let what = format!("{} s apart", second - 1_000);
        check(&what, broker(), begun(host(), Some(second)), one).await;
    }
    check("no start", broker(), begun(host(), None), false).await;
    check("no start at Citrix", begun(broker(), None), host(), false).await;
    check(
        "no start at all",
        begun(broker(), None),
        begun(host(), None),
        false,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_fits_two_ways_is_not_guessed() {
    let alone = |places: &[&str]| -> Vec<Vec<String>> {
        places.iter().map(|place| vec![(*place).to_owned()]).collect()
    };
    let two_hosts = [brokered("41ba"), hosted("TERM04/3"), hosted("TERM04/4")];
    let estate = Estate::of(&two_hosts).await;
    let wanted = alone(&["citrix-eu:41ba", "rds:TERM04/3", "rds:TERM04/4"]);
    assert_eq!(estate.sources().await, wanted);

    let two_brokers = [brokered("41ba"), brokered("52cb"), hosted("TERM04/3")];
    let estate = Estate::of(&two_brokers).await;
    let wanted = alone(&["citrix-eu:41ba", "citrix-eu:52cb", "rds:TERM04/3"]);
    assert_eq!(estate.sources().await, wanted);

    // The second logon of the same user is told apart by its time, unless one of them fits both.
    let later = [
        brokered("41ba"),
        hosted("TERM04/3"),
        begun(brokered("52cb"), Some(2_000)),
        begun(hosted("TERM04/4"), Some(2_010)),
    ];
    let estate = Estate::of(&later).await;
    assert_eq!(
        estate.sources().await,
        [
            ["citrix-eu:41ba", "rds:TERM04/3"],
            ["citrix-eu:52cb", "rds:TERM04/4"]
        ]
    );
    let between = [
        brokered("41ba"),
        hosted("TERM04/3"),
        begun(brokered("52cb"), Some(1_200)),
        begun(hosted("TERM04/4"), Some(1_110)),
    ];
    let estate = Estate::of(&between).await;
    assert_eq!(estate.sources().await.len(), 4);
    // Once one of them has gone, the rest is plain.
    estate.hosts.remove(&hosted("TERM04/4").id);
    later_than_a_reading().await;
    assert_eq!(
        estate.sources().await,
        [vec!["citrix-eu:41ba", "rds:TERM04/3"], vec!["citrix-eu:52cb"]]
    );
}

async fn later_than_a_reading() {
    later(16).await;
}

#[tokio::test(start_paused = true)]
async fn two_sessions_of_one_backend_are_never_one() {
    let estate = Estate::of(&[brokered("41ba"), brokered("52cb")]).await;
    assert_eq!(estate.sources().await, [["citrix-eu:41ba"], ["citrix-eu:52cb"]]);
    let estate = Estate::of(&[hosted("TERM04/3"), hosted("TERM04/4")]).await;
    assert_eq!(estate.sources().await, [["rds:TERM04/3"], ["rds:TERM04/4"]]);
}

#[tokio::test(start_paused = true)]
async fn the_windows_row_is_listed_where_citrix_is_not_asked_for() {
    let estate = Estate::of(&[brokered("41ba"), hosted("TERM04/3")]).await;
    let of = async |filter| {
        let page = estate.page(&everybody(), filter).await;
        assert_eq!(page.total, Some(page.rows.len()));
        let rows = page.rows.iter();
        rows.map(|it| (it.session.id.place().to_owned(), sources(it)))
            .collect::<Vec<_>>()
    };
    let both = vec!["citrix-eu:41ba".to_owned(), "rds:TERM04/3".to_owned()];
    let windows = vec![("rds:TERM04/3".to_owned(), both.clone())];
    let citrix = vec![("citrix-eu:41ba".to_owned(), both)];
    let id = |name: &str| BackendId::parse(name).expect("a name");
    let ids = |names: &[&str]| SessionFilter {
        backend_ids: Some(names.iter().map(|name| id(name)).collect()),
        ..SessionFilter::default()
    };
    assert_eq!(of(ids(&["rds"])).await, windows);
    assert_eq!(of(ids(&["citrix-eu"])).await, citrix);
    assert_eq!(of(ids(&["rds", "citrix-eu"])).await, citrix);
    let kinds = |kinds: &[BackendKind]| SessionFilter {
        backend_kinds: Some(kinds.to_vec()),
        ..SessionFilter::default()
    };
    assert_eq!(of(kinds(&[BackendKind::Windows])).await, windows);
    assert_eq!(of(kinds(BackendKind::ALL)).await, citrix);
    let filters = [
        SessionFilter {
            user: Some("anna".to_owned()),
            ..SessionFilter::default()
        },
        SessionFilter {
            machine: Some("term04".to_owned()),
            ..SessionFilter::default()
        },
    ];
    for filter in filters {
        assert_eq!(of(filter).await, citrix);
    }
    // Citrix has it as ACTIVE, so its row is not in this answer, and the agent's is.
    let disconnected = SessionFilter {
        states: Some(vec![SessionState::Disconnected]),
        ..SessionFilter::default()
    };
    assert_eq!(of(disconnected.clone()).await, windows);
    let active = SessionFilter {
        states: Some(vec![SessionState::Active]),
        ..SessionFilter::default()
    };
    assert_eq!(of(active).await, citrix);
    let on_rds = SessionFilter {
        backend_ids: Some(vec![id("rds")]),
        ..disconnected
    };
    assert_eq!(of(on_rds).await, windows);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_see_citrix_sees_the_windows_row_and_no_other_source() {
    let estate = Estate::of(&[brokered("41ba"), hosted("TERM04/3")]).await;
    let scoped = |backend: &str| caller(Role::Viewer, only(&[backend]));
    let of = async |caller: &Caller| {
        let page = estate.page(caller, SessionFilter::default()).await;
        assert_eq!(page.total, Some(1));
        page.rows.iter().map(sources).collect::<Vec<_>>()
    };
    assert_eq!(of(&scoped("rds")).await, [["rds:TERM04/3"]]);
    assert_eq!(of(&scoped("citrix-eu")).await, [["citrix-eu:41ba"]]);
    // To act is not to see.
    let mut acts_on_citrix = caller(Role::Helpdesk, only(&["citrix-eu"]));
    acts_on_citrix.grants[0]
        .permissions
        .remove(&curfew_core::Permission::SessionsRead);
    acts_on_citrix.grants.extend(scoped("rds").grants);
    assert_eq!(of(&acts_on_citrix).await, [["rds:TERM04/3"]]);
}

#[tokio::test(start_paused = true)]
async fn either_id_answers_and_names_both_sources() {
    let estate = Estate::of(&[brokered("41ba"), hosted("TERM04/3")]).await;
    let of = async |caller: &Caller, id: &SessionId| {
        let who = Authorized::ask(&BuiltInRoles, caller).expect("may see sessions");
        let listed = estate.directory.session(&who, id).await;
        listed.map(|it| (it.session.id.clone(), sources(&it)))
    };
    let both = vec!["citrix-eu:41ba".to_owned(), "rds:TERM04/3".to_owned()];
    for id in [brokered("41ba").id, hosted("TERM04/3").id] {
        assert_eq!(of(&everybody(), &id).await, Some((id.clone(), both.clone())));
    }
    let scoped = caller(Role::Viewer, only(&["rds"]));
    let id = hosted("TERM04/3").id;
    assert_eq!(
        of(&scoped, &id).await,
        Some((id, vec!["rds:TERM04/3".to_owned()]))
    );
    assert_eq!(of(&scoped, &brokered("41ba").id).await, None);
}

#[tokio::test(start_paused = true)]
async fn the_rows_of_a_failing_citrix_still_stand_for_their_twins() {
    let estate = Estate::of(&[brokered("41ba"), hosted("TERM04/3")]).await;
    estate.site.plan(Call::List, 3, Trouble::Fail(Kind::Unavailable));
    later(31).await;
    assert_eq!(
        estate.directory.reading("citrix-eu").map(|it| it.status),
        Some(ReadingStatus::Failed)
    );
    assert_eq!(estate.sources().await, [["citrix-eu:41ba", "rds:TERM04/3"]]);
    estate.site.remove(&brokered("41ba").id);
    later(31).await;
    assert_eq!(
        estate.sources().await,
        [["rds:TERM04/3"]],
        "once Citrix has it no more, what the host says is listed"
    );
}

#[tokio::test(start_paused = true)]
async fn rows_that_come_and_go_find_and_lose_their_twins() {
    let estate = Estate::of(&[hosted("TERM04/3")]).await;
    assert_eq!(estate.sources().await, [["rds:TERM04/3"]]);
    estate.site.put(brokered("41ba"));
    later(16).await;
    assert_eq!(estate.sources().await, [["citrix-eu:41ba", "rds:TERM04/3"]]);
    estate.hosts.remove(&hosted("TERM04/3").id);
    later(16).await;
    assert_eq!(estate.sources().await, [["citrix-eu:41ba"]]);
}

#[tokio::test(start_paused = true)]
async fn what_acts_show_counts_at_once() {
    let estate = Estate::of(&[brokered("41ba"), hosted("TERM04/3")]).await;
    let (broker, host) = (brokered("41ba"), hosted("TERM04/3"));
    let saw = |session: &Session, seen: bool| {
        estate.directory.saw(&session.id, seen.then_some(session));
    };
    let restated = Session {
        state: SessionState::Disconnected,
        ..broker.clone()
    };
    saw(&restated, true);
    assert_eq!(estate.sources().await, [["citrix-eu:41ba", "rds:TERM04/3"]]);
    saw(&host, true);
    assert_eq!(estate.sources().await, [["citrix-eu:41ba", "rds:TERM04/3"]]);
    saw(&broker, false);
    assert_eq!(estate.sources().await, [["rds:TERM04/3"]]);
    saw(&broker, true);
    assert_eq!(estate.sources().await, [["citrix-eu:41ba", "rds:TERM04/3"]]);
    saw(&host, false);
    assert_eq!(estate.sources().await, [["citrix-eu:41ba"]]);
    saw(&hosted("TERM04/5"), true);
    assert_eq!(estate.sources().await, [["citrix-eu:41ba", "rds:TERM04/5"]]);
}

#[tokio::test(start_paused = true)]
async fn a_pair_that_parts_leaves_the_others_as_they_are() {
    let bert = |session| with_sid(session, Some("S-1-5-21-1-2-3-9"));
    let (broker, host) = (brokered("41ba"), hosted("TERM04/3"));
    let others = [bert(brokered("52cb")), bert(hosted("TERM04/4"))];
    let estate = Estate::of(&[[broker.clone(), host].as_slice(), &others].concat()).await;
    estate.directory.saw(&broker.id, None);
    let wanted = [vec!["citrix-eu:52cb", "rds:TERM04/4"], vec!["rds:TERM04/3"]];
    assert_eq!(estate.sources().await, wanted);
    later(16).await;
    estate.directory.saw(&others[0].id, None);
    let wanted = [vec!["citrix-eu:41ba", "rds:TERM04/3"], vec!["rds:TERM04/4"]];
    assert_eq!(estate.sources().await, wanted);
}

#[tokio::test(start_paused = true)]
async fn pairs_stand_when_many_changes_are_folded() {
    let of = |n: usize, session: Session| with_sid(session, Some(&format!("S-1-5-21-1-2-3-{n}")));
    let pair = |n: usize| {
        [
            of(n, brokered(&format!("c{n:04}"))),
            of(n, hosted(&format!("TERM04/{n}"))),
        ]
    };
    let estate = Estate::of(&(0..1_200).flat_map(pair).collect::<Vec<_>>()).await;
    let listed = async || {
        let caller = everybody();
        let who = Authorized::ask(&BuiltInRoles, &caller).expect("may see sessions");
        let query = ListQuery {
            page: PageSpec::First(2_000, None),
            ..everything()
        };
        let page = estate.directory.page(&who, &query).await;
        let two = page.rows.iter().filter(|row| row.sources().count() == 2);
        (page.total, page.rows.len(), two.count())
    };
    assert_eq!(listed().await, (Some(1_200), 1_200, 1_200));
    // More than are kept as patches.
    for n in (0..1_200).step_by(2) {
        pair(n).iter().for_each(|it| estate.directory.saw(&it.id, None));
    }
    assert_eq!(listed().await, (Some(600), 600, 600));
    estate.directory.saw(&pair(1)[0].id, None);
    assert_eq!(listed().await, (Some(600), 600, 599), "its Windows row is left");
    later(16).await;
    assert_eq!(listed().await, (Some(1_200), 1_200, 1_200));
}

#[tokio::test(start_paused = true)]
async fn pages_are_full_and_hold_each_session_once_where_hidden_rows_lie_between() {
    // By user and id, each hidden row comes right after its twin, or after all of them.
    let user = |n: usize, session: Session| {
        let session = with_sid(session, Some(&format!("S-1-5-21-1-2-3-{n}")));
        let name = format!("user{}", n / 3);
        let user = SessionUser {
            name,
            ..session.user.clone()
        };
        Session { user, ..session }
    };
    let mut all = Vec::new();
    for n in 0..12 {
        all.push(user(n, brokered(&format!("c{n:02}"))));
        all.push(user(n, hosted(&format!("TERM04/{n}"))));
    }
    all.push(user(99, hosted("TERM04/99")));
    let estate = Estate::of(&all).await;
    for size in 1..=14 {
        for backwards in [false, true] {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let query = ListQuery {
                    page: if backwards {
                        PageSpec::Last(size, cursor)
                    } else {
                        PageSpec::First(size, cursor)
                    },
                    ..everything()
                };
                let (caller, order) = (everybody(), query.order);
                let who = Authorized::ask(&BuiltInRoles, &caller).expect("may see sessions");
                let page = estate.directory.page(&who, &query).await;
                assert_eq!(page.total, Some(13));
                let more = if backwards {
                    page.has_previous
                } else {
                    page.has_next
                };
                assert_eq!(page.rows.len(), size.min(13 - seen.len()), "{size}: a full page");
                assert_eq!(more, seen.len() + page.rows.len() < 13, "{size}");
                let end = if backwards {
                    page.rows.first()
                } else {
                    page.rows.last()
                };
                cursor = end.map(|row| Cursor::of(row, order));
                seen.extend(page.rows.iter().map(|it| it.session.id.clone()));
                if !more {
                    break;
                }
            }
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 13, "{size}");
            let hidden = seen.iter().filter(|id| id.backend_str() == "rds").count();
            assert_eq!(hidden, 1, "the one that Citrix does not know");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_the_agent_knows_finds_the_agents_row() {
    let (broker, host) = (brokered("41ba"), hosted("TERM04/3"));
    let broker = on_machine(broker, Some("TERM04"), None);
    let broker = Session {
        user: SessionUser {
            upn: None,
            ..broker.user.clone()
        },
        ..broker
    };
    let host = Session {
        idle_seconds: Some(900),
        ..host
    };
    let estate = Estate::of(&[broker, host]).await;
    let all = SessionFilter::default();
    let filters = [
        SessionFilter {
            idle_longer_than_seconds: Some(600),
            ..all.clone()
        },
        SessionFilter {
            machine: Some("term04.corp.example".to_owned()),
            ..all.clone()
        },
        SessionFilter {
            user: Some("anna@corp.example".to_owned()),
            ..all.clone()
        },
        SessionFilter {
            search: Some("anna@corp.example".to_owned()),
            ..all.clone()
        },
    ];
    for filter in filters {
        let page = estate.page(&everybody(), filter.clone()).await;
        let rows: Vec<_> = page.rows.iter().map(|it| it.session.id.place()).collect();
        assert_eq!((rows, page.total), (vec!["rds:TERM04/3"], Some(1)), "{filter:?}");
        assert_eq!(sources(&page.rows[0]), ["citrix-eu:41ba", "rds:TERM04/3"]);
        assert!(!page.has_next);
    }
    let page = estate.page(&everybody(), all).await;
    assert_eq!((page.rows.len(), page.total), (1, Some(1)));
    assert_eq!(page.rows[0].session.id.place(), "citrix-eu:41ba");
}
