//! Configuration as texts. Not files and not the environment. Invariant: no secret stands in any message.

use curfew_core::{BackendKind, Role, Scope};
use secrecy::ExposeSecret as _;

use curfew_core::Deadlines;

use super::*;

const SECRET: &str = "hunter2-very-secret";
const JWKS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"a",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
const OCT: &str = r#"{"keys":[{"kty":"oct","k":"aHVudGVyMi12ZXJ5LXNlY3JldA","alg":"HS256"}]}"#;

const CITRIX: &str = r#"
[[backends]]
id = "citrix-eu"
kind = "citrix"
flavour = "cloud"
customer = "loy6oujtu6a4"
client_id = "env:CITRIX_CLIENT_ID"
client_secret = "file:/run/secrets/citrix"
"#;
const WINDOWS: &str = r#"
[[backends]]
id = "rds"
kind = "windows"
ca = "file:/etc/curfew/agents-ca.pem"
client_cert = "file:/etc/curfew/gateway.crt"
client_key = "file:/etc/curfew/gateway.key"
hosts = [{ name = "TERM04", address = "term04.corp.example:7443" }]
"#;
const ORBNET: &str = r#"
[[backends]]
id = "vpn"
kind = "orbnet"
token = "file:/run/secrets/orbnet"
users = [{ id = 7, name = "Alice" }, { id = 8 }]
"#;
const ISSUER: &str = r#"
[[auth.issuers]]
issuer = "https://login.example.com/realms/corp"
audience = "curfew"
jwks = "file:/etc/curfew/jwks.json"
map = { "grp-helpdesk" = { role = "helpdesk", backends = ["citrix-eu"] }, "grp-audit" = { role = "auditor" } }
"#;

fn surroundings(variables: &[(&str, &str)]) -> Given {
    let mut given = Given::default();
    let text = |it: &str| it.to_owned();
    given.variables.insert(text("CITRIX_CLIENT_ID"), text("id"));
    given.variables.insert(
        text("CURFEW_DATABASE_URL"),
        format!("postgres://curfew:{SECRET}@db/curfew"),
    );
    given
        .variables
        .extend(variables.iter().map(|(name, value)| (text(name), text(value))));
    let made = rcgen::generate_simple_self_signed(["gw".to_owned()]).expect("a certificate");
    for (path, content) in [
        ("/run/secrets/citrix", format!("{SECRET}\n")),
        ("/etc/curfew/jwks.json", text(JWKS)),
        ("/etc/curfew/oct.json", text(OCT)),
        ("/etc/curfew/tls.crt", made.cert.pem()),
        ("/etc/curfew/tls.key", made.signing_key.serialize_pem()),
        ("/etc/curfew/agents-ca.pem", made.cert.pem()),
        ("/etc/curfew/gateway.crt", made.cert.pem()),
        ("/etc/curfew/gateway.key", made.signing_key.serialize_pem()),
        ("/run/secrets/orbnet", format!("{SECRET}\n")),
    ] {
        given.files.insert(path.into(), content);
    }
    given
}

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load("curfew.toml", text, &surroundings(variables))
}

#[test]
fn the_documented_configuration_is_read() {
    let text = format!(
        r#"
[server]
listen = "0.0.0.0:8443"
ops_listen = "127.0.0.1:9464"
tls = {{ cert = "file:/etc/curfew/tls.crt", key = "file:/etc/curfew/tls.key" }}
trusted_proxies = ["10.0.0.0/8", "192.0.2.7"]
allowed_origins = ["https://desk.example.com"]
limits = {{ depth = 12 }}
[database]
url = "env:CURFEW_DATABASE_URL"
max_connections = 20
{ISSUER}{CITRIX}"#
    );
    let config = read(&text, &[]).expect("usable");
    config.check_serving().expect("servable");
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8443");
    assert!(config.server.tls.is_some() && config.warnings.is_empty());
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(
        (config.server.limits.depth, config.server.limits.aliases),
        (12, 30)
    );
    assert_eq!(config.server.door_options().body_bytes, 262_144);
    assert!(config.database.url().expose_secret().ends_with("@db/curfew"));
    assert_eq!(config.backends[0].id().as_str(), "citrix-eu");
    let issuer = &config.issuers[0];
    assert_eq!(issuer.roles_claim, "groups");
    let helpdesk = issuer.map.get("grp-helpdesk").expect("mapped");
    assert_eq!(helpdesk.role, Role::Helpdesk);
    assert_eq!(
        helpdesk.scope,
        Scope::Only([config.backends[0].id().clone()].into())
    );

    let debug = format!("{config:?}");
    assert!(!debug.contains(SECRET) && !debug.contains("BEGIN"), "{debug}");
}

