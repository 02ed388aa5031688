//! A gateway that dies at every step of an act, and another that goes on with what it left.

use super::*;

/// What happens to the session after the crash, before anybody looks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    /// Its user logs off.
    Gone,
    /// Its user logs off, and somebody else is given the number.
    Replaced,
}

#[derive(Debug, Clone)]
struct Scenario {
    verb: Verb,
    trouble: Option<Trouble>,
    meanwhile: Meanwhile,
}

/// Kills the gateway at step `n`; `false` if the act ended before that.
async fn crash(scenario: &Scenario, n: usize, dies: Dies) -> bool {
    let house = House::new();
    if let Some(trouble) = &scenario.trouble {
        house.site.plan(Call::Start, 1, trouble.clone());
    }
    let fate = Fate::at(n, dies);
    let dying = house.mortal(&fate);
    ask(&house, &dying, act(scenario.verb.clone(), &anna().id)).await;
    if !fate.is_dead() {
        return false;
    }
    match scenario.meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Gone => house.site.remove(&anna().id),
        Meanwhile::Replaced => house.site.put(successor()),
    }
    let another = house.another();
    another.start();
    later(AGES).await;
    let trail = house.trail().join(", ");
    let context = format!("{scenario:?}, step {n}, {dies:?}: {trail}");
    another.stop(Duration::ZERO).await;
    check_invariants(&house.store, &house.site);
    if scenario.meanwhile == Meanwhile::Replaced {
        let held = house.site.at(&anna().id).expect("the successor");
        assert_eq!(
            (held.id, held.state),
            (successor().id, SessionState::Active),
            "{context}"
        );
    }
    if house.store.operations().is_empty() {
        assert_eq!(house.site.acts(), [], "{context}");
        return true;
    }
    let end = stands(&house.only());
    let performed = house.site.performed();
    match (&scenario.verb, scenario.meanwhile) {
        (Verb::Message { .. }, _) => {
            let known = end.starts_with("SUCCEEDED") && performed == 1;
            assert!(known || end == "UNKNOWN UNKNOWN ANSWER_LOST", "{context}");
        }
        // Either the first attempt got through, or the second did.
        (_, Meanwhile::Nothing) => {
            assert!(end.starts_with("SUCCEEDED"), "{context}");
            assert_eq!(performed, 1, "{context}");
        }
        (_, Meanwhile::Gone) => assert!(end.starts_with("SUCCEEDED"), "{context}"),
        (_, Meanwhile::Replaced) => {
            assert!(
                end.starts_with("SUPERSEDED") || end.starts_with("SUCCEEDED"),
                "{context}"
            );
        }
    }
    true
}

