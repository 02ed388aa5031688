//! Twins among many rows, after readings and acts in any order, against a naive model.

use curfew_core::SessionMachine;
use curfew_core::fakes::store_contract::sample::at;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::board::Board;
use super::super::page::{count, page};
use super::super::snapshot::{Snapshot, View};
use super::super::twins::COMPARED;
use super::*;

const NAMES: [&str; 5] = ["citrix-a", "citrix-b", "rds-a", "rds-b", "vpn"];
const KINDS: [BackendKind; 5] = [
    BackendKind::Citrix,
    BackendKind::Citrix,
    BackendKind::Windows,
    BackendKind::Windows,
    BackendKind::Orbnet,
];

/// A session out of few machines, users and starts, so that many fit each other.
fn any_session(slot: usize) -> impl Strategy<Value = Session> {
    let machines = select(vec![
        Some("TERM04"),
        Some("term04"),
        Some("TERM04"),
        Some("VDA1"),
        None,
    ]);
    let domains = select(vec![None, None, Some("corp"), Some("lab")]);
    let starts = select(vec![None, Some(0), Some(0), Some(100), Some(200), Some(300)]);
    let states = select(SessionState::ALL.to_vec());
    // What one side knows and the other does not.
    let more = (select(vec![None, Some(30), Some(900)]), any::<bool>());
    (0..8_u8, machines, domains, 0..6_u8, starts, states, more).prop_map(
        move |(number, machine, domain, user, start, state, (idle, upn))| {
            let name = ["anna", "bert", "carl"][usize::from(user % 3)];
            let session = session(NAMES[slot], &format!("N{number}"), name, 1);
            let machine = SessionMachine {
                name: machine.map(str::to_owned),
                dns_name: domain.map(|domain| format!("{}.{domain}", machine.unwrap_or("x"))),
                address: None,
            };
            let sid = (user > 0).then(|| format!("S-1-5-{user}"));
            let user = curfew_core::SessionUser {
                sid,
                upn: session.user.upn.clone().filter(|_| upn),
                ..session.user.clone()
            };
            Session {
                idle_seconds: idle.filter(|_| KINDS[slot] != BackendKind::Citrix),
                machine,
                user,
                state,
                started_at: start.map(at),
                ..session
            }
        },
    )
}

#[derive(Debug, Clone)]
enum Change {
    /// A reading of a backend.
    Reading(usize, Vec<Session>),
    /// What an act shows of one session.
    Sight(usize, Box<Session>, bool),
    /// What an act shows of one that is there, by its place: another state, and nothing else.
    State(usize, usize, SessionState),
}

fn change() -> impl Strategy<Value = Change> {
    // Most of it on one site and its hosts, where several pairs stand side by side.
    select(vec![0, 0, 0, 2, 2, 2, 1, 3, 4]).prop_flat_map(|slot: usize| {
        prop_oneof![
            prop::collection::vec(any_session(slot), 0..9).prop_map(move |all| Change::Reading(slot, all)),
            (any_session(slot), any::<bool>()).prop_map(move |(session, there)| Change::Sight(
                slot,
                Box::new(session),
                there
            )),
            (0..9_usize, select(SessionState::ALL.to_vec()))
                .prop_map(move |(place, state)| Change::State(slot, place, state)),
        ]
    })
}

/// What each backend has.
type Plain = Vec<std::collections::BTreeMap<SessionId, Session>>;

fn fits(broker: &Session, host: &Session) -> bool {
    let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
    let both = |a: Option<String>, b: Option<String>| a.is_some() && a == b;
    let dns = (lower(&broker.machine.dns_name), lower(&host.machine.dns_name));
    let apart = match (broker.started_at, host.started_at) {
        (Some(a), Some(b)) => (a - b).num_seconds().abs(),
        _ => i64::MAX,
    };
    both(lower(&broker.machine.name), lower(&host.machine.name))
        && both(broker.user.sid.clone(), host.user.sid.clone())
        && (dns.0.is_none() || dns.1.is_none() || dns.0 == dns.1)
        && apart <= 120
}

/// The twins of all sessions, the simple way: broker's slot and id, host's id.
fn naive(plain: &Plain) -> Vec<(usize, SessionId, SessionId)> {
    let of = |slots: [usize; 2]| {
        let all = slots
            .into_iter()
            .flat_map(|slot| plain[slot].values().map(move |it| (slot, it)));
        all.collect::<Vec<_>>()
    };
    let (brokers, hosts) = (of([0, 1]), of([2, 3]));
    let mut pairs = Vec::new();
    for (slot, broker) in &brokers {
        for (_, host) in &hosts {
            let rivals = brokers.iter().filter(|(_, it)| fits(it, host)).count();
            let others = hosts.iter().filter(|(_, it)| fits(broker, it)).count();
            if fits(broker, host) && rivals == 1 && others == 1 {
                pairs.push((*slot, broker.id.clone(), host.id.clone()));
            }
        }
    }
    pairs
}

