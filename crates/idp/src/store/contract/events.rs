//! The event log: which writes append to it, and how it is read.

use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::EventKind::{Created, Deleted, Updated};
use crate::model::{EventRecord, Timestamp};
use crate::store::{Batch, EventQuery, Mutation, NewEvent, QueueName, StartAt, UserRef};

const NEVER: Timestamp = Timestamp::from_unix_millis(8_000_000_000_000);

async fn event_by_id(store: &Shared, id: &str) -> Option<EventRecord> {
    let mut found = store.events(EventQuery::Id(id)).await.unwrap();
    assert!(found.len() <= 1, "{found:?}");
    found.pop()
}

async fn after(store: &Shared, id: Option<&str>, limit: u32) -> Vec<EventRecord> {
    store.events(EventQuery::After { id, limit }).await.unwrap()
}

fn created() -> Vec<NewEvent> {
    vec![NewEvent { user: UserRef::Created, kind: Created }]
}

pub async fn events_are_appended_with_their_batch(db: Fixture<impl Backend>) {
    let store = db.users().await;
    assert_eq!(store.event_log().await.unwrap().newest, None);
    let ana = publish(&store, "ana").await;
    let with = |mutation, kind| Batch { events: vec![event(&ana.id, kind)], ..batch([mutation]) };
    store.commit(with(updating(&ana.id, rename("anna")), Updated)).await.unwrap();
    store.commit(with(putting(&ana.id, &factor()), Updated)).await.unwrap();
    // A batch without an event appends none.
    update(&store, &ana.id, disabled(true)).await.unwrap();
    enqueue(&store, &ana.id, "mail").await;
    // Several of one batch, in their order.
    let several =
        Batch { events: vec![event(&ana.id, Updated), event(&ana.id, Deleted)], ..batch([deleting(&ana.id)]) };
    store.commit(several).await.unwrap();

    let events = events(&store).await;
    assert_eq!(kinds(&store).await, [Created, Updated, Updated, Updated, Deleted]);
    assert!(events.iter().all(|event| event.user_id == ana.id && event.time == store.now()), "{events:#?}");
    assert!(events.is_sorted_by(|one, next| one.id < next.id), "{events:#?}");
    assert_eq!(store.event_log().await.unwrap().newest.as_ref(), events.last().map(|event| &event.id));
}

pub async fn created_events_belong_to_the_last_created_user(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let mutations = ["ana", "bo"].map(|name| Mutation::CreateUser(user(name)));
    let committed = store.commit(Batch { events: created(), ..batch(mutations) }).await.unwrap();
    let events = events(&store).await;
    assert_eq!((events.len(), events[0].kind), (1, Created));
    assert_eq!(events[0].user_id, committed.created[1].id);
}

pub async fn failed_batches_leave_no_event(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, _bo) = (publish(&store, "ana").await, publish(&store, "bo").await);
    let clash = Batch { events: created(), ..batch([Mutation::CreateUser(user("bo"))]) };
    assert_name_taken(store.commit(clash).await, "bo");
    let of_ana = |mutation| Batch { events: vec![event(&ana.id, Updated)], ..batch([mutation]) };
    assert_name_taken(store.commit(of_ana(updating(&ana.id, rename("bo")))).await, "bo");
    assert_conflict(store.commit(of_ana(touching("ghost"))).await, "ghost");
    apply(&store, touching(&ana.id)).await.unwrap();
    let stale = Batch { expect: vec![current(&ana)], ..of_ana(updating(&ana.id, disabled(true))) };
    assert_conflict(store.commit(stale).await, "touched");
    assert_eq!(kinds(&store).await, [Created, Created]);
}

pub async fn successful_batches_of_a_group_commit_leave_events(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let batches = (0..200).map(|n| {
        let create = Mutation::CreateUser(user(format!("user{}", n % 70)));
        store.commit(Batch { events: created(), ..batch([create]) })
    });
    let committed = join_all(batches).await.into_iter().flatten();
    let mut inserted: Vec<_> = committed.map(|mut committed| committed.created.remove(0).id).collect();
    inserted.sort();
    assert_eq!(inserted.len(), 70);
    let mut published: Vec<_> = events(&store).await.into_iter().map(|event| event.user_id).collect();
    published.sort();
    assert_eq!(published, inserted);
}

pub async fn events_are_read_from_a_position_and_by_id(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for n in 0..5 {
        publish(&store, &format!("user{n}")).await;
    }
    let all = events(&store).await;
    assert_eq!(all.len(), 5);
    assert_eq!(after(&store, None, 2).await, all[..2]);
    assert_eq!(after(&store, Some(&all[1].id), 2).await, all[2..4]);
    assert_eq!(after(&store, Some(&all[4].id), 2).await, []);
    assert_eq!(after(&store, None, 0).await, []);
    for event in &all {
        assert_eq!(event_by_id(&store, &event.id).await.as_ref(), Some(event));
    }
    for id in other_ids(&all[2].id) {
        assert_eq!(event_by_id(&store, &id).await, None, "{id:?}");
    }
}

