//! Tests of what callers cannot see: query plans, and writes that share a commit. Behaviour is tested by the store contract.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use pretty_assertions::assert_eq;
use rusqlite::Connection;

use super::*;
use crate::model::{EventKind, Timestamp, UserKey, UserRecord};
use crate::store::{
    Batch, CounterKey, Expect, JobFilter, JobKey, JobState, Mutation, NewEvent, NewJob, NewUser, Outcome, QueueName,
    StartAt, Store, TokenHash, UserPatch, UserRef,
};

const LEASE: Duration = Duration::from_secs(10);

/// A store with a clock that tests set.
async fn store() -> (SqliteDatabase, SqliteStore, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(1_700_000_000_000));
    let clock = Arc::clone(&time);
    let clock = move || Timestamp::from_unix_millis(clock.load(Ordering::Relaxed));
    let database = SqliteDatabase::in_memory_with_clock(Arc::new(clock)).unwrap();
    let store = database.namespace(&NamespaceName::new("home").unwrap()).await.unwrap();
    (database, store, time)
}

fn batch(mutations: impl IntoIterator<Item = Mutation>) -> Batch {
    Batch { mutations: mutations.into_iter().collect(), ..Batch::default() }
}

fn create(name: &str) -> Mutation {
    Mutation::CreateUser(NewUser { name: name.to_owned(), ..NewUser::default() })
}

fn rename(user: &UserRecord, name: &str) -> Batch {
    let patch = UserPatch { name: Some(name.to_owned()), ..UserPatch::default() };
    let expect = vec![Expect::User { id: user.id.clone(), version: user.version }];
    Batch { expect, ..batch([Mutation::UpdateUser { id: user.id.clone(), patch }]) }
}

async fn add(store: &SqliteStore, name: &str) -> UserRecord {
    store.commit(batch([create(name)])).await.unwrap().created.remove(0)
}

fn publish(user: &UserRecord) -> Batch {
    let event = NewEvent { user: UserRef::Id(user.id.clone()), kind: EventKind::Updated };
    Batch { events: vec![event], ..Batch::default() }
}

#[tokio::test]
async fn failed_writes_leave_other_writes_of_the_commit() {
    let (_database, store, _) = store().await;
    let (ana, ben) = (add(&store, "ana").await, add(&store, "ben").await);
    let stale = rename(&ana, "anna");
    store.commit(stale.clone()).await.unwrap();
    let with_event = Batch { events: publish(&ben).events, ..rename(&ben, "anna") };
    let unknown = batch([Mutation::DeleteUser { id: "ana".to_owned() }]);
    let (conflict, taken, undone, missing, cora) = tokio::join!(
        store.commit(stale),
        store.commit(rename(&ben, "anna")),
        store.commit(with_event),
        store.commit(unknown),
        store.commit(batch([create("cora")])),
    );
    assert!(matches!(conflict, Err(StoreError::Conflict)));
    assert!(matches!(taken, Err(StoreError::NameTaken)));
    assert!(matches!(undone, Err(StoreError::NameTaken)));
    assert!(matches!(missing, Err(StoreError::Conflict)));
    assert_eq!(store.get(UserKey::Name("cora")).await.unwrap(), Some(cora.unwrap().created.remove(0)));
    assert_eq!(store.get(UserKey::Id(&ben.id)).await.unwrap(), Some(ben));
    assert_eq!(store.event_log().await.unwrap().newest, None);
}

#[tokio::test]
async fn batch_that_fails_late_changes_nothing() {
    let (_database, store, _) = store().await;
    let ana = add(&store, "ana").await;
    let touch = Mutation::TouchUser { id: ana.id.clone() };
    let error = store.commit(batch([touch, create("ben"), create("ana")])).await.unwrap_err();
    assert!(matches!(error, StoreError::NameTaken));
    assert_eq!(store.get(UserKey::Id(&ana.id)).await.unwrap(), Some(ana));
    assert_eq!(store.get(UserKey::Name("ben")).await.unwrap(), None);
}

