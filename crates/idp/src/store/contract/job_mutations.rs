//! Mutations of jobs that are queued already.

use std::time::Duration;

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{Timestamp, UserRecord};
use crate::store::{Claim, JobKey, JobState, Mutation, Outcome};

const MINUTE: Duration = Duration::from_secs(60);

/// Queues a mail and brings it into the state.
async fn job_in(store: &Shared, user: &UserRecord, state: JobState) -> i64 {
    let id = enqueue(store, &user.id, &format!("{state:?}")).await.id;
    let outcome = match state {
        JobState::Queued => return id,
        JobState::Leased => None,
        JobState::Done => Some(Outcome::Done { keep: true }),
        JobState::Dead => Some(dead("550 no")),
        JobState::Ended => Some(Outcome::Ended { reason: "ended before".into() }),
    };
    let delivery = claim_mail(store).await;
    if let Some(outcome) = outcome {
        assert!(settle(store, &delivery, outcome).await);
    }
    id
}

/// A mail of each user in each state, the queued ones last: a claim would take them.
async fn jobs_in_all_states(store: &Shared, users: [&UserRecord; 2]) {
    let states = [JobState::Leased, JobState::Done, JobState::Dead, JobState::Ended, JobState::Queued];
    for state in states {
        for user in users {
            job_in(store, user, state).await;
        }
    }
}

async fn states(store: &Shared, user: &UserRecord) -> Vec<(String, JobState)> {
    let jobs = mails(store).await.into_iter().filter(|job| job.user_id == user.id);
    jobs.map(|job| (job.payload, job.state)).collect()
}

fn expected(states: &[(&str, JobState)]) -> Vec<(String, JobState)> {
    states.iter().map(|(payload, state)| ((*payload).to_owned(), *state)).collect()
}

pub async fn end_jobs_ends_unfinished_jobs_of_the_user(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let leased = {
        job_in(&store, &ana, JobState::Queued).await;
        claim_mail(&store).await
    };
    jobs_in_all_states(&store, [&ana, &bo]).await;
    let bos = states(&store, &bo).await;
    let end = || Mutation::EndJobs { queue: MAILS, user_id: ana.id.clone(), reason: "not sent: disabled".into() };
    db.clock.advance(Duration::from_millis(1));
    assert_eq!(apply(&store, end()).await.unwrap(), 3);
    use JobState::{Dead, Done, Ended};
    let after =
        [("Queued", Ended), ("Leased", Ended), ("Done", Done), ("Dead", Dead), ("Ended", Ended), ("Queued", Ended)];
    assert_eq!(states(&store, &ana).await, expected(&after));
    assert_eq!(states(&store, &bo).await, bos);
    let told: Vec<_> = mails(&store).await.into_iter().filter(|job| job.finished_at == Some(store.now())).collect();
    assert!(told.iter().all(|job| job.reason.as_deref() == Some("not sent: disabled")), "{told:#?}");
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(!settle(&store, &leased, Outcome::Done { keep: true }).await, "its lease is no longer valid");
    assert_eq!(apply(&store, end()).await.unwrap(), 0);
}

pub async fn requeue_jobs_makes_leased_jobs_due(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let waiting = enqueue(&store, &ana.id, "waiting").await.id;
    assert!(settle(&store, &claim_mail(&store).await, retry(MINUTE * 10)).await);
    let leased = enqueue(&store, &ana.id, "leased").await.id;
    let stale = claim_mail(&store).await;
    enqueue(&store, &bo.id, "bo's").await;
    let bos = claim_mail(&store).await;
    db.clock.advance(Duration::from_millis(1));
    let requeue = || Mutation::RequeueJobs { queue: MAILS, user_id: ana.id.clone() };
    assert_eq!(apply(&store, requeue()).await.unwrap(), 1);
    let now = job(&store, leased).await.unwrap();
    assert_eq!((now.state, now.due_at), (JobState::Queued, store.now()));
    assert_eq!(job(&store, waiting).await.unwrap().due_at, store.now().after(MINUTE * 10 - Duration::from_millis(1)));
    assert!(!settle(&store, &stale, DONE).await, "its lease is no longer valid");
    assert_eq!(apply(&store, requeue()).await.unwrap(), 0, "none is leased");
    assert_eq!(claim_mail(&store).await.job.id, leased);
    assert!(settle(&store, &bos, DONE).await, "leases of other users stay");
}

pub async fn delete_jobs_deletes_finished_jobs_too(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    jobs_in_all_states(&store, [&ana, &bo]).await;
    let bos = states(&store, &bo).await;
    assert_eq!(apply(&store, Mutation::DeleteJobs { queue: MAILS, user_id: ana.id.clone() }).await.unwrap(), 5);
    assert_eq!((states(&store, &ana).await, states(&store, &bo).await), (vec![], bos));
    let both = [Mutation::DeleteJobs { queue: MAILS, user_id: bo.id.clone() }, deleting(&bo.id)];
    assert_eq!(store.commit(batch(both)).await.unwrap().affected, [5, 1]);
    assert_eq!(mails(&store).await, []);
}

