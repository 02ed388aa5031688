//! Makes an estate: people, machines, delivery groups and sessions that look like a real company's.
//!
//! Invariant: the estate is a function of the number of sessions, the seed and the epoch. The first rows are
//! the awkward ones (anonymous, no user, failed look-up, no client, console, hidden, logging on), so that a
//! small estate has them all.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{Builder, Uuid};

use super::estate::{Client, Estate, Group, Machine, Session, SessionState, User};
use crate::clock;

/// The applications of the site; a session names those it uses by position.
pub(crate) const APPS: [&str; 8] = [
    "Microsoft Excel",
    "Microsoft Outlook",
    "SAP GUI 8.00",
    "Adobe Acrobat Pro",
    "Firefox ESR",
    "AutoCAD 2026",
    "Müller \"Lohn & Gehalt\"",
    "7-Zip File Manager",
];

const FIRST: [(&str, &str); 32] = [
    ("John", "john"),
    ("Maria", "maria"),
    ("Søren", "soren"),
    ("Aisha", "aisha"),
    ("Wei", "wei"),
    ("Zoë", "zoe"),
    ("Pedro", "pedro"),
    ("Ingrid", "ingrid"),
    ("Tomasz", "tomasz"),
    ("Fatima", "fatima"),
    ("Luca", "luca"),
    ("Yuki", "yuki"),
    ("Olga", "olga"),
    ("Kwame", "kwame"),
    ("Chloe", "chloe"),
    ("Jürgen", "juergen"),
    ("Priya", "priya"),
    ("Daniel", "daniel"),
    ("Hannah", "hannah"),
    ("Omar", "omar"),
    ("Elif", "elif"),
    ("Mateo", "mateo"),
    ("Nadia", "nadia"),
    ("Viktor", "viktor"),
    ("Grace", "grace"),
    ("Rasmus", "rasmus"),
    ("Leila", "leila"),
    ("Samuel", "samuel"),
    ("Beatrice", "beatrice"),
    ("Ivan", "ivan"),
    ("Rosa", "rosa"),
    ("Emil", "emil"),
];

const LAST: [(&str, &str); 40] = [
    ("Smith", "smith"),
    ("García", "garcia"),
    ("Ångström", "angstroem"),
    ("Khan", "khan"),
    ("Zhang", "zhang"),
    ("O'Brien", "obrien"),
    ("da Silva", "dasilva"),
    ("Larsen", "larsen"),
    ("Nowak", "nowak"),
    ("Haddad", "haddad"),
    ("Rossi", "rossi"),
    ("Tanaka", "tanaka"),
    ("Petrova", "petrova"),
    ("Mensah", "mensah"),
    ("Dubois", "dubois"),
    ("Müller", "mueller"),
    ("Patel", "patel"),
    ("Cohen", "cohen"),
    ("Fischer", "fischer"),
    ("Hassan", "hassan"),
    ("Yılmaz", "yilmaz"),
    ("Fernández", "fernandez"),
    ("Benali", "benali"),
    ("Horvath", "horvath"),
    ("Adeyemi", "adeyemi"),
    ("Nielsen", "nielsen"),
    ("Rahimi", "rahimi"),
    ("Brown", "brown"),
    ("Romano", "romano"),
    ("Kovač", "kovac"),
    ("Jansen", "jansen"),
    ("Lindqvist", "lindqvist"),
    ("Murphy", "murphy"),
    ("Schneider", "schneider"),
    ("Moreau", "moreau"),
    ("Costa", "costa"),
    ("Novák", "novak"),
    ("Papadopoulos", "papadopoulos"),
    ("Virtanen", "virtanen"),
    ("Wagner", "wagner"),
];

/// Platform, product number and version of the clients.
const CLIENTS: [(&str, u16, &str); 5] = [
    ("Windows", 1, "24.9.10.235"),
    ("Macintosh", 82, "24.11.0.63"),
    ("Linux", 81, "24.8.0.98"),
    ("Html5", 257, "24.12.0.4"),
    ("IOS", 84, "25.1.0.7"),
];

/// How many sessions share a multi-session machine.
const PER_SERVER: usize = 20;

/// SplitMix64: five lines whose numbers, unlike a library's generator, stay the same for good.
pub(crate) struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % (bound.max(1) as u64)).unwrap_or(0)
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn uuid(&mut self) -> Uuid {
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&self.roll().to_be_bytes());
        bytes[8..].copy_from_slice(&self.roll().to_be_bytes());
        Builder::from_random_bytes(bytes).into_uuid()
    }
}

/// Makes an estate of so many sessions.
pub(crate) fn estate(sessions: usize, seed: u64, epoch: DateTime<Utc>) -> Estate {
    let mut maker = Maker::new(sessions, seed, epoch);
    let mut estate = Estate::default();
    for index in 0..sessions {
        let session = maker.session(index);
        estate.insert(session);
    }
    estate.users = maker
        .users
        .iter()
        .map(|user| (user.name.to_lowercase(), Arc::clone(user)))
        .collect();
    estate.machines = maker.servers;
    estate
}

