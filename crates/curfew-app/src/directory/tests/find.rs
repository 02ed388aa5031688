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

fn one(session: &Session) -> Found {
    Found::One(session.id.clone())
}

fn several(sessions: &[&Session]) -> Found {
    let mut ids: Vec<_> = sessions.iter().map(|it| it.id.clone()).collect();
    ids.sort();
    Found::Several {
        count: ids.len(),
        ids,
    }
}

#[tokio::test(start_paused = true)]
async fn a_bare_id_is_the_whole_name_or_its_last_part_on_vpns_alone() {
    let estate = Estate::new();
    let (anna, odd) = (tunnel("71/sess_abc"), tunnel("72/säss 1%"));
    estate.vpn.put(anna.clone());
    estate.vpn.put(odd.clone());
    estate.rds.put(hosted("rds", "TERM04", 3, None));
    let estate = estate.read().await;
    for (native, found) in [
        ("sess_abc", one(&anna)),
        ("71/sess_abc", one(&anna)),
        ("säss 1%", one(&odd)),
        ("SESS_ABC", Found::Nothing),
        ("ess_abc", Found::Nothing),
        ("71", Found::Nothing),
        ("71/", Found::Nothing),
        ("", Found::Nothing),
        ("TERM04/3", Found::Nothing),
        ("3", Found::Nothing),
        ("term04", Found::Nothing),
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
    assert_eq!(estate.bare("sess_abc").await, several(&[&a, &b]));
    assert_eq!(estate.bare("72/sess_abc").await, one(&b));
    estate.directory.saw(&a.id, None);
    assert_eq!(estate.bare("sess_abc").await, one(&b), "what acts show counts");
    estate.directory.saw(&a.id, Some(&a));
    assert_eq!(estate.bare("sess_abc").await, several(&[&a, &b]));
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
        assert_eq!(estate.named(server, "RDP-Tcp#3").await, one(&anna), "{server}");
        assert_eq!(estate.named(server, "rdp-tcp#3").await, one(&anna), "{server}");
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
            Found::Nothing,
            "{server}/{number}"
        );
    }
    for name in ["RDP-Tcp", "RDP-Tcp#33", "RDP-Tcp#3 ", "", "12"] {
        assert_eq!(estate.named("TERM04", name).await, Found::Nothing, "{name}");
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
    assert_eq!(estate.numbered("TERM04", 12).await, several(&[&here, &there]));
    assert_eq!(estate.named("TERM04", "console").await, several(&[&here, &there]));
    assert_eq!(
        estate.numbered("TERM04", 13).await,
        several(&[&other]),
        "it may have been meant on the other host"
    );
    assert_eq!(estate.numbered("TERM04", 14).await, Found::Nothing);
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
    assert_eq!(estate.numbered("TERM04", 12).await, several(&[&here]));
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
    assert_eq!(estate.named("TERM04", "Console").await, one(&anna));
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
    assert_eq!(estate.bare("sess_new").await, Found::Nothing);
    assert_eq!(before.elapsed(), Duration::from_secs(3));
    estate.vpn.release();

    estate.rds.plan(Call::List, 5, Trouble::Fail(Kind::Unavailable));
    let before = Instant::now();
    assert_eq!(estate.numbered("TERM04", 12).await, Found::Nothing);
    assert_eq!(before.elapsed(), Duration::ZERO, "a failure keeps nobody waiting");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_for_who_may_find_nothing() {
    let estate = Estate::new();
    estate.vpn.put(tunnel("71/sess_abc"));
    let estate = estate.read().await;
    let name = TargetName::Bare("sess_abc".to_owned());
    assert_eq!(estate.directory.find(|_| false, &name).await, Found::Nothing);
    assert_eq!(estate.vpn.calls(Call::List), 1);
}
