//! The reading endpoints: `me`, the list, the search, one session.
//!
//! Invariant: a listing that follows the continuation tokens to their end has met every session that was
//! there all the time.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::config::{Discovery, EndOfPages, Flavour, NotFoundStyle};
use super::estate::{Estate, Session};
use super::fault::{self, FaultAction};
use super::render::{self, Json, Look};
use super::reply::{Problem, Reply};
use super::site::Site;

/// Both `+` and `/` stand in every token: a client that does not URL-encode it is found out.
const TOKEN_PREFIX: &str = "Q+/";

/// `GET /me`.
pub(crate) fn me(site: &Site, call: &Call) -> Reply {
    let config = &site.config;
    let cloud = config.flavour == Flavour::Cloud;
    let sites = match config.discovery {
        Discovery::OneSite => {
            json!([{ "Id": config.site, "Name": if cloud { "cloudxdsite" } else { "CORP-SITE" } }])
        }
        Discovery::NoSites | Discovery::NoCustomers => json!([]),
    };
    let customers = match config.discovery {
        Discovery::NoCustomers => json!([]),
        _ => json!([{ "Id": config.customer_id(), "Name": null, "Sites": sites }]),
    };
    let body = json!({
        "UserId": call.principal,
        "DisplayName": call.principal,
        // The vendor's sample has a bare time of day here, against its own specification.
        "ExpiryTime": "5:19:11 AM",
        "RefreshExpirationTime": "5:19:11 AM",
        "VerifiedEmail": null,
        "IsCspCustomer": false,
        "Customers": customers,
    });
    Reply::json(StatusCode::OK, &body)
}

/// `GET /Sessions/{id}`.
pub(crate) fn get(site: &Site, call: &Call, id: &str, fault: Option<&FaultAction>) -> Reply {
    site.counters.lock().gets += 1;
    let estate = site.estate.read();
    let found = call
        .session
        .and_then(|id| estate.get(id))
        .filter(|_| fault != Some(&FaultAction::Ghost));
    match found {
        Some(session) => one(session, &look(site, call, fault)),
        None => not_found(site, id),
    }
}

/// The answer about a session that is not there.
pub(crate) fn not_found(site: &Site, id: &str) -> Reply {
    site.problem(match site.config.not_found {
        NotFoundStyle::Status404 => Problem::not_found("Session", id),
        NotFoundStyle::Status500 => Problem::does_not_exist(),
    })
}

/// One session as an answer.
pub(crate) fn one(session: &Session, look: &Look) -> Reply {
    let mut json = Json(String::with_capacity(6 * 1024));
    render::session(&mut json, session, look);
    Reply::rendered(StatusCode::OK, json.0)
}

pub(crate) fn look(site: &Site, call: &Call, fault: Option<&FaultAction>) -> Look {
    site.look(call.query.get("fields"), fault == Some(&FaultAction::GarbageEnum))
}

/// `GET /Sessions`.
pub(crate) fn list(site: &Site, call: &Call, fault: Option<&FaultAction>) -> Reply {
    let window = match Window::read(site, call) {
        Ok(window) => window,
        Err(problem) => return site.problem(problem),
    };
    let reply = page(site, call, &window, fault, None);
    let mut counters = site.counters.lock();
    counters.pages += 1;
    counters.listings += u64::from(window.asked.is_none());
    reply
}

/// `POST /Sessions/$search`: filters by state, user and machine; anything else is refused.
pub(crate) fn search(site: &Site, call: &Call, fault: Option<&FaultAction>) -> Reply {
    let request = if call.body.is_empty() {
        b"{}".as_slice()
    } else {
        &call.body
    };
    let filters = serde_json::from_slice::<SearchRequest>(request)
        .map_err(|_| Problem::bad_request("common/invalidJson", "body"))
        .and_then(SearchRequest::filters);
    match (filters, Window::read(site, call)) {
        (Ok(filters), Ok(window)) => page(site, call, &window, fault, Some(&filters)),
        (Err(problem), _) | (_, Err(problem)) => site.problem(problem),
    }
}

/// The part of the rows that is asked for.
struct Window<'a> {
    limit: usize,
    after: u64,
    asked: Option<&'a str>,
}

impl<'a> Window<'a> {
    fn read(site: &Site, call: &'a Call) -> Result<Self, Problem> {
        let limit = match call.query.get("limit") {
            None => site.config.default_limit,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=site.config.max_limit).contains(limit))
                .ok_or_else(|| Problem::bad_request("common/outOfRange", "limit"))?,
        };
        let asked = call
            .query
            .get("continuationToken")
            .filter(|token| !token.is_empty());
        let after = match asked {
            None => 0,
            Some(token) => open_token(token)
                .ok_or_else(|| Problem::bad_request("common/invalidString", "continuationToken"))?,
        };
        Ok(Self { limit, after, asked })
    }
}

fn make_token(after: u64) -> String {
    format!(
        "{TOKEN_PREFIX}{}",
        BASE64_STANDARD.encode(format!("after={after}"))
    )
}

fn open_token(token: &str) -> Option<u64> {
    let bytes = BASE64_STANDARD.decode(token.strip_prefix(TOKEN_PREFIX)?).ok()?;
    String::from_utf8(bytes)
        .ok()?
        .strip_prefix("after=")?
        .parse()
        .ok()
}

