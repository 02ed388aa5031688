//! A machine of a Citrix site whose host is in a fleet too: the same sessions, seen from both sides.
//!
//! Not a simulator of its own: the site and the fleet are, and neither knows of the other. Invariant: after a step, a
//! session that has ended on one side has ended on the other, and one that was disconnected or taken up again on one
//! side is so on the other.

use std::collections::BTreeMap;

use curfew_agent::platform::filetime;
use curfew_agent_api::SessionState as HostState;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::citrix::{CitrixSim, SessionState, SessionView};
use crate::fleet::FleetSim;

/// `WTS_PROTOCOL_TYPE_ICA`.
const ICA: u16 = 1;

/// A machine that is in both.
#[derive(Debug)]
pub struct Vda {
    host: String,
    twins: Mutex<Vec<Twin>>,
}

/// A session on both sides.
#[derive(Debug)]
struct Twin {
    /// The site's name of it.
    site: Uuid,
    /// The host's number of it, and the generation of whoever has the number.
    number: u32,
    generation: String,
    /// Whether it was disconnected after the last step.
    disconnected: bool,
}

impl Vda {
    /// The name of the site's machine with the most sessions of users who have a SID there; the first one of several.
    pub fn busiest(site: &CitrixSim) -> Option<String> {
        let mut machines: BTreeMap<String, usize> = BTreeMap::new();
        for session in site.sessions().iter().filter(|it| has_twin(it)) {
            *machines.entry(short(&session.machine).to_owned()).or_default() += 1;
        }
        let most = machines.values().copied().max()?;
        machines
            .into_iter()
            .find(|(_, count)| *count == most)
            .map(|(name, _)| name)
    }

    /// Puts the site's sessions on a machine onto the fleet's host of that name, in place of everybody who is there.
    pub fn join(site: &CitrixSim, fleet: &FleetSim, host: &str) -> Self {
        for session in fleet.sessions(host) {
            fleet.end_session(host, session.number);
        }
        let here = |it: &SessionView| short(&it.machine).eq_ignore_ascii_case(host);
        let sessions = site.sessions().into_iter().filter(|it| here(it) && has_twin(it));
        let twins = sessions
            .filter_map(|session| twin(fleet, host, &session))
            .collect();
        Self {
            host: host.to_owned(),
            twins: Mutex::new(twins),
        }
    }

    /// How many sessions are on both sides.
    pub fn sessions(&self) -> usize {
        self.twins.lock().len()
    }

    /// Carries what has changed on one side since the last step over to the other; the site's word counts first.
    pub fn step(&self, site: &CitrixSim, fleet: &FleetSim) {
        self.twins.lock().retain_mut(|twin| {
            let theirs = site.session(twin.site);
            let ours = fleet.session(&self.host, twin.number);
            let ours = ours.filter(|it| it.generation == twin.generation);
            let (theirs, ours) = match (theirs, ours) {
                (Some(theirs), Some(ours)) => (theirs, ours),
                (theirs, ours) => {
                    if theirs.is_some() {
                        site.remove_session(twin.site);
                    }
                    if ours.is_some() {
                        fleet.end_session(&self.host, twin.number);
                    }
                    return false;
                }
            };
            let of_site = theirs.state == SessionState::Disconnected;
            let of_host = ours.state == HostState::Disconnected;
            if of_site != twin.disconnected {
                let state = if of_site {
                    HostState::Disconnected
                } else {
                    HostState::Active
                };
                fleet.set_state(&self.host, twin.number, state);
                twin.disconnected = of_site;
            } else if of_host != twin.disconnected {
                let state = if of_host {
                    SessionState::Disconnected
                } else {
                    SessionState::Active
                };
                site.set_state(twin.site, state);
                twin.disconnected = of_host;
            }
            true
        });
    }
}

/// Only of somebody who has a SID can both sides say that it is the same person.
fn has_twin(session: &SessionView) -> bool {
    session.sid.is_some() && session.user.is_some() && !session.anonymous
}

/// `DOMAIN\HOST` without the domain.
fn short(machine: &str) -> &str {
    machine.rsplit('\\').next().unwrap_or(machine)
}

/// Logs the user of the site's session on at the host.
fn twin(fleet: &FleetSim, host: &str, session: &SessionView) -> Option<Twin> {
    let number = fleet.add_session(host, session.user.as_deref()?)?;
    let platform = fleet.platform(host)?;
    let logon = filetime(session.started);
    platform.change(number, |row| {
        row.sid.clone_from(&session.sid);
        row.logon_time = logon;
        row.connect_time = logon;
        row.protocol = Some(ICA);
        row.station = Some(format!("ICA-TCP#{number}"));
    });
    let disconnected = session.state == SessionState::Disconnected;
    if disconnected {
        fleet.set_state(host, number, HostState::Disconnected);
    }
    Some(Twin {
        site: session.id,
        number,
        generation: fleet.session(host, number)?.generation,
        disconnected,
    })
}

#[cfg(test)]
mod tests;
