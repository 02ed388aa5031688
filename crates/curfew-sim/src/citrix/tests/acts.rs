//! Disconnect, log off, message, jobs.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Desk, job_path};
use crate::citrix::{CitrixSimConfig, Fault, FaultAction, Operation, SessionState, Variant, Verb};

#[tokio::test]
async fn a_disconnect_changes_the_state_once() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let (id, path) = (desk.first(), format!("Sessions/{}/$disconnect", desk.first()));
    let answer: Value = desk.post(&path).await.json().await.expect("JSON");
    assert_eq!(
        (&answer["Id"], &answer["State"]),
        (&json!(id), &json!("Disconnected"))
    );
    let first = desk.sim.session(id).expect("it is still there");
    assert_eq!(first.state, SessionState::Disconnected);
    assert_eq!(desk.post(&path).await.status(), 200);
    assert_eq!(
        desk.sim.session(id).expect("still there").state_changed,
        first.state_changed
    );

    let acts = desk.sim.acts();
    assert_eq!(
        (acts.len(), acts[0].verb, acts[0].performed),
        (2, Verb::Disconnect, true)
    );
    assert_eq!(acts[0].answer, Some(200));
    assert_eq!(acts[0].principal.as_ref(), Some(&desk.sim.config().client_id));

    let desk = Desk::open(CitrixSimConfig::cloud().with(Variant::DisconnectItems)).await;
    let path = format!("Sessions/{}/%24disconnect", desk.first());
    let answer: Value = desk.post(&path).await.json().await.expect("JSON");
    assert_eq!(
        (&answer["Items"][0]["State"], &answer["TotalItems"]),
        (&json!("Disconnected"), &json!(1))
    );
}

#[tokio::test]
async fn an_asynchronous_logoff_is_a_job() {
    let desk = Desk::open(CitrixSimConfig::cloud().logoff_takes(Duration::from_secs(600))).await;
    let answer = desk
        .post(&format!("Sessions/{}/$logoff?async=true", desk.first()))
        .await;
    assert_eq!(answer.status(), 202);
    assert!(
        desk.sim
            .session(desk.first())
            .is_some_and(|session| session.logoff_in_progress)
    );
    let job = desk.json(&job_path(&answer)).await;
    assert_eq!(
        (&job["Type"], &job["Status"]),
        (&json!("LogoffSessions"), &json!("NotStarted"))
    );
    assert_eq!(
        job["Parameters"][0],
        json!({ "Name": "Id", "Value": desk.first() })
    );
    assert!(job["FormattedCreationTime"].is_string() && job["EndTime"].is_null());

    let desk = Desk::open(CitrixSimConfig::cloud().logoff_takes(Duration::ZERO)).await;
    let id = desk.first();
    let answer = desk.post(&format!("Sessions/{id}/$logoff?async=true")).await;
    let job = desk.json(&job_path(&answer)).await;
    assert_eq!(
        (&job["Status"], &job["OverallProgressPercent"]),
        (&json!("Complete"), &json!(100))
    );
    assert_eq!(desk.status(&format!("Sessions/{id}")).await, 404);
}

#[tokio::test]
async fn a_synchronous_logoff_answers_when_the_session_has_ended() {
    let desk = Desk::open(CitrixSimConfig::on_prem().logoff_takes(Duration::from_millis(30))).await;
    let id = desk.first();
    assert_eq!(desk.post(&format!("Sessions/{id}/$logoff")).await.status(), 204);
    assert!(desk.sim.session(id).is_none());
}

