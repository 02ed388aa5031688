//! The host's own log of acts. Invariant: an act that cannot be written down is not done.

use std::time::Duration;

use curfew_agent::platform::FakeCall;
use curfew_agent::{ActLog, Verb};
use curfew_agent_api::ProblemCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::{Stage, stage_with, until};

async fn logged() -> (Stage, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let log = ActLog::at(folder.path().join("acts.jsonl"));
    let stage = stage_with(|settings| settings.act_log = Some(log)).await;
    (stage, folder)
}

fn lines(folder: &TempDir) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.path().join("acts.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

#[tokio::test]
async fn an_act_has_a_line_before_it_and_one_after() {
    let (stage, folder) = logged().await;
    let number = stage.fake.log_on("CORP\\alice");
    let mut request = stage.request(number).await;
    request["ticket"] = json!("CHG-7");
    let held = stage.fake.hold(FakeCall::Logoff);
    tokio::join!(stage.act(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        let before = lines(&folder);
        assert_eq!(before.len(), 1);
        assert_eq!(before[0]["event"], "asked");
        drop(held);
    });
    let lines = lines(&folder);
    assert_eq!(lines.len(), 2);
    for line in &lines {
        assert_eq!(line["host"], "TERM04");
        assert_eq!(line["verb"], "logoff");
        assert_eq!(line["number"], number);
        assert_eq!(line["generation"], request["generation"]);
        assert_eq!(line["operation"], request["operation"]);
        assert_eq!(line["attempt"], 1);
        assert_eq!(line["onBehalf"], request["onBehalf"]);
        assert_eq!(line["reason"], "patching tonight");
        assert_eq!(line["ticket"], "CHG-7");
        assert_eq!(line["session"]["user"], "alice");
        assert_eq!(line["session"]["domain"], "CORP");
    }
    assert_eq!(
        (&lines[0]["result"], &lines[0]["problem"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(lines[1]["event"], "ended");
    assert_eq!(lines[1]["result"], "DONE");
}

#[tokio::test]
async fn a_refusal_and_a_failure_are_written_down_with_their_reason() {
    let (stage, folder) = logged().await;
    let number = stage.fake.log_on("CORP\\alice");
    let stale = stage.request_for("9c1e52aa7b0d4f13");
    stage.refused(number, Verb::Logoff, &stale).await;
    stage.fake.fail(FakeCall::Disconnect, 5);
    stage
        .refused(number, Verb::Disconnect, &stage.request(number).await)
        .await;
    let lines = lines(&folder);
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[1]["problem"]["code"], "SESSION_REPLACED");
    assert_eq!(lines[3]["problem"]["code"], "ACCESS_DENIED");
    assert_eq!(lines[3]["problem"]["win32"], 5);
}

#[tokio::test]
async fn a_repetition_is_no_second_act_in_the_log() {
    let (stage, folder) = logged().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    stage.act(number, Verb::Logoff, &request).await;
    stage.act(number, Verb::Logoff, &request).await;
    assert_eq!(lines(&folder).len(), 2);
}

#[tokio::test]
async fn without_a_log_nothing_is_done() {
    let (stage, folder) = logged().await;
    let number = stage.fake.log_on("CORP\\alice");
    // A folder stands where the file should be.
    let path = folder.path().join("acts.jsonl");
    std::fs::create_dir(&path).expect("a folder");
    let request = stage.request(number).await;
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::ActLogFailed);
    assert!(found.code.nothing_was_done());
    assert_eq!(stage.fake.calls(FakeCall::Logoff), 0);
    assert_eq!(stage.list().await.sessions.len(), 1, "readings need no log");
    std::fs::remove_dir(&path).expect("it is empty");
    stage
        .act(number, Verb::Logoff, &stage.request(number).await)
        .await;
    assert_eq!(lines(&folder).len(), 2, "the log is back, and so are acts");
}

#[tokio::test]
async fn a_log_that_is_moved_away_begins_anew() {
    let (stage, folder) = logged().await;
    for user in ["CORP\\alice", "CORP\\bob"] {
        let number = stage.fake.log_on(user);
        stage
            .act(number, Verb::Logoff, &stage.request(number).await)
            .await;
        assert_eq!(lines(&folder).len(), 2);
        std::fs::rename(folder.path().join("acts.jsonl"), folder.path().join(&user[5..]))
            .expect("it is moved");
    }
}

#[tokio::test]
async fn a_line_feed_in_a_reason_begins_no_line() {
    let (stage, folder) = logged().await;
    let number = stage.fake.log_on("CORP\\alice");
    let mut request = stage.request(number).await;
    request["reason"] = json!("patching\n{\"event\":\"ended\"}");
    stage.act(number, Verb::Logoff, &request).await;
    let lines = lines(&folder);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["reason"], request["reason"]);
}

#[tokio::test]
async fn what_came_of_a_call_that_was_given_up_is_written_down_when_it_comes_back() {
    let (stage, folder) = logged().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    let (found, ()) = tokio::join!(stage.refused(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
    });
    assert_eq!(found.code, ProblemCode::HostFailed);
    tokio::time::resume();
    assert_eq!(lines(&folder).len(), 2);
    drop(held);
    assert!(stage.agent.finish(Duration::from_secs(20)).await);
    let lines = lines(&folder);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["problem"]["code"], "HOST_FAILED");
    assert_eq!(
        (&lines[2]["event"], &lines[2]["result"]),
        (&json!("late"), &json!("ACCEPTED"))
    );
    assert_eq!(lines[2]["operation"], request["operation"]);
}

