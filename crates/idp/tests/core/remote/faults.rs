//! Faults of networks and services: the right code, no second effect, no secret, and an answer in time.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp_core::remote::{RemoteOptions, WorkOs};
use tailor_idp_core::{
    CallContext, Code, CreateUser, IdentityProvider, IdpError, Principal, UpdateUser, User, UserKey,
};

use super::peer::{Peer, host, namespace, router};
use super::proxy::{Fault, Proxy};

const KEY: &str = "sk_very_secret_key";
const PASSWORD: &str = "very secret password";

const UNKNOWN_USER: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 61\r\n\r\n\
                            {\"message\":\"User not found: 'u1'.\",\"code\":\"entity_not_found\"}";
const UNKNOWN_PATH: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 42\r\n\r\n\
                            {\"message\":\"Not Found\",\"code\":\"not_found\"}";
const OTHER_SERVER: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 14\r\n\r\n<h1>Nope!</h1>";
const BUSY: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\n{}";
const HTML: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>";
const TRUNCATED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{\"id\":\"u1\",\"email\":\"";
const WAIT_A_SECOND: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}";
const WAIT_A_MINUTE: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 60\r\ncontent-length: 2\r\n\r\n{}";
const ELSEWHERE: &str =
    "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.2:9/steal\r\ncontent-length: 0\r\n\r\n";

/// The number of users that the service created.
type Created = Arc<Mutex<usize>>;

struct Setting {
    idp: tailor_idp_core::Router,
    proxy: Proxy,
    created: Created,
    _peer: Peer,
}

fn user() -> Json<Value> {
    Json(json!({ "id": "u1", "email": "ana@example.com", "created_at": "2026-01-15T12:00:00.000Z" }))
}

async fn setting(change: impl FnOnce(&mut RemoteOptions)) -> Setting {
    let authorized = |headers: &HeaderMap| headers["authorization"] == format!("Bearer {KEY}");
    let create = move |State(created): State<Created>| async move {
        *created.lock().unwrap() += 1;
        (StatusCode::CREATED, user())
    };
    let find = move |headers: HeaderMap| async move {
        if authorized(&headers) { (StatusCode::OK, user()) } else { (StatusCode::UNAUTHORIZED, Json(json!({}))) }
    };
    let created = Created::default();
    let server = Router::new()
        .route("/user_management/users", get(|| async { "" }).post(create))
        .route("/user_management/users/{id}", get(find).put(|| async { user() }))
        .with_state(Arc::clone(&created));
    let peer = Peer::start(server).await;
    let proxy = Proxy::start(&peer.url).await;
    let mut options = peer.options();
    options.base_url = Some(proxy.url.clone());
    options.timeout = Duration::from_secs(3);
    change(&mut options);
    let idp = router(WorkOs::builder(KEY).options(options).build().unwrap());
    Setting { idp, proxy, created, _peer: peer }
}

impl Setting {
    async fn read(&self, faults: impl IntoIterator<Item = Fault>) -> (Result<User, IdpError>, usize) {
        self.proxy.plan(faults);
        let read = self.idp.user(&host(), UserKey::Id("u1")).await;
        (read, self.proxy.requests().len())
    }

    async fn create(&self, faults: impl IntoIterator<Item = Fault>) -> (Result<User, IdpError>, usize) {
        self.proxy.plan(faults);
        let ana = CreateUser { name: "ana@example.com".into(), password: Some(PASSWORD.into()), disabled: false };
        let outcome = self.idp.create_user(&host(), ana).await;
        (outcome, std::mem::take(&mut self.created.lock().unwrap()))
    }
}

fn text(outcome: Result<User, IdpError>) -> String {
    let error = outcome.unwrap_err();
    let for_the_host = format!("{error:?}");
    for secret in [KEY, PASSWORD] {
        assert!(!for_the_host.contains(secret), "{for_the_host}");
    }
    format!("{} {}", error.code(), error.detail())
}

#[tokio::test]
async fn reads_are_repeated_after_faults_that_may_pass() {
    let setting = setting(|_| ()).await;
    for fault in [Fault::ResetBefore, Fault::ResetInAnswer, Fault::Answer(BUSY), Fault::Answer(WAIT_A_SECOND)] {
        let (read, requests) = setting.read([fault.clone()]).await;
        assert_eq!((read.unwrap().id.as_str(), requests), ("u1", 2), "{fault:?}");
    }
}

#[tokio::test]
async fn reads_fail_after_their_last_attempt() {
    let setting = setting(|options| options.retries = 1).await;
    let faults = |fault: Fault| [fault.clone(), fault];
    let (read, requests) = setting.read(faults(Fault::Answer(BUSY))).await;
    assert_eq!((text(read), requests), ("UNAVAILABLE WorkOS answered with status 500".to_owned(), 2));
    let (read, requests) = setting.read(faults(Fault::ResetInAnswer)).await;
    assert_eq!((text(read), requests), ("UNAVAILABLE WorkOS did not answer: the connection was lost".to_owned(), 2));
}

#[tokio::test]
async fn answers_that_are_not_the_services_are_not_repeated() {
    let setting = setting(|_| ()).await;
    let (read, requests) = setting.read([Fault::Answer(HTML)]).await;
    assert_eq!((text(read), requests), ("UNAVAILABLE WorkOS answered with something else than its API".to_owned(), 1));
    let (read, requests) = setting.read([Fault::Answer(ELSEWHERE)]).await;
    assert_eq!((text(read), requests), ("UNAVAILABLE WorkOS answered with status 307".to_owned(), 1));
    let (read, _) = setting.read([Fault::Answer(UNKNOWN_USER)]).await;
    assert_eq!(text(read), "NOT_FOUND user not found: u1");
    let (read, _) = setting.read([Fault::Answer(TRUNCATED)]).await;
    assert_eq!(read.unwrap().id, "u1", "an answer that is cut off is a lost connection");
}

#[tokio::test]
async fn delay_that_a_service_asks_for_is_kept_or_told() {
    let setting = setting(|_| ()).await;
    let began = Instant::now();
    assert!(setting.read([Fault::Answer(WAIT_A_SECOND)]).await.0.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(1));
    let (read, requests) = setting.read([Fault::Answer(WAIT_A_MINUTE)]).await;
    let expected = "RESOURCE_EXHAUSTED WorkOS takes no more requests for now: try again in 60 s";
    assert_eq!((text(read), requests), (expected.to_owned(), 1));
}

#[tokio::test]
async fn creates_are_repeated_only_if_the_service_has_not_taken_them() {
    let setting = setting(|_| ()).await;
    let (created, count) = setting.create([Fault::Answer(WAIT_A_SECOND)]).await;
    assert_eq!((created.unwrap().id.as_str(), count), ("u1", 1));

    let unknown = "it is not known whether the user was created";
    let (created, count) = setting.create([Fault::ResetInAnswer]).await;
    let lost = format!("ABORTED WorkOS did not answer: the connection was lost: {unknown}");
    assert_eq!((text(created), count), (lost.clone(), 1));
    let (created, count) = setting.create([Fault::ResetBefore]).await;
    assert_eq!((text(created), count), (lost, 0));
    let (created, count) = setting.create([Fault::Answer(BUSY)]).await;
    assert_eq!((text(created), count), (format!("UNAVAILABLE WorkOS answered with status 500: {unknown}"), 0));
    let (created, count) = setting.create([Fault::Stall]).await;
    let deadline = format!("DEADLINE_EXCEEDED WorkOS did not answer before the call's deadline, at most 3s: {unknown}");
    assert_eq!((text(created), count), (deadline, 1));
}

#[tokio::test]
async fn updates_are_repeated_since_they_set_values() {
    let setting = setting(|_| ()).await;
    setting.proxy.plan([Fault::None, Fault::ResetInAnswer]);
    let update = UpdateUser { id: "u1".into(), password: Some(PASSWORD.into()), ..UpdateUser::default() };
    assert_eq!(setting.idp.update_user(&host(), update).await.unwrap().id, "u1");
    let put = "PUT /user_management/users/u1";
    assert_eq!(setting.proxy.requests(), ["GET /user_management/users/u1", put, put]);
}

#[tokio::test]
async fn calls_end_at_the_deadline_of_the_execution() {
    let setting = setting(|_| ()).await;
    setting.proxy.plan([Fault::Stall, Fault::Stall]);
    let began = Instant::now();
    let context = CallContext::new(namespace(), Principal::Host).deadline(began + Duration::from_millis(200));
    let read = setting.idp.user(&context, UserKey::Id("u1")).await;
    assert_eq!(read.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn wrong_key_is_unauthenticated() {
    let setting = setting(|_| ()).await;
    let mut options = RemoteOptions::default();
    options.base_url = Some(setting.proxy.url.clone());
    let idp = router(WorkOs::builder("sk_wrong").options(options).build().unwrap());
    let read = idp.user(&host(), UserKey::Id("u1")).await;
    assert_eq!(text(read), "UNAUTHENTICATED WorkOS refuses the credentials of the host");
}

#[tokio::test]
async fn service_that_cannot_be_reached_fails_fast_after_a_while() {
    let mut options = RemoteOptions::default();
    // Nothing listens there: the listener is closed.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    options.base_url = Some(format!("http://127.0.0.1:{port}").parse().unwrap());
    options.retries = 4;
    let idp = router(WorkOs::builder(KEY).options(options).build().unwrap());
    let unreachable = "UNAVAILABLE WorkOS cannot be reached";
    assert_eq!(text(idp.user(&host(), UserKey::Id("u1")).await), unreachable);
    let began = Instant::now();
    assert_eq!(text(idp.user(&host(), UserKey::Id("u1")).await), unreachable);
    assert!(began.elapsed() < Duration::from_millis(150), "{:?}: the first retry comes later", began.elapsed());
}

#[tokio::test]
async fn wrong_address_is_told_to_the_host_and_no_unknown_user() {
    let setting = setting(|_| ()).await;
    for answer in [UNKNOWN_PATH, OTHER_SERVER] {
        let (read, requests) = setting.read([Fault::Answer(answer)]).await;
        let error = read.unwrap_err();
        let log = std::error::Error::source(&error).unwrap().to_string();
        let advice = format!(
            ": check base_url ({}): the API of WorkOS must be there",
            setting.proxy.url.as_str().trim_end_matches('/')
        );
        assert!(log.starts_with("answered 404 Not Found: ") && log.ends_with(&advice), "{log}");
        let expected = "UNAVAILABLE WorkOS answered with something else than its API";
        assert_eq!((text(Err(error)), requests), (expected.to_owned(), 1));
        setting.proxy.plan([Fault::Answer(answer)]);
        let deleted = setting.idp.delete_user(&host(), "u1").await.unwrap_err();
        assert_eq!(deleted.code(), Code::Unavailable);
        assert_eq!(setting.proxy.requests(), ["GET /user_management/users/u1"]);
    }
}

#[tokio::test]
async fn deletion_whose_answer_was_lost_is_done_when_it_is_repeated() {
    let setting = setting(|_| ()).await;
    let delete = "DELETE /user_management/users/u1";
    for (faults, deleted) in [
        (vec![Fault::None, Fault::ResetInAnswer, Fault::Answer(UNKNOWN_USER)], true),
        (vec![Fault::None, Fault::Answer(BUSY), Fault::Answer(UNKNOWN_USER)], true),
        (vec![Fault::None, Fault::Answer(WAIT_A_SECOND), Fault::Answer(UNKNOWN_USER)], false),
    ] {
        setting.proxy.plan(faults.clone());
        let outcome = setting.idp.delete_user(&host(), "u1").await;
        assert_eq!(
            outcome.map_err(|error| error.code()),
            if deleted { Ok(()) } else { Err(Code::NotFound) },
            "{faults:?}"
        );
        assert_eq!(setting.proxy.requests(), ["GET /user_management/users/u1", delete, delete]);
    }
}
