//! Events delivered to consumers: one at a time per user, in commit order.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::EventKind::{self, Created, Updated};
use crate::model::EventRecord;
use crate::store::{Claim, Delivery, Expect, JobFilter, JobKey, JobState, Mutation, Outcome, QueueName, StartAt};

const HOUR: Duration = Duration::from_secs(3600);

fn hook() -> QueueName {
    QueueName::Events("hook".into())
}

/// The store with a consumer `hook`.
async fn consumed(db: &Fixture<impl Backend>) -> Shared {
    let store = db.users().await;
    apply(&store, Mutation::AddConsumer { name: "hook".into(), start: StartAt::Oldest }).await.unwrap();
    store
}

async fn claimed(store: &Shared) -> Vec<Delivery> {
    claim(store, &hook()).await.deliveries
}

fn event_of(delivery: &Delivery) -> &EventRecord {
    delivery.job.event.as_ref().expect("a job of a queue of events has its event")
}

fn of(deliveries: &[Delivery]) -> Vec<(&str, EventKind)> {
    deliveries.iter().map(|delivery| (event_of(delivery).user_id.as_str(), event_of(delivery).kind)).collect()
}

pub async fn claim_delivers_one_event_per_user_at_a_time(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    let (ana, bo) = (publish(&store, "ana").await, publish(&store, "bo").await);
    publish_update(&store, &ana).await;
    let first = claimed(&store).await;
    assert_eq!(of(&first), [(ana.id.as_str(), Created), (bo.id.as_str(), Created)]);
    let all = events(&store).await;
    for (delivery, event) in first.iter().zip(&all) {
        assert_eq!((event_of(delivery), &delivery.job.user_id), (event, &event.user_id));
        assert_eq!((delivery.job.state, delivery.job.attempts), (JobState::Leased, 1));
        assert_eq!((delivery.job.payload.as_str(), &delivery.lease.queue), ("", &hook()));
    }
    assert_eq!(of(&claimed(&store).await), []);
    assert!(settle(&store, &first[1], DONE).await);
    assert_eq!(of(&claimed(&store).await), []);
    assert!(settle(&store, &first[0], DONE).await);
    assert!(!settle(&store, &first[0], DONE).await, "for the second time");
    let second = claimed(&store).await;
    assert_eq!(of(&second), [(ana.id.as_str(), Updated)]);
    assert!(settle(&store, &second[0], DONE).await);
    assert_eq!(claim(&store, &hook()).await, Claim::default());
}

