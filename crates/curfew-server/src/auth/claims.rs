//! From the claims of a verified token to a caller.
//!
//! Not here: whether the token is genuine and in time (`jwt`).
//! Invariant: only mapped groups and named scopes give anything; a token without them is a caller without rights.

use std::collections::BTreeSet;

use curfew_core::{Actor, Caller, Grant, Permission, Role, Scope};
use serde_json::{Map, Value};

use super::{AuthError, RoleMap};

/// Longest subject, and longest name that is kept, in characters.
const MAX_NAME: usize = 256;

/// The caller that these claims describe.
pub fn caller(
    issuer: &str,
    claims: &Map<String, Value>,
    roles_claim: &str,
    map: &RoleMap,
) -> Result<Caller, AuthError> {
    let subject = subject(claims)?;
    let actor = Actor {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        name: name(claims).unwrap_or_else(|| subject.to_owned()),
    };
    let mut roles = BTreeSet::new();
    let mut grants: Vec<Grant> = Vec::new();
    let mut add = |role: Role, scope: &Scope| {
        roles.insert(role);
        let grant = Grant::role(role, scope.clone());
        if !grants.contains(&grant) {
            grants.push(grant);
        }
    };
    for group in lookup(claims, roles_claim).map(texts).unwrap_or_default() {
        if let Some(grant) = map.get(group) {
            add(grant.role, &grant.scope);
        }
    }
    let scopes: Vec<&str> = ["scope", "scp"]
        .into_iter()
        .filter_map(|it| claims.get(it))
        .flat_map(texts)
        .flat_map(str::split_whitespace)
        .collect();
    if scopes.contains(&Role::Admin.as_str()) {
        add(Role::Admin, &Scope::All);
    }
    let permissions: BTreeSet<_> = scopes.into_iter().filter_map(Permission::parse).collect();
    if !permissions.is_empty() {
        grants.push(Grant {
            permissions,
            scope: Scope::All,
        });
    }
    Ok(Caller {
        actor,
        roles: roles.into_iter().collect(),
        grants,
    })
}

/// Together with the issuer it identifies the caller in the record, so it is taken as it is or not at all.
fn subject(claims: &Map<String, Value>) -> Result<&str, AuthError> {
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .ok_or(AuthError::Subject)?;
    let usable =
        !subject.trim().is_empty() && subject.chars().count() <= MAX_NAME && !subject.chars().any(disturbs);
    usable.then_some(subject).ok_or(AuthError::Subject)
}

/// The first name that says something.
fn name(claims: &Map<String, Value>) -> Option<String> {
    let clean = |claim: &str| {
        let text = claims.get(claim)?.as_str()?;
        let kept: String = text.chars().filter(|it| !disturbs(*it)).collect();
        let name: String = kept.trim().chars().take(MAX_NAME).collect();
        (!name.is_empty()).then_some(name)
    };
    ["name", "preferred_username", "email"]
        .into_iter()
        .find_map(clean)
}

/// Control characters, and the invisible ones that turn or hide text around them.
fn disturbs(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// The claim of that very name, else the one at that path (`realm_access.roles`, as Keycloak nests it).
fn lookup<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        lookup(claims.get(first)?.as_object()?, rest)
    })
}

/// A string, or the strings of an array; anything else is nothing.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
