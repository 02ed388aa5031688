//! Requests that are none. Invariant: every answer of the door is a problem of the contract.

use curfew_agent_api::{MAX_REQUEST_BYTES, ProblemCode};
use reqwest::Method;

use crate::stage::{problem, stage};

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let stage = stage().await;
    for path in [
        "/",
        "/v1",
        "/v1/sessions/1/reset",
        "/v1/sessions/",
        "/v2/sessions",
        "/v1/sessions/1/logoff/now",
        "//v1/health",
    ] {
        let found = problem(stage.get(path).await).await;
        assert_eq!(found.code, ProblemCode::NoSuchPath, "{path}");
    }
    for (method, path, allowed) in [
        (Method::POST, "/v1/sessions", "GET,HEAD"),
        (Method::DELETE, "/v1/sessions/1", "GET,HEAD"),
        (Method::GET, "/v1/sessions/1/logoff", "POST"),
        (Method::PUT, "/v1/sessions/1/message", "POST"),
    ] {
        let response = stage.send(method, path, "").await;
        assert_eq!(response.headers()["allow"], allowed, "{path}");
        assert_eq!(
            problem(response).await.code,
            ProblemCode::MethodNotAllowed,
            "{path}"
        );
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let stage = stage().await;
    let response = stage.send(Method::HEAD, "/v1/health", "").await;
    assert!(response.status().is_success());
    assert!(response.bytes().await.expect("an answer").is_empty());
    let response = stage.send(Method::HEAD, "/v1/sessions/1/logoff", "").await;
    assert_eq!(response.status().as_u16(), 405);
}

#[tokio::test]
async fn bodies_that_are_no_act_are_problems() {
    let stage = stage().await;
    let deep = "[".repeat(10_000);
    for body in ["", "{", "null", "[]", "{}", "\u{feff}{}", "generation=1", &deep] {
        let response = stage
            .send(Method::POST, "/v1/sessions/1/logoff", body.to_owned())
            .await;
        assert_eq!(
            problem(response).await.code,
            ProblemCode::BadRequest,
            "{body:.20}"
        );
    }
    let response = stage
        .send(Method::POST, "/v1/sessions/1/logoff", vec![0xff, 0xfe])
        .await;
    assert_eq!(problem(response).await.code, ProblemCode::BadRequest);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_a_problem() {
    let stage = stage().await;
    let body = vec![b' '; MAX_REQUEST_BYTES + 1];
    let response = stage.send(Method::POST, "/v1/sessions/1/logoff", body).await;
    assert_eq!(problem(response).await.code, ProblemCode::BodyTooLarge);
    let longest = vec![b' '; MAX_REQUEST_BYTES];
    let response = stage.send(Method::POST, "/v1/sessions/1/logoff", longest).await;
    assert_eq!(
        problem(response).await.code,
        ProblemCode::BadRequest,
        "it was read"
    );
}
