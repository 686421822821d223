//! Common steps of the behaviours: short forms of batches and reads.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::model::{EventKind, EventRecord, PasswordHash, Predicate, UserKey, UserQuery, UserRecord};
use crate::store::{
    Batch, Claim, Committed, Credentials, Delivery, EventQuery, Expect, Factor, ImportObserver, Imported, JobFilter,
    JobRecord, JobState, Mutation, NewEvent, NewJob, NewUser, Outcome, Page, PageRequest, PasswordChange, QueueName,
    Store, StoreError, UserPatch, UserRef,
};

/// A store as tasks share it.
pub(super) type Shared = Arc<dyn Store>;

/// The duration of most leases.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// The queue of most jobs.
pub(super) const MAILS: QueueName = QueueName::ResetMails;

/// A user with only a name.
pub(super) fn user(name: impl Into<String>) -> NewUser {
    NewUser { name: name.into(), ..NewUser::default() }
}

pub(super) fn rename(name: &str) -> UserPatch {
    UserPatch { name: Some(name.to_owned()), ..UserPatch::default() }
}

pub(super) fn disabled(disabled: bool) -> UserPatch {
    UserPatch { disabled: Some(disabled), ..UserPatch::default() }
}

pub(super) fn password(password: PasswordChange) -> UserPatch {
    UserPatch { password, ..UserPatch::default() }
}

/// A hash of the right form and of no password. Different texts give different hashes.
pub(super) fn password_hash(text: &str) -> PasswordHash {
    let salt: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let salt = format!("{salt:0<21}");
    let hash = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    PasswordHash::from_phc(format!("$argon2id$v=19$m=19456,t=2,p=1${}A${hash}", &salt[..21])).unwrap()
}

pub(super) fn batch(mutations: impl IntoIterator<Item = Mutation>) -> Batch {
    Batch { mutations: mutations.into_iter().collect(), ..Batch::default() }
}

pub(super) fn expecting(
    expect: impl IntoIterator<Item = Expect>,
    mutations: impl IntoIterator<Item = Mutation>,
) -> Batch {
    Batch { expect: expect.into_iter().collect(), ..batch(mutations) }
}

pub(super) fn current(user: &UserRecord) -> Expect {
    Expect::User { id: user.id.clone(), version: user.version }
}

pub(super) fn updating(id: &str, patch: UserPatch) -> Mutation {
    Mutation::UpdateUser { id: id.to_owned(), patch }
}

pub(super) fn touching(id: &str) -> Mutation {
    Mutation::TouchUser { id: id.to_owned() }
}

pub(super) fn deleting(id: &str) -> Mutation {
    Mutation::DeleteUser { id: id.to_owned() }
}

pub(super) fn putting(user_id: &str, factor: &Factor) -> Mutation {
    Mutation::PutFactor { user_id: user_id.to_owned(), factor: factor.clone() }
}

pub(super) fn mailing(user_id: &str, payload: &str) -> Mutation {
    Mutation::Enqueue(NewJob { queue: MAILS, user_id: user_id.to_owned(), payload: payload.to_owned() })
}

pub(super) fn event(user_id: &str, kind: EventKind) -> NewEvent {
    NewEvent { user: UserRef::Id(user_id.to_owned()), kind }
}

/// Commits one mutation. Returns the number of rows that it changed.
pub(super) async fn apply(store: &Shared, mutation: Mutation) -> Result<u64, StoreError> {
    let Committed { affected, .. } = store.commit(batch([mutation])).await?;
    assert_eq!(affected.len(), 1);
    Ok(affected[0])
}

pub(super) async fn create(store: &Shared, user: NewUser) -> Result<UserRecord, StoreError> {
    let Committed { mut created, .. } = store.commit(batch([Mutation::CreateUser(user)])).await?;
    assert_eq!(created.len(), 1);
    Ok(created.swap_remove(0))
}

pub(super) async fn insert(store: &Shared, name: impl Into<String>) -> UserRecord {
    create(store, user(name)).await.unwrap()
}

