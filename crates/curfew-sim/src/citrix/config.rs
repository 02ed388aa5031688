//! What a Citrix simulator is to be: address, estate, credentials, and which of the vendor's contradicting
//! behaviours it shows.
//!
//! Not the faults: those come and go while it runs ([`Fault`]); a behaviour here is for its whole life.
//! Invariant: [`CitrixSimConfig::default`] is a cloud site that behaves as the vendor's specification says.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::ValueEnum;

use super::fault::Fault;
use crate::serve::TlsPem;

/// The customer id that every on-prem site uses.
pub(crate) const ON_PREM_CUSTOMER: &str = "CitrixOnPremises";

/// Which of the two products is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Flavour {
    /// DaaS in Citrix Cloud: OAuth client credentials, a customer id, a site id.
    #[default]
    Cloud,
    /// Virtual Apps and Desktops on a Delivery Controller: Basic sign-in, customer `CitrixOnPremises`.
    OnPrem,
}

/// What the cloud's token endpoint says to bad credentials; both are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadCredentials {
    /// HTTP 401 with `error` and `error_description`.
    #[default]
    Status401,
    /// HTTP **200** with `error` and `error_description`.
    Ok200,
}

/// How an on-prem site spells the member that holds the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPremToken {
    /// `Token`, as the specification and the vendor's client have it.
    #[default]
    Upper,
    /// `token`, as the documentation page has it.
    Lower,
}

/// The body of a synchronous `$disconnect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DisconnectBody {
    /// One session object (specification).
    #[default]
    Single,
    /// `{"Items": [session], "ContinuationToken": null, "TotalItems": 1}` (documentation page).
    ItemsList,
}

/// How `$logoff` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogoffAnswer {
    /// `?async=true`: 202 with `Location`; else 204 once the session has ended (specification).
    #[default]
    Specified,
    /// 200 with `Location`, asked or not (documentation page).
    Ok200Location,
    /// 204 at once and no `Location`, although `async=true` was asked.
    NoContent,
}

/// The form of the `Location` header of an accepted job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LocationStyle {
    /// `{url}/cvad/manage/Jobs/{id}`.
    #[default]
    Gateway,
    /// `{url}/citrix/orchestration/api/{customer}/{site}/Jobs/{id}`.
    Orchestration,
    /// `{0}/cvad/manage/Jobs/{id}`: another host, to which a client must not send its token.
    Foreign(String),
    /// `/cvad/manage/Jobs/{id}`: no host at all.
    Relative,
}

/// Which date members a session has and what stands in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateStyle {
    /// The US text in the site's own zone, and `Formatted*` in RFC 3339 with `Z`.
    #[default]
    Both,
    /// As `Both`, with the site's offset instead of `Z`.
    BothOffset,
    /// The US text in the site's own zone only: `Formatted*` is absent, as on old servers.
    LegacyOnly,
    /// The US text only, of a site whose zone is UTC.
    LegacyUtc,
    /// Text that is no date, in both forms.
    Garbage,
}

/// How an unknown session is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotFoundStyle {
    /// HTTP 404.
    #[default]
    Status404,
    /// HTTP 500 with the detail `Object does not exist.`.
    Status500,
}

/// The shape of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStyle {
    /// `{type, detail, parameters}`: Citrix Cloud.
    ErrorResponse,
    /// `{ErrorMessage, SdkErrorId, ErrorType, ...}`: on-prem and the direct form.
    ErrorData,
}

/// What stands in `ContinuationToken` after the last page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndOfPages {
    /// `null`.
    #[default]
    Null,
    /// The member is absent.
    Absent,
    /// An empty string.
    Empty,
}

/// What `GET /me` knows of sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discovery {
    /// One customer with one site.
    #[default]
    OneSite,
    /// One customer without sites.
    NoSites,
    /// No customer.
    NoCustomers,
}

/// A named deviation, for the command line (`--variant`); each sets one field of [`CitrixSimConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// Bad cloud credentials are answered with 200 and an `error` member.
    #[value(name = "bad-credentials-200")]
    BadCredentials200,
    /// The on-prem token stands in `token`, not in `Token`.
    TokenLower,
    /// `$disconnect` answers a list of one session.
    DisconnectItems,
    /// `$logoff` answers 200 with `Location`.
    #[value(name = "logoff-200")]
    Logoff200,
    /// `$logoff` answers 204 at once, even if `async` was asked.
    #[value(name = "logoff-204")]
    Logoff204,
    /// `Location` has the orchestration form.
    LocationOrchestration,
    /// `Location` names `https://foreign.example`.
    LocationForeign,
    /// `Location` names no host.
    LocationRelative,
    /// `Formatted*` dates carry the offset of the site, not `Z`.
    DatesOffset,
    /// No `Formatted*` dates, as on old servers.
    DatesLegacy,
    /// No `Formatted*` dates, and the zone of the site is UTC.
    DatesLegacyUtc,
    /// Dates are text that is no date.
    DatesGarbage,
    /// An unknown session is a 500 with `Object does not exist.`.
    #[value(name = "not-found-500")]
    NotFound500,
    /// Errors have the shape of the cloud, whatever the flavour.
    ErrorResponse,
    /// Errors have the shape of on-prem, whatever the flavour.
    ErrorData,
    /// After the last page `ContinuationToken` is absent.
    EndAbsent,
    /// After the last page `ContinuationToken` is empty.
    EndEmpty,
    /// Every continuation page begins with the last three rows of the page before.
    RepeatRows,
    /// `me` names a customer without sites.
    NoSites,
    /// `me` names no customer.
    NoCustomers,
}

