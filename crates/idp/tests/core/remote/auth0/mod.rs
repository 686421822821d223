//! Auth0, over a fake of its API.

mod changes;
mod errors;
mod listing;
mod lookups;
mod tokens;

use std::ops::Deref;
use std::sync::Arc;

use serde_json::json;
use tailor_idp_core::remote::{Auth0, InvalidRemote, RemoteOptions};
use tailor_idp_core::{
    Code, CreateUser, IdentityProvider, IdpError, ListUsers, NameKind, NamespaceSettings, Permission, Router,
    UpdateUser, UserKey, UserPage, UserQuery,
};

use super::fake_auth0::{CLIENT_ID, CLIENT_SECRET, CONNECTION, Connection, DOMAIN, FakeAuth0};
use super::openapi::OpenApi;
use super::peer::{Peer, host, namespace, router};

/// A tenant on this machine. All exchanges with it agree with the published description.
struct World {
    fake: FakeAuth0,
    peer: Peer,
    description: Option<Arc<OpenApi>>,
}

impl World {
    async fn start() -> Self {
        let fake = FakeAuth0::default();
        let description = OpenApi::load("auth0-users.json", "/api/v2");
        let api = fake.api();
        let api = description.as_ref().map_or(api.clone(), |description| description.check(api));
        let peer = Peer::start(fake.front(api)).await;
        Self { fake, peer, description }
    }

    fn auth0(&self, change: impl FnOnce(&mut RemoteOptions)) -> Auth0 {
        let mut options = self.peer.options();
        change(&mut options);
        Auth0::builder(DOMAIN, CLIENT_ID, CLIENT_SECRET, CONNECTION).options(options).build().unwrap()
    }

    fn idp(&self) -> Router {
        router(self.auth0(|_| {}))
    }

    /// Without retries.
    fn once(&self) -> Router {
        router(self.auth0(|options| options.retries = 0))
    }

    fn scrambling(&self) -> Router {
        router(self.auth0(|options| options.scramble_passwords = true))
    }

    /// Over the connection `handles`, whose users have usernames.
    fn usernames(&self) -> Router {
        self.tenant().connections.insert("handles".to_owned(), Connection { usernames: true });
        let options = self.peer.options();
        let auth0 = Auth0::builder(DOMAIN, CLIENT_ID, CLIENT_SECRET, "handles").options(options).build().unwrap();
        let settings = NamespaceSettings::default().permission(Permission::allow_all()).name_kind(NameKind::Any);
        Router::builder().directory(namespace(), Arc::new(auth0), settings).build()
    }

    /// Adds a user of the connection to the tenant, and returns the id.
    fn add(&self, email: &str) -> String {
        self.tenant().add(CONNECTION, json!({ "email": email }))
    }

    /// The requests since the last call.
    fn calls(&self) -> Vec<String> {
        let mut tenant = self.tenant();
        let calls = tenant.calls();
        tenant.requests.retain(|seen| seen.path == "/oauth/token");
        calls
    }
}

impl Deref for World {
    type Target = FakeAuth0;

    fn deref(&self) -> &FakeAuth0 {
        &self.fake
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let violations = self.description.as_ref().map_or_else(Vec::new, |description| description.violations());
        if !std::thread::panicking() {
            assert_eq!(violations, Vec::<String>::new());
        }
    }
}

fn failure<T: std::fmt::Debug>(result: Result<T, IdpError>) -> (Code, String) {
    let error = result.unwrap_err();
    (error.code(), error.detail().to_owned())
}

fn new_user(name: &str) -> CreateUser {
    CreateUser { name: name.to_owned(), password: Some("correct horse".into()), disabled: false }
}

fn names(page: &UserPage) -> Vec<&str> {
    page.users.iter().map(|user| &*user.name).collect()
}

async fn list(idp: &Router, first: i64, after: Option<String>) -> Result<UserPage, IdpError> {
    idp.users(&host(), ListUsers { first: Some(first), after, query: UserQuery::default() }).await
}

async fn find(idp: &Router, ids: Option<Vec<String>>, names: Option<Vec<String>>) -> Result<UserPage, IdpError> {
    idp.users(&host(), ListUsers { first: Some(1000), after: None, query: UserQuery { ids, names } }).await
}

#[test]
fn parameters_are_checked_with_key_and_value() {
    let build = |domain: &str, id: &str, secret: &str, connection: &str| {
        Auth0::builder(domain, id, secret, connection).build().map(|_| ()).map_err(|error| match error {
            InvalidRemote::Parameter { key, fault } => (key, fault),
            other => panic!("{other}"),
        })
    };
    assert_eq!(build(DOMAIN, CLIENT_ID, CLIENT_SECRET, CONNECTION), Ok(()));
    for domain in ["", "acme", "https://acme.auth0.com", "acme.auth0.com/", "acme.auth0.com:443", "a b.c", "127.0.0.1"]
    {
        let (key, fault) = build(domain, CLIENT_ID, CLIENT_SECRET, CONNECTION).unwrap_err();
        assert_eq!(key, "domain");
        assert_eq!(fault, format!("must be the domain of the Auth0 tenant, such as acme.eu.auth0.com: got {domain:?}"));
    }
    let (key, fault) = build(DOMAIN, "", CLIENT_SECRET, CONNECTION).unwrap_err();
    assert_eq!((key, fault.contains("got \"\"")), ("client_id", true), "{fault}");
    let (key, fault) = build(DOMAIN, CLIENT_ID, "a secret", CONNECTION).unwrap_err();
    assert_eq!((key, fault.contains("a secret")), ("client_secret", false), "{fault}");
    for connection in ["", "my connection", "a\"b", &"a".repeat(129)] {
        let (key, fault) = build(DOMAIN, CLIENT_ID, CLIENT_SECRET, connection).unwrap_err();
        assert_eq!((key, fault.contains(&format!("got {connection:?}"))), ("connection", true), "{fault}");
    }
}