/// Inserts `{prefix}0`, `{prefix}1` and so on, one after the other.
pub(super) async fn insert_many(store: &Shared, prefix: &str, count: usize) -> Vec<UserRecord> {
    let mut users = Vec::new();
    for index in 0..count {
        users.push(insert(store, format!("{prefix}{index}")).await);
    }
    users
}

/// Inserts a user and appends a `created` event.
pub(super) async fn publish(store: &Shared, name: &str) -> UserRecord {
    let events = vec![NewEvent { user: UserRef::Created, kind: EventKind::Created }];
    let batch = Batch { events, ..batch([Mutation::CreateUser(user(name))]) };
    store.commit(batch).await.unwrap().created.swap_remove(0)
}

/// Appends an `updated` event, with a new version.
pub(super) async fn publish_update(store: &Shared, user: &UserRecord) {
    let batch = Batch { events: vec![event(&user.id, EventKind::Updated)], ..batch([touching(&user.id)]) };
    store.commit(batch).await.unwrap();
}

pub(super) async fn update(store: &Shared, id: &str, patch: UserPatch) -> Result<u64, StoreError> {
    apply(store, updating(id, patch)).await
}

pub(super) async fn delete(store: &Shared, id: &str) -> Result<u64, StoreError> {
    apply(store, deleting(id)).await
}

pub(super) async fn by_id(store: &Shared, id: &str) -> Option<UserRecord> {
    store.get(UserKey::Id(id)).await.unwrap()
}

pub(super) async fn by_name(store: &Shared, name: &str) -> Option<UserRecord> {
    store.get(UserKey::Name(name)).await.unwrap()
}

/// The user as it is now.
pub(super) async fn reread(store: &Shared, user: &UserRecord) -> UserRecord {
    by_id(store, &user.id).await.expect("the user exists")
}

pub(super) async fn credentials(store: &Shared, user: &UserRecord) -> Credentials {
    store.credentials(UserKey::Id(&user.id)).await.unwrap().expect("the user exists")
}

/// A confirmed factor with a new id.
pub(super) fn factor() -> Factor {
    Factor { id: Uuid::now_v7().to_string(), secret: b"sealed".to_vec(), expires_at: None, last_step: Some(0) }
}

/// Adds a confirmed factor.
pub(super) async fn add_factor(store: &Shared, user_id: &str) -> Factor {
    let factor = factor();
    assert_eq!(apply(store, putting(user_id, &factor)).await.unwrap(), 1);
    factor
}

/// Queues a mail.
pub(super) async fn enqueue(store: &Shared, user_id: &str, payload: &str) -> JobRecord {
    apply(store, mailing(user_id, payload)).await.unwrap();
    newest_job(store, user_id).await.expect("the job was queued")
}

/// The newest mail of the user.
pub(super) async fn newest_job(store: &Shared, user_id: &str) -> Option<JobRecord> {
    let filter = JobFilter { user_id: Some(user_id.to_owned()), newest_first: true, limit: 1, ..JobFilter::new(MAILS) };
    store.jobs(filter).await.unwrap().pop()
}

/// The mail with this id.
pub(super) async fn job(store: &Shared, id: i64) -> Option<JobRecord> {
    store.jobs(JobFilter { id: Some(id), ..JobFilter::new(MAILS) }).await.unwrap().pop()
}

/// All mails, oldest first.
pub(super) async fn mails(store: &Shared) -> Vec<JobRecord> {
    store.jobs(JobFilter::new(MAILS)).await.unwrap()
}

/// The payloads of the mails in this state, oldest first.
pub(super) async fn payloads(store: &Shared, state: JobState) -> Vec<String> {
    let filter = JobFilter { state: Some(state), ..JobFilter::new(MAILS) };
    store.jobs(filter).await.unwrap().into_iter().map(|job| job.payload).collect()
}

pub(super) async fn claim(store: &Shared, queue: &QueueName) -> Claim {
    store.claim(queue, LEASE, 100).await.unwrap()
}

