//! What a host learns of its credentials, without changing anything.

use pretty_assertions::assert_eq;
use tailor_idp_core::directory::{Access, Capability, Directory};
use tailor_idp_core::remote::{Auth0, Descope, Tailor, WorkOs};
use tailor_idp_core::{Code, IdentityProvider, Router, UserKey};

use super::emulator::Emulator;
use super::fake_auth0::{CLIENT_ID, CLIENT_SECRET, CONNECTION, DOMAIN, FakeAuth0};
use super::fake_descope::{FakeDescope, KEY, PROJECT};
use super::fake_tailor;
use super::peer::{Peer, host, logged, router};

async fn access(idp: &Router) -> Result<Access, (Code, String)> {
    let access = idp.directory("staff").unwrap().check_access(&host()).await;
    access.map_err(|error| (error.code(), logged(&error)))
}

fn auth0(peer: &Peer, secret: &str) -> Router {
    router(Auth0::builder(DOMAIN, CLIENT_ID, secret, CONNECTION).options(peer.options()).build().unwrap())
}

#[tokio::test]
async fn auth0_access_names_the_scopes_that_the_token_lacks() {
    let fake = FakeAuth0::default();
    let peer = Peer::start(fake.front(fake.api())).await;
    assert_eq!(access(&auth0(&peer, CLIENT_SECRET)).await, Ok(Access::default()));

    fake.tenant().scopes = vec!["read:users", "update:users"];
    let access_of_two = access(&auth0(&peer, CLIENT_SECRET)).await.unwrap();
    assert_eq!(access_of_two.untold, [], "Auth0 names the scopes");
    let found: Vec<_> = access_of_two.missing.iter().map(|missing| (&*missing.right, &*missing.capabilities)).collect();
    assert_eq!(
        found,
        [("the scope create:users", &[Capability::Create][..]), ("the scope delete:users", &[Capability::Delete])]
    );
    // A password is set at creation or by an update.
    fake.tenant().scopes = vec!["read:users"];
    let missing = access(&auth0(&peer, CLIENT_SECRET)).await.unwrap().missing;
    assert_eq!(missing.iter().filter(|right| right.capabilities.contains(&Capability::SetPassword)).count(), 1);
    assert!(fake.tenant().requests.iter().all(|seen| seen.method == "GET" || seen.path == "/oauth/token"));
}

#[tokio::test]
async fn auth0_access_fails_without_the_scope_to_read_and_with_a_wrong_secret() {
    let fake = FakeAuth0::default();
    let peer = Peer::start(fake.front(fake.api())).await;
    fake.tenant().scopes = vec!["create:users"];
    let (code, text) = access(&auth0(&peer, CLIENT_SECRET)).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    assert!(text.contains("the application needs the scope read:users of the Auth0 Management API"), "{text}");
    let (code, text) = access(&auth0(&peer, "wrong-secret")).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    assert!(text.contains("answered 401") && !text.contains("wrong-secret"), "{text}");
}

#[tokio::test]
async fn descope_access_fails_with_a_wrong_key() {
    let descope = FakeDescope::new();
    let peer = Peer::start(descope.server(|service| service)).await;
    let with = |key: &str| router(Descope::builder(PROJECT, key).options(peer.options()).build().unwrap());
    let access_of_key = access(&with(KEY)).await.unwrap();
    assert_eq!(access_of_key, Access::of_reader());
    assert!(access_of_key.untold.contains(&Capability::Create) && !access_of_key.untold.contains(&Capability::Totals));
    let (code, text) = access(&with("K2wrong")).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    assert!(text.contains("answered 401") && !text.contains("K2wrong"), "{text}");
}

#[tokio::test]
async fn workos_access_needs_no_total_and_fails_with_a_wrong_key() {
    let Some(emulator) = Emulator::start() else { return };
    let with = |key: &str| {
        let mut options = tailor_idp_core::remote::RemoteOptions::default();
        options.base_url = Some(emulator.url.parse().unwrap());
        router(WorkOs::builder(key).options(options).build().unwrap())
    };
    assert_eq!(access(&with(&emulator.api_key)).await, Ok(Access::of_reader()));
    let (code, text) = access(&with("sk_test_wrong")).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    assert!(text.contains("answered 401") && !text.contains("sk_test_wrong"), "{text}");
}

#[tokio::test]
async fn platform_access_fails_with_a_wrong_secret() {
    let platform = fake_tailor::FakePlatform::new();
    let peer = Peer::start(platform.server()).await;
    let with = |secret: &str| {
        router(Tailor::builder(peer.url.as_str(), fake_tailor::CLIENT_ID, secret, "main-idp").build().unwrap())
    };
    assert_eq!(access(&with(fake_tailor::CLIENT_SECRET)).await, Ok(Access::of_reader()));
    let (code, text) = access(&with("wrong-secret")).await.unwrap_err();
    assert_eq!(code, Code::Unauthenticated);
    assert!(!text.contains("wrong-secret"), "{text}");
}

#[tokio::test]
async fn refused_credentials_are_told_to_the_host_with_the_variable_to_check() {
    let descope = FakeDescope::new();
    let peer = Peer::start(descope.server(|service| service)).await;
    let mut options = peer.options();
    let text = |error: &tailor_idp_core::IdpError| std::error::Error::source(error).unwrap().to_string();
    for (variable, advice) in [(None, "the management key"), (Some("DESCOPE_KEY"), "the management key in DESCOPE_KEY")]
    {
        options.secret_variable = variable.map(str::to_owned);
        let idp = router(Descope::builder(PROJECT, "K2wrong").options(options.clone()).build().unwrap());
        let error = idp.user(&host(), UserKey::Id("U1")).await.unwrap_err();
        assert_eq!(error.detail(), "Descope refuses the credentials of the host");
        let advice = format!(": check project_id, {advice} and its rights in the project");
        assert!(text(&error).ends_with(&advice), "{}", text(&error));
    }
}

#[tokio::test]
async fn operations_that_a_setting_allows_are_refused_with_its_name() {
    let refused = |capability| {
        let workos = WorkOs::builder("sk_test").build().unwrap();
        workos.capabilities().require(capability).unwrap_err().detail().to_owned()
    };
    assert_eq!(
        refused(Capability::Totals),
        "WorkOS does not support listing all users with an exact total: count = \"walk\" in the settings of the namespace \
         allows it"
    );
    assert_eq!(
        refused(Capability::ClearPassword),
        "WorkOS does not support removing a password: scramble_passwords = true in the settings of the namespace allows it"
    );
    assert_eq!(refused(Capability::Disable), "WorkOS does not support disabling users");
}
