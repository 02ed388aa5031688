//! The directory: when backends are read, what is shown while they are not, and pages over it all.

use curfew_core::fakes::backend::{Call, Trouble, session};
use curfew_core::fakes::{FakeBackend, MockClock};
use curfew_core::{BackendErrorKind as Kind, Caller, Role, Scope, SessionState};

use super::*;
use crate::policy::BuiltInRoles;
use crate::testing::{INTERVAL, anna, caller, later, only};

mod board;
mod filters;
mod find;
mod marks;
mod pages;
mod patches;
mod refresh;
mod twins;

/// A directory of fakes.
struct Fixture {
    site: Arc<FakeBackend>,
    other: Arc<FakeBackend>,
    directory: Arc<Directory>,
    tasks: TaskTracker,
    stop: CancellationToken,
    viewer: Caller,
}

impl Fixture {
    /// `site-a` with Anna, `site-b` with Bert; nothing is read yet.
    fn new() -> Self {
        let clock = Arc::new(MockClock::following_tokio());
        let site = Arc::new(FakeBackend::new("site-a", clock.clone()));
        let other = Arc::new(FakeBackend::new("site-b", clock.clone()));
        site.put(anna());
        other.put(session("site-b", "7", "bert", 1));
        let backends: Vec<(Arc<dyn SessionBackend>, Duration)> =
            vec![(other.clone(), INTERVAL), (site.clone(), INTERVAL)];
        Self {
            site,
            other,
            directory: Arc::new(Directory::new(backends, Arc::new(BuiltInRoles), clock)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            viewer: caller(Role::Viewer, Scope::All),
        }
    }

    fn start(&self) {
        self.directory.start(&self.tasks, &self.stop);
    }

    /// The same, read once.
    async fn read() -> Self {
        let fixture = Self::new();
        fixture.start();
        fixture.directory.first_readings(Duration::from_secs(1)).await;
        fixture
    }

    async fn page(&self, query: &ListQuery) -> Page {
        self.page_for(&self.viewer, query).await
    }

    async fn page_for(&self, caller: &Caller, query: &ListQuery) -> Page {
        let who = Authorized::ask(&BuiltInRoles, caller).expect("may see sessions");
        self.directory.page(&who, query).await
    }

    /// The users on the first page, as they come.
    async fn users(&self) -> Vec<String> {
        users(&self.page(&everything()).await)
    }

    fn reading(&self, backend: &str) -> BackendReading {
        self.directory.reading(backend).expect("it is configured")
    }

    fn status(&self, backend: &str) -> ReadingStatus {
        self.reading(backend).status
    }
}

fn everything() -> ListQuery {
    ListQuery {
        filter: SessionFilter::default(),
        order: SessionOrder::default(),
        page: PageSpec::First(50, None),
        max_age: None,
        count: true,
    }
}

fn fresh() -> ListQuery {
    ListQuery {
        max_age: Some(Duration::ZERO),
        ..everything()
    }
}

fn users(page: &Page) -> Vec<String> {
    page.rows
        .iter()
        .map(|row| row.session.user.name.clone())
        .collect()
}
