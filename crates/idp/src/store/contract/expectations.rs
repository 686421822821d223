//! Expectations: each holds for what was read, and conflicts once it has changed.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{PasswordHash, Timestamp, Version};
use crate::store::{
    Expect, Factor, JobFilter, Lease, Mutation, Outcome, PasswordChange, QueueName, StoreError, TokenHash,
};

/// Whether the expectation holds. Checks that a batch applies exactly if it does.
async fn holds(store: &Shared, expect: Expect) -> bool {
    let before = total(store).await;
    let name = format!("marker{before}");
    let outcome = store.commit(expecting([expect.clone()], [Mutation::CreateUser(user(name))])).await;
    let held = match outcome {
        Ok(_) => true,
        Err(StoreError::Conflict) => false,
        Err(error) => panic!("{expect:?}: {error}"),
    };
    assert_eq!(total(store).await, before + u64::from(held), "{expect:?}");
    // Without mutations it is checked, too.
    assert_eq!(store.commit(expecting([expect.clone()], [])).await.is_ok(), held, "{expect:?}");
    held
}

pub async fn user_expectation_holds_for_the_current_version_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    assert!(holds(&store, current(&ana)).await);
    apply(&store, touching(&bo.id)).await.unwrap();
    assert!(holds(&store, current(&ana)).await, "another user changed");
    apply(&store, touching(&ana.id)).await.unwrap();
    assert!(!holds(&store, current(&ana)).await);
    let now = reread(&store, &ana).await;
    assert!(holds(&store, current(&now)).await);
    for version in [0, now.version.0 + 1, u64::MAX].map(Version) {
        assert!(!holds(&store, Expect::User { id: ana.id.clone(), version }).await, "{version:?}");
    }
    // With the mutations that stores may fold into one statement with it.
    for mutation in [updating(&ana.id, disabled(true)), touching(&ana.id), deleting(&ana.id)] {
        assert_conflict(store.commit(expecting([current(&ana)], [mutation.clone()])).await, mutation);
        assert_eq!(by_id(&store, &ana.id).await, Some(now.clone()));
    }
    store.commit(expecting([current(&now)], [updating(&ana.id, disabled(true))])).await.unwrap();
    assert_conflict(store.commit(expecting([current(&now)], [touching(&ana.id)])).await, "updated");
    let now = reread(&store, &ana).await;
    store.commit(expecting([current(&now)], [touching(&ana.id)])).await.unwrap();
    assert_conflict(store.commit(expecting([current(&now)], [deleting(&ana.id)])).await, "touched");
    let now = reread(&store, &ana).await;
    store.commit(expecting([current(&now)], [deleting(&ana.id)])).await.unwrap();
    assert!(!holds(&store, current(&now)).await, "deleted");
}

/// A store may check the version in the statement of a mutation. It must check it for every mutation.
pub async fn user_expectation_is_checked_with_each_kind_of_mutation(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    apply(&store, touching(&ana.id)).await.unwrap();
    let user_id = || ana.id.clone();
    let queue = || MAILS;
    let mutations = [
        vec![Mutation::CreateUser(user("cy"))],
        vec![Mutation::ReplaceHash { user_id: user_id(), hash: password_hash("lost") }],
        vec![putting(&ana.id, &factor())],
        vec![Mutation::DeleteFactor { user_id: user_id(), factor_id: factor().id }],
        vec![mailing(&ana.id, "lost")],
        vec![Mutation::EndJobs { queue: queue(), user_id: user_id(), reason: "lost".into() }],
        vec![Mutation::DeleteResetToken { user_id: user_id() }],
        vec![touching(&bo.id)],
        vec![touching(&bo.id), touching(&ana.id)],
        vec![mailing(&ana.id, "lost"), updating(&ana.id, disabled(true))],
        vec![mailing(&ana.id, "lost"), deleting(&ana.id)],
    ];
    for mutations in mutations {
        assert_conflict(store.commit(expecting([current(&ana)], mutations.clone())).await, mutations);
    }
    let now = reread(&store, &ana).await;
    for expect in [[current(&now), current(&ana)], [current(&ana), current(&now)]] {
        assert_conflict(store.commit(expecting(expect, [touching(&ana.id)])).await, "two versions");
    }
    assert_eq!((everyone(&store).await, mails(&store).await), (vec![now, bo], vec![]));
}

pub async fn user_expectation_conflicts_for_unknown_users(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for id in other_ids(&ana.id) {
        assert!(!holds(&store, Expect::User { id, version: ana.version }).await);
    }
    assert!(!holds(&db.namespace("away").await, current(&ana)).await, "of another namespace");
}

