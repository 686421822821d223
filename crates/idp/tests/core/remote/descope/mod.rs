//! Descope, over a fake of its API. Requests and answers are checked against the published description.

mod changes;
mod listing;

use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use tailor_idp_core::remote::{Descope, RemoteOptions};
use tailor_idp_core::{
    Code, CreateUser, IdentityProvider, IdpError, ListUsers, NameKind, NamespaceSettings, Router,
    SendPasswordResetEmail, UnenrollMfa, UpdateUser, User, UserKey, UserQuery,
};

use super::fake_descope::{FakeDescope, KEY, PROJECT};
use super::openapi::OpenApi;
use super::peer::{Peer, host, logged, names, permissive, reset_mail, router_under, told};

const PASSWORD: &str = "correct horse battery";

const GET: &str = "GET /v1/mgmt/user";
const SEARCH: &str = "POST /v2/mgmt/user/search";
const STATUS: &str = "/v1/mgmt/user/update/status";
const LOGIN_ID: &str = "/v1/mgmt/user/update/loginid";
const EMAIL: &str = "/v1/mgmt/user/update/email";
const SET_PASSWORD: &str = "/v1/mgmt/user/password/set/active";

/// A project at Descope, and the namespace over it.
struct World {
    descope: Arc<FakeDescope>,
    idp: Router,
    description: Option<Arc<OpenApi>>,
    _peer: Peer,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}, permissive()).await
    }

    async fn with(change: impl FnOnce(&mut RemoteOptions), settings: NamespaceSettings) -> Self {
        let descope = FakeDescope::new();
        let description = OpenApi::load_closed("descope-users.json", "");
        let server = descope.server(|service| match &description {
            Some(description) => description.check(service),
            None => service,
        });
        let peer = Peer::start(server).await;
        let mut options = peer.options();
        options.retries = 0;
        change(&mut options);
        let directory = Descope::builder(PROJECT, KEY).options(options).build().unwrap();
        Self { descope, idp: router_under(directory, settings), description, _peer: peer }
    }

    async fn create(&self, name: &str) -> User {
        let user = CreateUser { name: name.into(), password: Some(PASSWORD.into()), disabled: false };
        let user = self.idp.create_user(&host(), user).await.unwrap();
        self.descope.take_paths();
        user
    }

    async fn create_many(&self, count: usize) -> Vec<User> {
        let mut users = Vec::new();
        for index in 0..count {
            users.push(self.create(&format!("user{index}@example.com")).await);
        }
        users
    }

    async fn update(&self, request: UpdateUser) -> Result<User, IdpError> {
        self.idp.update_user(&host(), request).await
    }

    /// The paths of the requests since the last call, without the lookup that precedes every change.
    fn changes(&self) -> Vec<String> {
        let mut paths = self.descope.take_paths();
        assert_eq!(paths.remove(0), GET);
        paths.into_iter().map(|path| path.strip_prefix("POST ").unwrap_or(&path).to_owned()).collect()
    }

    async fn find(&self, query: UserQuery) -> Vec<String> {
        let request = ListUsers { query, first: Some(1000), after: None };
        let page = self.idp.users(&host(), request).await.unwrap();
        assert_eq!(page.total_count, page.users.len() as u64);
        page.users.into_iter().map(|user| user.id).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Some(description) = &self.description else { return };
        if !std::thread::panicking() {
            assert_eq!(description.violations(), Vec::<String>::new());
        }
    }
}

fn error(code: &str, text: &str) -> Value {
    json!({ "errorCode": code, "errorDescription": "Request failed", "errorMessage": text })
}

