//! Writes sessions as the vendor's JSON, member by member, straight into one buffer.
//!
//! Not built on `serde`: a page of a thousand rows is six megabytes, of which most is fixed text. Every
//! member of the vendor's sample is there, with its nulls. Invariant: the output is valid JSON for every
//! choice of fields and dates.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, FixedOffset, SecondsFormat, Timelike, Utc};

use super::config::DateStyle;
use super::estate::{Machine, Session, SessionState, User};
use super::populate::APPS;

/// How sessions are to look in one answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) fields: Fields,
    pub(crate) dates: DateStyle,
    pub(crate) offset: FixedOffset,
    /// Enum members carry values that no client knows.
    pub(crate) garbage: bool,
}

/// Top-level members asked for; all of them by default.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields(u32);

impl Fields {
    pub(crate) const ALL: Self = Self(u32::MAX);

    /// Reads the `fields` parameter; names that do not exist are passed over.
    pub(crate) fn parse(text: &str) -> Self {
        let wanted: Vec<&str> = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect();
        if wanted.is_empty() {
            return Self::ALL;
        }
        let bits = MEMBERS
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)));
        Self(bits.fold(0, |mask, (bit, _)| mask | 1 << bit))
    }

    fn has(self, bit: usize) -> bool {
        self.0 & 1 << bit != 0
    }
}

type Member = fn(&mut Json, &Session, &Look);

/// The members of a session, in the order of the vendor's sample.
const MEMBERS: [(&str, Member); 26] = [
    ("Id", |j, s, _| j.quoted(&s.id)),
    ("Uid", |j, s, _| j.plain(&s.uid)),
    ("ApplicationsInUse", |j, s, _| applications(j, s)),
    ("AppState", |j, s, look| {
        j.word(s.app_state, look, "Hibernating2031");
    }),
    ("AppStateLastChangeTime", |j, s, look| {
        j.legacy(Some(s.state_changed), look);
    }),
    ("FormattedAppStateLastChangeTime", |j, s, look| {
        j.formatted(Some(s.state_changed), look);
    }),
    ("Brokering", |j, s, look| brokering(j, s, look)),
    ("Client", |j, s, _| client(j, s)),
    ("Connection", |j, s, look| connection(j, s, look)),
    ("ContainerScopes", |j, _, _| scopes(j)),
    ("EstablishmentDurationMilliseconds", |j, s, _| {
        match s.established {
            Some(at) => j.plain(&(at - s.started).num_milliseconds()),
            None => j.raw("null"),
        }
    }),
    ("EstablishmentTime", |j, s, look| j.legacy(s.established, look)),
    ("FormattedEstablishmentTime", |j, s, look| {
        j.formatted(s.established, look);
    }),
    ("IsAnonymousUser", |j, s, _| j.plain(&s.anonymous)),
    ("IsHidden", |j, s, _| j.plain(&s.hidden)),
    ("LogoffInProgress", |j, s, _| j.plain(&s.logoff_in_progress)),
    ("LogonInProgress", |j, s, _| j.plain(&s.logon_in_progress)),
    ("Machine", |j, s, _| machine(j, &s.machine, s.state)),
    ("SessionType", |j, s, look| {
        j.word(
            if s.published_desktop {
                "Desktop"
            } else {
                "Application"
            },
            look,
            "Holographic",
        );
    }),
    ("StartTime", |j, s, look| j.legacy(Some(s.started), look)),
    ("FormattedStartTime", |j, s, look| {
        j.formatted(Some(s.started), look);
    }),
    ("State", |j, s, look| {
        j.word(s.state.text(), look, "Reconnecting2031");
    }),
    ("StateChangeTime", |j, s, look| {
        j.legacy(Some(s.state_changed), look);
    }),
    ("FormattedStateChangeTime", |j, s, look| {
        j.formatted(Some(s.state_changed), look);
    }),
    ("UntrustedUserName", |j, s, _| {
        j.maybe(s.untrusted_name.as_deref());
    }),
    ("User", |j, s, _| match &s.user {
        Some(person) => user(j, person),
        None => j.raw("null"),
    }),
];