/// A further session of a user by name, who need not have been there before.
pub(crate) fn further(estate: &mut Estate, user: &str, state: SessionState) -> Session {
    let now = clock::now();
    let id = clock::fresh_id();
    // The dice fall by the fresh id: a session that is added by hand is not part of the seeded estate.
    let mut maker = Maker::new(1, u64::from(id.as_fields().0), now);
    let user = Arc::clone(
        estate
            .users
            .entry(user.to_lowercase())
            .or_insert_with(|| Arc::new(stranger(user, &mut maker.dice))),
    );
    let mut session = maker.session(PLAIN);
    if let Some(machine) = estate.machines.get(maker.dice.below(estate.machines.len())) {
        session.machine = Arc::clone(machine);
    }
    session.id = id;
    session.untrusted_name = Some(user.name.clone());
    session.user = Some(user);
    session.state = state;
    session.logon_in_progress = false;
    session.started = now;
    session.established = Some(now);
    session.state_changed = now;
    session
}

fn stranger(name: &str, dice: &mut Dice) -> User {
    let sam = name.rsplit('\\').next().unwrap_or(name).to_owned();
    User {
        name: name.to_owned(),
        display: sam.clone(),
        principal: format!("{sam}@corp.example"),
        sid: sid(900_000 + dice.below(90_000)),
        sam,
        lookup_failed: false,
    }
}

fn sid(rid: usize) -> String {
    format!("S-1-5-21-1004336348-1177238915-682003330-{rid}")
}

/// An index at which nothing is awkward.
const PLAIN: usize = 1_000;

struct Maker {
    dice: Dice,
    epoch: DateTime<Utc>,
    users: Vec<Arc<User>>,
    groups: Vec<Arc<Group>>,
    servers: Vec<Arc<Machine>>,
    desktops: usize,
}

impl Maker {
    fn new(sessions: usize, seed: u64, epoch: DateTime<Utc>) -> Self {
        let mut dice = Dice(seed);
        let groups = groups(&mut dice);
        let servers = (0..sessions.div_ceil(PER_SERVER).max(1))
            .map(|index| {
                let group = &groups[index % 3];
                Arc::new(machine(&mut dice, group, index, index))
            })
            .collect();
        // Some users have more than one session.
        let users = people((sessions * 17).div_ceil(20).max(1));
        Self {
            dice,
            epoch,
            users,
            groups,
            servers,
            desktops: 0,
        }
    }

    fn session(&mut self, index: usize) -> Session {
        let single = index < PLAIN && index % 4 == 3 || index > PLAIN && self.dice.percent(30);
        let machine = if single {
            self.desktop()
        } else {
            self.server(index)
        };
        // The second row is another session of the first user.
        let position = match index {
            0 | 1 => 0,
            _ if index < self.users.len() => index,
            _ => self.dice.below(self.users.len()),
        };
        let user = Arc::clone(&self.users[position]);
        let desktop = single || self.dice.percent(60);
        let state = match self.dice.below(100) {
            _ if index == 0 || index == PLAIN => SessionState::Active,
            _ if index == 1 => SessionState::Disconnected,
            _ if index == 2 => SessionState::Connected,
            0..70 => SessionState::Active,
            70..93 => SessionState::Disconnected,
            _ => SessionState::Connected,
        };
        let started = self.epoch - TimeDelta::seconds(60 + self.dice.below(9 * 3600) as i64);
        let since = (self.epoch - started).num_seconds();
        let state_changed =
            started + TimeDelta::seconds(22 + self.dice.below(since.unsigned_abs() as usize) as i64);
        let mut session = Session {
            id: self.dice.uuid(),
            uid: 0,
            untrusted_name: Some(user.name.clone()),
            user: Some(user),
            client: Some(self.client(index)),
            apps: if desktop {
                (0, 0)
            } else {
                (self.dice.below(6) as u8, 1 + self.dice.below(2) as u8)
            },
            app_state: if desktop { "Desktop" } else { "Active" },
            published_desktop: desktop,
            protocol: "Hdx",
            state,
            anonymous: false,
            hidden: false,
            logoff_in_progress: false,
            logon_in_progress: false,
            established: Some(started + TimeDelta::seconds(22)),
            state_changed: state_changed.min(self.epoch),
            machine,
            started,
        };
        self.make_awkward(index, &mut session);
        session
    }