/// The board, and what should be on it.
struct World {
    board: Board,
    plain: Plain,
}

impl World {
    fn new() -> Self {
        Self {
            board: Board::new(KINDS),
            plain: vec![Default::default(); NAMES.len()],
        }
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Reading(slot, sessions) => {
                let row = |it: &Session| Arc::new(Row::new(it.clone(), KINDS[slot]));
                self.plain[slot] = sessions.into_iter().map(|it| (it.id.clone(), it)).collect();
                let rows = self.plain[slot].values().map(row).collect();
                let view = View {
                    base: Arc::new(Snapshot::new(rows)),
                    patches: Default::default(),
                };
                self.board.put(slot, view, None);
            }
            Change::Sight(slot, session, there) => {
                let id = session.id.clone();
                let row = there.then(|| Arc::new(Row::new((*session).clone(), KINDS[slot])));
                let view = self.board.view(slot).patched(&id, row);
                self.board.put(slot, view, Some(&id));
                match there {
                    true => self.plain[slot].insert(id, *session),
                    false => self.plain[slot].remove(&id),
                };
            }
            Change::State(slot, place, state) => {
                if let Some(session) = self.plain[slot].values().nth(place).cloned() {
                    let session = Box::new(Session { state, ..session });
                    self.change(Change::Sight(slot, session, true));
                }
            }
        }
    }

    /// Every row knows its twin.
    fn check_twins(&self, pairs: &[(usize, SessionId, SessionId)]) {
        let picture = self.board.picture();
        for (slot, sessions) in self.plain.iter().enumerate() {
            for id in sessions.keys() {
                let row = picture.views[slot].get(id).expect("it is in the view");
                let twin = picture.twin_of(slot, row).map(|(_, row)| row.session.id.clone());
                let wanted = pairs.iter().find_map(|(_, broker, host)| match () {
                    () if broker == id => Some(host.clone()),
                    () if host == id => Some(broker.clone()),
                    () => None,
                });
                assert_eq!(twin, wanted);
            }
        }
    }

    /// What a query for these slots gets.
    fn check_rows(
        &self,
        pairs: &[(usize, SessionId, SessionId)],
        listed: &[bool],
        filter: &SessionFilter,
        walk: Walk,
    ) {
        let picture = self.board.picture();
        let hidden = |id: &SessionId| {
            pairs.iter().any(|(slot, broker, host)| {
                host == id && listed[*slot] && passes(filter, &self.plain[*slot][broker])
            })
        };
        let asked = self.plain.iter().zip(listed).filter(|(_, listed)| **listed);
        let mut wanted: Vec<&SessionId> = asked
            .flat_map(|(sessions, _)| sessions.values())
            .filter(|session| passes(filter, session) && !hidden(&session.id))
            .map(|session| &session.id)
            .collect();
        wanted.sort();

        let matcher = Matcher::new(filter);
        let views = picture.seen(listed, &matcher);
        if *filter == SessionFilter::default() {
            assert_eq!(picture.len(listed), wanted.len());
        }
        assert_eq!(count(&views, &matcher), wanted.len());
        let Walk {
            order,
            size,
            backwards,
        } = walk;
        let (mut found, mut cursor): (Vec<Arc<Row>>, _) = (Vec::new(), None);
        loop {
            let spec = match backwards {
                true => PageSpec::Last(size, cursor),
                false => PageSpec::First(size, cursor),
            };
            let rows = page(&views, &matcher, order, &spec);
            let (more, end) = match backwards {
                true => (rows.has_previous, rows.rows.first()),
                false => (rows.has_next, rows.rows.last()),
            };
            assert_eq!(
                rows.rows.len(),
                size.min(wanted.len() - found.len()),
                "a full page"
            );
            assert_eq!(more, found.len() + rows.rows.len() < wanted.len());
            cursor = end.map(|row| Cursor::of(row, order));
            match backwards {
                true => found.splice(..0, rows.rows),
                false => found.splice(found.len().., rows.rows),
            };
            if !more {
                break;
            }
        }
        let ordered = |pair: &[Arc<Row>]| match order.direction {
            Direction::Ascending => pair[0].compare(&pair[1], order.field).is_lt(),
            Direction::Descending => pair[0].compare(&pair[1], order.field).is_gt(),
        };
        assert!(found.windows(2).all(ordered), "in order");
        let mut found: Vec<_> = found.iter().map(|row| &row.session.id).collect();
        found.sort();
        assert_eq!(found, wanted, "each row once");
    }
}

