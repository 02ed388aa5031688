//! Who asks, and may they: credentials at the token endpoints, token and headers everywhere else.
//!
//! Invariant: nothing behind this module is reached without a principal, but for an unknown path.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::SecondsFormat;
use http::StatusCode;
use serde_json::json;

use super::call::{Call, Query, Route};
use super::config::{BadCredentials, Flavour, OnPremToken};
use super::reply::{Problem, Reply};
use super::site::{BadToken, Site};
use crate::clock;

/// Lets a request in, and notes its principal, or answers it.
pub(crate) fn check(site: &Site, call: &mut Call) -> Result<(), Reply> {
    let principal = match &call.route {
        Route::Unknown | Route::WrongMethod => None,
        Route::CloudToken { customer } => Some(cloud_credentials(site, call, customer)?),
        Route::OnPremToken => Some(basic_credentials(site, call)?),
        _ => Some(by_token(site, call)?),
    };
    call.principal = principal;
    Ok(())
}

/// Answers a request for a token that [`check`] let in.
pub(crate) fn issue(site: &Site, call: &Call) -> Reply {
    let principal = call.principal.as_deref().unwrap_or_default();
    let token = site.issue_token(principal);
    let lifetime = site.config.token_lifetime;
    if site.config.flavour == Flavour::Cloud {
        // A string, as the vendor has it.
        let expires_in = lifetime.as_secs().to_string();
        let body = json!({ "token_type": "bearer", "access_token": token, "expires_in": expires_in });
        return Reply::json(StatusCode::OK, &body);
    }
    let expires = clock::now() + lifetime;
    let name = match site.config.on_prem_token {
        OnPremToken::Upper => "Token",
        OnPremToken::Lower => "token",
    };
    let body = json!({
        name: token,
        "Principal": principal,
        "UserId": "S-1-5-21-1004336348-1177238915-682003330-500",
        "CustomerId": site.config.customer_id(),
        "ExpiresAt": expires.to_rfc3339_opts(SecondsFormat::Millis, true),
    });
    Reply::json(StatusCode::OK, &body)
}

fn cloud_credentials(site: &Site, call: &Call, customer: &str) -> Result<String, Reply> {
    if site.config.flavour != Flavour::Cloud {
        return Err(Reply::html(StatusCode::NOT_FOUND));
    }
    let form = Query::parse(&String::from_utf8_lossy(&call.body));
    let customer_fits = customer == site.config.customer || customer.eq_ignore_ascii_case("root");
    let principal = site
        .config
        .principal(
            form.get("client_id").unwrap_or_default(),
            form.get("client_secret").unwrap_or_default(),
        )
        .filter(|_| customer_fits);
    let is_form = call.header("content-type").is_some_and(|kind| {
        kind.to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
    });
    let (status, error, description) = match principal {
        _ if !is_form => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid_request",
            "A form is expected",
        ),
        _ if form.get("grant_type") != Some("client_credentials") => (
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "The grant type is not supported",
        ),
        Some(principal) => return Ok(principal),
        None => {
            let status = match site.config.bad_credentials {
                BadCredentials::Status401 => StatusCode::UNAUTHORIZED,
                BadCredentials::Ok200 => StatusCode::OK,
            };
            (status, "invalid_client", "Invalid client id or client secret.")
        }
    };
    Err(Reply::json(
        status,
        &json!({ "error": error, "error_description": description }),
    ))
}

fn basic_credentials(site: &Site, call: &Call) -> Result<String, Reply> {
    if site.config.flavour != Flavour::OnPrem {
        return Err(site.problem(Problem::of(404)));
    }
    let refused = |reason| site.problem(Problem::unauthenticated(reason));
    let header = call.header("authorization").ok_or_else(|| refused("missing"))?;
    header
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, value)| BASE64_STANDARD.decode(value.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| {
            let (name, password) = pair.split_once(':')?;
            site.config.principal(name, password)
        })
        .ok_or_else(|| refused("invalid"))
}

fn by_token(site: &Site, call: &Call) -> Result<String, Reply> {
    let problem = |problem| Err(site.problem(problem));
    let Some(header) = call.header("authorization") else {
        return problem(Problem::unauthenticated("missing"));
    };
    let Some(token) = cws_bearer(header) else {
        return problem(Problem::unauthenticated("invalid"));
    };
    let principal = match site.principal_of(token) {
        Ok(principal) => principal,
        Err(BadToken::Invalid) => return problem(Problem::unauthenticated("invalid")),
        Err(BadToken::Expired) => return problem(Problem::unauthenticated("expired")),
    };
    let (customer, instance) = match &call.scope {
        Some((customer, instance)) => (Some(customer.as_str()), Some(instance.as_str())),
        None => (call.header("citrix-customerid"), call.header("citrix-instanceid")),
    };
    match customer {
        None => return problem(Problem::bad_request("common/missing", "Citrix-CustomerId")),
        Some(id) if id != site.config.customer_id() => return problem(Problem::denied("Customer", id)),
        Some(_) => {}
    }
    // The site is not known yet when it is asked for or woken up.
    if !matches!(call.route, Route::Me | Route::Activate { .. }) {
        match instance {
            None => return problem(Problem::bad_request("common/missing", "Citrix-InstanceId")),
            Some(id) if !id.eq_ignore_ascii_case(&site.config.site) => {
                return problem(Problem::denied("Site", id));
            }
            Some(_) => {}
        }
    }
    match &call.route {
        Route::Activate { customer } if *customer != site.config.customer => {
            return problem(Problem::denied("Customer", customer));
        }
        _ => {}
    }
    let acceptable = |accept: &str| accept.contains("*/*") || accept.to_ascii_lowercase().contains("json");
    if !call.header("accept").is_none_or(acceptable) {
        return problem(Problem::of(406));
    }
    let is_json = |kind: &str| kind.to_ascii_lowercase().starts_with("application/json");
    if !call.body.is_empty() && !call.header("content-type").is_some_and(is_json) {
        return problem(Problem::of(415));
    }
    Ok(principal)
}

/// The token of `CWSAuth bearer=<token>`, both words in any case.
fn cws_bearer(header: &str) -> Option<&str> {
    let (scheme, rest) = header.trim().split_once(' ')?;
    let (word, token) = rest.trim_start().split_once('=')?;
    (scheme.eq_ignore_ascii_case("cwsauth") && word.eq_ignore_ascii_case("bearer")).then_some(token)
}
