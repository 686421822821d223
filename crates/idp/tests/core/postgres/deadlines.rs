//! Deadlines and callers that stop waiting: the statements end with the call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pretty_assertions::assert_eq;
use tailor_idp_core::directory::CallContext;
use tailor_idp_core::store::{PostgresDatabase, StoreError};
use tailor_idp_core::{Code, CreateUser, IdentityProvider, ListUsers, NamespaceSettings, Principal, Router, UserKey};
use tokio::time::sleep;

use super::server::Place;
use super::{place, require_postgres, server, users};
use crate::support::{Shared, by_name, insert, namespace, total};

/// A database whose users another program has locked.
struct Locked {
    place: Place,
    store: Shared,
    idp: Router,
    holder: tokio_postgres::Client,
    observer: tokio_postgres::Client,
}

impl Locked {
    async fn new() -> Self {
        let place = place().await;
        // With a name of its own, to find its statements.
        let url = format!("{}&application_name={}", place.url, place.schema);
        let place = Place { url, ..place };
        let database = place.open().await.unwrap();
        let store = users(&database).await;
        insert(&store, "ana@example.com").await;
        let idp =
            Router::builder().namespace(namespace("users"), Arc::clone(&store), NamespaceSettings::default()).build();
        let (holder, observer) = (server().await.client().await, server().await.client().await);
        let lock = format!("BEGIN; LOCK TABLE {}.users IN ACCESS EXCLUSIVE MODE", place.schema);
        holder.batch_execute(&lock).await.unwrap();
        Self { place, store, idp, holder, observer }
    }

    /// The number of statements of the store that the server is executing.
    async fn active(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state <> 'idle'";
        self.observer.query_one(sql, &[&self.place.schema]).await.unwrap().get(0)
    }

    async fn wait_until_active(&self, count: i64) {
        let started = Instant::now();
        while self.active().await != count {
            // Below the time after which the server would end a statement that waits for a lock.
            assert!(started.elapsed() < Duration::from_secs(4), "not {count} statements: {}", self.active().await);
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn context(&self) -> CallContext {
        let deadline = Instant::now() + Duration::from_millis(300);
        CallContext::new(namespace("users"), Principal::Host).deadline(deadline)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_end_at_their_deadline_and_so_do_their_statements() {
    require_postgres!();
    let locked = Locked::new().await;
    let context = locked.context();
    let key = UserKey::Name("ana@example.com");
    let bo = CreateUser { name: "bo@example.com".into(), ..CreateUser::default() };
    let (got, listed, created) = tokio::join!(
        locked.idp.user(&context, key),
        locked.idp.users(&context, ListUsers::default()),
        locked.idp.create_user(&context, bo)
    );
    let errors = [got.map(drop), listed.map(drop), created.map(drop)];
    assert_eq!(errors.map(|outcome| outcome.unwrap_err().code()), [Code::DeadlineExceeded; 3]);
    locked.wait_until_active(0).await;
    locked.holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(total(&locked.store).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_of_callers_that_stop_waiting_are_cancelled() {
    require_postgres!();
    let locked = Locked::new().await;
    let (reader, writer) = (Arc::clone(&locked.store), Arc::clone(&locked.store));
    let reading = tokio::spawn(async move { by_name(&reader, "ana@example.com").await });
    let writing = tokio::spawn(async move { insert(&writer, "bo@example.com").await });
    locked.wait_until_active(2).await;
    reading.abort();
    writing.abort();
    locked.wait_until_active(0).await;
    locked.holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(total(&locked.store).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_after_the_deadline_fail_without_an_effect() {
    require_postgres!();
    let store = users(&PostgresDatabase::open(place().await.options()).await.unwrap()).await;
    let idp = Router::builder().namespace(namespace("users"), store, NamespaceSettings::default()).build();
    let host = CallContext::new(namespace("users"), Principal::Host);
    let late = host.clone().deadline(Instant::now());
    let ana = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let error = idp.create_user(&late, ana).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<StoreError>());
    assert!(matches!(source, Some(StoreError::TimedOut { .. })), "{source:?}");
    assert_eq!(idp.users(&host, ListUsers::default()).await.unwrap().total_count, 0);
}