pub async fn claim_keeps_each_users_order_for_many_workers(db: Fixture<impl Backend>) {
    const USERS: usize = 12;
    const UPDATES: usize = 5;
    let store = consumed(&db).await;
    let log = Mutex::new(Vec::new());
    let work = async || {
        while log.lock().unwrap().len() < USERS * (UPDATES + 1) {
            for delivery in store.claim(&hook(), LEASE, 3).await.unwrap().deliveries {
                // Before the acknowledgement: until then no worker can get the user's next event.
                let event = event_of(&delivery).clone();
                if delivery.job.attempts == 1 && event.kind == Updated && delivery.job.id % 4 == 0 {
                    assert!(settle(&store, &delivery, retry(Duration::ZERO)).await);
                } else {
                    log.lock().unwrap().push(event);
                    assert!(settle(&store, &delivery, DONE).await);
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let write = async |n: usize| {
        let user = publish(&store, &format!("user{n}")).await;
        for _ in 0..UPDATES {
            publish_update(&store, &user).await;
        }
    };
    let all = async { futures::join!(join_all((0..4).map(|_| work())), join_all((0..USERS).map(write))) };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("the workers finish");
    let by_user = |events: Vec<EventRecord>| {
        let mut users: BTreeMap<String, Vec<EventRecord>> = BTreeMap::new();
        for event in events {
            users.entry(event.user_id.clone()).or_default().push(event);
        }
        users
    };
    let delivered = log.into_inner().unwrap();
    assert_eq!(by_user(delivered), by_user(events(&store).await));
}

pub async fn failed_events_hold_up_their_user_only(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    let (ana, bo) = (publish(&store, "ana").await, publish(&store, "bo").await);
    for _ in 0..700 {
        publish_update(&store, &ana).await;
    }
    publish_update(&store, &bo).await;
    let first = claimed(&store).await;
    assert!(settle(&store, &first[0], retry(HOUR)).await);
    assert!(settle(&store, &first[1], DONE).await);
    // One claim may take only a part of the log into account.
    let mut second = Vec::new();
    while second.is_empty() {
        let claim = claim(&store, &hook()).await;
        assert!(claim.more || !claim.deliveries.is_empty(), "{claim:?}");
        second = claim.deliveries;
    }
    assert_eq!(of(&second), [(bo.id.as_str(), Updated)]);
    assert!(settle(&store, &second[0], retry(Duration::ZERO)).await);
    let third = claimed(&store).await;
    assert_eq!(of(&third), [(bo.id.as_str(), Updated)]);
    assert_eq!((third[0].job.attempts, third[0].job.refusals), (2, 1));
    assert!(settle(&store, &third[0], DONE).await);
    db.clock.advance(HOUR);
    let fourth = claimed(&store).await;
    assert_eq!((of(&fourth), fourth[0].job.attempts), (vec![(ana.id.as_str(), Created)], 2));
    assert!(settle(&store, &fourth[0], DONE).await);
    assert_eq!(of(&claimed(&store).await), [(ana.id.as_str(), Updated)]);
}

pub async fn dead_events_let_later_ones_ahead(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    let ana = publish(&store, "ana").await;
    publish_update(&store, &ana).await;
    let first = claimed(&store).await;
    assert!(settle(&store, &first[0], dead("400: bad request")).await);
    let filter = JobFilter { state: Some(JobState::Dead), ..JobFilter::new(hook()) };
    let dead = store.jobs(filter.clone()).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].event.as_ref(), dead[0].attempts), (Some(event_of(&first[0])), 1));
    assert_eq!((dead[0].reason.as_deref(), dead[0].id), (Some("400: bad request"), first[0].job.id));
    assert_eq!(of(&claimed(&store).await), [(ana.id.as_str(), Updated)]);
    // Mails are another queue.
    assert_eq!(mails(&store).await, []);
}

pub async fn dead_events_can_be_retried_and_discarded(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    let ana = publish(&store, "ana").await;
    publish_update(&store, &ana).await;
    let first = claimed(&store).await;
    assert!(settle(&store, &first[0], dead("no")).await);
    let second = claimed(&store).await;
    assert_eq!(of(&second), [(ana.id.as_str(), Updated)]);
    let retry_dead = async |job| apply(&store, Mutation::RetryDead { queue: hook(), job }).await.unwrap();
    let event = JobKey::Event(event_of(&first[0]).id.clone());
    for other in other_ids(&event_of(&first[0]).id) {
        assert_eq!(retry_dead(Some(JobKey::Event(other.clone()))).await, 0, "{other:?}");
    }
    assert_eq!(retry_dead(Some(event.clone())).await, 1);
    assert_eq!(retry_dead(Some(event)).await, 0);
    assert_eq!(of(&claimed(&store).await), [], "it waits for the later event, which is leased");
    assert!(settle(&store, &second[0], DONE).await);
    let third = claimed(&store).await;
    assert_eq!((of(&third), third[0].job.attempts), (of(&first), 1));
    assert!(settle(&store, &third[0], dead("again")).await);
    assert_eq!(retry_dead(Some(JobKey::Id(third[0].job.id))).await, 1, "by the job's id");
    assert!(settle(&store, &claimed(&store).await[0], dead("again")).await);
    assert_eq!(apply(&store, Mutation::DiscardDead { queue: hook(), job: None }).await.unwrap(), 1);
    assert_eq!(store.jobs(JobFilter::new(hook())).await.unwrap(), []);
    assert_eq!(claim(&store, &hook()).await, Claim::default());
}

pub async fn stale_event_leases_settle_nothing(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    publish(&store, "ana").await;
    let over = claimed(&store).await;
    db.clock.advance(LEASE);
    let again = claimed(&store).await;
    assert_eq!(of(&again), of(&over));
    assert_eq!((over[0].job.attempts, again[0].job.attempts), (1, 2));
    for outcome in [DONE, Outcome::Released, retry(HOUR), dead("no")] {
        assert!(!settle(&store, &over[0], outcome.clone()).await, "{outcome:?}");
    }
    assert!(settle(&store, &again[0], DONE).await);
}

pub async fn claim_without_a_lease_delivers_each_event_once(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    for n in 0..5 {
        publish(&store, &format!("user{n}")).await;
    }
    for user in everyone(&store).await {
        publish_update(&store, &user).await;
    }
    for attempts in 1..=2 {
        let claimed = store.claim(&hook(), Duration::ZERO, 100).await.unwrap().deliveries;
        let delivered: Vec<_> = claimed.iter().map(|delivery| event_of(delivery).clone()).collect();
        assert_eq!(delivered, events(&store).await[..5]);
        assert!(claimed.iter().all(|delivery| delivery.job.attempts == attempts), "{claimed:#?}");
    }
}

pub async fn released_events_do_not_count_an_attempt(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    publish(&store, "ana").await;
    for _ in 0..3 {
        let claimed = claimed(&store).await;
        assert_eq!(claimed[0].job.attempts, 1);
        assert!(settle(&store, &claimed[0], Outcome::Released).await);
    }
}

pub async fn lease_expectation_holds_for_events(db: Fixture<impl Backend>) {
    let store = consumed(&db).await;
    publish(&store, "ana").await;
    let first = claimed(&store).await.remove(0);
    let check = async |delivery: &Delivery| store.commit(expecting([Expect::Lease(delivery.lease.clone())], [])).await;
    check(&first).await.unwrap();
    db.clock.advance(LEASE);
    check(&first).await.unwrap();
    let second = claimed(&store).await.remove(0);
    assert_conflict(check(&first).await, "claimed again");
    check(&second).await.unwrap();
    assert!(settle(&store, &second, DONE).await);
    assert_conflict(check(&second).await, "settled");
}