/// Writes one session.
pub(crate) fn session(json: &mut Json, session: &Session, look: &Look) {
    let old_server = matches!(look.dates, DateStyle::LegacyOnly | DateStyle::LegacyUtc);
    json.raw("{");
    let mut first = true;
    for (bit, (name, member)) in MEMBERS.iter().enumerate() {
        if !look.fields.has(bit) || old_server && name.starts_with("Formatted") {
            continue;
        }
        json.raw(if first { "\"" } else { ",\"" });
        json.raw(name);
        json.raw("\":");
        member(json, session, look);
        first = false;
    }
    json.raw("}");
}

fn applications(j: &mut Json, s: &Session) {
    j.raw("[");
    let (start, count) = (usize::from(s.apps.0), usize::from(s.apps.1));
    for (position, name) in APPS.iter().skip(start).take(count).enumerate() {
        if position > 0 {
            j.raw(",");
        }
        j.raw(r#"{"Id":"00000000-0000-0000-0000-000000000000","Uid":null,"Name":"#);
        j.text(name);
        j.raw("}");
    }
    j.raw("]");
}

fn brokering(j: &mut Json, s: &Session, look: &Look) {
    if s.anonymous || s.protocol != "Hdx" {
        j.raw(r#"{"AutonomouslyBrokered":true,"DurationMilliseconds":null,"Time":null,"#);
        j.raw(r#""UserName":null,"UserSid":null}"#);
        return;
    }
    j.raw(r#"{"AutonomouslyBrokered":false,"DurationMilliseconds":844,"Time":"#);
    j.legacy(Some(s.started), look);
    if !matches!(look.dates, DateStyle::LegacyOnly | DateStyle::LegacyUtc) {
        j.raw(r#","FormattedTime":"#);
        j.formatted(Some(s.started), look);
    }
    j.raw(r#","UserName":"#);
    j.maybe(s.user_name());
    j.raw(r#","UserSid":"#);
    j.maybe(s.user.as_deref().map(|user| user.sid.as_str()));
    j.raw("}");
}

fn client(j: &mut Json, s: &Session) {
    let Some(client) = &s.client else {
        j.raw(r#"{"DeviceId":null,"HardwareId":null,"IPAddress":null,"Name":null,"Platform":"Unknown","#);
        j.raw(r#""ProductId":0,"ReceiverIPAddress":null,"ReceiverName":null,"Version":null}"#);
        return;
    };
    j.raw(r#"{"DeviceId":"#);
    j.text(&client.name);
    j.raw(r#","HardwareId":"#);
    let _ = write!(j.0, "\"{:08x}\"", u32::from(client.address).rotate_left(7));
    j.raw(r#","IPAddress":"#);
    j.quoted(&client.address);
    j.raw(r#","Name":"#);
    j.text(&client.name);
    j.raw(r#","Platform":"#);
    j.text(client.platform);
    j.raw(r#","ProductId":"#);
    j.plain(&client.product);
    j.raw(r#","ReceiverIPAddress":null,"ReceiverName":null,"Version":"#);
    j.text(client.version);
    j.raw("}");
}

fn connection(j: &mut Json, s: &Session, look: &Look) {
    let remote = s.protocol == "Hdx" && s.client.is_some();
    j.raw(r#"{"ConnectedViaHostName":null,"ConnectedViaIP":"#);
    j.raw(if remote { r#""10.107.1.34""# } else { "null" });
    j.raw(r#","ConnectionMode":"#);
    j.raw(if remote {
        r#""Brokered""#
    } else {
        r#""Unbrokered""#
    });
    j.raw(r#","LaunchedViaHostName":null,"LaunchedViaIP":"#);
    j.raw(if remote { r#""20.62.252.155""# } else { "null" });
    j.raw(r#","LaunchedViaPublishedName":null,"Protocol":"#);
    j.word(s.protocol, look, "Quic9");
    j.raw(r#","SecureIcaActive":"#);
    j.raw(if remote { "false" } else { "null" });
    j.raw(r#","SmartAccessTags":[]}"#);
}

fn scopes(j: &mut Json) {
    const ALL: &str = concat!(
        r#"{"Scopes":[{"Id":"00000000-0000-0000-0000-000000000000","Uid":null,"Name":"All","#,
        r#""Description":null,"IsBuiltIn":true,"IsAllScope":true,"IsTenantScope":false,"TenantId":null,"#,
        r#""TenantName":null}],"ScopeType":"#,
    );
    j.raw("[");
    j.raw(ALL);
    j.raw(r#""MachineCatalog"},"#);
    j.raw(ALL);
    j.raw(r#""DeliveryGroup"}]"#);
}

fn machine(j: &mut Json, m: &Machine, state: SessionState) {
    let group = &m.group;
    j.raw(r#"{"Id":"#);
    match m.id {
        Some(id) => j.quoted(&id),
        None => j.raw("null"),
    }
    j.raw(r#","Uid":"#);
    j.plain(&m.uid);
    j.raw(r#","AgentVersion":"2402.0.100.629","AllocationType":"Random","ApplicationsInUse":null,"#);
    j.raw(r#""AssociatedUsers":null,"MachineCatalog":"#);
    reference(j, &group.catalog_id, Some(group.uid), group.catalog);
    j.raw(r#","ContainerScopes":null,"ControllerDnsName":null,"DeliveryGroup":"#);
    reference(j, &group.id, Some(group.uid), group.name);
    j.raw(r#","DeliveryType":null,"Description":null,"DesktopConditions":null,"DnsName":"#);
    let _ = write!(j.0, "\"{}.corp.example\"", m.host);
    j.raw(r#","Hosting":{"HostedMachineId":null,"HostedMachineName":null,"HostingServerName":null,"#);
    j.raw(r#""LastHostingUpdateTime":null,"HypervisorConnection":"#);
    reference(j, &uuid::Uuid::nil(), None, group.hosting);
    j.raw(r#","ImageOutOfDate":false},"InMaintenanceMode":"#);
    j.plain(&m.maintenance);
    j.raw(r#","IPAddress":"#);
    j.quoted(&m.address);
    j.raw(r#","IsAssigned":null,"MachineType":"Virtual","LastConnectionFailure":null,"#);
    j.raw(r#""LastConnectionTime":null,"LastConnectionUser":null,"LastDeregistrationReason":null,"#);
    j.raw(r#""LastDeregistrationTime":null,"LastErrorReason":null,"LastErrorTime":null,"LoadIndex":null,"#);
    let _ = write!(j.0, r#""Name":"CORP\\{}","OSType":"{}","#, m.host, group.os);
    j.raw(r#""OSVersion":null,"PersistUserChanges":"Discard","PowerActionPending":null,"#);
    j.raw(r#""PowerState":"On","ProvisioningType":"MCS","PublishedApplications":null,"#);
    j.raw(r#""RegistrationState":"Registered","ScheduledReboot":"Unknown","SessionClientAddress":null,"#);
    j.raw(r#""SessionClientName":null,"SessionClientVersion":null,"SessionConnectedViaHostName":null,"#);
    j.raw(r#""SessionConnectedViaIP":null,"SessionCount":null,"SessionLaunchedViaHostName":null,"#);
    j.raw(r#""SessionLaunchedViaIP":null,"SessionProtocol":null,"SessionSecureIcaActive":null,"#);
    j.raw(r#""SessionSmartAccessTags":null,"SessionStartTime":null,"SessionState":null,"#);
    j.raw(r#""SessionStateChangeTime":null,"SessionSupport":"#);
    j.raw(if group.multi_session {
        r#""MultiSession""#
    } else {
        r#""SingleSession""#
    });
    j.raw(r#","SessionUserName":null,"Sid":null,"SummaryState":"#);
    let alone = !group.multi_session && state == SessionState::Disconnected;
    j.raw(if alone { r#""Disconnected""# } else { r#""InUse""# });
    j.raw(r#","WillShutdownAfterUse":null,"WindowsConnectionSetting":null,"Zone":"#);
    reference(j, &group.zone_id, None, group.zone);
    j.raw(r#","SupportedPowerActions":null,"FaultState":"None"}"#);
}

fn reference(j: &mut Json, id: &uuid::Uuid, uid: Option<u32>, name: &str) {
    j.raw(r#"{"Id":"#);
    j.quoted(id);
    j.raw(r#","Uid":"#);
    match uid {
        Some(uid) => j.plain(&uid),
        None => j.raw("null"),
    }
    j.raw(r#","Name":"#);
    j.text(name);
    j.raw("}");
}

fn user(j: &mut Json, u: &User) {
    j.raw(r#"{"DisplayName":"#);
    j.maybe(u.known(&u.display));
    j.raw(r#","SamName":"#);
    j.maybe(u.known(&u.sam));
    j.raw(r#","SamAccountName":null,"CommonName":null,"PrincipalName":"#);
    j.maybe(u.known(&u.principal));
    j.raw(r#","Sid":"#);
    j.text(&u.sid);
    j.raw(r#","GroupSids":null,"DenyOnlySids":null,"PasswordCanExpire":null,"#);
    j.raw(r#""DaysUntilPasswordExpiry":null,"IsBuiltIn":null,"IsGroup":null,"Name":"#);
    j.maybe(u.known(&u.name));
    // `State` of a user is the state of the postal address.
    j.raw(r#","StreetAddress":null,"City":null,"State":null,"Country":null,"Mail":null,"#);
    j.raw(r#""TelephoneNumber":null,"HomePhone":null,"Mobile":null,"Enabled":null,"Locked":null,"#);
    j.raw(r#""PropertiesFetched":0,"Domain":null,"Forest":null,"Guid":null,"DistinguishedName":null,"#);
    j.raw(r#""CanonicalName":null,"PossibleLookupFailure":"#);
    j.plain(&u.lookup_failed);
    j.raw(r#","DirectoryServer":null}"#);
}

/// A buffer of JSON text.
#[derive(Debug, Default)]
pub(crate) struct Json(pub(crate) String);

impl Json {
    pub(crate) fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// A JSON string.
    pub(crate) fn text(&mut self, text: &str) {
        self.0.push('"');
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
            let (clean, tail) = rest.split_at(at);
            self.0.push_str(clean);
            let mut tail = tail.chars();
            match tail.next() {
                Some(special @ ('"' | '\\')) => {
                    self.0.push('\\');
                    self.0.push(special);
                }
                Some(control) => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(control));
                }
                None => {}
            }
            rest = tail.as_str();
        }
        self.0.push_str(rest);
        self.0.push('"');
    }

    fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.raw("null"),
        }
    }

    /// A number or a boolean.
    fn plain(&mut self, value: &dyn std::fmt::Display) {
        let _ = write!(self.0, "{value}");
    }

    /// A string that needs no escapes.
    fn quoted(&mut self, value: &dyn std::fmt::Display) {
        let _ = write!(self.0, "\"{value}\"");
    }

    fn word(&mut self, word: &str, look: &Look, garbage: &str) {
        self.raw("\"");
        self.raw(if look.garbage { garbage } else { word });
        self.raw("\"");
    }

    /// `11/16/2020 2:01:04 PM`: US order, the site's own zone, and no word of which that is.
    pub(crate) fn legacy(&mut self, at: Option<DateTime<Utc>>, look: &Look) {
        let Some(at) = at else { return self.raw("null") };
        if look.dates == DateStyle::Garbage {
            return self.raw(r#""32/13/2020 25:61:61 XM""#);
        }
        let utc = look.dates == DateStyle::LegacyUtc;
        let at = if utc {
            at.naive_utc()
        } else {
            at.with_timezone(&look.offset).naive_local()
        };
        let (afternoon, hour) = at.hour12();
        let half = if afternoon { "PM" } else { "AM" };
        let (month, day, year) = (at.month(), at.day(), at.year());
        let (minute, second) = (at.minute(), at.second());
        let _ = write!(
            self.0,
            "\"{month}/{day}/{year} {hour}:{minute:02}:{second:02} {half}\""
        );
    }

    pub(crate) fn formatted(&mut self, at: Option<DateTime<Utc>>, look: &Look) {
        let Some(at) = at else { return self.raw("null") };
        match look.dates {
            DateStyle::Garbage => self.raw(r#""yesterday, about noon""#),
            DateStyle::BothOffset => {
                let local = at.with_timezone(&look.offset);
                self.quoted(&local.to_rfc3339_opts(SecondsFormat::Secs, false));
            }
            _ => {
                let (year, month, day) = (at.year(), at.month(), at.day());
                let (hour, minute, second) = (at.hour(), at.minute(), at.second());
                let _ = write!(
                    self.0,
                    "\"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z\""
                );
            }
        }
    }
}
