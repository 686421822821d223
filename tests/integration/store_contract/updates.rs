//! Changing and deleting users.

use super::Store;

use pretty_assertions::assert_eq;
use tailor_idp::store::{PasswordChange, StoreError, UserChange, UserRecord};

use super::{Backend, by_id, by_name, everyone, insert, mail, names, no_ids_but, subjects, total};
use crate::support::password_hash;

fn rename(name: &str) -> UserChange {
    UserChange { name: Some(name.into()), ..UserChange::default() }
}

fn disabled(disabled: bool) -> UserChange {
    UserChange { disabled: Some(disabled), ..UserChange::default() }
}

fn password(password: PasswordChange) -> UserChange {
    UserChange { password, ..UserChange::default() }
}

/// Changes the user, and sees that what is returned is what is stored.
async fn change(store: &Store, user: &UserRecord, change: UserChange) -> UserRecord {
    let changed = store.update(&user.id, change).await.unwrap().expect("the user is there");
    assert_eq!(by_id(store, &user.id).await.as_ref(), Some(&changed));
    changed
}

pub(super) async fn each_field_changes_by_itself(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let other = insert(&store, "other").await;

    let renamed = change(&store, &ana, rename("ana maria")).await;
    assert_eq!(renamed, UserRecord { name: "ana maria".into(), ..ana.clone() });
    assert_eq!((by_name(&store, "ana").await, by_name(&store, "ana maria").await), (None, Some(renamed.clone())));

    let off = change(&store, &ana, disabled(true)).await;
    assert_eq!(off, UserRecord { disabled: true, ..renamed.clone() });
    assert_eq!(change(&store, &ana, password(PasswordChange::Set(password_hash("secret")))).await, off);
    assert_eq!(change(&store, &ana, password(PasswordChange::Clear)).await, off);
    assert_eq!(change(&store, &ana, disabled(false)).await, renamed);
    assert_eq!(everyone(&store).await, [renamed, other]);
}

pub(super) async fn all_fields_change_at_once(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let password = PasswordChange::Set(password_hash("secret"));
    let all = UserChange { name: Some("bo".into()), password, disabled: Some(true) };
    assert_eq!(change(&store, &ana, all).await, UserRecord { name: "bo".into(), disabled: true, ..ana });
    assert_eq!(total(&store).await, 1);
}

pub(super) async fn an_empty_change_returns_the_user_as_it_is(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    store.add_mfa_factor(&ana.id).await.unwrap().unwrap();
    store.queue_reset_mail(mail(&ana, "kept")).await.unwrap();
    let ana = change(&store, &ana, disabled(true)).await;
    store.queue_reset_mail(mail(&ana, "kept")).await.unwrap();
    assert_eq!(change(&store, &ana, UserChange::default()).await, ana);
    assert_eq!(ana.mfa_factor_ids.len(), 1);
    assert_eq!(subjects(&store).await, ["kept"]);
}

pub(super) async fn a_rename_to_a_taken_name_leaves_everything_as_it_was(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    store.queue_reset_mail(mail(&ana, "kept")).await.unwrap();
    let all = UserChange { name: Some("bo".into()), password: PasswordChange::Clear, disabled: Some(true) };
    for clash in [rename("bo"), all] {
        let error = store.update(&ana.id, clash).await.unwrap_err();
        assert!(matches!(error, StoreError::NameTaken), "{error}");
        assert_eq!(everyone(&store).await, [ana.clone(), bo.clone()]);
        assert_eq!(subjects(&store).await, ["kept"]);
    }
}

pub(super) async fn a_rename_to_the_own_name_succeeds(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    assert_eq!(change(&store, &ana, rename("ana")).await, ana);
}

pub(super) async fn nobody_is_changed_or_deleted_by_an_id_that_is_unknown_or_malformed(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    store.queue_reset_mail(mail(&ana, "kept")).await.unwrap();
    let all = UserChange { name: Some("bo".into()), password: PasswordChange::Clear, disabled: Some(true) };
    for id in no_ids_but(&ana.id) {
        assert_eq!(store.update(&id, all.clone()).await.unwrap(), None, "{id:?}");
        assert_eq!(store.update(&id, rename("ana")).await.unwrap(), None, "a taken name, and {id:?}");
        assert!(!store.delete(&id).await.unwrap(), "{id:?}");
    }
    assert_eq!(everyone(&store).await, [ana]);
    assert_eq!(subjects(&store).await, ["kept"]);
}

pub(super) async fn a_password_set_or_cleared_and_disabling_end_the_users_reset_mails(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let set = PasswordChange::Set(password_hash("secret"));
    store.queue_reset_mail(mail(&bo, "bo's")).await.unwrap();
    for (ending, what) in
        [password(set), password(PasswordChange::Clear), disabled(true)].into_iter().zip(["set", "cleared", "disabled"])
    {
        store.queue_reset_mail(mail(&ana, "ana's first")).await.unwrap();
        store.queue_reset_mail(mail(&ana, "ana's second")).await.unwrap();
        change(&store, &ana, ending).await;
        assert_eq!(subjects(&store).await, ["bo's"], "{what}");
    }
    // Disabled already: a mail of a disabled user ends when it is disabled once more.
    store.queue_reset_mail(mail(&ana, "ana's third")).await.unwrap();
    change(&store, &ana, disabled(true)).await;
    assert_eq!(subjects(&store).await, ["bo's"]);
}

pub(super) async fn enabling_and_renaming_leave_reset_mails_alone(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    change(&store, &ana, disabled(true)).await;
    store.queue_reset_mail(mail(&ana, "kept")).await.unwrap();
    change(&store, &ana, rename("ana maria")).await;
    change(&store, &ana, disabled(false)).await;
    change(&store, &ana, UserChange { name: Some("ana".into()), disabled: Some(false), ..UserChange::default() }).await;
    assert_eq!(subjects(&store).await, ["kept"]);
}

pub(super) async fn a_user_is_deleted_once(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    assert!(store.delete(&ana.id).await.unwrap());
    assert!(!store.delete(&ana.id).await.unwrap());
    assert_eq!(store.update(&ana.id, rename("ana maria")).await.unwrap(), None);
    assert_eq!((by_id(&store, &ana.id).await, by_name(&store, "ana").await), (None, None));
    assert_eq!(everyone(&store).await, [bo]);
    assert_eq!(total(&store).await, 1);
}

pub(super) async fn deleting_takes_factors_and_mails_along(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let mut factors = Vec::new();
    for user in [&ana, &bo] {
        factors.push(store.add_mfa_factor(&user.id).await.unwrap().unwrap());
        store.queue_reset_mail(mail(user, &user.name)).await.unwrap();
    }
    assert!(store.delete(&ana.id).await.unwrap());
    assert_eq!(subjects(&store).await, ["bo"]);
    assert!(!store.remove_mfa_factor(&ana.id, &factors[0]).await.unwrap());
    let left = everyone(&store).await;
    assert_eq!(names(&left), ["bo"]);
    assert_eq!(left[0].mfa_factor_ids, factors[1..]);
    // A namesake starts out with nothing.
    assert_eq!(insert(&store, "ana").await.mfa_factor_ids, Vec::<String>::new());
    assert_eq!(by_name(&store, "ana").await.unwrap().mfa_factor_ids, Vec::<String>::new());
    assert_eq!(subjects(&store).await, ["bo"]);
}
