//! Sessions that are named without their ids: bare VPN ids, and host with name or number.

use curfew_core::{PartName, SessionMachine};

use super::*;

/// A VPN and two Windows backends, and a Citrix site with the same names.
struct Estate {
    vpn: Arc<FakeBackend>,
    rds: Arc<FakeBackend>,
    branch: Arc<FakeBackend>,
    directory: Arc<Directory>,
}

/// A session on a host.
fn hosted(backend: &str, host: &str, number: u32, name: Option<&str>) -> Session {
    Session {
        part: PartName::new(host),
        session_name: name.map(str::to_owned),
        machine: SessionMachine {
            name: Some(host.to_owned()),
            dns_name: Some(format!("{}.{backend}.example", host.to_lowercase())),
            address: None,
        },
        ..session(backend, &format!("{host}/{number}"), "anna", number)
    }
}

fn tunnel(native: &str) -> Session {
    session("vpn-hq", native, "anna", 1)
}

impl Estate {
    fn new() -> Self {
        let clock = Arc::new(MockClock::following_tokio());
        let of = |name: &str, kind| Arc::new(FakeBackend::new(name, clock.clone()).with_kind(kind));
        let site = of("citrix-eu", BackendKind::Citrix);
        let vpn = of("vpn-hq", BackendKind::Orbnet);
        let rds = of("rds", BackendKind::Windows);
        let branch = of("branch", BackendKind::Windows);
        site.put(Session {
            part: PartName::new("TERM04"),
            session_name: Some("RDP-Tcp#3".to_owned()),
            ..session("citrix-eu", "TERM04/3", "anna", 1)
        });
        let backends =
            [&site, &vpn, &rds, &branch].map(|it| (it.clone() as Arc<dyn SessionBackend>, INTERVAL));
        let directory = Arc::new(Directory::new(backends.into(), Arc::new(BuiltInRoles), clock));
        Self {
            vpn,
            rds,
            branch,
            directory,
        }
    }

    /// Reads every backend once, and lets what was asked for then be two seconds ago.
    async fn read(self) -> Self {
        self.directory
            .start(&TaskTracker::new(), &CancellationToken::new());
        self.directory.first_readings(Duration::from_secs(1)).await;
        later(3).await;
        self
    }

    async fn bare(&self, native: &str) -> Found {
        let name = TargetName::Bare(native.to_owned());
        self.directory.find(|_| true, &name).await
    }

    async fn named(&self, server: &str, name: &str) -> Found {
        let name = TargetName::Named {
            server: server.to_owned(),
            session_name: name.to_owned(),
        };
        self.directory.find(|_| true, &name).await
    }

    async fn numbered(&self, server: &str, session_id: u16) -> Found {
        let name = TargetName::Numbered {
            server: server.to_owned(),
            session_id,
        };
        self.directory.find(|_| true, &name).await
    }
}

/// Nothing, though all that it may be in was read.
const NOTHING: Found = Found::Nothing { unread: Vec::new() };

fn unread(backend: &str, part: Option<&str>) -> Unread {
    Unread {
        backend: BackendId::parse(backend).expect("a backend's name"),
        part: part.map(PartName::new),
    }
}

fn nothing_but(unread: &[Unread]) -> Found {
    Found::Nothing {
        unread: unread.to_vec(),
    }
}

fn one(session: &Session) -> Found {
    Found::One(Meant {
        session: session.id.clone(),
        named_as: None,
    })
}

/// The same, with the name that was asked for.
fn one_named(session: &Session, name: &str) -> Found {
    Found::One(Meant {
        session: session.id.clone(),
        named_as: Some(name.to_owned()),
    })
}

fn several(hosts: usize, sessions: &[&Session]) -> Found {
    let mut ids: Vec<_> = sessions.iter().map(|it| it.id.clone()).collect();
    ids.sort();
    Found::Several {
        count: ids.len(),
        hosts,
        ids,
    }
}

