//! Users who are created with a password hash of another program.

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp_core::remote::{Auth0, Descope, WorkOs};
use tailor_idp_core::{Code, PasswordHash};

use super::fake_auth0::{CLIENT_ID, CLIENT_SECRET, CONNECTION, DOMAIN};
use super::fake_descope::{FakeDescope, KEY, PROJECT};
use super::openapi::OpenApi;
use super::peer::{Peer, host, logged, router};

const BCRYPT: &str = "$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
const ARGON2ID: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9mIG91cnM$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
const SCRYPT: &str = "$scrypt$ln=14,r=8,p=1$c29kaXVtIGNobG9yaWRlIQ$bmFjbG5hY2xuYWNsbmFjbA";

fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_phc(text).unwrap()
}

#[tokio::test]
async fn workos_takes_bcrypt_and_argon2id_hashes() {
    let bodies: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = Arc::clone(&bodies);
    let create = async move |Json(body): Json<Value>| {
        seen.lock().unwrap().push(body.clone());
        let user = json!({
            "object": "user", "id": "user_1", "email": body["email"], "email_verified": false, "first_name": null,
            "last_name": null, "name": null, "profile_picture_url": null, "last_sign_in_at": null, "external_id": null,
            "metadata": {}, "locale": null, "created_at": "2026-01-15T12:00:00.000Z", "updated_at": "2026-01-15T12:00:00.000Z",
        });
        (StatusCode::CREATED, Json(user))
    };
    let server = Router::new().route("/user_management/users", post(create));
    let description = OpenApi::load("workos-users.json", "");
    let server = description.as_ref().map_or(server.clone(), |description| description.check(server));
    let peer = Peer::start(server).await;
    let idp = router(WorkOs::builder("sk_test").options(peer.options()).build().unwrap());
    let staff = idp.directory("staff").unwrap();
    for text in [BCRYPT, ARGON2ID] {
        staff.create_with_hash(&host(), "Ana@example.com", false, &hash(text)).await.unwrap();
    }
    let body = |kind: &str, text: &str| json!({ "email": "ana@example.com", "password_hash": text, "password_hash_type": kind });
    assert_eq!(bodies.lock().unwrap()[..], [body("bcrypt", BCRYPT), body("argon2", ARGON2ID)]);
    assert_eq!(description.map_or_else(Vec::new, |description| description.violations()), Vec::<String>::new());

    let refused = staff.create_with_hash(&host(), "bo@example.com", false, &hash(SCRYPT)).await.unwrap_err();
    let text = "WorkOS does not support this kind of password hash";
    assert_eq!((refused.code(), refused.detail()), (Code::Unimplemented, text));
    assert_eq!(
        staff.check_new_user("bo", false).unwrap_err().code(),
        Code::InvalidArgument,
        "the rules of the namespace come first"
    );
    assert_eq!(bodies.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn descope_takes_bcrypt_and_argon2id_hashes() {
    let descope = FakeDescope::new();
    let description = OpenApi::load_closed("descope-users.json", "");
    let server = descope.server(|service| match &description {
        Some(description) => description.check(service),
        None => service,
    });
    let peer = Peer::start(server).await;
    let idp = router(Descope::builder(PROJECT, KEY).options(peer.options()).build().unwrap());
    let staff = idp.directory("staff").unwrap();
    staff.create_with_hash(&host(), "ana@example.com", false, &hash(BCRYPT)).await.unwrap();
    assert!(staff.create_with_hash(&host(), "bo@example.com", true, &hash(ARGON2ID)).await.unwrap().disabled);
    let hashes: Vec<_> = descope.requests().into_iter().map(|(_, body)| body["hashedPassword"].clone()).collect();
    let argon2 = json!({
        "hash": "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc=", "salt": "c29tZSBzYWx0IG9mIG91cnM=", "type": "argon2id",
        "memory": 19456, "iterations": 2, "threads": 1,
    });
    assert_eq!(hashes, [json!({ "bcrypt": { "hash": BCRYPT } }), json!({ "argon2": argon2 })]);
    assert_eq!(description.map_or_else(Vec::new, |description| description.violations()), Vec::<String>::new());

    let again = staff.create_with_hash(&host(), "ana@example.com", false, &hash(BCRYPT)).await.unwrap_err();
    assert_eq!(again.code(), Code::AlreadyExists);
    assert!(!logged(&again).contains(BCRYPT));
    descope.create_bare_users();
    let ignored = staff.create_with_hash(&host(), "cy@example.com", false, &hash(BCRYPT)).await.unwrap_err();
    assert_eq!(ignored.code(), Code::FailedPrecondition, "{ignored}");
}

#[test]
fn auth0_takes_no_hashes() {
    let idp = router(Auth0::builder(DOMAIN, CLIENT_ID, CLIENT_SECRET, CONNECTION).build().unwrap());
    assert!(!idp.directory("staff").unwrap().takes_hash(&hash(BCRYPT)));
}
