//! Who gets in, and what they see: tokens of an issuer as in production, roles on some backends alone.
//!
//! Not the dev issuer's tokens (everywhere else). Invariant: every refusal is the same 401, and nothing was executed;
//! what a caller may not see does not exist for them.

use curfew_core::{Clock as _, Role, Scope, SystemClock};
use curfew_server::auth::{Issuer, KeySet, RoleGrant, RoleMap};
use curfew_sim::{CitrixSimConfig, SessionState, Verb};
use curfew_tests::{AuditTrail, Client, Db, Gateway, ISSUER, Reply, Signer, Site, on_both};
use reqwest::Method;
use serde_json::{Value, json};

on_both![
    a_bad_token_gets_one_answer_whatever_is_bad_about_it,
    a_backend_outside_the_scope_does_not_exist,
    a_right_on_one_backend_is_none_on_another,
];

const REFUSED: &str =
    "A valid bearer token is required; nothing was run: sign in and send `Authorization: Bearer <token>`";
const BY_ID: &str = "mutation($id: String!) { disconnectBySessionId(onlineSessionId: $id) }";

/// The keys of an issuer, one of each type.
struct Keys {
    rsa: Signer,
    ec: Signer,
    ed: Signer,
}

impl Keys {
    fn new() -> Self {
        Self {
            rsa: Signer::rsa("rsa"),
            ec: Signer::ec("ec"),
            ed: Signer::ed("ed"),
        }
    }

    /// The issuer as `serve` reads it from a configuration.
    fn issuer(&self) -> Issuer {
        let grant = |role: &Role| {
            let grant = RoleGrant {
                role: *role,
                scope: Scope::All,
            };
            (format!("grp-{role}"), grant)
        };
        let jwks = Signer::jwks(&[&self.rsa, &self.ec, &self.ed]);
        Issuer {
            issuer: ISSUER.to_owned(),
            audience: "curfew".to_owned(),
            keys: KeySet::parse(&jwks).expect("keys"),
            roles_claim: "realm_access.roles".to_owned(),
            map: RoleMap(Role::ALL.iter().map(grant).collect()),
        }
    }
}

fn now() -> i64 {
    SystemClock.now().timestamp()
}

/// The claims of an honest administrator.
fn honest() -> Value {
    json!({
        "iss": ISSUER, "aud": ["account", "curfew"], "sub": "a-1", "name": "Ann Admin", "iat": now(), "exp": now() + 600,
        "realm_access": { "roles": ["grp-admin"] },
    })
}

/// Honest claims with some changed; null takes one away.
fn with(changes: Value) -> Value {
    let mut claims = honest();
    for (name, value) in changes.as_object().expect("changes") {
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(name);
        }
    }
    claims
}

async fn gateway(db: &Db, keys: &Keys) -> Gateway {
    let sim = CitrixSimConfig::cloud().sessions(10);
    Gateway::builder()
        .citrix(sim)
        .database(db)
        .issuer(keys.issuer())
        .start()
        .await
}

