//! Password hashes of other programs: their import, and their replacement at the first sign-in.

use std::sync::Arc;

use pretty_assertions::assert_eq;
use tailor_idp_core::store::{Batch, EventQuery, Mutation, StoreError};
use tailor_idp_core::{ImportError, ImportPassword, ImportUser, NamespaceSettings, PasswordHash, UpdateUser, UserKey};

use crate::fresh::fresh_store;
use crate::host::Host;
use crate::interposed::Interposed;
use crate::support::{Shared, by_name, everyone};

const NAME: &str = "ana@example.com";
const PASSWORD: &str = "U*U";
/// The hash of [`PASSWORD`], from the tests of crypt_blowfish.
const BCRYPT: &str = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";

fn hash(text: &str) -> Option<ImportPassword> {
    Some(ImportPassword::Hash(PasswordHash::from_phc(text).unwrap()))
}

fn user(name: &str, password: Option<ImportPassword>) -> ImportUser {
    ImportUser { name: name.into(), password, ..ImportUser::default() }
}

async fn stored_hash(store: &Shared) -> String {
    let credentials = store.credentials(UserKey::Name(NAME)).await.unwrap().unwrap();
    credentials.password.unwrap().unwrap().as_str().to_owned()
}

/// Whether the batch replaces a hash after a sign-in.
fn replaces(batch: &Batch) -> bool {
    matches!(batch.mutations[..], [Mutation::ReplaceHash { .. }])
}

#[tokio::test]
async fn import_accepts_complete_hashes_of_every_supported_kind() {
    let host = Host::over(fresh_store().await.0, NamespaceSettings::default());
    let hashes = [
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "$pbkdf2-sha256$i=600000$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$pbkdf2-sha512$i=210000$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        BCRYPT,
        "$2y$15$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    ];
    let users = hashes.iter().enumerate().map(|(index, text)| user(&format!("user{index}@example.com"), hash(text)));
    assert_eq!(host.import_users(users.collect()).await.unwrap().count, hashes.len() as u64);
}

#[tokio::test]
async fn import_refuses_hashes_that_are_incomplete_unknown_or_too_expensive() {
    let host = Host::over(fresh_store().await.0, NamespaceSettings::default());
    let (texts, expected): (Vec<_>, Vec<_>) = [
        ("$argon2id$v=19$m=19456", "passwordHash: the argon2id hash is incomplete: it has no t"),
        (
            "$2x$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "passwordHash: the kind of the hash is not supported: use one of argon2id, argon2i, argon2d, scrypt, \
             pbkdf2-sha256 and pbkdf2-sha512 as PHC strings, and bcrypt's $2a$, $2b$ and $2y$",
        ),
        (
            "$2b$16$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "passwordHash: the bcrypt hash is too expensive: the cost is at most 15, got 16",
        ),
    ]
    .into_iter()
    .unzip();
    let users = texts.iter().map(|text| user(NAME, hash(text))).collect();
    let ImportError::Invalid(faults) = host.import_users(users).await.unwrap_err() else { panic!("not refused") };
    assert_eq!(faults.iter().map(|fault| fault.error.detail()).collect::<Vec<_>>(), expected);
    assert_eq!(everyone(&host.store).await, []);
}

#[tokio::test]
async fn sign_in_replaces_a_hash_without_an_event_a_new_version_or_the_end_of_reset_links() {
    let host = Host::over(fresh_store().await.0, NamespaceSettings::default().publish_user_events(true));
    host.import_users(vec![user(NAME, hash(BCRYPT))]).await.unwrap();
    let before = by_name(&host.store, NAME).await.unwrap();
    host.request_mail(&before.id).await.unwrap();
    let mail = host.claim_reset_mail().await.unwrap().unwrap();
    assert!(host.settle_reset_mail(&mail, Ok(())).await.unwrap());
    let events = || host.store.events(EventQuery::After { id: None, limit: 10 });
    let events_before = events().await.unwrap();

    assert!(host.signs_in(NAME, PASSWORD).await);
    assert!(stored_hash(&host.store).await.starts_with("$argon2id$v=19$"));
    assert_eq!(by_name(&host.store, NAME).await.unwrap(), before);
    assert_eq!(events().await.unwrap(), events_before);
    host.reset_link(&mail.token).await.unwrap();
    assert!(host.signs_in(NAME, PASSWORD).await);
}

#[tokio::test]
async fn sign_in_succeeds_when_the_replacement_cannot_be_stored() {
    let (store, _) = fresh_store().await;
    let interposed = Arc::new(Interposed::new(&store));
    let host = Host::over(interposed.clone(), NamespaceSettings::default());
    host.import_users(vec![user(NAME, hash(BCRYPT))]).await.unwrap();
    for error in [StoreError::Full, StoreError::Conflict] {
        interposed.fail_commit(replaces, error);
        assert!(host.signs_in(NAME, PASSWORD).await);
        assert!(interposed.has_acted());
        assert_eq!(stored_hash(&store).await, BCRYPT);
    }
    assert!(host.signs_in(NAME, PASSWORD).await);
    assert!(stored_hash(&store).await.starts_with("$argon2id$"), "the next sign-in replaces it");
}

#[tokio::test]
async fn replacement_of_a_hash_does_not_undo_a_concurrent_password_change() {
    let (store, _) = fresh_store().await;
    let other = Host::over(store.clone(), NamespaceSettings::default());
    let interposed = Arc::new(Interposed::new(&store));
    let host = Host::over(interposed.clone(), NamespaceSettings::default());
    host.import_users(vec![user(NAME, hash(BCRYPT))]).await.unwrap();
    let id = by_name(&store, NAME).await.unwrap().id;
    interposed.before_commit(replaces, async move {
        other.update(UpdateUser { id, password: Some("the new one".into()), ..UpdateUser::default() }).await;
    });
    assert!(host.signs_in(NAME, PASSWORD).await, "the password was right when it was compared");
    assert!(interposed.has_acted());
    assert!(host.signs_in(NAME, "the new one").await);
    assert!(!host.signs_in(NAME, PASSWORD).await);
}
