//! Batches: all of it, or nothing.

use std::time::Duration;

use futures::future::join_all;
use pretty_assertions::assert_eq;

use super::steps::*;
use super::{Backend, Fixture};
use crate::model::{EventKind, UserRecord};
use crate::store::{
    Batch, Committed, Counter, CounterKey, JobRecord, Mutation, PasswordChange, StoreError, TokenHash, UserPatch,
};

const WINDOW: Duration = Duration::from_secs(60);

fn key() -> CounterKey {
    CounterKey { scope: "batches", subject: Vec::new() }
}

fn count() -> Mutation {
    Mutation::Count { key: key(), by: 1, window: WINDOW, since: None }
}

/// All that a batch can change.
#[derive(Debug, PartialEq)]
struct State {
    users: Vec<UserRecord>,
    mails: Vec<JobRecord>,
    events: Vec<crate::model::EventRecord>,
    counters: Vec<Counter>,
}

async fn state(store: &Shared) -> State {
    State {
        users: everyone(store).await,
        mails: mails(store).await,
        events: events(store).await,
        counters: store.counters(&[key()]).await.unwrap(),
    }
}

/// A write of every table.
fn everything(user: &UserRecord) -> Batch {
    let mutations = [
        count(),
        updating(&user.id, UserPatch { name: Some("new name".into()), disabled: Some(true), ..UserPatch::default() }),
        putting(&user.id, &factor()),
        mailing(&user.id, "lost"),
        Mutation::CreateUser(self::user("lost")),
    ];
    Batch { events: vec![event(&user.id, EventKind::Updated)], ..batch(mutations) }
}

pub async fn mutations_apply_in_order(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    // Each name is free only after the mutation before.
    let swap = [updating(&ana.id, rename("third")), updating(&bo.id, rename("ana")), updating(&ana.id, rename("bo"))];
    store.commit(batch(swap)).await.unwrap();
    assert_eq!(names(&everyone(&store).await), ["bo", "ana"]);
    store.commit(batch([deleting(&bo.id), Mutation::CreateUser(user("ana"))])).await.unwrap();
    assert_eq!(names(&everyone(&store).await), ["bo", "ana"]);
    let hashes =
        ["one", "two", "three"].map(|text| updating(&ana.id, password(PasswordChange::Set(password_hash(text)))));
    store.commit(batch(hashes)).await.unwrap();
    assert_eq!(credentials(&store, &ana).await.password, Ok(Some(password_hash("three"))));
}

pub async fn commit_returns_created_users_and_affected_rows(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    for payload in ["one", "two"] {
        enqueue(&store, &ana.id, payload).await;
    }
    let removed = Mutation::DeleteFactor { user_id: ana.id.clone(), factor_id: factor().id };
    let mutations = [
        Mutation::CreateUser(user("bo")),
        touching(&ana.id),
        removed,
        Mutation::EndJobs { queue: MAILS, user_id: ana.id.clone(), reason: "ended".into() },
        Mutation::CreateUser(user("cy")),
        count(),
    ];
    let Committed { created, affected, counters } = store.commit(batch(mutations)).await.unwrap();
    assert_eq!(names(&created), ["bo", "cy"]);
    for user in &created {
        assert_eq!(by_id(&store, &user.id).await.as_ref(), Some(user));
    }
    assert_eq!(affected[..5], [1, 1, 0, 2, 1]);
    assert_eq!((affected.len(), counters), (6, vec![Counter { count: 1, since: store.now() }]));
}

pub async fn empty_batch_changes_nothing(db: Fixture<impl Backend>) {
    let store = db.users().await;
    insert(&store, "ana").await;
    let before = state(&store).await;
    assert_eq!(store.commit(Batch::default()).await.unwrap(), Committed::default());
    assert_eq!(state(&store).await, before);
}

pub async fn failed_batch_applies_nothing_when_an_expectation_fails(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    apply(&store, touching(&bo.id)).await.unwrap();
    let before = state(&store).await;
    let stale = Batch { expect: vec![current(&ana), current(&bo)], ..everything(&ana) };
    assert_conflict(store.commit(stale).await, "bo has a new version");
    assert_eq!(state(&store).await, before);
    store.commit(Batch { expect: vec![current(&ana)], ..everything(&ana) }).await.unwrap();
    let after = state(&store).await;
    assert_eq!((after.users.len(), after.mails.len(), after.events.len(), after.counters[0].count), (3, 1, 1, 1));
}

pub async fn failed_batch_applies_nothing_when_a_name_is_taken(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, _bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    let before = state(&store).await;
    for last in [Mutation::CreateUser(user("bo")), updating(&ana.id, rename("bo"))] {
        let mut clash = everything(&ana);
        clash.mutations.push(last.clone());
        assert_name_taken(store.commit(clash).await, last);
        assert_eq!(state(&store).await, before);
    }
}

pub async fn failed_batch_applies_nothing_when_a_user_is_unknown(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let (ana, bo) = (insert(&store, "ana").await, insert(&store, "bo").await);
    delete(&store, &bo.id).await.unwrap();
    let before = state(&store).await;
    for id in [bo.id, "ghost".to_owned()] {
        for last in [touching(&id), deleting(&id), mailing(&id, "lost"), putting(&id, &factor())] {
            let mut stale = everything(&ana);
            stale.mutations.push(last.clone());
            assert_conflict(store.commit(stale).await, last);
            assert_eq!(state(&store).await, before);
        }
    }
}

