use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::*;
use crate::directory::{CallContext, IdentityProvider};
use crate::local::hasher::Operations;
use crate::local::{HashCost, TooManyAttempts};
use crate::model::{Code, CreateUser, NamespaceName, PasswordHash, Principal, Timestamp, UpdateUser};
use crate::router::Router;
use crate::rules::{AttemptLimits, NamespaceSettings};
use crate::store::{NewUser, SqliteDatabase, SqliteStore, Store};

/// The memory of the hashes of [`HashCost::danger_cheap_for_tests`].
const CHEAP: u32 = 8;

/// A namespace `home` whose time the test sets.
struct World {
    idp: Router,
    store: SqliteStore,
    millis: Arc<AtomicI64>,
    operations: Arc<Operations>,
}

fn home() -> NamespaceName {
    NamespaceName::new("home").unwrap()
}

fn host() -> CallContext {
    CallContext::new(home(), Principal::Host)
}

impl World {
    async fn new(settings: NamespaceSettings) -> Self {
        let millis = Arc::new(AtomicI64::new(1_700_000_000_000));
        let time = Arc::clone(&millis);
        let clock = Arc::new(move || Timestamp::from_unix_millis(time.load(Ordering::Relaxed)));
        let store = SqliteDatabase::in_memory_with_clock(clock).unwrap().namespace(&home()).await.unwrap();
        Self::over(store, millis, settings, HashCost::danger_cheap_for_tests())
    }

    /// The same users at another cost of hashes.
    fn at_cost(&self, cost: HashCost) -> Self {
        Self::over(self.store.clone(), Arc::clone(&self.millis), NamespaceSettings::default(), cost)
    }

    fn over(store: SqliteStore, millis: Arc<AtomicI64>, settings: NamespaceSettings, cost: HashCost) -> Self {
        let idp = Router::builder().namespace(home(), Arc::new(store.clone()), settings).hash_cost(cost).build();
        let operations = Arc::clone(&idp.local("home").unwrap().hasher.operations);
        Self { idp, store, millis, operations }
    }

    async fn create(&self, name: &str, password: Option<&str>, disabled: bool) -> User {
        let request = CreateUser { name: name.into(), password: password.map(Into::into), disabled };
        self.idp.create_user(&host(), request).await.unwrap()
    }

    async fn insert(&self, name: &str, phc: &str) {
        let password = Some(PasswordHash::from_phc(phc).unwrap());
        let user = NewUser { name: name.into(), password, ..NewUser::default() };
        self.store.commit(Batch { mutations: vec![Mutation::CreateUser(user)], ..Batch::default() }).await.unwrap();
    }

    async fn stored_hash(&self, name: &str) -> PasswordHash {
        self.store.credentials(UserKey::Name(name)).await.unwrap().unwrap().password.unwrap().unwrap()
    }

    async fn verify(&self, name: &str, password: &str) -> Result<Option<SignIn>, IdpError> {
        self.idp.verify_password("home", name, password.into()).await
    }

    async fn signs_in(&self, name: &str, password: &str) -> bool {
        self.verify(name, password).await.unwrap().is_some()
    }

    /// The hash operations since the last call, by their memory.
    fn operations(&self) -> Vec<u32> {
        std::mem::take(&mut self.operations.lock())
    }

    /// Fails attempts until one is refused. Returns the number of failures and the refusal.
    async fn exhaust(&self, name: &str) -> (usize, IdpError) {
        for failed in 0.. {
            if let Err(error) = self.verify(name, "wrong password").await {
                return (failed, error);
            }
        }
        unreachable!()
    }

    fn advance(&self, time: Duration) {
        self.millis.fetch_add(time.as_millis() as i64, Ordering::Relaxed);
    }
}

fn limits(per_user: u32, per_namespace: u32) -> NamespaceSettings {
    let window = Duration::from_secs(60);
    NamespaceSettings::default().attempt_limits(AttemptLimits { per_user, per_namespace, window })
}

#[tokio::test]
async fn verify_password_returns_the_user_for_the_right_password_only() {
    let world = World::new(NamespaceSettings::default()).await;
    let ana = world.create("ana@example.com", Some("correct horse"), false).await;
    let expected = SignIn { user: ana, mfa: MfaState::NotDue };
    assert_eq!(world.verify("ana@example.com", "correct horse").await.unwrap(), Some(expected.clone()));
    assert_eq!(world.verify("Ana@Example.com", "correct horse").await.unwrap(), Some(expected), "names are normalised");
    for wrong in ["", "correct", "correct horse ", "Correct horse", "correct horse\0"] {
        assert_eq!(world.verify("ana@example.com", wrong).await.unwrap(), None, "{wrong:?}");
    }
}

