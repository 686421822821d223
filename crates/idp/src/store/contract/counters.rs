//! Counters within windows of time.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture, ManualClock};
use crate::model::{Clock, Timestamp};
use crate::store::{Committed, Counter, CounterKey, Mutation};

const WINDOW: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);

fn key(subject: &str) -> CounterKey {
    CounterKey { scope: "password", subject: subject.as_bytes().to_vec() }
}

fn counting(key: CounterKey, by: i64, since: Option<Timestamp>) -> Mutation {
    Mutation::Count { key, by, window: WINDOW, since }
}

/// Counts, and checks that the commit returns the counter that is read afterwards.
async fn count_since(store: &Shared, key: CounterKey, by: i64, since: Option<Timestamp>) -> Counter {
    let Committed { counters, .. } = store.commit(batch([counting(key.clone(), by, since)])).await.unwrap();
    assert_eq!(counters, [read(store, key).await]);
    counters[0]
}

async fn count(store: &Shared, subject: &str, by: i64) -> Counter {
    count_since(store, key(subject), by, None).await
}

async fn read(store: &Shared, key: CounterKey) -> Counter {
    let counters = store.counters(&[key]).await.unwrap();
    assert_eq!(counters.len(), 1);
    counters[0]
}

pub async fn counters_start_at_zero(db: Fixture<impl Backend>) {
    let store = db.users().await;
    assert_eq!(read(&store, key("ana")).await, Counter { count: 0, since: store.now() });
    assert_eq!(store.counters(&[]).await.unwrap(), []);
    db.clock.advance(WINDOW);
    assert_eq!(read(&store, key("ana")).await, Counter { count: 0, since: store.now() });
}

pub async fn counts_add_up_within_a_window(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let since = store.now();
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 1, since });
    db.clock.advance(WINDOW / 2);
    assert_eq!(count(&store, "ana", 5).await, Counter { count: 6, since });
    assert_eq!(count(&store, "ana", -2).await, Counter { count: 4, since });
    assert_eq!(count(&store, "ana", 0).await, Counter { count: 4, since });
    db.clock.set(since.after(WINDOW - MILLISECOND));
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 5, since }, "the last millisecond of the window");
}

pub async fn counters_start_anew_when_the_window_has_ended(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let first = count(&store, "ana", 3).await.since;
    db.clock.set(first.after(WINDOW));
    let second = store.now();
    assert_eq!(read(&store, key("ana")).await, Counter { count: 3, since: first }, "the caller knows the length");
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 1, since: second });
    db.clock.advance(WINDOW - MILLISECOND);
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 2, since: second });
    db.clock.advance(WINDOW * 10);
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 1, since: store.now() });
}

pub async fn counters_at_zero_start_a_new_window(db: Fixture<impl Backend>) {
    let store = db.users().await;
    count(&store, "ana", 1).await;
    db.clock.advance(WINDOW / 2);
    assert_eq!(count(&store, "ana", -1).await, Counter { count: 0, since: store.now() });
    db.clock.advance(WINDOW / 4);
    let since = store.now();
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 1, since });
    db.clock.set(since.after(WINDOW - MILLISECOND));
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 2, since });
}

pub async fn count_does_not_go_below_zero(db: Fixture<impl Backend>) {
    let store = db.users().await;
    assert_eq!(count(&store, "ana", -1).await.count, 0);
    assert_eq!(count(&store, "ana", 2).await.count, 2);
    assert_eq!(count(&store, "ana", -5).await.count, 0);
    assert_eq!(count(&store, "ana", 1).await.count, 1);
}

pub async fn count_with_since_applies_to_that_window_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let first = count(&store, "ana", 3).await.since;
    db.clock.advance(WINDOW / 2);
    assert_eq!(count_since(&store, key("ana"), -1, Some(first)).await, Counter { count: 2, since: first });
    let other = Some(first.after(MILLISECOND));
    assert_eq!(count_since(&store, key("ana"), -1, other).await, Counter { count: 2, since: first });
    db.clock.set(first.after(WINDOW));
    let ended = Counter { count: 2, since: first };
    assert_eq!(count_since(&store, key("ana"), 1, Some(first)).await, ended, "that window has ended");
    let second = count(&store, "ana", 3).await.since;
    assert_eq!(count_since(&store, key("ana"), -1, Some(first)).await, Counter { count: 3, since: second });
    assert_eq!(count_since(&store, key("ana"), -1, Some(second)).await, Counter { count: 2, since: second });
    assert_eq!(count_since(&store, key("bo"), 1, Some(first)).await.count, 0, "there is no counter");
}

pub async fn count_moves_the_window_to_now_when_the_clock_is_set_back(db: Fixture<impl Backend>) {
    let store = db.users().await;
    count(&store, "ana", 3).await;
    db.clock.set_back(WINDOW * 100);
    let now = store.now();
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 4, since: now });
    // So no caller waits longer than the window.
    db.clock.advance(WINDOW);
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 1, since: store.now() });
}

