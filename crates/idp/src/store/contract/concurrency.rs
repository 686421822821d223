//! Many callers at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tokio::time::timeout;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::UserQuery;
use crate::store::{Mutation, PasswordChange, StoreError, UserPatch};

/// The results of those that succeeded. The others must have found the name taken.
fn successes<T>(outcomes: Vec<Result<T, StoreError>>) -> Vec<T> {
    let taken = |error| assert!(matches!(error, StoreError::NameTaken), "{error}");
    outcomes.into_iter().filter_map(|outcome| outcome.map_err(taken).ok()).collect()
}

pub async fn one_of_many_inserts_of_a_name_succeeds(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for round in 0..10 {
        let inserts = (0..20).map(|_| {
            let (store, name) = (Arc::clone(&store), format!("ana{round}"));
            tokio::spawn(async move { create(&store, user(name)).await })
        });
        let outcomes = join_all(inserts).await.into_iter().map(Result::unwrap).collect();
        let inserted = successes(outcomes);
        assert_eq!(inserted.len(), 1);
        assert_eq!(by_name(&store, &format!("ana{round}")).await.as_ref(), inserted.first());
    }
    assert_eq!(total(&store).await, 10);
}

pub async fn one_of_many_renames_to_a_name_succeeds(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 20).await;
    let patch = UserPatch { name: Some("ana".into()), disabled: Some(true), ..UserPatch::default() };
    let outcomes = join_all(users.iter().map(|user| update(&store, &user.id, patch.clone()))).await;
    assert_eq!(successes(outcomes), [1]);
    let changed: Vec<_> = everyone(&store).await.into_iter().filter(|user| !users.contains(user)).collect();
    assert_eq!((names(&changed), changed[0].disabled), (vec!["ana"], true));
}

pub async fn one_of_many_deletes_of_a_user_succeeds(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let users = insert_many(&store, "user", 3).await;
    let (won, lost): (Vec<_>, Vec<_>) =
        join_all((0..20).map(|_| delete(&store, &users[1].id))).await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 19));
    lost.into_iter().for_each(|lost| assert_conflict(lost, "deleted"));
    assert_eq!(names(&everyone(&store).await), ["user0", "user2"]);
    assert_eq!(total(&store).await, 2);
}

pub async fn five_hundred_inserts_at_once_all_succeed(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let mut inserted = join_all((0..500).map(|n| insert(&store, format!("user{n}")))).await;
    inserted.sort_by(|one, other| one.id.cmp(&other.id));
    assert_eq!(everyone(&store).await, inserted);
    assert_eq!(total(&store).await, 500);
}

pub async fn changes_of_different_fields_at_once_all_succeed(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for user in insert_many(&store, "user", 20).await {
        let name = format!("{} renamed", user.name);
        let (renamed, disabled, cleared, factor) = tokio::join!(
            update(&store, &user.id, rename(&name)),
            update(&store, &user.id, disabled(true)),
            update(&store, &user.id, password(PasswordChange::Clear)),
            add_factor(&store, &user.id),
        );
        assert_eq!([renamed, disabled, cleared].map(Result::unwrap), [1; 3]);
        let after = reread(&store, &user).await;
        assert_eq!((after.name, after.disabled, after.mfa_factor_ids), (name, true, vec![factor.id]));
    }
}

pub async fn next_read_sees_a_write_that_has_returned(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let tasks = (0..8).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..15 {
                let name = format!("user{task}-{round}");
                let inserted = insert(&store, &name).await;
                assert_eq!(by_id(&store, &inserted.id).await.as_ref(), Some(&inserted));
                assert_eq!(by_name(&store, &name).await, Some(inserted.clone()));
                delete(&store, &inserted.id).await.unwrap();
                assert_eq!(by_id(&store, &inserted.id).await, None);
            }
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    assert_eq!(total(&store).await, 0);
}

pub async fn dropped_writes_do_not_affect_others(db: Fixture<impl Backend>) {
    let store = db.users().await;
    for round in 0..30 {
        // Dropped at once, or a little into the write.
        let dropped = create(&store, user(format!("dropped{round}")));
        let _ = timeout(Duration::from_micros(round * 20), dropped).await;
        insert(&store, format!("kept{round}")).await;
    }
    let everyone = everyone(&store).await;
    assert_eq!(everyone.iter().filter(|user| user.name.starts_with("kept")).count(), 30);
    assert_eq!(total(&store).await, everyone.len() as u64);
}

pub async fn readers_and_writers_do_not_block_each_other(db: Fixture<impl Backend>) {
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
                    page(&store, &UserQuery::default(), None, 100).await;
                    reads += 1;
                    tokio::task::yield_now().await;
                }
                reads
            })
        })
        .collect();
    let written = timeout(Duration::from_secs(60), insert_many(&store, "late", WRITES)).await;
    stop.store(true, Ordering::Relaxed);
    let reads: Vec<u64> = join_all(readers).await.into_iter().map(Result::unwrap).collect();
    let late = total(&store).await - 200;
    assert!(written.is_ok(), "readers block writers: {late} of {WRITES} writes, reads: {reads:?}");
    assert!(reads.iter().all(|reads| *reads > 0), "writers block readers: {reads:?}");
}

pub async fn tasks_on_many_threads_share_a_store(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let tasks = (0..32).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let users = insert_many(&store, &format!("task{task}-"), 6).await;
            update(&store, &users[0].id, disabled(true)).await.unwrap();
            let factor = add_factor(&store, &users[1].id).await;
            let removal = Mutation::DeleteFactor { user_id: users[1].id.clone(), factor_id: factor.id };
            assert_eq!(apply(&store, removal).await.unwrap(), 1);
            delete(&store, &users[2].id).await.unwrap();
            page(&store, &UserQuery::default(), Some(&users[3].id), 10).await;
        })
    });
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let everyone = everyone(&store).await;
    assert_eq!((everyone.len(), total(&store).await), (32 * 5, 32 * 5));
    assert_eq!(everyone.iter().filter(|user| user.disabled).count(), 32);
}
