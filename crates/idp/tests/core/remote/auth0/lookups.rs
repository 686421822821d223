//! Users by id and by name.

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::*;

#[tokio::test]
async fn users_are_found_by_id_and_by_any_spelling_of_the_name() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();

    let ana = idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    assert_eq!((&*ana.id, &*ana.name, ana.disabled, ana.mfa_enrolled), (&*id, "ana@example.com", false, false));
    assert_eq!(ana.created_at.unwrap().to_string(), "2026-01-15T00:00:00.001Z");
    assert_eq!(idp.user(&host(), UserKey::Name("Ana@Example.com")).await.unwrap(), ana);
    assert_eq!(world.calls(), [format!("GET /users/{}", id.replace('|', "%7C")), "GET /users-by-email".to_owned()]);

    let fields = "fields=user_id%2Cemail%2Cusername%2Ccreated_at%2Cblocked%2Cidentities&include_fields=true";
    idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(world.tenant().requests.last().unwrap().query, fields);
}

#[tokio::test]
async fn unknown_and_malformed_ids_are_not_found() {
    let world = World::start().await;
    world.add("ana@example.com");
    let idp = world.idp();
    for id in ["auth0|unknown", "no-provider", "a/../b|c", "?", "#", "%7C"] {
        let expected = (Code::NotFound, format!("user not found: {id}"));
        assert_eq!(failure(idp.user(&host(), UserKey::Id(id)).await), expected);
    }
    assert_eq!(world.calls().len(), 6);
    // These would address something else.
    for id in ["", ".", "..", &"x".repeat(600)] {
        assert_eq!(failure(idp.user(&host(), UserKey::Id(id)).await).0, Code::NotFound, "{id}");
    }
    assert_eq!(world.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn users_of_other_connections_do_not_exist() {
    let world = World::start().await;
    let other = world.tenant().add("partners", json!({ "email": "ana@example.com" }));
    let idp = world.idp();
    let missing = (Code::NotFound, format!("user not found: {other}"));
    assert_eq!(failure(idp.user(&host(), UserKey::Id(&other)).await), missing);
    assert_eq!(failure(idp.delete_user(&host(), &other).await), missing);
    let rename = UpdateUser { id: other.clone(), disabled: Some(true), ..UpdateUser::default() };
    assert_eq!(failure(idp.update_user(&host(), rename).await), missing);
    assert_eq!(failure(idp.user(&host(), UserKey::Name("ana@example.com")).await).0, Code::NotFound);
    assert_eq!(list(&idp, 10, None).await.unwrap().total_count, 0);
    assert!(find(&idp, Some(vec![other.clone()]), None).await.unwrap().users.is_empty());

    // The same address is free in this connection, and found there.
    let own = idp.create_user(&host(), new_user("ana@example.com")).await.unwrap();
    assert_eq!(idp.user(&host(), UserKey::Name("ana@example.com")).await.unwrap(), own);
    assert!(world.tenant().user(&other).is_some());
}

#[tokio::test]
async fn accounts_linked_to_a_user_of_another_connection_belong_to_the_connection() {
    let world = World::start().await;
    let identities = json!([
        { "connection": "google-oauth2", "user_id": "1", "provider": "google-oauth2", "isSocial": true },
        { "connection": CONNECTION, "user_id": "2", "provider": "auth0", "isSocial": false, "profileData": { "email": "ana@example.com" } },
    ]);
    let id = world.tenant().add("x", json!({ "email": "ana@example.com", "identities": identities }));
    let idp = world.idp();
    let ana = idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    assert_eq!(ana.name, "ana@example.com");
    assert_eq!(names(&list(&idp, 10, None).await.unwrap()), ["ana@example.com"]);
    // A password is that of the account in the connection.
    let change = UpdateUser { id, password: Some("correct horse".into()), ..UpdateUser::default() };
    idp.update_user(&host(), change).await.unwrap();
    assert_eq!(world.tenant().requests.last().unwrap().body["connection"], CONNECTION);
}

#[tokio::test]
async fn lookups_see_writes_that_searches_do_not_see_yet() {
    let world = World::start().await;
    world.tenant().search_delay = Duration::from_secs(3600);
    let idp = world.idp();
    let ana = idp.create_user(&host(), new_user("ana@example.com")).await.unwrap();
    assert_eq!(list(&idp, 10, None).await.unwrap().total_count, 0, "a listing is a search");
    assert_eq!(idp.user(&host(), UserKey::Id(&ana.id)).await.unwrap(), ana);
    assert_eq!(idp.user(&host(), UserKey::Name(&ana.name)).await.unwrap(), ana);
    let both = find(&idp, Some(vec![ana.id.clone()]), Some(vec![ana.name.clone()])).await.unwrap();
    assert_eq!((both.users, both.total_count), (vec![ana.clone()], 1));
    idp.delete_user(&host(), &ana.id).await.unwrap();
    assert_eq!(find(&idp, None, Some(vec![ana.name])).await.unwrap().total_count, 0);
}

#[tokio::test]
async fn usernames_are_created_found_and_renamed_in_lower_case() {
    let world = World::start().await;
    let idp = world.usernames();
    let ana = idp.create_user(&host(), new_user("Ana-1")).await.unwrap();
    assert_eq!(ana.name, "ana-1");
    let stored = world.tenant().user(&ana.id).unwrap();
    assert_eq!((&stored["username"], &stored["email"]), (&json!("ana-1"), &json!(null)));
    assert_eq!(idp.user(&host(), UserKey::Name("ANA-1")).await.unwrap(), ana);

    let rename = UpdateUser { id: ana.id.clone(), name: Some("ana-2".into()), ..UpdateUser::default() };
    assert_eq!(idp.update_user(&host(), rename).await.unwrap().name, "ana-2");
    let rename = UpdateUser { id: ana.id.clone(), name: Some("ana@example.com".into()), ..UpdateUser::default() };
    assert_eq!(idp.update_user(&host(), rename).await.unwrap().name, "ana@example.com");
    assert_eq!(idp.user(&host(), UserKey::Name("ana@example.com")).await.unwrap().id, ana.id);
    assert_eq!(failure(idp.user(&host(), UserKey::Name("ana-2")).await).0, Code::NotFound, "known by the address");
}

#[tokio::test]
async fn email_addresses_are_not_replaced_by_usernames() {
    let world = World::start().await;
    let idp = world.usernames();
    let id = world.tenant().add("handles", json!({ "email": "ana@example.com", "username": "ana" }));
    world.calls();
    let rename = UpdateUser { id, name: Some("bo".into()), disabled: Some(true), ..UpdateUser::default() };
    let expected = (Code::Unimplemented, "Auth0 does not support replacing an e-mail address by a username".to_owned());
    assert_eq!(failure(idp.update_user(&host(), rename).await), expected);
    assert!(world.calls().iter().all(|call| call.starts_with("GET ")), "nothing is written");
}

#[tokio::test]
async fn hostile_usernames_find_nobody_else() {
    let world = World::start().await;
    let idp = world.usernames();
    for name in ["ana", "bo", "a\"b", "a\\b", "c*"] {
        world.tenant().add("handles", json!({ "username": name }));
    }
    world.tenant().add(CONNECTION, json!({ "username": "secret" }));
    for hostile in [
        "ana\" OR username:\"bo",
        "\") OR _exists_:user_id OR username:(\"",
        "\") OR identities.connection:(\"Username-Password-Authentication",
        "*",
        "an?",
        "\\",
        "\"",
        "secret",
        "\\\" OR \"",
        " ana",
    ] {
        let found = idp.user(&host(), UserKey::Name(hostile)).await;
        assert_eq!(failure(found).0, Code::NotFound, "{hostile}");
    }
    for name in ["a\"b", "a\\b", "c*"] {
        assert_eq!(idp.user(&host(), UserKey::Name(name)).await.unwrap().name, name);
    }
    let hostile = ["ana", "a\"b", "\") OR _exists_:user_id OR (\"", "c*"].map(str::to_owned).to_vec();
    assert_eq!(names(&find(&idp, None, Some(hostile)).await.unwrap()), ["ana", "a\"b", "c*"]);
}

#[tokio::test]
async fn many_names_take_few_searches_for_usernames_and_parallel_lookups_for_addresses() {
    let world = World::start().await;
    let idp = world.usernames();
    let mut wanted = Vec::new();
    for number in 0..120 {
        let (email, username) = (format!("user{number}@example.com"), format!("user{number}"));
        world.tenant().add("handles", json!({ "email": email }));
        world.tenant().add("handles", json!({ "username": username }));
        wanted.extend([email, username]);
    }
    world.tenant().latency = Duration::from_millis(5);
    wanted.extend(["nobody".to_owned(), "nobody@example.com".to_owned()]);
    let page = find(&idp, None, Some(wanted)).await.unwrap();
    assert_eq!((page.users.len(), page.total_count), (240, 240));
    let calls = world.calls();
    assert_eq!(calls.iter().filter(|call| *call == "GET /users-by-email").count(), 121);
    assert_eq!(calls.iter().filter(|call| *call == "GET /users").count(), 2);
    let most = world.tenant().most_in_flight;
    assert!((8..=16).contains(&most), "{most}");
}

#[tokio::test]
async fn accounts_without_a_password_get_one_that_nobody_knows() {
    let world = World::start().await;
    let idp = world.idp();
    let request = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let ana = idp.create_user(&host(), request).await.unwrap();
    let password = world.tenant().passwords[&ana.id].clone();
    assert!((32..=72).contains(&password.len()), "{password}");
}