#[tokio::test]
async fn create_sends_login_id_verified_email_password_and_status() {
    let world = World::new().await;
    let ana = CreateUser { name: "Ana@Example.com".into(), password: Some(PASSWORD.into()), disabled: true };
    let created = world.idp.create_user(&host(), ana).await.unwrap();
    assert_eq!((&*created.name, created.disabled), ("ana@example.com", true));
    assert_eq!(created.created_at.unwrap().to_string(), "2026-01-01T00:00:00.000Z");
    let (_, body) = world.descope.requests().pop().unwrap();
    let expected = json!({
        "loginId": "ana@example.com", "email": "ana@example.com", "verifiedEmail": true, "password": PASSWORD,
        "status": "disabled", "invite": false,
    });
    assert_eq!(body, expected);

    let bo = CreateUser { name: "bo@example.com".into(), ..CreateUser::default() };
    let bo = world.idp.create_user(&host(), bo).await.unwrap();
    assert_eq!((bo.disabled, world.descope.password(&bo.id)), (false, None));
}

#[tokio::test]
async fn names_that_are_no_addresses_have_no_email() {
    let world = World::with(|_| {}, permissive().name_kind(NameKind::Any)).await;
    let ana = world.create("Ana").await;
    assert_eq!(world.descope.status_and_email(&ana.id).1, None);
    assert_eq!(world.idp.user(&host(), UserKey::Name("Ana")).await.unwrap(), ana);
    assert_eq!(told(world.idp.user(&host(), UserKey::Name("ana")).await).0, Code::NotFound);
    world.descope.take_paths();
    world.update(UpdateUser { id: ana.id.clone(), name: Some("Bo".into()), ..UpdateUser::default() }).await.unwrap();
    assert_eq!(world.changes(), [LOGIN_ID]);
    let mail = world.idp.send_password_reset_email(&host(), reset_mail(&ana)).await;
    assert_eq!(told(mail).0, Code::FailedPrecondition);
}

#[tokio::test]
async fn status_and_password_that_create_ignores_are_set_after_it() {
    let world = World::new().await;
    world.descope.create_bare_users();
    let ana = CreateUser { name: "ana@example.com".into(), password: Some(PASSWORD.into()), disabled: true };
    let ana = world.idp.create_user(&host(), ana).await.unwrap();
    assert!(ana.disabled);
    assert_eq!(world.descope.status_and_email(&ana.id).0, "disabled");
    assert_eq!(world.descope.password(&ana.id).as_deref(), Some(PASSWORD));

    world.descope.fail(STATUS, 500, &[], "");
    let bo = CreateUser { name: "bo@example.com".into(), password: None, disabled: true };
    let failed = told(world.idp.create_user(&host(), bo).await);
    let expected = "Descope answered with status 500 (already in effect: the user is created)";
    assert_eq!(failed, (Code::Unavailable, expected.to_owned()));
}

#[tokio::test]
async fn create_of_a_taken_name_already_exists_whatever_the_code() {
    let world = World::new().await;
    world.create("ana@example.com").await;
    let again = || CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let taken = (Code::AlreadyExists, "user already exists: ana@example.com".to_owned());
    assert_eq!(told(world.idp.create_user(&host(), again()).await), taken);
    world.descope.fail("/v1/mgmt/user/create", 409, &[], error("E062107", "User already exists"));
    assert_eq!(told(world.idp.create_user(&host(), again()).await), taken);
    assert_eq!(world.find(UserQuery::default()).await.len(), 1);

    let refused = CreateUser { name: "refused@example.com".into(), ..CreateUser::default() };
    let refused = told(world.idp.create_user(&host(), refused).await);
    assert_eq!(refused, (Code::InvalidArgument, "Descope refuses the name: refused@example.com".to_owned()));
}

#[tokio::test]
async fn lost_answer_to_create_is_aborted_and_not_repeated() {
    let world = World::with(|options| options.retries = 3, permissive()).await;
    world.descope.fail("/v1/mgmt/user/create", 200, &[], "<html>");
    let ana = CreateUser { name: "ana@example.com".into(), ..CreateUser::default() };
    let (code, detail) = told(world.idp.create_user(&host(), ana).await);
    assert_eq!(code, Code::Aborted);
    assert!(detail.ends_with("it is not known whether the user was created"), "{detail}");
    assert_eq!(world.descope.requests().len(), 1);
}

