//! Who is logged on to a fake host at first.
//!
//! Invariant: the same host, number of users, seed and instant give the same rows.

use chrono::TimeDelta;
use curfew_core::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::state::{State, of_user};
use crate::platform::{WtsSession, WtsState, filetime};

const FIRST: &[&str] = &[
    "alice", "bob", "carla", "dieter", "elif", "fatima", "greta", "henrik", "иван", "joão", "karin", "lucía",
    "mehmet", "nadia", "olga", "pavel", "quentin", "rosa", "søren", "tomasz", "ulla", "viktor", "wei",
    "yuki",
];
const LAST: &[&str] = &[
    "almeida", "becker", "costa", "dupont", "eriksen", "fischer", "garcia", "huber", "ivanova", "jensen",
    "kaya", "lopez", "meyer", "nowak", "olsen", "petrov", "quinn", "rossi", "schmidt", "tanaka", "ullmann",
    "vogel", "weber", "zhang",
];
const DEVICES: &[&str] = &["LAPTOP", "THIN", "DESK", "KIOSK"];

/// Puts `users` users on the host.
pub(super) fn fill(state: &mut State, host: &str, users: usize, seed: u64, now: Timestamp) {
    let host_seed = host.bytes().fold(seed, |seed, byte| {
        seed.wrapping_mul(1_099_511_628_211)
            .wrapping_add(u64::from(byte.to_ascii_lowercase()))
    });
    let mut random = StdRng::seed_from_u64(host_seed);
    for index in 0..users {
        let number = state.lowest_free();
        let session = if index == 0 {
            console(number, host, now)
        } else {
            user(number, index, &mut random, now)
        };
        state.insert(session);
    }
    if users == 0 {
        // Nobody sits there: the console shows the logon screen.
        state.insert(WtsSession {
            station: Some("Console".to_owned()),
            protocol: Some(0),
            ..WtsSession::new(state.lowest_free(), WtsState::Connected)
        });
    }
    // Rows like this one stand on real hosts (prometheus-community/windows_exporter#1575).
    state.insert(WtsSession::new(state.lowest_free(), WtsState::Down));
}

/// The local administrator at the machine itself, whose last input Windows does not tell.
fn console(number: u32, host: &str, now: Timestamp) -> WtsSession {
    let since = filetime(now - TimeDelta::days(3));
    WtsSession {
        station: Some("Console".to_owned()),
        upn: None,
        logon_time: since,
        connect_time: since,
        protocol: Some(0),
        bytes_in: None,
        bytes_out: None,
        ..of_user(number, &format!("{}\\Administrator", host.to_uppercase()))
    }
}

fn user(number: u32, index: usize, random: &mut StdRng, now: Timestamp) -> WtsSession {
    let pick = |random: &mut StdRng, from: &[&'static str]| from[random.random_range(0..from.len())];
    let domain = if random.random_range(0..8) == 0 {
        "PARTNER"
    } else {
        "CORP"
    };
    let name = format!("{}.{}", pick(random, FIRST), pick(random, LAST));
    let on = TimeDelta::seconds(random.random_range(60..36_000));
    let idle = TimeDelta::seconds(random.random_range(0..on.num_seconds().min(7_200)));
    // Ticks of their own, so that no two log on at the same instant.
    let logon = filetime(now - on) + i64::try_from(index).unwrap_or(0);
    let session = WtsSession {
        logon_time: logon,
        connect_time: logon,
        last_input_time: filetime(now - idle),
        bytes_in: Some(random.random_range(10_000..50_000_000)),
        bytes_out: Some(random.random_range(1_000_000..4_000_000_000)),
        ..of_user(number, &format!("{domain}\\{name}"))
    };
    // A client is drawn also for those that have none, so that the row after it does not depend on this one.
    let client = format!("{}-{:04}", pick(random, DEVICES), random.random_range(1..10_000));
    let address = format!(
        "10.{}.{}.{}",
        random.random_range(16..32),
        random.random_range(0..256),
        random.random_range(1..255)
    );
    if random.random_range(0..5) == 0 {
        WtsSession {
            state: WtsState::Disconnected,
            disconnect_time: filetime(now - idle),
            last_input_time: 0,
            protocol: Some(0),
            ..session
        }
    } else {
        WtsSession {
            station: Some(format!("RDP-Tcp#{index}")),
            protocol: Some(2),
            client_name: Some(client),
            client_address: Some(address),
            ..session
        }
    }
}
