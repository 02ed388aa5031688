//! Negotiation as a table. Not the status that follows from it. Invariant: each line stands alone.

use http::{HeaderMap, HeaderValue, header};

use super::{MediaType, negotiate, wants_page};

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            header::ACCEPT,
            HeaderValue::from_str(value).expect("a header value"),
        );
    }
    headers
}

#[test]
fn the_answer_has_the_type_that_the_client_likes_best() {
    use MediaType::{GraphqlResponse as New, Json};
    let table: &[(&[&str], Option<MediaType>)] = &[
        (&[], Some(Json)),
        (&[""], Some(Json)),
        (&["*/*"], Some(Json)),
        (&["application/*"], Some(Json)),
        (&["application/json"], Some(Json)),
        (&["APPLICATION/JSON"], Some(Json)),
        (&["application/json; charset=utf-8"], Some(Json)),
        (&["application/json; charset=\"UTF-8\""], Some(Json)),
        (&["application/graphql-response+json"], Some(New)),
        (
            &["application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"],
            Some(New),
        ),
        (
            &["application/json, application/graphql-response+json"],
            Some(New),
        ),
        (
            &["application/json", "application/graphql-response+json"],
            Some(New),
        ),
        (
            &["application/graphql-response+json,application/json;q=0.9"],
            Some(New),
        ),
        (
            &["application/graphql-response+json;q=0.5, application/json;q=0.9"],
            Some(Json),
        ),
        (&["application/graphql-response+json;q=0.5, */*"], Some(Json)),
        (&["application/graphql-response+json, */*;q=0.1"], Some(New)),
        (&["application/json, */*"], Some(Json)),
        (&["application/json;q=0, */*"], Some(New)),
        (
            &["application/json;q=0, application/graphql-response+json;q=0, */*"],
            None,
        ),
        (&["*/*;q=0"], None),
        (
            &["multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json"],
            Some(New),
        ),
        (
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            Some(Json),
        ),
        (&["text/html"], None),
        (&["text/*"], None),
        (&["image/png, text/plain"], None),
        (&["application/json; charset=iso-8859-1"], None),
        (&["application/json; q=2"], None),
        (&["application/json; q=0.1234"], None),
        (&["nonsense"], None),
    ];
    for (accept, expected) in table {
        assert_eq!(negotiate(&headers(accept)), *expected, "Accept: {accept:?}");
    }
}

#[test]
fn only_who_names_html_gets_a_page() {
    for (accept, expected) in [
        ("text/html,application/xhtml+xml,*/*;q=0.8", true),
        ("*/*", false),
        ("application/json", false),
        ("text/html;q=0", false),
    ] {
        assert_eq!(wants_page(&headers(&[accept])), expected, "Accept: {accept}");
    }
    assert!(!wants_page(&HeaderMap::new()));
}
