//! Creating, updating and deleting users.

use pretty_assertions::assert_eq;
use serde_json::Value;
use tailor_idp_core::{SendPasswordResetEmail, User};

use super::*;

/// The bodies of the changes since the last call.
fn patches(world: &World) -> Vec<Value> {
    let bodies =
        world.tenant().requests.iter().filter(|seen| seen.method == "PATCH").map(|seen| seen.body.clone()).collect();
    world.calls();
    bodies
}

async fn change(idp: &Router, id: &str, change: impl FnOnce(&mut UpdateUser)) -> Result<User, IdpError> {
    let mut request = UpdateUser { id: id.to_owned(), ..UpdateUser::default() };
    change(&mut request);
    idp.update_user(&host(), request).await
}

#[tokio::test]
async fn users_are_created_without_a_mail() {
    let world = World::start().await;
    let idp = world.idp();
    let request = CreateUser { name: "Ana@Example.com".into(), password: Some("correct horse".into()), disabled: true };
    let ana = idp.create_user(&host(), request).await.unwrap();
    assert_eq!((&*ana.name, ana.disabled), ("ana@example.com", true));
    let body = world.tenant().requests.last().unwrap().body.clone();
    let expected = json!({
        "email": "ana@example.com", "email_verified": false, "verify_email": false, "connection": CONNECTION,
        "password": "correct horse", "blocked": true,
    });
    assert_eq!(body, expected);
    assert_eq!(world.tenant().mails, Vec::<String>::new());
    assert_eq!(world.calls(), ["POST /users"]);
}

#[tokio::test]
async fn changes_are_split_into_the_requests_that_auth0_allows() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    let changed = change(&idp, &id, |change| {
        change.name = Some("bo@example.com".into());
        change.password = Some("battery staple".into());
        change.disabled = Some(true);
    });
    let bo = changed.await.unwrap();
    assert_eq!((&*bo.name, bo.disabled), ("bo@example.com", true));
    let rename =
        json!({ "email": "bo@example.com", "email_verified": false, "verify_email": false, "connection": CONNECTION });
    let mut first = rename.clone();
    first["blocked"] = json!(true);
    assert_eq!(patches(&world), [first, json!({ "password": "battery staple", "connection": CONNECTION })]);
    assert_eq!(world.tenant().passwords[&id], "battery staple");
    assert_eq!(world.tenant().mails, Vec::<String>::new());

    // Enabled last.
    let changed = change(&idp, &id, |change| {
        change.name = Some("ana@example.com".into());
        change.password = Some("correct horse".into());
        change.disabled = Some(false);
    });
    let ana = changed.await.unwrap();
    assert_eq!((&*ana.name, ana.disabled), ("ana@example.com", false));
    let [first, second] = &patches(&world)[..] else { panic!("two requests") };
    assert_eq!((&first["blocked"], &second["blocked"]), (&json!(null), &json!(false)));

    // In one where it can be.
    change(&idp, &id, |change| change.disabled = Some(true)).await.unwrap();
    change(&idp, &id, |change| {
        change.password = Some("battery staple".into());
        change.disabled = Some(false);
    })
    .await
    .unwrap();
    let both = json!({ "password": "battery staple", "connection": CONNECTION, "blocked": false });
    assert_eq!(patches(&world), [json!({ "blocked": true }), both]);

    // Nothing to change.
    change(&idp, &id, |_| {}).await.unwrap();
    change(&idp, &id, |change| change.name = Some("Ana@example.com".into())).await.unwrap();
    assert_eq!(patches(&world), Vec::<Value>::new());
}

#[tokio::test]
async fn failures_in_the_midst_say_what_took_effect() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    let weak = change(&idp, &id, |change| {
        change.name = Some("bo@example.com".into());
        change.password = Some("Weak-1!".into());
        change.disabled = Some(true);
    });
    let reason = "Auth0 refuses the password: PasswordStrengthError: Password is too weak";
    let expected = format!("{reason} (already in effect: the user is disabled, the name is changed)");
    assert_eq!(failure(weak.await), (Code::InvalidArgument, expected));
    let bo = idp.user(&host(), UserKey::Id(&id)).await.unwrap();
    assert_eq!((&*bo.name, bo.disabled), ("bo@example.com", true));

    let weak = change(&idp, &id, |change| {
        change.name = Some("ana@example.com".into());
        change.password = Some("Weak-1!".into());
        change.disabled = Some(false);
    });
    assert_eq!(failure(weak.await).1, format!("{reason} (already in effect: the name is changed)"));
    assert!(idp.user(&host(), UserKey::Id(&id)).await.unwrap().disabled, "enabled last");
}

