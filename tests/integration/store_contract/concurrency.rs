//! Many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp::store::{PasswordChange, StoreError, UserChange};
use tokio::time::timeout;

use super::{Backend, by_id, by_name, everyone, insert, insert_many, names, page, total, user};

/// How many succeeded; the others must have found the name taken.
fn successes<T>(outcomes: Vec<Result<T, StoreError>>) -> Vec<T> {
    let taken = |error| assert!(matches!(error, StoreError::NameTaken), "{error}");
    outcomes.into_iter().filter_map(|outcome| outcome.map_err(taken).ok()).collect()
}

pub(super) async fn of_many_inserts_of_one_name_one_succeeds(db: impl Backend) {
    let store = db.users().await;
    for round in 0..10 {
        let inserts = (0..20).map(|_| {
            let (store, name) = (Arc::clone(&store), format!("ana{round}"));
            tokio::spawn(async move { store.insert(user(name)).await })
        });
        let outcomes = join_all(inserts).await.into_iter().map(Result::unwrap).collect();
        let inserted = successes(outcomes);
        assert_eq!(inserted.len(), 1);
        assert_eq!(by_name(&store, &format!("ana{round}")).await.as_ref(), inserted.first());
    }
    assert_eq!(total(&store).await, 10);
}

pub(super) async fn of_many_renames_to_one_name_one_succeeds(db: impl Backend) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 20).await;
    let change = UserChange { name: Some("ana".into()), disabled: Some(true), ..UserChange::default() };
    let outcomes = join_all(users.iter().map(|user| store.update(&user.id, change.clone()))).await;
    let renamed = successes(outcomes);
    assert_eq!(renamed.len(), 1);
    let after = everyone(&store).await;
    let changed: Vec<_> = after.iter().filter(|user| !users.contains(user)).collect();
    assert_eq!(changed, [renamed[0].as_ref().unwrap()]);
}

pub(super) async fn of_many_deletes_of_one_user_one_succeeds(db: impl Backend) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 3).await;
    let deleted = join_all((0..20).map(|_| store.delete(&users[1].id))).await;
    assert_eq!(deleted.into_iter().filter(|deleted| *deleted.as_ref().unwrap()).count(), 1);
    assert_eq!(names(&everyone(&store).await), ["user0", "user2"]);
    assert_eq!(total(&store).await, 2);
}

pub(super) async fn a_refused_write_takes_no_other_write_with_it(db: impl Backend) {
    let store = db.users().await;
    let taken = insert(&store, "taken").await;
    let movers = insert_many(&store, "mover", 50).await;
    // Sent together, so that refused and accepted writes share commits.
    let inserts = join_all((0..150).map(|n| {
        let name = if n % 3 == 0 { "taken".to_owned() } else { format!("user{n}") };
        store.insert(user(name))
    }));
    let renames = join_all(movers.iter().enumerate().map(|(n, mover)| {
        let name = if n % 2 == 0 { "taken".to_owned() } else { format!("moved{n}") };
        let change = UserChange { name: Some(name), disabled: Some(true), ..UserChange::default() };
        store.update(&mover.id, change)
    }));
    let (inserts, renames) = tokio::join!(inserts, renames);
    let inserted = successes(inserts);
    let renamed: Vec<_> = successes(renames).into_iter().flatten().collect();
    assert_eq!((inserted.len(), renamed.len()), (100, 25));
    let unmoved = movers.into_iter().step_by(2);
    let mut expected: Vec<_> = [taken].into_iter().chain(inserted).chain(renamed).chain(unmoved).collect();
    expected.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(everyone(&store).await, expected);
    assert_eq!(total(&store).await, 151);
}

pub(super) async fn five_hundred_inserts_at_once_are_all_there(db: impl Backend) {
    let store = db.users().await;
    let mut inserted = join_all((0..500).map(|n| insert(&store, format!("user{n}")))).await;
    inserted.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(everyone(&store).await, inserted);
    assert_eq!(total(&store).await, 500);
}

