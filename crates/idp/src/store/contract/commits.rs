//! The watch on commits, for workers that wait for work.

use std::time::Duration;

use pretty_assertions::assert_eq;
use tokio::sync::watch;
use tokio::time::timeout;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::UserQuery;
use crate::store::{JobFilter, Outcome};

/// Longer than any write takes.
const WAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits for the next commit.
async fn changed(commits: &mut watch::Receiver<u64>, what: &str) {
    let changed = timeout(WAKE_TIMEOUT, commits.changed()).await;
    changed.unwrap_or_else(|_| panic!("{what} does not change the value")).unwrap();
}

/// Waits until the commits so far are all seen: a commit may be seen a moment after its write has returned.
async fn settled(commits: &mut watch::Receiver<u64>) {
    while timeout(Duration::from_millis(200), commits.changed()).await.is_ok() {}
}

pub async fn commits_change_with_each_kind_of_write(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let mut commits = store.commits();
    settled(&mut commits).await;
    let ana = insert(&store, "ana").await;
    changed(&mut commits, "a batch").await;
    import(&store, vec![user("bo")], false).await;
    changed(&mut commits, "an import").await;
    enqueue(&store, &ana.id, "mail").await;
    changed(&mut commits, "a job").await;
    let delivery = claim_mail(&store).await;
    changed(&mut commits, "a claim").await;
    assert!(settle(&store, &delivery, Outcome::Released).await);
    changed(&mut commits, "an outcome").await;
}

pub async fn commits_stay_when_nothing_is_written(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let mut commits = store.commits();
    insert(&store, "ana").await;
    settled(&mut commits).await;
    everyone(&store).await;
    by_name(&store, "ana").await;
    page(&store, &UserQuery::default(), None, 1).await;
    store.jobs(JobFilter::new(MAILS)).await.unwrap();
    assert_eq!(claim(&store, &MAILS).await.deliveries, []);
    store.event_log().await.unwrap();
    let changed = timeout(Duration::from_millis(200), commits.changed()).await;
    assert!(changed.is_err(), "{changed:?}");
}

pub async fn commits_wake_a_waiting_receiver(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for round in 0..5 {
        let mut commits = store.commits();
        settled(&mut commits).await;
        let waiting = tokio::spawn(async move { changed(&mut commits, "a batch").await });
        insert(&store, format!("user{round}")).await;
        waiting.await.unwrap();
    }
}

pub async fn commits_show_writes_of_other_handles(db: Fixture<impl Backend>) {
    let (one, two) = (db.users().await, db.users().await);
    let mut commits = one.commits();
    settled(&mut commits).await;
    insert(&two, "ana").await;
    changed(&mut commits, "a batch of another handle").await;
    // A receiver that is woken sees the write.
    assert!(by_name(&one, "ana").await.is_some());
}
