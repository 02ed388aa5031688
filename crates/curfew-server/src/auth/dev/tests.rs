//! The issuer of `curfew dev`. Invariant: no test depends on the machine's clock.

use std::time::Duration;

use curfew_core::fakes::MockClock;

use super::*;
use crate::auth::{AuthError, JwtAuthenticator};

#[test]
fn every_role_gets_a_token_of_its_own_for_a_day() {
    let clock = Arc::new(MockClock::default());
    let dev = DevIssuer::new(Arc::clone(&clock) as Arc<dyn Clock>).expect("randomness");
    let jwt = JwtAuthenticator::new(vec![dev.issuer()], Arc::clone(&clock) as Arc<dyn Clock>);
    for role in Role::ALL {
        let caller = jwt.verify(&dev.token(*role)).expect("genuine");
        assert_eq!(caller.roles, [*role]);
        assert_eq!(caller.actor.subject, format!("dev-{role}"));
        assert!(caller.actor.name.to_lowercase().ends_with(role.as_str()));
    }
    let token = dev.token(Role::Admin);
    clock.advance(Duration::from_secs(24 * 3600 + 30));
    assert_eq!(jwt.verify(&token).err(), Some(AuthError::Expired));
}

#[test]
fn every_start_has_its_own_secret() {
    let clock: Arc<dyn Clock> = Arc::new(MockClock::default());
    let dev = |clock: &Arc<dyn Clock>| DevIssuer::new(Arc::clone(clock)).expect("randomness");
    let (first, second) = (dev(&clock), dev(&clock));
    let jwt = JwtAuthenticator::new(vec![first.issuer()], clock);
    assert_eq!(
        jwt.verify(&second.token(Role::Admin)).err(),
        Some(AuthError::Signature)
    );
    assert_eq!(format!("{first:?}"), "DevIssuer { .. }");
}

#[test]
fn claims_can_be_given() {
    let clock: Arc<dyn Clock> = Arc::new(MockClock::default());
    let dev = DevIssuer::new(Arc::clone(&clock)).expect("randomness");
    let jwt = JwtAuthenticator::new(vec![dev.issuer()], clock);
    let caller = jwt
        .verify(&dev.sign(json!({ "sub": "robot", "scope": "sessions:read" })))
        .expect("genuine");
    assert_eq!((caller.actor.name.as_str(), caller.grants.len()), ("robot", 1));
    assert!(
        jwt.verify(&dev.sign(json!({ "sub": "robot", "exp": 1 })))
            .is_err()
    );
}
