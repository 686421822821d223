//! The outbox: which changes leave events, and how consumers are given them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp::idp::Timestamp;
use tailor_idp::store::{
    Claim, Delivery, EventKind, EventRecord, EventStore, MailLimit, NewUser, Outcome, PasswordChange, Queued, Revival,
    StartAt, StoreError, UserChange, UserRecord, WriteOptions,
};

use super::plain::add_factor;
use super::{Backend, Plain, user};
use crate::support::password_hash;

use EventKind::{Created, Deleted, Updated};

const LEASE: Duration = Duration::from_secs(60);
const SOON: Timestamp = Timestamp::from_unix_millis(0);
const NEVER: Timestamp = Timestamp::from_unix_millis(i64::MAX);

fn published() -> WriteOptions {
    WriteOptions { publish: true, ..WriteOptions::unchecked() }
}

fn outbox(store: &Plain) -> &dyn EventStore {
    store.0.events().unwrap()
}

async fn insert(store: &Plain, name: &str) -> UserRecord {
    store.0.insert(user(name), true).await.unwrap()
}

/// An update that changes something.
async fn touch(store: &Plain, user: &UserRecord) {
    let change = UserChange { password: PasswordChange::Set(password_hash("new")), ..UserChange::default() };
    store.0.update(&user.id, change, published()).await.unwrap().unwrap();
}

async fn events(store: &Plain) -> Vec<EventRecord> {
    outbox(store).events(None, 10_000).await.unwrap()
}

async fn kinds(store: &Plain) -> Vec<EventKind> {
    events(store).await.into_iter().map(|event| event.kind).collect()
}

async fn claim(store: &Plain, consumer: &str) -> Vec<Delivery> {
    outbox(store).claim(consumer, LEASE, 100).await.unwrap().deliveries
}

async fn settle(store: &Plain, delivery: &Delivery, outcome: Outcome) -> bool {
    outbox(store).settle(&delivery.lease, outcome).await.unwrap()
}

fn failed(due: Timestamp) -> Outcome {
    Outcome::Failed { due, refused: true, reason: "no".into() }
}

fn of(deliveries: &[Delivery]) -> Vec<(&str, EventKind)> {
    deliveries.iter().map(|delivery| (delivery.event.user_id.as_str(), delivery.event.kind)).collect()
}

pub(super) async fn each_change_leaves_one_event(db: impl Backend) {
    let store = db.users().await;
    let hash = |text| Some(password_hash(text));
    let ana = NewUser { password: hash("first"), ..user("ana") };
    let ana = store.0.insert(ana, true).await.unwrap();
    let changes = [
        UserChange { name: Some("anna".into()), ..UserChange::default() },
        UserChange { disabled: Some(true), ..UserChange::default() },
        UserChange { disabled: Some(false), ..UserChange::default() },
        UserChange { password: PasswordChange::Set(password_hash("second")), ..UserChange::default() },
        UserChange { password: PasswordChange::Clear, ..UserChange::default() },
        UserChange {
            name: Some("ana".into()),
            disabled: Some(true),
            password: PasswordChange::Set(password_hash("third")),
        },
    ];
    for (index, change) in changes.into_iter().enumerate() {
        store.0.update(&ana.id, change, published()).await.unwrap().unwrap();
        assert_eq!(kinds(&store).await.len(), index + 2, "change {index}");
    }
    let mfa = store.0.mfa().unwrap();
    let factor = add_factor(mfa, &ana.id, published()).await.unwrap().unwrap();
    assert_eq!(mfa.remove_factor(&ana.id, &factor, published()).await.unwrap(), Some(true));
    assert!(store.0.delete(&ana.id, published()).await.unwrap());

    let events = events(&store).await;
    let expected: Vec<_> = [Created].into_iter().chain([Updated; 8]).chain([Deleted]).collect();
    assert_eq!(events.iter().map(|event| event.kind).collect::<Vec<_>>(), expected);
    assert!(events.iter().all(|event| event.user_id == ana.id), "{events:#?}");
    assert!(events.is_sorted_by(|a, b| a.id < b.id), "{events:#?}");
    assert_eq!(outbox(&store).event(&events[3].id).await.unwrap().as_ref(), Some(&events[3]));
    assert_eq!(outbox(&store).newest().await.unwrap().as_ref(), events.last().map(|event| &event.id));
}