#[test]
fn nothing_at_all_is_a_sqlite_file_and_loopback() {
    let config = read("", &[]).expect("usable");
    assert_eq!(
        config.database.url().expose_secret(),
        "sqlite:///var/lib/curfew/curfew.db"
    );
    assert!(config.server.listen.ip().is_loopback());
    let error = config.check_serving().expect_err("nobody could sign in");
    assert!(error.to_string().contains("auth.issuers: is empty"), "{error}");
}

#[test]
fn the_deadlines_of_operations_are_configured() {
    assert_eq!(read("", &[]).expect("usable").deadlines, Deadlines::default());
    let text = "[operations]\ndispatching_seconds = 20\nrunning_seconds = 1200\nconfirming_seconds = 60";
    let seconds = Duration::from_secs;
    let wanted = Deadlines {
        dispatching: seconds(20),
        running: seconds(1200),
        confirming: seconds(60),
    };
    assert_eq!(read(text, &[]).expect("usable").deadlines, wanted);
}

#[test]
fn variables_win_over_the_file() {
    let config = read(
        "[server]\nlisten = \"127.0.0.1:1\"\n[server.limits]\ndepth = 3\naliases = 4",
        &[
            ("CURFEW__SERVER__LISTEN", "127.0.0.1:2"),
            ("CURFEW__SERVER__LIMITS__DEPTH", "7"),
            ("CURFEW__SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("CURFEW__SERVER__BEHIND_PROXY", "true"),
            ("CURFEW__DATABASE__URL", "env:CURFEW_DATABASE_URL"),
            ("CURFEW__DATA__DIR", "/data"),
            ("CURFEW_OTHER", "ignored"),
            ("PATH", "ignored"),
        ],
    )
    .expect("usable");
    assert_eq!(config.server.listen.port(), 2);
    assert_eq!((config.server.limits.depth, config.server.limits.aliases), (7, 4));
    assert!(config.server.behind_proxy && config.server.trusted_proxies.len() == 1);
    assert!(config.database.url.is_some());
    assert_eq!(config.database.data_dir, PathBuf::from("/data"));
}

#[test]
fn what_is_wrong_is_named() {
    let jwks = |path: &str| ISSUER.replace("jwks.json", path);
    let with = |from: &str, to: &str| format!("{ISSUER}{CITRIX}").replace(from, to);
    let windows = |from: &str, to: &str| WINDOWS.replacen(from, to, 1);
    let orbnet = |from: &str, to: &str| ORBNET.replacen(from, to, 1);
    let table: Vec<(String, &str)> = vec![
        // Unknown keys, in every section.
        ("[server]\nlisen = \"127.0.0.1:1\"".into(), "server.lisen: there is no such key; did you mean `listen`?"),
        ("[sever]\nlisten = \"x\"".into(), "sever: there is no such key; did you mean `server`?"),
        ("[server.limits]\nbody = 1".into(), "server.limits.body: there is no such key; known are body_bytes, in_flight"),
        ("[server]\ntls = { cert = \"a\", key = \"b\", ca = \"c\" }".into(), "server.tls.ca: there is no such key"),
        ("[database]\nurls = \"x\"".into(), "database.urls: there is no such key; did you mean `url`?"),
        ("[data]\npath = \"x\"".into(), "data.path: there is no such key; known are dir"),
        ("[operations]\nrunning = 1".into(), "operations.running: there is no such key"),
        // A first read and an act take up to 14 s.
        ("[operations]\ndispatching_seconds = 14".into(), "operations.dispatching_seconds: must be from 15 to 86400"),
        ("[operations]\nrunning_seconds = 0".into(), "operations.running_seconds: must be from 1 to 86400"),
        (with("roles = 1\naudience", "audience").replace("audience", "audiense"), "audiense: there is no such key; did you mean `audience`?"),
        (with("role = \"helpdesk\"", "roles = \"helpdesk\""), "there is no such key; did you mean `role`?"),
        (with("customer =", "custommer ="), "backends.citrix-eu.custommer: there is no such key; did you mean `customer`?"),
        // Shapes.
        ("x".into(), "line 1: not TOML"),
        ("[server]\nlisten = a".into(), "line 2: not TOML"),
        ("server = 1".into(), "server: must be a table, but is a whole number"),
        ("[server]\nlisten = 8080".into(), "server.listen: must be a text, but is a whole number"),
        ("[server]\nbehind_proxy = \"yes\"".into(), "server.behind_proxy: must be true or false, but is a text"),
        ("[server.limits]\ndepth = -1".into(), "server.limits.depth: must be"),
        ("[server.limits]\ndepth = 0".into(), "server.limits.depth: must be at least 1"),
        ("[server.limits]\npage_default = 2000".into(), "page_default: must not be more than page_max"),
        ("[database]\nmax_connections = 0".into(), "database.max_connections: must be at least 1"),
        ("[backends]\nid = \"x\"".into(), "backends: must be a list of tables: write [[backends]]"),
        // Addresses.
        ("[server]\nlisten = \"localhost:8080\"".into(), "server.listen: must be an address and a port"),
        ("[server]\nops_listen = \"127.0.0.1:8080\"".into(), "server.ops_listen: must differ from `listen`"),
        ("[server]\ntrusted_proxies = [\"proxy\"]".into(), "server.trusted_proxies: must be a list of addresses"),
        ("[server]\ntrusted_proxies = [\"0.0.0.0/0\"]".into(), "server.trusted_proxies: trusts everybody"),
        ("[server]\nallowed_origins = [\"*\"]".into(), "server.allowed_origins: must be exact origins"),
        ("[server]\nallowed_origins = [\"https://Desk.example.com/\"]".into(), "write \"https://desk.example.com\""),
        ("[server]\nallowed_origins = [\"null\"]".into(), "server.allowed_origins: must be exact origins"),
        // TLS.
        ("[server]\nbehind_proxy = true\ntls = { cert = \"file:/etc/curfew/tls.crt\", key = \"file:/etc/curfew/tls.key\" }".into(), "server.behind_proxy: contradicts `tls`"),
        ("[server]\ntls = { cert = \"file:/etc/curfew/tls.crt\" }".into(), "server.tls.key: is missing"),
        ("[server]\ntls = { cert = \"/etc/curfew/tls.crt\", key = \"file:/etc/curfew/tls.key\" }".into(), "server.tls.cert: must be `file:/path`"),
        ("[server]\ntls = { cert = \"file:/no\", key = \"file:/etc/curfew/tls.key\" }".into(), "server.tls.cert: the file `/no` cannot be read: "),
        ("[server]\ntls = { cert = \"file:/etc/curfew/tls.key\", key = \"file:/etc/curfew/tls.key\" }".into(), "server.tls: file:/etc/curfew/tls.key holds no certificate"),
        // Database.
        ("[database]\nurl = \"env:NOT_SET\"".into(), "database.url: the environment variable `NOT_SET` is not set"),
        (format!("[database]\nurl = \"mysql://u:{SECRET}@h/d\""), "database.url: must begin with postgres://"),
        // Issuers.
        (jwks("oct.json"), "auth.issuers.1.jwks: file:/etc/curfew/oct.json holds a symmetric key"),
        (jwks("none.json"), "auth.issuers.1.jwks: the file `/etc/curfew/none.json` cannot be read"),
        (with("file:/etc/curfew/jwks.json", "https://login.example.com/jwks"), "auth.issuers.1.jwks: must be `file:/path`"),
        (with("jwks = \"file:/etc/curfew/jwks.json\"", ""), "auth.issuers.1.jwks: is missing"),
        (with("audience = \"curfew\"", ""), "audience: is missing"),
        (with("audience = \"curfew\"", "audience = \"\""), "auth.issuers.1.audience: must be"),
        (format!("{ISSUER}{ISSUER}{CITRIX}"), "auth.issuers.2.issuer: is there twice"),
        (with("role = \"helpdesk\"", "role = \"boss\""), "auth.issuers.1.map.grp-helpdesk: there is no role `boss`"),
        (with("[\"citrix-eu\"]", "[\"citrix-us\"]"), "auth.issuers.1.map.grp-helpdesk: there is no backend `citrix-us`"),
        (with("[\"citrix-eu\"]", "[]"), "`backends` is empty"),
        // Backends.
        (format!("{CITRIX}{CITRIX}"), "backends.citrix-eu: there are two backends with this `id`"),
        (with("kind = \"citrix\"", "kind = \"citrics\""), "backends.citrix-eu.kind: `citrics` is not known"),
        (with("kind = \"citrix\"", ""), "backends.citrix-eu.kind: is missing"),
        (with("id = \"citrix-eu\"", "id = \"Citrix EU\""), "the backend part"),
        (with("file:/run/secrets/citrix", "file:/run/secrets/none"), "backends.citrix-eu: the file `/run/secrets/none` cannot be read"),
        (with("client_secret = \"file:/run/secrets/citrix\"", &format!("client_secret = [\"{SECRET}\"]")), "backends.citrix-eu.client_secret: must be"),
        (with("customer = \"loy6oujtu6a4\"", &format!("refresh_seconds = \"{SECRET}\"")), "backends.citrix-eu.refresh_seconds: must be"),
        (with("customer = \"loy6oujtu6a4\"", &format!("client_secret = \"{SECRET}")), "not TOML"),
        // Windows.
        (windows("client_key", "client_kay"), "backends.rds.client_kay: there is no such key; did you mean `client_key`?"),
        (windows("address =", "adress ="), "adress: there is no such key; did you mean `address`?"),
        (windows("hosts = [", "# ["), "backends.rds.hosts: is missing"),
        (windows("name = \"TERM04\", ", ""), "name: is missing"),
        (windows("[{ name = \"TERM04\", address = \"term04.corp.example:7443\" }]", "[\"TERM04\"]"), "backends.rds.hosts: must be a table, but is a text"),
        (windows("hosts = [", "concurrency = -1\nhosts = ["), "backends.rds.concurrency: must be"),
        (windows("agents-ca.pem", "none.pem"), "backends.rds: the file `/etc/curfew/none.pem` cannot be read"),
        (windows("file:/etc/curfew/gateway.key", "env:NOT_SET"), "backends.rds: the environment variable `NOT_SET` is not set"),
        // OrbNet.
        (orbnet("users =", "user ="), "backends.vpn.user: there is no such key; did you mean `users`?"),
        (orbnet("id = 7, ", "nr = 7, "), "nr: there is no such key"),
        (orbnet("id = 7, ", "id = \"7\", "), "backends.vpn.users: must be"),
        (orbnet("users =", "disconnect_by = \"ip\"\nusers ="), "`ip` is not known; did you mean `id`?"),
        (orbnet("token =", "ca = \"file:/etc/curfew/none.pem\"\ntoken ="), "backends.vpn: the file `/etc/curfew/none.pem` cannot be read"),
        (orbnet("file:/run/secrets/orbnet", "file:/run/secrets/none"), "backends.vpn: the file `/run/secrets/none` cannot be read"),
        (orbnet("token =", "# "), "backends.vpn.token: is missing"),
        (orbnet("\"file:/run/secrets/orbnet\"", &format!("[\"{SECRET}\"]")), "backends.vpn.token: must be"),
        (format!("{WINDOWS}{}", orbnet("id = \"vpn\"", "id = \"rds\"")), "backends.rds: there are two backends with this `id`"),
    ];
    for (text, expected) in table {
        let error = read(&text, &[]).expect_err(&text).to_string();
        assert!(
            error.contains(expected),
            "{text}\n-> {error}\nexpected: {expected}"
        );
        assert!(
            error.starts_with("the configuration (curfew.toml) cannot be used\n"),
            "{error}"
        );
        assert!(!error.contains(SECRET), "{error}");
    }
}

#[test]
fn a_backend_of_each_kind_is_read_and_shows_no_secret() {
    let config = read(&format!("{CITRIX}{WINDOWS}{ORBNET}"), &[]).expect("usable");
    let kinds: Vec<_> = config
        .backends
        .iter()
        .map(|it| (it.id().as_str(), it.kind()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("citrix-eu", BackendKind::Citrix),
            ("rds", BackendKind::Windows),
            ("vpn", BackendKind::Orbnet)
        ]
    );
    // Everything that a reference led to, a certificate as much as a key.
    let debug = format!("{config:?}");
    assert!(!debug.contains(SECRET) && !debug.contains("BEGIN"), "{debug}");
    assert!(debug.contains("TERM04") && debug.contains("Alice"), "{debug}");
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = "[server]\nlisen = \"a\"\n[databse]\n[data]\nfoo = 1\n[[backends]]\nid = \"x\"\n\
         [[auth.issuers]]\nissuer = \"i\"\naudience = \"a\"";
    let error = read(text, &[]).expect_err("wrong");
    let keys: Vec<&str> = error.problems.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "backends.x.kind",
            "server.lisen",
            "data.foo",
            "databse",
            "auth.issuers.1.jwks"
        ]
    );
    let text = "[server]\nlisten = \"a\"\nops_listen = \"b\"\n[server.limits]\ndepth = 0";
    let error = read(text, &[]).expect_err("wrong");
    let keys: Vec<&str> = error.problems.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(
        keys,
        ["server.listen", "server.ops_listen", "server.limits.depth"]
    );
}