fn page(
    site: &Site,
    call: &Call,
    window: &Window<'_>,
    fault: Option<&FaultAction>,
    filters: Option<&[Filter]>,
) -> Reply {
    let look = look(site, call, fault);
    let estate = site.estate.read();
    // Repeated rows must leave room for new ones, or the listing would not move.
    let repeated = site.config.repeat_rows.min(window.limit - 1);
    let after = match window.asked {
        Some(_) => estate.before(window.after, repeated),
        None => 0,
    };
    let matches =
        |session: &Session| filters.is_none_or(|all| all.iter().all(|filter| filter.matches(session)));
    let mut rows = estate
        .after(after)
        .filter(|(_, session)| matches(session))
        .peekable();
    let mut json = Json(String::with_capacity(
        window.limit.min(estate.len()) * 5 * 1024 + 128,
    ));
    json.raw(r#"{"Items":["#);
    let mut last = after;
    for (position, (number, session)) in rows.by_ref().take(window.limit).enumerate() {
        if position > 0 {
            json.raw(",");
        }
        render::session(&mut json, session, &look);
        last = number;
    }
    json.raw("]");
    let token = match (rows.peek(), window.asked) {
        (_, Some(asked)) if fault == Some(&FaultAction::RepeatContinuationToken) => Some(asked.to_owned()),
        (Some(_), _) => Some(make_token(last)),
        (None, _) => None,
    };
    finish_page(
        &mut json,
        token.as_deref(),
        site.config.end_of_pages,
        total(&estate, filters.map(|_| &matches)),
    );
    Reply::rendered(StatusCode::OK, json.0)
}

/// Only a search counts.
fn total(estate: &Estate, matches: Option<&impl Fn(&Session) -> bool>) -> Option<usize> {
    matches.map(|matches| estate.after(0).filter(|(_, session)| matches(session)).count())
}

fn finish_page(json: &mut Json, token: Option<&str>, end: EndOfPages, total: Option<usize>) {
    match (token, end) {
        (Some(token), _) => {
            json.raw(r#","ContinuationToken":"#);
            json.text(token);
        }
        (None, EndOfPages::Null) => json.raw(r#","ContinuationToken":null"#),
        (None, EndOfPages::Empty) => json.raw(r#","ContinuationToken":"""#),
        (None, EndOfPages::Absent) => {}
    }
    json.raw(r#","TotalItems":"#);
    json.raw(&total.map_or_else(|| "null".to_owned(), |total| total.to_string()));
    json.raw("}");
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SearchRequest {
    #[serde(default)]
    search_filters: Option<Vec<RawFilter>>,
    #[serde(default)]
    search_filter_groups: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawFilter {
    property: String,
    operator: String,
    #[serde(default)]
    value: Option<String>,
}

struct Filter {
    property: fn(&Session) -> Option<String>,
    operator: fn(&str, &str) -> bool,
    value: String,
}

impl SearchRequest {
    fn filters(self) -> Result<Vec<Filter>, Problem> {
        if self.search_filter_groups.is_some_and(|groups| !groups.is_empty()) {
            return Err(Problem::bad_request("common/invalidString", "SearchFilterGroups"));
        }
        self.search_filters
            .unwrap_or_default()
            .into_iter()
            .map(RawFilter::compile)
            .collect()
    }
}

impl RawFilter {
    fn compile(self) -> Result<Filter, Problem> {
        let property: fn(&Session) -> Option<String> = match self.property.as_str() {
            "SessionState" => |session| Some(session.state.text().to_owned()),
            "CurrentUser" | "UserName" => |session| session.user_name().map(str::to_owned),
            "MachineName" => |session| Some(format!("CORP\\{}", session.machine.host)),
            _ => return Err(Problem::bad_request("common/invalidEnum", "Property")),
        };
        let operator: fn(&str, &str) -> bool = match self.operator.as_str() {
            "Equals" => |have, want| have == want,
            "NotEquals" => |have, want| have != want,
            "Contains" => |have, want| have.contains(want),
            "StartsWith" => |have, want| have.starts_with(want),
            _ => return Err(Problem::bad_request("common/invalidEnum", "Operator")),
        };
        Ok(Filter {
            property,
            operator,
            value: self.value.unwrap_or_default().to_lowercase(),
        })
    }
}

impl Filter {
    fn matches(&self, session: &Session) -> bool {
        (self.property)(session).is_some_and(|have| (self.operator)(&have.to_lowercase(), &self.value))
    }
}

/// JSON of the right names and the wrong types.
pub(crate) fn wrong_types(call: &Call) -> Reply {
    use super::fault::Operation;
    let body = match call.operation {
        Operation::Token => json!({ "access_token": 5, "expires_in": {}, "Token": [], "ExpiresAt": true }),
        Operation::Me => json!({ "Customers": { "Id": 1 } }),
        Operation::List | Operation::Search => json!({ "Items": { "Id": 5 }, "ContinuationToken": 7 }),
        Operation::Job => json!({ "Id": 1, "Status": ["Complete"], "Parameters": "none" }),
        _ => json!({ "Id": 42, "State": { "Active": true }, "Machine": "M1", "User": [] }),
    };
    Reply::json(StatusCode::OK, &body)
}

/// Wakes a frozen site up.
pub(crate) fn activate(site: &Arc<Site>) -> Reply {
    fault::activate(&mut site.faults.lock());
    Reply::json(StatusCode::ACCEPTED, &json!({}))
}
