//! The configuration, through the registry's door.

use super::*;

const GOOD: &str =
    "kind = 'orbnet'\nid = 'orb'\ntoken = 's3cret'\nusers = [{ id = 1, name = 'anna' }, { id = 2 }]\n";

fn said(text: &str) -> String {
    use std::error::Error as _;
    match built(text) {
        Ok(backend) => format!("ok {}", backend.id()),
        Err(error) => {
            assert!(!format!("{error:?}").contains("s3cret"));
            let mut said = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                said.push_str(&format!(": {error}"));
                source = error.source();
            }
            said
        }
    }
}

fn with_users(users: usize, lines: &str) -> String {
    let users: Vec<String> = (1..=users).map(|id| format!("{{ id = {id} }}")).collect();
    format!(
        "kind = 'orbnet'\nid = 'orb'\ntoken = 's3cret'\nusers = [{}]\n{lines}",
        users.join(", ")
    )
}

#[test]
fn a_token_and_users_are_enough() {
    assert_eq!(said(GOOD), "ok orb");
    let all = "disconnect_by = 'id'\nrequests_per_minute = 300\nrefresh_seconds = 60\nact_timeout_seconds = 3\n\
               url = 'https://orb.example/graphql'\nallow_loopback = false";
    assert_eq!(said(&format!("{GOOD}{all}")), "ok orb");
}

#[test]
fn wrong_configurations_are_told_what_is_wrong() {
    let users = |users: &str| {
        let line = GOOD
            .lines()
            .find(|line| line.starts_with("users"))
            .unwrap_or_default();
        said(&GOOD.replace(line, &format!("users = [{users}]")))
    };
    let said = [
        said(&GOOD.replace("s3cret", "env:ORBNET_TOKEN")),
        said(&GOOD.replace("s3cret", "two words")),
        said(&GOOD.replace("s3cret", "")),
        users(""),
        users("{ id = 7 }, { id = 7, name = 'anna' }"),
        users("{ id = 7, name = 'anna' }, { id = 8, name = 'anna ' }"),
        users("{ id = 7, name = 'user 8' }, { id = 8 }"),
        users("{ id = 0 }"),
        users("{ id = 7, name = ' ' }"),
        said(&format!("{GOOD}url = 'http://orb.example/graphql'")),
        said(&format!("{GOOD}url = 'https://127.0.0.1/graphql'")),
        said(&format!("{GOOD}url = 'https://169.254.169.254/graphql'")),
        said(&format!("{GOOD}requests_per_minute = 9")),
        said(&format!("{GOOD}refresh_seconds = 4")),
        said(&format!("{GOOD}refresh_seconds = 3601")),
        said(&format!("{GOOD}act_timeout_seconds = 9")),
        said(&format!("{GOOD}act_timeout_seconds = 2")),
        said(&format!("{GOOD}ca = 'no pem'")),
        said(&with_users(500, "refresh_seconds = 30")),
        said(&with_users(
            500,
            "requests_per_minute = 100\nrefresh_seconds = 60",
        )),
        said(&with_users(500, "requests_per_minute = 10")),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_smallest_interval_that_is_named_is_taken() {
    let named = said(&with_users(500, "refresh_seconds = 30"));
    let needed: u32 = named
        .split("at least ")
        .nth(1)
        .and_then(|rest| rest.split(':').next()?.parse().ok())
        .expect("a number");
    let with = |seconds: u32| said(&with_users(500, &format!("refresh_seconds = {seconds}")));
    assert_eq!(with(needed), "ok orb");
    assert_ne!(with(needed - 1), "ok orb");
}

#[test]
fn without_an_interval_there_is_time_for_every_user() {
    let interval = |text: &str| {
        let config: BackendConfig = toml::from_str(text).expect("it reads");
        config.refresh_interval().as_secs()
    };
    assert_eq!(interval(GOOD), 30);
    assert_eq!(interval(&with_users(500, "")), 50);
    assert_eq!(interval(&with_users(500, "requests_per_minute = 100")), 349);
    assert_eq!(said(&with_users(500, "requests_per_minute = 100")), "ok orb");
}

#[test]
fn unknown_keys_are_errors() {
    for text in [
        format!("{GOOD}colour = 'red'"),
        GOOD.replace("{ id = 2 }", "{ id = 2, mail = 'x' }"),
        GOOD.replace("{ id = 2 }", "{ id = 2147483648 }"),
        format!("{GOOD}disconnect_by = 'name'"),
    ] {
        assert!(toml::from_str::<BackendConfig>(&text).is_err(), "{text}");
    }
}