pub(super) async fn what_changes_nothing_leaves_no_event(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let same = [
        UserChange::default(),
        UserChange { name: Some("ana".into()), ..UserChange::default() },
        UserChange { disabled: Some(false), ..UserChange::default() },
        UserChange { password: PasswordChange::Clear, ..UserChange::default() },
    ];
    for change in same {
        store.0.update(&ana.id, change, published()).await.unwrap().unwrap();
    }
    let nobody = "0193c0de-0000-7000-8000-000000000000";
    let mfa = store.0.mfa().unwrap();
    assert_eq!(mfa.remove_factor(&ana.id, nobody, published()).await.unwrap(), Some(false));
    assert_eq!(add_factor(mfa, nobody, published()).await.unwrap(), None);
    assert_eq!(store.0.update(nobody, UserChange::default(), published()).await.unwrap(), None);
    assert!(!store.0.delete(nobody, published()).await.unwrap());
    let mail = super::mail(&ana, "reset");
    let (now, limit) = (Timestamp::now(), MailLimit::default());
    let queued = store.0.reset_mails().unwrap().queue(mail, now, limit, published()).await;
    assert_eq!(queued.unwrap(), Queued::Done);
    // And a namespace that does not publish.
    store.insert(user("bo")).await.unwrap();
    store.update(&ana.id, UserChange { disabled: Some(true), ..UserChange::default() }).await.unwrap();
    store.add_mfa_factor(&ana.id).await.unwrap().unwrap();
    assert_eq!(kinds(&store).await, [Created]);
    store.delete(&ana.id).await.unwrap();
    assert_eq!(kinds(&store).await, [Created]);
}

