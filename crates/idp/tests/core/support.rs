//! Short forms that several tests use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tailor_idp_core::store::{
    Batch, Committed, Factor, JobFilter, Mutation, NewJob, NewUser, Page, PageRequest, QueueName, SqliteDatabase,
    Store, StoreError, UserPatch,
};
use tailor_idp_core::{NamespaceName, PasswordHash, Predicate, UserKey, UserRecord};
use tempfile::TempDir;

pub(crate) type Shared = Arc<dyn Store>;

/// A folder for a database file, and the path of the file.
pub(crate) fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.db");
    (folder, path)
}

pub(crate) fn namespace(name: &str) -> NamespaceName {
    NamespaceName::new(name).unwrap()
}

/// The store of the namespace in a database that is opened anew.
pub(crate) async fn open(path: &Path, name: &str) -> Shared {
    Arc::new(SqliteDatabase::open(path).unwrap().namespace(&namespace(name)).await.unwrap())
}

/// A store with one user, and a connection of another program that holds the write lock until it rolls back.
pub(crate) struct LockedStore {
    pub(crate) store: Shared,
    pub(crate) path: PathBuf,
    holder: Connection,
    _folder: TempDir,
}

impl LockedStore {
    pub(crate) async fn new() -> Self {
        let (folder, path) = place();
        let store = open(&path, "users").await;
        insert(&store, "ana").await;
        let holder = Connection::open(&path).unwrap();
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self { store, path, holder, _folder: folder }
    }

    pub(crate) fn release(&self) {
        self.holder.execute_batch("ROLLBACK").unwrap();
    }
}

pub(crate) fn user(name: impl Into<String>) -> NewUser {
    NewUser { name: name.into(), ..NewUser::default() }
}

pub(crate) fn rename(name: &str) -> UserPatch {
    UserPatch { name: Some(name.to_owned()), ..UserPatch::default() }
}

pub(crate) fn disabled() -> UserPatch {
    UserPatch { disabled: Some(true), ..UserPatch::default() }
}

/// A hash of the right form and of no password. Different texts give different hashes.
pub(crate) fn password_hash(text: &str) -> PasswordHash {
    let salt: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let salt = format!("{salt:0<21}");
    let hash = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    PasswordHash::from_phc(format!("$argon2id$v=19$m=19456,t=2,p=1${}A${hash}", &salt[..21])).unwrap()
}

pub(crate) async fn commit(store: &Shared, mutation: Mutation) -> Result<Committed, StoreError> {
    store.commit(Batch { mutations: vec![mutation], ..Batch::default() }).await
}

pub(crate) async fn create(store: &Shared, user: NewUser) -> Result<UserRecord, StoreError> {
    commit(store, Mutation::CreateUser(user)).await.map(|mut committed| committed.created.remove(0))
}

pub(crate) async fn insert(store: &Shared, name: impl Into<String>) -> UserRecord {
    create(store, user(name)).await.unwrap()
}

/// Inserts `{prefix}0`, `{prefix}1` and so on, one after the other.
pub(crate) async fn insert_many(store: &Shared, prefix: &str, count: usize) -> Vec<UserRecord> {
    let mut users = Vec::new();
    for index in 0..count {
        users.push(insert(store, format!("{prefix}{index}")).await);
    }
    users
}

pub(crate) async fn update(store: &Shared, id: &str, patch: UserPatch) {
    commit(store, Mutation::UpdateUser { id: id.to_owned(), patch }).await.unwrap();
}

pub(crate) async fn delete(store: &Shared, id: &str) {
    commit(store, Mutation::DeleteUser { id: id.to_owned() }).await.unwrap();
}

/// Adds a confirmed factor.
pub(crate) async fn add_factor(store: &Shared, user_id: &str) -> Factor {
    let id = uuid::Uuid::now_v7().to_string();
    let factor = Factor { id, secret: b"sealed".to_vec(), expires_at: None, last_step: Some(0) };
    put_factor(store, user_id, &factor).await;
    factor
}

pub(crate) async fn put_factor(store: &Shared, user_id: &str, factor: &Factor) {
    commit(store, Mutation::PutFactor { user_id: user_id.to_owned(), factor: factor.clone() }).await.unwrap();
}

pub(crate) async fn enqueue(store: &Shared, user_id: &str, payload: &str) {
    let job = NewJob { queue: QueueName::ResetMails, user_id: user_id.to_owned(), payload: payload.to_owned() };
    commit(store, Mutation::Enqueue(job)).await.unwrap();
}

/// The payloads of all mails, oldest first.
pub(crate) async fn payloads(store: &Shared) -> Vec<String> {
    let jobs = store.jobs(JobFilter::new(QueueName::ResetMails)).await.unwrap();
    jobs.into_iter().map(|job| job.payload).collect()
}

pub(crate) async fn by_id(store: &Shared, id: &str) -> Option<UserRecord> {
    store.get(UserKey::Id(id)).await.unwrap()
}

pub(crate) async fn by_name(store: &Shared, name: &str) -> Option<UserRecord> {
    store.get(UserKey::Name(name)).await.unwrap()
}

pub(crate) async fn page(store: &Shared, filter: Predicate, after: Option<&str>, limit: u32) -> Page {
    store.list(PageRequest { filter, after: after.map(ToOwned::to_owned), limit }).await.unwrap()
}

/// All users, in the order of the listing.
pub(crate) async fn everyone(store: &Shared) -> Vec<UserRecord> {
    page(store, Predicate::everybody(), None, u32::MAX).await.users
}

pub(crate) async fn total(store: &Shared) -> u64 {
    page(store, Predicate::everybody(), None, 1).await.total
}

pub(crate) fn names(users: &[UserRecord]) -> Vec<&str> {
    users.iter().map(|user| user.name.as_str()).collect()
}
