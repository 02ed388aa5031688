//! Addresses: which are taken, and that none shows its password.

use super::*;

#[test]
fn urls_are_told_apart() {
    let kind = |text: &str| DatabaseUrl::parse(text).map(|url| (url.kind(), url.to_string()));
    let sqlite = |text: &str| Ok((DatabaseKind::Sqlite, text.to_owned()));
    assert_eq!(
        kind("sqlite:///var/lib/curfew.db"),
        sqlite("sqlite:///var/lib/curfew.db")
    );
    assert_eq!(kind("sqlite://data/curfew.db"), sqlite("sqlite://data/curfew.db"));
    assert_eq!(kind("sqlite:curfew.db"), sqlite("sqlite://curfew.db"));
    for scheme in ["postgres", "postgresql"] {
        let parsed = kind(&format!(
            "{scheme}://anna:geheim@db.example:5433/curfew?sslmode=require"
        ));
        assert_eq!(
            parsed,
            Ok((
                DatabaseKind::Postgres,
                "postgres://anna@db.example:5433/curfew".to_owned()
            ))
        );
    }
    let socket = kind("postgres://anna:geheim@%2Frun%2Fpostgresql/curfew");
    assert_eq!(
        socket.map(|(_, text)| text),
        Ok("postgres://anna@/run/postgresql/curfew".to_owned())
    );
}

#[test]
fn bad_urls_say_what_is_wrong_and_nothing_secret() {
    for (text, expected) in [
        (
            "",
            "the database URL must begin with `sqlite://`, `postgres://` or `postgresql://`",
        ),
        (
            "mysql://anna:geheim@db/x",
            "the database URL must begin with `sqlite://`, `postgres://` or `postgresql://`",
        ),
        (
            "sqlite://",
            "the database URL names no file: `sqlite:///var/lib/curfew/curfew.db`, or `sqlite://curfew.db` here",
        ),
        (
            "sqlite::memory:",
            "a SQLite database in memory keeps no record: name a file",
        ),
        (
            "sqlite://:memory:",
            "a SQLite database in memory keeps no record: name a file",
        ),
        (
            "sqlite://a.db?mode=ro",
            "a `sqlite://` URL takes no `?` parameters",
        ),
        (
            "postgres://anna:geheim@db:port/x",
            "the database URL is not valid: invalid port number",
        ),
        (
            "postgres://anna:geheim@",
            "the database URL is not valid: empty host",
        ),
        (
            "postgres://anna:geheim@[::1/x",
            "the database URL is not valid: invalid IPv6 address",
        ),
    ] {
        let error = DatabaseUrl::parse(text).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
        assert!(!format!("{error:?}").contains("geheim"));
    }
}

#[test]
fn a_url_prints_without_its_password() {
    let url = DatabaseUrl::parse("postgres://anna:geheim@db/x?password=geheim").expect("a URL");
    assert!(!format!("{url:?} {url}").contains("geheim"));
}
