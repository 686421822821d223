//! Workers are told of commits of other programs.

use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp_core::EventKind;
use tailor_idp_core::store::{Batch, Mutation, NewEvent, UserRef};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::server::Place;
use super::{place, require_postgres, server, users};
use crate::support::{Shared, enqueue, insert, user};

/// Far longer than a notification takes.
const SOON: Duration = Duration::from_secs(30);

async fn publish(store: &Shared, name: &str) {
    let batch = Batch {
        mutations: vec![Mutation::CreateUser(user(name))],
        events: vec![NewEvent { user: UserRef::Created, kind: EventKind::Created }],
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
}

async fn hears(store: &Shared, expected: bool) {
    timeout(SOON, async {
        while store.hears_other_processes() != expected {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

async fn changed(commits: &mut watch::Receiver<u64>) {
    timeout(SOON, commits.changed()).await.expect("told in time").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_mails_of_other_programs_wake_workers() {
    require_postgres!();
    let place = place().await;
    let one = users(&place.open().await.unwrap()).await;
    let other = users(&place.open().await.unwrap()).await;
    let ana = insert(&one, "ana").await;
    let mut commits = other.commits();
    hears(&other, true).await;
    assert!(!one.hears_other_processes(), "nobody waits for commits there");

    for round in 0..3 {
        commits.borrow_and_update();
        publish(&one, &format!("user{round}")).await;
        changed(&mut commits).await;
        commits.borrow_and_update();
        enqueue(&one, &ana.id, "mail").await;
        changed(&mut commits).await;
    }

    // What concerns no worker wakes none. A later notification shows that none was under way.
    sleep(Duration::from_millis(300)).await;
    let before = *commits.borrow_and_update();
    insert(&one, "bo").await;
    publish(&one, "cy").await;
    changed(&mut commits).await;
    assert_eq!(*commits.borrow(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commits_share_notifications_and_the_last_one_is_told() {
    require_postgres!();
    let place = place().await;
    let one = users(&place.open().await.unwrap()).await;
    let other = users(&place.open().await.unwrap()).await;
    let mut commits = other.commits();
    hears(&other, true).await;
    let before = *commits.borrow_and_update();
    let started = tokio::time::Instant::now();
    let mut writing = JoinSet::new();
    for writer in 0..8 {
        let one = one.clone();
        writing.spawn(async move {
            for round in 0..25 {
                publish(&one, &format!("user{writer}-{round}")).await;
            }
        });
    }
    writing.join_all().await;
    sleep(Duration::from_millis(300)).await;
    let told = *commits.borrow_and_update() - before;
    let most = started.elapsed().as_millis() as u64 / 100 + 2;
    assert!((1..=most).contains(&told), "{told} notifications of 200 commits, instead of at most {most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_connections_for_notifications_are_replaced() {
    require_postgres!();
    let place = place().await;
    let url = format!("{}&application_name={}", place.url, place.schema);
    let listening = users(&Place { url, ..place.clone() }.open().await.unwrap()).await;
    let other = users(&place.open().await.unwrap()).await;
    let mut commits = listening.commits();
    hears(&listening, true).await;
    commits.borrow_and_update();
    let client = server().await.client().await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    client.query(sql, &[&place.schema]).await.unwrap();
    hears(&listening, false).await;
    publish(&other, "missed").await;
    // The new connection counts as a commit: it may have been missed.
    changed(&mut commits).await;
    hears(&listening, true).await;
    commits.borrow_and_update();
    publish(&other, "told").await;
    changed(&mut commits).await;
}
