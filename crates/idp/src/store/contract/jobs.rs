//! Queueing jobs and reading them.

use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::store::{JobFilter, JobRecord, JobState, Outcome};

pub async fn jobs_keep_their_payload_and_order(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let mut expected = Vec::new();
    for (user, payload) in [(&ana, "to ana"), (&bo, ""), (&ana, "to ana")] {
        let job = enqueue(&store, &user.id, payload).await;
        let due = JobRecord {
            id: job.id,
            user_id: user.id.clone(),
            payload: payload.into(),
            event: None,
            state: JobState::Queued,
            queued_at: store.now(),
            due_at: store.now(),
            finished_at: None,
            attempts: 0,
            refusals: 0,
            reason: None,
        };
        assert_eq!(job, due);
        expected.push(job);
    }
    assert!(expected.is_sorted_by(|one, next| one.id < next.id));
    assert_eq!(mails(&store).await, expected);
    expected.reverse();
    let newest = JobFilter { newest_first: true, ..JobFilter::new(MAILS) };
    assert_eq!(store.jobs(newest.clone()).await.unwrap(), expected);
    assert_eq!(store.jobs(JobFilter { limit: 2, ..newest }).await.unwrap(), expected[..2]);
    assert_eq!(store.jobs(JobFilter { limit: 0, ..JobFilter::new(MAILS) }).await.unwrap(), []);
}

pub async fn jobs_are_filtered_by_id_user_and_state(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let done = enqueue(&store, &ana.id, "done").await.id;
    assert!(settle(&store, &claim_mail(&store).await, Outcome::Done { keep: true }).await);
    let leased = enqueue(&store, &bo.id, "leased").await.id;
    claim_mail(&store).await;
    let queued = enqueue(&store, &ana.id, "queued").await.id;
    let found =
        async |filter: JobFilter| store.jobs(filter).await.unwrap().into_iter().map(|job| job.id).collect::<Vec<_>>();
    let all = || JobFilter::new(MAILS);
    let of = |id: &str| JobFilter { user_id: Some(id.to_owned()), ..all() };
    assert_eq!(found(of(&ana.id)).await, [done, queued]);
    assert_eq!(found(of(&bo.id)).await, [leased]);
    for id in other_ids(&ana.id) {
        assert_eq!(found(of(&id)).await, Vec::<i64>::new(), "{id:?}");
    }
    let states = [
        (JobState::Queued, vec![queued]),
        (JobState::Leased, vec![leased]),
        (JobState::Done, vec![done]),
        (JobState::Dead, vec![]),
        (JobState::Ended, vec![]),
    ];
    for (state, expected) in states {
        assert_eq!(found(JobFilter { state: Some(state), ..all() }).await, expected, "{state:?}");
    }
    for id in [done, leased, queued] {
        assert_eq!(found(JobFilter { id: Some(id), ..all() }).await, [id]);
    }
    for id in [0, -1, i64::MIN, i64::MAX, queued + 1] {
        assert_eq!(found(JobFilter { id: Some(id), ..all() }).await, Vec::<i64>::new(), "{id}");
    }
    let both = JobFilter { id: Some(done), state: Some(JobState::Done), ..of(&ana.id) };
    assert_eq!(found(both.clone()).await, [done]);
    assert_eq!(found(JobFilter { user_id: Some(bo.id.clone()), ..both.clone() }).await, Vec::<i64>::new());
    assert_eq!(found(JobFilter { state: Some(JobState::Queued), ..both }).await, Vec::<i64>::new());
}

pub async fn jobs_belong_to_one_namespace(db: Fixture<impl Backend>) {
    let (store, away) = (db.users().await, db.namespace("away").await);
    let ana = insert(&store, "ana").await;
    let here = enqueue(&store, &ana.id, "here").await;
    assert_conflict(apply(&away, mailing(&ana.id, "lost")).await, "a user of another namespace");
    assert_eq!((mails(&away).await, job(&away, here.id).await), (vec![], None));
    assert_eq!(claim(&away, &MAILS).await.deliveries, []);
    let delivery = claim_mail(&store).await;
    assert!(!settle(&away, &delivery, DONE).await, "a lease of another namespace");
    assert!(settle(&store, &delivery, DONE).await);
}

pub async fn jobs_stay_when_their_user_is_deleted(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let leased = enqueue(&store, &ana.id, "leased").await;
    let delivery = claim_mail(&store).await;
    enqueue(&store, &bo.id, "queued").await;
    for user in [&ana, &bo] {
        delete(&store, &user.id).await.unwrap();
    }
    assert_eq!(mails(&store).await.len(), 2);
    assert!(settle(&store, &delivery, Outcome::Done { keep: true }).await);
    assert_eq!(job(&store, leased.id).await.unwrap().state, JobState::Done);
    assert_eq!(claim_mail(&store).await.job.user_id, bo.id);
}

pub async fn enqueue_conflicts_for_unknown_users(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for id in other_ids(&ana.id) {
        assert_conflict(apply(&store, mailing(&id, "lost")).await, id);
    }
    assert_eq!(mails(&store).await, []);
}

pub async fn job_payloads_keep_unusual_text(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let long = "名".repeat(100_000);
    let texts =
        ["", "nul\0inside", "o'hara \"quoted\"", "名前 🦀", "'); DROP TABLE users; --", "1e5", "{\"a\":1}", &long];
    for text in texts {
        assert_eq!(enqueue(&store, &ana.id, text).await.payload, text);
    }
    assert_eq!(payloads(&store, JobState::Queued).await, texts);
    let claimed: Vec<_> = claim(&store, &MAILS).await.deliveries.into_iter().map(|one| one.job.payload).collect();
    assert_eq!(claimed, texts);
}