pub async fn retry_dead_queues_dead_jobs_again(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let first = job_in(&store, &ana, JobState::Dead).await;
    let second = job_in(&store, &ana, JobState::Dead).await;
    let done = job_in(&store, &ana, JobState::Done).await;
    db.clock.advance(Duration::from_millis(1));
    let retry_dead = |job| Mutation::RetryDead { queue: MAILS, job };
    for other in [done, second + 1000, -1] {
        assert_eq!(apply(&store, retry_dead(Some(JobKey::Id(other)))).await.unwrap(), 0, "{other}");
    }
    assert_eq!(apply(&store, retry_dead(Some(JobKey::Id(second)))).await.unwrap(), 1);
    assert_eq!(apply(&store, retry_dead(Some(JobKey::Id(second)))).await.unwrap(), 0, "it is queued");
    let queued = job(&store, second).await.unwrap();
    assert_eq!((queued.state, queued.attempts, queued.refusals), (JobState::Queued, 0, 0));
    assert_eq!((queued.due_at, queued.finished_at), (store.now(), None));
    assert_eq!(job(&store, first).await.unwrap().state, JobState::Dead);
    let again = claim_mail(&store).await;
    assert_eq!((again.job.id, again.job.attempts), (second, 1));
    assert!(settle(&store, &again, dead("550 still no")).await);
    assert_eq!(apply(&store, retry_dead(None)).await.unwrap(), 2, "all dead jobs");
    assert_eq!(claim(&store, &MAILS).await.deliveries.len(), 2);
    assert_eq!(job(&store, done).await.unwrap().state, JobState::Done);
}

pub async fn discard_dead_deletes_dead_jobs(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    jobs_in_all_states(&store, [&ana, &bo]).await;
    let bos = mails(&store).await.into_iter().find(|job| job.user_id == bo.id && job.state == JobState::Dead).unwrap();
    let discard = |job| Mutation::DiscardDead { queue: MAILS, job };
    assert_eq!(apply(&store, discard(Some(JobKey::Id(bos.id)))).await.unwrap(), 1);
    assert_eq!(apply(&store, discard(Some(JobKey::Id(bos.id)))).await.unwrap(), 0);
    assert_eq!(payloads(&store, JobState::Dead).await, ["Dead"], "ana's");
    assert_eq!(apply(&store, discard(None)).await.unwrap(), 1);
    assert_eq!(mails(&store).await.len(), 8, "jobs that are not dead stay");
}

pub async fn prune_jobs_deletes_jobs_that_finished_before(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    // An hour apart, so that they finish at different times.
    for state in [JobState::Done, JobState::Ended, JobState::Dead, JobState::Done] {
        job_in(&store, &ana, state).await;
        db.clock.advance(MINUTE * 60);
    }
    job_in(&store, &ana, JobState::Leased).await;
    job_in(&store, &ana, JobState::Queued).await;
    let start = mails(&store).await[0].finished_at.unwrap();
    let prune = async |finished_before: Timestamp| {
        apply(&store, Mutation::PruneJobs { queue: MAILS, finished_before, limit: 100 }).await.unwrap()
    };
    assert_eq!(prune(start).await, 0);
    assert_eq!(prune(start.after(Duration::from_millis(1))).await, 1);
    assert_eq!(prune(start.after(MINUTE * 61)).await, 1);
    assert_eq!(prune(start.after(MINUTE * 100_000)).await, 2);
    use JobState::{Leased, Queued};
    assert_eq!(states(&store, &ana).await, expected(&[("Leased", Leased), ("Queued", Queued)]), "unfinished ones stay");
}

pub async fn prune_jobs_deletes_at_most_the_limit(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for _ in 0..5 {
        job_in(&store, &ana, JobState::Done).await;
    }
    let finished_before = store.now().after(MINUTE);
    for (pruned, left) in [(2, 3), (2, 1), (1, 0), (0, 0)] {
        let prune = Mutation::PruneJobs { queue: MAILS, finished_before, limit: 2 };
        assert_eq!((apply(&store, prune).await.unwrap(), mails(&store).await.len()), (pruned, left));
    }
}

pub async fn job_ids_are_not_reused(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let mut newest = 0;
    for _ in 0..3 {
        let job = enqueue(&store, &ana.id, "mail").await;
        assert!(job.id > newest, "{} after {newest}", job.id);
        newest = job.id;
        assert!(settle(&store, &claim_mail(&store).await, DONE).await);
        assert_eq!(claim(&store, &MAILS).await, Claim::default());
    }
}