#[tokio::test]
async fn user_is_found_by_id_and_by_name() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    assert_eq!(world.idp.user(&host(), UserKey::Id(&ana.id)).await.unwrap(), ana);
    assert_eq!(world.idp.user(&host(), UserKey::Name("ANA@example.com")).await.unwrap(), ana);
    let parameters: Vec<_> = world.descope.requests().into_iter().map(|(_, parameters)| parameters).collect();
    assert_eq!(parameters, [json!({ "userId": ana.id }), json!({ "loginId": "ana@example.com" })]);
    for id in ["U0", "", "..", "a&loginId=ana@example.com"] {
        assert_eq!(
            told(world.idp.user(&host(), UserKey::Id(id)).await),
            (Code::NotFound, format!("user not found: {id}"))
        );
    }
}

#[tokio::test]
async fn unknown_user_is_recognised_by_the_code_whatever_the_status() {
    let world = World::new().await;
    for status in [200, 400, 401, 403, 404, 422, 429, 500] {
        world.descope.fail("/v1/mgmt/user", status, &[], error("E112102", "User not found"));
        let found = told(world.idp.user(&host(), UserKey::Id("U1")).await);
        assert_eq!(found, (Code::NotFound, "user not found: U1".to_owned()), "{status}");
    }
    // Another 404 says nothing of users.
    world.descope.fail("/v1/mgmt/user", 404, &[], "<html>no such page</html>");
    assert_eq!(told(world.idp.user(&host(), UserKey::Id("U1")).await).0, Code::Unavailable);
}

#[tokio::test]
async fn first_login_id_is_the_name_in_whatever_case_it_was_created() {
    let world = World::new().await;
    let id = world.descope.add(&["ana@example.com", "+4912345", "ana@work.example"], false);
    let cased = world.descope.add(&["Bo@Example.com"], false);
    assert_eq!(world.idp.user(&host(), UserKey::Id(&id)).await.unwrap().name, "ana@example.com");
    assert_eq!(told(world.idp.user(&host(), UserKey::Name("ana@work.example")).await).0, Code::NotFound);
    assert_eq!(world.find(names(&["ana@example.com", "ana@work.example"])).await, [&*id]);
    // Sending back the name is no rename.
    let bo = UpdateUser { id: cased.clone(), name: Some("Bo@Example.com".into()), ..UpdateUser::default() };
    world.descope.take_paths();
    assert_eq!(world.update(bo).await.unwrap().name, "Bo@Example.com");
    assert_eq!(world.changes(), [""; 0]);
}

#[tokio::test]
async fn reset_mail_carries_the_redirect_and_needs_no_management_key() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    world.idp.send_password_reset_email(&host(), reset_mail(&ana)).await.unwrap();
    let (path, body) = world.descope.requests().pop().unwrap();
    let expected = json!({ "loginId": "ana@example.com", "redirectUrl": "https://app.example.com/done" });
    assert_eq!((&*path, body), ("POST /v1/auth/password/reset", expected));

    world.descope.fail("/v1/auth/password/reset", 400, &[], error("E011003", "Password auth is disabled"));
    let refused = told(world.idp.send_password_reset_email(&host(), reset_mail(&ana)).await);
    let expected = "Descope refuses to send the mail: the project must have passwords enabled";
    assert_eq!(refused, (Code::FailedPrecondition, expected.to_owned()));

    let request = UpdateUser { id: ana.id.clone(), disabled: Some(true), ..UpdateUser::default() };
    world.update(request).await.unwrap();
    let refused = told(world.idp.send_password_reset_email(&host(), reset_mail(&ana)).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, "no password-reset mail can be sent: the user is disabled".to_owned())
    );
}