/// Claims the only mail that is due.
pub(super) async fn claim_mail(store: &Shared) -> Delivery {
    let mut deliveries = claim(store, &MAILS).await.deliveries;
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.swap_remove(0)
}

pub(super) async fn settle(store: &Shared, delivery: &Delivery, outcome: Outcome) -> bool {
    store.settle(&delivery.lease, outcome).await.unwrap()
}

/// Success, of which no record is kept.
pub(super) const DONE: Outcome = Outcome::Done { keep: false };

pub(super) fn dead(reason: &str) -> Outcome {
    Outcome::Dead { reason: reason.to_owned() }
}

pub(super) fn retry(after: Duration) -> Outcome {
    Outcome::Retry { after, refused: true, reason: "no".to_owned() }
}

/// All events, oldest first.
pub(super) async fn events(store: &Shared) -> Vec<EventRecord> {
    store.events(EventQuery::After { id: None, limit: 10_000 }).await.unwrap()
}

pub(super) async fn kinds(store: &Shared) -> Vec<EventKind> {
    events(store).await.into_iter().map(|event| event.kind).collect()
}

pub(super) async fn page(store: &Shared, query: &UserQuery, after: Option<&str>, limit: u32) -> Page {
    page_of(store, query.clone().into_predicate(), after, limit).await
}

pub(super) async fn page_of(store: &Shared, filter: Predicate, after: Option<&str>, limit: u32) -> Page {
    store.list(PageRequest { filter, after: after.map(ToOwned::to_owned), limit }).await.unwrap()
}

/// All pages, read to the end.
pub(super) async fn walk(store: &Shared, query: &UserQuery, limit: u32) -> Vec<Page> {
    let mut pages = vec![page(store, query, None, limit).await];
    while let Some(Page { users, more: true, .. }) = pages.last() {
        let cursor = users.last().expect("a page before the last one has users").id.clone();
        pages.push(page(store, query, Some(&cursor), limit).await);
    }
    pages
}

/// All users, in the order of the listing.
pub(super) async fn everyone(store: &Shared) -> Vec<UserRecord> {
    walk(store, &UserQuery::default(), 1000).await.into_iter().flat_map(|page| page.users).collect()
}

pub(super) async fn total(store: &Shared) -> u64 {
    page(store, &UserQuery::default(), None, 1).await.total
}

pub(super) fn names(users: &[UserRecord]) -> Vec<&str> {
    users.iter().map(|user| user.name.as_str()).collect()
}

/// Texts other than the id `id`, for any format of ids: unknown ids, malformed ones, and other spellings of `id`.
pub(super) fn other_ids(id: &str) -> Vec<String> {
    let mut others: Vec<String> = [
        "",
        " ",
        "ghost",
        "0",
        "\0",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "0193c0de-0000-7000-8000-000000000000",
        "' OR 1=1 --",
        "%",
        "名前",
    ]
    .map(ToOwned::to_owned)
    .into();
    let spellings = [format!(" {id}"), format!("{id}\0"), format!("{{{id}}}"), format!("urn:uuid:{id}")];
    others.extend(spellings.into_iter().chain([id.to_uppercase(), id.replace('-', ""), id[..id.len() - 1].to_owned()]));
    others.retain(|other| other != id);
    others
}

/// Fails unless the result is a conflict.
#[track_caller]
pub(super) fn assert_conflict<T: Debug>(result: Result<T, StoreError>, what: impl Debug) {
    assert!(matches!(result, Err(StoreError::Conflict)), "{what:?}: {result:?}");
}

/// Fails unless the result is that a name is taken.
#[track_caller]
pub(super) fn assert_name_taken<T: Debug>(result: Result<T, StoreError>, what: impl Debug) {
    assert!(matches!(result, Err(StoreError::NameTaken)), "{what:?}: {result:?}");
}

/// Imports users, as a caller who does not watch.
pub(super) async fn import(store: &Shared, users: Vec<NewUser>, publish: bool) -> Imported {
    store.import(users, publish, &(Arc::new(|_| ControlFlow::Continue(())) as ImportObserver)).await.unwrap()
}
