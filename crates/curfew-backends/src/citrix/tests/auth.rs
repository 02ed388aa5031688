//! Signing in, the site, and the headers of every call.

use std::sync::Mutex;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use curfew_core::BackendErrorKind as Kind;
use curfew_sim::Discovery;
use futures::future::join_all;

use super::*;

async fn list_at_once(rig: &SimRig, callers: usize) -> Vec<Result<usize, BackendError>> {
    let one = |backend: Arc<dyn SessionBackend>| {
        tokio::spawn(async move { backend.list(&soon()).await.map(|listing| listing.sessions.len()) })
    };
    let tasks = join_all((0..callers).map(|_| one(rig.backend.clone()))).await;
    tasks.into_iter().map(|task| task.expect("no panic")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_of_callers_signs_in_once_and_renews_once() {
    let rig = SimRig::cloud().await;
    for signed_in in 1..=3 {
        let listings = list_at_once(&rig, 40).await;
        assert!(
            listings
                .iter()
                .all(|listing| listing.as_ref().is_ok_and(|rows| *rows == SESSIONS))
        );
        assert_eq!(rig.sim.counters().tokens_issued, signed_in);
        rig.sim.revoke_tokens();
    }
    let requests = rig.sim.counters().requests;
    assert_eq!(
        requests.get(&Operation::Me),
        Some(&1),
        "the site is looked up once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_sign_in_is_not_repeated_by_everyone() {
    let rig = SimRig::cloud().await;
    let stranger = SimRig {
        backend: rig.stranger(),
        ..SimRig::cloud().await
    };
    let listings = list_at_once(&stranger, 40).await;
    let refused = |listing: &Result<usize, BackendError>| {
        listing
            .as_ref()
            .is_err_and(|error| error.kind == Kind::Credentials)
    };
    assert!(listings.iter().all(refused));
    assert_eq!(rig.sim.counters().requests.get(&Operation::Token), Some(&1));
}

#[tokio::test]
async fn a_site_that_refuses_every_token_is_not_flooded_with_sign_ins() {
    let rig = SimRig::cloud().await;
    rig.fault(Operation::List, status(401, FaultBody::Native));
    for _ in 0..5 {
        assert_eq!(
            rig.backend.list(&soon()).await.unwrap_err().kind,
            Kind::Credentials
        );
    }
    assert_eq!(rig.sim.counters().tokens_issued, 2);
    rig.sim.clear_faults();
    assert!(rig.backend.list(&soon()).await.is_ok());
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_of_a_listing_is_renewed() {
    let rig = SimRig::cloud().await;
    rig.sim.add_fault(
        Fault::on(Operation::List, FaultAction::RevokeTokens)
            .skip(1)
            .times(1),
    );
    let listing = rig.backend.list(&soon()).await.expect("it goes on");
    assert_eq!(listing.sessions.len(), SESSIONS);
    assert_eq!(rig.sim.counters().tokens_issued, 2);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    for flavour in [CitrixSimConfig::cloud, CitrixSimConfig::on_prem] {
        let rig = SimRig::start(flavour().token_lifetime(Duration::from_secs(1))).await;
        rig.backend.list(&soon()).await.expect("signed in");
        tokio::time::sleep(Duration::from_millis(600)).await;
        rig.backend.list(&soon()).await.expect("signed in again");
        assert_eq!(rig.sim.counters().tokens_issued, 2);
        assert_eq!(
            rig.sim.counters().turned_away,
            0,
            "no call went out with an old token"
        );
    }
}

#[tokio::test]
async fn a_short_outage_of_the_token_service_does_not_cost_a_living_token() {
    let rig = SimRig::start(CitrixSimConfig::cloud().token_lifetime(Duration::from_secs(2))).await;
    rig.backend.list(&soon()).await.expect("signed in");
    rig.fault(Operation::Token, status(503, FaultBody::Html));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    rig.backend
        .list(&soon())
        .await
        .expect("the old token still opens the door");
    assert_eq!(rig.sim.counters().tokens_issued, 1);
}

#[tokio::test]
async fn an_account_without_a_site_is_told_so() {
    for discovery in [Discovery::NoSites, Discovery::NoCustomers] {
        let mut config = CitrixSimConfig::cloud();
        config.discovery = discovery;
        let rig = SimRig::start(config.clone()).await;
        let error = rig.backend.list(&soon()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Denied);
        assert!(error.public.contains("set `site`"), "{error}");

        let line = format!("site = '{}'", config.site);
        let told = SimRig::with(config, &line).await;
        assert!(told.backend.list(&soon()).await.is_ok());
        assert_eq!(told.sim.counters().requests.get(&Operation::Me), None);
    }
}

#[tokio::test]
async fn a_frozen_site_is_woken_up_and_waited_for() {
    let rig = SimRig::cloud().await;
    rig.fault(Operation::Any, FaultAction::FrozenSite { tries: 0 });
    let listing = rig
        .backend
        .list(&ReadCtx::within(Duration::from_secs(8)))
        .await
        .expect("it wakes up");
    assert_eq!(listing.sessions.len(), SESSIONS);
    assert_eq!(rig.sim.counters().requests.get(&Operation::Activate), Some(&1));
}

#[tokio::test]
async fn a_site_that_stays_frozen_is_unavailable_and_acts_do_not_wait_for_it() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    rig.fault(Operation::Any, FaultAction::FrozenSite { tries: 99 });
    let began = tokio::time::Instant::now();
    let error = rig
        .backend
        .list(&ReadCtx::within(Duration::from_millis(1500)))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(error.public.contains("asleep"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(
        rig.act(&session, Verb::Logoff).await.unwrap_err().kind,
        Kind::Unavailable
    );
    assert_eq!(rig.sim.counters().requests.get(&Operation::Activate), Some(&1));
}

#[tokio::test]
async fn whoever_waits_for_a_frozen_site_holds_up_nobody_else() {
    let rig = SimRig::cloud().await;
    let (_, session) = rig.someone();
    rig.fault(Operation::Me, FaultAction::FrozenSite { tries: 99 });
    let patient = ReadCtx::within(Duration::from_secs(4));
    let listing = async {
        let result = rig.backend.list(&patient).await;
        (result, tokio::time::Instant::now())
    };
    let acting = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let result = rig.act(&session, Verb::Logoff).await;
        (result, tokio::time::Instant::now())
    };
    let ((listed, later), (acted, sooner)) = tokio::join!(listing, acting);
    assert_eq!(listed.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(acted.unwrap_err().kind, Kind::Unavailable);
    assert!(
        sooner + Duration::from_secs(1) < later,
        "the act waited for the listing"
    );
    assert_eq!(rig.sim.acts(), []);
}

#[tokio::test]
async fn check_says_who_reads_what() {
    let rig = SimRig::cloud().await;
    let health = rig.backend.check(&soon()).await.expect("healthy");
    let said: Vec<&str> = health
        .iter()
        .filter_map(|part| part.outcome.as_deref().ok())
        .collect();
    assert_eq!(
        said,
        ["sessions can be read as 4c5e6b1a-sim-client (sites: cloudxdsite)"]
    );
    rig.fault(Operation::List, FaultAction::Refuse);
    assert_eq!(rig.backend.check(&soon()).await.unwrap_err().kind, Kind::Denied);
}

type Seen = Arc<Mutex<Vec<String>>>;

/// A server that writes down what it is asked and answers every call as one site would.
async fn scribe() -> (String, Seen) {
    let seen = Seen::default();
    let router = Router::new().fallback(write_down).with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

async fn write_down(State(seen): State<Seen>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 16).await.unwrap_or_default();
    let mut headers: Vec<String> = parts
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            "host" => "host: [host]".to_owned(),
            "citrix-transactionid" => {
                let id: Result<Uuid, _> = value.to_str().unwrap_or_default().parse();
                format!("{name}: {}", if id.is_ok() { "[uuid]" } else { "no uuid" })
            }
            _ => format!("{name}: {}", value.to_str().unwrap_or("?")),
        })
        .collect();
    headers.sort();
    let asked = format!(
        "{} {}\n{}\n\n{}",
        parts.method,
        parts.uri,
        headers.join("\n"),
        String::from_utf8_lossy(&body)
    );
    seen.lock().expect("no panic").push(asked);
    let answer = match parts.uri.path() {
        path if path.ends_with("/tokens/clients") => r#"{"access_token":"t0ken","expires_in":"3600"}"#,
        path if path.ends_with("/Tokens") => r#"{"Token":"t0ken","ExpiresAt":"2999-01-01T00:00:00Z"}"#,
        path if path.ends_with("/me") => {
            r#"{"Customers":[{"Id":"other","Sites":[{"Id":"0"}]},{"Id":"ACME","Sites":[{"Id":"site-1"}]},
                {"Id":"citrixonpremises","Sites":[{"Id":"site-2","Name":"Plant"}]}]}"#
        }
        path if path.ends_with("/Sessions") => r#"{"Items":[]}"#,
        _ => "{}",
    };
    ([("content-type", "application/json")], answer).into_response()
}

async fn asked_by(lines: &str) -> String {
    install_provider();
    let (url, seen) = scribe().await;
    let text = format!(
        "kind = 'citrix'\nid = 'c'\nurl = '{url}/prefix/cvad/manage/'\nallow_loopback = true\n{lines}"
    );
    let config: BackendConfig = toml::from_str(&text).expect("the configuration reads");
    let backend = build(
        &config,
        &Deps {
            clock: Arc::new(SystemClock),
        },
    )
    .expect("it builds");
    backend.list(&soon()).await.expect("a listing");
    let id =
        super::super::map::session_id(backend.id(), "41ba32e9-d12b-485c-afd2-c4d0d047cd8b").expect("an id");
    for verb in [
        Verb::Logoff,
        Verb::Message {
            title: "T".to_owned(),
            text: "x".to_owned(),
        },
    ] {
        let not_after = SystemClock.now() + TimeDelta::seconds(15);
        let _ = backend
            .start(Recorded::for_test(SessionAction {
                session: id.clone(),
                verb,
                not_after,
            }))
            .await;
    }
    seen.lock().expect("no panic").join("\n---\n")
}

#[tokio::test]
async fn a_cloud_site_is_asked_as_the_vendor_documents_it() {
    let asked =
        asked_by("flavour = 'cloud'\ncustomer = 'acme'\nclient_id = 'id'\nclient_secret = 's+/=='").await;
    insta::assert_snapshot!(asked);
}

#[tokio::test]
async fn an_on_prem_site_is_asked_as_the_vendor_documents_it() {
    let asked =
        asked_by("flavour = 'on-prem'\nusername = 'CORP\\ctx'\npassword = 'pä:ss'\npage_size = 250").await;
    insta::assert_snapshot!(asked);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for config in [
        CitrixSimConfig::cloud(),
        CitrixSimConfig::on_prem().with(Variant::LocationForeign),
    ] {
        let rig = SimRig::start(config).await;
        let (_, session) = rig.someone();
        rig.backend.list(&soon()).await.expect("a listing");
        rig.sim.revoke_tokens();
        rig.act(&session, Verb::Logoff).await.expect("it starts");
        rig.stranger().list(&soon()).await.expect_err("a stranger");
        let text = String::from_utf8_lossy(&log.0.lock().expect("no panic")).into_owned();
        assert!(text.contains("backend_request"), "the test sees the log");
        for secret in rig.secrets() {
            assert!(!text.contains(&secret), "the log tells `{secret}`");
        }
        let people = rig.sim.sessions().into_iter().filter_map(|session| session.user);
        for account in people.chain(["CORP\\someone".to_owned()]) {
            assert!(!text.contains(&account), "the log tells the user `{account}`");
        }
    }
    let text = String::from_utf8_lossy(&log.0.lock().expect("no panic")).into_owned();
    assert!(text.contains("named another host for a job"), "{text}");
}
