//! Databases that another program keeps locked.

use std::time::Instant;

use pretty_assertions::assert_eq;
use tailor_idp_core::store::{SqliteDatabase, StoreError};

use crate::support::{LockedStore, create, everyone, insert, names, namespace, user};

/// Waits for five seconds, so one test checks everything about the lock.
#[tokio::test(flavor = "multi_thread")]
async fn writes_fail_after_five_seconds_when_another_program_holds_the_lock() {
    let locked = "the database is locked: another program has been writing to it for over 5 s";
    let locked_store = LockedStore::new().await;
    let (store, path) = (&locked_store.store, &locked_store.path);

    let started = Instant::now();
    let other = SqliteDatabase::open(path).unwrap();
    let new_name = namespace("new-one");
    let new_namespace = tokio::spawn(async move { other.namespace(&new_name).await.map(|_| ()) });
    let error = create(store, user("bo")).await.unwrap_err();
    let waited = started.elapsed().as_secs_f64();
    assert!(matches!(error, StoreError::Locked { waited_secs: 5 }), "{error:?}");
    assert_eq!((error.to_string().as_str(), error.is_temporary()), (locked, true));
    assert!((4.5..10.0).contains(&waited), "{waited}");
    assert_eq!(new_namespace.await.unwrap().unwrap_err().to_string(), locked);
    assert_eq!(names(&everyone(store).await), ["ana"], "reads succeed");

    locked_store.release();
    insert(store, "bo").await;
    assert_eq!(names(&everyone(store).await), ["ana", "bo"]);
}