pub async fn password_expectation_holds_for_the_current_hash_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let [first, second] = ["first", "second"].map(password_hash);
    let of = |id: &str, hash: &PasswordHash| Expect::Password { user_id: id.to_owned(), hash: hash.clone() };
    assert!(!holds(&store, of(&ana.id, &first)).await, "no password");
    update(&store, &ana.id, password(PasswordChange::Set(first.clone()))).await.unwrap();
    assert!(holds(&store, of(&ana.id, &first)).await);
    assert!(!holds(&store, of(&ana.id, &second)).await);
    assert!(!holds(&store, of(&bo.id, &first)).await);
    for id in other_ids(&ana.id) {
        assert!(!holds(&store, of(&id, &first)).await, "{id:?}");
    }
    update(&store, &ana.id, disabled(true)).await.unwrap();
    assert!(holds(&store, of(&ana.id, &first)).await, "another version with the same password");
    apply(&store, Mutation::ReplaceHash { user_id: ana.id.clone(), hash: second.clone() }).await.unwrap();
    assert!(!holds(&store, of(&ana.id, &first)).await);
    update(&store, &ana.id, password(PasswordChange::Clear)).await.unwrap();
    assert!(!holds(&store, of(&ana.id, &second)).await);
}

pub async fn factor_expectation_holds_for_exact_values_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let of = |id: &str, factor: &Factor| Expect::Factor { user_id: id.to_owned(), factor: factor.clone() };
    let unconfirmed = Factor { expires_at: Some(store.now()), last_step: None, ..factor() };
    assert!(!holds(&store, of(&ana.id, &unconfirmed)).await, "no factor");
    let confirmed = Factor { expires_at: None, last_step: Some(7), ..unconfirmed.clone() };
    for (stored, other) in [(&unconfirmed, &confirmed), (&confirmed, &unconfirmed)] {
        apply(&store, putting(&ana.id, stored)).await.unwrap();
        assert!(holds(&store, of(&ana.id, stored)).await, "{stored:?}");
        let different = [
            other.clone(),
            Factor { id: factor().id, ..stored.clone() },
            Factor { secret: b"other".to_vec(), ..stored.clone() },
            Factor { secret: Vec::new(), ..stored.clone() },
            Factor { expires_at: Some(Timestamp::from_unix_millis(1)), ..stored.clone() },
            Factor { last_step: Some(8), ..stored.clone() },
        ];
        for different in different {
            assert!(!holds(&store, of(&ana.id, &different)).await, "{different:?}");
        }
        assert!(!holds(&store, of(&bo.id, stored)).await, "of another user");
    }
    apply(&store, touching(&ana.id)).await.unwrap();
    assert!(holds(&store, of(&ana.id, &confirmed)).await, "another version with the same factor");
    let gone = Mutation::DeleteFactor { user_id: ana.id.clone(), factor_id: confirmed.id.clone() };
    apply(&store, gone).await.unwrap();
    assert!(!holds(&store, of(&ana.id, &confirmed)).await);
}

pub async fn reset_token_expectation_holds_for_the_current_token_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let job = enqueue(&store, &ana.id, "mail").await;
    let [first, second] = [TokenHash([1; 32]), TokenHash([2; 32])];
    let of = |id: &str, hash| Expect::ResetToken { user_id: id.to_owned(), hash };
    let put = async |hash| {
        let expires_at = store.now().after(Duration::from_secs(60));
        let put = Mutation::PutResetToken { user_id: ana.id.clone(), hash, job_id: job.id, expires_at };
        apply(&store, put).await.unwrap();
    };
    assert!(!holds(&store, of(&ana.id, first)).await, "no token");
    put(first).await;
    assert!(holds(&store, of(&ana.id, first)).await);
    assert!(!holds(&store, of(&ana.id, second)).await);
    assert!(!holds(&store, of(&bo.id, first)).await, "of another user");
    put(second).await;
    assert!(!holds(&store, of(&ana.id, first)).await, "replaced");
    db.clock.advance(Duration::from_secs(3600));
    assert!(holds(&store, of(&ana.id, second)).await, "the caller checks whether it has expired");
    apply(&store, Mutation::DeleteResetToken { user_id: ana.id.clone() }).await.unwrap();
    assert!(!holds(&store, of(&ana.id, second)).await, "deleted");
}

pub async fn lease_expectation_holds_while_the_lease_is_valid(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    enqueue(&store, &ana.id, "mail").await;
    let first = claim_mail(&store).await;
    let of = |lease: &Lease| Expect::Lease(lease.clone());
    assert!(holds(&store, of(&first.lease)).await);
    assert!(!holds(&store, Expect::Lease(Lease { token: [0; 16], ..first.lease.clone() })).await);
    assert!(!holds(&store, Expect::Lease(Lease { job_id: first.lease.job_id + 1, ..first.lease.clone() })).await);
    db.clock.advance(LEASE);
    assert!(holds(&store, of(&first.lease)).await, "nobody else claimed the job");
    let second = claim_mail(&store).await;
    assert!(!holds(&store, of(&first.lease)).await, "claimed again");
    assert!(holds(&store, of(&second.lease)).await);
    assert!(settle(&store, &second, Outcome::Done { keep: true }).await);
    assert!(!holds(&store, of(&second.lease)).await, "settled");

    enqueue(&store, &ana.id, "another").await;
    let ended = claim_mail(&store).await;
    let (queue, user_id) = (MAILS, ana.id.clone());
    apply(&store, Mutation::EndJobs { queue, user_id, reason: "ended".into() }).await.unwrap();
    assert!(!holds(&store, of(&ended.lease)).await, "ended");
}

