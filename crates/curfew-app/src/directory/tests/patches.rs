//! What acts show is in the directory at once, and no older reading undoes it.

use super::*;

fn disconnected() -> Session {
    Session {
        state: SessionState::Disconnected,
        ..anna()
    }
}

impl Fixture {
    fn state(&self) -> Option<SessionState> {
        self.directory.row(&anna().id).map(|row| row.session.state)
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_seen_gone_is_gone_at_once() {
    let fixture = Fixture::read().await;
    fixture.directory.saw(&anna().id, None);
    let page = fixture.page(&everything()).await;
    assert_eq!((users(&page), page.total), (vec!["bert".to_owned()], Some(1)));
    assert_eq!(fixture.reading("site-a").session_count, 0);
    let who = Authorized::ask(&BuiltInRoles, &fixture.viewer).expect("may see sessions");
    assert!(fixture.directory.session(&who, &anna().id).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_started_before_cannot_bring_a_session_back() {
    let fixture = Fixture::read().await;
    fixture.site.plan(Call::List, 1, Trouble::Hang);
    later(16).await;
    // The listing is under way, and has seen Anna.
    fixture.site.remove(&anna().id);
    fixture.directory.saw(&anna().id, None);
    fixture.site.release();
    later(1).await;
    assert_eq!(fixture.site.calls(Call::List), 2);
    assert_eq!(fixture.users().await, ["bert"]);
    later(15).await;
    assert_eq!(fixture.site.calls(Call::List), 3);
    assert_eq!(fixture.users().await, ["bert"]);
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_started_before_cannot_undo_a_disconnect() {
    let fixture = Fixture::read().await;
    fixture.site.plan(Call::List, 1, Trouble::Hang);
    later(16).await;
    fixture.directory.saw(&anna().id, Some(&disconnected()));
    fixture.site.release();
    later(1).await;
    assert_eq!(fixture.state(), Some(SessionState::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_starts_later_decides() {
    let fixture = Fixture::read().await;
    fixture.directory.saw(&anna().id, Some(&disconnected()));
    assert_eq!(fixture.state(), Some(SessionState::Disconnected));
    // Anna is back before the next reading.
    later(16).await;
    assert_eq!(fixture.state(), Some(SessionState::Active));
    fixture.directory.saw(&anna().id, None);
    later(16).await;
    assert_eq!(fixture.state(), Some(SessionState::Active));
}

#[tokio::test(start_paused = true)]
async fn a_failed_reading_undoes_nothing() {
    let fixture = Fixture::read().await;
    fixture.directory.saw(&anna().id, None);
    fixture.site.plan(Call::List, 1, Trouble::Fail(Kind::Unavailable));
    later(16).await;
    assert_eq!(fixture.users().await, ["bert"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_part_does_not_bring_back_what_has_gone() {
    let fixture = Fixture::read().await;
    fixture.directory.saw(&anna().id, None);
    fixture.site.fail_part("site", Kind::Unavailable);
    later(16).await;
    assert_eq!(fixture.status("site-a"), ReadingStatus::Partial);
    assert_eq!(fixture.users().await, ["bert"]);
}

#[tokio::test(start_paused = true)]
async fn the_facts_of_what_has_gone_are_known_for_ten_minutes() {
    let fixture = Fixture::read().await;
    let known = || {
        fixture
            .directory
            .recall(&anna().id)
            .and_then(|target| target.facts)
    };
    fixture.site.remove(&anna().id);
    fixture.directory.saw(&anna().id, None);
    assert_eq!(known().map(|facts| facts.user.name), Some("anna".to_owned()));
    later(590).await;
    assert!(known().is_some());
    later(30).await;
    assert!(known().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_a_live_read_shows_is_listed_before_the_next_reading() {
    let fixture = Fixture::read().await;
    let carl = session("site-a", "13", "carl", 1);
    fixture.directory.saw(&carl.id, Some(&carl));
    let page = fixture.page(&everything()).await;
    assert_eq!(
        (users(&page), page.total),
        (vec!["anna".into(), "bert".into(), "carl".into()], Some(3))
    );
}

#[tokio::test(start_paused = true)]
async fn another_generation_is_another_session() {
    let fixture = Fixture::read().await;
    fixture.site.put(crate::testing::successor());
    later(16).await;
    let who = Authorized::ask(&BuiltInRoles, &fixture.viewer).expect("may see sessions");
    assert!(fixture.directory.session(&who, &anna().id).await.is_none());
    let found = fixture
        .directory
        .session(&who, &crate::testing::successor().id)
        .await;
    assert_eq!(
        found.map(|row| row.session.user.name.clone()),
        Some("bert".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn many_changes_are_folded_and_stay_right() {
    let fixture = Fixture::new();
    let user = |n: usize| session("site-a", &format!("N{n:04}"), &format!("user{n:04}"), 1);
    (0..1_200).for_each(|n| fixture.site.put(user(n)));
    fixture.start();
    fixture.users().await;
    // More than are kept as patches.
    (0..1_200)
        .filter(|n| n % 2 == 0)
        .for_each(|n| fixture.directory.saw(&user(n).id, None));
    let query = ListQuery {
        page: PageSpec::First(1_000, None),
        ..everything()
    };
    let page = fixture.page(&query).await;
    assert_eq!(page.total, Some(602));
    assert_eq!(page.rows.len(), 602);
    assert!(page.rows.iter().all(|row| row.session.id != user(0).id));
    assert!(
        fixture.directory.recall(&user(0).id).is_some(),
        "their facts are kept"
    );
}