#[tokio::test]
async fn deleting_a_user_and_the_jobs_works_in_either_order() {
    let (_database, store, _) = store().await;
    for is_first in [true, false] {
        let ana = add(&store, "ana").await;
        let job = NewJob { queue: QueueName::ResetMails, user_id: ana.id.clone(), payload: "{}".to_owned() };
        store.commit(batch([Mutation::Enqueue(job.clone())])).await.unwrap();
        let mut mutations = vec![
            Mutation::DeleteJobs { queue: QueueName::ResetMails, user_id: ana.id.clone() },
            Mutation::DeleteUser { id: ana.id.clone() },
        ];
        if !is_first {
            mutations.reverse();
        }
        assert_eq!(store.commit(batch(mutations)).await.unwrap().affected, [1, 1]);
        let late = batch([Mutation::Enqueue(job)]);
        assert!(matches!(store.commit(late).await, Err(StoreError::Conflict)));
    }
}

#[tokio::test]
async fn times_and_ids_are_by_the_clock_of_the_database() {
    let (_database, store, time) = store().await;
    time.store(1_234_567, Ordering::Relaxed);
    let ana = add(&store, "ana").await;
    assert_eq!(ana.created_at, Some(Timestamp::from_unix_millis(1_234_567)));
    assert!(ana.id.starts_with("00000012-d687-7"), "{}", ana.id);
    time.store(0, Ordering::Relaxed);
    let ben = add(&store, "ben").await;
    assert!(ben.id > ana.id);
}

#[tokio::test]
async fn events_of_a_user_are_claimed_one_at_a_time_and_in_order() {
    let (_database, store, time) = store().await;
    let hook = QueueName::Events("hook".to_owned());
    assert!(matches!(store.claim(&hook, LEASE, 9).await, Err(StoreError::NoSuchConsumer(_))));
    let consumer = Mutation::AddConsumer { name: "hook".to_owned(), start: StartAt::Oldest };
    assert_eq!(store.commit(batch([consumer.clone()])).await.unwrap().affected, [1]);
    assert_eq!(store.commit(batch([consumer])).await.unwrap().affected, [0]);
    let (ana, ben) = (add(&store, "ana").await, add(&store, "ben").await);
    for user in [&ana, &ana, &ben] {
        store.commit(publish(user)).await.unwrap();
    }
    let log = store.event_log().await.unwrap();
    assert_eq!((log.consumers[0].pending, log.consumers[0].dead), (3, 0));

    let first = store.claim(&hook, LEASE, 9).await.unwrap();
    let users: Vec<_> = first.deliveries.iter().map(|delivery| delivery.job.user_id.as_str()).collect();
    assert_eq!((users, first.more), (vec![&*ana.id, &*ben.id], false));
    assert_eq!(first.next_due, Some(store.now().after(LEASE)));
    assert!(store.claim(&hook, LEASE, 9).await.unwrap().deliveries.is_empty());

    // A lease that ended is valid until the next claim.
    time.fetch_add(11_000, Ordering::Relaxed);
    let again = store.claim(&hook, LEASE, 1).await.unwrap();
    assert_eq!((again.deliveries.len(), again.deliveries[0].job.attempts, again.more), (1, 2, true));
    let done = || Outcome::Done { keep: false };
    assert!(!store.settle(&first.deliveries[0].lease, done()).await.unwrap());
    assert!(store.settle(&first.deliveries[1].lease, done()).await.unwrap());
    let dead = Outcome::Dead { reason: "refused".to_owned() };
    assert!(store.settle(&again.deliveries[0].lease, dead).await.unwrap());

    let second = store.claim(&hook, LEASE, 9).await.unwrap();
    assert_eq!(second.deliveries.len(), 1);
    assert!(second.deliveries[0].job.event.as_ref().unwrap().id > first.deliveries[0].job.event.as_ref().unwrap().id);
    let dead = JobFilter { state: Some(JobState::Dead), ..JobFilter::new(hook.clone()) };
    let dead = store.jobs(dead).await.unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_deref()), (1, Some("refused")));
    // Behind the leased one, though it is older.
    let event = dead[0].event.as_ref().unwrap().id.clone();
    let retry = Mutation::RetryDead { queue: hook.clone(), job: Some(JobKey::Event(event)) };
    assert_eq!(store.commit(batch([retry])).await.unwrap().affected, [1]);
    assert!(store.claim(&hook, LEASE, 9).await.unwrap().deliveries.is_empty());
    let retry = Outcome::Retry { after: LEASE, refused: true, reason: "busy".to_owned() };
    assert!(store.settle(&second.deliveries[0].lease, retry).await.unwrap());
    assert!(store.claim(&hook, LEASE, 9).await.unwrap().deliveries.is_empty());
    time.fetch_add(10_000, Ordering::Relaxed);
    let third = store.claim(&hook, LEASE, 9).await.unwrap();
    assert_eq!((third.deliveries.len(), third.deliveries[0].job.refusals), (1, 1));
    assert!(store.settle(&third.deliveries[0].lease, done()).await.unwrap());
    let fourth = store.claim(&hook, LEASE, 9).await.unwrap();
    assert_eq!((fourth.deliveries[0].job.attempts, fourth.deliveries[0].job.id), (1, dead[0].id));

    let remove = Mutation::RemoveConsumer { name: "hook".to_owned() };
    assert_eq!(store.commit(batch([remove])).await.unwrap().affected, [1]);
    assert!(!store.settle(&fourth.deliveries[0].lease, done()).await.unwrap());
}

