//! Pages over several backends against a naive model: every row once, in order, in both directions.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use curfew_core::SessionMachine;
use curfew_core::fakes::store_contract::sample::at;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::page::{count, page};
use super::super::seen::Seen;
use super::super::snapshot::{Snapshot, View};
use super::*;

/// A session that shares its keys with many others.
#[derive(Debug, Clone)]
struct Seed {
    user: &'static str,
    machine: Option<&'static str>,
    started: Option<i64>,
    state: SessionState,
}

fn seed() -> impl Strategy<Value = Seed> {
    (
        select(vec!["anna", "Anna", "bert", "carl", "Ärmel", "ärmel", ""]),
        select(vec![None, Some("TERM04"), Some("term04"), Some("vda1"), Some("")]),
        select(vec![None, Some(-5), Some(0), Some(1), Some(2)]),
        select(SessionState::ALL.to_vec()),
    )
        .prop_map(|(user, machine, started, state)| Seed {
            user,
            machine,
            started,
            state,
        })
}

/// What befalls a row.
#[derive(Debug, Clone)]
enum Change {
    Gone,
    Restated(Seed),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![Just(Change::Gone), seed().prop_map(Change::Restated)]
}

fn grown(backend: usize, number: usize, seed: &Seed) -> Session {
    Session {
        state: seed.state,
        machine: SessionMachine {
            name: seed.machine.map(str::to_owned),
            ..SessionMachine::default()
        },
        started_at: seed.started.map(at),
        ..session(
            ["site-a", "site-b", "site-c"][backend],
            &format!("N{number}"),
            seed.user,
            1,
        )
    }
}

/// The views of three backends, and the plain sessions that are in them.
struct World {
    views: Vec<Arc<View>>,
    sessions: BTreeMap<SessionId, Session>,
}

impl World {
    fn new(backends: &[Vec<Seed>]) -> Self {
        let mut sessions = BTreeMap::new();
        let mut views = Vec::new();
        for (backend, seeds) in backends.iter().enumerate() {
            let grown: Vec<_> = seeds
                .iter()
                .enumerate()
                .map(|(number, seed)| grown(backend, number, seed))
                .collect();
            let rows = grown
                .iter()
                .map(|it| Arc::new(Row::new(it.clone(), BackendKind::Citrix)))
                .collect();
            let base = Arc::new(Snapshot::new(rows));
            let patches = Default::default();
            views.push(Arc::new(View { base, patches }));
            sessions.extend(grown.into_iter().map(|it| (it.id.clone(), it)));
        }
        Self { views, sessions }
    }

    /// The views with nothing hidden.
    fn seen(&self) -> Vec<Seen<'_>> {
        self.views.iter().map(|view| Seen::whole(view)).collect()
    }

    /// Changes row `number` of a backend, or lets it appear.
    fn change(&mut self, backend: usize, number: usize, change: &Change) -> SessionId {
        let restated = match change {
            Change::Gone => None,
            Change::Restated(seed) => Some(grown(backend, number, seed)),
        };
        let any = Seed {
            user: "",
            machine: None,
            started: None,
            state: SessionState::Active,
        };
        let id = grown(backend, number, &any).id;
        let row = restated
            .clone()
            .map(|it| Arc::new(Row::new(it, BackendKind::Citrix)));
        self.views[backend] = Arc::new(self.views[backend].patched(&id, row));
        match restated {
            Some(session) => self.sessions.insert(id.clone(), session),
            None => self.sessions.remove(&id),
        };
        id
    }

    /// What a listing should be, the simple way.
    fn listing(&self, order: SessionOrder, filter: &SessionFilter) -> Vec<SessionId> {
        let matches = |it: &&Session| {
            let user = filter
                .user
                .as_deref()
                .is_none_or(|user| it.user.name.to_lowercase() == user);
            user && filter
                .states
                .as_ref()
                .is_none_or(|states| states.contains(&it.state))
        };
        let mut found: Vec<_> = self.sessions.values().filter(matches).collect();
        found.sort_by(|a, b| {
            let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_lowercase();
            let by_key = match order.field {
                OrderField::User => a.user.name.to_lowercase().cmp(&b.user.name.to_lowercase()),
                OrderField::Machine => lower(&a.machine.name).cmp(&lower(&b.machine.name)),
                // Rust puts `None` first, as the contract does.
                OrderField::StartedAt => a.started_at.cmp(&b.started_at),
                OrderField::State => a.state.cmp(&b.state),
            };
            let ascending = by_key.then_with(|| a.id.as_str().cmp(b.id.as_str()));
            match order.direction {
                Direction::Ascending => ascending,
                Direction::Descending => ascending.reverse(),
            }
        });
        found.into_iter().map(|it| it.id.clone()).collect()
    }
}