#[test]
fn a_problem_with_a_variable_names_the_variable() {
    let error = read("", &[("CURFEW__SERVER__LISTEN", "nowhere")])
        .expect_err("wrong")
        .to_string();
    assert!(
        error.contains("server.listen (set by CURFEW__SERVER__LISTEN): must be"),
        "{error}"
    );
    let error = read("", &[("CURFEW__SERVER__LISEN", "127.0.0.1:1")])
        .expect_err("wrong")
        .to_string();
    assert!(
        error.contains("server.lisen (set by CURFEW__SERVER__LISEN): there is no such key"),
        "{error}"
    );
}

#[test]
fn a_backend_with_a_problem_does_not_make_its_role_wrong() {
    let text = format!("{ISSUER}{CITRIX}").replace("customer =", "custommer =");
    let error = read(&text, &[]).expect_err("wrong");
    assert_eq!(error.problems.len(), 1, "{error}");
}

#[test]
fn tokens_in_clear_text_do_not_cross_a_network() {
    let with = |server: &str| read(&format!("[server]\n{server}\n{ISSUER}{CITRIX}"), &[]).expect("usable");
    for (server, servable) in [
        ("listen = \"127.0.0.1:8080\"", true),
        ("listen = \"[::1]:8080\"", true),
        ("listen = \"0.0.0.0:8080\"", false),
        ("listen = \"192.0.2.1:8080\"", false),
        ("listen = \"0.0.0.0:8080\"\nbehind_proxy = true", true),
        (
            "listen = \"0.0.0.0:8080\"\ntls = { cert = \"file:/etc/curfew/tls.crt\", key = \"file:/etc/curfew/tls.key\" }",
            true,
        ),
    ] {
        let checked = with(server).check_serving();
        assert_eq!(checked.is_ok(), servable, "{server}");
        if let Err(error) = checked {
            assert!(
                error
                    .to_string()
                    .contains("server.listen: would take tokens in clear text"),
                "{error}"
            );
        }
    }
    let warned = with("listen = \"0.0.0.0:8080\"\nbehind_proxy = true").warnings;
    assert!(warned[0].starts_with("server.behind_proxy without trusted_proxies"));
}

#[test]
fn no_configuration_can_hold_the_secret_of_dev() {
    // By a symmetric JWKS (above), by a literal, or by naming the issuer of `dev`: none has a key to verify HS256.
    let literal = ISSUER.replace("\"file:/etc/curfew/jwks.json\"", &format!("'{OCT}'"));
    let error = read(&literal, &[]).expect_err("refused").to_string();
    assert!(error.contains("HS256 is for `curfew dev` alone"), "{error}");
    assert!(!error.contains("aHVudGVyMi12ZXJ5LXNlY3JldA"), "{error}");
}
