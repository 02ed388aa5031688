//! The contract's table "Who may", and where a grant holds.

use std::collections::BTreeSet;

use curfew_core::{Actor, Grant, Role, Scope};

use super::*;
use crate::testing::{caller, only};

/// The table as it stands in the contract: rows are permissions, columns are roles.
const TABLE: &str = "
                     viewer helpdesk operator automation auditor admin
sessions:read        x      x        x        x          .       x
operations:read      x      x        x        x          .       x
sessions:message     .      x        x        x          .       x
sessions:disconnect  .      x        x        x          .       x
sessions:logoff      .      x        x        x          .       x
sessions:bulk        .      .        x        x          .       x
sessions:force       .      .        x        .          .       x
plans:approve        .      .        x        .          .       x
audit:read           .      .        .        .          x       x
audit:export         .      .        .        .          x       x
agents:enrol         .      .        .        .          .       x
users:hold           .      .        .        .          .       x
";

fn decide(caller: &Caller, permission: Permission, backend: Option<&str>) -> Decision {
    BuiltInRoles.decide(caller, permission, backend)
}

#[test]
fn every_role_may_what_the_contract_says_and_nothing_else() {
    let mut lines = TABLE.trim().lines().map(str::split_whitespace);
    let roles: Vec<_> = lines
        .next()
        .expect("the heading")
        .map(|name| Role::parse(name).expect("a role"))
        .collect();
    assert_eq!(roles.len(), Role::ALL.len());
    let mut seen = BTreeSet::new();
    for mut line in lines {
        let permission = line.next().and_then(Permission::parse).expect("a permission");
        seen.insert(permission);
        for (role, cell) in roles.iter().zip(line) {
            let caller = caller(*role, Scope::All);
            let wanted = if cell == "x" {
                Decision::Allow
            } else {
                Decision::Deny
            };
            assert_eq!(decide(&caller, permission, None), wanted, "{role} {permission}");
            assert_eq!(
                decide(&caller, permission, Some("site-a")),
                wanted,
                "{role} {permission} on site-a"
            );
        }
    }
    assert_eq!(
        seen.len(),
        Permission::ALL.len(),
        "the table names every permission"
    );
}

#[test]
fn whoever_has_no_grant_may_nothing() {
    let nobody = Caller {
        grants: Vec::new(),
        ..caller(Role::Admin, Scope::All)
    };
    for permission in Permission::ALL {
        assert_eq!(decide(&nobody, *permission, None), Decision::Deny);
        assert_eq!(decide(&nobody, *permission, Some("site-a")), Decision::Deny);
    }
    assert!(!BuiltInRoles.sees(&nobody, "site-a"));
    assert!(Authorized::<ViewSessions>::ask(&BuiltInRoles, &nobody).is_err());
}

#[test]
fn a_role_that_is_only_shown_gives_no_right() {
    let boaster = Caller {
        roles: vec![Role::Admin],
        ..caller(Role::Viewer, Scope::All)
    };
    assert_eq!(decide(&boaster, Permission::SessionsLogoff, None), Decision::Deny);
}

#[test]
fn a_grant_holds_where_it_says_and_elsewhere_there_is_nothing() {
    let limited = caller(Role::Helpdesk, only(&["site-a"]));
    let logoff = |backend| decide(&limited, Permission::SessionsLogoff, backend);
    assert_eq!(logoff(None), Decision::Allow, "somewhere");
    assert_eq!(logoff(Some("site-a")), Decision::Allow);
    assert_eq!(logoff(Some("site-b")), Decision::Hidden);
    assert_eq!(logoff(Some("site")), Decision::Hidden, "names are compared whole");
    assert!(BuiltInRoles.sees(&limited, "site-a") && !BuiltInRoles.sees(&limited, "site-b"));
    // What nobody granted anywhere is missing, not hidden.
    assert_eq!(
        decide(&limited, Permission::AuditRead, Some("site-b")),
        Decision::Deny
    );
}

#[test]
fn grants_add_up_each_in_its_place() {
    let mut both = caller(Role::Helpdesk, only(&["site-a"]));
    both.grants.extend(caller(Role::Viewer, only(&["site-b"])).grants);
    let logoff = |backend| decide(&both, Permission::SessionsLogoff, Some(backend));
    assert_eq!(logoff("site-a"), Decision::Allow);
    assert_eq!(
        logoff("site-b"),
        Decision::Deny,
        "it is seen, but not to be acted on"
    );
    assert_eq!(logoff("site-c"), Decision::Hidden);
    let read = |backend| decide(&both, Permission::SessionsRead, Some(backend));
    assert_eq!([read("site-a"), read("site-b")], [Decision::Allow; 2]);
}

#[test]
fn an_empty_grant_shows_nothing() {
    let empty = Caller {
        grants: vec![Grant {
            permissions: BTreeSet::new(),
            scope: Scope::All,
        }],
        roles: Vec::new(),
        actor: Actor {
            issuer: "https://login.example".to_owned(),
            subject: "sub".to_owned(),
            name: "name".to_owned(),
        },
    };
    assert!(!BuiltInRoles.sees(&empty, "site-a"));
}

#[test]
fn a_proof_is_of_one_right() {
    let auditor = caller(Role::Auditor, Scope::All);
    assert!(Authorized::<ReadAudit>::ask(&BuiltInRoles, &auditor).is_ok());
    let denied = Authorized::<ViewSessions>::ask(&BuiltInRoles, &auditor).map(|_| ());
    assert_eq!(
        denied,
        Err(Denied {
            missing: Permission::SessionsRead
        })
    );
    let viewer = caller(Role::Viewer, only(&["site-a"]));
    let proof = Authorized::<ViewSessions>::ask(&BuiltInRoles, &viewer).expect("may see sessions");
    assert!(proof.on(&BuiltInRoles, "site-a") && !proof.on(&BuiltInRoles, "site-b"));
    assert!(Authorized::<ReadOperations>::ask(&BuiltInRoles, &viewer).is_ok());
}