#[tokio::test]
async fn claim_takes_up_more_events_than_its_bound_in_several_calls() {
    let (_database, store, _) = store().await;
    let consumer = Mutation::AddConsumer { name: "hook".to_owned(), start: StartAt::Oldest };
    store.commit(batch([consumer])).await.unwrap();
    let ana = add(&store, "ana").await;
    for _ in 0..6 {
        let events = vec![publish(&ana).events.remove(0); 100];
        store.commit(Batch { events, ..Batch::default() }).await.unwrap();
    }
    let hook = QueueName::Events("hook".to_owned());
    let first = store.claim(&hook, LEASE, 4).await.unwrap();
    assert_eq!((first.deliveries.len(), first.more), (1, true));
    let second = store.claim(&hook, LEASE, 4).await.unwrap();
    assert_eq!((second.deliveries.len(), second.more), (0, false));
    assert_eq!(store.event_log().await.unwrap().consumers[0].pending, 600);
}

#[tokio::test]
async fn mails_are_claimed_with_tokens_and_ended_by_the_user() {
    let (_database, store, _) = store().await;
    let ana = add(&store, "ana").await;
    let queue = || QueueName::ResetMails;
    assert!(store.claim(&queue(), LEASE, 1).await.unwrap().deliveries.is_empty());
    let job = NewJob { queue: queue(), user_id: ana.id.clone(), payload: "{}".to_owned() };
    let newest = |id| Expect::NewestJob { queue: queue(), user_id: ana.id.clone(), id };
    let enqueue = |id| Batch { expect: vec![newest(id)], ..batch([Mutation::Enqueue(job.clone())]) };
    store.commit(enqueue(None)).await.unwrap();
    assert!(matches!(store.commit(enqueue(None)).await, Err(StoreError::Conflict)));
    store.commit(enqueue(Some(1))).await.unwrap();

    let claim = store.claim(&queue(), LEASE, 1).await.unwrap();
    let lease = &claim.deliveries[0].lease;
    assert_eq!((lease.job_id, claim.more), (1, true));
    let hash = TokenHash([7; 32]);
    let put = |job_id| Mutation::PutResetToken { user_id: ana.id.clone(), hash, job_id, expires_at: store.now() };
    let with_lease = |mutation| Batch { expect: vec![Expect::Lease(lease.clone())], ..batch([mutation]) };
    assert!(matches!(store.commit(with_lease(put(77))).await, Err(StoreError::Conflict)));
    store.commit(with_lease(put(1))).await.unwrap();
    assert_eq!(store.reset_token(hash).await.unwrap().unwrap().job_id, 1);
    assert!(store.settle(lease, Outcome::Done { keep: true }).await.unwrap());
    assert!(matches!(store.commit(with_lease(put(1))).await, Err(StoreError::Conflict)));

    let end = Mutation::EndJobs { queue: queue(), user_id: ana.id.clone(), reason: "disabled".to_owned() };
    assert_eq!(store.commit(batch([end])).await.unwrap().affected, [1]);
    let states: Vec<_> = store.jobs(JobFilter::new(queue())).await.unwrap().iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Done, JobState::Ended]);
    let before = store.now().after(Duration::from_millis(1));
    let prune = |limit| Mutation::PruneJobs { queue: queue(), finished_before: before, limit };
    assert_eq!(store.commit(batch([prune(1), prune(9)])).await.unwrap().affected, [1, 1]);
    assert_eq!(store.reset_token(hash).await.unwrap(), None);
    store.commit(enqueue(None)).await.unwrap();
    assert_eq!(store.jobs(JobFilter::new(queue())).await.unwrap()[0].id, 3);
}