pub async fn events_belong_to_one_namespace(db: Fixture<impl Backend>) {
    let (store, away) = (db.users().await, db.namespace("away").await);
    for n in 0..3 {
        publish(&store, &format!("user{n}")).await;
        publish(&away, &format!("user{n}")).await;
    }
    let (here, there) = (events(&store).await, events(&away).await);
    assert_eq!((here.len(), there.len()), (3, 3));
    assert_eq!(event_by_id(&store, &there[0].id).await, None);
    assert_eq!(store.event_log().await.unwrap().newest, Some(here[2].id.clone()));
    assert_eq!(away.event_log().await.unwrap().newest, Some(there[2].id.clone()));
}

pub async fn events_of_deleted_users_stay(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = publish(&store, "ana").await;
    delete(&store, &ana.id).await.unwrap();
    let late = Batch { events: vec![event(&ana.id, Deleted)], ..Batch::default() };
    store.commit(late).await.unwrap();
    assert_eq!(kinds(&store).await, [Created, Deleted]);
}

pub async fn prune_events_deletes_old_acknowledged_events_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let prune = async |before| apply(&store, Mutation::PruneEvents { before, limit: 1000 }).await.unwrap();
    for n in 0..4 {
        publish(&store, &format!("user{n}")).await;
    }
    let all = events(&store).await;
    assert_eq!(prune(store.now()).await, 0, "all are younger");
    let start = StartAt::Oldest;
    apply(&store, Mutation::AddConsumer { name: "hook".into(), start }).await.unwrap();
    assert_eq!(prune(NEVER).await, 0, "none was claimed");
    let hook = QueueName::Events("hook".into());
    let claimed = store.claim(&hook, LEASE, 3).await.unwrap().deliveries;
    assert_eq!(claimed.len(), 3);
    assert_eq!(prune(NEVER).await, 0, "none was acknowledged");
    assert!(settle(&store, &claimed[0], DONE).await);
    assert!(settle(&store, &claimed[1], dead("no")).await);
    assert!(settle(&store, &claimed[2], DONE).await);
    assert_eq!(prune(NEVER).await, 2);
    assert_eq!(events(&store).await, [all[1].clone(), all[3].clone()], "the dead one and the one never claimed stay");
    assert_eq!(apply(&store, Mutation::RemoveConsumer { name: "hook".into() }).await.unwrap(), 1);
    assert_eq!(prune(NEVER).await, 2, "without consumers all are acknowledged");
    // New ids are above those that were pruned.
    assert_eq!(store.event_log().await.unwrap().newest.as_ref(), Some(&all[3].id));
    publish(&store, "late").await;
    assert!(events(&store).await[0].id > all[3].id);
}

pub async fn prune_events_deletes_at_most_the_limit(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for n in 0..5 {
        publish(&store, &format!("user{n}")).await;
    }
    let all = events(&store).await;
    for left in [3, 1, 0, 0] {
        apply(&store, Mutation::PruneEvents { before: NEVER, limit: 2 }).await.unwrap();
        assert_eq!(events(&store).await, all[5 - left..], "the oldest are deleted first");
    }
}

pub async fn prune_events_goes_by_the_time_of_the_event_after_the_clock_was_set_back(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let year = Duration::from_secs(365 * 24 * 3600);
    db.clock.advance(year);
    publish(&store, "ahead").await;
    db.clock.set_back(year);
    publish(&store, "now").await;
    let all = events(&store).await;
    db.clock.advance(Duration::from_secs(1));
    let prune = async |before| apply(&store, Mutation::PruneEvents { before, limit: 1000 }).await.unwrap();
    assert_eq!(prune(store.now()).await, 1, "its id has the time of the one before");
    assert_eq!(events(&store).await, all[..1]);
    assert_eq!(prune(store.now().after(2 * year)).await, 1);
}

pub async fn prune_events_gets_past_any_number_of_dead_events(db: Fixture<impl Backend>) {
    let store = db.users().await;
    apply(&store, Mutation::AddConsumer { name: "hook".into(), start: StartAt::Oldest }).await.unwrap();
    for n in 0..40 {
        publish(&store, &format!("user{n}")).await;
    }
    let claimed = store.claim(&QueueName::Events("hook".into()), LEASE, 40).await.unwrap().deliveries;
    for (index, delivery) in claimed.iter().enumerate() {
        let outcome = if index < 20 || index == 30 { dead("no") } else { DONE };
        assert!(settle(&store, delivery, outcome).await);
    }
    // Far fewer than the dead ones. Each hits a place of interest by chance.
    let mut pruned = 0;
    for _ in 0..2000 {
        pruned += apply(&store, Mutation::PruneEvents { before: NEVER, limit: 4 }).await.unwrap();
    }
    assert_eq!((pruned, events(&store).await.len()), (19, 21));
}
