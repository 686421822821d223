//! WorkOS, by requests and answers as its published description has them.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp_core::remote::{Count, RemoteOptions, WorkOs};
use tailor_idp_core::{Code, CreateUser, IdentityProvider, ListUsers, UpdateUser, UserKey, UserQuery};

use super::emulator::Emulator;
use super::openapi::OpenApi;
use super::peer::{Peer, host, router};

type Requests = Arc<Mutex<Vec<Value>>>;

fn user(id: &str, email: &str) -> Value {
    json!({
        "object": "user", "id": id, "email": email, "email_verified": false, "first_name": null, "last_name": null, "name": null,
        "profile_picture_url": null, "last_sign_in_at": null, "external_id": null, "metadata": {}, "locale": null,
        "created_at": "2026-01-15T12:00:00.000Z", "updated_at": "2026-01-15T12:00:00.000Z",
    })
}

async fn create(State(requests): State<Requests>, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    requests.lock().unwrap().push(body.clone());
    match body["email"].as_str() {
        Some("taken@example.com") => {
            let entry = json!({ "code": "email_not_available", "message": "This email is not available." });
            (
                StatusCode::BAD_REQUEST,
                Json(json!({ "code": "user_creation_error", "message": "Cannot create", "errors": [entry] })),
            )
        }
        Some(email) => (StatusCode::CREATED, Json(user("user_1", email))),
        None => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({}))),
    }
}

async fn find(Path(id): Path<String>) -> (StatusCode, Json<Value>) {
    match id.as_str() {
        "user_1" => (StatusCode::OK, Json(user("user_1", "Ana@Example.com"))),
        _ => (
            StatusCode::NOT_FOUND,
            Json(json!({ "message": "not found", "code": "entity_not_found", "entity_id": id })),
        ),
    }
}

#[tokio::test]
async fn workos_creates_and_finds_users() {
    let requests = Requests::default();
    let server = Router::new()
        .route("/user_management/users", get(|| async { StatusCode::OK }).post(create))
        .route("/user_management/users/{id}", get(find))
        .with_state(Arc::clone(&requests));
    let description = OpenApi::load("workos-users.json", "");
    let server = description.as_ref().map_or(server.clone(), |description| description.check(server));
    let peer = Peer::start(server).await;
    let idp = router(WorkOs::builder("sk_test").options(peer.options()).build().unwrap());

    let ana = CreateUser { name: "Ana@Example.com".into(), password: Some("secret word".into()), disabled: false };
    let created = idp.create_user(&host(), ana).await.unwrap();
    assert_eq!((&*created.id, &*created.name), ("user_1", "ana@example.com"));
    assert_eq!(requests.lock().unwrap()[..], [json!({ "email": "ana@example.com", "password": "secret word" })]);

    let found = idp.user(&host(), UserKey::Id("user_1")).await.unwrap();
    assert_eq!(found, created);
    let unknown = idp.user(&host(), UserKey::Id("user_2")).await.unwrap_err();
    assert_eq!((unknown.code(), unknown.detail()), (Code::NotFound, "user not found: user_2"));

    let taken = CreateUser { name: "taken@example.com".into(), ..CreateUser::default() };
    let taken = idp.create_user(&host(), taken).await.unwrap_err();
    assert_eq!((taken.code(), taken.detail()), (Code::AlreadyExists, "user already exists: taken@example.com"));
    assert_eq!(description.map_or_else(Vec::new, |description| description.violations()), Vec::<String>::new());
}

/// The emulator's users as a namespace, with totals and removal of passwords.
fn emulated(emulator: &Emulator) -> tailor_idp_core::Router {
    let mut options = RemoteOptions::default();
    options.base_url = Some(emulator.url.parse().unwrap());
    options.scramble_passwords = true;
    options.count = Count::Walk;
    router(WorkOs::builder(emulator.api_key.clone()).options(options).build().unwrap())
}

#[tokio::test]
async fn users_of_the_emulator_are_created_read_changed_and_deleted() {
    let Some(emulator) = Emulator::start() else { return };
    let idp = emulated(&emulator);
    let password = Some("correct horse battery".into());
    let ana = CreateUser { name: "Ana@Example.com".into(), password, disabled: false };
    let ana = idp.create_user(&host(), ana).await.unwrap();
    assert_eq!((&*ana.name, ana.disabled, ana.mfa_enrolled), ("ana@example.com", false, false));
    assert!(ana.created_at.is_some());

    for key in [UserKey::Id(&ana.id), UserKey::Name("ANA@example.com")] {
        assert_eq!(idp.user(&host(), key).await.unwrap(), ana, "{key:?}");
    }
    let again = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    assert_eq!(idp.create_user(&host(), again).await.unwrap_err().code(), Code::AlreadyExists);

    let update = async |change: UpdateUser| idp.update_user(&host(), UpdateUser { id: ana.id.clone(), ..change }).await;
    let set = UpdateUser { password: Some("another horse battery".into()), ..UpdateUser::default() };
    assert_eq!(update(set).await.unwrap(), ana);
    let clear = UpdateUser { clear_password: true, ..UpdateUser::default() };
    assert_eq!(update(clear).await.unwrap(), ana);
    let disable = UpdateUser { disabled: Some(true), ..UpdateUser::default() };
    let refused = update(disable).await.unwrap_err();
    assert_eq!((refused.code(), refused.detail()), (Code::Unimplemented, "WorkOS does not support disabling users"));

    idp.delete_user(&host(), &ana.id).await.unwrap();
    assert_eq!(idp.user(&host(), UserKey::Id(&ana.id)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(idp.delete_user(&host(), &ana.id).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn users_of_the_emulator_are_listed_by_page_in_creation_order() {
    let Some(emulator) = Emulator::start() else { return };
    let idp = emulated(&emulator);
    let mut created = Vec::new();
    for number in 0..7 {
        let user = CreateUser { name: format!("user{number}@example.com"), ..CreateUser::default() };
        created.push(idp.create_user(&host(), user).await.unwrap().id);
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let request = ListUsers { first: Some(3), after, ..ListUsers::default() };
        let page = idp.users(&host(), request).await.unwrap();
        assert_eq!(page.total_count, 7);
        listed.extend(page.users.into_iter().map(|user| user.id));
        after = page.next_page_token;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, created);

    let query = UserQuery {
        ids: Some(vec![created[5].clone(), created[1].clone(), "user_unknown".into(), "..".into()]),
        names: Some(vec!["user1@example.com".into(), "user2@example.com".into(), "USER5@example.com".into()]),
    };
    let page = idp.users(&host(), ListUsers { query, ..ListUsers::default() }).await.unwrap();
    let found: Vec<_> = page.users.iter().map(|user| &*user.name).collect();
    assert_eq!((found, page.total_count), (vec!["user1@example.com", "user5@example.com"], 2));
}
