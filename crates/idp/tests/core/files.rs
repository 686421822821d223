//! Databases on disk: what is in the file, and several handles on one file.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use pretty_assertions::assert_eq;
use rusqlite::Connection;
use tailor_idp_core::store::{JobFilter, NewUser, PasswordChange, QueueName, SqliteDatabase, StoreError, UserPatch};
use tokio::task::unconstrained;

use crate::support::{
    LockedStore, add_factor, by_id, by_name, create, delete, disabled, enqueue, everyone, insert, insert_many, names,
    open, password_hash, payloads, place, rename, total, update, user,
};

#[tokio::test]
async fn reopened_database_has_everything() {
    let (_folder, path) = place();
    let (store, other) = (open(&path, "home").await, open(&path, "away").await);
    let users = insert_many(&store, "user", 5).await;
    update(&store, &users[1].id, UserPatch { name: Some("renamed".into()), ..disabled() }).await;
    add_factor(&store, &users[2].id).await;
    delete(&store, &users[3].id).await;
    enqueue(&store, &users[4].id, "queued").await;
    insert(&other, "user0").await;
    let jobs = || JobFilter::new(QueueName::ResetMails);
    let before = (everyone(&store).await, store.jobs(jobs()).await.unwrap(), store.seal_key());
    drop((store, other));

    let again = open(&path, "home").await;
    assert_eq!((everyone(&again).await, again.jobs(jobs()).await.unwrap(), again.seal_key()), before);
    assert_eq!(total(&again).await, 4);
    assert_eq!(SqliteDatabase::open(&path).unwrap().namespaces().unwrap(), ["away", "home"]);
    assert_eq!(names(&everyone(&open(&path, "away").await).await), ["user0"]);
    let late = insert(&again, "late").await;
    assert_eq!(everyone(&again).await.last(), Some(&late));
}

#[tokio::test]
async fn closed_database_is_one_file() {
    let (folder, path) = place();
    for round in 0..15 {
        let store = open(&path, "users").await;
        let ana = insert(&store, "ana").await;
        delete(&store, &ana.id).await;
        drop(store);
        let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["users.db"], "round {round}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn new_database_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    let store = open(&path, "users").await;
    insert(&store, "ana").await;
    // The write-ahead log contains users, too.
    for entry in folder.path().read_dir().unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(format!("{mode:o}"), "600", "{:?}", entry.file_name());
    }
}

#[tokio::test]
async fn password_column_contains_the_given_hash() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    let raw = Connection::open(&path).unwrap();
    let stored =
        || raw.query_row("SELECT password_hash FROM users", [], |row| row.get::<_, Option<String>>(0)).unwrap();
    let (first, second) = (password_hash("the first"), password_hash("the second"));
    let ana = create(&store, NewUser { password: Some(first.clone()), ..user("ana") }).await.unwrap();
    assert_eq!(stored().as_deref(), Some(first.as_str()));
    update(&store, &ana.id, UserPatch { name: Some("bo".into()), ..disabled() }).await;
    assert_eq!(stored().as_deref(), Some(first.as_str()), "a rename keeps it");
    let set = PasswordChange::Set(second.clone());
    update(&store, &ana.id, UserPatch { password: set, ..UserPatch::default() }).await;
    assert_eq!(stored().as_deref(), Some(second.as_str()));
    update(&store, &ana.id, UserPatch { password: PasswordChange::Clear, ..UserPatch::default() }).await;
    assert_eq!(stored(), None);
}