#[tokio::test]
async fn reset_mail_with_sender_or_subject_is_refused_before_it_is_sent() {
    let world = World::new().await;
    let ana = world.create("ana@example.com").await;
    let text = || Some("Staff".to_owned());
    for mail in [
        SendPasswordResetEmail { from_name: text(), ..reset_mail(&ana) },
        SendPasswordResetEmail { subject: text(), ..reset_mail(&ana) },
    ] {
        let (code, detail) = told(world.idp.send_password_reset_email(&host(), mail).await);
        assert_eq!(code, Code::Unimplemented, "{detail}");
        assert!(detail.ends_with("set it in the project's e-mail template, and omit it"), "{detail}");
    }
    assert_eq!(world.descope.take_paths(), [GET, GET]);
}

#[tokio::test]
async fn factors_cannot_be_removed() {
    let world = World::with(|_| {}, permissive().enable_mfa(true)).await;
    let ana = world.create("ana@example.com").await;
    assert!(!ana.mfa_enrolled && ana.mfa_factor_ids.is_empty());
    let request = UnenrollMfa { user_id: ana.id, mfa_factor_id: "totp".into() };
    let refused = told(world.idp.unenroll_mfa(&host(), request).await);
    assert_eq!(refused, (Code::Unimplemented, "Descope does not support removing MFA factors".to_owned()));
}

#[tokio::test]
async fn limit_of_descope_is_resource_exhausted_with_the_time_to_wait() {
    let world = World::new().await;
    let limit = error("E130429", "API rate limit exceeded.");
    world.descope.fail("/v1/mgmt/user", 429, &[("retry-after", "60")], &limit);
    let exhausted = told(world.idp.user(&host(), UserKey::Id("U1")).await);
    let expected = "Descope takes no more requests for now: try again in 60 s";
    assert_eq!(exhausted, (Code::ResourceExhausted, expected.to_owned()));

    // A short wait is waited for, also by a request that is sent once only.
    let world = World::with(|options| options.retries = 1, permissive()).await;
    world.descope.fail("/v1/mgmt/user/create", 429, &[("retry-after", "0")], limit);
    world.create("ana@example.com").await;
}

#[tokio::test]
async fn wrong_key_is_unauthenticated_and_no_secret_is_logged() {
    let descope = FakeDescope::new();
    let peer = Peer::start(descope.server(|service| service)).await;
    let wrong = "K2wrongSecretKey";
    let directory = Descope::builder(PROJECT, wrong).options(peer.options()).build().unwrap();
    assert!(!format!("{directory:?}").contains(wrong), "{directory:?}");
    let idp = router_under(directory, permissive());
    let failed = idp.user(&host(), UserKey::Id("U1")).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unauthenticated);
    assert_eq!(failed.detail(), "Descope refuses the credentials of the host");
    // The fake quotes the header.
    assert!(logged(&failed).contains("Invalid credentials"), "{}", logged(&failed));
    assert!(!logged(&failed).contains(wrong), "{}", logged(&failed));
    descope.fail("/v1/mgmt/user", 403, &[], error("E061003", &format!("{wrong} may not read")));
    let failed = idp.user(&host(), UserKey::Id("U1")).await.unwrap_err();
    assert_eq!(failed.code(), Code::Unauthenticated);
    assert!(!logged(&failed).contains(wrong), "{}", logged(&failed));
}

#[tokio::test]
async fn wait_beyond_the_deadline_is_not_waited_for() {
    let world = World::with(|options| options.retries = 3, permissive()).await;
    world.descope.fail("/v1/mgmt/user", 429, &[("retry-after", "30")], "");
    let mut context = host();
    context.deadline = Some(std::time::Instant::now() + Duration::from_secs(2));
    let failed = told(world.idp.user(&context, UserKey::Id("U1")).await);
    assert_eq!(failed.0, Code::ResourceExhausted);
}