/// Batches that are sent together share commits. Those that fail may be at any place among them.
pub async fn failed_batches_leave_concurrent_batches_unaffected(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let taken = publish(&store, "taken").await;
    let movers = insert_many(&store, "mover", 50).await;
    let created = join_all((0..200).map(|n| {
        let mut create = batch([count(), Mutation::CreateUser(user(format!("user{n}")))]);
        match n % 4 {
            0 => create = batch([Mutation::CreateUser(user("taken"))]),
            1 => create.mutations.push(Mutation::CreateUser(user("taken"))),
            2 => create.mutations.push(touching("ghost")),
            _ => {}
        }
        store.commit(create)
    }));
    let renamed = join_all(movers.iter().enumerate().map(|(n, mover)| {
        let name = if n % 2 == 0 { "taken".to_owned() } else { format!("moved{n}") };
        let patch = UserPatch { name: Some(name), disabled: Some(true), ..UserPatch::default() };
        let events = vec![event(&mover.id, EventKind::Updated)];
        store.commit(Batch { events, ..expecting([current(mover)], [updating(&mover.id, patch)]) })
    }));
    let (created, renamed) = tokio::join!(created, renamed);
    for (n, outcome) in created.iter().enumerate() {
        match n % 4 {
            0 | 1 => assert!(matches!(outcome, Err(StoreError::NameTaken)), "{n}: {outcome:?}"),
            2 => assert!(matches!(outcome, Err(StoreError::Conflict)), "{n}: {outcome:?}"),
            _ => assert!(outcome.is_ok(), "{n}: {outcome:?}"),
        }
    }
    for (n, outcome) in renamed.iter().enumerate() {
        let name_taken = matches!(outcome, Err(StoreError::NameTaken));
        assert_eq!((name_taken, outcome.is_ok()), (n % 2 == 0, n % 2 == 1), "{n}: {outcome:?}");
    }
    let there = everyone(&store).await;
    let mut expected: Vec<_> = ["taken".to_owned()].into_iter().collect();
    expected.extend((0..50).map(|n| if n % 2 == 0 { format!("mover{n}") } else { format!("moved{n}") }));
    let mut later: Vec<_> = (0..200).filter(|n| n % 4 == 3).map(|n| format!("user{n}")).collect();
    let mut found: Vec<_> = there[51..].iter().map(|user| user.name.clone()).collect();
    later.sort();
    found.sort();
    assert_eq!((names(&there[..51]), found), (expected.iter().map(String::as_str).collect(), later));
    assert_eq!((there.len() as u64, total(&store).await), (101, 101));
    assert_eq!(store.counters(&[key()]).await.unwrap()[0].count, 50);
    let mut published: Vec<_> = events(&store).await.into_iter().map(|event| event.user_id).collect();
    published.sort();
    let mut moved: Vec<_> = movers.into_iter().skip(1).step_by(2).map(|mover| mover.id).collect();
    moved.push(taken.id);
    moved.sort();
    assert_eq!(published, moved);
}

pub async fn mutations_of_unknown_users_conflict(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let ana = insert(&store, "ana").await;
    let job = enqueue(&store, &ana.id, "kept").await;
    let before = state(&store).await;
    for id in other_ids(&ana.id) {
        let user_id = || id.clone();
        let mutations = [
            updating(&id, UserPatch { name: Some("bo".into()), disabled: Some(true), ..UserPatch::default() }),
            updating(&id, rename("ana")),
            deleting(&id),
            touching(&id),
            mailing(&id, "lost"),
            putting(&id, &factor()),
            Mutation::ReplaceHash { user_id: user_id(), hash: password_hash("lost") },
            Mutation::PutResetToken {
                user_id: user_id(),
                hash: TokenHash([7; 32]),
                job_id: job.id,
                expires_at: store.now().after(WINDOW),
            },
            Mutation::DeleteFactor { user_id: user_id(), factor_id: factor().id },
            Mutation::DeleteResetToken { user_id: user_id() },
            Mutation::EndJobs { queue: MAILS, user_id: user_id(), reason: "ended".into() },
            Mutation::RequeueJobs { queue: MAILS, user_id: user_id() },
            Mutation::DeleteJobs { queue: MAILS, user_id: user_id() },
        ];
        for mutation in mutations {
            assert_conflict(apply(&store, mutation.clone()).await, mutation);
        }
    }
    assert_eq!(state(&store).await, before);
    assert_eq!(store.reset_token(TokenHash([7; 32])).await.unwrap(), None);
}

pub async fn rows_can_be_deleted_after_their_user_in_the_same_batch(db: Fixture<impl Backend>) {
    let store = db.users().await;
    let delete_with = async |name: &str, rest: fn(String) -> Mutation| {
        let user = insert(&store, name).await;
        enqueue(&store, &user.id, "mail").await;
        store.commit(batch([deleting(&user.id), rest(user.id.clone())])).await.map(|committed| committed.affected)
    };
    let jobs = |user_id| Mutation::DeleteJobs { queue: MAILS, user_id };
    assert_eq!(delete_with("ana", jobs).await.unwrap(), [1, 1]);
    let jobs = |user_id| Mutation::EndJobs { queue: MAILS, user_id, reason: "deleted".into() };
    assert_eq!(delete_with("bo", jobs).await.unwrap(), [1, 1]);
    let token = |user_id| Mutation::DeleteResetToken { user_id };
    assert_eq!(delete_with("cy", token).await.unwrap(), [1, 0], "the token is deleted with the user");
    assert_eq!(total(&store).await, 0);
    // New rows of a deleted user are refused.
    for rest in [|id: String| mailing(&id, "lost"), |id: String| putting(&id, &factor()), |id: String| touching(&id)] {
        assert_conflict(delete_with("di", rest).await, "di");
        let di = by_name(&store, "di").await.unwrap();
        delete(&store, &di.id).await.unwrap();
    }
}
