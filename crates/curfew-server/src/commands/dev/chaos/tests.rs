//! The control listener and the command that asks it, with switches that only remember.
//!
//! Invariant: the listener is a real one, on a free port.

use std::net::Ipv4Addr;

use super::*;
use crate::http::{Bound, Running};

type Log = Arc<Mutex<Vec<(&'static str, Option<Chaos>)>>>;

fn listening() -> (Running, Log) {
    crate::cli::install_tls_provider();
    let log = Log::default();
    let switch = |name: &'static str| -> (&'static str, Switch) {
        let log = Arc::clone(&log);
        (name, Box::new(move |chaos| log.lock().push((name, chaos))))
    };
    let board = Switchboard::new([switch("rds-demo"), switch("citrix-demo")]);
    let bound = Bound::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), "--control").expect("a port");
    let running = bound.serve(router(Arc::new(board)), None).expect("serving");
    (running, log)
}

fn args(control: SocketAddr, backend: Option<&str>, chaos: Option<&str>) -> ChaosArgs {
    ChaosArgs {
        backend: backend.map(str::to_owned),
        chaos: chaos.map(str::to_owned),
        control,
    }
}

async fn get(control: SocketAddr) -> Value {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("a client");
    let answer = client.get(format!("http://{control}/chaos")).send().await;
    answer.expect("an answer").json().await.expect("JSON")
}

#[tokio::test]
async fn a_switch_is_set_listed_and_taken_back() {
    let (running, log) = listening();
    let control = running.address();
    ask(args(control, Some("rds-demo"), Some("hang")))
        .await
        .expect("switched");
    assert_eq!(
        get(control).await,
        json!([{ "backend": "citrix-demo", "chaos": null }, { "backend": "rds-demo", "chaos": "hang" }])
    );
    ask(args(control, Some("rds-demo"), Some("off")))
        .await
        .expect("switched back");
    ask(args(control, None, None)).await.expect("listed");
    assert_eq!(*log.lock(), [("rds-demo", Some(Chaos::Hang)), ("rds-demo", None)]);
    running.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn what_does_not_exist_is_answered_with_what_does() {
    let (running, log) = listening();
    let control = running.address();
    let failure = ask(args(control, Some("rds"), Some("slow")))
        .await
        .expect_err("no such backend");
    assert!(matches!(failure, Failure::Usage(_)), "{failure:?}");
    assert_eq!(
        failure.text().as_deref(),
        Some("there is no backend `rds`: citrix-demo and rds-demo are (NOT_FOUND)")
    );

    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("a client");
    let post = |body: Value| {
        client
            .post(format!("http://{control}/chaos/rds-demo"))
            .json(&body)
            .send()
    };
    let answer = post(json!({ "chaos": "fast" })).await.expect("an answer");
    assert_eq!(answer.status(), 400);
    let said: Refused = answer.json().await.expect("JSON");
    assert_eq!(said.code, "BAD_USER_INPUT");
    assert_eq!(
        said.message,
        "there is no chaos `fast`: slow, hang, flap and ghost are"
    );
    let unasked = client.post(format!("http://{control}/chaos/rds-demo")).body("{}");
    let answer = unasked.send().await.expect("an answer");
    assert_eq!(answer.status(), 415, "not what a web page can post unasked");
    assert!(log.lock().is_empty(), "nothing was switched");
    running.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_dev_that_does_not_run_is_said() {
    crate::cli::install_tls_provider();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let control = free.local_addr().expect("an address");
    drop(free);
    let failure = ask(args(control, None, None)).await.expect_err("nobody is there");
    assert!(matches!(failure, Failure::Start(_)), "{failure:?}");
    let text = failure.text().unwrap_or_default();
    assert!(
        text.starts_with(&format!("no `curfew dev` answers on {control}")),
        "{text}"
    );
}
