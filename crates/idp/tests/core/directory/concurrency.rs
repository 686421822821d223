//! Concurrent writes through the router to users in a store.

use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp_core::store::SqliteDatabase;
use tailor_idp_core::{
    CallContext, Code, CreateUser, HashCost, IdentityProvider, IdpError, NamespaceSettings, Permission, Router,
    UpdateUser, User, UserKey, Version,
};

use super::fixture::{anonymous, compile, host};
use crate::support::{self, by_id, namespace, place};

async fn open(path: &Path, permission: Permission) -> Router {
    let store = SqliteDatabase::open(path).unwrap().namespace(&namespace("users")).await.unwrap();
    let settings = NamespaceSettings::default().permission(permission);
    let idp = Router::builder().namespace(namespace("users"), Arc::new(store), settings);
    idp.hash_cost(HashCost::danger_cheap_for_tests()).build()
}

async fn create(idp: &Router) -> User {
    idp.create_user(&host(), CreateUser { name: "ana@example.com".into(), ..CreateUser::default() }).await.unwrap()
}

async fn version(path: &Path, user: &User) -> Version {
    by_id(&support::open(path, "users").await, &user.id).await.unwrap().version
}

/// Starts an update of Ana.
fn update(
    idp: &Router,
    context: CallContext,
    user: &User,
    change: UpdateUser,
) -> tokio::task::JoinHandle<Result<User, IdpError>> {
    let (idp, change) = (idp.clone(), UpdateUser { id: user.id.clone(), ..change });
    tokio::spawn(async move { idp.update_user(&context, change).await })
}

fn rename(name: &str) -> UpdateUser {
    UpdateUser { name: Some(format!("{name}@example.com")), ..UpdateUser::default() }
}

fn disable() -> UpdateUser {
    UpdateUser { disabled: Some(true), ..UpdateUser::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_updates_of_different_fields_are_all_there() {
    for _ in 0..20 {
        let (_folder, path) = place();
        let idp = open(&path, Permission::allow_all()).await;
        let ana = create(&idp).await;
        let password = UpdateUser { password: Some("correct horse".into()), ..UpdateUser::default() };
        let updates = [rename("anna"), password, disable()].map(|change| update(&idp, host(), &ana, change));
        for outcome in join_all(updates).await {
            outcome.unwrap().unwrap();
        }
        let user = idp.user(&host(), UserKey::Id(&ana.id)).await.unwrap();
        assert_eq!((user.name.as_str(), user.disabled), ("anna@example.com", true));
        let enable = UpdateUser { id: ana.id.clone(), disabled: Some(false), ..UpdateUser::default() };
        idp.update_user(&host(), enable).await.unwrap();
        let signed_in = idp.verify_password("users", "anna@example.com", "correct horse".into()).await.unwrap();
        assert!(signed_in.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_concurrent_updates_of_one_user_all_succeed() {
    const UPDATES: usize = 100;
    let (_folder, path) = place();
    let idp = open(&path, Permission::allow_all()).await;
    let ana = create(&idp).await;
    let before = version(&path, &ana).await;
    let updates = (0..UPDATES).map(|index| update(&idp, host(), &ana, rename(&format!("ana{index}"))));
    for outcome in join_all(updates).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(version(&path, &ana).await.0 - before.0, UPDATES as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn updates_by_two_routers_on_one_file_all_succeed() {
    const UPDATES: usize = 30;
    let (_folder, path) = place();
    let routers = [open(&path, Permission::allow_all()).await, open(&path, Permission::allow_all()).await];
    let ana = create(&routers[0]).await;
    let updates = (0..UPDATES).map(|index| update(&routers[index % 2], host(), &ana, rename(&format!("ana{index}"))));
    for outcome in join_all(updates).await {
        outcome.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn update_that_a_policy_forbids_for_disabled_users_never_follows_a_concurrent_disable() {
    let permission = || compile(json!({ "update": [{ "conditions": [[{ "oldIdpUser": "disabled" }, "=", false]] }] }));
    for round in 0..20 {
        let (_folder, path) = place();
        let (idp, other) = (open(&path, permission()).await, open(&path, permission()).await);
        let ana = create(&idp).await;
        let mut renames: Vec<_> =
            (0..4).map(|index| update(&idp, anonymous(), &ana, rename(&format!("before{index}")))).collect();
        let disabled = update(&other, host(), &ana, disable());
        renames.extend((0..4).map(|index| update(&other, anonymous(), &ana, rename(&format!("after{index}")))));
        let at_disable = disabled.await.unwrap().unwrap();
        for outcome in join_all(renames).await {
            match outcome.unwrap() {
                Ok(user) => assert!(!user.disabled, "round {round}"),
                Err(error) => assert_eq!(error.code(), Code::PermissionDenied, "round {round}: {error}"),
            }
        }
        let at_end = idp.user(&host(), UserKey::Id(&ana.id)).await.unwrap();
        assert_eq!(at_end, at_disable, "round {round}");
    }
}