/// The whole description of a simulated site. Fields may be set directly or by the builder methods.
#[derive(Debug, Clone)]
pub struct CitrixSimConfig {
    /// Where the API listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the control listener listens; none by default.
    pub control: Option<SocketAddr>,
    /// The base URL that `Location` headers name; by default the one listened on.
    pub public_url: Option<String>,
    /// Certificate and key, to speak HTTPS.
    pub tls: Option<TlsPem>,
    /// Cloud or on-prem.
    pub flavour: Flavour,
    /// How many sessions there are at start.
    pub sessions: usize,
    /// The estate is a function of this number, of `sessions` and of `epoch`.
    pub seed: u64,
    /// The instant from which the estate's dates are counted back; by default the time of start.
    pub epoch: Option<DateTime<Utc>>,
    /// The customer id (cloud); on-prem it is always `CitrixOnPremises`.
    pub customer: String,
    /// The site id, sent by clients as `Citrix-InstanceId`.
    pub site: String,
    /// The API client's id (cloud).
    pub client_id: String,
    /// The API client's secret (cloud).
    pub client_secret: String,
    /// The administrator's name (on-prem).
    pub username: String,
    /// The administrator's password (on-prem).
    pub password: String,
    /// Further principals as (name, secret): they see the same sessions but not each other's jobs.
    pub other_principals: Vec<(String, String)>,
    /// How long a token is good, measured by `tokio::time`.
    pub token_lifetime: Duration,
    /// Rows per page when no `limit` is asked.
    pub default_limit: usize,
    /// A larger `limit` is refused with 400.
    pub max_limit: usize,
    /// How long a log-off takes from acceptance to the session's end; zero ends it at once.
    pub logoff: Duration,
    /// How long the job of an asynchronous disconnect or message takes.
    pub quick_job: Duration,
    /// How many rows a continuation page repeats from the page before.
    pub repeat_rows: usize,
    /// The site's zone as minutes east of UTC, for the zone-less dates.
    pub site_offset_minutes: i32,
    /// See [`BadCredentials`].
    pub bad_credentials: BadCredentials,
    /// See [`OnPremToken`].
    pub on_prem_token: OnPremToken,
    /// See [`DisconnectBody`].
    pub disconnect_body: DisconnectBody,
    /// See [`LogoffAnswer`].
    pub logoff_answer: LogoffAnswer,
    /// See [`LocationStyle`].
    pub location: LocationStyle,
    /// See [`DateStyle`].
    pub dates: DateStyle,
    /// See [`NotFoundStyle`].
    pub not_found: NotFoundStyle,
    /// The shape of error bodies; by default the flavour's own.
    pub errors: Option<ErrorStyle>,
    /// See [`EndOfPages`].
    pub end_of_pages: EndOfPages,
    /// See [`Discovery`].
    pub discovery: Discovery,
    /// Faults that are there from the first request on.
    pub faults: Vec<Fault>,
}

impl Default for CitrixSimConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            control: None,
            public_url: None,
            tls: None,
            flavour: Flavour::Cloud,
            sessions: 50,
            seed: 1,
            epoch: None,
            customer: "loy6oujtu6a4".to_owned(),
            site: "22ded57c-0306-47e4-b6e8-fed6252759e1".to_owned(),
            client_id: "4c5e6b1a-sim-client".to_owned(),
            // Real secrets end in `==` and must be URL-encoded by the client; so must this one.
            client_secret: "s1m+Secret/Abc==".to_owned(),
            username: "CORP\\ctxadmin".to_owned(),
            password: "P@ss:wörd".to_owned(),
            other_principals: Vec::new(),
            token_lifetime: Duration::from_secs(3600),
            default_limit: 250,
            max_limit: 1000,
            logoff: Duration::from_millis(300),
            quick_job: Duration::from_millis(50),
            repeat_rows: 0,
            // Not UTC, so that a client which takes the zone-less text for UTC is caught.
            site_offset_minutes: -300,
            bad_credentials: BadCredentials::default(),
            on_prem_token: OnPremToken::default(),
            disconnect_body: DisconnectBody::default(),
            logoff_answer: LogoffAnswer::default(),
            location: LocationStyle::default(),
            dates: DateStyle::default(),
            not_found: NotFoundStyle::default(),
            errors: None,
            end_of_pages: EndOfPages::default(),
            discovery: Discovery::default(),
            faults: Vec::new(),
        }
    }
}

