//! MFA factors from enrolment to use.

use futures::future::join_all;
use pretty_assertions::assert_eq;
use tailor_idp::idp::Timestamp;
use tailor_idp::store::{Factor, NewFactor, StoreError, UserRecord, WriteOptions};

use super::{Backend, Store, by_id, insert, no_ids_but};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn new_factor(secret: &[u8], expires_at: i64) -> NewFactor {
    NewFactor { id: uuid::Uuid::now_v7().to_string(), secret: secret.to_vec(), expires_at: at(expires_at) }
}

/// Adds a factor that can be confirmed before 1000, and returns its id.
async fn add(store: &Store, user: &UserRecord, secret: &[u8]) -> String {
    let factor = new_factor(secret, 1000);
    let id = factor.id.clone();
    assert!(store.mfa().add_factor(&user.id, factor).await.unwrap());
    id
}

async fn confirm(store: &Store, user_id: &str, factor_id: &str, step: u64, now: i64) -> bool {
    store.mfa().confirm_factor(user_id, factor_id, step, at(now), WriteOptions::unchecked()).await.unwrap()
}

async fn take(store: &Store, user_id: &str, factor_id: &str, step: u64, secret: Option<&[u8]>) -> bool {
    let secret = secret.map(ToOwned::to_owned);
    store.mfa().use_factor(user_id, factor_id, step, secret, WriteOptions::unchecked()).await.unwrap()
}

async fn factors(store: &Store, user: &UserRecord) -> Vec<Factor> {
    let known = store.mfa().factors(&user.id).await.unwrap().unwrap();
    assert_eq!(Some(&known.user), by_id(store, &user.id).await.as_ref());
    known.factors
}

pub(super) async fn a_factor_counts_once_it_is_confirmed(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let id = add(&store, &ana, b"sealed").await;
    let waiting = Factor { id: id.clone(), secret: b"sealed".into(), expires_at: Some(at(1000)), last_step: None };
    assert_eq!(factors(&store, &ana).await, std::slice::from_ref(&waiting));
    assert_eq!(by_id(&store, &ana.id).await.unwrap().mfa_factor_ids, Vec::<String>::new());
    assert!(confirm(&store, &ana.id, &id, 7, 999).await);
    assert_eq!(factors(&store, &ana).await, [Factor { expires_at: None, last_step: Some(7), ..waiting }]);
    assert_eq!(by_id(&store, &ana.id).await.unwrap().mfa_factor_ids, std::slice::from_ref(&id));
    assert!(!confirm(&store, &ana.id, &id, 8, 999).await, "for the second time");
    assert_eq!(factors(&store, &ana).await[0].last_step, Some(7));
}

pub(super) async fn an_unconfirmed_factor_expires_and_gives_way_to_the_next(db: impl Backend) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let confirmed = add(&store, &ana, b"one").await;
    assert!(confirm(&store, &ana.id, &confirmed, 1, 0).await);
    let bos = add(&store, &bo, b"bo").await;
    let first = add(&store, &ana, b"two").await;
    assert!(!confirm(&store, &ana.id, &first, 1, 1000).await, "too late");
    let second = add(&store, &ana, b"three").await;
    assert!(!confirm(&store, &ana.id, &first, 1, 0).await, "replaced");
    let ids = |factors: Vec<Factor>| factors.into_iter().map(|factor| factor.id).collect::<Vec<_>>();
    assert_eq!(ids(factors(&store, &ana).await), [confirmed.clone(), second.clone()]);
    assert_eq!(ids(factors(&store, &bo).await), [bos]);
    assert!(confirm(&store, &ana.id, &second, 1, 0).await);
    assert_eq!(by_id(&store, &ana.id).await.unwrap().mfa_factor_ids, [confirmed, second]);
}

pub(super) async fn a_step_is_used_once_and_none_before_it_afterwards(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let id = add(&store, &ana, b"old").await;
    assert!(!take(&store, &ana.id, &id, 5, None).await, "unconfirmed");
    assert!(confirm(&store, &ana.id, &id, 5, 0).await);
    assert!(!take(&store, &ana.id, &id, 5, Some(b"lost")).await);
    assert!(!take(&store, &ana.id, &id, 4, Some(b"lost")).await);
    assert!(take(&store, &ana.id, &id, 6, None).await);
    assert_eq!(factors(&store, &ana).await[0].secret, b"old");
    assert!(take(&store, &ana.id, &id, 9, Some(b"new")).await);
    assert!(!take(&store, &ana.id, &id, 8, None).await);
    let expected = Factor { id: id.clone(), secret: b"new".into(), expires_at: None, last_step: Some(9) };
    assert_eq!(factors(&store, &ana).await, [expected]);
    assert!(store.remove_mfa_factor(&ana.id, &id).await.unwrap());
    assert!(!take(&store, &ana.id, &id, 10, None).await, "removed");
}

pub(super) async fn of_many_uses_of_one_step_one_succeeds(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let id = store.add_mfa_factor(&ana.id).await.unwrap().unwrap();
    for step in 1..=10 {
        let uses = join_all((0..20).map(|_| take(&store, &ana.id, &id, step, None))).await;
        assert_eq!(uses.iter().filter(|taken| **taken).count(), 1, "step {step}");
    }
}

pub(super) async fn a_write_to_a_factor_that_its_check_refuses_changes_nothing(db: impl Backend) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let id = add(&store, &ana, b"sealed").await;
    let refuse = || WriteOptions { check: Box::new(|user, _| user.name != "ana"), publish: false };
    let confirmed = store.mfa().confirm_factor(&ana.id, &id, 1, at(0), refuse()).await;
    assert!(matches!(confirmed, Err(StoreError::Denied)), "{confirmed:?}");
    assert!(confirm(&store, &ana.id, &id, 1, 0).await);
    let used = store.mfa().use_factor(&ana.id, &id, 2, None, refuse()).await;
    assert!(matches!(used, Err(StoreError::Denied)), "{used:?}");
    assert_eq!(factors(&store, &ana).await[0].last_step, Some(1));
}

pub(super) async fn a_factor_is_out_of_reach_by_another_user_namespace_or_id(db: impl Backend) {
    let store = db.users().await;
    let away = db.namespace("away").await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let id = add(&store, &ana, b"sealed").await;
    let before = factors(&store, &ana).await;
    assert!(!store.remove_mfa_factor(&ana.id, &id).await.unwrap(), "unconfirmed ones are not seen");
    let others = no_ids_but(&id).into_iter().map(|other| (&store, ana.id.clone(), other));
    let nobodies = no_ids_but(&ana.id).into_iter().map(|nobody| (&store, nobody, id.clone()));
    let rest = [(&store, bo.id.clone(), id.clone()), (&away, ana.id.clone(), id.clone())];
    for (store, user, factor) in others.chain(nobodies).chain(rest) {
        assert!(!confirm(store, &user, &factor, 1, 0).await, "{user:?} {factor:?}");
        assert!(!take(store, &user, &factor, 1, None).await, "{user:?} {factor:?}");
    }
    for nobody in no_ids_but(&ana.id) {
        assert_eq!(store.mfa().factors(&nobody).await.unwrap(), None, "{nobody:?}");
        assert!(!store.mfa().add_factor(&nobody, new_factor(b"lost", 1000)).await.unwrap(), "{nobody:?}");
    }
    assert_eq!(away.mfa().factors(&ana.id).await.unwrap(), None);
    assert_eq!(factors(&store, &ana).await, before);
}
