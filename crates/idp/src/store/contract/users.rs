//! Changing and deleting users.

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::UserRecord;
use crate::store::{JobState, PasswordChange, UserPatch};

/// Changes the user, checks that nothing but the version differs from `expected`, and returns the user as it is now.
async fn change(store: &Shared, user: &UserRecord, patch: UserPatch, expected: UserRecord) -> UserRecord {
    assert_eq!(update(store, &user.id, patch).await.unwrap(), 1);
    let changed = reread(store, user).await;
    assert_eq!(UserRecord { version: expected.version, ..changed.clone() }, expected);
    changed
}

pub async fn update_user_changes_each_field_separately(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let other = insert(&store, "other").await;

    let renamed = UserRecord { name: "ana maria".into(), ..ana.clone() };
    let ana = change(&store, &ana, rename("ana maria"), renamed.clone()).await;
    assert_eq!((by_name(&store, "ana").await, by_name(&store, "ana maria").await), (None, Some(ana.clone())));

    let off = UserRecord { disabled: true, ..renamed.clone() };
    change(&store, &ana, disabled(true), off.clone()).await;
    let hash = password_hash("secret");
    change(&store, &ana, password(PasswordChange::Set(hash.clone())), off.clone()).await;
    assert_eq!(credentials(&store, &ana).await.password, Ok(Some(hash.clone())));
    let ana = change(&store, &ana, disabled(false), renamed.clone()).await;
    assert_eq!(credentials(&store, &ana).await.password, Ok(Some(hash)), "other changes keep the password");
    let ana = change(&store, &ana, password(PasswordChange::Clear), renamed).await;
    assert_eq!(credentials(&store, &ana).await.password, Ok(None));
    assert_eq!(everyone(&store).await, [ana, other]);
}

pub async fn update_user_changes_all_fields_at_once(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let hash = password_hash("secret");
    let all = UserPatch { name: Some("bo".into()), password: PasswordChange::Set(hash.clone()), disabled: Some(true) };
    let expected = UserRecord { name: "bo".into(), disabled: true, ..ana.clone() };
    assert_eq!(expected, all.applied_to(&ana));
    change(&store, &ana, all, expected).await;
    assert_eq!(credentials(&store, &ana).await.password, Ok(Some(hash)));
    assert_eq!(total(&store).await, 1);
}

pub async fn empty_patch_changes_no_field(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let factor = add_factor(&store, &ana.id).await;
    enqueue(&store, &ana.id, "kept").await;
    update(&store, &ana.id, disabled(true)).await.unwrap();
    let ana = reread(&store, &ana).await;
    assert_eq!(ana.mfa_factor_ids, [factor.id]);
    change(&store, &ana, UserPatch::default(), ana.clone()).await;
    assert_eq!(payloads(&store, JobState::Queued).await, ["kept"], "jobs are changed by job mutations only");
}

pub async fn rename_to_a_taken_name_changes_nothing(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let all = UserPatch { name: Some("bo".into()), password: PasswordChange::Clear, disabled: Some(true) };
    for clash in [rename("bo"), all] {
        assert_name_taken(update(&store, &ana.id, clash).await, "bo");
        assert_eq!(everyone(&store).await, [ana.clone(), bo.clone()]);
    }
}

pub async fn rename_to_the_own_name_succeeds(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    change(&store, &ana, rename("ana"), ana.clone()).await;
}

pub async fn delete_user_succeeds_once(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    assert_eq!(delete(&store, &ana.id).await.unwrap(), 1);
    assert_conflict(delete(&store, &ana.id).await, "for the second time");
    assert_conflict(update(&store, &ana.id, rename("ana maria")).await, "a deleted user");
    assert_eq!((by_id(&store, &ana.id).await, by_name(&store, "ana").await), (None, None));
    assert_eq!(everyone(&store).await, [bo]);
    assert_eq!(total(&store).await, 1);
}

pub async fn delete_user_deletes_factors_and_keeps_jobs(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let mut factors = Vec::new();
    for user in [&ana, &bo] {
        factors.push(add_factor(&store, &user.id).await.id);
        enqueue(&store, &user.id, &user.name).await;
    }
    assert_eq!(delete(&store, &ana.id).await.unwrap(), 1);
    assert_eq!(payloads(&store, JobState::Queued).await, ["ana", "bo"]);
    let left = everyone(&store).await;
    assert_eq!(names(&left), ["bo"]);
    assert_eq!(left[0].mfa_factor_ids, factors[1..]);
    // A later user with the same name has none of them.
    let again = insert(&store, "ana").await;
    assert_eq!(again.mfa_factor_ids, Vec::<String>::new());
    assert_eq!(credentials(&store, &again).await.factors, []);
    assert_eq!(newest_job(&store, &again.id).await, None);
}
