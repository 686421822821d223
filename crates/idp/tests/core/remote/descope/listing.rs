//! Listings over Descope.

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp_core::remote::Count;
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdentityProvider, ListUsers, NamespaceSettings, PermissionConfig, Principal,
    UpdateUser, UserKey, UserQuery,
};

use super::super::peer::{host, ids, names, namespace, told, walk};
use super::{SEARCH, World};

#[tokio::test]
async fn test_users_are_users_for_every_method() {
    let world = World::new().await;
    let id = world.descope.add(&["test@example.com"], true);
    assert_eq!(world.idp.user(&host(), UserKey::Id(&id)).await.unwrap().id, id);
    for query in [UserQuery::default(), ids(&[&id]), names(&["test@example.com"])] {
        assert_eq!(world.find(query).await, [&*id]);
    }
}

#[tokio::test]
async fn listing_walks_all_users_in_creation_order_with_any_size_of_pages() {
    let world = World::new().await;
    let mut expected: Vec<_> =
        world.create_many(230).await.into_iter().map(|user| (user.created_at, user.id)).collect();
    expected.sort();
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    for first in [7, 30, 100, 115, 150, 229, 230, 231, 1000] {
        let (ids, totals) = walk(&world.idp, first).await;
        assert_eq!(ids, expected, "first: {first}");
        assert_eq!(totals.len(), 230_usize.div_ceil(first as usize), "first: {first}");
        assert!(totals.iter().all(|total| *total == 230), "first: {first}");
    }
    // A token can be used with another number of users.
    let request = |first, after| ListUsers { first: Some(first), after, ..ListUsers::default() };
    let one = world.idp.users(&host(), request(70, None)).await.unwrap();
    let two = world.idp.users(&host(), request(90, one.next_page_token)).await.unwrap();
    let found: Vec<_> = one.users.into_iter().chain(two.users).map(|user| user.id).collect();
    assert_eq!(found, expected[..160]);
}

#[tokio::test]
async fn listing_of_an_empty_project_has_a_total_of_zero() {
    let world = World::new().await;
    assert_eq!(walk(&world.idp, 10).await, (vec![], vec![0]));
    // Zeros are left out of some answers.
    world.descope.fail("/v2/mgmt/user/search", 200, &[], "{}");
    assert_eq!(walk(&world.idp, 10).await, (vec![], vec![0]));
}

#[tokio::test]
async fn page_that_is_shorter_than_asked_for_is_no_short_list() {
    let world = World::new().await;
    world.descope.fail("/v2/mgmt/user/search", 200, &[], json!({ "users": [{ "userId": "U1" }], "total": 2 }));
    assert_eq!(told(world.idp.users(&host(), ListUsers::default()).await).0, Code::Internal);
    world.descope.fail("/v2/mgmt/user/search", 200, &[], json!({ "users": [{ "userId": "U1" }], "total": 2 }));
    let request = ListUsers { query: ids(&["U1", "U2"]), ..ListUsers::default() };
    assert_eq!(told(world.idp.users(&host(), request).await).0, Code::Internal);
}

#[tokio::test]
async fn ids_and_names_are_filtered_by_descope_a_hundred_at_a_time() {
    let world = World::new().await;
    let users = world.create_many(120).await;
    let all: Vec<_> = users.iter().map(|user| &*user.id).chain(["U0"]).collect();
    assert_eq!(world.find(ids(&all)).await.len(), 120);
    assert_eq!(world.descope.take_paths(), [SEARCH, SEARCH]);
    let all: Vec<_> = users.iter().map(|user| &*user.name).chain(["nobody@example.com"]).collect();
    assert_eq!(world.find(names(&all)).await.len(), 120);
    assert_eq!(world.descope.take_paths(), [SEARCH, SEARCH]);

    let both = UserQuery { ids: ids(&[&users[0].id, &users[1].id]).ids, ..names(&[&users[1].name, &users[2].name]) };
    assert_eq!(world.find(both).await, [&*users[1].id]);
    // As by names alone: other programs create addresses in any case.
    let cased = world.descope.add(&["Cy@Example.com"], false);
    let both = UserQuery { ids: ids(&[&cased]).ids, ..names(&["cy@example.com"]) };
    assert_eq!(world.find(both).await, [&*cased]);
    assert_eq!(world.find(names(&["USER3@example.com"])).await, [&*users[3].id]);
}

#[tokio::test]
async fn empty_filters_match_nobody_and_are_not_sent() {
    let world = World::new().await;
    world.create("ana@example.com").await;
    for query in [ids(&[]), names(&[]), ids(&[""])] {
        assert_eq!(world.find(query).await, [""; 0]);
    }
    assert_eq!(world.descope.take_paths(), [""; 0]);
    // Users whom nobody asked for are never listed.
    world.descope.ignore_filters();
    assert_eq!(world.find(ids(&["U0"])).await, [""; 0]);
    assert_eq!(world.find(names(&["nobody@example.com"])).await, [""; 0]);
}

#[tokio::test]
async fn readable_users_are_listed_by_filter_and_counted_by_walking_only() {
    let permission: PermissionConfig =
        serde_json::from_value(json!({ "read": [{ "conditions": [[{ "idpUser": "disabled" }, "=", false]] }] }))
            .unwrap();
    let settings = || NamespaceSettings::default().permission(permission.compile().unwrap());
    let anonymous = CallContext::new(namespace(), Principal::Anonymous);
    for count in [Count::Refuse, Count::Walk] {
        let world = World::with(|options| options.count = count, settings()).await;
        let users = world.create_many(3).await;
        let bo = UpdateUser { id: users[1].id.clone(), disabled: Some(true), ..UpdateUser::default() };
        world.update(bo).await.unwrap();
        let query = ids(&[&users[0].id, &users[1].id]);
        let request = ListUsers { query, ..ListUsers::default() };
        let page = world.idp.users(&anonymous, request).await.unwrap();
        assert_eq!((page.total_count, &*page.users[0].id), (1, &*users[0].id));
        match (count, world.idp.users(&anonymous, ListUsers::default()).await) {
            (Count::Refuse, refused) => assert_eq!(told(refused).0, Code::Unimplemented),
            (Count::Walk, page) => assert_eq!(page.unwrap().total_count, 2),
        }
    }
}

#[tokio::test]
async fn scans_tell_hosts_who_has_a_password() {
    let world = World::new().await;
    let without = world.descope.add(&["ana@example.com"], false);
    let bo =
        CreateUser { name: "bo@example.com".into(), password: Some("correct horse battery".into()), disabled: false };
    let with = world.idp.create_user(&host(), bo).await.unwrap().id;
    let page = world.idp.directory("staff").unwrap().scan(&host(), None, 100).await.unwrap();
    let mut found: Vec<_> = page.users.into_iter().map(|user| (user.record.id, user.has_password)).collect();
    let mut expected = [(without, Some(false)), (with, Some(true))];
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}