pub(super) async fn changes_to_different_fields_at_once_are_all_there(db: impl Backend) {
    let store = db.users().await;
    for user in insert_many(&store, "user", 20).await {
        let name = format!("{} renamed", user.name);
        let rename = UserChange { name: Some(name.clone()), ..UserChange::default() };
        let disable = UserChange { disabled: Some(true), ..UserChange::default() };
        let clear = UserChange { password: PasswordChange::Clear, ..UserChange::default() };
        let (renamed, disabled, cleared, factor) = tokio::join!(
            store.update(&user.id, rename),
            store.update(&user.id, disable),
            store.update(&user.id, clear),
            store.add_mfa_factor(&user.id),
        );
        let there = [renamed, disabled, cleared].map(|changed| changed.unwrap().is_some());
        assert_eq!(there, [true; 3]);
        let after = by_id(&store, &user.id).await.unwrap();
        assert_eq!((after.name, after.disabled, after.mfa_factor_ids), (name, true, vec![factor.unwrap().unwrap()]));
    }
}

pub(super) async fn a_write_that_has_returned_is_seen_by_the_next_read(db: impl Backend) {
    let store = db.users().await;
    let tasks = (0..8).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..15 {
                let name = format!("user{task}-{round}");
                let inserted = insert(&store, &name).await;
                assert_eq!(by_id(&store, &inserted.id).await.as_ref(), Some(&inserted));
                assert_eq!(by_name(&store, &name).await, Some(inserted.clone()));
                assert!(store.delete(&inserted.id).await.unwrap());
                assert_eq!(by_id(&store, &inserted.id).await, None);
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(total(&store).await, 0);
}

pub(super) async fn a_caller_that_stops_waiting_harms_nobody(db: impl Backend) {
    let store = db.users().await;
    for round in 0..30 {
        // Dropped at once, or a little into the write.
        let _ = timeout(Duration::from_micros(round * 20), store.insert(user(format!("dropped{round}")))).await;
        insert(&store, format!("kept{round}")).await;
    }
    let everyone = everyone(&store).await;
    assert_eq!(everyone.iter().filter(|user| user.name.starts_with("kept")).count(), 30);
    assert_eq!(total(&store).await, everyone.len() as u64);
}

pub(super) async fn readers_and_writers_get_through_side_by_side(db: impl Backend) {
    const WRITES: usize = 100;
    let store = db.users().await;
    insert_many(&store, "user", 200).await;
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut reads = 0;
                while !stop.load(Ordering::Relaxed) {
                    page(&store, &Default::default(), None, 100).await;
                    reads += 1;
                    tokio::task::yield_now().await;
                }
                reads
            })
        })
        .collect();
    let writes = insert_many(&store, "late", WRITES);
    let written = timeout(Duration::from_secs(60), writes).await;
    stop.store(true, Ordering::Relaxed);
    let reads: Vec<u64> = join_all(readers).await.into_iter().map(Result::unwrap).collect();
    let late = total(&store).await - 200;
    assert!(written.is_ok(), "readers that never pause shut writers out: {late} of {WRITES} writes, reads: {reads:?}");
    assert!(reads.iter().all(|reads| *reads > 0), "writers shut readers out: {reads:?}");
}

pub(super) async fn tasks_on_many_threads_share_a_store(db: impl Backend) {
    let store = db.users().await;
    let tasks = (0..32).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let users = insert_many(&store, &format!("task{task}-"), 6).await;
            let change = UserChange { disabled: Some(true), ..UserChange::default() };
            store.update(&users[0].id, change).await.unwrap().unwrap();
            let factor = store.add_mfa_factor(&users[1].id).await.unwrap().unwrap();
            assert!(store.remove_mfa_factor(&users[1].id, &factor).await.unwrap());
            assert!(store.delete(&users[2].id).await.unwrap());
            page(&store, &Default::default(), Some(&users[3].id), 10).await;
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let everyone = everyone(&store).await;
    assert_eq!((everyone.len(), total(&store).await), (32 * 5, 32 * 5));
    assert_eq!(everyone.iter().filter(|user| user.disabled).count(), 32);
}
