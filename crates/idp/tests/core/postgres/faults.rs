//! Lost connections, killed server processes, a server that is away: no caller is told wrongly what has happened.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use tailor_idp_core::EventKind;
use tailor_idp_core::store::{
    Batch, EventQuery, Mutation, NewEvent, PostgresDatabase, PostgresOptions, StoreError, UserRef,
};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::proxy::{Fault, Proxy};
use super::server::{Place, Server};
use super::{place, require_postgres, server, users};
use crate::support::{Shared, by_name, create, everyone, insert, total, user};

/// A generous bound for "5 seconds", on a machine that does other things.
const SOON: Duration = Duration::from_secs(60);

/// Creates a user and publishes it.
async fn publish(store: &Shared, name: &str) -> Result<(), StoreError> {
    let batch = Batch {
        mutations: vec![Mutation::CreateUser(user(name))],
        events: vec![NewEvent { user: UserRef::Created, kind: EventKind::Created }],
        ..Batch::default()
    };
    store.commit(batch).await.map(drop)
}

async fn event_count(store: &Shared) -> u64 {
    store.events(EventQuery::After { id: None, limit: u32::MAX }).await.unwrap().len() as u64
}

/// What the callers of writes were told, by the names of the users.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) created: BTreeSet<String>,
    pub(super) failed: BTreeSet<String>,
    pub(super) unknown: BTreeSet<String>,
}

impl Told {
    fn record(&mut self, name: String, outcome: Result<(), StoreError>) {
        match outcome {
            Ok(()) => self.created.insert(name),
            Err(StoreError::UnknownOutcome(_)) => self.unknown.insert(name),
            Err(error) => {
                assert!(error.is_temporary(), "{name}: {error}");
                self.failed.insert(name)
            }
        };
    }

    /// Checks that exactly those are there who are said to be, and that counts and events agree.
    pub(super) async fn check(&self, store: &Shared) {
        let there: BTreeSet<_> = everyone(store).await.into_iter().map(|user| user.name).collect();
        let lost: Vec<_> = self.created.difference(&there).collect();
        assert_eq!(lost, Vec::<&String>::new(), "told to be created, and are not there");
        let false_failures: Vec<_> = self.failed.intersection(&there).collect();
        assert_eq!(false_failures, Vec::<&String>::new(), "told to have failed, and are there");
        let known = there.iter().all(|name| self.created.contains(name) || self.unknown.contains(name));
        assert!(known, "somebody is there whom nobody created");
        assert_eq!((total(store).await, event_count(store).await), (there.len() as u64, there.len() as u64));
    }
}

/// Writers that publish users until they are told to stop.
pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Told>,
}