/// Every way of not having a good token, by name. `trap` is a URL that nobody may contact.
fn attacks(keys: &Keys, trap: &str) -> Vec<(String, String)> {
    let Keys { rsa, ec, ed } = keys;
    let good = ec.sign(&honest());
    let parts: Vec<&str> = good.split('.').collect();
    let thief = Signer::ec("ec");
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, token: String| all.push((name.to_owned(), token));
    add("empty", String::new());
    add("not a token", "let-me-in".to_owned());
    add("two parts", format!("{}.{}", parts[0], parts[1]));
    add("four parts", format!("{good}.x"));
    add("forged: another key under the same kid", thief.sign(&honest()));
    add(
        "forged: another's signature",
        format!(
            "{}.{}.{}",
            parts[0],
            parts[1],
            rsa.sign(&honest()).split('.').nth(2).unwrap_or_default()
        ),
    );
    let other = ec.sign(&with(json!({ "sub": "somebody-else" })));
    add(
        "tampered: other claims",
        format!(
            "{}.{}.{}",
            parts[0],
            other.split('.').nth(1).unwrap_or_default(),
            parts[2]
        ),
    );
    add("no signature", format!("{}.{}.", parts[0], parts[1]));
    for alg in ["none", "None", "nOnE", ""] {
        let token = ec.sign_header(&json!({ "alg": alg, "typ": "JWT", "kid": "ec" }), &honest());
        let unsigned = token
            .rsplit_once('.')
            .map(|(rest, _)| format!("{rest}."))
            .unwrap_or_default();
        add(&format!("alg = {alg:?}, signed"), token);
        add(&format!("alg = {alg:?}, unsigned"), unsigned);
    }
    for (name, secret) in [
        ("its JWK", rsa.jwk.to_string()),
        (
            "its modulus",
            rsa.jwk["n"].as_str().unwrap_or_default().to_owned(),
        ),
        ("nothing", String::new()),
    ] {
        add(
            &format!("HS256 with the RSA public key: {name}"),
            Signer::hmac(secret.as_bytes(), "rsa", &honest()),
        );
    }
    add(
        "the algorithm of another key",
        rsa.sign_header(&json!({ "alg": "ES256", "kid": "rsa" }), &honest()),
    );
    add(
        "RS512",
        rsa.sign_header(&json!({ "alg": "RS512", "kid": "rsa" }), &honest()),
    );
    add(
        "no kid among several keys",
        ec.sign_header(&json!({ "alg": "ES256" }), &honest()),
    );
    for kid in [
        json!("unknown"),
        json!(format!("{trap}/keys.json")),
        json!("../../../dev/null"),
        json!("' OR 1=1 --"),
        json!(17),
    ] {
        add(
            &format!("kid = {kid}"),
            thief.sign_header(&json!({ "alg": "ES256", "kid": kid }), &honest()),
        );
    }
    for member in ["jku", "x5u"] {
        let header = json!({ "alg": "ES256", "kid": "thief", member: format!("{trap}/keys.json") });
        add(
            &format!("{member} in the header"),
            thief.sign_header(&header, &honest()),
        );
    }
    let own_key = json!({ "alg": "ES256", "jwk": thief.jwk });
    add("a key in the header", thief.sign_header(&own_key, &honest()));
    add(
        "crit",
        ec.sign_header(
            &json!({ "alg": "ES256", "kid": "ec", "crit": ["exp"] }),
            &honest(),
        ),
    );
    add(
        "a logout token",
        ec.sign_header(
            &json!({ "alg": "ES256", "kid": "ec", "typ": "logout+jwt" }),
            &honest(),
        ),
    );
    add("too long", ec.sign(&with(json!({ "junk": "x".repeat(20_000) }))));
    for (name, changes) in [
        ("expired", json!({ "exp": now() - 3600 })),
        ("not valid yet", json!({ "nbf": now() + 3600 })),
        ("no exp", json!({ "exp": null })),
        ("exp as text", json!({ "exp": "99999999999" })),
        ("exp as a list", json!({ "exp": [now() + 600] })),
        ("exp beyond all time", json!({ "exp": 1e300 })),
        ("nbf as text", json!({ "nbf": "0" })),
        ("another audience", json!({ "aud": "grafana" })),
        ("no audience", json!({ "aud": null })),
        ("an empty audience", json!({ "aud": [] })),
        ("another issuer", json!({ "iss": "https://login.example.org/" })),
        (
            "an issuer that only begins the same",
            json!({ "iss": format!("{ISSUER}/") }),
        ),
        ("no issuer", json!({ "iss": null })),
        ("several issuers", json!({ "iss": [ISSUER] })),
        ("no subject", json!({ "sub": null })),
        ("an empty subject", json!({ "sub": " " })),
        ("a subject that hides", json!({ "sub": "ann\u{202e}nimda" })),
    ] {
        add(name, ec.sign(&with(changes.clone())));
        add(&format!("{name} (EdDSA)"), ed.sign(&with(changes)));
    }
    all
}

