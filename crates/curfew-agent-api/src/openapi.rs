//! The OpenAPI document of the contract, made from the wire types.
//!
//! Statuses are those of the problems' codes, schemas those of the types; what is written here is which codes an
//! operation can give. Invariant: `schema/agent.openapi.yaml` is what [`yaml`] gives; a test compares them.

use std::collections::BTreeMap;

use utoipa::OpenApi as _;
use utoipa::openapi::path::{OperationBuilder, ParameterBuilder, ParameterIn, Paths, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::security::{SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, HttpMethod, InfoBuilder, LicenseBuilder, PathItem, Ref, Required, ResponseBuilder,
};

use crate::problem::ProblemCode as Code;
use crate::{
    API_VERSION, ActAnswer, ActRequest, FIRST_NUMBER, Health, LAST_NUMBER, MAX_REQUEST_BYTES, Problem,
    SessionAnswer, SessionList,
};

/// Name of the security scheme.
const MUTUAL_TLS: &str = "mutualTls";
const JSON: &str = "application/json";

const ABOUT: &str = "What the gateway asks of the agent on a Windows host.\n\n\
    The connection is mutual TLS 1.3 under one private authority. The gateway shows `spiffe://<trust domain>/gateway`, \
    the agent `spiffe://<trust domain>/agent/<host>`; each accepts no other. A session is named by its number and its \
    generation, so that a number that Windows has given to another logon is never acted on by mistake. \
    Every answer that is no success is a `Problem`; a path that is not listed here gives `NO_SUCH_PATH` (404), a method \
    that is not listed `METHOD_NOT_ALLOWED` (405); but `HEAD` is answered as `GET` is, without the body. \
    Fields may be added; ignore those you do not know.";

/// What can go wrong when the host is read.
const READING: &[Code] = &[
    Code::AccessDenied,
    Code::HostFailed,
    Code::HostNotReady,
    Code::Internal,
    Code::Unsupported,
];

/// What can go wrong beside that when one session is read.
const ONE: &[Code] = &[Code::NotAUserSession, Code::SessionGone];

/// What can go wrong beside that when something is to be done.
const ACTING: &[Code] = &[
    Code::ActLogFailed,
    Code::BadRequest,
    Code::BodyTooLarge,
    Code::Protected,
    Code::RefusedByPolicy,
    Code::SessionReplaced,
    Code::TooLate,
    Code::TooManyActs,
];

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(ActAnswer, ActRequest, Health, Problem, SessionAnswer, SessionList)))]
struct Schemas;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Schemas::openapi();
    document.info = InfoBuilder::new()
        .title("Curfew agent")
        .version(API_VERSION.to_string())
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new()
                .name("Apache-2.0")
                .identifier(Some("Apache-2.0"))
                .build(),
        ))
        .build();
    document.paths = paths();
    document.security = Some(vec![SecurityRequirement::new(MUTUAL_TLS, [""; 0])]);
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        MUTUAL_TLS,
        SecurityScheme::MutualTls {
            description: Some(
                "A certificate whose only URI is `spiffe://<trust domain>/gateway`.".to_owned(),
            ),
            deprecated: None,
            extensions: None,
        },
    );
    document
}

/// The document as YAML.
///
/// # Panics
/// Never: the document holds nothing that YAML cannot say.
pub fn yaml() -> String {
    document().to_yaml().expect("an OpenAPI document is YAML")
}

fn paths() -> Paths {
    let act = |what: &str, id: &str, about: &str| {
        let operation = numbered(what, id).description(Some(about)).request_body(Some(
            RequestBodyBuilder::new()
                .description(Some(format!("At most {MAX_REQUEST_BYTES} bytes.")))
                .content(JSON, Content::new(Some(Ref::from_schema_name("ActRequest"))))
                .required(Some(Required::True))
                .build(),
        ));
        let operation = answers(
            operation,
            "ActAnswer",
            "How it was taken.",
            &[READING, ONE, ACTING],
        );
        PathItem::new(HttpMethod::Post, operation)
    };
    let read = |operation, schema, text, codes: &[&[Code]]| {
        PathItem::new(HttpMethod::Get, answers(operation, schema, text, codes))
    };
    PathsBuilder::new()
        .path(
            "/v1/health",
            read(plain("How the agent is", "health"), "Health", "How it is.", &[READING]),
        )
        .path(
            "/v1/sessions",
            read(
                plain("Every session of a user", "listSessions"),
                "SessionList",
                "All of them. A host that cannot be listed completely gives a problem, never a shorter list.",
                &[READING],
            ),
        )
        .path(
            "/v1/sessions/{number}",
            read(
                numbered("The session that has a number now", "getSession"),
                "SessionAnswer",
                "The session, whichever generation it is.",
                &[READING, ONE],
            ),
        )
        .path(
            "/v1/sessions/{number}/disconnect",
            act(
                "Take the client away",
                "disconnectSession",
                "The session and its programs go on; its user can come back to it. \
                 `DONE` if it is seen to be disconnected, `ALREADY` if it was, `ACCEPTED` if neither can be seen within a \
                 second.",
            ),
        )
        .path(
            "/v1/sessions/{number}/logoff",
            act(
                "End the session",
                "logoffSession",
                "Its programs end, unsaved work is lost. `DONE` if it is seen to be gone, `ACCEPTED` if it was still there \
                 a second later.",
            ),
        )
        .path(
            "/v1/sessions/{number}/message",
            act(
                "Show a message",
                "messageSession",
                "Does not wait for an answer of the user.",
            ),
        )
        .build()
}

fn plain(what: &str, id: &str) -> OperationBuilder {
    OperationBuilder::new().summary(Some(what)).operation_id(Some(id))
}

fn numbered(what: &str, id: &str) -> OperationBuilder {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(FIRST_NUMBER))
        .maximum(Some(LAST_NUMBER));
    plain(what, id).parameter(
        ParameterBuilder::new()
            .name("number")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("Windows' number of the session."))
            .schema(Some(number)),
    )
}

/// The answers of an operation: one for success, and one for each status that its problems have.
fn answers(operation: OperationBuilder, schema: &str, text: &str, problems: &[&[Code]]) -> OperationBuilder {
    let mut statuses: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for code in problems.concat() {
        let text = format!("`{}`: {}", code.as_str(), code.meaning());
        statuses.entry(code.status()).or_default().push(text);
    }
    let json = |schema| Content::new(Some(Ref::from_schema_name(schema)));
    let success = ResponseBuilder::new()
        .description(text)
        .content(JSON, json(schema));
    statuses.into_iter().fold(
        operation.response("200", success.build()),
        |operation, (status, texts)| {
            let response = ResponseBuilder::new()
                .description(texts.join("\n\n"))
                .content(JSON, json("Problem"));
            operation.response(status.to_string(), response.build())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_document() {
        let text = yaml();
        for code in Code::ALL {
            assert!(
                text.contains(&format!("`{}`", code.as_str())),
                "{}",
                code.as_str()
            );
        }
    }

    #[test]
    fn the_document_in_the_repository_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/agent.openapi.yaml");
        let found = std::fs::read_to_string(path).expect("`cargo xtask codegen` has been run");
        assert!(
            found == yaml(),
            "run `cargo xtask codegen` and commit schema/agent.openapi.yaml"
        );
    }
}