#[tokio::test]
async fn verify_password_does_the_same_work_for_all_who_cannot_sign_in() {
    let world = World::new(NamespaceSettings::default()).await;
    world.create("ana@example.com", Some("correct horse"), false).await;
    world.create("none@example.com", None, false).await;
    world.create("off@example.com", Some("correct horse"), true).await;
    world.insert("other@example.com", "$yescrypt$n=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA").await;
    world.insert("slow@example.com", "$2b$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy").await;
    world.insert("huge@example.com", "$scrypt$ln=30,r=8,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA").await;
    world.insert("long@example.com", "$pbkdf2-sha256$i=4294967295$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA").await;
    world.insert("bare@example.com", "$argon2id$v=19$m=8,t=1,p=1").await;
    world.insert("vast@example.com", "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweA").await;
    let long = "x".repeat(MAX_PASSWORD_BYTES + 1);
    world.operations();
    for (name, password) in [
        ("ana@example.com", "wrong"),
        ("ana@example.com", long.as_str()),
        ("nobody@example.com", "correct horse"),
        ("no e-mail at all", "correct horse"),
        ("", ""),
        ("none@example.com", "correct horse"),
        ("none@example.com", ""),
        ("off@example.com", "correct horse"),
        ("off@example.com", "wrong"),
        ("other@example.com", "correct horse"),
        ("bare@example.com", ""),
        ("vast@example.com", "correct horse"),
        ("slow@example.com", "correct horse"),
        ("huge@example.com", "correct horse"),
        ("long@example.com", "correct horse"),
    ] {
        assert_eq!(world.verify(name, password).await.unwrap(), None, "{name:?}");
        assert_eq!(world.operations(), [CHEAP], "{name:?}");
    }
    assert!(world.signs_in("ana@example.com", "correct horse").await);
    assert_eq!(world.operations(), [CHEAP]);
}

#[tokio::test]
async fn verify_password_does_the_same_work_when_the_stored_hash_is_malformed() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    let store = SqliteDatabase::open(&path).unwrap().namespace(&home()).await.unwrap();
    let cost = HashCost::danger_cheap_for_tests();
    let world = World::over(store, Arc::default(), NamespaceSettings::default(), cost);
    world.create("ana@example.com", None, false).await;
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute("UPDATE users SET password_hash = 'plain text'", []).unwrap();
    world.operations();
    assert_eq!(world.verify("ana@example.com", "plain text").await.unwrap_err().code(), Code::Internal);
    assert_eq!(world.operations(), [CHEAP]);
}

#[tokio::test]
async fn verify_password_rejects_changed_and_cleared_passwords_and_disabled_users() {
    let world = World::new(NamespaceSettings::default()).await;
    let id = world.create("ana@example.com", Some("the first one"), false).await.id;
    let change = async |change: UpdateUser| {
        world.idp.update_user(&host(), UpdateUser { id: id.clone(), ..change }).await.unwrap();
    };
    change(UpdateUser { password: Some("the second one".into()), ..Default::default() }).await;
    assert!(!world.signs_in("ana@example.com", "the first one").await);
    assert!(world.signs_in("ana@example.com", "the second one").await);
    change(UpdateUser { disabled: Some(true), ..Default::default() }).await;
    assert!(!world.signs_in("ana@example.com", "the second one").await);
    change(UpdateUser { disabled: Some(false), ..Default::default() }).await;
    assert!(world.signs_in("ana@example.com", "the second one").await);
    change(UpdateUser { clear_password: true, ..Default::default() }).await;
    assert!(!world.signs_in("ana@example.com", "the second one").await);
}

