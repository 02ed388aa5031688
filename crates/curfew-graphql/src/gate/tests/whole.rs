//! The gate in its place: before the schema runs anything.

use std::sync::Arc;
use std::time::Duration;

use curfew_app::{App, BackendEntry, BuiltInRoles, Parts, Settings};
use curfew_core::fakes::backend::session;
use curfew_core::fakes::{FakeBackend, MemoryStore, MockClock};
use curfew_core::{Actor, Caller, Clock, Grant, RequestId, RequestMeta, Role, Scope};

use super::*;
use crate::{Answer, Api, GraphqlCall};

struct House {
    clock: Arc<MockClock>,
    store: Arc<MemoryStore>,
    site: Arc<FakeBackend>,
    api: Api,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(MockClock::following_tokio());
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let site = Arc::new(FakeBackend::new("site-a", clock.clone()));
        let app = App::new(Parts {
            backends: vec![BackendEntry {
                backend: site.clone(),
                interval: Duration::from_secs(15),
            }],
            actions: store.clone(),
            audit: store.clone(),
            authorizer: Arc::new(BuiltInRoles),
            clock: clock.clone(),
            settings: Settings::default(),
        });
        let api = Api::new(Arc::new(app), Limits::default());
        Self {
            clock,
            store,
            site,
            api,
        }
    }

    async fn ask(&self, query: &str, variables: serde_json::Value) -> Answer {
        let caller = Caller {
            actor: Actor {
                issuer: "https://login.example".to_owned(),
                subject: "sub".to_owned(),
                name: "operator".to_owned(),
            },
            roles: vec![Role::Admin],
            grants: vec![Grant::role(Role::Admin, Scope::All)],
        };
        let request = RequestMeta {
            id: RequestId(self.clock.uuid()),
            source_address: None,
        };
        let call = GraphqlCall {
            query: query.to_owned(),
            operation_name: None,
            variables: variables.as_object().cloned().unwrap_or_default(),
            via: Via::Post,
        };
        self.api.execute(call, caller, request).await
    }

    /// The code of the first error.
    async fn code(&self, query: &str) -> Option<&'static str> {
        self.ask(query, json!({})).await.first_code.map(ErrorCode::as_str)
    }

    /// A document of two log-offs, each behind what `first` and `second` say.
    fn two_acts(&self, variables: &str, first: &str, second: &str) -> String {
        let act = |native: &str| {
            let session = session("site-a", native, "anna", 1);
            self.site.put(session.clone());
            format!(
                "logoffSession(input: {{ target: {{ onlineSessionId: \"{}\" }}, wait: true }})",
                session.id
            )
        };
        let (a, b) = (act("1"), act("2"));
        format!("mutation{variables} {{ a: {a} {first} {{ status }} b: {b} {second} {{ status }} }}")
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_gate_takes_for_skipped_does_not_run() {
    for (variables, first, second) in [
        ("($x: Boolean! = true)", "@skip(if: $x)", ""),
        ("($x: Boolean! = true)", "", "@skip(if: $x)"),
        ("($x: Boolean! = false)", "@include(if: $x)", ""),
        (
            "($x: Boolean! = true, $y: Boolean! = false)",
            "@skip(if: $x)",
            "@skip(if: $y)",
        ),
        (
            "($x: Boolean! = true, $y: Boolean! = false)",
            "@include(if: $x)",
            "@include(if: $y)",
        ),
    ] {
        let house = House::new();
        let answer = house
            .ask(&house.two_acts(variables, first, second), json!({}))
            .await;
        assert_eq!(
            answer.first_code,
            None,
            "{}",
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(house.site.acts().len(), 1, "{variables} {first} {second}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_acts_in_one_document_are_refused_on_record() {
    let house = House::new();
    let both = house.two_acts("($x: Boolean! = false)", "@skip(if: $x)", "");
    assert_eq!(house.code(&both).await, Some("TOO_MANY_ACTS"));
    assert_eq!(house.site.acts(), []);
    assert_eq!(house.store.records().len(), 1);
    // By default one of them is skipped; whoever gives the variable decides.
    let one = house.two_acts("($x: Boolean! = true)", "@skip(if: $x)", "");
    let answer = house.ask(&one, json!({ "x": false })).await;
    assert_eq!(answer.first_code, Some(ErrorCode::TooManyActs));
    assert_eq!(house.site.acts(), []);
}

#[tokio::test(start_paused = true)]
async fn dangerous_documents_are_answered_at_once() {
    let house = House::new();
    let bomb = |root: &str, on: &str, leaf: &str| {
        let mut text = format!("{{ {root} }}");
        for level in 0..40 {
            let next = level + 1;
            text.push_str(&format!(" fragment F{level} on {on} {{ ...F{next} ...F{next} }}"));
        }
        text + &format!(" fragment F40 on {on} {{ {leaf} }}")
    };
    let refused = Some("QUERY_TOO_COMPLEX");
    assert_eq!(house.code(&bomb("...F0", "Query", "__typename")).await, refused);
    assert_eq!(
        house
            .code(&bomb("__schema { ...F0 }", "__Schema", "description"))
            .await,
        refused
    );
    assert_eq!(
        house
            .code(&bomb("__typename ...F0 @skip(if: true)", "Query", "__typename"))
            .await,
        refused
    );
    assert_eq!(
        house.code(&bomb("__typename", "Query", "__typename")).await,
        refused
    );
    assert_eq!(house.code(&"{a".repeat(100_000)).await, refused);
    assert_eq!(house.code(&format!("#\r{}", "{a".repeat(100_000))).await, refused);
    let circle = "{ __typename } fragment A on Query { ...B } fragment B on Query { ...A }";
    assert_eq!(house.code(circle).await, Some("GRAPHQL_VALIDATION_FAILED"));
    assert_eq!(house.code("{ viewer { ").await, Some("GRAPHQL_PARSE_FAILED"));
    assert_eq!(house.code("{ nothing }").await, Some("GRAPHQL_VALIDATION_FAILED"));
    assert_eq!(house.code("").await, Some("GRAPHQL_PARSE_FAILED"));
}

#[tokio::test(start_paused = true)]
async fn the_standard_introspection_is_answered() {
    let house = House::new();
    let answer = house.ask(limits::STANDARD, json!({})).await;
    assert_eq!(
        answer.first_code,
        None,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert!(answer.body.len() > 10_000);
}
