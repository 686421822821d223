//! Changes of users over Descope.

use pretty_assertions::assert_eq;
use serde_json::json;
use tailor_idp_core::{Code, CreateUser, IdentityProvider, UpdateUser, UserKey};

use super::super::peer::{host, ids, logged, permissive, told};
use super::{EMAIL, LOGIN_ID, PASSWORD, SET_PASSWORD, STATUS, World, error};

#[tokio::test]
async fn update_disables_then_renames_then_sets_the_password() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let request = UpdateUser {
        id: ana.id.clone(),
        name: Some("Bo@Example.com".into()),
        password: Some("another password".into()),
        clear_password: false,
        disabled: Some(true),
    };
    let updated = world.update(request).await.unwrap();
    assert_eq!((&updated.id, &*updated.name, updated.disabled), (&ana.id, "bo@example.com", true));
    let requests = world.descope.requests();
    assert_eq!(world.changes(), [STATUS, LOGIN_ID, EMAIL, SET_PASSWORD]);
    let bodies: Vec<_> = requests.into_iter().skip(1).map(|(_, body)| body).collect();
    let expected = [
        json!({ "loginId": "ana@example.com", "status": "disabled" }),
        json!({ "loginId": "ana@example.com", "newLoginId": "bo@example.com" }),
        json!({ "loginId": "bo@example.com", "email": "bo@example.com", "verified": true, "failOnConflict": true }),
        json!({ "loginId": "bo@example.com", "password": "another password" }),
    ];
    assert_eq!(bodies, expected);
    assert_eq!(world.descope.status_and_email(&ana.id), ("disabled".to_owned(), Some("bo@example.com".to_owned())));
    assert_eq!(world.idp.user(&host(), UserKey::Id(&ana.id)).await.unwrap(), updated);
}

#[tokio::test]
async fn update_enables_last() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let disable = |disabled| UpdateUser { id: ana.id.clone(), disabled: Some(disabled), ..UpdateUser::default() };
    world.update(disable(true)).await.unwrap();
    world.descope.take_paths();
    let enable = UpdateUser { password: Some("another password".into()), ..disable(false) };
    assert!(!world.update(enable).await.unwrap().disabled);
    assert_eq!(world.changes(), [SET_PASSWORD, STATUS]);
}

#[tokio::test]
async fn update_that_changes_nothing_writes_nothing() {
    let world = World::new().await;
    let id = world.descope.add(&["ana@example.com"], false);
    let request = UpdateUser {
        id: id.clone(),
        name: Some("Ana@example.com".into()),
        disabled: Some(false),
        ..Default::default()
    };
    assert_eq!(world.update(request).await.unwrap().id, id);
    assert_eq!(world.changes(), [""; 0]);
    // An invited user is not disabled, and stays invited.
    assert_eq!(world.descope.status_and_email(&id).0, "invited");
}

#[tokio::test]
async fn failure_amid_an_update_says_what_took_effect() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let request = |name: &str| UpdateUser {
        id: ana.id.clone(),
        name: Some(name.into()),
        password: Some("another password".into()),
        clear_password: false,
        disabled: Some(true),
    };
    world.descope.fail(SET_PASSWORD, 503, &[], "");
    let expected = "Descope answered with status 503 (already in effect: the user is disabled, the name is changed, \
                    the e-mail address is changed)";
    assert_eq!(told(world.update(request("bo@example.com")).await), (Code::Unavailable, expected.to_owned()));
    let now = world.idp.user(&host(), UserKey::Id(&ana.id)).await.unwrap();
    assert_eq!((&*now.name, now.disabled), ("bo@example.com", true));

    world.descope.fail(LOGIN_ID, 500, &[], "");
    let expected = "Descope answered with status 500: it is not known whether the user was renamed";
    assert_eq!(told(world.update(request("cy@example.com")).await), (Code::Unavailable, expected.to_owned()));
}

#[tokio::test]
async fn rename_to_a_taken_login_id_or_email_already_exists_and_merges_nobody() {
    let world = World::new().await;
    let (ana, bo) = (world.create("ana@example.com").await, world.create("bo@example.com").await);
    let rename = |name: &str| UpdateUser { id: ana.id.clone(), name: Some(name.into()), ..UpdateUser::default() };
    let taken = told(world.update(rename("bo@example.com")).await);
    assert_eq!(taken, (Code::AlreadyExists, "user already exists: bo@example.com".to_owned()));

    // Bo's login ID changes, the e-mail address stays.
    world.descope.fail(EMAIL, 500, &[], "");
    let request = UpdateUser { id: bo.id.clone(), name: Some("bob@example.com".into()), ..UpdateUser::default() };
    world.update(request).await.unwrap_err();
    let taken = told(world.update(rename("bo@example.com")).await);
    let expected = "user already exists: bo@example.com (already in effect: the name is changed)";
    assert_eq!(taken, (Code::AlreadyExists, expected.to_owned()));
    assert_eq!(world.find(ids(&[&ana.id, &bo.id])).await.len(), 2);
}

