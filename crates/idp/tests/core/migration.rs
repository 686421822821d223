//! Databases of earlier programs: everything in them is there after the migration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use rusqlite::Connection;
use serde_json::{Value, json};
use tailor_idp_core::store::contract::ManualClock;
use tailor_idp_core::store::{
    Batch, Claim, Consumer, Delivery, EventQuery, Expect, Factor, JobFilter, JobRecord, JobState, Mutation, NewEvent,
    Outcome, QueueName, ResetToken, SqliteDatabase, TokenHash, UserRef,
};
use tailor_idp_core::{EventKind, EventRecord, Timestamp, UserKey};
use tempfile::TempDir;

use crate::support::{
    Shared, by_name, commit, disabled, enqueue, everyone, insert, names, namespace, password_hash, place, total, update,
};

const VERSION_5: &str = include_str!("version5.sql");

/// The time at which the new program opens the database.
const OPENED: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

const LEASE: Duration = Duration::from_secs(300);

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// The database of version 5, opened by the new program.
struct Migrated {
    database: SqliteDatabase,
    clock: Arc<ManualClock>,
    path: PathBuf,
    _folder: TempDir,
}

impl Migrated {
    fn new() -> Self {
        let (folder, path) = place();
        Connection::open(&path).unwrap().execute_batch(VERSION_5).unwrap();
        let clock = Arc::new(ManualClock::default());
        clock.set(OPENED);
        let database = SqliteDatabase::open_with_clock(&path, Arc::<ManualClock>::clone(&clock)).unwrap();
        Self { database, clock, path, _folder: folder }
    }

    async fn store(&self, name: &str) -> Shared {
        Arc::new(self.database.namespace(&namespace(name)).await.unwrap())
    }
}

fn user_id(n: u8) -> String {
    format!("0190a000-0000-7000-8000-0000000000{n:02x}")
}

fn event_id(n: u8) -> String {
    format!("0190b000-0000-7000-8000-0000000000{n:02x}")
}

fn factor_id(n: u8) -> String {
    format!("0190c000-0000-7000-8000-0000000000{n:02x}")
}

fn hook() -> QueueName {
    QueueName::Events("hook".into())
}

/// The numbers of the events that were delivered.
fn numbers(deliveries: &[Delivery]) -> Vec<u8> {
    let id = |delivery: &Delivery| delivery.job.event.as_ref().unwrap().id.clone();
    deliveries.iter().map(|delivery| (1..9).find(|n| event_id(*n) == id(delivery)).unwrap()).collect()
}

async fn claim(store: &Shared, queue: &QueueName) -> Claim {
    store.claim(queue, LEASE, 100).await.unwrap()
}

#[tokio::test]
async fn migration_keeps_namespaces_and_users() {
    let db = Migrated::new();
    assert_eq!(db.database.namespaces().unwrap(), ["away", "empty-one", "home"]);
    let (home, away) = (db.store("home").await, db.store("away").await);
    assert_eq!((total(&home).await, total(&away).await, total(&db.store("empty-one").await).await), (3, 1, 0));
    let users = everyone(&home).await;
    assert_eq!(names(&users), ["ana@example.com", "bo@example.com", "O'Hara \"名前\" 🦀"]);
    let columns: Vec<_> = users.iter().map(|user| (user.id.clone(), user.disabled, user.created_at)).collect();
    let expected = [(1, false), (2, true), (3, false)];
    let expected = expected.map(|(n, disabled)| (user_id(n), disabled, Some(at(1_700_000_000_000 + i64::from(n)))));
    assert_eq!(columns, expected);
    assert_eq!(by_name(&away, "ana@example.com").await.unwrap().id, user_id(4));
    assert_eq!(home.seal_key(), std::array::from_fn(|index| index as u8));
    // They have versions, and can be changed.
    let expect = vec![Expect::User { id: user_id(1), version: users[0].version }];
    let mutations = vec![Mutation::TouchUser { id: user_id(1) }];
    home.commit(Batch { expect, mutations, ..Batch::default() }).await.unwrap();
    update(&home, &user_id(3), disabled()).await;
    let new = insert(&home, "new").await;
    assert!(new.id > user_id(5), "above the newest id, which was of a deleted user: {}", new.id);
}

