//! The directory's hot paths: a page, a page of one user, a search; out of 1,000 and 100,000 sessions, alone and beside
//! as many that the hosts' agents report too.
//!
//! Not the cost of a whole request (`cargo xtask bench listing` measures that on a real process).
//! Invariant: sizes are compared inside one run; a bare time means nothing elsewhere.

#![expect(missing_docs, reason = "criterion's macros make public items without docs")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use curfew_app::{
    Authorized, BuiltInRoles, Cursor, Directory, ListQuery, OrderField, PageSpec, SessionOrder, ViewSessions,
    directory::Direction,
};
use curfew_core::{
    Actor, BackendError, BackendId, BackendKind, Caller, Capabilities, Clock as _, Evidence, Generation,
    Grant, JobRef, Listing, Part, PartHealth, PartName, Progress, ReadCtx, Recorded, Reply, Role, Scope,
    Session, SessionAction, SessionApplication, SessionBackend, SessionClient, SessionFilter, SessionId,
    SessionKind, SessionMachine, SessionProtocol, SessionState, SessionUser, Sight, Started, SystemClock,
};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A backend that always lists the same sessions.
struct Still {
    id: BackendId,
    kind: BackendKind,
    sessions: Vec<Session>,
}

impl Still {
    fn new(n: usize) -> Self {
        let id = BackendId::parse("citrix-eu").expect("a name");
        let now = SystemClock.now();
        let session = |i: usize| Session {
            id: SessionId::new(
                &id,
                &format!("{i:08x}-0000-4000-8000-000000000000"),
                Generation::of(&[None]),
            )
            .expect("an id"),
            part: PartName::new("site"),
            kind: SessionKind::Desktop,
            state: if i.is_multiple_of(3) {
                SessionState::Disconnected
            } else {
                SessionState::Active
            },
            protocol: SessionProtocol::Hdx,
            user: SessionUser {
                name: format!("user{}", i.wrapping_mul(2_654_435_761) % 50_000),
                domain: Some("CORP".into()),
                upn: Some(format!("user{i}@corp.example")),
                sid: Some(format!("S-1-5-21-1-2-3-{i}")),
                display_name: Some(format!("User {i}")),
            },
            machine: SessionMachine {
                name: Some(format!("VDA{}", i / 20)),
                ..SessionMachine::default()
            },
            client: SessionClient {
                address: Some("10.1.2.3".into()),
                ..SessionClient::default()
            },
            virtual_addresses: vec![],
            applications: vec![SessionApplication {
                id: None,
                name: "Notepad".into(),
            }],
            started_at: Some(now - chrono::TimeDelta::seconds(i as i64)),
            state_changed_at: Some(now),
            idle_seconds: None,
            bytes_received: None,
            bytes_sent: None,
            session_name: None,
            protected: false,
            observed_at: now,
        };
        Self {
            sessions: (0..n).map(session).collect(),
            kind: BackendKind::Citrix,
            id: id.clone(),
        }
    }

    /// The agents on the hosts of these sessions, which report them all.
    fn agents(&self) -> Self {
        let id = BackendId::parse("rds").expect("a name");
        let reported = |(i, session): (usize, &Session)| {
            let host = session.machine.name.clone().unwrap_or_default();
            Session {
                id: SessionId::new(&id, &format!("{host}/{i}"), Generation::of(&[None])).expect("an id"),
                part: PartName::new(&host),
                ..session.clone()
            }
        };
        Self {
            sessions: self.sessions.iter().enumerate().map(reported).collect(),
            kind: BackendKind::Windows,
            id: id.clone(),
        }
    }
}

