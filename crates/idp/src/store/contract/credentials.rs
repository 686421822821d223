//! Password hashes and factors, read together.

use std::sync::Arc;

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{PasswordHash, UserKey, UserRecord};
use crate::store::{Credentials, Expect, Factor, JobState, Mutation, NewUser, PasswordChange, StoreError, UserPatch};

async fn insert_with(store: &Shared, name: &str, hash: &PasswordHash) -> UserRecord {
    create(store, NewUser { password: Some(hash.clone()), ..user(name) }).await.unwrap()
}

async fn by_user_name(store: &Shared, name: &str) -> Option<Credentials> {
    store.credentials(UserKey::Name(name)).await.unwrap()
}

pub async fn credentials_contain_the_user_the_hash_and_all_factors(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let hash = password_hash("first");
    let ana = insert_with(&store, "ana", &hash).await;
    let bo = insert(&store, "bo").await;
    let confirmed = add_factor(&store, &ana.id).await;
    let unconfirmed = Factor { expires_at: Some(store.now()), last_step: None, ..factor() };
    apply(&store, putting(&ana.id, &unconfirmed)).await.unwrap();
    update(&store, &ana.id, disabled(true)).await.unwrap();
    let ana = reread(&store, &ana).await;
    assert_eq!((ana.disabled, &ana.mfa_factor_ids), (true, &vec![confirmed.id.clone()]));
    let (ana_id, bo_id) = (ana.id.clone(), bo.id.clone());
    let anas = Credentials { user: ana, password: Ok(Some(hash)), factors: vec![confirmed, unconfirmed] };
    let bos = Credentials { user: bo, password: Ok(None), factors: vec![] };
    for (id, name, expected) in [(ana_id.as_str(), "ana", anas), (&bo_id, "bo", bos)] {
        assert_eq!(by_user_name(&store, name).await.as_ref(), Some(&expected));
        assert_eq!(store.credentials(UserKey::Id(id)).await.unwrap(), Some(expected));
    }
    for name in ["", "Ana", "ana ", "ghost"] {
        assert_eq!(by_user_name(&store, name).await, None, "{name:?}");
    }
    for id in other_ids(&ana_id) {
        assert_eq!(store.credentials(UserKey::Id(&id)).await.unwrap(), None, "{id:?}");
    }
    let away = db.namespace("away").await;
    assert_eq!(by_user_name(&away, "ana").await, None);
    assert_eq!(away.credentials(UserKey::Id(&ana_id)).await.unwrap(), None);
}

pub async fn replace_hash_with_expected_password_succeeds_once(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let [first, second, third] = ["first", "second", "third"].map(password_hash);
    let ana = insert_with(&store, "ana", &first).await;
    let bo = insert_with(&store, "bo", &first).await;
    let rehash = async |store: &Shared, id: &str, old: &PasswordHash, new: &PasswordHash| {
        let expect = Expect::Password { user_id: id.to_owned(), hash: old.clone() };
        store.commit(expecting([expect], [Mutation::ReplaceHash { user_id: id.to_owned(), hash: new.clone() }])).await
    };
    assert_eq!(rehash(&store, &ana.id, &first, &second).await.unwrap().affected, [1]);
    assert_conflict(rehash(&store, &ana.id, &first, &third).await, "the hash has changed");
    assert_eq!(credentials(&store, &ana).await.password, Ok(Some(second.clone())));
    assert_eq!(credentials(&store, &bo).await.password, Ok(Some(first.clone())));
    for id in other_ids(&bo.id) {
        assert_conflict(rehash(&store, &id, &first, &second).await, id);
    }
    update(&store, &ana.id, password(PasswordChange::Clear)).await.unwrap();
    assert_conflict(rehash(&store, &ana.id, &second, &third).await, "the password was removed");
    assert_eq!(credentials(&store, &ana).await.password, Ok(None));
    assert_conflict(rehash(&db.namespace("away").await, &bo.id, &first, &second).await, "another namespace");
}

pub async fn replace_hash_changes_nothing_else(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert_with(&store, "ana", &password_hash("first")).await;
    enqueue(&store, &ana.id, "kept").await;
    let mutation = Mutation::ReplaceHash { user_id: ana.id.clone(), hash: password_hash("second") };
    assert_eq!(apply(&store, mutation).await.unwrap(), 1);
    assert_eq!(by_id(&store, &ana.id).await, Some(ana));
    assert_eq!(payloads(&store, JobState::Queued).await, ["kept"]);
}

/// A writer keeps name, password and factor in step. A read that mixes two commits shows them out of step.
pub async fn credentials_are_read_at_one_point_in_time(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "start").await;
    let factor_id = factor().id;
    let writer = {
        let (store, id) = (Arc::clone(&store), ana.id.clone());
        tokio::spawn(async move {
            for round in 0..100_u64 {
                let name = format!("round{round}");
                let hash = PasswordChange::Set(password_hash(&name));
                let patch = UserPatch { name: Some(name), password: hash, ..UserPatch::default() };
                let factor = Factor { id: factor_id.clone(), last_step: Some(round), ..factor() };
                store.commit(batch([updating(&id, patch), putting(&id, &factor)])).await?;
            }
            Ok::<_, StoreError>(())
        })
    };
    while !writer.is_finished() {
        let Credentials { user, password, factors } = credentials(&store, &ana).await;
        if user.name != "start" {
            assert_eq!(password, Ok(Some(password_hash(&user.name))));
            assert_eq!(Some(user.name), factors[0].last_step.map(|round| format!("round{round}")));
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap().unwrap();
}
