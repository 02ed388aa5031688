//! Files that are right, and files that are wrong.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::policy::Verb;

const GOOD: &str = r#"
    listen = "127.0.0.1:8472"
    host = "TERM04"
    trust_domain = "corp.example"
    ca = "ca.pem"
    cert = "agent.pem"
    key = "agent.key"
    act_log = "acts.jsonl"
"#;

fn load(text: &str) -> Result<Config, String> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("agent.toml");
    fs::write(&path, text).expect("it is written");
    Config::load(&path).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_set_is_as_harmless_as_it_can_be() {
    let config = load(GOOD).expect("settings");
    assert_eq!(config.host(), "TERM04");
    assert_eq!(config.policy, Policy::default());
    assert!(!config.policy.allow_console);
}

#[test]
fn a_policy_is_read() {
    let policy = r#"
        [policy]
        read_only = true
        allow_console = true
        protected_users = ['CORP\svc-kiosk', "S-1-5-21-1-2-3-500"]
        deny = ["logoff"]
        max_logoffs_per_minute = 30
        concurrency = 2
    "#;
    let config = load(&format!("{GOOD}{policy}")).expect("settings");
    let expected = Policy {
        read_only: true,
        allow_console: true,
        protected_users: vec!["CORP\\svc-kiosk".to_owned(), "S-1-5-21-1-2-3-500".to_owned()],
        deny: [Verb::Logoff].into(),
        max_logoffs_per_minute: Some(30),
        concurrency: 2,
    };
    assert_eq!(config.policy, expected);
}

#[test]
fn what_is_wrong_is_named() {
    let replaced = |from: &str, to: &str| GOOD.replace(from, to);
    for (text, named) in [
        (replaced("act_log", "act_lgo"), "act_lgo"),
        (replaced("key = \"agent.key\"", ""), "key"),
        (replaced("TERM04", "term 04"), "`host`"),
        (replaced("corp.example", "Corp"), "`trust_domain`"),
        (replaced("127.0.0.1:8472", "8472"), "listen"),
        (format!("{GOOD}[policy]\nconcurrency = 0"), "`policy.concurrency`"),
        (format!("{GOOD}[policy]\nreadonly = true"), "readonly"),
        (format!("{GOOD}[policy]\ndeny = [\"reset\"]"), "reset"),
        (
            format!("{GOOD}[policy]\nprotected_users = [\"\"]"),
            "`policy.protected_users`",
        ),
        (
            format!("{GOOD}[policy]\nprotected_users = ['CORP\\']"),
            "`policy.protected_users`",
        ),
        (
            format!("{GOOD}[policy]\nprotected_users = ['A\\B\\c']"),
            "`policy.protected_users`",
        ),
        (
            format!("{GOOD}[policy]\nprotected_users = [' bob']"),
            "`policy.protected_users`",
        ),
        (
            format!("{GOOD}[policy]\nprotected_users = ['S-1-5-32-544']"),
            "`S-1-5-32-544` is not the SID of a user",
        ),
        (
            format!("{GOOD}[policy]\nprotected_users = ['CORP\\svc-*']"),
            "there are no patterns",
        ),
    ] {
        let error = load(&text).expect_err(named);
        assert!(error.contains(named), "{named}: {error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("nowhere/agent.toml")).expect_err("it is not there");
    assert!(error.to_string().contains("nowhere/agent.toml"), "{error}");
    let config = load(GOOD).expect("settings");
    let error = config
        .credentials(DateTime::UNIX_EPOCH)
        .expect_err("there are no files");
    assert!(error.to_string().contains("`ca`"), "{error}");
}
