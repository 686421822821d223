//! Reset tokens: at most one per user, found by its hash.

use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::UserRecord;
use crate::store::{Expect, Mutation, Outcome, PasswordChange, ResetToken, TokenHash};

const FIRST: TokenHash = TokenHash([1; 32]);
const SECOND: TokenHash = TokenHash([2; 32]);
const HOUR: Duration = Duration::from_secs(3600);

/// Gives the user a token of a new mail.
async fn put(store: &Shared, user: &UserRecord, hash: TokenHash) -> ResetToken {
    let job_id = enqueue(store, &user.id, "mail").await.id;
    let (user_id, expires_at) = (user.id.clone(), store.now().after(HOUR));
    let put = Mutation::PutResetToken { user_id: user_id.clone(), hash, job_id, expires_at };
    assert_eq!(apply(store, put).await.unwrap(), 1);
    ResetToken { user_id, job_id, expires_at }
}

async fn find(store: &Shared, hash: TokenHash) -> Option<ResetToken> {
    store.reset_token(hash).await.unwrap()
}

pub async fn reset_token_is_found_by_its_hash_expired_or_not(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let (anas, bos) = (put(&store, &ana, FIRST).await, put(&store, &bo, SECOND).await);
    assert_eq!((find(&store, FIRST).await, find(&store, SECOND).await), (Some(anas.clone()), Some(bos)));
    for unknown in [[0; 32], [3; 32]] {
        assert_eq!(find(&store, TokenHash(unknown)).await, None);
    }
    db.clock.advance(HOUR * 2);
    assert_eq!(find(&store, FIRST).await, Some(anas));
}

pub async fn new_reset_token_replaces_the_earlier_one(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    put(&store, &ana, FIRST).await;
    let second = put(&store, &ana, SECOND).await;
    assert_eq!((find(&store, FIRST).await, find(&store, SECOND).await), (None, Some(second)));
    // The same hash once more, with new values.
    let again = put(&store, &ana, SECOND).await;
    assert_eq!(find(&store, SECOND).await, Some(again));
}

pub async fn delete_reset_token_deletes_the_users_token_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    put(&store, &ana, FIRST).await;
    let bos = put(&store, &bo, SECOND).await;
    let delete = || Mutation::DeleteResetToken { user_id: ana.id.clone() };
    assert_eq!(apply(&store, delete()).await.unwrap(), 1);
    assert_eq!(apply(&store, delete()).await.unwrap(), 0);
    assert_eq!((find(&store, FIRST).await, find(&store, SECOND).await), (None, Some(bos)));
}

pub async fn reset_token_is_deleted_with_its_job(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    put(&store, &ana, FIRST).await;
    let bos = put(&store, &bo, SECOND).await;
    apply(&store, Mutation::DeleteJobs { queue: MAILS, user_id: ana.id.clone() }).await.unwrap();
    assert_eq!((find(&store, FIRST).await, find(&store, SECOND).await), (None, Some(bos.clone())));
    let delivery = claim_mail(&store).await;
    assert!(settle(&store, &delivery, Outcome::Done { keep: true }).await);
    assert_eq!(find(&store, SECOND).await, Some(bos), "a finished job is kept, and so is the token");
    db.clock.advance(HOUR);
    let prune = Mutation::PruneJobs { queue: MAILS, finished_before: store.now(), limit: 10 };
    assert_eq!(apply(&store, prune).await.unwrap(), 1);
    assert_eq!(find(&store, SECOND).await, None);
}

pub async fn reset_token_is_deleted_with_its_user(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    put(&store, &ana, FIRST).await;
    delete(&store, &ana.id).await.unwrap();
    assert_eq!(find(&store, FIRST).await, None);
}

pub async fn one_of_many_uses_of_a_reset_token_succeeds(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for round in 0..10 {
        put(&store, &ana, FIRST).await;
        let uses = join_all((0..20).map(|task| {
            let user_id = ana.id.clone();
            let expect = Expect::ResetToken { user_id: user_id.clone(), hash: FIRST };
            let hash = PasswordChange::Set(password_hash(&format!("{round}/{task}")));
            let delete = Mutation::DeleteResetToken { user_id };
            store.commit(expecting([expect], [updating(&ana.id, password(hash)), delete]))
        }));
        let outcomes = uses.await;
        let won: Vec<_> = (0..20).filter(|task| outcomes[*task].is_ok()).collect();
        assert_eq!(won.len(), 1, "round {round}");
        outcomes.into_iter().filter(Result::is_err).for_each(|lost| assert_conflict(lost, round));
        assert_eq!(credentials(&store, &ana).await.password, Ok(Some(password_hash(&format!("{round}/{}", won[0])))));
        assert_eq!(find(&store, FIRST).await, None);
    }
}

pub async fn reset_tokens_belong_to_one_namespace(db: Fixture<impl Backend>) {
    let (store, away) = (db.users().await, db.namespace("away").await);
    let ana = insert(&store, "ana").await;
    let token = put(&store, &ana, FIRST).await;
    assert_eq!(find(&away, FIRST).await, None);
    let expect = Expect::ResetToken { user_id: ana.id.clone(), hash: FIRST };
    assert_conflict(away.commit(expecting([expect], [])).await, "another namespace");
    assert_eq!(find(&store, FIRST).await, Some(token));
}