#[tokio::test]
async fn a_logoff_answers_in_every_form() {
    let check = async |variant: Variant, status: u16, location: &str| {
        let desk = Desk::open(CitrixSimConfig::cloud().with(variant)).await;
        let answer = desk
            .post(&format!("Sessions/{}/$logoff?async=true", desk.first()))
            .await;
        assert_eq!(answer.status(), status, "{variant:?}");
        let found = answer
            .headers()
            .get("location")
            .and_then(|value| value.to_str().ok());
        assert!(
            found.unwrap_or_default().starts_with(location),
            "{variant:?}: {found:?}"
        );
    };
    check(Variant::Logoff200, 200, "http://127.0.0.1:").await;
    check(Variant::Logoff204, 204, "").await;
    check(
        Variant::LocationForeign,
        202,
        "https://foreign.example/cvad/manage/Jobs/",
    )
    .await;
    check(Variant::LocationRelative, 202, "/cvad/manage/Jobs/").await;
    let desk = Desk::open(CitrixSimConfig::cloud().with(Variant::LocationOrchestration)).await;
    let answer = desk
        .post(&format!("Sessions/{}/$logoff?async=true", desk.first()))
        .await;
    let location = answer.headers()["location"].to_str().expect("ASCII").to_owned();
    let answer = desk
        .http
        .get(location)
        .header("Authorization", format!("CWSAuth bearer={}", desk.token));
    assert_eq!(answer.send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_job_is_seen_by_its_starter_alone() {
    let mut config = CitrixSimConfig::cloud();
    config
        .other_principals
        .push(("other".to_owned(), "secret".to_owned()));
    let mut desk = Desk::open(config).await;
    let answer = desk
        .post(&format!("Sessions/{}/$logoff?async=true", desk.first()))
        .await;
    let path = job_path(&answer);
    assert_eq!(desk.status(&path).await, 200);
    desk.token = desk.sign_in("other", "secret").await.1;
    assert_eq!(desk.status(&path).await, 404);
}

#[tokio::test]
async fn jobs_end_as_they_are_told() {
    let config = CitrixSimConfig::cloud().logoff_takes(Duration::ZERO);
    let desk = Desk::open(config).await;
    let id = desk.first();
    let run = async |then: FaultAction| {
        desk.sim.add_fault(Fault::on(Operation::Logoff, then).times(1));
        let answer = desk.post(&format!("Sessions/{id}/$logoff?async=true")).await;
        desk.get(&job_path(&answer)).await
    };
    let failed: Value = run(FaultAction::JobFails {
        code: "MachineNotRegistered".to_owned(),
    })
    .await
    .json()
    .await
    .expect("JSON");
    assert_eq!(
        (&failed["Status"], &failed["ErrorCode"]),
        (&json!("Failed"), &json!("MachineNotRegistered"))
    );
    assert!(
        failed["ErrorParameters"][0]["Value"]
            .as_str()
            .is_some_and(|text| text.contains("ErrorMessage :"))
    );
    assert!(
        desk.sim
            .session(id)
            .is_some_and(|session| !session.logoff_in_progress)
    );

    let ignored: Value = run(FaultAction::AcceptButIgnore)
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(ignored["Status"], "Complete");
    assert!(desk.sim.session(id).is_some());

    let stuck: Value = run(FaultAction::JobNeverEnds).await.json().await.expect("JSON");
    assert_eq!(stuck["Status"], "InProgress");

    assert_eq!(run(FaultAction::JobVanishes).await.status(), 404);
    assert!(desk.sim.session(id).is_none());
    let performed: Vec<bool> = desk.sim.acts().iter().map(|act| act.performed).collect();
    assert_eq!(performed, [true, false, true, true]);
}

#[tokio::test]
async fn a_message_is_checked_and_kept() {
    let desk = Desk::open(CitrixSimConfig::cloud()).await;
    let send = async |body: Value| {
        let path = format!("Sessions/{}/$sendMessage", desk.first());
        desk.request(Method::POST, &path)
            .json(&body)
            .send()
            .await
            .expect("an answer")
            .status()
    };
    assert_eq!(
        send(json!({ "Style": "Loud", "Title": "a", "Text": "b" })).await,
        400
    );
    assert_eq!(send(json!({ "Style": "Information", "Text": "b" })).await, 400);
    assert_eq!(
        send(json!({ "Style": "Information", "Title": "Save", "Text": "Going down" })).await,
        200
    );
    let acts = desk.sim.acts();
    assert_eq!(
        acts.iter().map(|act| act.performed).collect::<Vec<_>>(),
        [false, false, true]
    );
    assert_eq!(
        acts[2].message.as_ref().map(|message| message.text.as_str()),
        Some("Going down")
    );
}