pub async fn newest_job_expectation_holds_for_the_newest_job_only(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let of = |user_id: &str, id| Expect::NewestJob { queue: MAILS, user_id: user_id.to_owned(), id };
    assert!(holds(&store, of(&ana.id, None)).await);
    assert!(!holds(&store, of(&ana.id, Some(1))).await);
    let first = enqueue(&store, &ana.id, "first").await.id;
    assert!(!holds(&store, of(&ana.id, None)).await);
    assert!(holds(&store, of(&ana.id, Some(first))).await);
    assert!(holds(&store, of(&bo.id, None)).await);
    assert!(!holds(&store, of(&bo.id, Some(first))).await, "of another user");
    let other = Expect::NewestJob { queue: QueueName::Events("hook".into()), user_id: ana.id.clone(), id: None };
    assert!(holds(&store, other).await, "of another queue");
    let second = enqueue(&store, &ana.id, "second").await.id;
    assert!(!holds(&store, of(&ana.id, Some(first))).await);
    assert!(holds(&store, of(&ana.id, Some(second))).await);
    for delivery in claim(&store, &MAILS).await.deliveries {
        assert!(holds(&store, of(&ana.id, Some(second))).await, "leased");
        assert!(settle(&store, &delivery, Outcome::Done { keep: true }).await);
    }
    assert!(holds(&store, of(&ana.id, Some(second))).await, "finished");
    apply(&store, Mutation::DeleteJobs { queue: MAILS, user_id: ana.id.clone() }).await.unwrap();
    assert!(holds(&store, of(&ana.id, None)).await, "deleted");
}

/// A rate limit: tasks read how many jobs there are, decide, and queue another one if none was queued meanwhile.
pub async fn newest_job_expectation_gives_an_exact_limit(db: Fixture<impl Backend>) {
    const LIMIT: usize = 3;
    let store = db.users().await;
    for user in insert_many(&store, "user", 5).await {
        let tasks = (0..20).map(|_| {
            let (store, user_id) = (Arc::clone(&store), user.id.clone());
            tokio::spawn(async move {
                loop {
                    let filter =
                        JobFilter { user_id: Some(user_id.clone()), newest_first: true, ..JobFilter::new(MAILS) };
                    let jobs = store.jobs(filter).await.unwrap();
                    if jobs.len() >= LIMIT {
                        return false;
                    }
                    let id = jobs.first().map(|job| job.id);
                    let newest = Expect::NewestJob { queue: MAILS, user_id: user_id.clone(), id };
                    match store.commit(expecting([newest], [mailing(&user_id, "mail")])).await {
                        Ok(_) => return true,
                        Err(StoreError::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        });
        let queued = join_all(tasks).await.into_iter().filter(|queued| *queued.as_ref().unwrap()).count();
        let filter = JobFilter { user_id: Some(user.id), ..JobFilter::new(MAILS) };
        assert_eq!((queued, store.jobs(filter).await.unwrap().len()), (LIMIT, LIMIT));
    }
}

pub async fn all_expectations_of_a_batch_must_hold(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let hash = password_hash("secret");
    update(&store, &bo.id, password(PasswordChange::Set(hash.clone()))).await.unwrap();
    let bo = reread(&store, &bo).await;
    let fine = [
        current(&ana),
        current(&bo),
        Expect::Password { user_id: bo.id.clone(), hash },
        Expect::NewestJob { queue: MAILS, user_id: ana.id.clone(), id: None },
    ];
    let broken = Expect::NewestJob { queue: MAILS, user_id: ana.id.clone(), id: Some(1) };
    for place in 0..fine.len() {
        let mut expect = fine.to_vec();
        expect[place] = broken.clone();
        assert_conflict(store.commit(expecting(expect, [touching(&ana.id)])).await, place);
    }
    assert_eq!(reread(&store, &ana).await, ana);
    store.commit(expecting(fine, [touching(&ana.id)])).await.unwrap();
}

pub async fn expectations_see_the_state_before_the_batch(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let writes = [updating(&ana.id, disabled(true)), touching(&ana.id), mailing(&ana.id, "mail"), deleting(&ana.id)];
    let none = Expect::NewestJob { queue: MAILS, user_id: ana.id.clone(), id: None };
    store.commit(expecting([current(&ana), none], writes)).await.unwrap();
    assert_eq!(by_id(&store, &ana.id).await, None);
}