    fn make_awkward(&mut self, index: usize, session: &mut Session) {
        let luck = if index > PLAIN { self.dice.below(400) } else { 400 };
        match (index, luck) {
            (3, _) | (_, 0..8) => {
                session.logon_in_progress = true;
                session.state = SessionState::Connected;
                session.app_state = "PreLogon";
                session.established = None;
                session.apps = (0, 0);
            }
            (4, _) | (_, 8) => {
                session.anonymous = true;
                session.user = None;
                session.untrusted_name = Some(format!("{}\\Anon{index:03}", session.machine.host));
            }
            (5, _) | (_, 9) => session.user = None,
            (6, _) | (_, 10) => {
                let name = format!("CORP\\retired{index}");
                session.untrusted_name = Some(name.clone());
                session.user = Some(Arc::new(User {
                    name,
                    sam: String::new(),
                    display: String::new(),
                    principal: String::new(),
                    sid: sid(50_000 + index),
                    lookup_failed: true,
                }));
            }
            (7, _) | (_, 11) => session.client = None,
            (8, _) | (_, 12) => session.hidden = true,
            (9, _) | (_, 13) => session.protocol = "Console",
            (10, _) | (_, 14) => session.protocol = "Rdp",
            (11, _) | (_, 15) => {
                session.user = None;
                session.untrusted_name = None;
                session.state = SessionState::Unknown;
                session.app_state = "Unknown";
            }
            _ => {}
        }
    }

    fn server(&mut self, index: usize) -> Arc<Machine> {
        let position = if index < PER_SERVER {
            0
        } else {
            self.dice.below(self.servers.len())
        };
        Arc::clone(&self.servers[position])
    }

    fn desktop(&mut self) -> Arc<Machine> {
        let index = self.desktops;
        self.desktops += 1;
        Arc::new(machine(
            &mut self.dice,
            &self.groups[3],
            index,
            self.servers.len() + index,
        ))
    }

    fn client(&mut self, index: usize) -> Client {
        let (platform, product, version) = CLIENTS[self.dice.below(CLIENTS.len())];
        // A name may be empty, as in the vendor's sample.
        let name = if index % 25 == 12 {
            String::new()
        } else {
            format!("LT-{:05}", 10_000 + index)
        };
        let address = Ipv4Addr::from(0x0A6B_0000 + self.dice.below(0xFFFF) as u32);
        Client {
            name,
            address,
            platform,
            product,
            version,
        }
    }
}

fn machine(dice: &mut Dice, group: &Arc<Group>, index: usize, uid: usize) -> Machine {
    Machine {
        id: (index % 4 == 1).then(|| dice.uuid()),
        uid: 1 + uid as u32,
        host: format!("{}-{:05}", group.prefix, index + 1),
        address: Ipv4Addr::from(0x0A6C_000A + uid as u32),
        maintenance: index % 16 == 7,
        group: Arc::clone(group),
    }
}

fn groups(dice: &mut Dice) -> Vec<Arc<Group>> {
    let rows = [
        (
            "Office Desktops",
            "Office-A",
            "Frankfurt",
            true,
            "XA-OFF",
            "Windows 2022",
        ),
        (
            "Finance Apps",
            "Finance-B",
            "Frankfurt",
            true,
            "XA-FIN",
            "Windows 2019",
        ),
        (
            "Helpdesk & Tools",
            "Tools",
            "Dublin",
            true,
            "XA-TLS",
            "Windows 2022",
        ),
        (
            "Engineering",
            "Engineering-VDI",
            "Dublin",
            false,
            "VDI-ENG",
            "Windows 11",
        ),
    ];
    let zones = [("Frankfurt", dice.uuid()), ("Dublin", dice.uuid())];
    rows.into_iter()
        .zip(1..)
        .map(|((name, catalog, zone, multi_session, prefix, os), uid)| {
            let zone_id = zones
                .iter()
                .find(|(name, _)| *name == zone)
                .map_or(Uuid::nil(), |(_, id)| *id);
            let id = dice.uuid();
            let catalog_id = dice.uuid();
            let hosting = if zone == "Dublin" {
                "Azure North Europe"
            } else {
                "vSphere FRA"
            };
            Arc::new(Group {
                id,
                uid,
                name,
                catalog_id,
                catalog,
                zone_id,
                zone,
                hosting,
                multi_session,
                prefix,
                os,
            })
        })
        .collect()
}

fn people(count: usize) -> Vec<Arc<User>> {
    let mut taken: HashMap<String, u32> = HashMap::new();
    (0..count)
        .map(|index| {
            let (first, plain_first) = FIRST[index % FIRST.len()];
            let (last, plain_last) = LAST[(index + index / FIRST.len()) % LAST.len()];
            let base = format!("{}{plain_last}", &plain_first[..1]);
            let nth = taken.entry(base.clone()).or_insert(0);
            *nth += 1;
            let suffix = if *nth == 1 { String::new() } else { nth.to_string() };
            let sam = format!("{base}{suffix}");
            Arc::new(User {
                name: format!("CORP\\{sam}"),
                display: format!("{first} {last}"),
                principal: format!("{plain_first}.{plain_last}{suffix}@corp.example"),
                sid: sid(1_100 + index),
                sam,
                lookup_failed: false,
            })
        })
        .collect()
}
