//! Claiming jobs, and settling them.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::store::{Claim, JobRecord, JobState, Lease, Outcome, QueueName};

const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);

fn payloads_of(claim: &Claim) -> Vec<&str> {
    claim.deliveries.iter().map(|delivery| delivery.job.payload.as_str()).collect()
}

fn ended(reason: &str) -> Outcome {
    Outcome::Ended { reason: reason.to_owned() }
}

pub async fn claim_leases_due_jobs_oldest_first(db: Fixture<impl Backend>) {
    let store = db.users().await;
    assert_eq!(claim(&store, &MAILS).await, Claim::default());
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    for (user, payload) in [(&ana, "one"), (&bo, "two"), (&ana, "three")] {
        enqueue(&store, &user.id, payload).await;
        db.clock.advance(MILLISECOND);
    }
    let claimed = claim(&store, &MAILS).await;
    assert_eq!(payloads_of(&claimed), ["one", "two", "three"], "mails have no ordering key");
    for delivery in &claimed.deliveries {
        assert_eq!((delivery.lease.job_id, &delivery.lease.queue), (delivery.job.id, &MAILS));
        let job = job(&store, delivery.job.id).await.unwrap();
        assert_eq!(job, delivery.job, "the job as it is after the claim");
        assert_eq!((job.state, job.attempts, job.due_at), (JobState::Leased, 1, store.now().after(LEASE)));
    }
    assert_eq!(claim(&store, &MAILS).await.deliveries, []);
}

pub async fn claim_leases_at_most_the_limit(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for n in 0..5 {
        enqueue(&store, &ana.id, &n.to_string()).await;
    }
    let first = store.claim(&MAILS, LEASE, 2).await.unwrap();
    assert_eq!((payloads_of(&first), first.more), (vec!["0", "1"], true));
    let second = store.claim(&MAILS, LEASE, 2).await.unwrap();
    assert_eq!((payloads_of(&second), second.more), (vec!["2", "3"], true));
    let third = store.claim(&MAILS, LEASE, 2).await.unwrap();
    assert_eq!((payloads_of(&third), third.more), (vec!["4"], false));
}

pub async fn claim_finds_a_job_again_when_its_lease_is_over(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    enqueue(&store, &ana.id, "mail").await;
    let first = claim_mail(&store).await;
    db.clock.advance(LEASE - MILLISECOND);
    assert_eq!(claim(&store, &MAILS).await.deliveries, []);
    db.clock.advance(MILLISECOND);
    let second = claim_mail(&store).await;
    assert_eq!((first.job.attempts, second.job.attempts), (1, 2));
    assert_eq!(second.job.due_at, store.now().after(LEASE));
    assert_ne!(first.lease, second.lease);
}

pub async fn claim_reports_when_the_next_job_is_due(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let start = store.now();
    enqueue(&store, &ana.id, "one").await;
    enqueue(&store, &ana.id, "two").await;
    let claimed = claim(&store, &MAILS).await;
    assert_eq!(claimed.next_due, Some(start.after(LEASE)));
    assert!(settle(&store, &claimed.deliveries[0], retry(MINUTE * 10)).await);
    assert_eq!(claim(&store, &MAILS).await.next_due, Some(start.after(LEASE)));
    assert!(settle(&store, &claimed.deliveries[1], dead("no")).await);
    assert_eq!(claim(&store, &MAILS).await, Claim { next_due: Some(start.after(MINUTE * 10)), ..Claim::default() });
    db.clock.advance(MINUTE * 10);
    assert!(settle(&store, &claim_mail(&store).await, DONE).await);
    assert_eq!(claim(&store, &MAILS).await, Claim::default(), "finished jobs are never due");
}

pub async fn one_of_many_claims_gets_a_job(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for n in 0..100 {
        enqueue(&store, &ana.id, &n.to_string()).await;
    }
    let workers = (0..8).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut claimed = Vec::new();
            loop {
                let deliveries = store.claim(&MAILS, LEASE, 3).await.unwrap().deliveries;
                if deliveries.is_empty() {
                    return claimed;
                }
                for delivery in deliveries {
                    assert!(settle(&store, &delivery, DONE).await);
                    claimed.push(delivery.job.id);
                }
            }
        })
    });
    let mut claimed: Vec<_> = join_all(workers).await.into_iter().flat_map(Result::unwrap).collect();
    let total = claimed.len();
    claimed.sort_unstable();
    claimed.dedup();
    assert_eq!((total, claimed.len(), mails(&store).await.len()), (100, 100, 0));
}

pub async fn settle_done_deletes_or_keeps_the_job(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for keep in [true, false] {
        let id = enqueue(&store, &ana.id, "mail").await.id;
        let delivery = claim_mail(&store).await;
        db.clock.advance(MILLISECOND);
        assert!(settle(&store, &delivery, Outcome::Done { keep }).await);
        let kept = job(&store, id).await.map(|job| (job.state, job.finished_at, job.payload, job.attempts));
        assert_eq!(kept, keep.then(|| (JobState::Done, Some(store.now()), "mail".to_owned(), 1)));
        db.clock.advance(LEASE * 2);
        assert_eq!(claim(&store, &MAILS).await, Claim::default());
    }
}