#[tokio::test]
async fn counters_count_within_their_windows() {
    let (_database, store, time) = store().await;
    let key = || CounterKey { scope: "password", subject: vec![1] };
    let count = |by, since| Mutation::Count { key: key(), by, window: LEASE, since };
    let start = store.now();
    let counters =
        store.commit(batch([count(2, None), count(1, None), count(-1, Some(start))])).await.unwrap().counters;
    assert_eq!(counters.iter().map(|counter| counter.count).collect::<Vec<_>>(), [2, 3, 2]);
    time.fetch_add(9_999, Ordering::Relaxed);
    assert_eq!(store.counters(&[key()]).await.unwrap()[0].count, 2);
    assert_eq!(store.commit(batch([count(5, Some(store.now()))])).await.unwrap().affected, [0]);
    time.fetch_add(1, Ordering::Relaxed);
    assert_eq!(store.counters(&[key()]).await.unwrap()[0].since, start);
    assert_eq!(store.commit(batch([count(-1, None)])).await.unwrap().counters[0].count, 0);
    // The clock is set back: the window moves.
    time.fetch_sub(50_000, Ordering::Relaxed);
    let moved = store.commit(batch([count(1, None)])).await.unwrap().counters[0];
    assert_eq!((moved.count, moved.since), (1, store.now()));
    time.fetch_add(10_000, Ordering::Relaxed);
    assert_eq!(
        store.commit(batch([Mutation::PruneCounters { started_until: moved.since }])).await.unwrap().affected,
        [1]
    );
}

#[test]
fn queries_of_jobs_use_indexes() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::migrate(&mut connection).unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>("detail")).unwrap();
        steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    };
    let user = "queue_id = 1 AND user_id = x'0a'";
    for (sql, index) in [
        ("SELECT min(due_at) FROM jobs WHERE queue_id = 1 AND state IN ('queued', 'leased')".to_owned(), "jobs_due"),
        (
            "SELECT * FROM jobs WHERE queue_id = 1 AND state IN ('queued', 'leased') AND due_at <= 9 ORDER BY due_at, id"
                .to_owned(),
            "jobs_due",
        ),
        (format!("SELECT min(id) FROM jobs WHERE {user} AND state = 'waiting'"), "jobs_waiting"),
        (format!("SELECT max(id) FROM jobs WHERE {user}"), "jobs_by_user"),
        ("SELECT count(*) FROM jobs WHERE queue_id = 1 AND state = 'dead'".to_owned(), "jobs_dead"),
        (
            "SELECT id FROM jobs WHERE queue_id = 1 AND finished_at < 9 ORDER BY finished_at LIMIT 1".to_owned(),
            "jobs_finished",
        ),
        ("SELECT id FROM jobs WHERE queue_id = 1 AND event_id = x'0a'".to_owned(), "jobs_by_event"),
        ("DELETE FROM counters WHERE namespace_id = 1 AND since <= 9".to_owned(), "counters_by_start"),
        ("SELECT * FROM jobs AS j INDEXED BY jobs_by_queue WHERE queue_id = 1 ORDER BY id".to_owned(), "jobs_by_queue"),
        ("DELETE FROM jobs INDEXED BY jobs_dead WHERE queue_id = 1 AND state = 'dead'".to_owned(), "jobs_dead"),
        (
            "DELETE FROM jobs NOT INDEXED WHERE queue_id = 1 AND state = 'dead' AND id = 1".to_owned(),
            "INTEGER PRIMARY KEY",
        ),
    ] {
        let plan = plan(&sql);
        assert!(plan.contains("SEARCH") && plan.contains(index) && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}

#[tokio::test]
async fn snapshots_hold_the_content_of_their_moment() {
    let (database, store, time) = store().await;
    let ana = add(&store, "ana").await;
    let snapshot = database.snapshot().unwrap();
    add(&store, "ben").await;
    for _ in 0..2 {
        let clock = Arc::clone(&time);
        let clock = move || Timestamp::from_unix_millis(clock.load(Ordering::Relaxed));
        let copy = SqliteDatabase::in_memory_from(&snapshot, Arc::new(clock)).unwrap();
        let copied = copy.namespace(&NamespaceName::new("home").unwrap()).await.unwrap();
        assert_eq!(copied.seal_key(), store.seal_key());
        assert_eq!(copied.get(UserKey::Name("ana")).await.unwrap(), Some(ana.clone()));
        assert_eq!(copied.get(UserKey::Name("ben")).await.unwrap(), None);
        // A database of its own: neither the original nor the next copy sees this.
        add(&copied, "cora").await;
        assert_eq!(store.get(UserKey::Name("cora")).await.unwrap(), None);
    }
}
