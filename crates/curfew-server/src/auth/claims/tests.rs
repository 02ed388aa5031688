//! Who a token describes. Not whether it is genuine. Invariant: each case stands alone.

use curfew_core::BackendId;
use serde_json::json;

use super::*;
use crate::auth::{RoleGrant, RoleMapError};

fn backend(name: &str) -> BackendId {
    BackendId::parse(name).expect("a name")
}

fn map() -> RoleMap {
    let known = [backend("rds"), backend("vpn-hq")].into();
    let some = ["rds".to_owned(), "vpn-hq".to_owned()];
    let grant = |role, backends| RoleGrant::parse(role, backends, &known).expect("a grant");
    RoleMap(
        [
            (
                "grp-helpdesk".to_owned(),
                grant("helpdesk", Some(some.as_slice())),
            ),
            ("grp-audit".to_owned(), grant("auditor", None)),
        ]
        .into(),
    )
}

fn of(claims: Value) -> Caller {
    let Value::Object(mut claims) = claims else {
        panic!("an object")
    };
    claims.entry("sub").or_insert_with(|| "u-1".into());
    caller("iss", &claims, "groups", &map()).expect("a caller")
}

#[test]
fn unmapped_groups_give_nothing() {
    for claims in [
        json!({}),
        json!({ "groups": [] }),
        json!({ "groups": ["admin", "helpdesk", "GRP-AUDIT"] }),
        json!({ "groups": 7 }),
        json!({ "groups": { "grp-audit": true } }),
        json!({ "groups": [["grp-audit"], null, 1] }),
        json!({ "roles": ["grp-audit"], "role": "admin", "scope": "openid profile viewer operator" }),
        json!({ "scope": "sessions:reading SESSIONS:READ" }),
    ] {
        let caller = of(claims.clone());
        assert!(caller.roles.is_empty() && caller.grants.is_empty(), "{claims}");
    }
}

#[test]
fn mapped_groups_give_roles_where_they_hold() {
    let caller = of(json!({ "groups": ["grp-helpdesk", "grp-helpdesk", "grp-audit"] }));
    assert_eq!(caller.roles, [Role::Helpdesk, Role::Auditor]);
    let only = Scope::Only([backend("rds"), backend("vpn-hq")].into());
    assert_eq!(
        caller.grants,
        [
            Grant::role(Role::Helpdesk, only),
            Grant::role(Role::Auditor, Scope::All)
        ]
    );
    assert_eq!(of(json!({ "groups": "grp-audit" })).roles, [Role::Auditor]);
}

#[test]
fn the_roles_claim_may_be_a_path_or_a_name_with_dots() {
    let read = |claims: Value, name: &str| {
        let Value::Object(claims) = claims else {
            panic!("an object")
        };
        caller("iss", &claims, name, &map()).expect("a caller").roles
    };
    let keycloak = json!({ "sub": "u", "realm_access": { "roles": ["grp-audit"] } });
    assert_eq!(read(keycloak.clone(), "realm_access.roles"), [Role::Auditor]);
    assert!(read(keycloak, "realm_access.roles.more").is_empty());
    let auth0 = json!({ "sub": "u", "https://curfew.example.com/roles": ["grp-audit"] });
    assert_eq!(read(auth0, "https://curfew.example.com/roles"), [Role::Auditor]);
}

#[test]
fn scopes_name_permissions_or_admin() {
    let all = |permissions: &[Permission]| {
        [Grant {
            permissions: permissions.iter().copied().collect(),
            scope: Scope::All,
        }]
    };
    use Permission::{SessionsLogoff, SessionsRead};
    for claims in [
        json!({ "scope": "openid sessions:read sessions:logoff" }),
        json!({ "scp": "sessions:read sessions:logoff" }),
        json!({ "scp": ["sessions:read", "sessions:logoff"] }),
        json!({ "scope": "sessions:read", "scp": ["sessions:logoff"] }),
    ] {
        let caller = of(claims.clone());
        assert_eq!(caller.grants, all(&[SessionsRead, SessionsLogoff]), "{claims}");
        assert!(caller.roles.is_empty());
    }
    let admin = of(json!({ "scope": "admin" }));
    assert_eq!(admin.roles, [Role::Admin]);
    assert_eq!(admin.grants, [Grant::role(Role::Admin, Scope::All)]);
}

#[test]
fn the_name_is_for_people() {
    for (claims, expected) in [
        (
            json!({ "name": "Hanna H.", "preferred_username": "hh", "email": "h@x" }),
            "Hanna H.",
        ),
        (json!({ "name": " ", "preferred_username": "hh" }), "hh"),
        (json!({ "name": 7, "email": "h@x" }), "h@x"),
        (json!({}), "u-1"),
        (json!({ "name": "a\u{1b}[31mb\r\nc\u{202e}d\u{0}" }), "a[31mbcd"),
    ] {
        assert_eq!(of(claims.clone()).actor.name, expected, "{claims}");
    }
    assert_eq!(
        of(json!({ "name": "ä".repeat(1000) })).actor.name.chars().count(),
        256
    );
}

#[test]
fn a_map_that_names_what_does_not_exist_is_refused() {
    let known = [backend("rds")].into();
    let parse = |role, backends: Option<&[String]>| RoleGrant::parse(role, backends, &known).err();
    assert_eq!(
        parse("superuser", None),
        Some(RoleMapError::Role("superuser".into()))
    );
    assert_eq!(
        parse("viewer", Some(&["rsd".into()])),
        Some(RoleMapError::Backend("rsd".into()))
    );
    assert_eq!(
        parse("viewer", Some(&["NOT AN ID".into()])),
        Some(RoleMapError::Backend("NOT AN ID".into()))
    );
    assert_eq!(parse("viewer", Some(&[])), Some(RoleMapError::NoBackend));
}