#[tokio::test]
async fn taken_names_exist_already_and_nothing_is_written() {
    let world = World::start().await;
    world.add("bo@example.com");
    let id = world.add("ana@example.com");
    let idp = world.idp();
    let taken = (Code::AlreadyExists, "user already exists: bo@example.com".to_owned());
    assert_eq!(failure(idp.create_user(&host(), new_user("bo@example.com")).await), taken);
    assert_eq!(failure(change(&idp, &id, |change| change.name = Some("bo@example.com".into())).await), taken);
    world.calls();
    let several = change(&idp, &id, |change| {
        change.name = Some("bo@example.com".into());
        change.password = Some("battery staple".into());
        change.disabled = Some(true);
    });
    assert_eq!(failure(several.await), taken);
    assert_eq!(patches(&world), Vec::<Value>::new());
    assert!(!idp.user(&host(), UserKey::Id(&id)).await.unwrap().disabled);
}

#[tokio::test]
async fn names_that_auth0_refuses_are_invalid_arguments_with_its_reason() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    let fault = "Payload validation error: 'Object didn't pass validation for format email: ünal@example.com' on property email";
    let created = failure(idp.create_user(&host(), new_user("ünal@example.com")).await);
    assert_eq!(created, (Code::InvalidArgument, format!("Auth0 refuses the user: {fault}")));
    let renamed = failure(change(&idp, &id, |change| change.name = Some("ünal@example.com".into())).await);
    assert_eq!(renamed, (Code::InvalidArgument, format!("Auth0 refuses the name: {fault}")));
    // Usernames, of a connection without.
    let settings = NamespaceSettings::default().permission(Permission::allow_all()).name_kind(NameKind::Any);
    let idp = Router::builder().directory(namespace(), Arc::new(world.auth0(|_| {})), settings).build();
    let created = failure(idp.create_user(&host(), new_user("ana")).await);
    let fault = "Cannot set username for connection without requires_username";
    assert_eq!(created, (Code::InvalidArgument, format!("Auth0 refuses the user: {fault}")));
}

#[tokio::test]
async fn refused_passwords_are_never_quoted() {
    let world = World::start().await;
    let idp = world.idp();
    // The fake quotes passwords that are too long.
    let password = format!("hunter2-{}", "\"é".repeat(40));
    let request =
        CreateUser { name: "ana@example.com".into(), password: Some(password.clone().into()), disabled: false };
    let error = idp.create_user(&host(), request).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(error.detail(), "Auth0 refuses the user: Payload validation error: too long: [redacted]");
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn passwords_are_removed_only_by_scrambling() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let clear = |change: &mut UpdateUser| {
        change.clear_password = true;
        change.disabled = Some(true);
    };
    let refused = failure(change(&world.idp(), &id, clear).await);
    let detail = "Auth0 does not support removing a password: scramble_passwords = true in the settings of the namespace allows it";
    assert_eq!(refused, (Code::Unimplemented, detail.to_owned()));
    assert_eq!(patches(&world), Vec::<Value>::new());
    change(&world.scrambling(), &id, clear).await.unwrap();
    let one = world.tenant().passwords[&id].clone();
    change(&world.scrambling(), &id, clear).await.unwrap();
    assert!(one.len() >= 32 && one != world.tenant().passwords[&id], "{one}");
}

#[tokio::test]
async fn users_are_deleted_once() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let idp = world.idp();
    idp.delete_user(&host(), &id).await.unwrap();
    assert_eq!(world.tenant().user(&id), None);
    let path = id.replace('|', "%7C");
    assert_eq!(world.calls(), [format!("GET /users/{path}"), format!("DELETE /users/{path}")]);
    let again = failure(idp.delete_user(&host(), &id).await);
    assert_eq!(again, (Code::NotFound, format!("user not found: {id}")));
    assert_eq!(world.calls(), [format!("GET /users/{path}")]);
}

#[tokio::test]
async fn reset_mails_and_factors_are_unsupported() {
    let world = World::start().await;
    let id = world.add("ana@example.com");
    let settings = NamespaceSettings::default().permission(Permission::allow_all());
    let policy = settings.user_auth_policy.clone();
    let mut policy = policy;
    policy.enable_mfa = true;
    policy.allowed_return_origins = vec!["https://app.example.com".to_owned()];
    let settings = settings.user_auth_policy(policy);
    let idp = Router::builder().directory(namespace(), Arc::new(world.auth0(|_| {})), settings).build();
    let redirect_uri = "https://app.example.com/".to_owned();
    let mail = SendPasswordResetEmail { user_id: id.clone(), redirect_uri, ..SendPasswordResetEmail::default() };
    let refused = failure(idp.send_password_reset_email(&host(), mail).await);
    assert_eq!(refused, (Code::Unimplemented, "Auth0 does not support sending password-reset mails".to_owned()));
    let factor = tailor_idp_core::UnenrollMfa { user_id: id, mfa_factor_id: "guardian".into() };
    let refused = failure(idp.unenroll_mfa(&host(), factor).await);
    assert_eq!(refused, (Code::Unimplemented, "Auth0 does not support removing MFA factors".to_owned()));
    assert!(world.calls().iter().all(|call| call.starts_with("GET ")));
}
