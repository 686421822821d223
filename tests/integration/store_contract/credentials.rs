//! Password hashes, as signing in needs them.

use pretty_assertions::assert_eq;
use tailor_idp::idp::PasswordHash;
use tailor_idp::store::{Credential, NewUser, PasswordChange, UserChange, UserRecord};

use super::{Backend, Store, by_id, insert, mail, no_ids_but, subjects};
use crate::support::password_hash;

async fn insert_with(store: &Store, name: &str, hash: &PasswordHash) -> UserRecord {
    let user = NewUser { name: name.into(), password: Some(hash.clone()), disabled: false };
    store.insert(user).await.unwrap()
}

async fn credential(store: &Store, name: &str) -> Option<Credential> {
    store.credentials().credential(name).await.unwrap()
}

async fn hash_of(store: &Store, name: &str) -> Option<String> {
    credential(store, name).await.unwrap().password.map(|hash| hash.as_str().to_owned())
}

pub(super) async fn a_credential_is_the_user_and_the_hash_that_was_given(db: impl Backend) {
    let store = db.users().await;
    let hash = password_hash("first");
    let ana = insert_with(&store, "ana", &hash).await;
    let bo = insert(&store, "bo").await;
    let factor = store.add_mfa_factor(&ana.id).await.unwrap().unwrap();
    let disabled = UserChange { disabled: Some(true), ..UserChange::default() };
    let ana = store.update(&ana.id, disabled).await.unwrap().unwrap();
    assert_eq!((ana.disabled, &ana.mfa_factor_ids), (true, &vec![factor]));
    assert_eq!(credential(&store, "ana").await, Some(Credential { user: ana, password: Some(hash) }));
    assert_eq!(credential(&store, "bo").await, Some(Credential { user: bo, password: None }));
    for name in ["", "Ana", "ana ", "ghost"] {
        assert_eq!(credential(&store, name).await, None, "{name:?}");
    }
    assert_eq!(credential(&db.namespace("away").await, "ana").await, None);
}

pub(super) async fn a_hash_is_replaced_only_if_it_is_still_the_one_that_was_verified(db: impl Backend) {
    let store = db.users().await;
    let [first, second, third] = ["first", "second", "third"].map(password_hash);
    let ana = insert_with(&store, "ana", &first).await;
    let bo = insert_with(&store, "bo", &first).await;
    let rehash = async |id: &str, old: &PasswordHash, new: &PasswordHash| {
        store.credentials().rehash(id, old, new.clone()).await.unwrap()
    };
    assert!(rehash(&ana.id, &first, &second).await);
    assert!(!rehash(&ana.id, &first, &third).await, "it is another by now");
    assert_eq!(hash_of(&store, "ana").await.as_deref(), Some(second.as_str()));
    assert_eq!(hash_of(&store, "bo").await.as_deref(), Some(first.as_str()));
    for id in no_ids_but(&bo.id) {
        assert!(!rehash(&id, &first, &second).await, "{id:?}");
    }
    let clear = UserChange { password: PasswordChange::Clear, ..UserChange::default() };
    store.update(&ana.id, clear).await.unwrap().unwrap();
    assert!(!rehash(&ana.id, &second, &third).await, "a password that was taken away does not come back");
    assert_eq!(hash_of(&store, "ana").await, None);
    let away = db.namespace("away").await;
    assert!(!away.credentials().rehash(&bo.id, &first, second).await.unwrap());
}

pub(super) async fn a_stronger_hash_of_the_same_password_changes_nothing_else(db: impl Backend) {
    let store = db.users().await;
    let (first, second) = (password_hash("first"), password_hash("second"));
    let ana = insert_with(&store, "ana", &first).await;
    store.queue_reset_mail(mail(&ana, "kept")).await.unwrap();
    assert!(store.credentials().rehash(&ana.id, &first, second).await.unwrap());
    assert_eq!(by_id(&store, &ana.id).await, Some(ana));
    assert_eq!(subjects(&store).await, ["kept"]);
}
