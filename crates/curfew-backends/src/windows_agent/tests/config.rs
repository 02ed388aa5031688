//! Configurations, right and wrong.

use super::pki::GATEWAY;
use super::*;

/// `ok`, or everything that is said about what is wrong.
fn told(text: &str) -> String {
    install_provider();
    let config: BackendConfig = match toml::from_str(text) {
        Ok(config) => config,
        Err(error) => return error.message().to_owned(),
    };
    let clock = Arc::new(MockClock::default());
    let error = match build(&config, &Deps { clock }) {
        Ok(backend) => return format!("ok {} {}", backend.id(), backend.kind()),
        Err(error) => error,
    };
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        said = format!("{said}: {inner}");
        source = inner.source();
    }
    said
}

fn house(hosts: &[(&str, &str)], lines: &str) -> String {
    let pki = Pki::new();
    let hosts: Vec<_> = hosts
        .iter()
        .map(|(name, address)| (*name, (*address).to_owned()))
        .collect();
    let strict = text(&pki.ca, &pki.gateway(), &hosts, "").replace("allow_loopback = true\n", "");
    format!("{strict}{lines}\n")
}

#[test]
fn good_configurations_build() {
    for address in [
        "term04.corp.example:7443",
        "TERM04:7443",
        "10.1.2.3:443",
        "[2001:db8::4]:7443",
    ] {
        assert_eq!(
            told(&house(&[("TERM04", address)], "")),
            "ok rds WINDOWS",
            "{address}"
        );
    }
    for address in ["127.0.0.1:7443", "[::1]:7443", "localhost:7443"] {
        let house = house(&[("TERM04", address)], "allow_loopback = true");
        assert_eq!(told(&house), "ok rds WINDOWS", "{address}");
    }
    let all = "refresh_seconds = 30\nhost_timeout_seconds = 30\nconcurrency = 256\nact_timeout_seconds = 8";
    let hosts = [("TERM04", "a:1"), ("term-05", "a:2"), ("X6", "b:65535")];
    assert_eq!(told(&house(&hosts, all)), "ok rds WINDOWS");
}

#[test]
fn wrong_configurations_are_told_what_is_wrong() {
    let at = |address: &str| told(&house(&[("TERM04", address)], ""));
    let named = |name: &str| told(&house(&[(name, "term04.corp.example:7443")], ""));
    let line = |line: &str| told(&house(&[("TERM04", "term04.corp.example:7443")], line));
    let hosts = told(&house(&[], ""));
    let twice = told(&house(
        &[("TERM04", "a:1"), ("TERM05", "b:1"), ("Term04", "c:1")],
        "",
    ));
    let said = [
        hosts,
        twice,
        named(""),
        named("term04.corp.example"),
        named("TERM_04"),
        named("1234"),
        named("0x10"),
        named("xn--a"),
        at("term04.corp.example"),
        at("term04.corp.example:"),
        at("term04.corp.example:0"),
        at("term04.corp.example:65536"),
        at("https://term04.corp.example:7443"),
        at("term04.corp.example:7443/x"),
        at("term04.corp.example/x:7443"),
        at("user@term04.corp.example:7443"),
        at("term04.corp.example?x:7443"),
        at("2001:db8::4"),
        at(":7443"),
        at("127.0.0.1:7443"),
        at("0x7f.1:7443"),
        at("[::1]:7443"),
        at("localhost:7443"),
        at("169.254.169.254:7443"),
        at("[fe80::1]:7443"),
        line("refresh_seconds = 1"),
        line("host_timeout_seconds = 31"),
        line("concurrency = 0"),
        line("act_timeout_seconds = 9"),
        line("act_timeout_seconds = 2"),
        line("trust_domain = 'Corp'"),
        line("colour = 'red'"),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn wrong_certificates_are_told_by_their_key() {
    let (pki, other) = (Pki::new(), Pki::new());
    let gateway = pki.gateway();
    let hosts = [("TERM04", "term04.corp.example:7443".to_owned())];
    let with = |ca: &str, cert: &str, key: &str| {
        let pair = Pair {
            cert: cert.to_owned(),
            key: key.to_owned(),
        };
        told(&text(ca, &pair, &hosts, ""))
    };
    let agents = pki.pair(&[&agent("TERM04")]);
    let elsewhere = pki.pair(&["spiffe://elsewhere/gateway"]);
    let nobody = pki.pair(&[]);
    let both = pki.pair(&[GATEWAY, &agent("TERM04")]);
    let said = [
        with("no pem", &gateway.cert, &gateway.key),
        with(&gateway.key, &gateway.cert, &gateway.key),
        with(&pki.ca, "no pem", &gateway.key),
        with(&pki.ca, &gateway.cert, "no pem"),
        with(&pki.ca, &gateway.cert, &gateway.cert),
        with(&pki.ca, &gateway.cert, &other.gateway().key),
        with(&pki.ca, &agents.cert, &agents.key),
        with(&pki.ca, &elsewhere.cert, &elsewhere.key),
        with(&pki.ca, &nobody.cert, &nobody.key),
        with(&pki.ca, &both.cert, &both.key),
        with("file:/etc/curfew/agents-ca.pem", &gateway.cert, &gateway.key),
    ];
    insta::assert_snapshot!(said.join("\n"));
    for key in [&gateway.key, &agents.key] {
        let inner = key.lines().nth(1).expect("a line of the key");
        assert!(said.iter().all(|text| !text.contains(inner)));
    }
}