/// A log on which a line hangs until somebody reads.
#[cfg(unix)]
async fn hanging() -> (Stage, TempDir, std::path::PathBuf) {
    let (stage, folder) = logged().await;
    let path = folder.path().join("acts.jsonl");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo runs").success());
    (stage, folder, path)
}

#[cfg(unix)]
#[tokio::test]
async fn an_act_whose_line_hangs_is_not_done_also_when_the_line_gets_there() {
    let (stage, _folder, path) = hanging().await;
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let found = stage.refused(number, Verb::Logoff, &request).await;
    assert_eq!(found.code, ProblemCode::ActLogFailed);
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        // A pipe ends when nobody writes any more, which may be between two lines.
        while text.lines().count() < 2 {
            text += &std::fs::read_to_string(&path).expect("what was written");
        }
        text
    });
    assert!(stage.agent.finish(Duration::from_secs(20)).await);
    let text = reading.await.expect("the lines");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        (&lines[0]["event"], &lines[1]["event"]),
        (&json!("asked"), &json!("ended"))
    );
    assert_eq!(lines[1]["problem"]["code"], "ACT_LOG_FAILED");
    assert_eq!(stage.fake.calls(FakeCall::Logoff), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn an_act_is_answered_though_its_last_line_hangs() {
    let (stage, folder) = logged().await;
    let path = folder.path().join("acts.jsonl");
    let number = stage.fake.log_on("CORP\\alice");
    let request = stage.request(number).await;
    let held = stage.fake.hold(FakeCall::Logoff);
    let (answer, ()) = tokio::join!(stage.act(number, Verb::Logoff, &request), async {
        until("the call", || stage.fake.calls(FakeCall::Logoff) == 1).await;
        std::fs::remove_file(&path).expect("the first line is there");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        drop(held);
    });
    assert_eq!(answer.result, curfew_agent_api::ActResult::Done);
    assert!(
        !stage.agent.finish(Duration::ZERO).await,
        "the line is waited for at the end"
    );
    let reading = tokio::task::spawn_blocking(move || std::fs::read_to_string(&path));
    assert!(stage.agent.finish(Duration::from_secs(20)).await);
    let text = reading.await.expect("the line").expect("it reads");
    let line: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(line["event"], "ended");
}
