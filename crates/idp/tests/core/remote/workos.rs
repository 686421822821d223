//! WorkOS, by requests and answers as its published description has them.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp_core::remote::WorkOs;
use tailor_idp_core::{Code, CreateUser, IdentityProvider, UserKey};

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
