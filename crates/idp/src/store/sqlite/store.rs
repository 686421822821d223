//! One namespace of a database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::watch;

use super::scope::Scope;
use super::writer::Undo;
use super::{Database, batch, claims, counters, events, factors, import, jobs, listing, queues, tokens, users};
use crate::model::{EventRecord, Timestamp, UserKey, UserRecord};
use crate::store::sql::{only_adds_consumer, validate};
use crate::store::{
    Batch, Claim, Committed, Counter, CounterKey, Credentials, EventLog, EventQuery, ImportObserver, Imported,
    JobFilter, JobRecord, Lease, NewUser, Outcome, Page, PageRequest, QueueName, ResetToken, Store, StoreError,
    TokenHash,
};

/// The users of one namespace in a [`SqliteDatabase`](super::SqliteDatabase).
#[derive(Debug, Clone)]
pub struct SqliteStore {
    database: Arc<Database>,
    namespace_id: i64,
}

impl SqliteStore {
    pub(super) fn new(database: Arc<Database>, namespace_id: i64) -> Self {
        Self { database, namespace_id }
    }

    /// Reads on the caller's thread.
    fn read<T>(&self, work: impl FnOnce(Scope<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let reader = self.database.readers.get()?;
        work(Scope { connection: &reader, namespace_id: self.namespace_id, now: self.database.clock.now() })
    }

    /// Writes on the writer's thread, with the next commit.
    async fn write<T: Send + 'static>(
        &self,
        undo: Undo,
        work: impl FnOnce(Scope<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (namespace_id, clock) = (self.namespace_id, Arc::clone(&self.database.clock));
        // The clock is read under the write lock.
        let work = move |connection: &Connection| work(Scope { connection, namespace_id, now: clock.now() });
        self.database.writer.run(undo, work).await
    }

    /// Whether the batch only adds a consumer that exists: the common case, which then takes no write lock.
    fn is_needless(&self, batch: &Batch) -> Result<bool, StoreError> {
        let Some(queue) = only_adds_consumer(batch) else { return Ok(false) };
        self.read(|scope| Ok(queues::find(scope, &queue)?.is_some()))
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn now(&self) -> Timestamp {
        self.database.clock.now()
    }

    fn seal_key(&self) -> [u8; 32] {
        self.database.seal_key
    }

    fn commits(&self) -> watch::Receiver<u64> {
        self.database.writer.commits()
    }

    async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
        self.read(|scope| users::get(scope, key))
    }

    async fn credentials(&self, key: UserKey<'_>) -> Result<Option<Credentials>, StoreError> {
        self.read(|scope| {
            scope.snapshot(|| {
                let Some((user, password)) = users::with_hash(scope, key)? else { return Ok(None) };
                let factors = factors::of_user(scope, &user.id)?;
                Ok(Some(Credentials { user, password, factors }))
            })
        })
    }

    async fn list(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.read(|scope| scope.snapshot(|| listing::page(scope, &request)))
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        validate(&batch)?;
        if self.is_needless(&batch)? {
            return Ok(Committed { affected: vec![0], ..Committed::default() });
        }
        self.write(batch::undo(&batch), move |scope| batch::apply(scope, batch)).await
    }

    async fn import(
        &self,
        users: Vec<NewUser>,
        publish: bool,
        observer: &ImportObserver,
    ) -> Result<Imported, StoreError> {
        let observer = Arc::clone(observer);
        self.write(Undo::Commit, move |scope| import::import(scope, users, publish, &observer)).await
    }

    async fn reset_token(&self, hash: TokenHash) -> Result<Option<ResetToken>, StoreError> {
        self.read(|scope| tokens::find(scope, hash))
    }

    async fn counters(&self, keys: &[CounterKey]) -> Result<Vec<Counter>, StoreError> {
        self.read(|scope| scope.snapshot(|| keys.iter().map(|key| counters::get(scope, key)).collect()))
    }

    async fn events(&self, query: EventQuery<'_>) -> Result<Vec<EventRecord>, StoreError> {
        self.read(|scope| events::query(scope, query))
    }

    async fn event_log(&self) -> Result<EventLog, StoreError> {
        self.read(|scope| {
            scope.snapshot(|| {
                let newest = events::newest(scope)?;
                let newest = (!newest.is_nil()).then(|| newest.to_string());
                Ok(EventLog { newest, consumers: queues::consumers(scope)? })
            })
        })
    }

    async fn claim(&self, queue: &QueueName, lease: Duration, limit: u32) -> Result<Claim, StoreError> {
        if let Some(nothing) = self.read(|scope| claims::peek(scope, queue))? {
            return Ok(nothing);
        }
        let queue = queue.clone();
        self.write(Undo::Savepoint, move |scope| claims::claim(scope, &queue, lease, limit)).await
    }

    async fn settle(&self, lease: &Lease, outcome: Outcome) -> Result<bool, StoreError> {
        let lease = lease.clone();
        self.write(Undo::Savepoint, move |scope| claims::settle(scope, &lease, &outcome)).await
    }

    async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRecord>, StoreError> {
        self.read(|scope| scope.snapshot(|| jobs::list(scope, &filter)))
    }
}