#[tokio::test]
async fn verify_password_replaces_a_hash_of_another_cost_once() {
    let world = World::new(NamespaceSettings::default()).await;
    world.create("ana@example.com", Some("correct horse"), false).await;
    let grown = HashCost::argon2id(16, 2).unwrap();
    let grown = world.at_cost(grown);
    assert!(!grown.signs_in("ana@example.com", "wrong").await);
    assert_eq!(grown.operations(), [8], "a wrong password makes no new hash");
    assert!(grown.signs_in("ana@example.com", "correct horse").await);
    assert_eq!(grown.operations(), [8, 16]);
    let stored = grown.stored_hash("ana@example.com").await;
    assert!(stored.as_str().starts_with("$argon2id$v=19$m=16,t=2,p=1$"), "{}", stored.as_str());
    assert!(grown.signs_in("ana@example.com", "correct horse").await);
    assert_eq!(grown.operations(), [16]);
    // A stronger hash is of another cost, too.
    assert!(world.signs_in("ana@example.com", "correct horse").await);
    let stored = world.stored_hash("ana@example.com").await;
    assert!(stored.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", stored.as_str());
}

#[tokio::test]
async fn verify_password_accepts_and_replaces_hashes_of_other_programs() {
    let world = World::new(NamespaceSettings::default()).await;
    for (index, (phc, password)) in [
        // From the tests of the reference implementation (phc-winner-argon2, test.c). Version 0x10 is not named.
        ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"),
        ("$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"),
        ("$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "password"),
        ("$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY", "password"),
        // Python's passlib.
        ("$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E", "password"),
        // From the tests of the crate pbkdf2.
        (
            "$pbkdf2-sha256$i=4096,l=40$c2FsdFNBTFRzYWx0U0FMVHNhbHRTQUxUc2FsdFNBTFRzYWx0$NIyJ28vTKy8y2BS4EW6EzysXNH68GAAYHE4qH7jdU+HGNVGMfaxH6Q",
            "passwordPASSWORDpassword",
        ),
        // From the tests of crypt_blowfish.
        ("$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("user{index}@example.com");
        world.insert(&name, phc).await;
        assert!(!world.signs_in(&name, "passwore").await, "{phc}");
        assert_eq!(world.stored_hash(&name).await.as_str(), phc, "a wrong password replaces nothing");
        assert!(world.signs_in(&name, password).await, "{phc}");
        let stored = world.stored_hash(&name).await;
        assert!(stored.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{phc}");
        assert!(world.signs_in(&name, password).await, "{phc}");
        assert_eq!(world.stored_hash(&name).await, stored, "replaced once");
    }
}

#[tokio::test]
async fn verify_password_keeps_a_bcrypt_hash_of_a_password_that_is_longer_than_bcrypt_compares() {
    let world = World::new(NamespaceSettings::default()).await;
    // From the tests of crypt_blowfish: bcrypt compares 72 bytes.
    let bcrypt = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
    let compared = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    assert_eq!(compared.len(), 72);
    world.insert("ana@example.com", bcrypt).await;
    for ending in ["chars after 72 are ignored", "another ending", "", "chars after 72 are ignored"] {
        assert!(world.signs_in("ana@example.com", &format!("{compared}{ending}")).await, "{ending:?}");
        assert_eq!(world.stored_hash("ana@example.com").await.as_str(), bcrypt, "{ending:?}");
    }
    assert!(!world.signs_in("ana@example.com", &compared[..71]).await);
}

#[tokio::test]
async fn wrong_passwords_for_a_hash_of_another_program_count_as_attempts() {
    let world = World::new(limits(3, 100)).await;
    world.insert("ana@example.com", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW").await;
    world.insert("bo@example.com", "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW").await;
    for name in ["ana@example.com", "bo@example.com"] {
        let (failures, error) = world.exhaust(name).await;
        assert_eq!((failures, error.code()), (3, Code::ResourceExhausted), "{name}");
    }
}

#[tokio::test]
async fn verify_password_refuses_the_right_password_after_too_many_failures() {
    let world = World::new(limits(3, 100)).await;
    world.create("ana@example.com", Some("correct horse"), false).await;
    let (failures, error) = world.exhaust("ana@example.com").await;
    assert_eq!(failures, 3);
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert_eq!(error.detail(), "too many failed attempts: try again in 60 s");
    world.operations();
    world.advance(Duration::from_millis(59_500));
    let error = world.verify("ANA@example.com", "correct horse").await.unwrap_err();
    assert_eq!(error.detail(), "too many failed attempts: try again in 1 s");
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<TooManyAttempts>());
    assert_eq!(source, Some(&TooManyAttempts { wait: Duration::from_millis(500) }));
    assert_eq!(world.operations(), Vec::<u32>::new(), "a refused attempt is not hashed");
    world.advance(Duration::from_millis(500));
    assert!(world.signs_in("ana@example.com", "correct horse").await);
}

#[tokio::test]
async fn attempt_limit_is_the_same_for_users_and_unknown_names() {
    let world = World::new(limits(4, 1000)).await;
    world.create("ana@example.com", Some("correct horse"), false).await;
    world.create("none@example.com", None, false).await;
    world.create("off@example.com", Some("correct horse"), true).await;
    let names = ["ana@example.com", "none@example.com", "off@example.com", "nobody@example.com", "no e-mail"];
    let mut refusals = Vec::new();
    for name in names {
        let (failures, error) = world.exhaust(name).await;
        refusals.push((failures, error.code(), error.detail().to_owned()));
    }
    let expected = (4, Code::ResourceExhausted, "too many failed attempts: try again in 60 s".to_owned());
    assert_eq!(refusals, vec![expected; names.len()]);
}

#[tokio::test]
async fn success_resets_the_count_which_clones_of_the_router_share() {
    let world = World::new(limits(3, 100)).await;
    world.create("ana@example.com", Some("correct horse"), false).await;
    for _ in 0..5 {
        assert!(!world.signs_in("ana@example.com", "wrong").await);
        assert!(!world.signs_in("ana@example.com", "wrong").await);
        assert!(world.signs_in("ana@example.com", "correct horse").await);
    }
    assert_eq!(world.exhaust("ana@example.com").await.0, 3);
    let clone = world.idp.clone();
    let error = clone.verify_password("home", "ana@example.com", "correct horse".into()).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn verify_password_refuses_everybody_after_too_many_failures_in_the_namespace() {
    let world = World::new(limits(10, 5)).await;
    world.create("ana@example.com", Some("correct horse"), false).await;
    for index in 0..5 {
        assert!(!world.signs_in(&format!("nobody{index}@example.com"), "wrong").await);
    }
    let error = world.verify("ana@example.com", "correct horse").await.unwrap_err();
    assert_eq!(error.detail(), "too many failed attempts: try again in 60 s");
    world.advance(Duration::from_secs(60));
    assert!(world.signs_in("ana@example.com", "correct horse").await);
}

#[tokio::test]
async fn concurrent_guesses_do_not_exceed_the_limit() {
    let world = World::new(limits(3, 100)).await;
    world.create("ana@example.com", Some("correct horse"), false).await;
    world.operations();
    let guesses = join_all((0..50).map(|_| world.verify("ana@example.com", "wrong"))).await;
    let refused = guesses.iter().filter(|guess| guess.is_err()).count();
    assert_eq!((refused, world.operations().len()), (47, 3));
}

#[tokio::test]
async fn verify_password_fails_without_hashing_when_password_auth_is_disabled() {
    let world = World::new(NamespaceSettings::default().disable_password_auth(true)).await;
    world.create("ana@example.com", None, false).await;
    world.operations();
    for name in ["ana@example.com", "nobody@example.com"] {
        let error = world.verify(name, "correct horse").await.unwrap_err();
        assert_eq!(
            (error.code(), error.detail()),
            (Code::FailedPrecondition, "password sign-in is off in namespace home")
        );
    }
    assert_eq!(world.operations(), Vec::<u32>::new());
}

#[tokio::test]
async fn verify_password_requires_enrollment_when_mfa_is_required_and_the_user_has_no_factor() {
    let settings = NamespaceSettings::default();
    for (settings, mfa) in [
        (settings.clone(), MfaState::NotDue),
        (settings.clone().enable_mfa(true), MfaState::NotDue),
        (settings.clone().enable_mfa(true).require_mfa(true), MfaState::EnrollmentDue),
        (settings.require_mfa(true), MfaState::NotDue),
    ] {
        let world = World::new(settings.clone()).await;
        world.create("ana@example.com", Some("correct horse"), false).await;
        let sign_in = world.verify("ana@example.com", "correct horse").await.unwrap().unwrap();
        assert_eq!(sign_in.mfa, mfa, "{settings:?}");
    }
}

#[tokio::test]
async fn verify_password_reports_an_unknown_namespace() {
    let world = World::new(NamespaceSettings::default()).await;
    let error = world.idp.verify_password("away", "ana@example.com", "correct horse".into()).await.unwrap_err();
    assert_eq!((error.code(), error.detail()), (Code::NotFound, "namespace not found: away"));
}