#[tokio::test]
async fn migration_keeps_passwords_factors_and_tokens() {
    let db = Migrated::new();
    let home = db.store("home").await;
    let mut found = Vec::new();
    for n in 1..=3 {
        let id = user_id(n);
        let credentials = home.credentials(UserKey::Id(&id)).await.unwrap().unwrap();
        found.push((credentials.password.unwrap(), credentials.factors, credentials.user.mfa_factor_ids));
    }
    let factor = |n, secret: &[u8], expires_at, last_step| Factor {
        id: factor_id(n),
        secret: secret.to_vec(),
        expires_at,
        last_step,
    };
    let anas = vec![
        factor(1, &[0x00, 0xff], None, Some(57_000_000)),
        factor(2, b"waiting", Some(at(1_800_000_600_000)), None),
    ];
    let expected = [
        (Some(password_hash("first")), anas, vec![factor_id(1)]),
        (None, vec![], vec![]),
        (Some(password_hash("second")), vec![factor(3, b"", None, Some(0))], vec![factor_id(3)]),
    ];
    assert_eq!(found, expected);

    let token = async |byte| home.reset_token(TokenHash([byte; 32])).await.unwrap();
    let of = |n, job_id, millis| Some(ResetToken { user_id: user_id(n), job_id, expires_at: at(millis) });
    assert_eq!(token(1).await, of(1, 2, 1_800_003_600_000));
    assert_eq!(token(2).await, of(3, 4, 1_800_003_660_000));
    // They are still deleted with their users, and with their jobs.
    commit(&home, Mutation::DeleteUser { id: user_id(1) }).await.unwrap();
    commit(&home, Mutation::DeleteJobs { queue: QueueName::ResetMails, user_id: user_id(3) }).await.unwrap();
    assert_eq!((token(1).await, token(2).await), (None, None));
}

#[tokio::test]
async fn migration_makes_jobs_of_mails() {
    let db = Migrated::new();
    let (home, away) = (db.store("home").await, db.store("away").await);
    let jobs = home.jobs(JobFilter::new(QueueName::ResetMails)).await.unwrap();
    let payloads: Vec<Value> = jobs.iter().map(|job| serde_json::from_str(&job.payload).unwrap()).collect();
    let payload = |uri: &str, from_name: Option<&str>, subject: Option<&str>| json!({ "redirectUri": format!("https://example.com/{uri}"), "fromName": from_name, "subject": subject });
    let expected = [
        payload("1", None, None),
        payload("2", Some("Example"), Some("Reset")),
        payload("3?a=\"b\"", None, Some("名前")),
        payload("4", None, None),
        payload("5", None, None),
    ];
    assert_eq!(payloads, expected);
    let expected =
        |id, user, state, queued: i64, due: i64, finished: Option<i64>, attempts, reason: Option<&str>| JobRecord {
            id,
            user_id: user_id(user),
            payload: String::new(),
            event: None,
            state,
            queued_at: at(queued),
            due_at: at(due),
            finished_at: finished.map(at),
            attempts,
            refusals: 0,
            reason: reason.map(ToOwned::to_owned),
        };
    use JobState::{Dead, Done, Ended, Leased, Queued};
    let before = "not sent: queued before mails were sent";
    let (no_mailbox, later) = ("550 no such mailbox", "421 try again later");
    let (sent, given_up) = (1_799_999_002_000, 1_799_999_003_000);
    let expected = [
        expected(1, 1, Ended, 0, 0, Some(1_790_000_000_000), 0, Some(before)),
        expected(2, 1, Done, 1_799_999_000_000, sent, Some(sent), 2, None),
        expected(3, 3, Dead, 1_799_990_000_000, given_up, Some(given_up), 12, Some(no_mailbox)),
        expected(4, 3, Leased, 1_799_999_999_000, 1_800_000_060_000, None, 1, None),
        expected(5, 1, Queued, 1_799_999_990_000, 1_800_000_030_000, None, 3, Some(later)),
    ];
    let records: Vec<_> = jobs.into_iter().map(|job| JobRecord { payload: String::new(), ..job }).collect();
    assert_eq!(records, expected);

    // They become due when they would have before.
    let due = async |store: &Shared| {
        let deliveries = claim(store, &QueueName::ResetMails).await.deliveries;
        deliveries.into_iter().map(|delivery| (delivery.job.id, delivery.job.attempts)).collect::<Vec<_>>()
    };
    assert_eq!((due(&home).await, due(&away).await), (vec![], vec![(6, 1)]));
    db.clock.advance(Duration::from_secs(30));
    assert_eq!(due(&home).await, [(5, 4)]);
    db.clock.advance(Duration::from_secs(30));
    assert_eq!(due(&home).await, [(4, 2)], "whoever had it never settled it");
    enqueue(&home, &user_id(2), "{}").await;
    let newest = JobFilter { newest_first: true, limit: 1, ..JobFilter::new(QueueName::ResetMails) };
    let newest = home.jobs(newest).await.unwrap().remove(0);
    assert!(newest.id > 9, "above the newest id, which was of a deleted mail: {}", newest.id);
}

