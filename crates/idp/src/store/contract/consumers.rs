//! Consumers of events and their positions.

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::store::{Claim, Consumer, JobFilter, Mutation, QueueName, StartAt, StoreError};

fn queue(consumer: &str) -> QueueName {
    QueueName::Events(consumer.to_owned())
}

async fn add(store: &Shared, name: &str, start: StartAt) -> u64 {
    apply(store, Mutation::AddConsumer { name: name.to_owned(), start }).await.unwrap()
}

async fn remove(store: &Shared, name: &str) -> u64 {
    apply(store, Mutation::RemoveConsumer { name: name.to_owned() }).await.unwrap()
}

async fn consumers(store: &Shared) -> Vec<Consumer> {
    store.event_log().await.unwrap().consumers
}

fn consumer(name: &str, pending: u64, dead: u64) -> Consumer {
    Consumer { name: name.to_owned(), pending, dead }
}

pub async fn consumers_have_their_own_positions(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for name in ["hook", "index"] {
        assert_eq!(add(&store, name, StartAt::Oldest).await, 1);
    }
    for name in ["ana", "bo"] {
        publish(&store, name).await;
    }
    for delivery in claim(&store, &queue("hook")).await.deliveries {
        assert!(settle(&store, &delivery, DONE).await);
    }
    assert_eq!(claim(&store, &queue("hook")).await, Claim::default());
    assert_eq!(claim(&store, &queue("index")).await.deliveries.len(), 2);
}

pub async fn new_consumers_start_where_they_are_told(db: Fixture<impl Backend>) {
    let store = db.users().await;
    add(&store, "ahead", StartAt::Next).await;
    publish(&store, "ana").await;
    add(&store, "all", StartAt::Oldest).await;
    add(&store, "next", StartAt::Next).await;
    publish(&store, "bo").await;
    for (name, count) in [("ahead", 2), ("all", 2), ("next", 1)] {
        assert_eq!(claim(&store, &queue(name)).await.deliveries.len(), count, "{name}");
    }
}

pub async fn adding_a_consumer_again_changes_nothing(db: Fixture<impl Backend>) {
    let store = db.users().await;
    add(&store, "hook", StartAt::Oldest).await;
    for name in ["ana", "bo"] {
        publish(&store, name).await;
    }
    let first = store.claim(&queue("hook"), LEASE, 1).await.unwrap().deliveries.remove(0);
    for start in [StartAt::Oldest, StartAt::Next] {
        assert_eq!(add(&store, "hook", start).await, 0);
    }
    assert!(settle(&store, &first, DONE).await, "its leases stay");
    let rest = claim(&store, &queue("hook")).await.deliveries;
    assert_eq!(rest.len(), 1, "its position stays");
}

pub async fn removing_a_consumer_invalidates_its_leases(db: Fixture<impl Backend>) {
    let store = db.users().await;
    add(&store, "hook", StartAt::Oldest).await;
    publish(&store, "ana").await;
    let before = claim(&store, &queue("hook")).await.deliveries.remove(0);
    assert_eq!((remove(&store, "hook").await, remove(&store, "hook").await), (1, 0));
    assert!(!settle(&store, &before, DONE).await, "its consumer was removed");
    assert_eq!(consumers(&store).await, []);
    // A later consumer of the same name starts anew.
    add(&store, "hook", StartAt::Oldest).await;
    assert!(!settle(&store, &before, DONE).await, "its consumer was removed");
    let again = claim(&store, &queue("hook")).await.deliveries;
    assert_eq!((again.len(), again[0].job.attempts), (1, 1));
}

pub async fn claim_fails_for_unknown_consumers(db: Fixture<impl Backend>) {
    let store = db.users().await;
    publish(&store, "ana").await;
    add(&store, "hook", StartAt::Oldest).await;
    for name in ["ghost", "", "Hook", "hook "] {
        let claim = store.claim(&queue(name), LEASE, 1).await;
        assert!(matches!(&claim, Err(StoreError::NoSuchConsumer(unknown)) if unknown == name), "{claim:?}");
    }
}

pub async fn event_log_counts_pending_and_dead_events(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for name in ["index", "hook"] {
        add(&store, name, StartAt::Oldest).await;
    }
    assert_eq!(consumers(&store).await, [consumer("hook", 0, 0), consumer("index", 0, 0)], "by name");
    let ana = publish(&store, "ana").await;
    publish_update(&store, &ana).await;
    publish(&store, "bo").await;
    let both = |pending, dead| [consumer("hook", pending, dead), consumer("index", 3, 0)];
    assert_eq!(consumers(&store).await, both(3, 0), "none was claimed");
    let claimed = claim(&store, &queue("hook")).await.deliveries;
    assert_eq!(
        (claimed.len(), consumers(&store).await.as_slice()),
        (2, both(3, 0).as_slice()),
        "leased ones are pending"
    );
    assert!(settle(&store, &claimed[0], dead("no")).await);
    assert_eq!(consumers(&store).await, both(2, 1));
    assert!(settle(&store, &claimed[1], DONE).await);
    assert_eq!(consumers(&store).await, both(1, 1));
    apply(&store, Mutation::RetryDead { queue: queue("hook"), job: None }).await.unwrap();
    assert_eq!(consumers(&store).await, both(2, 0));
}

pub async fn consumers_of_other_namespaces_are_separate(db: Fixture<impl Backend>) {
    let (store, away) = (db.users().await, db.namespace("away").await);
    for store in [&store, &away] {
        assert_eq!(add(store, "hook", StartAt::Oldest).await, 1);
    }
    publish(&store, "ana").await;
    assert_eq!((consumers(&store).await[0].pending, consumers(&away).await[0].pending), (1, 0));
    assert_eq!(claim(&away, &queue("hook")).await.deliveries, []);
    let delivery = claim(&store, &queue("hook")).await.deliveries.remove(0);
    assert!(!settle(&away, &delivery, DONE).await, "a lease of another namespace");
    assert_eq!(remove(&away, "hook").await, 1);
    assert!(settle(&store, &delivery, DONE).await);
    assert_eq!(store.jobs(JobFilter::new(queue("hook"))).await.unwrap(), []);
}