/// What a refused request looks like, whoever sent it.
fn assert_refused(name: &str, reply: &Reply) {
    assert_eq!(
        (reply.status, reply.code(), reply.message()),
        (401, "UNAUTHENTICATED", REFUSED),
        "{name}"
    );
    assert_eq!(reply.header("www-authenticate"), "Bearer", "{name}");
    assert_eq!(
        reply.body,
        json!({ "errors": [{ "message": REFUSED, "extensions": { "code": "UNAUTHENTICATED", "retryable": false } }] }),
        "{name}"
    );
}

async fn a_bad_token_gets_one_answer_whatever_is_bad_about_it(db: Db) {
    let keys = Keys::new();
    let gw = gateway(&db, &keys).await;
    let (_, id) = gw.active(0);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let trap = format!("http://{}", listener.local_addr().expect("an address"));

    assert_refused(
        "no token at all",
        &gw.anonymous().query(BY_ID, json!({ "id": id })).await,
    );
    for (name, token) in attacks(&keys, &trap) {
        let reply = gw
            .anonymous()
            .with_token(&token)
            .query(BY_ID, json!({ "id": id }))
            .await;
        assert_refused(&name, &reply);
    }
    let good = keys.ec.sign(&honest());
    let body = json!({ "query": BY_ID, "variables": { "id": id } });
    for (name, value) in [
        ("another scheme", format!("Basic {good}")),
        ("no scheme", good.clone()),
        ("two tokens in one", format!("Bearer {good} {good}")),
    ] {
        assert_refused(
            name,
            &Reply::of(gw.anonymous().post(&body).header("authorization", value)).await,
        );
    }
    let twice = gw
        .anonymous()
        .with_token(&good)
        .post(&body)
        .header("authorization", format!("Bearer {good}"));
    assert_refused("two headers", &Reply::of(twice).await);
    let in_url = gw
        .anonymous()
        .request(Method::GET)
        .query(&[("query", "{ viewer { roles } }"), ("access_token", &good)]);
    assert_refused("a token in the URL", &Reply::of(in_url).await);
    // The document is not even parsed.
    assert_refused(
        "a document that does not parse",
        &gw.anonymous().query("{", json!({})).await,
    );
    assert!(
        listener.accept().is_err(),
        "nobody went to an address that a token names"
    );
    assert_eq!(gw.sim().acts(), []);

    for signer in [&keys.rsa, &keys.ec, &keys.ed] {
        let client = gw.anonymous().with_token(&signer.sign(&honest()));
        let me = client
            .data("{ viewer { actor { issuer subject name } roles } }", json!({}))
            .await;
        let ann = json!({ "issuer": ISSUER, "subject": "a-1", "name": "Ann Admin" });
        assert_eq!(me["viewer"], json!({ "actor": ann, "roles": ["admin"] }));
    }
    let auditor = gw.anonymous().with_token(&good);
    assert_eq!(
        AuditTrail::read(&auditor).await.0,
        [] as [Value; 0],
        "a flood must not fill the table"
    );
    let done = auditor.query(BY_ID, json!({ "id": id })).await;
    assert_eq!(done.body, json!({ "data": { "disconnectBySessionId": true } }));
    let metrics = gw.ops("/metrics").await.text;
    for reason in [
        "missing",
        "signature",
        "expired",
        "audience",
        "issuer",
        "algorithm",
        "key",
    ] {
        let line = format!("curfew_auth_failures_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&line), "{line} is not counted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_mapped_or_named_gives_rights() {
    let keys = Keys::new();
    let gw = gateway(&Db::sqlite(), &keys).await;
    let roles = async |changes: Value| {
        let client = gw.anonymous().with_token(&keys.ec.sign(&with(changes)));
        client.data("{ viewer { roles } }", json!({})).await["viewer"]["roles"].clone()
    };
    let groups = |list: Value| json!({ "realm_access": { "roles": list } });
    assert_eq!(
        roles(groups(json!(["grp-viewer", "grp-auditor", "grp-nothing"]))).await,
        json!(["viewer", "auditor"])
    );
    assert_eq!(roles(groups(json!("grp-helpdesk"))).await, json!(["helpdesk"]));
    assert_eq!(
        roles(groups(json!(["admin", "GRP-ADMIN", 17, null]))).await,
        json!([])
    );
    assert_eq!(
        roles(json!({ "realm_access": null, "roles": ["grp-admin"] })).await,
        json!([])
    );
    assert_eq!(
        roles(json!({ "realm_access": null, "scope": "openid admin" })).await,
        json!(["admin"])
    );

    let scoped = with(json!({ "realm_access": null, "scp": ["sessions:read", "openid"] }));
    let client = gw.anonymous().with_token(&keys.ed.sign(&scoped));
    assert_eq!(
        client
            .query("{ onlineSessions { totalCount } }", json!({}))
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .query("{ operations { totalCount } }", json!({}))
            .await
            .verdict(),
        (403, "FORBIDDEN")
    );
    let nameless = with(json!({ "name": null, "preferred_username": "ann" }));
    let client = gw.anonymous().with_token(&keys.ec.sign(&nameless));
    assert_eq!(
        client.data("{ viewer { actor { name } } }", json!({})).await["viewer"]["actor"]["name"],
        "ann"
    );
}

/// Two sites, and groups whose roles hold on one of them.
async fn two_sites(db: &Db) -> Gateway {
    let sim = |seed| CitrixSimConfig::cloud().sessions(12).seed(seed);
    let builder = Gateway::builder()
        .site(Site::new("citrix-eu", sim(1)))
        .site(Site::new("citrix-us", sim(2)));
    let builder = builder
        .database(db)
        .scoped_role("eu-helpdesk", Role::Helpdesk, &["citrix-eu"]);
    builder
        .scoped_role("eu-auditor", Role::Auditor, &["citrix-eu"])
        .start()
        .await
}

fn member(gw: &Gateway, name: &str, groups: &[&str]) -> Client {
    gw.with_claims(json!({ "sub": name, "name": name, "roles": groups }))
}

fn somebody_on(gw: &Gateway, backend: &str) -> String {
    let sessions = gw.sim_of(backend).sessions();
    let found = sessions
        .iter()
        .find(|it| it.state == SessionState::Active && !it.logon_in_progress);
    gw.id_on(backend, found.expect("an active session").id)
}

async fn a_backend_outside_the_scope_does_not_exist(db: Db) {
    let gw = two_sites(&db).await;
    let elsa = member(&gw, "Elsa", &["eu-helpdesk"]);
    let (eu, us) = (somebody_on(&gw, "citrix-eu"), somebody_on(&gw, "citrix-us"));
    let document = "query($f: SessionFilter) { onlineSessions(filter: $f, first: 100) { totalCount nodes { backend { id } } \
        backends { backend { id } } } backends { id } }";
    let all = gw.viewer().data(document, json!({})).await;
    assert_eq!(all["onlineSessions"]["totalCount"], 24);
    assert_eq!(
        all["backends"],
        json!([{ "id": "citrix-eu" }, { "id": "citrix-us" }])
    );
    let hers = elsa.data(document, json!({})).await;
    assert_eq!(hers["onlineSessions"]["totalCount"], 12);
    assert_eq!(hers["backends"], json!([{ "id": "citrix-eu" }]));
    assert_eq!(
        hers["onlineSessions"]["backends"],
        json!([{ "backend": { "id": "citrix-eu" } }])
    );
    let rows = hers["onlineSessions"]["nodes"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["backend"]["id"] == "citrix-eu"));
    let none = elsa
        .data(document, json!({ "f": { "backendIds": ["citrix-us"] } }))
        .await;
    assert_eq!(
        none["onlineSessions"],
        json!({ "totalCount": 0, "nodes": [], "backends": [] })
    );

    let one = "query($id: ID!) { onlineSession(id: $id) { allowedActions } }";
    assert_eq!(
        elsa.data(one, json!({ "id": eu })).await["onlineSession"]["allowedActions"],
        json!(["DISCONNECT", "LOGOFF", "MESSAGE"])
    );
    assert_eq!(
        elsa.data(one, json!({ "id": us })).await["onlineSession"],
        Value::Null
    );
    assert_eq!(
        gw.viewer().data(one, json!({ "id": us })).await["onlineSession"]["allowedActions"],
        json!([])
    );

    // The same answer as for a backend that there is none of.
    let invented = us.replace("citrix-us", "citrix-xx");
    let log_off = "mutation($id: ID!) { logoffSession(input: { target: { onlineSessionId: $id } }) { status message } }";
    let hidden = elsa.data(log_off, json!({ "id": us })).await;
    assert_eq!(hidden["logoffSession"]["status"], "NOT_FOUND");
    assert_eq!(hidden, elsa.data(log_off, json!({ "id": invented })).await);
    let mut refused = elsa.query(BY_ID, json!({ "id": us })).await;
    assert_eq!(refused.verdict(), (400, "SESSION_NOT_FOUND"));
    assert_eq!(
        refused.body.take(),
        elsa.query(BY_ID, json!({ "id": invented })).await.body
    );
    assert_eq!(gw.sim_of("citrix-us").acts(), []);
    gw.audit().await.assert_is(
        "
        DENIED LOGOFF HIDDEN_BACKEND <- Elsa
        DENIED LOGOFF HIDDEN_BACKEND <- Elsa
        DENIED DISCONNECT HIDDEN_BACKEND <- Elsa
        DENIED DISCONNECT HIDDEN_BACKEND <- Elsa
        ",
    );

    let done = elsa.query(BY_ID, json!({ "id": eu })).await;
    assert_eq!(done.body["data"]["disconnectBySessionId"], true, "{}", done.text);
    let acts: Vec<_> = gw.sim_of("citrix-eu").acts().iter().map(|act| act.verb).collect();
    assert_eq!(acts, [Verb::Disconnect]);
    let done = gw.operator().query(BY_ID, json!({ "id": us })).await;
    assert_eq!(done.body["data"]["disconnectBySessionId"], true, "{}", done.text);

    // Whoever reads the log of some backends reads what concerns those.
    let seen = AuditTrail::read(&member(&gw, "Eddy", &["eu-auditor"])).await;
    seen.assert_is(
        "
        INTENT DISCONNECT <- Elsa
        ATTEMPT 1 DISCONNECT <- Elsa
        OUTCOME DISCONNECT SUCCEEDED sent=YES by REQUEST <- Elsa
        ",
    );
    let operations = "{ operations { totalCount nodes { session { id } } } }";
    let hers = elsa.data(operations, json!({})).await["operations"].clone();
    assert_eq!(
        hers,
        json!({ "totalCount": 1, "nodes": [{ "session": { "id": eu } }] })
    );
}

async fn a_right_on_one_backend_is_none_on_another(db: Db) {
    let gw = two_sites(&db).await;
    let both = member(&gw, "Bo", &["viewer", "eu-helpdesk"]);
    let (eu, us) = (somebody_on(&gw, "citrix-eu"), somebody_on(&gw, "citrix-us"));
    let refused = both.query(BY_ID, json!({ "id": us })).await;
    assert_eq!(
        refused.verdict(),
        (403, "FORBIDDEN"),
        "it is visible, so it is no secret that it is there"
    );
    assert_eq!(refused.message(), "Admin access required to disconnect sessions");
    assert_eq!(both.query(BY_ID, json!({ "id": eu })).await.status, 200);
    assert_eq!(gw.sim_of("citrix-us").acts(), []);
    let audit = gw.audit().await;
    let denied = audit.only("DENIED");
    assert_eq!(
        json!([denied["cause"], denied["backend"], denied["sessionId"]]),
        json!(["FORBIDDEN", "citrix-us", us])
    );
    let grants = both
        .data("{ viewer { roles grants { backendIds } } }", json!({}))
        .await["viewer"]
        .clone();
    assert_eq!(grants["roles"], json!(["viewer", "helpdesk"]));
    assert_eq!(
        grants["grants"],
        json!([{ "backendIds": null }, { "backendIds": ["citrix-eu"] }])
    );
}