async fn everywhere(verb: Verb, trouble: Option<Trouble>) {
    for meanwhile in [Meanwhile::Nothing, Meanwhile::Gone, Meanwhile::Replaced] {
        let scenario = Scenario {
            verb: verb.clone(),
            trouble: trouble.clone(),
            meanwhile,
        };
        for dies in [Dies::Before, Dies::After] {
            let mut n = 1;
            while crash(&scenario, n, dies).await {
                n += 1;
            }
            assert!(n > 4, "an act has more steps than {n}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_off_survives_a_crash_at_every_step() {
    everywhere(Verb::Logoff, None).await;
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_survives_a_crash_at_every_step() {
    everywhere(Verb::Disconnect, None).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_survives_a_crash_at_every_step() {
    everywhere(message(), None).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_survives_a_crash_at_every_step() {
    everywhere(Verb::Logoff, Some(job(3, JobEnd::Complete))).await;
}

#[tokio::test(start_paused = true)]
async fn an_act_whose_answer_was_lost_survives_a_crash_at_every_step() {
    everywhere(Verb::Logoff, Some(Trouble::AnswerLost)).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_takes_over_may_die_as_well() {
    for n in 1..40 {
        for dies in [Dies::Before, Dies::After] {
            let house = House::new();
            ask_for(1, &house, &house.mortal(&Fate::at(2, Dies::After)), logoff()).await;
            let second = house.mortal(&Fate::at(n, dies));
            second.start();
            later(30).await;
            let third = house.another();
            third.start();
            later(AGES).await;
            second.stop(Duration::ZERO).await;
            third.stop(Duration::ZERO).await;
            check_invariants(&house.store, &house.site);
            assert_eq!(
                house.site.performed(),
                1,
                "step {n}, {dies:?}: {:?}",
                house.trail()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn killed_between_intent_and_act_it_is_sent_once_in_all() {
    let house = House::new();
    ask(&house, &house.mortal(&Fate::at(4, Dies::Before)), logoff()).await;
    assert_eq!(house.trail(), ["INTENT", "ATTEMPT 1"]);
    house.app.start();
    later(20).await;
    let wanted = [
        "INTENT",
        "ATTEMPT 1",
        "ATTEMPT 2",
        "OUTCOME 2 SUCCEEDED YES RUNNER",
    ];
    assert_eq!(house.trail(), wanted);
    assert_eq!(house.site.acts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn killed_between_act_and_answer_it_is_not_sent_again() {
    let house = House::new();
    ask(&house, &house.mortal(&Fate::at(4, Dies::After)), logoff()).await;
    assert_eq!(house.site.performed(), 1);
    house.app.start();
    later(20).await;
    assert_eq!(
        house.trail(),
        ["INTENT", "ATTEMPT 1", "OUTCOME 1 SUCCEEDED UNKNOWN RUNNER"]
    );
    assert_eq!(house.site.acts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn killed_between_act_and_answer_a_later_logon_lives() {
    let house = House::new();
    ask(&house, &house.mortal(&Fate::at(4, Dies::After)), logoff()).await;
    house.site.put(successor());
    house.app.start();
    later(20).await;
    assert_eq!(
        house.trail(),
        ["INTENT", "ATTEMPT 1", "OUTCOME 1 SUPERSEDED UNKNOWN RUNNER"]
    );
    assert!(house.site.holds(&successor().id));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_drove_for_long_is_read_and_never_sent() {
    let house = House::new();
    ask(&house, &house.mortal(&Fate::at(4, Dies::Before)), logoff()).await;
    later(300).await;
    house.app.start();
    later(AGES).await;
    assert_eq!(
        house.trail(),
        [
            "INTENT",
            "ATTEMPT 1",
            "OUTCOME 1 UNKNOWN UNKNOWN RUNNER STILL_PRESENT"
        ]
    );
    assert_eq!(house.site.acts().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_disconnected_user_who_came_back_is_left_alone() {
    let house = House::new();
    let disconnect = act(Verb::Disconnect, &anna().id);
    ask(&house, &house.mortal(&Fate::at(4, Dies::After)), disconnect).await;
    assert_eq!(house.site.performed(), 1);
    house.site.put(Session {
        state_changed_at: Some(house.clock.now()),
        ..anna()
    });
    house.app.start();
    later(AGES).await;
    assert_eq!(house.site.acts().len(), 1, "{:?}", house.trail());
    assert_eq!(
        house.trail(),
        [
            "INTENT",
            "ATTEMPT 1",
            "OUTCOME 1 UNKNOWN UNKNOWN RUNNER STILL_PRESENT"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn three_attempts_are_the_most() {
    let house = House::new();
    // Every gateway dies when it is about to send.
    ask(&house, &house.mortal(&Fate::at(4, Dies::Before)), logoff()).await;
    house.site.plan(Call::Start, 9, Trouble::Hang);
    for _ in 0..6 {
        let fate = Fate::at(usize::MAX, Dies::Before);
        house.mortal(&fate).start();
        // Before it gives the answer up.
        later(5).await;
        fate.kill();
        later(15).await;
    }
    house.app.start();
    later(AGES).await;
    let attempts = house
        .trail()
        .iter()
        .filter(|line| line.starts_with("ATTEMPT"))
        .count();
    assert_eq!(attempts, 3, "{:?}", house.trail());
    assert_eq!(
        house.trail().last().map(String::as_str),
        Some("OUTCOME 3 UNKNOWN UNKNOWN RUNNER STILL_PRESENT")
    );
    check_invariants(&house.store, &house.site);
}
