//! Streaming replicas: listings, and failover.

use std::time::{Duration, Instant};

use tailor_idp_core::store::PostgresDatabase;
use tokio::time::sleep;

use super::faults::Writers;
use super::server::{Place, Server};
use super::{require_postgres, users};
use crate::support::{Shared, by_name, everyone, insert, total};

/// Far longer than a replica takes to follow.
const SOON: Duration = Duration::from_secs(60);

/// A primary and its replica.
async fn servers() -> (Server, Server) {
    let start = || {
        let primary = Server::start();
        let standby = primary.standby();
        (primary, standby)
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

async fn wait_for_total(store: &Shared, expected: u64) {
    let started = Instant::now();
    while total(store).await != expected {
        assert!(started.elapsed() < SOON);
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listings_come_from_the_replica_unless_it_lags_behind_own_writes() {
    require_postgres!();
    let (primary, standby) = servers().await;
    let place = primary.place();
    let options = place.options().read_url(&standby.url("postgres")).unwrap();
    let database = PostgresDatabase::open(options).await.unwrap();
    let (store, other) = (users(&database).await, users(&place.open().await.unwrap()).await);
    let replica = standby.client().await;
    let pages = async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%page AS%' AND pid <> pg_backend_pid()";
        replica.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };

    for count in 1..=20 {
        insert(&store, format!("user{count}")).await;
        assert_eq!(total(&store).await, count, "own writes are seen at once");
    }
    let started = Instant::now();
    while pages().await == 0 {
        assert!(started.elapsed() < SOON, "the replica is not asked");
        assert_eq!(everyone(&store).await.len(), 20);
    }
    let status = database.status().await.unwrap();
    assert_eq!(status.replicas.len(), 1);
    assert!(status.replicas[0].bytes_behind.is_some());
    assert!(status.read_replica.unwrap().bytes_behind.is_ok());

    // The replica stops following.
    replica.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
    insert(&store, "own").await;
    assert_eq!(total(&store).await, 21);
    insert(&other, "of another program").await;
    wait_for_total(&store, 22).await;
    assert!(by_name(&store, "of another program").await.is_some());
    replica.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();

    // A server that has been promoted is not asked any more.
    tokio::task::block_in_place(|| standby.promote());
    insert(&store, "after the promotion").await;
    assert_eq!(total(&store).await, 23);
    assert!(database.status().await.unwrap().read_replica.unwrap().bytes_behind.is_err());
    drop(standby);
    assert_eq!(total(&store).await, 23);
    drop(primary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_a_failover_to_a_synchronous_replica() {
    require_postgres!();
    let (mut primary, standby) = servers().await;
    let admin = primary.client().await;
    admin.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    drop(admin);
    let url = format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/postgres", primary.port(), standby.port());
    let place = Place { url, ..primary.place() };
    let stores = [users(&place.open().await.unwrap()).await, users(&place.open().await.unwrap()).await];
    // The setting takes effect soon.
    let started = Instant::now();
    let database = place.open().await.unwrap();
    while !database.status().await.unwrap().replicas.iter().any(|replica| replica.is_synchronous) {
        assert!(started.elapsed() < SOON);
        sleep(Duration::from_millis(20)).await;
    }
    let writers = Writers::start(&stores, 8);
    sleep(Duration::from_millis(500)).await;
    let standby = tokio::task::spawn_blocking(move || {
        primary.crash();
        standby.promote();
        standby
    })
    .await
    .unwrap();
    // Writers go on with the new primary.
    let before = standby_total(&standby, &place).await;
    let started = Instant::now();
    while standby_total(&standby, &place).await < before + 20 {
        assert!(started.elapsed() < SOON, "nobody writes to the new primary");
        sleep(Duration::from_millis(50)).await;
    }
    let told = writers.stop().await;
    assert!(!told.created.is_empty());
    told.check(&stores[0]).await;
}

async fn standby_total(standby: &Server, place: &Place) -> i64 {
    let sql = format!("SELECT count(*) FROM {}.users", place.schema);
    standby.client().await.query_one(&sql, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_not_acknowledged_while_the_synchronous_replica_is_away() {
    require_postgres!();
    let (primary, mut standby) = servers().await;
    let place = primary.place();
    let store = users(&place.open().await.unwrap()).await;
    let admin = primary.client().await;
    admin.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    insert(&store, "ana").await;
    standby = tokio::task::spawn_blocking(move || {
        standby.crash();
        standby
    })
    .await
    .unwrap();
    let error = crate::support::create(&store, crate::support::user("bo")).await.unwrap_err();
    assert!(matches!(error, tailor_idp_core::store::StoreError::UnknownOutcome(_)), "{error}");
    assert!(by_name(&store, "bo").await.is_none(), "committed without the replica");
    standby = tokio::task::spawn_blocking(move || {
        standby.crash_and_restart();
        standby
    })
    .await
    .unwrap();
    let started = Instant::now();
    while by_name(&store, "bo").await.is_none() {
        assert!(started.elapsed() < SOON, "not committed, although the replica is back");
        sleep(Duration::from_millis(50)).await;
    }
    drop(standby);
}
