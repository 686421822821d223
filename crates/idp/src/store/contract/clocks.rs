//! The store's clock: all times that the store assigns and compares are by it.

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture, ManualClock};
use crate::model::Timestamp;
use crate::store::{JobState, Outcome};

const HOUR: Duration = Duration::from_secs(3600);

pub async fn store_reads_the_clock_that_it_was_given(db: Fixture<impl Backend>) {
    let store = db.users().await;
    assert_eq!(store.now(), ManualClock::START);
    db.clock.advance(HOUR);
    assert_eq!(store.now(), ManualClock::START.after(HOUR));
    for time in [Timestamp::from_unix_millis(1), ManualClock::START] {
        db.clock.set(time);
        assert_eq!((store.now(), db.namespace("away").await.now()), (time, time));
    }
}

pub async fn all_assigned_times_are_by_the_clock(db: Fixture<impl Backend>) {
    let store = db.users().await;
    // Far from the system's time, to both sides.
    for (index, time) in [1_000_000_000_000, 3_000_000_000_000].map(Timestamp::from_unix_millis).into_iter().enumerate()
    {
        db.clock.set(time);
        let ana = publish(&store, &format!("ana{index}")).await;
        assert_eq!(ana.created_at, Some(time));
        import(&store, vec![user(format!("bo{index}"))], true).await;
        assert_eq!(by_name(&store, &format!("bo{index}")).await.unwrap().created_at, Some(time));
        let newest: Vec<_> = events(&store).await.into_iter().skip(index * 2).map(|event| event.time).collect();
        assert_eq!(newest, [time; 2]);
        let queued = enqueue(&store, &ana.id, "mail").await;
        assert_eq!((queued.queued_at, queued.due_at, queued.finished_at), (time, time, None));
        let delivery = claim_mail(&store).await;
        assert_eq!((delivery.job.queued_at, delivery.job.due_at), (time, time.after(LEASE)));
        db.clock.advance(HOUR);
        assert!(settle(&store, &delivery, Outcome::Done { keep: true }).await);
        let done = job(&store, queued.id).await.unwrap();
        assert_eq!((done.state, done.finished_at), (JobState::Done, Some(time.after(HOUR))));
    }
}

pub async fn ids_sort_in_creation_order_when_the_clock_is_set_back(db: Fixture<impl Backend>) {
    let store = db.users().await;
    insert(&store, "first").await;
    db.clock.set_back(HOUR);
    let second = insert(&store, "second").await;
    assert_eq!(second.created_at, Some(store.now()));
    import(&store, ["third", "fourth"].map(user).into(), false).await;
    db.clock.set_back(HOUR);
    insert(&store, "fifth").await;
    assert_eq!(names(&everyone(&store).await), ["first", "second", "third", "fourth", "fifth"]);
}

pub async fn ids_are_not_given_again_when_the_clock_is_set_back(db: Fixture<impl Backend>) {
    let store = db.users().await;
    insert(&store, "first").await;
    db.clock.set_back(HOUR);
    let second = insert(&store, "second").await;
    delete(&store, &second.id).await.unwrap();
    let third = insert(&store, "third").await;
    assert!(third.id > second.id, "second, now deleted: {}, third: {}", second.id, third.id);
}

pub async fn event_ids_sort_in_commit_order_when_the_clock_is_set_back(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let mut users = Vec::new();
    for name in ["ana", "bo", "cy"] {
        users.push(publish(&store, name).await.id);
        db.clock.set_back(HOUR);
    }
    import(&store, vec![user("di")], true).await;
    users.push(by_name(&store, "di").await.unwrap().id);
    let events = events(&store).await;
    assert!(events.is_sorted_by(|one, next| one.id < next.id), "{events:#?}");
    assert_eq!(events.iter().map(|event| event.user_id.clone()).collect::<Vec<_>>(), users);
    assert_eq!(store.event_log().await.unwrap().newest.as_ref(), events.last().map(|event| &event.id));
}