pub(super) async fn a_write_that_is_refused_or_clashes_leaves_no_event(db: impl Backend) {
    let store = db.users().await;
    let (ana, _bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let factor = store.add_mfa_factor(&ana.id).await.unwrap().unwrap();
    let denied = || WriteOptions { check: Box::new(|_, _| false), publish: true };
    let rename = |name: &str| UserChange { name: Some(name.into()), ..UserChange::default() };
    let clash = store.0.insert(user("bo"), true).await;
    assert!(matches!(clash, Err(StoreError::NameTaken)), "{clash:?}");
    let clash = store.0.update(&ana.id, rename("bo"), published()).await;
    assert!(matches!(clash, Err(StoreError::NameTaken)), "{clash:?}");
    let refused = store.0.update(&ana.id, rename("anna"), denied()).await;
    assert!(matches!(refused, Err(StoreError::Denied)), "{refused:?}");
    let refused = store.0.delete(&ana.id, denied()).await;
    assert!(matches!(refused, Err(StoreError::Denied)), "{refused:?}");
    let refused = store.0.mfa().unwrap().remove_factor(&ana.id, &factor, denied()).await;
    assert!(matches!(refused, Err(StoreError::Denied)), "{refused:?}");
    assert_eq!(kinds(&store).await, [Created, Created]);
}

pub(super) async fn of_writes_in_one_commit_those_that_succeed_leave_events(db: impl Backend) {
    let store = db.users().await;
    let inserts = join_all((0..200).map(|n| store.0.insert(user(format!("user{}", n % 70)), true))).await;
    let mut inserted: Vec<_> = inserts.into_iter().flatten().map(|user| user.id).collect();
    inserted.sort();
    assert_eq!(inserted.len(), 70);
    let mut told: Vec<_> = events(&store).await.into_iter().map(|event| event.user_id).collect();
    told.sort();
    assert_eq!(told, inserted);
}

pub(super) async fn events_are_read_from_a_position_and_of_one_namespace(db: impl Backend) {
    let (store, other) = (db.users().await, db.namespace("other").await);
    assert_eq!(outbox(&store).newest().await.unwrap(), None);
    for n in 0..5 {
        insert(&store, &format!("user{n}")).await;
        insert(&other, &format!("user{n}")).await;
    }
    let all = events(&store).await;
    assert_eq!(all.len(), 5);
    assert_eq!(outbox(&store).events(None, 2).await.unwrap(), all[..2]);
    assert_eq!(outbox(&store).events(Some(&all[1].id), 2).await.unwrap(), all[2..4]);
    assert_eq!(outbox(&store).events(Some(&all[4].id), 2).await.unwrap(), []);
    let others = events(&other).await;
    assert_eq!(outbox(&store).event(&others[0].id).await.unwrap(), None);
}

pub(super) async fn a_consumer_is_given_one_event_of_a_user_at_a_time(db: impl Backend) {
    let store = db.users().await;
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    touch(&store, &ana).await;
    let first = claim(&store, "hook").await;
    assert_eq!(of(&first), [(ana.id.as_str(), Created), (bo.id.as_str(), Created)]);
    assert_eq!(of(&claim(&store, "hook").await), []);
    assert!(settle(&store, &first[1], Outcome::Acknowledged).await);
    assert_eq!(of(&claim(&store, "hook").await), []);
    assert!(settle(&store, &first[0], Outcome::Acknowledged).await);
    assert!(!settle(&store, &first[0], Outcome::Acknowledged).await, "for the second time");
    let second = claim(&store, "hook").await;
    assert_eq!(of(&second), [(ana.id.as_str(), Updated)]);
    assert!(settle(&store, &second[0], Outcome::Acknowledged).await);
    assert_eq!(outbox(&store).claim("hook", LEASE, 100).await.unwrap(), Claim::default());
}

pub(super) async fn consumers_have_positions_of_their_own(db: impl Backend) {
    let store = db.users().await;
    for consumer in ["hook", "index"] {
        outbox(&store).add_consumer(consumer, StartAt::Oldest).await.unwrap();
    }
    insert(&store, "ana").await;
    insert(&store, "bo").await;
    for delivery in claim(&store, "hook").await {
        settle(&store, &delivery, Outcome::Acknowledged).await;
    }
    // There already: its position stays.
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    assert_eq!(claim(&store, "hook").await, []);
    let index = claim(&store, "index").await;
    assert_eq!(index.len(), 2);
    settle(&store, &index[0], Outcome::Dead { reason: "no".into() }).await;
    let consumers = outbox(&store).consumers().await.unwrap();
    let counts: Vec<_> = consumers.iter().map(|one| (one.name.as_str(), one.pending, one.dead)).collect();
    assert_eq!(counts, [("hook", 0, 0), ("index", 1, 1)]);
    assert!(outbox(&store).remove_consumer("index").await.unwrap());
    assert!(!outbox(&store).remove_consumer("index").await.unwrap());
    assert!(!settle(&store, &index[1], Outcome::Acknowledged).await, "of a consumer that is forgotten");
}

pub(super) async fn a_new_consumer_begins_where_it_was_told(db: impl Backend) {
    let store = db.users().await;
    outbox(&store).add_consumer("ahead", StartAt::Next).await.unwrap();
    insert(&store, "ana").await;
    outbox(&store).add_consumer("all", StartAt::Oldest).await.unwrap();
    outbox(&store).add_consumer("next", StartAt::Next).await.unwrap();
    insert(&store, "bo").await;
    for (consumer, count) in [("ahead", 2), ("all", 2), ("next", 1)] {
        assert_eq!(claim(&store, consumer).await.len(), count, "{consumer}");
    }
}

pub(super) async fn an_event_that_fails_holds_up_its_user_only(db: impl Backend) {
    let store = db.users().await;
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    for _ in 0..700 {
        touch(&store, &ana).await;
    }
    touch(&store, &bo).await;
    let first = claim(&store, "hook").await;
    assert!(settle(&store, &first[0], failed(NEVER)).await);
    assert!(settle(&store, &first[1], Outcome::Acknowledged).await);
    // More of hers wait than one claim takes up.
    let mut second = Vec::new();
    while second.is_empty() {
        let claim = outbox(&store).claim("hook", LEASE, 100).await.unwrap();
        assert!(claim.more || !claim.deliveries.is_empty(), "{claim:?}");
        second = claim.deliveries;
    }
    assert_eq!(of(&second), [(bo.id.as_str(), Updated)]);
    assert!(settle(&store, &second[0], failed(SOON)).await);
    let third = claim(&store, "hook").await;
    assert_eq!(of(&third), [(bo.id.as_str(), Updated)]);
    assert_eq!((third[0].attempts, third[0].refusals), (2, 1));
}

pub(super) async fn a_claim_is_void_when_its_lease_is_over_and_another_claimed(db: impl Backend) {
    let store = db.users().await;
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    insert(&store, "ana").await;
    let over = outbox(&store).claim("hook", Duration::ZERO, 1).await.unwrap().deliveries;
    let again = claim(&store, "hook").await;
    assert_eq!(of(&again), of(&over));
    assert_eq!((over[0].attempts, again[0].attempts), (1, 2));
    for outcome in [Outcome::Acknowledged, Outcome::Released, failed(SOON), Outcome::Dead { reason: "no".into() }] {
        assert!(!settle(&store, &over[0], outcome).await);
    }
    assert!(settle(&store, &again[0], Outcome::Acknowledged).await);
}

pub(super) async fn a_released_claim_does_not_count(db: impl Backend) {
    let store = db.users().await;
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    insert(&store, "ana").await;
    for _ in 0..3 {
        let claimed = claim(&store, "hook").await;
        assert_eq!(claimed[0].attempts, 1);
        assert!(settle(&store, &claimed[0], Outcome::Released).await);
    }
}

pub(super) async fn an_event_that_was_given_up_lets_later_ones_ahead_and_is_retried_or_discarded(db: impl Backend) {
    let store = db.users().await;
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    let ana = insert(&store, "ana").await;
    touch(&store, &ana).await;
    let first = claim(&store, "hook").await;
    assert!(settle(&store, &first[0], Outcome::Dead { reason: "400: what is this?".into() }).await);
    let dead = outbox(&store).dead(Some("hook"), 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((&dead[0].event, dead[0].attempts), (&first[0].event, 1));
    assert_eq!(dead[0].reason, "400: what is this?");
    assert_eq!(outbox(&store).dead(None, 10).await.unwrap(), dead);
    assert_eq!(outbox(&store).dead(Some("other"), 10).await.unwrap(), []);

    let second = claim(&store, "hook").await;
    assert_eq!(of(&second), [(ana.id.as_str(), Updated)]);
    // Retried while a later one is under way: it waits for that.
    let id = Some(first[0].event.id.as_str());
    assert_eq!(outbox(&store).revive("hook", Some("ghost"), Revival::Retry).await.unwrap(), 0);
    assert_eq!(outbox(&store).revive("hook", id, Revival::Retry).await.unwrap(), 1);
    assert_eq!(outbox(&store).revive("hook", id, Revival::Retry).await.unwrap(), 0);
    assert_eq!(of(&claim(&store, "hook").await), []);
    assert!(settle(&store, &second[0], Outcome::Acknowledged).await);
    let third = claim(&store, "hook").await;
    assert_eq!((of(&third), third[0].attempts), (of(&first), 1));
    assert!(settle(&store, &third[0], Outcome::Dead { reason: "again".into() }).await);
    assert_eq!(outbox(&store).revive("hook", None, Revival::Discard).await.unwrap(), 1);
    assert_eq!(outbox(&store).dead(None, 10).await.unwrap(), []);
    assert_eq!(claim(&store, "hook").await, []);
}

pub(super) async fn many_workers_share_the_events_in_each_users_order(db: impl Backend) {
    const USERS: usize = 12;
    const CHANGES: usize = 5;
    let store = db.users().await;
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    let log = std::sync::Mutex::new(Vec::new());
    let work = async || {
        while log.lock().unwrap().len() < USERS * (CHANGES + 1) {
            for delivery in outbox(&store).claim("hook", LEASE, 3).await.unwrap().deliveries {
                // Ahead of the acknowledgement: the next of the user cannot be logged before.
                let event = delivery.event.clone();
                if delivery.attempts == 1 && event.kind == Updated && event.id.ends_with(['0', '1', '2', '3']) {
                    assert!(settle(&store, &delivery, failed(SOON)).await);
                } else {
                    log.lock().unwrap().push(event);
                    assert!(settle(&store, &delivery, Outcome::Acknowledged).await);
                }
            }
            tokio::task::yield_now().await;
        }
    };
    let write = async |n: usize| {
        let user = insert(&store, &format!("user{n}")).await;
        for _ in 0..CHANGES {
            touch_with(&store, &user, uuid::Uuid::now_v7().to_string()).await;
        }
    };
    let all = async { futures::join!(join_all((0..4).map(|_| work())), join_all((0..USERS).map(write))) };
    tokio::time::timeout(LEASE, all).await.expect("the workers do not get through");
    let by_user = |events: Vec<EventRecord>| {
        let mut users: BTreeMap<String, Vec<EventRecord>> = BTreeMap::new();
        for event in events {
            users.entry(event.user_id.clone()).or_default().push(event);
        }
        users
    };
    let given = log.into_inner().unwrap();
    assert_eq!(by_user(given), by_user(events(&store).await));
}

/// A rename.
async fn touch_with(store: &Plain, user: &UserRecord, name: String) {
    let change = UserChange { name: Some(name), ..UserChange::default() };
    store.0.update(&user.id, change, published()).await.unwrap().unwrap();
}

pub(super) async fn pruning_leaves_what_somebody_has_not_acknowledged(db: impl Backend) {
    let store = db.users().await;
    let future = || Timestamp::from_unix_millis(8_000_000_000_000);
    for n in 0..4 {
        insert(&store, &format!("user{n}")).await;
    }
    let all = events(&store).await;
    assert_eq!(outbox(&store).prune(SOON).await.unwrap(), 0, "all are younger");
    outbox(&store).add_consumer("hook", StartAt::Oldest).await.unwrap();
    assert_eq!(outbox(&store).prune(future()).await.unwrap(), 0, "none was claimed");
    let claimed = outbox(&store).claim("hook", LEASE, 3).await.unwrap().deliveries;
    assert_eq!(claimed.len(), 3);
    assert_eq!(outbox(&store).prune(future()).await.unwrap(), 0, "none was acknowledged");
    assert!(settle(&store, &claimed[0], Outcome::Acknowledged).await);
    assert!(settle(&store, &claimed[1], Outcome::Dead { reason: "no".into() }).await);
    assert!(settle(&store, &claimed[2], Outcome::Acknowledged).await);
    assert_eq!(outbox(&store).prune(future()).await.unwrap(), 2);
    assert_eq!(events(&store).await, [all[1].clone(), all[3].clone()]);
    assert!(outbox(&store).remove_consumer("hook").await.unwrap());
    assert_eq!(outbox(&store).prune(future()).await.unwrap(), 2, "nobody waits for them");
    // Ids go on above those that were pruned.
    assert_eq!(outbox(&store).newest().await.unwrap().as_ref(), Some(&all[3].id));
    insert(&store, "late").await;
    assert!(events(&store).await[0].id > all[3].id);
}

pub(super) async fn nobody_claims_for_a_consumer_that_is_not_there(db: impl Backend) {
    let store = db.users().await;
    insert(&store, "ana").await;
    let claim = outbox(&store).claim("ghost", LEASE, 1).await;
    assert!(matches!(&claim, Err(StoreError::NoSuchConsumer(name)) if name == "ghost"), "{claim:?}");
}
