//! Order with transactions that commit in another order than they began.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp_core::store::contract::ManualClock;
use tailor_idp_core::store::{Batch, EventQuery, Mutation, NewEvent, Outcome, QueueName, StartAt, UserRef};
use tailor_idp_core::{EventKind, EventRecord, Predicate};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{place, require_postgres, server, users};
use crate::support::{Shared, commit, everyone, insert, insert_many, page, user};

async fn update_and_publish(store: &Shared, id: &str) {
    let batch = Batch {
        mutations: vec![Mutation::TouchUser { id: id.to_owned() }],
        events: vec![NewEvent { user: UserRef::Id(id.to_owned()), kind: EventKind::Updated }],
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
}

async fn after(store: &Shared, id: Option<&str>) -> Vec<EventRecord> {
    store.events(EventQuery::After { id, limit: 100 }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_sort_in_creation_order_over_programs_with_skewed_clocks() {
    require_postgres!();
    let place = place().await;
    let mut stores = Vec::new();
    for hours in [0, 5, 2] {
        let clock = ManualClock::default();
        clock.advance(Duration::from_secs(hours * 3600));
        stores.push(users(&place.open_with_clock(Arc::new(clock)).await).await);
    }
    let mut names = Vec::new();
    for round in 0..30 {
        let name = format!("user{round}");
        insert(&stores[round % 3], &name).await;
        names.push(name);
    }
    let listed: Vec<_> = everyone(&stores[0]).await.into_iter().map(|user| user.name).collect();
    assert_eq!(listed, names);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walk_beside_slow_transactions_contains_users_who_were_there_exactly_once() {
    require_postgres!();
    let place = place().await;
    let store = users(&place.open().await.unwrap()).await;
    let schema = &place.schema;
    let create = |name: &str| {
        format!(
            "INSERT INTO {schema}.users (namespace_id, id, name, disabled, created_at)
             VALUES (1, {schema}.id_at({schema}.next_tick(0)), '{name}', false, 0)"
        )
    };
    // Transactions that have taken their ids, and commit during the walk.
    let mut slow = Vec::new();
    let mut staying = Vec::new();
    for round in 0..20 {
        staying.extend(insert_many(&store, &format!("staying{round}-"), 3).await.into_iter().map(|user| user.id));
        let client = server().await.client().await;
        client.batch_execute(&format!("BEGIN; {}", create(&format!("slow{round}")))).await.unwrap();
        slow.push(client);
    }
    let mut seen = Vec::new();
    let mut last: Option<String> = None;
    loop {
        let page = page(&store, Predicate::everybody(), last.as_deref(), 4).await;
        last = page.users.last().map(|user| user.id.clone()).or(last);
        seen.extend(page.users.into_iter().map(|user| user.id));
        if !page.more {
            break;
        }
        // One before the place of the walk, and one after it.
        for client in [slow.pop(), (!slow.is_empty()).then(|| slow.remove(0))].into_iter().flatten() {
            client.batch_execute("COMMIT").await.unwrap();
        }
        insert(&store, format!("late{}", seen.len())).await;
        if seen.len() > 200 {
            break;
        }
    }
    let once: HashSet<_> = seen.iter().collect();
    assert_eq!(once.len(), seen.len(), "nobody twice");
    assert!(seen.is_sorted(), "in creation order");
    let missed: Vec<_> = staying.iter().filter(|id| !once.contains(id)).collect();
    assert_eq!(missed, Vec::<&String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_a_slow_transaction_that_took_an_earlier_id() {
    require_postgres!();
    let place = place().await;
    let store = users(&place.open().await.unwrap()).await;
    let ana = insert(&store, "ana").await;
    let hook = QueueName::Events("hook".into());
    commit(&store, Mutation::AddConsumer { name: "hook".into(), start: StartAt::Oldest }).await.unwrap();
    update_and_publish(&store, &ana.id).await;
    let first = after(&store, None).await;
    assert_eq!(first.len(), 1);

    let slow = server().await.client().await;
    let schema = &place.schema;
    let append = format!(
        "BEGIN; INSERT INTO {schema}.events (namespace_id, id, user_id, kind, time)
         VALUES (1, {schema}.id_at({schema}.event_tick((extract(epoch FROM clock_timestamp()) * 1000)::bigint << 12)),
                 gen_random_uuid(), 'created', 0)"
    );
    // The order of events and transactions is known to the millisecond.
    sleep(Duration::from_millis(20)).await;
    slow.batch_execute(&append).await.unwrap();
    update_and_publish(&store, &ana.id).await;
    assert_eq!(after(&store, Some(&first[0].id)).await, [], "an earlier one may follow");
    let claim = store.claim(&hook, Duration::from_secs(60), 10).await.unwrap();
    assert_eq!(claim.deliveries.len(), 1);
    assert!(!claim.more && claim.next_due.is_some(), "it is worth looking again soon: {claim:?}");

    slow.batch_execute("COMMIT").await.unwrap();
    let rest = after(&store, Some(&first[0].id)).await;
    assert_eq!(rest.len(), 2);
    assert_eq!((rest[0].kind, rest[1].kind), (EventKind::Created, EventKind::Updated));
    assert!(store.settle(&claim.deliveries[0].lease, Outcome::Done { keep: false }).await.unwrap());
    assert_eq!(store.claim(&hook, Duration::from_secs(60), 10).await.unwrap().deliveries.len(), 2);

    // One that is rolled back holds up nothing.
    slow.batch_execute(&append).await.unwrap();
    slow.batch_execute("ROLLBACK").await.unwrap();
    update_and_publish(&store, &ana.id).await;
    assert_eq!(after(&store, Some(&rest[1].id)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_and_consumers_get_each_event_once_and_those_of_a_user_in_order() {
    require_postgres!();
    let place = place().await;
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(users(&place.open().await.unwrap()).await);
    }
    commit(&stores[0], Mutation::AddConsumer { name: "hook".into(), start: StartAt::Oldest }).await.unwrap();
    let everybody = insert_many(&stores[0], "user", 5).await;
    let stop = Arc::<AtomicBool>::default();

    // By position, as `tailor-idp events --follow` does.
    let follower = tokio::spawn({
        let (store, stop) = (Arc::clone(&stores[1]), Arc::clone(&stop));
        async move {
            let mut followed: Vec<EventRecord> = Vec::new();
            loop {
                let is_last = stop.load(Ordering::SeqCst);
                let last = followed.last().map(|event| event.id.clone());
                let new = after(&store, last.as_deref()).await;
                if new.is_empty() && is_last {
                    return followed;
                }
                followed.extend(new);
            }
        }
    });
    // By claims, from three programs.
    let mut workers = JoinSet::new();
    for store in stores.clone() {
        let stop = Arc::clone(&stop);
        workers.spawn(async move {
            let hook = QueueName::Events("hook".into());
            let mut delivered = Vec::new();
            loop {
                let is_last = stop.load(Ordering::SeqCst);
                let claim = store.claim(&hook, Duration::from_secs(60), 5).await.unwrap();
                if claim == tailor_idp_core::store::Claim::default() && is_last {
                    return delivered;
                }
                for delivery in claim.deliveries {
                    // Recorded before it is settled: the next of the user is claimed after that.
                    delivered.push((std::time::Instant::now(), delivery.job.event.clone().unwrap()));
                    assert!(store.settle(&delivery.lease, Outcome::Done { keep: false }).await.unwrap());
                }
            }
        });
    }
    let mut publishers = JoinSet::new();
    for publisher in 0..6 {
        let (store, everybody) = (Arc::clone(&stores[publisher % 3]), everybody.clone());
        publishers.spawn(async move {
            for round in 0..40 {
                update_and_publish(&store, &everybody[(publisher + round) % everybody.len()].id).await;
            }
        });
    }
    publishers.join_all().await;
    stop.store(true, Ordering::SeqCst);

    let all = stores[0].events(EventQuery::After { id: None, limit: 1000 }).await.unwrap();
    assert_eq!(all.len(), 240);
    assert_eq!(follower.await.unwrap(), all, "the follower");
    let mut delivered: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
    delivered.sort_by_key(|(at, _)| *at);
    let by_user = |events: Vec<EventRecord>| {
        let mut by_user = BTreeMap::<String, Vec<String>>::new();
        events.into_iter().for_each(|event| by_user.entry(event.user_id).or_default().push(event.id));
        by_user
    };
    assert_eq!(by_user(delivered.into_iter().map(|(_, event)| event).collect()), by_user(all), "the workers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_create_does_not_hold_up_other_creates() {
    require_postgres!();
    let place = place().await;
    let store = users(&place.open().await.unwrap()).await;
    insert(&store, "ana").await;
    // A transaction that has created a user, by a clock far ahead, and is not committed.
    let slow = server().await.client().await;
    let schema = &place.schema;
    let create = format!(
        "BEGIN; INSERT INTO {schema}.users (namespace_id, id, name, disabled, created_at)
         VALUES (1, {schema}.id_at({schema}.next_tick(8000000000000 << 12)), 'slow', false, 0)"
    );
    slow.batch_execute(&create).await.unwrap();
    for round in 0..20 {
        insert(&store, format!("user{round}")).await;
    }
    // Its name is the only thing that others wait for.
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { crate::support::create(&store, user("slow")).await }
    });
    sleep(Duration::from_millis(100)).await;
    slow.batch_execute("ROLLBACK").await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(everyone(&store).await.len(), 22);
}