/// Hands a cursor out and takes it back, as a caller does.
fn there_and_back(row: &Row, order: SessionOrder) -> Cursor {
    Cursor::decode(&Cursor::of(row, order).encode(), order).expect("a cursor of this order")
}

fn orders() -> impl Strategy<Value = SessionOrder> {
    let directions = select(vec![Direction::Ascending, Direction::Descending]);
    (select(OrderField::ALL.to_vec()), directions)
        .prop_map(|(field, direction)| SessionOrder { field, direction })
}

fn filters() -> impl Strategy<Value = SessionFilter> {
    let user = select(vec![None, Some("anna"), Some("ärmel"), Some("nobody")]);
    let states = select(vec![
        None,
        Some(vec![SessionState::Active, SessionState::Unknown]),
        Some(vec![SessionState::Disconnected]),
    ]);
    (user, states).prop_map(|(user, states)| SessionFilter {
        user: user.map(str::to_owned),
        states,
        ..SessionFilter::default()
    })
}

fn backends() -> impl Strategy<Value = Vec<Vec<Seed>>> {
    prop::collection::vec(prop::collection::vec(seed(), 0..12), 3)
}

fn changes() -> impl Strategy<Value = Vec<(usize, usize, Change)>> {
    prop::collection::vec((0..3_usize, 0..14_usize, change()), 0..16)
}

/// Pages through everything; `between` is called after each page.
fn walk(
    world: &mut World,
    order: SessionOrder,
    filter: &SessionFilter,
    (size, backwards): (usize, bool),
    mut between: impl FnMut(&mut World),
) -> Vec<SessionId> {
    let matcher = Matcher::new(filter);
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let spec = if backwards {
            PageSpec::Last(size, cursor.clone())
        } else {
            PageSpec::First(size, cursor.clone())
        };
        let rows = page(&world.seen(), &matcher, order, &spec);
        assert!(rows.rows.len() <= size);
        let (more, came_from) = if backwards {
            (rows.has_previous, rows.has_next)
        } else {
            (rows.has_next, rows.has_previous)
        };
        assert_eq!(came_from, cursor.is_some());
        assert!(
            !more || rows.rows.len() == size,
            "a page that is not the last is full"
        );
        let mut found: Vec<_> = rows.rows.iter().map(|row| row.session.id.clone()).collect();
        if backwards {
            found.reverse();
        }
        ids.extend(found);
        let end = if backwards {
            rows.rows.first()
        } else {
            rows.rows.last()
        };
        match end {
            Some(row) if more => cursor = Some(there_and_back(row, order)),
            _ => break,
        }
        between(world);
    }
    if backwards {
        ids.reverse();
    }
    ids
}