#[tokio::test(start_paused = true)]
async fn a_bare_id_is_the_whole_name_or_what_follows_its_user_on_vpns_alone() {
    let estate = Estate::new();
    let (anna, odd) = (tunnel("71/sess_abc"), tunnel("72/säss 1%"));
    let slashed = tunnel("71/a/b");
    for session in [&anna, &odd, &slashed] {
        estate.vpn.put(session.clone());
    }
    estate.rds.put(hosted("rds", "TERM04", 3, None));
    let estate = estate.read().await;
    for (native, found) in [
        ("sess_abc", one(&anna)),
        ("71/sess_abc", one(&anna)),
        ("säss 1%", one(&odd)),
        ("a/b", one(&slashed)),
        ("71/a/b", one(&slashed)),
        ("b", NOTHING),
        ("SESS_ABC", NOTHING),
        ("ess_abc", NOTHING),
        ("71", NOTHING),
        ("71/", NOTHING),
        ("", NOTHING),
        ("TERM04/3", NOTHING),
        ("3", NOTHING),
        ("term04", NOTHING),
    ] {
        assert_eq!(estate.bare(native).await, found, "{native}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bare_id_that_two_sessions_have_finds_neither() {
    let estate = Estate::new();
    let (a, b) = (tunnel("71/sess_abc"), tunnel("72/sess_abc"));
    estate.vpn.put(a.clone());
    estate.vpn.put(b.clone());
    let estate = estate.read().await;
    assert_eq!(estate.bare("sess_abc").await, several(0, &[&a, &b]));
    assert_eq!(estate.bare("72/sess_abc").await, one(&b));
    estate.directory.saw(&a.id, None);
    assert_eq!(estate.bare("sess_abc").await, one(&b), "what acts show counts");
    estate.directory.saw(&a.id, Some(&a));
    assert_eq!(estate.bare("sess_abc").await, several(0, &[&a, &b]));
}

#[tokio::test(start_paused = true)]
async fn a_host_is_known_by_its_short_and_its_dns_name() {
    let estate = Estate::new();
    let anna = hosted("rds", "TERM04", 12, Some("RDP-Tcp#3"));
    estate.rds.put(anna.clone());
    estate.rds.put(hosted("rds", "TERM04", 1, Some("Console")));
    estate.rds.put(hosted("rds", "TERM04", 13, None));
    estate.rds.put(hosted("rds", "TERM05", 12, Some("RDP-Tcp#3")));
    let estate = estate.read().await;
    for server in [
        "TERM04",
        "term04",
        "Term04",
        "term04.rds.example",
        "TERM04.RDS.EXAMPLE",
    ] {
        assert_eq!(estate.numbered(server, 12).await, one(&anna), "{server}");
        assert_eq!(
            estate.named(server, "RDP-Tcp#3").await,
            one_named(&anna, "RDP-Tcp#3"),
            "{server}"
        );
        assert_eq!(
            estate.named(server, "rdp-tcp#3").await,
            one_named(&anna, "rdp-tcp#3"),
            "{server}"
        );
    }
    for (server, number) in [
        ("TERM0", 12),
        ("TERM04.", 12),
        ("rds.example", 12),
        ("TERM04", 2),
        ("TERM06", 12),
        ("TERM04/12", 12),
        ("", 12),
    ] {
        assert_eq!(
            estate.numbered(server, number).await,
            NOTHING,
            "{server}/{number}"
        );
    }
    for name in ["RDP-Tcp", "RDP-Tcp#33", "RDP-Tcp#3 ", "", "12"] {
        assert_eq!(estate.named("TERM04", name).await, NOTHING, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_name_of_several_hosts_finds_nothing_on_any() {
    let estate = Estate::new();
    let here = hosted("rds", "TERM04", 12, Some("Console"));
    let there = hosted("branch", "term04", 12, Some("Console"));
    let other = hosted("branch", "term04", 13, None);
    estate.rds.put(here.clone());
    estate.branch.put(there.clone());
    estate.branch.put(other.clone());
    let estate = estate.read().await;
    assert_eq!(estate.numbered("TERM04", 12).await, several(2, &[&here, &there]));
    assert_eq!(
        estate.named("TERM04", "console").await,
        several(2, &[&here, &there])
    );
    assert_eq!(
        estate.numbered("TERM04", 13).await,
        several(2, &[&other]),
        "it may have been meant on the other host"
    );
    assert_eq!(estate.numbered("TERM04", 14).await, NOTHING);
    assert_eq!(estate.numbered("term04.branch.example", 12).await, one(&there));

    let name = TargetName::Numbered {
        server: "TERM04".to_owned(),
        session_id: 12,
    };
    let found = estate.directory.find(|backend| backend == "rds", &name).await;
    assert_eq!(found, one(&here), "what is hidden does not exist");
}

#[tokio::test(start_paused = true)]
async fn a_host_without_sessions_counts_as_a_host() {
    let estate = Estate::new();
    let here = hosted("rds", "TERM04", 12, None);
    let idle = hosted("branch", "TERM04", 7, None);
    estate.rds.put(here.clone());
    estate.branch.put(idle.clone());
    estate.branch.remove(&idle.id);
    let estate = estate.read().await;
    assert_eq!(estate.numbered("TERM04", 12).await, several(2, &[&here]));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_looked_for_once_more_in_a_fresh_reading() {
    let estate = Estate::new().read().await;
    let (tunnel, anna) = (
        tunnel("71/sess_new"),
        hosted("rds", "TERM04", 12, Some("Console")),
    );
    estate.vpn.put(tunnel.clone());
    estate.rds.put(anna.clone());
    assert_eq!(estate.bare("sess_new").await, one(&tunnel));
    assert_eq!(estate.vpn.calls(Call::List), 2);
    assert_eq!(estate.rds.calls(Call::List), 1, "only where it may be");
    assert_eq!(estate.numbered("TERM04", 12).await, one(&anna));
    assert_eq!(
        estate.named("TERM04", "Console").await,
        one_named(&anna, "Console")
    );
    assert_eq!(
        (estate.rds.calls(Call::List), estate.branch.calls(Call::List)),
        (2, 2)
    );
    assert_eq!(estate.vpn.calls(Call::List), 2, "what is there is not read for");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_reading_is_waited_for_three_seconds() {
    let estate = Estate::new().read().await;
    estate.vpn.plan(Call::List, 1, Trouble::Hang);
    let before = Instant::now();
    let unread_vpn = nothing_but(&[unread("vpn-hq", None)]);
    assert_eq!(estate.bare("sess_new").await, unread_vpn);
    assert_eq!(before.elapsed(), Duration::from_secs(3));
    estate.vpn.release();

    estate.rds.plan(Call::List, 5, Trouble::Fail(Kind::Unavailable));
    let before = Instant::now();
    assert_eq!(
        estate.numbered("TERM04", 12).await,
        nothing_but(&[unread("rds", None)]),
        "the other one was read"
    );
    assert_eq!(before.elapsed(), Duration::ZERO, "a failure keeps nobody waiting");
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_may_have_what_is_not_found() {
    let estate = Estate::new();
    estate.vpn.put(tunnel("71/sess_abc"));
    estate.rds.put(hosted("rds", "TERM04", 12, Some("Console")));
    estate.rds.put(hosted("rds", "TERM05", 12, Some("Console")));
    let estate = estate.read().await;
    estate.rds.fail_part("TERM04", Kind::Unavailable);
    later(16).await;
    let host = nothing_but(&[unread("rds", Some("TERM04"))]);
    for server in ["term04", "TERM04.rds.example"] {
        assert_eq!(estate.numbered(server, 13).await, host, "{server}");
    }
    assert_eq!(estate.numbered("TERM05", 13).await, NOTHING, "its host was read");
    assert_eq!(
        estate.numbered("TERM04", 12).await,
        one(&hosted("rds", "TERM04", 12, None)),
        "what is known counts"
    );
    assert_eq!(estate.bare("sess_new").await, NOTHING);
    estate.vpn.fail_part("site", Kind::Unavailable);
    later(3).await;
    let hub = nothing_but(&[unread("vpn-hq", Some("site"))]);
    assert_eq!(estate.bare("sess_new").await, hub, "it may be on any part");
    let name = TargetName::Bare("sess_new".to_owned());
    let hidden = estate.directory.find(|backend| backend != "vpn-hq", &name).await;
    assert_eq!(hidden, NOTHING, "what is hidden is not looked through");
}

#[tokio::test(start_paused = true)]
async fn right_after_a_start_every_backend_is_waited_for_three_seconds() {
    let (here, there) = (
        hosted("rds", "TERM04", 12, None),
        hosted("branch", "TERM04", 12, None),
    );
    for answers in [true, false] {
        let estate = Estate::new();
        estate.rds.put(here.clone());
        estate.branch.put(there.clone());
        estate.branch.plan(Call::List, 1, Trouble::Hang);
        let before = Instant::now();
        estate
            .directory
            .start(&TaskTracker::new(), &CancellationToken::new());
        let branch = estate.branch.clone();
        tokio::spawn(async move {
            later(if answers { 1 } else { 9 }).await;
            branch.release();
        });
        let (found, waited) = (estate.numbered("TERM04", 12).await, before.elapsed());
        if answers {
            assert_eq!((found, waited.as_secs()), (several(2, &[&here, &there]), 1));
        } else {
            assert_eq!((found, waited.as_secs()), (one(&here), 3), "what is known counts");
        }
    }
    let estate = Estate::new();
    estate.rds.plan(Call::List, 1, Trouble::Hang);
    let before = Instant::now();
    estate
        .directory
        .start(&TaskTracker::new(), &CancellationToken::new());
    let found = estate.numbered("TERM04", 12).await;
    assert_eq!(found, nothing_but(&[unread("rds", None)]));
    assert_eq!(
        before.elapsed(),
        Duration::from_secs(6),
        "and as long for a fresh one"
    );
}

#[tokio::test(start_paused = true)]
async fn what_can_be_no_id_is_not_looked_for() {
    let estate = Estate::new();
    let odd = tunnel("71/a\u{FFFD}b");
    estate.vpn.put(odd.clone());
    let estate = estate.read().await;
    assert_eq!(estate.bare("a\u{FFFD}b").await, one(&odd));
    let long = "ä".repeat(257);
    for (text, kept) in [
        ("a\0b", "a\u{FFFD}b"),
        ("a\nb", "a\u{FFFD}b"),
        (&*long, &long[..512]),
    ] {
        let name = TargetName::bare(text.to_owned());
        assert_eq!(name.to_string(), kept);
        assert_eq!(estate.directory.find(|_| true, &name).await, NOTHING);
    }
    assert_eq!(estate.vpn.calls(Call::List), 1);
    let longest = TargetName::bare("x".repeat(512));
    assert_eq!(longest, TargetName::Bare("x".repeat(512)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_for_who_may_find_nothing() {
    let estate = Estate::new();
    estate.vpn.put(tunnel("71/sess_abc"));
    let estate = estate.read().await;
    let name = TargetName::Bare("sess_abc".to_owned());
    assert_eq!(estate.directory.find(|_| false, &name).await, NOTHING);
    assert_eq!(estate.vpn.calls(Call::List), 1);
}