pub async fn settle_retry_makes_the_job_due_later(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let id = enqueue(&store, &ana.id, "mail").await.id;
    let mut refusals = 0;
    for (attempts, refused) in [(1, true), (2, false), (3, true)] {
        let delivery = claim_mail(&store).await;
        assert_eq!((delivery.job.attempts, delivery.job.refusals), (attempts, refusals));
        refusals += u32::from(refused);
        db.clock.advance(MILLISECOND);
        let reason = format!("{attempts}: no");
        let after = MINUTE * attempts;
        assert!(settle(&store, &delivery, Outcome::Retry { after, refused, reason: reason.clone() }).await);
        let JobRecord { state, due_at, refusals: counted, reason: told, finished_at, .. } =
            job(&store, id).await.unwrap();
        assert_eq!((state, due_at, finished_at), (JobState::Queued, store.now().after(after), None));
        assert_eq!((counted, told), (refusals, Some(reason)));
        db.clock.advance(after - MILLISECOND);
        assert_eq!(claim(&store, &MAILS).await.deliveries, []);
        db.clock.advance(MILLISECOND);
    }
}

pub async fn settle_released_does_not_count_the_attempt(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let id = enqueue(&store, &ana.id, "mail").await.id;
    for _ in 0..3 {
        let delivery = claim_mail(&store).await;
        assert_eq!(delivery.job.attempts, 1);
        assert!(settle(&store, &delivery, Outcome::Released).await);
        let job = job(&store, id).await.unwrap();
        assert_eq!((job.state, job.due_at, job.attempts), (JobState::Queued, store.now(), 0));
    }
}

pub async fn settle_dead_and_ended_finish_the_job(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    // A job that ended was not executed: only the dead one was attempted.
    for (outcome, state, reason, attempts) in [
        (dead("550 no such mailbox"), JobState::Dead, "550 no such mailbox", 1),
        (ended("not sent"), JobState::Ended, "not sent", 0),
    ] {
        let id = enqueue(&store, &ana.id, "mail").await.id;
        let delivery = claim_mail(&store).await;
        db.clock.advance(MILLISECOND);
        assert!(settle(&store, &delivery, outcome).await);
        let job = job(&store, id).await.unwrap();
        let expected = (state, Some(store.now()), Some(reason), attempts);
        assert_eq!((job.state, job.finished_at, job.reason.as_deref(), job.attempts), expected);
        db.clock.advance(LEASE * 2);
        assert_eq!(claim(&store, &MAILS).await, Claim::default());
    }
}

pub async fn settle_succeeds_after_the_lease_is_over_without_another_claim(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    enqueue(&store, &ana.id, "mail").await;
    let delivery = claim_mail(&store).await;
    db.clock.advance(LEASE * 2);
    assert!(settle(&store, &delivery, DONE).await);
    assert_eq!(mails(&store).await, []);
}

pub async fn stale_leases_settle_nothing(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let outcomes = || [DONE, Outcome::Done { keep: true }, Outcome::Released, retry(MINUTE), dead("no"), ended("no")];
    enqueue(&store, &ana.id, "mail").await;
    let mut stale = vec![claim_mail(&store).await];
    for outcome in [Outcome::Released, retry(Duration::ZERO)] {
        let delivery = claim_after(&db, &store).await;
        assert!(settle(&store, &delivery, outcome).await);
        stale.push(delivery);
    }
    let valid = claim_after(&db, &store).await;
    let before = mails(&store).await;
    for (index, delivery) in stale.iter().enumerate() {
        for outcome in outcomes() {
            assert!(!settle(&store, delivery, outcome.clone()).await, "claim {index}, {outcome:?}");
        }
    }
    assert_eq!(mails(&store).await, before);
    assert!(settle(&store, &valid, Outcome::Done { keep: true }).await);
    for outcome in outcomes() {
        assert!(!settle(&store, &valid, outcome.clone()).await, "settled: {outcome:?}");
    }
    assert_eq!(mails(&store).await[0].state, JobState::Done);
}

/// Claims the only job once its lease is over.
async fn claim_after(db: &Fixture<impl Backend>, store: &Shared) -> crate::store::Delivery {
    db.clock.advance(LEASE);
    claim_mail(store).await
}

pub async fn leases_are_bound_to_queue_and_job(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    enqueue(&store, &ana.id, "one").await;
    enqueue(&store, &ana.id, "two").await;
    let claimed = claim(&store, &MAILS).await.deliveries;
    let before = mails(&store).await;
    let valid = &claimed[0].lease;
    let forged = [
        Lease { token: [0; 16], ..valid.clone() },
        Lease { token: [0xff; 16], ..valid.clone() },
        Lease { job_id: i64::MAX, ..valid.clone() },
        Lease { job_id: -1, ..valid.clone() },
        Lease { queue: QueueName::Events("hook".into()), ..valid.clone() },
    ];
    for lease in forged {
        assert!(!store.settle(&lease, DONE).await.unwrap(), "{lease:?}");
    }
    assert_eq!(mails(&store).await, before);
    assert!(store.settle(valid, DONE).await.unwrap());
    assert_eq!(mails(&store).await, before[1..]);
}
