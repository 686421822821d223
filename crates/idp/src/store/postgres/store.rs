//! One namespace of a database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::error::STATEMENT_TIMEOUT;
use super::transaction::{Kind, SHORT_REPLY};
use super::{Database, batch, claims, counters, events, import, jobs, listing, queues, tokens, users};
use crate::model::{EventRecord, Timestamp, UserKey, UserRecord};
use crate::store::sql::{only_adds_consumer, validate};
use crate::store::{
    Batch, Claim, Committed, Counter, CounterKey, Credentials, EventLog, EventQuery, ImportObserver, Imported,
    JobFilter, JobRecord, Lease, NewUser, Outcome, Page, PageRequest, QueueName, ResetToken, Store, StoreError,
    TokenHash,
};

/// The users of one namespace in a [`PostgresDatabase`](super::PostgresDatabase).
#[derive(Debug, Clone)]
pub struct PostgresStore {
    database: Arc<Database>,
    namespace_id: i32,
}

/// A [`UserKey`] that a task can own.
enum OwnedKey {
    Id(String),
    Name(String),
}

impl OwnedKey {
    fn of(key: UserKey<'_>) -> Arc<Self> {
        Arc::new(match key {
            UserKey::Id(id) => Self::Id(id.to_owned()),
            UserKey::Name(name) => Self::Name(name.to_owned()),
        })
    }

    fn key(&self) -> UserKey<'_> {
        match self {
            Self::Id(id) => UserKey::Id(id),
            Self::Name(name) => UserKey::Name(name),
        }
    }
}

/// Reads on the threads of the connections: `read!(self, within, [values] |scope| future)`.
macro_rules! read {
    ($store:ident, $within:expr, [$($value:ident),*] |$scope:ident| $work:expr) => {
        $store.database.connections.read($store.namespace_id, $within, move |$scope| {
            $(let $value = $value.clone();)*
            Box::pin(async move { $work })
        })
    };
}

/// As [`read!`], in a transaction that writes.
macro_rules! write {
    ($store:ident, $kind:expr, [$($value:ident),*] |$scope:ident| $work:expr) => {
        $store.database.write($store.namespace_id, $kind, move |$scope| {
            $(let $value = $value.clone();)*
            Box::pin(async move { $work })
        })
    };
}

impl PostgresStore {
    pub(super) fn new(database: Arc<Database>, namespace_id: i32) -> Self {
        Self { database, namespace_id }
    }

    /// Whether the batch only adds a consumer that exists: the common case, which then takes no lock.
    async fn is_needless(&self, batch: &Batch) -> Result<bool, StoreError> {
        let Some(queue) = only_adds_consumer(batch) else { return Ok(false) };
        read!(self, SHORT_REPLY, [queue] | scope | Ok(queues::find(scope, &queue).await?.is_some())).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn now(&self) -> Timestamp {
        self.database.connections.now()
    }

    fn seal_key(&self) -> [u8; 32] {
        self.database.seal_key
    }

    fn commits(&self) -> watch::Receiver<u64> {
        self.database.commits.subscribe(&self.database.connections)
    }

    fn hears_other_processes(&self) -> bool {
        self.database.commits.hears_others()
    }

    async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
        let key = OwnedKey::of(key);
        read!(self, SHORT_REPLY, [key] | scope | users::get(scope, key.key()).await).await
    }

    async fn credentials(&self, key: UserKey<'_>) -> Result<Option<Credentials>, StoreError> {
        let key = OwnedKey::of(key);
        read!(self, SHORT_REPLY, [key] | scope | users::credentials(scope, key.key()).await).await
    }

    async fn list(&self, request: PageRequest) -> Result<Page, StoreError> {
        let request = Arc::new(request);
        if let Some(replica) = &self.database.replica
            && let Some(page) = replica.page(&self.database, self.namespace_id, &request).await?
        {
            return Ok(page);
        }
        read!(self, STATEMENT_TIMEOUT, [request] | scope | listing::page(scope, &request).await).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        validate(&batch)?;
        if self.is_needless(&batch).await? {
            return Ok(Committed { affected: vec![0], ..Committed::default() });
        }
        let batch = Arc::new(batch);
        write!(self, Kind::Short, [batch] | scope | batch::apply(scope, &batch).await).await
    }

    async fn import(
        &self,
        users: Vec<NewUser>,
        publish: bool,
        observer: &ImportObserver,
    ) -> Result<Imported, StoreError> {
        let (users, observer) = (Arc::new(users), Arc::clone(observer));
        write!(self, Kind::Import, [users, observer] | scope | import::import(scope, &users, publish, &observer).await)
            .await
    }

    async fn reset_token(&self, hash: TokenHash) -> Result<Option<ResetToken>, StoreError> {
        read!(self, SHORT_REPLY, [] | scope | tokens::find(scope, hash).await).await
    }

    async fn counters(&self, keys: &[CounterKey]) -> Result<Vec<Counter>, StoreError> {
        let keys: Arc<[CounterKey]> = keys.into();
        read!(self, SHORT_REPLY, [keys] | scope | counters::get(scope, &keys).await).await
    }

    async fn events(&self, query: EventQuery<'_>) -> Result<Vec<EventRecord>, StoreError> {
        let (id, limit) = match query {
            EventQuery::After { id, limit } => (id.map(str::to_owned), Some(limit)),
            EventQuery::Id(id) => (Some(id.to_owned()), None),
        };
        read!(
            self,
            STATEMENT_TIMEOUT,
            [id] | scope | {
                let query = match limit {
                    Some(limit) => EventQuery::After { id: id.as_deref(), limit },
                    None => EventQuery::Id(id.as_deref().unwrap_or_default()),
                };
                events::query(scope, query).await
            }
        )
        .await
    }

    async fn event_log(&self) -> Result<EventLog, StoreError> {
        read!(
            self,
            STATEMENT_TIMEOUT,
            [] | scope | {
                let newest = events::newest(scope).await?;
                let newest = (!newest.is_nil()).then(|| newest.to_string());
                Ok(EventLog { newest, consumers: queues::consumers(scope).await? })
            }
        )
        .await
    }

    async fn claim(&self, queue: &QueueName, lease: Duration, limit: u32) -> Result<Claim, StoreError> {
        let queue = queue.clone();
        let peeked = queue.clone();
        if let Some(nothing) = read!(self, SHORT_REPLY, [peeked] | scope | claims::peek(scope, &peeked).await).await? {
            return Ok(nothing);
        }
        write!(self, Kind::Short, [queue] | scope | claims::claim(scope, &queue, lease, limit).await).await
    }

    async fn settle(&self, lease: &Lease, outcome: Outcome) -> Result<bool, StoreError> {
        let (lease, outcome) = (lease.clone(), Arc::new(outcome));
        write!(self, Kind::Short, [lease, outcome] | scope | claims::settle(scope, &lease, &outcome).await).await
    }

    async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRecord>, StoreError> {
        read!(self, STATEMENT_TIMEOUT, [filter] | scope | jobs::list(scope, &filter).await).await
    }
}