#[tokio::test]
async fn migration_keeps_events_and_positions() {
    let db = Migrated::new();
    let (home, away) = (db.store("home").await, db.store("away").await);
    use EventKind::{Created, Deleted, Updated};
    let users = [
        (1, Created),
        (2, Created),
        (1, Updated),
        (1, Updated),
        (5, Deleted),
        (3, Created),
        (3, Updated),
        (2, Updated),
    ];
    let expected: Vec<_> = users
        .into_iter()
        .zip(1..)
        .map(|((user, kind), n)| {
            let time = at(1_799_999_000_000 + i64::from(n));
            EventRecord { id: event_id(n), user_id: user_id(user), kind, time }
        })
        .collect();
    let all = EventQuery::After { id: None, limit: 100 };
    assert_eq!(home.events(all).await.unwrap(), expected);
    assert_eq!(away.events(all).await.unwrap(), []);
    let log = home.event_log().await.unwrap();
    assert_eq!(log.newest, Some(event_id(8)));
    let consumer = |name: &str, pending, dead| Consumer { name: name.into(), pending, dead };
    assert_eq!(log.consumers, [consumer("hook", 6, 1), consumer("index", 8, 0)]);
    // All events of the other namespace were pruned. New ones still follow them.
    let newest = "01ffb000-0000-7000-8000-00000000000a";
    let log = away.event_log().await.unwrap();
    assert_eq!((log.newest.as_deref(), log.consumers), (Some(newest), vec![consumer("hook", 0, 0)]));
    let mutations = vec![Mutation::TouchUser { id: user_id(4) }];
    let events = vec![NewEvent { user: UserRef::Id(user_id(4)), kind: Updated }];
    away.commit(Batch { mutations, events, ..Batch::default() }).await.unwrap();
    let new = away.events(all).await.unwrap().remove(0);
    assert!(*new.id > *newest, "{}", new.id);
    assert_eq!(claim(&away, &hook()).await.deliveries[0].job.event.as_ref(), Some(&new));
}

#[tokio::test]
async fn migration_makes_jobs_of_deliveries() {
    let db = Migrated::new();
    let home = db.store("home").await;
    let dead = JobFilter { state: Some(JobState::Dead), ..JobFilter::new(hook()) };
    let dead = home.jobs(dead).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].event.as_ref().unwrap().id.as_str(), &dead[0].user_id), (event_id(1).as_str(), &user_id(1)));
    assert_eq!((dead[0].attempts, dead[0].refusals, dead[0].reason.as_deref()), (5, 4, Some("400: bad request")));

    let first = claim(&home, &hook()).await;
    assert_eq!(numbers(&first.deliveries), [6, 8], "8 is a new event for the consumer");
    assert_eq!(first.next_due, Some(at(1_800_000_010_000)));
    for delivery in &first.deliveries {
        assert_eq!(delivery.job.attempts, 1);
        assert!(home.settle(&delivery.lease, Outcome::Done { keep: false }).await.unwrap());
    }
    assert_eq!(numbers(&claim(&home, &hook()).await.deliveries), [7], "it waited for 6");
    db.clock.advance(Duration::from_secs(10));
    let retried = claim(&home, &hook()).await.deliveries;
    assert_eq!((numbers(&retried), retried[0].job.attempts, retried[0].job.refusals), (vec![3], 3, 1));
    assert!(home.settle(&retried[0].lease, Outcome::Done { keep: false }).await.unwrap());
    assert_eq!(numbers(&claim(&home, &hook()).await.deliveries), [4], "it waited for 3");
    db.clock.advance(Duration::from_secs(10));
    let leased = claim(&home, &hook()).await.deliveries;
    assert_eq!((numbers(&leased), leased[0].job.attempts), (vec![5], 2), "the earlier lease is over");
    assert_eq!(numbers(&claim(&home, &QueueName::Events("index".into())).await.deliveries), [1, 2, 5, 6]);
    let retry = commit(&home, Mutation::RetryDead { queue: hook(), job: None }).await.unwrap();
    assert_eq!(retry.affected, [1]);
}

#[tokio::test]
async fn migration_runs_once_and_leaves_a_consistent_file() {
    let Migrated { database, path, _folder: folder, .. } = Migrated::new();
    drop(database);
    let raw = Connection::open(&path).unwrap();
    let text = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    let violations: i64 = raw.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(violations, 0);
    // The schema is the same as that of a new database.
    let (_folder, new) = place();
    SqliteDatabase::open(&new).unwrap();
    let schema = "SELECT group_concat(name || char(10) || coalesce(sql, ''), char(10))
                  FROM (SELECT name, sql FROM sqlite_schema ORDER BY name)";
    let new: String = Connection::open(&new).unwrap().query_row(schema, [], |row| row.get(0)).unwrap();
    assert_eq!(text(schema), new);
    drop(raw);
    SqliteDatabase::open(&path).unwrap();
    drop(folder);
}
