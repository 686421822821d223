//! Listing users.

use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp_core::remote::Count;
use tailor_idp_core::{CallContext, PermissionConfig, Principal};

use super::*;

fn fill(world: &World, count: usize) {
    for number in 0..count {
        world.add(&format!("user{number}@example.com"));
    }
}

fn expected(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| format!("user{number}@example.com")).collect()
}

/// Walks the pages.
async fn walk(idp: &Router, first: i64) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = list(idp, first, after).await.unwrap();
        found.extend(page.users.iter().map(|user| user.name.clone()));
        after = page.next_page_token;
        if after.is_none() {
            return found;
        }
        assert_eq!(page.users.len(), first as usize, "pages are full");
    }
}

#[tokio::test]
async fn pages_of_any_size_have_every_user_once_in_creation_order() {
    let world = World::start().await;
    fill(&world, 237);
    world.tenant().add("partners", json!({ "email": "other@example.com" }));
    let idp = world.idp();
    for first in [1, 7, 50, 99, 100, 101, 130, 237, 238, 1000] {
        assert_eq!(walk(&idp, first).await, expected(0..237), "{first}");
    }
    assert_eq!(list(&idp, 3, None).await.unwrap().total_count, 237);
    world.calls();
    list(&idp, 100, None).await.unwrap();
    assert_eq!(world.calls(), ["GET /users"]);
}

#[tokio::test]
async fn empty_connections_have_one_empty_page() {
    let world = World::start().await;
    let page = list(&world.idp(), 10, None).await.unwrap();
    assert_eq!(page, UserPage { users: Vec::new(), next_page_token: None, total_count: 0 });
}

#[tokio::test]
async fn pages_have_everybody_who_stays_while_users_are_deleted() {
    let world = World::start().await;
    fill(&world, 250);
    let idp = world.idp();
    for first in [10, 60, 100] {
        let mut after = None;
        let mut seen = Vec::new();
        let there: Vec<_> = walk(&idp, 1000).await;
        loop {
            let page = list(&idp, first, after).await.unwrap();
            // Every other user of the page goes, and once the last one, whom the token names.
            let ids: Vec<_> = page.users.iter().rev().step_by(2).map(|user| user.id.clone()).take(8).collect();
            for id in ids {
                world.tenant().remove(&id);
            }
            seen.extend(page.users.into_iter().map(|user| user.name));
            after = page.next_page_token;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, there, "{first}");
    }
}