impl CitrixSimConfig {
    /// A cloud site of 50 sessions on a free port of 127.0.0.1.
    pub fn cloud() -> Self {
        Self::default()
    }

    /// An on-prem site of 50 sessions on a free port of 127.0.0.1.
    pub fn on_prem() -> Self {
        Self {
            flavour: Flavour::OnPrem,
            ..Self::default()
        }
    }

    /// Sets the number of sessions at start.
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions;
        self
    }

    /// Sets the seed of the estate.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how long a log-off takes.
    pub fn logoff_takes(mut self, duration: Duration) -> Self {
        self.logoff = duration;
        self
    }

    /// Sets how long a token is good.
    pub fn token_lifetime(mut self, duration: Duration) -> Self {
        self.token_lifetime = duration;
        self
    }

    /// Speaks HTTPS with this certificate (PEM) and key (PEM).
    pub fn tls(mut self, cert: impl Into<String>, key: impl Into<String>) -> Self {
        self.tls = Some(TlsPem {
            cert: cert.into(),
            key: key.into(),
        });
        self
    }

    /// Opens the control listener at this address.
    pub fn control(mut self, address: SocketAddr) -> Self {
        self.control = Some(address);
        self
    }

    /// Adds a fault that is there from the first request on.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Applies a named deviation.
    pub fn with(mut self, variant: Variant) -> Self {
        match variant {
            Variant::BadCredentials200 => self.bad_credentials = BadCredentials::Ok200,
            Variant::TokenLower => self.on_prem_token = OnPremToken::Lower,
            Variant::DisconnectItems => self.disconnect_body = DisconnectBody::ItemsList,
            Variant::Logoff200 => self.logoff_answer = LogoffAnswer::Ok200Location,
            Variant::Logoff204 => self.logoff_answer = LogoffAnswer::NoContent,
            Variant::LocationOrchestration => self.location = LocationStyle::Orchestration,
            Variant::LocationForeign => {
                self.location = LocationStyle::Foreign("https://foreign.example".to_owned());
            }
            Variant::LocationRelative => self.location = LocationStyle::Relative,
            Variant::DatesOffset => self.dates = DateStyle::BothOffset,
            Variant::DatesLegacy => self.dates = DateStyle::LegacyOnly,
            Variant::DatesLegacyUtc => self.dates = DateStyle::LegacyUtc,
            Variant::DatesGarbage => self.dates = DateStyle::Garbage,
            Variant::NotFound500 => self.not_found = NotFoundStyle::Status500,
            Variant::ErrorResponse => self.errors = Some(ErrorStyle::ErrorResponse),
            Variant::ErrorData => self.errors = Some(ErrorStyle::ErrorData),
            Variant::EndAbsent => self.end_of_pages = EndOfPages::Absent,
            Variant::EndEmpty => self.end_of_pages = EndOfPages::Empty,
            Variant::RepeatRows => self.repeat_rows = 3,
            Variant::NoSites => self.discovery = Discovery::NoSites,
            Variant::NoCustomers => self.discovery = Discovery::NoCustomers,
        }
        self
    }

    /// The customer id that clients must send.
    pub(crate) fn customer_id(&self) -> &str {
        match self.flavour {
            Flavour::Cloud => &self.customer,
            Flavour::OnPrem => ON_PREM_CUSTOMER,
        }
    }

    pub(crate) fn error_style(&self) -> ErrorStyle {
        self.errors.unwrap_or(match self.flavour {
            Flavour::Cloud => ErrorStyle::ErrorResponse,
            Flavour::OnPrem => ErrorStyle::ErrorData,
        })
    }

    /// The name of the principal with these credentials, if there is one.
    pub(crate) fn principal(&self, name: &str, secret: &str) -> Option<String> {
        let own = match self.flavour {
            Flavour::Cloud => (self.client_id.as_str(), self.client_secret.as_str()),
            Flavour::OnPrem => (self.username.as_str(), self.password.as_str()),
        };
        let others = self
            .other_principals
            .iter()
            .map(|(n, s)| (n.as_str(), s.as_str()));
        std::iter::once(own)
            .chain(others)
            .find(|(n, s)| *n == name && *s == secret)
            .map(|(n, _)| n.to_owned())
    }
}