#[tokio::test]
async fn queued_writes_are_on_disk_once_the_database_is_closed() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    // Each is queued, and not awaited.
    for index in 0..300 {
        let _ = unconstrained(create(&store, user(format!("user{index}")))).now_or_never();
    }
    drop(store);
    assert_eq!(total(&open(&path, "users").await).await, 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_handles_on_one_file_see_each_others_writes() {
    let (_folder, path) = place();
    let (one, two) = (open(&path, "users").await, open(&path, "users").await);
    assert_eq!(one.seal_key(), two.seal_key());
    let writes = [(&one, "one"), (&two, "two")].map(|(store, name)| {
        let store = Arc::clone(store);
        tokio::spawn(async move { insert_many(&store, name, 100).await })
    });
    let [ones, twos] = writes;
    let (ones, twos) = (ones.await.unwrap(), twos.await.unwrap());
    for store in [&one, &two] {
        let everyone = everyone(store).await;
        assert_eq!((everyone.len(), total(store).await), (200, 200));
        assert!(ones.iter().chain(&twos).all(|user| everyone.contains(user)));
    }
    let clash = create(&two, user("one7")).await.unwrap_err();
    assert!(matches!(clash, StoreError::NameTaken), "{clash}");
    delete(&two, &ones[7].id).await;
    assert_eq!(by_id(&one, &ones[7].id).await, None);
    insert(&one, "one7").await;
    assert!(by_name(&two, "one7").await.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_that_write_continuously_do_not_starve_each_other() {
    let (_folder, path) = place();
    let mut lanes = Vec::new();
    for handle in 0..2 {
        let store = open(&path, "users").await;
        lanes.extend((0..8).map(|lane| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..200 {
                    // A write fails if it does not get the lock within five seconds.
                    insert(&store, format!("user{handle}-{lane}-{n}")).await;
                }
            })
        }));
    }
    join_all(lanes).await.into_iter().for_each(|lane| lane.unwrap());
    assert_eq!(total(&open(&path, "users").await).await, 2 * 8 * 200);
}

#[tokio::test]
async fn one_of_many_inserts_of_a_name_by_several_handles_succeeds() {
    let (_folder, path) = place();
    let stores = [open(&path, "users").await, open(&path, "users").await, open(&path, "users").await];
    for round in 0..10 {
        let inserts = stores.iter().cycle().take(12).map(|store| create(store, user(format!("ana{round}"))));
        let outcomes = join_all(inserts).await;
        let errors: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(errors.iter().all(|error| matches!(error, StoreError::NameTaken)), "{errors:?}");
        assert_eq!(errors.len(), 11);
    }
    assert_eq!(total(&stores[0]).await, 10);
}

#[tokio::test]
async fn reads_do_not_wait_for_another_connections_write() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    let ana = insert(&store, "ana").await;
    enqueue(&store, &ana.id, "queued").await;
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE; UPDATE users SET name = 'half done'").unwrap();
    let started = Instant::now();
    assert_eq!(everyone(&store).await, std::slice::from_ref(&ana));
    assert_eq!(by_id(&store, &ana.id).await.as_ref(), Some(&ana));
    assert_eq!(by_name(&store, "ana").await, Some(ana.clone()));
    assert_eq!(payloads(&store).await, ["queued"]);
    // A read that waits for the lock waits for five seconds.
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    raw.execute_batch("ROLLBACK").unwrap();
    delete(&store, &ana.id).await;
}

#[tokio::test]
async fn claims_of_nothing_take_no_write_lock() {
    let locked = LockedStore::new().await;
    let started = Instant::now();
    let claim = locked.store.claim(&QueueName::ResetMails, Duration::from_secs(60), 10).await.unwrap();
    assert_eq!(claim.deliveries, []);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    locked.release();
}

#[tokio::test]
async fn ids_sort_in_creation_order_across_processes_with_different_clocks() {
    let (_folder, path) = place();
    let store = open(&path, "users").await;
    insert_from_ahead(&path, "first");
    insert(&store, "second").await;
    assert_eq!(names(&everyone(&store).await), ["first", "second"]);
}

/// Adds a user as a process does whose clock is a minute ahead.
fn insert_from_ahead(path: &Path, name: &str) {
    let ahead = uuid::Uuid::from_u128(uuid::Uuid::now_v7().as_u128() + (60_000 << 80));
    let raw = Connection::open(path).unwrap();
    let sql = "INSERT INTO users (namespace_id, id, name, disabled, created_at) SELECT id, ?, ?, 0, 0 FROM namespaces";
    assert_eq!(raw.execute(sql, rusqlite::params![ahead.as_bytes(), name]), Ok(1));
}

#[tokio::test]
async fn open_of_the_in_memory_path_creates_no_file() {
    let store = open(Path::new(":memory:"), "users").await;
    let ana = insert(&store, "ana").await;
    update(&store, &ana.id, rename("bo")).await;
    assert!(!Path::new(":memory:").exists());
    assert_eq!(total(&open(Path::new(":memory:"), "users").await).await, 0, "another database");
}
