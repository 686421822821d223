//! MFA factors from enrolment to use.

use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::UserRecord;
use crate::store::{Expect, Factor, Mutation};

async fn factors(store: &Shared, user: &UserRecord) -> Vec<Factor> {
    credentials(store, user).await.factors
}

async fn remove(store: &Shared, user_id: &str, factor_id: &str) -> u64 {
    let mutation = Mutation::DeleteFactor { user_id: user_id.to_owned(), factor_id: factor_id.to_owned() };
    apply(store, mutation).await.unwrap()
}

pub async fn factors_count_once_they_are_confirmed(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let expires_at = Some(store.now().after(Duration::from_secs(600)));
    let unconfirmed = Factor { expires_at, last_step: None, ..factor() };
    apply(&store, putting(&ana.id, &unconfirmed)).await.unwrap();
    assert_eq!(factors(&store, &ana).await, std::slice::from_ref(&unconfirmed));
    assert_eq!(reread(&store, &ana).await.mfa_factor_ids, Vec::<String>::new());
    assert_eq!(everyone(&store).await[0].mfa_factor_ids, Vec::<String>::new());
    let confirmed = Factor { expires_at: None, last_step: Some(7), ..unconfirmed };
    apply(&store, putting(&ana.id, &confirmed)).await.unwrap();
    assert_eq!(factors(&store, &ana).await, std::slice::from_ref(&confirmed));
    assert_eq!(reread(&store, &ana).await.mfa_factor_ids, std::slice::from_ref(&confirmed.id));
    assert_eq!(everyone(&store).await[0].mfa_factor_ids, [confirmed.id]);
}

pub async fn factors_are_listed_oldest_first(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(add_factor(&store, &ana.id).await.id);
        add_factor(&store, &bo.id).await;
    }
    assert_eq!(by_id(&store, &ana.id).await.unwrap().mfa_factor_ids, ids);
    assert_eq!(by_name(&store, "ana").await.unwrap().mfa_factor_ids, ids);
    assert_eq!(everyone(&store).await[0].mfa_factor_ids, ids);
    let all: Vec<_> = factors(&store, &ana).await.into_iter().map(|factor| factor.id).collect();
    assert_eq!(all, ids);
}

pub async fn put_factor_replaces_all_values_of_the_same_id(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let first = add_factor(&store, &ana.id).await;
    let bos = add_factor(&store, &bo.id).await;
    let expires_at = Some(store.now());
    for other in [
        Factor { secret: b"new".to_vec(), expires_at, last_step: None, ..first.clone() },
        Factor { secret: Vec::new(), expires_at: None, last_step: Some(u32::MAX.into()), ..first },
    ] {
        assert_eq!(apply(&store, putting(&ana.id, &other)).await.unwrap(), 1);
        assert_eq!(factors(&store, &ana).await, [other]);
    }
    assert_eq!(factors(&store, &bo).await, [bos]);
}

pub async fn delete_factor_deletes_from_its_user_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(add_factor(&store, &ana.id).await.id);
    }
    let bos = add_factor(&store, &bo.id).await.id;
    assert_eq!(remove(&store, &bo.id, &ids[1]).await, 0, "ana's factor, from bo");
    for factor in other_ids(&ids[1]) {
        assert_eq!(remove(&store, &ana.id, &factor).await, 0, "{factor:?}");
    }
    assert_eq!(remove(&store, &ana.id, &ids[1]).await, 1);
    assert_eq!(remove(&store, &ana.id, &ids[1]).await, 0, "for the second time");
    ids.remove(1);
    assert_eq!(reread(&store, &ana).await.mfa_factor_ids, ids);
    assert_eq!(reread(&store, &bo).await.mfa_factor_ids, [bos]);
    let unconfirmed = Factor { expires_at: Some(store.now()), last_step: None, ..factor() };
    apply(&store, putting(&bo.id, &unconfirmed)).await.unwrap();
    assert_eq!(remove(&store, &bo.id, &unconfirmed.id).await, 1, "unconfirmed ones too");
}

pub async fn one_of_many_uses_of_a_step_succeeds(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let mut read = add_factor(&store, &ana.id).await;
    for step in 1..=10 {
        let used = Factor { last_step: Some(step), ..read.clone() };
        let uses = join_all((0..20).map(|_| {
            let expect = Expect::Factor { user_id: ana.id.clone(), factor: read.clone() };
            store.commit(expecting([expect], [putting(&ana.id, &used)]))
        }));
        let (won, lost): (Vec<_>, Vec<_>) = uses.await.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 19), "step {step}");
        lost.into_iter().for_each(|lost| assert_conflict(lost, step));
        read = used;
    }
    assert_eq!(factors(&store, &ana).await, [read]);
}

pub async fn factor_secrets_keep_all_bytes(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let secrets = [Vec::new(), vec![0], (0..=255).collect(), b"text".to_vec(), vec![0xff; 4096]];
    let mut expected = Vec::new();
    for secret in secrets {
        let factor = Factor { secret, ..factor() };
        apply(&store, putting(&ana.id, &factor)).await.unwrap();
        expected.push(factor);
    }
    assert_eq!(factors(&store, &ana).await, expected);
}