pub async fn length_of_the_window_is_that_of_the_count(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let count = async |window| {
        let mutation = Mutation::Count { key: key("ana"), by: 1, window, since: None };
        store.commit(batch([mutation])).await.unwrap().counters[0]
    };
    let first = count(WINDOW).await.since;
    db.clock.set(first.after(WINDOW));
    assert_eq!(count(WINDOW * 2).await, Counter { count: 2, since: first }, "longer");
    db.clock.advance(WINDOW / 2);
    assert_eq!(count(WINDOW).await, Counter { count: 1, since: store.now() }, "shorter");
}

pub async fn counters_are_separate_by_scope_subject_and_namespace(db: Fixture<impl Backend>) {
    let (store, away) = (db.users().await, db.namespace("away").await);
    let other_scope = CounterKey { scope: "code", ..key("ana") };
    let subjects = [Vec::new(), vec![0], vec![0, 0], b"ana".to_vec(), b"Ana".to_vec(), vec![0xff; 64]];
    for (index, subject) in subjects.iter().enumerate() {
        let key = CounterKey { scope: "password", subject: subject.clone() };
        count_since(&store, key, index as i64 + 1, None).await;
    }
    for (index, subject) in subjects.iter().enumerate() {
        let key = CounterKey { scope: "password", subject: subject.clone() };
        assert_eq!(read(&store, key.clone()).await.count, index as u64 + 1, "{subject:?}");
        assert_eq!(read(&away, key).await.count, 0, "{subject:?}");
    }
    assert_eq!(read(&store, other_scope.clone()).await.count, 0);
    count_since(&store, other_scope.clone(), 9, None).await;
    count_since(&away, key("ana"), 7, None).await;
    let counts = [read(&store, key("ana")).await, read(&store, other_scope).await, read(&away, key("ana")).await];
    assert_eq!(counts.map(|counter| counter.count), [4, 9, 7]);
}

pub async fn reset_counter_deletes_one_counter(db: Fixture<impl Backend>) {
    let store = db.users().await;
    count(&store, "ana", 3).await;
    count(&store, "bo", 2).await;
    db.clock.advance(MILLISECOND);
    let reset = || Mutation::ResetCounter { key: key("ana") };
    assert_eq!(apply(&store, reset()).await.unwrap(), 1);
    assert_eq!(apply(&store, reset()).await.unwrap(), 0);
    assert_eq!(read(&store, key("ana")).await, Counter { count: 0, since: store.now() });
    assert_eq!(read(&store, key("bo")).await.count, 2);
    assert_eq!(count(&store, "ana", 1).await, Counter { count: 1, since: store.now() });
}

pub async fn prune_counters_deletes_old_windows_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for subject in ["ana", "bo"] {
        count(&store, subject, 1).await;
    }
    db.clock.advance(WINDOW / 2);
    let cy = count(&store, "cy", 1).await;
    let prune = |started_until| apply(&store, Mutation::PruneCounters { started_until });
    assert_eq!(prune(cy.since.before(WINDOW / 2 + MILLISECOND)).await.unwrap(), 0);
    assert_eq!(prune(cy.since.before(MILLISECOND)).await.unwrap(), 2);
    assert_eq!(prune(cy.since.before(MILLISECOND)).await.unwrap(), 0);
    assert_eq!((read(&store, key("cy")).await, read(&store, key("ana")).await.count), (cy, 0));
}

pub async fn counters_keep_their_order_in_reads_and_commits(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let mutations = [
        counting(key("zoe"), 3, None),
        touching(&ana.id),
        counting(key("ana"), 1, None),
        counting(key("zoe"), 1, None),
        counting(key("mia"), 2, None),
    ];
    let counters = store.commit(batch(mutations)).await.unwrap().counters;
    assert_eq!(counters.iter().map(|counter| counter.count).collect::<Vec<_>>(), [3, 1, 4, 2]);
    let keys = ["mia", "nobody", "zoe", "ana", "zoe"].map(key);
    let counts: Vec<_> = store.counters(&keys).await.unwrap().into_iter().map(|counter| counter.count).collect();
    assert_eq!(counts, [2, 0, 4, 1, 4]);
}

pub async fn count_is_undone_when_the_batch_fails(db: Fixture<impl Backend>) {
    let store = db.users().await;
    count(&store, "ana", 1).await;
    assert_conflict(store.commit(batch([counting(key("ana"), 1, None), touching("ghost")])).await, "ghost");
    assert_eq!(read(&store, key("ana")).await.count, 1);
}

pub async fn concurrent_counts_are_exact(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let tasks = (0..16).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut counts = Vec::new();
            for _ in 0..25 {
                let counted = store.commit(batch([counting(key("ana"), 1, None)])).await.unwrap();
                counts.push(counted.counters[0].count);
            }
            counts
        })
    });
    // Every count is returned once: a limit lets exactly as many through.
    let mut counts: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=400).collect::<Vec<_>>());
    assert_eq!(read(&store, key("ana")).await, Counter { count: 400, since: ManualClock::default().now() });
}