#[tokio::test]
async fn unsupported_part_of_an_update_is_refused_before_anything_is_written() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let request = UpdateUser {
        id: ana.id.clone(),
        name: Some("bo@example.com".into()),
        clear_password: true,
        disabled: Some(true),
        ..UpdateUser::default()
    };
    let refused = told(world.update(request).await);
    let detail = "Descope does not support removing a password: scramble_passwords = true in the settings of the namespace allows it";
    assert_eq!(refused, (Code::Unimplemented, detail.to_owned()));
    assert_eq!(world.changes(), [""; 0]);
}

#[tokio::test]
async fn clear_password_sets_a_random_one_where_the_options_allow_it() {
    let world = World::with(|options| options.scramble_passwords = true, permissive()).await;
    let ana = world.create("ana@example.com").await;
    let clear = || UpdateUser { id: ana.id.clone(), clear_password: true, ..UpdateUser::default() };
    world.update(clear()).await.unwrap();
    let one = world.descope.password(&ana.id).unwrap();
    world.update(clear()).await.unwrap();
    let two = world.descope.password(&ana.id).unwrap();
    assert!(one != two && one != PASSWORD && one.len() >= 32, "{one} {two}");
}

#[tokio::test]
async fn refused_password_is_an_invalid_argument_with_the_reason_and_never_the_password() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let create =
        |password: &str| CreateUser { name: "bo@example.com".into(), password: Some(password.into()), disabled: false };
    let update =
        |password: &str| UpdateUser { id: ana.id.clone(), password: Some(password.into()), ..UpdateUser::default() };
    for password in ["secret1", "a\"b\\cé"] {
        let refused = world.update(update(password)).await.unwrap_err();
        let expected = "Descope refuses the password: Password [redacted] must have at least 8 characters";
        assert_eq!((refused.code(), refused.detail()), (Code::InvalidArgument, expected));
        let also = world.idp.create_user(&host(), create(password)).await.unwrap_err();
        let expected = "Descope refuses the user or the password: Password [redacted] must have at least 8 characters";
        assert_eq!((also.code(), also.detail()), (Code::InvalidArgument, expected));
        for error in [refused, also] {
            assert!(!logged(&error).contains(password), "{}", logged(&error));
        }
    }
}

#[tokio::test]
async fn delete_removes_the_user_by_id() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    world.idp.delete_user(&host(), &ana.id).await.unwrap();
    let (path, body) = world.descope.requests().pop().unwrap();
    assert_eq!((&*path, body), ("POST /v1/mgmt/user/delete", json!({ "userId": ana.id })));
    assert_eq!(told(world.idp.delete_user(&host(), &ana.id).await).0, Code::NotFound);

    // Somebody else deleted the user in between.
    let bo = world.create("bo@example.com").await;
    world.descope.fail("/v1/mgmt/user/delete", 404, &[], error("E112102", "User not found"));
    let gone = told(world.idp.delete_user(&host(), &bo.id).await);
    assert_eq!(gone, (Code::NotFound, format!("user not found: {}", bo.id)));
}

#[tokio::test]
async fn deletion_whose_answer_was_lost_is_done_when_it_is_repeated() {
    let world = World::with(|options| options.retries = 1, permissive()).await;
    let ana = world.create("ana@example.com").await;
    world.descope.fail("/v1/mgmt/user/delete", 500, &[], "");
    world.descope.fail("/v1/mgmt/user/delete", 404, &[], error("E112102", "User not found"));
    world.idp.delete_user(&host(), &ana.id).await.unwrap();
}

#[tokio::test]
async fn user_who_vanishes_amid_an_update_is_not_found() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    world.descope.fail(STATUS, 400, &[], error("E112102", "User not found"));
    let request = UpdateUser { id: ana.id.clone(), disabled: Some(true), ..UpdateUser::default() };
    assert_eq!(told(world.update(request).await), (Code::NotFound, format!("user not found: {}", ana.id)));
    world.descope.remove(&ana.id);
    let request = UpdateUser { id: ana.id.clone(), disabled: Some(true), ..UpdateUser::default() };
    assert_eq!(told(world.update(request).await).0, Code::NotFound);
}