#[tokio::test]
async fn scripts_can_delete_everybody_page_by_page() {
    let world = World::start().await;
    fill(&world, 230);
    let idp = world.idp();
    let mut after = None;
    loop {
        let page = list(&idp, 25, after).await.unwrap();
        for user in page.users {
            world.tenant().remove(&user.id);
        }
        after = page.next_page_token;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(world.tenant().users().count(), 0);
}

#[tokio::test]
async fn listings_beyond_the_window_are_refused_with_the_way_out() {
    let world = World::start().await;
    fill(&world, 1003);
    let idp = world.idp();
    let first = list(&idp, 1000, None).await.unwrap();
    assert_eq!((first.users.len(), first.total_count), (1000, 1003));
    let reason = "Auth0 lists only the first 1000 users of a connection: look users up by query.ids or query.names, or export \
                  all users from Auth0";
    let refused = (Code::FailedPrecondition, reason.to_owned());
    assert_eq!(failure(list(&idp, 1000, first.next_page_token.clone()).await), refused);
    // Never a short page.
    let page = list(&idp, 700, None).await.unwrap();
    assert_eq!(failure(list(&idp, 700, page.next_page_token).await), refused);
    // Those beyond can be looked up.
    let names = expected(998..1003);
    assert_eq!(find(&idp, None, Some(names.clone())).await.unwrap().total_count, 5);

    // When users are deleted, the rest come into reach.
    let id = first.users[5].id.clone();
    world.tenant().remove(&id);
    let ids: Vec<_> = first.users[10..12].iter().map(|user| user.id.clone()).collect();
    ids.iter().for_each(|id| world.tenant().remove(id));
    let rest = list(&idp, 1000, first.next_page_token).await.unwrap();
    assert_eq!((rest.next_page_token, rest.total_count), (None, 1000));
    assert_eq!(rest.users.into_iter().map(|user| user.name).collect::<Vec<_>>(), expected(1000..1003));
}

#[tokio::test]
async fn connections_of_exactly_the_window_are_listed_whole() {
    let world = World::start().await;
    fill(&world, 1000);
    let idp = world.idp();
    let page = list(&idp, 1000, None).await.unwrap();
    assert_eq!((page.users.len(), page.next_page_token, page.total_count), (1000, None, 1000));
    let calls = world.calls().len();
    assert!(calls <= 12, "{calls}");
    assert_eq!(walk(&idp, 333).await.len(), 1000);
}

#[tokio::test]
async fn ids_are_looked_up_in_parallel() {
    let world = World::start().await;
    fill(&world, 100);
    let ids: Vec<_> = world.tenant().users().map(|user| user["user_id"].as_str().unwrap().to_owned()).collect();
    let idp = world.idp();
    world.tenant().latency = Duration::from_millis(10);
    let page = find(&idp, Some(ids.clone()), None).await.unwrap();
    assert_eq!(page.users.into_iter().map(|user| user.name).collect::<Vec<_>>(), expected(0..100));
    let most = world.tenant().most_in_flight;
    assert!((8..=16).contains(&most), "{most}");
    let unknown = vec![ids[3].clone(), "auth0|unknown".to_owned(), "malformed".to_owned(), String::new()];
    let two = Some(vec!["user3@example.com".to_owned(), "user4@example.com".to_owned()]);
    let page = find(&idp, Some(unknown), two).await.unwrap();
    assert_eq!(names(&page), ["user3@example.com"]);
}

#[tokio::test]
async fn invokers_who_may_read_some_users_list_those_they_name_and_all_only_by_counting() {
    let world = World::start().await;
    fill(&world, 4);
    let ids: Vec<_> = world.tenant().users().map(|user| user["user_id"].as_str().unwrap().to_owned()).collect();
    world.tenant().change(&ids[1], json!({ "blocked": true }).as_object().unwrap().clone());
    let read = json!({ "read": [{ "conditions": [[{ "idpUser": "disabled" }, "=", false]] }] });
    let permission = serde_json::from_value::<PermissionConfig>(read).unwrap().compile().unwrap();
    let idp = |count: Count| {
        let settings = NamespaceSettings::default().permission(permission.clone());
        let auth0 = world.auth0(|options| options.count = count);
        Router::builder().directory(namespace(), Arc::new(auth0), settings).build()
    };
    let anonymous = CallContext::new(namespace(), Principal::Anonymous);
    let named = ListUsers { query: UserQuery { ids: Some(ids), names: None }, ..ListUsers::default() };
    let refusing = idp(Count::Refuse);
    let page = refusing.users(&anonymous, named).await.unwrap();
    let readable = ["user0@example.com", "user2@example.com", "user3@example.com"];
    assert_eq!((names(&page), page.total_count), (readable.to_vec(), 3));
    world.calls();
    let refused = failure(refusing.users(&anonymous, ListUsers::default()).await);
    let detail = "Auth0 does not support listing only the users whom the permission lets the caller read: count = \"walk\" in \
                  the settings of the namespace allows it";
    assert_eq!(refused, (Code::Unimplemented, detail.to_owned()));
    assert_eq!(world.calls(), Vec::<String>::new());
    let page = idp(Count::Walk).users(&anonymous, ListUsers::default()).await.unwrap();
    assert_eq!((names(&page), page.total_count), (readable.to_vec(), 3));
}

/// Reads everybody as hosts do, beyond the window.
async fn scan(idp: &Router) -> Result<Vec<String>, IdpError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = idp.directory("staff").unwrap().scan(&host(), after, 100).await?;
        found.extend(page.users.into_iter().map(|user| user.record.name));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

#[tokio::test]
async fn scans_have_every_user_once_beyond_the_window() {
    let world = World::start().await;
    assert_eq!(scan(&world.idp()).await.unwrap(), Vec::<String>::new());
    fill(&world, 2345);
    world.tenant().add("partners", json!({ "email": "other@example.com" }));
    assert_eq!(scan(&world.idp()).await.unwrap(), expected(0..2345));
}

#[tokio::test]
async fn scans_fail_when_more_users_than_the_window_have_the_same_time() {
    let world = World::start().await;
    for number in 0..1001 {
        let fields = json!({ "email": format!("user{number}@example.com"), "created_at": "2026-01-15T12:00:00.000Z" });
        world.tenant().add(CONNECTION, fields);
    }
    assert_eq!(scan(&world.idp()).await.unwrap_err().code(), Code::FailedPrecondition);
}