/// How a listing is paged through.
#[derive(Debug, Clone, Copy)]
struct Walk {
    order: SessionOrder,
    size: usize,
    backwards: bool,
}

fn walks() -> impl Strategy<Value = Walk> {
    let directions = select(vec![Direction::Ascending, Direction::Descending]);
    let orders = (select(OrderField::ALL.to_vec()), directions);
    (orders, 1..5_usize, any::<bool>()).prop_map(|((field, direction), size, backwards)| Walk {
        order: SessionOrder { field, direction },
        size,
        backwards,
    })
}

/// Filters that may let one row of a pair pass and not the other.
fn filters() -> impl Strategy<Value = SessionFilter> {
    let text = |text: &str| Some(text.to_owned());
    select(vec![
        SessionFilter {
            idle_longer_than_seconds: Some(600),
            ..SessionFilter::default()
        },
        SessionFilter {
            machine: text("TERM04.corp"),
            ..SessionFilter::default()
        },
        SessionFilter {
            machine: text("term04"),
            ..SessionFilter::default()
        },
        SessionFilter {
            user: text("Anna"),
            ..SessionFilter::default()
        },
        SessionFilter {
            user: text("bert@corp.example"),
            ..SessionFilter::default()
        },
        SessionFilter {
            states: Some(vec![SessionState::Active, SessionState::Unknown]),
            ..SessionFilter::default()
        },
    ])
}

/// Whether a session passes, the simple way.
fn passes(filter: &SessionFilter, session: &Session) -> bool {
    let is = |known: Option<&String>, wanted: &String| {
        known.is_some_and(|known| known.to_lowercase() == wanted.to_lowercase())
    };
    let (user, machine) = (&session.user, &session.machine);
    let named = |wanted: &String| is(Some(&user.name), wanted) || is(user.upn.as_ref(), wanted);
    let on = |wanted: &String| is(machine.name.as_ref(), wanted) || is(machine.dns_name.as_ref(), wanted);
    filter.user.as_ref().is_none_or(named)
        && filter.machine.as_ref().is_none_or(on)
        && filter
            .states
            .as_ref()
            .is_none_or(|states| states.contains(&session.state))
        && filter
            .idle_longer_than_seconds
            .is_none_or(|limit| session.idle_seconds.is_some_and(|idle| idle > limit))
}

proptest! {
    #[test]
    fn the_picture_is_that_of_a_naive_model(
        changes in prop::collection::vec(change(), 1..24),
        some in prop::collection::vec(any::<bool>(), NAMES.len()),
        filter in filters(),
        walk in walks(),
    ) {
        let mut world = World::new();
        for change in changes {
            world.change(change);
            let pairs = naive(&world.plain);
            world.check_twins(&pairs);
            for listed in [&[true; NAMES.len()][..], &some] {
                for filter in [&SessionFilter::default(), &filter] {
                    world.check_rows(&pairs, listed, filter, walk);
                }
            }
        }
    }
}

#[test]
fn many_sessions_of_one_account_on_one_host_cost_no_more_than_as_many_of_others() {
    const MANY: i64 = 2_000;
    for (apart, twins) in [(0, 0), (1, 0), (600, MANY as usize)] {
        let of = |slot: usize| {
            let all = (0..MANY).map(move |n| {
                let session = session(NAMES[slot], &format!("N{n}"), "kiosk", 1);
                let user = curfew_core::SessionUser {
                    sid: Some("S-1-5-21-1".to_owned()),
                    ..session.user.clone()
                };
                Session {
                    user,
                    started_at: Some(at(n * apart)),
                    ..session
                }
            });
            let rows = all.map(|it| Arc::new(Row::new(it, KINDS[slot]))).collect();
            View {
                base: Arc::new(Snapshot::new(rows)),
                patches: Default::default(),
            }
        };
        let before = COMPARED.get();
        let world = World::new();
        world.board.put(0, of(0), None);
        world.board.put(2, of(2), None);
        let published = COMPARED.get() - before;
        let picture = world.board.picture();
        let listed = [true; NAMES.len()];
        let filter = SessionFilter {
            machine: Some("term04".to_owned()),
            ..SessionFilter::default()
        };
        let matcher = Matcher::new(&filter);
        let views = picture.seen(&listed, &matcher);
        assert_eq!(count(&views, &matcher), 2 * MANY as usize - twins);
        for slot in [0, 2] {
            let found = picture.views[slot]
                .iter()
                .filter(|row| picture.twin_of(slot, row).is_some());
            assert_eq!(found.count(), twins, "{apart} s apart");
        }
        let looked = COMPARED.get() - before - published;
        let few = 4 * MANY as usize;
        assert!(
            published <= few && looked <= 4 * few,
            "{apart} s apart: {published}, {looked}"
        );
    }
}
