//! The schema as a whole, and its one entry: [`Api::execute`].
//!
//! Not here: HTTP statuses and headers (the door).
//! Invariant: a document is checked before it is run, and every error that leaves has a code.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::http::GraphiQLSource;
use async_graphql::parser::parse_query;
use async_graphql::{EmptySubscription, Request, Response, Schema, ServerError, Value, Variables};
use bytes::Bytes;
use curfew_app::App;
use curfew_core::{Caller, RequestMeta};

use crate::gate::{self, Limits, Refusal};
use crate::mutation::Mutation;
use crate::query::Query;
use crate::{Answer, Ending, ErrorCode, GraphqlCall, error_body};

type Root = Schema<Query, Mutation, EmptySubscription>;

fn root() -> async_graphql::SchemaBuilder<Query, Mutation, EmptySubscription> {
    // The gate counts depth and cost itself; suggestions would tell of fields that introspection hides.
    Schema::build(Query, Mutation, EmptySubscription)
        .disable_suggestions()
        .limit_recursive_depth(gate::DEEPEST_SPREAD as usize)
}

/// The schema in SDL, as it stands in `schema/schema.graphql`.
pub fn sdl() -> String {
    let mut sdl = root().finish().sdl();
    // The generator leaves white space at the ends of lines.
    sdl = sdl.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    sdl.push('\n');
    sdl
}

/// A GraphiQL page for `endpoint` that sends `bearer` with every request.
pub fn graphiql(endpoint: &str, bearer: &str) -> String {
    // The template engine logs what it fills in, so the token comes in behind it.
    const PLACE: &str = "place-of-the-token";
    GraphiQLSource::build()
        .endpoint(endpoint)
        .header("Authorization", &format!("Bearer {PLACE}"))
        .title("Curfew (dev)")
        .finish()
        .replace(PLACE, bearer)
}

/// The GraphQL API of one gateway.
#[derive(Clone)]
pub struct Api {
    schema: Root,
    app: Arc<App>,
    limits: Limits,
}

impl Api {
    /// The API over `app`, within `limits`.
    pub fn new(app: Arc<App>, limits: Limits) -> Self {
        Self {
            schema: root().data(app.clone()).data(limits).finish(),
            app,
            limits,
        }
    }

    /// Runs one request for an authenticated caller.
    pub async fn execute(&self, call: GraphqlCall, caller: Caller, request: RequestMeta) -> Answer {
        if let Err(refusal) = gate::check_nesting(&call.query) {
            return refused(&refusal, Ending::Refused);
        }
        let document = match parse_query(&call.query) {
            Ok(document) => document,
            Err(error) => {
                let message = format!("The document does not parse: {error}. Nothing was run.");
                return refused(
                    &Refusal {
                        code: ErrorCode::GraphqlParseFailed,
                        message,
                    },
                    Ending::NotRun,
                );
            }
        };
        let name = call.operation_name.as_deref();
        let pass = match gate::check(&document, name, &call.variables, call.via, &self.limits) {
            Ok(pass) => pass,
            Err(refusal) => {
                if refusal.code == ErrorCode::TooManyActs {
                    self.app.actions.refuse_many(&caller, &request).await;
                }
                let unknown = refusal.code == ErrorCode::GraphqlValidationFailed;
                return refused(&refusal, if unknown { Ending::NotRun } else { Ending::Refused });
            }
        };
        let mut variables = Variables::from_json(serde_json::Value::Object(call.variables));
        gate::fill_in_defaults(&document, name, &mut variables);
        let mut run = Request::new(call.query)
            .variables(variables)
            .data(caller)
            .data(request);
        if let Some(name) = call.operation_name {
            run = run.operation_name(name);
        }
        run.set_parsed_query(document);
        let running = self.schema.execute(run);
        if pass.acts {
            return answer(running.await);
        }
        match tokio::time::timeout(Duration::from_secs(self.limits.query_seconds), running).await {
            Ok(response) => answer(response),
            Err(_) => {
                let message =
                    "The query took longer than it may. Nothing was changed. Ask for less, or try again.";
                refused(
                    &Refusal {
                        code: ErrorCode::BackendTimeout,
                        message: message.to_owned(),
                    },
                    Ending::Refused,
                )
            }
        }
    }
}

fn refused(refusal: &Refusal, ending: Ending) -> Answer {
    Answer {
        body: error_body(refusal.code, &refusal.message, None, None),
        ending,
        first_code: Some(refusal.code),
        retry_after_ms: None,
    }
}

/// Gives every error a code, and says how far the request came.
fn answer(mut response: Response) -> Answer {
    // What async-graphql itself refuses: with a path, an argument that could not be read; without, a document that
    // does not fit the schema. Ours have a code.
    for error in &mut response.errors {
        if code_of(error).is_none() {
            let code = if error.path.is_empty() {
                ErrorCode::GraphqlValidationFailed
            } else {
                ErrorCode::BadUserInput
            };
            let extensions = error.extensions.get_or_insert_default();
            extensions.set("code", code.as_str());
            extensions.set("retryable", code.retryable());
        }
    }
    let first = response.errors.first();
    let first_code = first.and_then(code_of);
    let retry_after_ms = first.and_then(|error| match error.extensions.as_ref()?.get("retryAfterMs")? {
        Value::Number(ms) => ms.as_u64(),
        _ => None,
    });
    let ending = match (&response.data, first) {
        (Value::Null, Some(error)) if error.path.is_empty() => Ending::NotRun,
        (Value::Null, _) => Ending::DataNull,
        _ => Ending::Data,
    };
    let body = if ending == Ending::NotRun {
        serde_json::to_vec(&serde_json::json!({ "errors": response.errors }))
    } else {
        serde_json::to_vec(&response)
    };
    Answer {
        body: Bytes::from(body.unwrap_or_default()),
        ending,
        first_code,
        retry_after_ms,
    }
}

fn code_of(error: &ServerError) -> Option<ErrorCode> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(text) => ErrorCode::parse(text),
        _ => None,
    }
}
