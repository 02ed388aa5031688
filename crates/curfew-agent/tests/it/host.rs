//! A platform that breaks. Invariant: the agent lives on.

use curfew_agent::Verb;
use curfew_agent::platform::{Platform, PlatformError, WtsSession, WtsState};
use curfew_agent_api::{Message, ProblemCode};

use crate::stage::{problem, stage_on};

/// The number whose session can be read, and nothing else.
const READABLE: u32 = 2;

/// Panics whatever it is asked.
struct Broken;

impl Platform for Broken {
    fn name(&self) -> &'static str {
        panic!("asked for its name")
    }
    fn list(&self) -> Result<Vec<WtsSession>, PlatformError> {
        Ok(Vec::new())
    }
    fn get(&self, number: u32) -> Result<Option<WtsSession>, PlatformError> {
        assert_eq!(number, READABLE, "asked for a session");
        let mut row = WtsSession::new(number, WtsState::Active);
        row.user = Some("alice".to_owned());
        row.logon_time = 1;
        Ok(Some(row))
    }
    fn disconnect(&self, _: u32) -> Result<(), PlatformError> {
        panic!("asked to act")
    }
    fn logoff(&self, _: u32) -> Result<(), PlatformError> {
        panic!("asked to act")
    }
    fn message(&self, _: u32, _: &Message) -> Result<(), PlatformError> {
        panic!("asked to act")
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_not_the_end() {
    let stage = stage_on(Broken).await;
    for path in ["/v1/health", "/v1/sessions/1"] {
        let found = problem(stage.get(path).await).await;
        assert_eq!(found.code, ProblemCode::Internal, "{path}");
    }
    let request = stage.request_for("9c1e52aa7b0d4f13");
    let found = stage.refused(1, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::HostNotReady, "it had only read");
    assert!(found.retry_after_ms.is_some());
    let request = stage.request(READABLE).await;
    let found = stage.refused(READABLE, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::Internal);
    assert!(stage.list().await.sessions.is_empty());
}
