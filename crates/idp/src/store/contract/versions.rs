//! Versions: which writes make a new one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{UserKey, UserQuery};
use crate::store::{Mutation, PasswordChange, StoreError, TokenHash, UserPatch};

pub async fn update_and_touch_make_a_new_version(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let writes = [
        updating(&ana.id, rename("ana maria")),
        updating(&ana.id, disabled(true)),
        updating(&ana.id, password(PasswordChange::Set(password_hash("secret")))),
        updating(&ana.id, password(PasswordChange::Clear)),
        updating(&ana.id, UserPatch::default()),
        touching(&ana.id),
    ];
    let mut versions = vec![ana.version];
    for write in writes {
        let before = reread(&store, &ana).await;
        assert_eq!(apply(&store, write.clone()).await.unwrap(), 1, "{write:?}");
        let after = reread(&store, &ana).await;
        assert!(!versions.contains(&after.version), "{write:?}: {versions:?}, then {:?}", after.version);
        versions.push(after.version);
        if matches!(write, Mutation::TouchUser { .. }) {
            assert_eq!(crate::model::UserRecord { version: before.version, ..after }, before);
        }
    }
    assert_eq!(by_id(&store, &bo.id).await, Some(bo), "versions of other users stay");
}

pub async fn hashes_factors_tokens_and_jobs_keep_the_version(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    update(&store, &ana.id, password(PasswordChange::Set(password_hash("first")))).await.unwrap();
    let before = reread(&store, &ana).await;
    let job = enqueue(&store, &ana.id, "mail").await;
    let user_id = || ana.id.clone();
    let factor = factor();
    let writes = [
        Mutation::ReplaceHash { user_id: user_id(), hash: password_hash("second") },
        putting(&ana.id, &factor),
        Mutation::DeleteFactor { user_id: user_id(), factor_id: factor.id.clone() },
        Mutation::PutResetToken {
            user_id: user_id(),
            hash: TokenHash([1; 32]),
            job_id: job.id,
            expires_at: store.now().after(Duration::from_secs(60)),
        },
        Mutation::DeleteResetToken { user_id: user_id() },
        mailing(&ana.id, "another"),
        Mutation::EndJobs { queue: MAILS, user_id: user_id(), reason: "ended".into() },
    ];
    for write in writes {
        assert!(apply(&store, write.clone()).await.unwrap() > 0, "{write:?}");
        assert_eq!(reread(&store, &ana).await.version, before.version, "{write:?}");
    }
    assert_eq!(reread(&store, &ana).await, before);
}

pub async fn versions_are_consistent_in_all_reads(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    import(&store, vec![user("bo")], false).await;
    let bo = by_name(&store, "bo").await.unwrap();
    for user in [ana, bo] {
        for _ in 0..2 {
            apply(&store, touching(&user.id)).await.unwrap();
            let now = reread(&store, &user).await;
            let by_name = store.credentials(UserKey::Name(&user.name)).await.unwrap().unwrap();
            assert_eq!((&by_name.user, &credentials(&store, &user).await.user), (&now, &now));
            let query = UserQuery { ids: Some(vec![user.id.clone()]), names: None };
            assert_eq!(page(&store, &query, None, 1).await.users, std::slice::from_ref(&now));
            store.commit(expecting([current(&now)], [])).await.unwrap();
        }
    }
}

/// Each task appends its mark to the name. Names differ at the end by what every task has appended.
pub async fn concurrent_read_decide_commit_updates_are_not_lost(db: Fixture<impl Backend>) {
    const TASKS: usize = 16;
    const ROUNDS: usize = 8;
    let store = db.users().await;
    let ana = insert(&store, "").await;
    let tasks = (0..TASKS).map(|task| {
        let (store, id) = (Arc::clone(&store), ana.id.clone());
        tokio::spawn(async move {
            let mut conflicts = 0;
            for round in 0..ROUNDS {
                loop {
                    let user = by_id(&store, &id).await.unwrap();
                    tokio::task::yield_now().await;
                    let patch = rename(&format!("{}{task}-{round} ", user.name));
                    match store.commit(expecting([current(&user)], [updating(&id, patch)])).await {
                        Ok(_) => break,
                        Err(StoreError::Conflict) => conflicts += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            conflicts
        })
    });
    let conflicts: usize = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    let name = reread(&store, &ana).await.name;
    let marks: HashSet<&str> = name.split_whitespace().collect();
    assert_eq!((marks.len(), name.split_whitespace().count()), (TASKS * ROUNDS, TASKS * ROUNDS));
    assert!(conflicts > 0, "the tasks never met");
}
