//! Other identity services: WorkOS's emulator, and fakes of the others. The exchanges with the fakes are checked against the
//! published descriptions, where those are available.
//!
//! All options are on that extend what a service can do: `scramble_passwords` and `count = "walk"`.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use pretty_assertions::assert_eq;
use tailor_idp::idp::directory::Directory;
use tailor_idp::idp::remote::{Auth0, Count, Descope, RemoteOptions, Tailor, WorkOs};
use tailor_idp::idp::{NameKind, NamespaceSettings, Router};

use super::auth0::{CLIENT_ID, CLIENT_SECRET, CONNECTION, Connection, DOMAIN, FakeAuth0};
use super::descope::{FakeDescope, KEY, PROJECT};
use super::differences::compare;
use super::emulator::Emulator;
use super::openapi::OpenApi;
use super::peer::Peer;
use super::tailor::{self, FakePlatform};
use crate::golden_scripts::GoldenScript;

const PAGE: &str = include_str!("../../../docs/providers.md");

/// The time of a call with all its requests. Machines that run tests can be slow.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The start of a reason that concerns the emulator or the fake, not the service.
const STAND_IN: &str = "stand-in: ";

/// Left out, since the requests of calls that are made at once reach a service in any order.
const UNORDERED: &str = "concurrency/more-calls-than-run-at-once";
/// Left out, since a call that nobody awaits has an answer before the handler returns, or has not.
const NOT_AWAITED: &str = "concurrency/not-awaited";
/// Left out for Auth0, which does not say whether the user whom it deletes existed. What two calls at once return is a matter of
/// time.
const DELETES_AT_ONCE: &str = "concurrency/delete-twice-at-once";

/// A directory, and what has to live as long as it.
type Service = (Arc<dyn Directory>, Box<dyn Any + Send>);

fn generous(mut options: RemoteOptions) -> RemoteOptions {
    options.timeout = TIMEOUT;
    options.scramble_passwords = true;
    options.count = Count::Walk;
    options
}

/// Runs the case with a service of its own for each namespace.
async fn run(case: &GoldenScript, mut open: impl AsyncFnMut(&NamespaceSettings) -> Service) -> String {
    let (mut router, mut guards) = (Router::builder(), Vec::new());
    for (name, entry) in &case.settings.namespaces {
        let (directory, guard) = open(&entry.settings).await;
        router = router.directory(name.clone(), directory, entry.settings.clone());
        guards.push(guard);
    }
    case.run(router.build()).await
}

/// Checks that the page has every reason that concerns the service, word for word.
fn check_page(reasons: &[String]) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let page = words(PAGE);
    let of_service = reasons.iter().filter(|reason| !reason.starts_with(STAND_IN));
    let missing: Vec<_> = of_service.filter(|reason| !page.contains(&words(reason))).collect();
    assert_eq!(missing, Vec::<&String>::new(), "reasons that docs/providers.md does not have");
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_scripts_over_auth0_differ_only_as_documented() {
    let description = OpenApi::load("auth0-users.json", "/api/v2");
    let reasons = compare("auth0", &[UNORDERED, NOT_AWAITED, DELETES_AT_ONCE], async |case| {
        run(case, async |settings| {
            let fake = FakeAuth0::default();
            let api = description.as_ref().map_or(fake.api(), |description| description.check(fake.api()));
            let peer = Peer::start(fake.front(api)).await;
            // Names that are no addresses are usernames, which a connection must have.
            let usernames = settings.user_auth_policy.name_kind() == NameKind::Any;
            fake.tenant().connections.insert(CONNECTION.to_owned(), Connection { usernames });
            let auth0 = Auth0::builder(DOMAIN, CLIENT_ID, CLIENT_SECRET, CONNECTION);
            let auth0 = auth0.options(generous(peer.options())).build().unwrap();
            (Arc::new(auth0) as Arc<dyn Directory>, Box::new(peer) as _)
        })
        .await
    })
    .await;
    check_page(&reasons);
    assert_eq!(description.map_or_else(Vec::new, |description| description.violations()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_scripts_over_descope_differ_only_as_documented() {
    let description = OpenApi::load_closed("descope-users.json", "");
    let reasons = compare("descope", &[UNORDERED, NOT_AWAITED], async |case| {
        run(case, async |_| {
            let server = FakeDescope::new().server(|service| match &description {
                Some(description) => description.check(service),
                None => service,
            });
            let peer = Peer::start(server).await;
            let descope = Descope::builder(PROJECT, KEY).options(generous(peer.options())).build().unwrap();
            (Arc::new(descope) as Arc<dyn Directory>, Box::new(peer) as _)
        })
        .await
    })
    .await;
    check_page(&reasons);
    assert_eq!(description.map_or_else(Vec::new, |description| description.violations()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_scripts_over_the_platform_differ_only_as_documented() {
    let reasons = compare("tailor", &[UNORDERED, NOT_AWAITED], async |case| {
        run(case, async |_| {
            let peer = Peer::start(FakePlatform::new().server()).await;
            let tailor = Tailor::builder(peer.url.as_str(), tailor::CLIENT_ID, tailor::CLIENT_SECRET, "main-idp");
            let tailor = tailor.options(generous(RemoteOptions::default())).build().unwrap();
            (Arc::new(tailor) as Arc<dyn Directory>, Box::new(peer) as _)
        })
        .await
    })
    .await;
    check_page(&reasons);
}

#[tokio::test(flavor = "multi_thread")]
async fn golden_scripts_over_the_emulator_of_workos_differ_only_as_documented() {
    let Some(first) = Emulator::start() else { return };
    let mut emulators = vec![first];
    let reasons = compare("workos", &[UNORDERED, NOT_AWAITED], async |case| {
        let mut used = 0;
        run(case, async |_| {
            if used == emulators.len() {
                emulators.push(Emulator::start().unwrap());
            }
            let emulator = &mut emulators[used];
            emulator.reset();
            used += 1;
            let mut options = generous(RemoteOptions::default());
            options.base_url = Some(emulator.url.parse().unwrap());
            let workos = WorkOs::builder(emulator.api_key.clone()).options(options).build().unwrap();
            (Arc::new(workos) as Arc<dyn Directory>, Box::new(()) as _)
        })
        .await
    })
    .await;
    check_page(&reasons);
}
