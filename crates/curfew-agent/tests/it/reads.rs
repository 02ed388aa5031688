//! Health, the list, one session. Invariant: what fails is a problem, never a shorter list.

use curfew_agent::platform::{FakeCall, FakePlatform, WtsSession, WtsState, filetime};
use curfew_agent_api::{Health, ProblemCode, SessionProtocol, SessionState};
use curfew_core::Clock as _;

use crate::stage::{HOST, problem, read, stage, stage_on};

#[tokio::test]
async fn the_list_has_the_sessions_of_users_and_nothing_else() {
    let stage = stage().await;
    let alice = stage.fake.log_on("CORP\\alice");
    let ivan = stage.fake.log_on("CORP\\иван");
    stage.fake.leave(ivan);
    stage.fake.insert(WtsSession::new(3, WtsState::Down));
    stage.fake.insert(WtsSession {
        user: Some("ghost".to_owned()),
        ..WtsSession::new(4, WtsState::Init)
    });
    stage.fake.insert(WtsSession {
        user: Some("listener".to_owned()),
        ..WtsSession::new(65_536, WtsState::Active)
    });
    let list = stage.list().await;
    assert_eq!(list.host.name, HOST);
    assert_eq!(list.host.now, stage.clock.now());
    let [first, second] = &*list.sessions else {
        panic!("two sessions, not {:?}", list.sessions);
    };
    assert_eq!(
        (first.number, &*first.user, first.domain.as_deref()),
        (alice, "alice", Some("CORP"))
    );
    assert_eq!(first.state, SessionState::Active);
    assert_eq!(first.protocol, SessionProtocol::Rdp);
    assert_eq!(first.logged_on_at, Some(stage.clock.now()));
    assert_eq!(first.idle_seconds, Some(0));
    assert!(!first.protected);
    assert_eq!((second.number, &*second.user), (ivan, "иван"));
    assert_eq!(second.state, SessionState::Disconnected);
    assert_eq!(second.name, None);
    assert_eq!(second.disconnected_at, Some(stage.clock.now()));
}

#[tokio::test]
async fn a_populated_host_lists_as_many_users_as_it_was_given_and_is_the_same_twice() {
    let stage = stage().await;
    let clock = || std::sync::Arc::clone(&stage.clock) as _;
    let [first, again] = [1, 1].map(|seed| FakePlatform::populate(HOST, 40, seed, clock()).sessions());
    assert_eq!(first, again);
    let populated = stage_on(FakePlatform::populate(HOST, 40, 1, clock())).await;
    let list = populated.list().await;
    assert_eq!(list.sessions.len(), 40);
    let generations: std::collections::BTreeSet<_> = list.sessions.iter().map(|it| &it.generation).collect();
    assert_eq!(generations.len(), 40);
    let console = &list.sessions[0];
    assert_eq!(console.protocol, SessionProtocol::Console);
    assert!(console.protected);
    assert_eq!(console.idle_seconds, None);
}

#[tokio::test]
async fn health_is_a_real_look_at_the_host() {
    let stage = stage().await;
    stage.fake.log_on("CORP\\alice");
    let health: Health = read(stage.get("/v1/health").await).await;
    assert_eq!(health.sessions, 1);
    assert_eq!(health.platform, "fake");
    assert_eq!(health.api_versions, [1]);
    assert!(!health.read_only);
    stage.fake.fail(FakeCall::List, 1722);
    let found = problem(stage.get("/v1/health").await).await;
    assert_eq!(found.code, ProblemCode::HostNotReady);
}

#[tokio::test]
async fn a_list_that_fails_is_a_problem() {
    let stage = stage().await;
    stage.fake.log_on("CORP\\alice");
    for (win32, code) in [
        (1722, ProblemCode::HostNotReady),
        (1702, ProblemCode::HostNotReady),
        (5, ProblemCode::AccessDenied),
        (87, ProblemCode::HostFailed),
        (2, ProblemCode::HostFailed),
        (50, ProblemCode::Unsupported),
    ] {
        stage.fake.fail_times(FakeCall::List, win32, 1);
        let found = problem(stage.get("/v1/sessions").await).await;
        assert_eq!((found.code, found.win32), (code, Some(win32)));
    }
    assert_eq!(stage.list().await.sessions.len(), 1);
}

#[tokio::test]
async fn one_session_is_the_one_that_has_the_number_now() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let alice = stage.session(number).await;
    stage.fake.replace(number, "CORP\\bob");
    let bob = stage.session(number).await;
    assert_eq!(bob.user, "bob");
    assert_ne!(bob.generation, alice.generation);
    stage.fake.end(number);
    let found = problem(stage.get("/v1/sessions/1").await).await;
    assert_eq!(found.code, ProblemCode::SessionGone);
}

#[tokio::test]
async fn a_row_without_a_user_is_no_session() {
    let stage = stage().await;
    stage.fake.insert(WtsSession::new(7, WtsState::Connected));
    let found = problem(stage.get("/v1/sessions/7").await).await;
    assert_eq!(found.code, ProblemCode::SessionGone);
}

#[tokio::test]
async fn numbers_that_no_user_has_are_refused() {
    let stage = stage().await;
    for number in [
        "0",
        "65536",
        "4294967294",
        "4294967295",
        "4294967296",
        "-1",
        "abc",
        "+1",
        "01",
        "1.0",
        "%31%00",
        "%ff",
        "%20",
    ] {
        let found = problem(stage.get(&format!("/v1/sessions/{number}")).await).await;
        assert_eq!(found.code, ProblemCode::NotAUserSession, "{number}");
    }
    assert_eq!(stage.fake.calls(FakeCall::Get), 0);
}

#[tokio::test]
async fn idle_seconds_come_from_the_clock_of_the_host() {
    let stage = stage().await;
    let number = stage.fake.log_on("CORP\\alice");
    let logon = stage.session(number).await;
    stage.clock.advance(std::time::Duration::from_secs(90));
    let later = stage.session(number).await;
    assert_eq!(later.idle_seconds, Some(90));
    assert_eq!(later.generation, logon.generation);
    stage
        .fake
        .change(number, |row| row.last_input_time = filetime(stage.clock.now()));
    assert_eq!(stage.session(number).await.idle_seconds, Some(0));
}