#[async_trait]
impl SessionBackend for Still {
    fn id(&self) -> &BackendId {
        &self.id
    }
    fn kind(&self) -> BackendKind {
        self.kind
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    async fn list(&self, _: &ReadCtx) -> Result<Listing, BackendError> {
        let parts = vec![Part {
            name: PartName::new("site"),
            outcome: Ok(SystemClock.now()),
        }];
        Ok(Listing {
            sessions: self.sessions.iter().cloned().map(Box::new).collect(),
            parts,
        })
    }
    async fn get(&self, _: &SessionId, _: &ReadCtx) -> Result<Reply<Sight>, BackendError> {
        Ok(Reply {
            value: Sight::Gone,
            evidence: Evidence::default(),
        })
    }
    async fn start(&self, _: Recorded<SessionAction>) -> Result<Reply<Started>, BackendError> {
        Ok(Reply {
            value: Started::Done,
            evidence: Evidence::default(),
        })
    }
    async fn poll(&self, _: &JobRef, _: &ReadCtx) -> Result<Reply<Progress>, BackendError> {
        Ok(Reply {
            value: Progress::Lost,
            evidence: Evidence::default(),
        })
    }
    async fn check(&self, _: &ReadCtx) -> Result<Vec<PartHealth>, BackendError> {
        Ok(vec![])
    }
}

fn viewer() -> Caller {
    Caller {
        actor: Actor {
            issuer: "bench".into(),
            subject: "bench".into(),
            name: "bench".into(),
        },
        roles: vec![Role::Viewer],
        grants: vec![Grant::role(Role::Viewer, Scope::All)],
    }
}

fn query(filter: SessionFilter, order: SessionOrder, after: Option<Cursor>) -> ListQuery {
    ListQuery {
        filter,
        order,
        page: PageSpec::First(100, after),
        max_age: None,
        count: false,
    }
}

/// A directory that has read these backends.
fn read(runtime: &Runtime, backends: Vec<Still>) -> Directory {
    let entry = |it: Still| (Arc::new(it) as Arc<dyn SessionBackend>, Duration::from_secs(3600));
    let backends = backends.into_iter().map(entry).collect();
    let directory = Directory::new(backends, Arc::new(BuiltInRoles), Arc::new(SystemClock));
    runtime.block_on(async {
        directory.start(&TaskTracker::new(), &CancellationToken::new());
        directory.first_readings(Duration::from_secs(60)).await;
    });
    directory
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut group = c.benchmark_group("directory");
    for n in [1_000, 100_000] {
        let directory = read(&runtime, vec![Still::new(n)]);
        let caller = viewer();
        let who = Authorized::<ViewSessions>::ask(&BuiltInRoles, &caller).expect("may see");
        let by_start = SessionOrder {
            field: OrderField::StartedAt,
            direction: Direction::Descending,
        };
        let everything = SessionFilter::default();
        let middle = runtime.block_on(async {
            let page = directory
                .page(&who, &query(everything.clone(), by_start, None))
                .await;
            Cursor::of(&page.rows[50], by_start)
        });
        let mut bench = |name: &str, query: ListQuery| {
            group.bench_with_input(BenchmarkId::new(name, n), &query, |b, query| {
                b.iter(|| black_box(runtime.block_on(directory.page(&who, query))));
            });
        };
        bench(
            "page of 100",
            query(everything.clone(), SessionOrder::default(), None),
        );
        bench(
            "page of 100 after a cursor, by start",
            query(everything.clone(), by_start, Some(middle)),
        );
        let user = SessionFilter {
            user: Some("CORP\\user17".into()),
            ..everything.clone()
        };
        bench("page of one user", query(user, SessionOrder::default(), None));
        let rare = SessionFilter {
            search: Some("user4711 vda".into()),
            ..everything
        };
        bench(
            "search that must look at every row",
            query(rare, SessionOrder::default(), None),
        );
    }
    group.finish();
    twins(c, &runtime);
}

/// Pages where every other row is hidden, and one where as many as there are lie between two that are listed.
fn twins(c: &mut Criterion, runtime: &Runtime) {
    let mut group = c.benchmark_group("directory beside as many twins");
    let (caller, everything) = (viewer(), SessionFilter::default());
    let who = Authorized::<ViewSessions>::ask(&BuiltInRoles, &caller).expect("may see");
    let by_state = SessionOrder {
        field: OrderField::State,
        direction: Direction::Ascending,
    };
    for n in [1_000, 100_000] {
        let site = Still::new(n);
        let agents = site.agents();
        let directory = read(runtime, vec![site, agents]);
        let active = SessionFilter {
            states: Some(vec![SessionState::Active]),
            ..everything.clone()
        };
        let backwards = ListQuery {
            page: PageSpec::Last(1, None),
            ..query(active, by_state, None)
        };
        let last = runtime.block_on(directory.page(&who, &backwards));
        let last = Cursor::of(&last.rows[0], by_state);
        let counted = ListQuery {
            count: true,
            ..query(everything.clone(), SessionOrder::default(), None)
        };
        for (name, query) in [
            ("page of 100, counted", counted),
            (
                "page of 100 by state, after the last active one",
                query(everything.clone(), by_state, Some(last)),
            ),
        ] {
            group.bench_with_input(BenchmarkId::new(name, n), &query, |b, query| {
                b.iter(|| black_box(runtime.block_on(directory.page(&who, query))));
            });
        }
    }
    group.finish();
}

criterion_group!(directory, benches);
criterion_main!(directory);