proptest! {
    #[test]
    fn pages_hold_every_row_once_and_in_order(
        backends in backends(),
        changes in changes(),
        order in orders(),
        filter in filters(),
        size in 1..9_usize,
        backwards in any::<bool>(),
    ) {
        let mut world = World::new(&backends);
        for (backend, number, change) in &changes {
            world.change(*backend, *number, change);
        }
        let wanted = world.listing(order, &filter);
        let found = walk(&mut world, order, &filter, (size, backwards), |_| {});
        prop_assert_eq!(&found, &wanted);
        prop_assert_eq!(count(&world.seen(), &Matcher::new(&filter)), wanted.len());
        let lengths: usize = world.views.iter().map(|view| view.len()).sum();
        prop_assert_eq!(lengths, world.sessions.len());
    }

    #[test]
    fn under_churn_no_row_comes_twice_and_none_that_stays_is_lost(
        backends in backends(),
        changes in changes(),
        order in orders(),
        size in 1..5_usize,
        backwards in any::<bool>(),
    ) {
        let mut world = World::new(&backends);
        let before: Vec<_> = world.listing(order, &SessionFilter::default());
        let mut changes = changes.into_iter();
        let mut touched = Vec::new();
        let found = walk(&mut world, order, &SessionFilter::default(), (size, backwards), |world| {
            if let Some((backend, number, change)) = changes.next() {
                touched.push(world.change(backend, number, &change));
            }
        });
        let stayed = |id: &&SessionId| !touched.contains(id);
        let wanted: Vec<_> = before.iter().filter(stayed).collect();
        let found: Vec<_> = found.iter().filter(stayed).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn a_cursor_places_every_row_before_or_behind(rows in prop::collection::vec(seed(), 1..12), order in orders()) {
        let mut world = World::new(&[rows, Vec::new(), Vec::new()]);
        let all = world.listing(order, &SessionFilter::default());
        let rows: Vec<_> = all.iter().map(|id| world.views[0].get(id).cloned().expect("a row")).collect();
        for (index, row) in rows.iter().enumerate() {
            let cursor = there_and_back(row, order);
            let filter = SessionFilter::default();
            let matcher = Matcher::new(&filter);
            let after = page(&world.seen(), &matcher, order, &PageSpec::First(50, Some(cursor.clone())));
            let before = page(&world.seen(), &matcher, order, &PageSpec::Last(50, Some(cursor)));
            prop_assert_eq!(ids(&after.rows), &all[index + 1..]);
            prop_assert_eq!(ids(&before.rows), &all[..index]);
        }
        // A place whose row has gone is still a place.
        let gone = there_and_back(&rows[0], order);
        let id = rows[0].session.id.clone();
        world.views[0] = Arc::new(world.views[0].patched(&id, None));
        let filter = SessionFilter::default();
        let rest = page(&world.seen(), &Matcher::new(&filter), order, &PageSpec::First(50, Some(gone)));
        prop_assert_eq!(ids(&rest.rows), &all[1..]);
    }

    #[test]
    fn no_text_makes_a_cursor_panic(text in ".{0,80}", order in orders()) {
        let _ = Cursor::decode(&text, order);
    }
}

fn ids(rows: &[Arc<Row>]) -> Vec<SessionId> {
    rows.iter().map(|row| row.session.id.clone()).collect()
}

#[test]
fn a_cursor_of_another_order_is_refused() {
    let row = Row::new(anna(), BackendKind::Citrix);
    let order = |field, direction| SessionOrder { field, direction };
    let all = OrderField::ALL.into_iter().flat_map(|field| {
        [
            order(field, Direction::Ascending),
            order(field, Direction::Descending),
        ]
    });
    let all: Vec<_> = all.collect();
    for given in &all {
        let text = Cursor::of(&row, *given).encode();
        for asked in &all {
            assert_eq!(
                Cursor::decode(&text, *asked).is_some(),
                given == asked,
                "{given:?} for {asked:?}"
            );
        }
    }
    for text in ["", "x", "AAAA", "bm90IGpzb24", "W10"] {
        assert_eq!(Cursor::decode(text, all[0]), None, "{text}");
    }
}

#[test]
fn a_page_of_none_says_whether_there_is_any() {
    let seed = Seed {
        user: "anna",
        machine: None,
        started: None,
        state: SessionState::Active,
    };
    let world = World::new(&[vec![seed], Vec::new(), Vec::new()]);
    let filter = SessionFilter::default();
    let rows = page(
        &world.seen(),
        &Matcher::new(&filter),
        SessionOrder::default(),
        &PageSpec::First(0, None),
    );
    assert!(rows.rows.is_empty() && rows.has_next && !rows.has_previous);
}

#[test]
fn the_total_order_is_total() {
    let row = |native: &str| Row::new(session("site-a", native, "anna", 1), BackendKind::Citrix);
    let (a, b) = (row("1"), row("2"));
    for field in OrderField::ALL {
        assert_eq!(a.compare(&b, field), Ordering::Less);
        assert_eq!(a.compare(&a, field), Ordering::Equal);
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_the_directory_says_what_it_is() {
    let fixture = Fixture::read().await;
    let query = ListQuery {
        page: PageSpec::First(1, None),
        ..everything()
    };
    let first = fixture.page(&query).await;
    assert_eq!(
        (users(&first), first.has_next, first.has_previous),
        (vec!["anna".into()], true, false)
    );
    assert_eq!(first.total, Some(2));
    let cursor = there_and_back(&first.rows[0], first.order);
    let query = ListQuery {
        page: PageSpec::First(1, Some(cursor)),
        count: false,
        ..everything()
    };
    let second = fixture.page(&query).await;
    assert_eq!(
        (users(&second), second.has_next, second.has_previous),
        (vec!["bert".into()], false, true)
    );
    assert_eq!(second.total, None, "counted only when asked");
}