impl Writers {
    pub(super) fn start(stores: &[Shared], count: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut tasks = JoinSet::new();
        for (writer, store) in stores.iter().cycle().take(count).enumerate() {
            let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
            tasks.spawn(async move {
                let mut told = Told::default();
                for round in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let name = format!("user{writer}-{round}");
                    let outcome = publish(&store, &name).await;
                    told.record(name, outcome);
                }
                told
            });
        }
        Self { stop, tasks }
    }

    pub(super) async fn stop(mut self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Told::default();
        while let Some(told) = self.tasks.join_next().await {
            let Told { created, failed, unknown } = told.unwrap();
            all.created.extend(created);
            all.failed.extend(failed);
            all.unknown.extend(unknown);
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_succeed_exactly_once_when_the_connection_is_cut_during_the_commit() {
    require_postgres!();
    let proxy = Proxy::start(server().await.port()).await;
    let place = Place { url: proxy.url(), ..place().await };
    let store = users(&place.open().await.unwrap()).await;
    let faults = [Fault::CutBeforeCommit, Fault::CutAfterCommit, Fault::DelayCommitAfterCut];
    for round in 0..30 {
        proxy.set(faults[round % 3]);
        publish(&store, &format!("user{round}")).await.unwrap();
    }
    assert_eq!(proxy.hits(), 30);
    assert_eq!((total(&store).await, event_count(&store).await), (30, 30));
    assert_eq!(everyone(&store).await.len(), 30);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_caller_is_told_wrongly_when_server_processes_are_killed() {
    require_postgres!();
    let place = place().await;
    // With a name of its own, to kill the server processes of no other test.
    let url = format!("{}&application_name={}", place.url, place.schema);
    let place = Place { url, ..place };
    let store = users(&place.open().await.unwrap()).await;
    let writers = Writers::start(std::slice::from_ref(&store), 8);
    let client = server().await.client().await;
    for _ in 0..300 {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = $1 ORDER BY random() LIMIT 1";
        client.query(sql, &[&place.schema]).await.unwrap();
        sleep(Duration::from_millis(5)).await;
    }
    let told = writers.stop().await;
    assert!(!told.created.is_empty());
    assert_eq!(told.unknown, BTreeSet::new(), "the server is there: every outcome can be found out");
    told.check(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_caller_is_told_wrongly_when_the_server_crashes() {
    require_postgres!();
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let place = server.place();
    let (one, other) = (place.open().await.unwrap(), place.open().await.unwrap());
    let stores = [users(&one).await, users(&other).await];
    let writers = Writers::start(&stores, 8);
    for _ in 0..5 {
        sleep(Duration::from_millis(300)).await;
        server = tokio::task::spawn_blocking(move || {
            server.crash_and_restart();
            server
        })
        .await
        .unwrap();
    }
    sleep(Duration::from_millis(300)).await;
    let told = writers.stop().await;
    assert!(!told.created.is_empty());
    told.check(&stores[0]).await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_fail_as_unavailable_while_the_server_is_away_and_succeed_afterwards() {
    require_postgres!();
    let proxy = Proxy::start(server().await.port()).await;
    let place = Place { url: proxy.url(), ..place().await };
    let database = place.open().await.unwrap();
    let store = users(&database).await;
    insert(&store, "ana").await;
    for fault in [Fault::Away, Fault::Silent] {
        proxy.set(fault);
        sleep(Duration::from_millis(100)).await;
        let started = Instant::now();
        let read = store.get(tailor_idp_core::UserKey::Name("ana"));
        let (read, write) = tokio::join!(read, create(&store, user("bo")));
        for error in [read.map(drop).unwrap_err(), write.map(drop).unwrap_err()] {
            assert!(matches!(error, StoreError::Unavailable(_)), "{fault:?}: {error}");
        }
        let opened = place.open().await.map(drop).unwrap_err();
        assert!(matches!(opened, StoreError::Unavailable(_)), "{fault:?}: {opened}");
        assert!(started.elapsed() < SOON, "{fault:?}");
        // A connection on which nothing arrives is not used again.
        proxy.set(Fault::Away);
        sleep(Duration::from_millis(50)).await;
        proxy.set(Fault::None);
        assert!(by_name(&store, "ana").await.is_some());
    }
    insert(&store, "bo").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_interruptions_are_not_noticed() {
    require_postgres!();
    let proxy = Proxy::start(server().await.port()).await;
    let place = Place { url: proxy.url(), ..place().await };
    let store = users(&place.open().await.unwrap()).await;
    for round in 0..5 {
        proxy.set(Fault::Away);
        let writing = tokio::spawn({
            let store = Arc::clone(&store);
            async move { publish(&store, &format!("user{round}")).await }
        });
        sleep(Duration::from_millis(200)).await;
        proxy.set(Fault::None);
        writing.await.unwrap().unwrap();
    }
    assert_eq!((total(&store).await, event_count(&store).await), (5, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_fail_as_unavailable_when_all_connections_are_busy() {
    require_postgres!();
    let place = place().await;
    let database = PostgresDatabase::open(place.options().max_connections(1).unwrap()).await.unwrap();
    let store = users(&database).await;
    let ana = insert(&store, "ana").await;
    // Another program holds a row that the only connection then waits for.
    let client = server().await.client().await;
    let lock = format!("BEGIN; SELECT 1 FROM {}.users FOR UPDATE", place.schema);
    client.batch_execute(&lock).await.unwrap();
    let deleting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(Batch { mutations: vec![Mutation::DeleteUser { id: ana.id }], ..Batch::default() }).await }
    });
    // The write is waiting for the row by then, or will have failed.
    sleep(Duration::from_millis(500)).await;
    let outcome = store.get(tailor_idp_core::UserKey::Name("ana")).await;
    let deleted = deleting.await.unwrap().unwrap_err();
    assert!(matches!(deleted, StoreError::Locked { .. }), "{deleted}");
    // The read may have got the connection just when the write gave up.
    if let Err(error) = outcome {
        assert!(matches!(&error, StoreError::Unavailable(text) if text.contains("max_connections")), "{error}");
    }
    client.batch_execute("ROLLBACK").await.unwrap();
    assert!(by_name(&store, "ana").await.is_some());
}

#[tokio::test]
async fn open_names_the_server_that_is_away() {
    require_postgres!();
    let options = PostgresOptions::new("postgres://idp:secret@127.0.0.1:1/idp").unwrap();
    let error = PostgresDatabase::open(options).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::Unavailable(_)), "{text}");
    assert!(text.contains("127.0.0.1:1/idp") && text.contains("refused") && !text.contains("secret"), "{text}");
}
