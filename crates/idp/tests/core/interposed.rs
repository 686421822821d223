//! A store that lets a test act between a read and the commit that follows it.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use tailor_idp_core::store::{
    Batch, Claim, Committed, Counter, CounterKey, Credentials, EventLog, EventQuery, ImportObserver, Imported,
    JobFilter, JobRecord, Lease, NewUser, Outcome, Page, PageRequest, QueueName, ResetToken, Store, StoreError,
    TokenHash,
};
use tailor_idp_core::{EventRecord, Timestamp, UserKey, UserRecord};
use tokio::sync::watch;

use crate::support::Shared;

type Condition = fn(&Batch) -> bool;
type Action = BoxFuture<'static, Result<(), StoreError>>;

/// Passes all calls on to a store.
pub(crate) struct Interposed {
    store: Shared,
    action: Mutex<Option<(Condition, Action)>>,
    /// The error of all claims, if there is one.
    claim_error: Mutex<Option<StoreError>>,
}

impl Interposed {
    pub(crate) fn new(store: &Shared) -> Self {
        Self { store: store.clone(), action: Mutex::default(), claim_error: Mutex::default() }
    }

    /// Runs `action` before the next commit for which the condition holds.
    pub(crate) fn before_commit(&self, condition: Condition, action: impl Future<Output = ()> + Send + 'static) {
        *self.action.lock().unwrap() = Some((condition, Box::pin(action.map(Ok))));
    }

    /// Fails the next commit for which the condition holds.
    pub(crate) fn fail_commit(&self, condition: Condition, error: StoreError) {
        *self.action.lock().unwrap() = Some((condition, Box::pin(std::future::ready(Err(error)))));
    }

    /// Whether the action was run, or the commit failed.
    pub(crate) fn has_acted(&self) -> bool {
        self.action.lock().unwrap().is_none()
    }

    /// Sets the error of all claims from now on.
    pub(crate) fn fail_claims(&self, error: impl Into<Option<StoreError>>) {
        *self.claim_error.lock().unwrap() = error.into();
    }
}

#[async_trait]
impl Store for Interposed {
    fn now(&self) -> Timestamp {
        self.store.now()
    }

    fn seal_key(&self) -> [u8; 32] {
        self.store.seal_key()
    }

    fn commits(&self) -> watch::Receiver<u64> {
        self.store.commits()
    }

    async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError> {
        self.store.get(key).await
    }

    async fn credentials(&self, key: UserKey<'_>) -> Result<Option<Credentials>, StoreError> {
        self.store.credentials(key).await
    }

    async fn list(&self, request: PageRequest) -> Result<Page, StoreError> {
        self.store.list(request).await
    }

    async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        let action = self.action.lock().unwrap().take_if(|(condition, _)| condition(&batch));
        if let Some((_, action)) = action {
            action.await?;
        }
        self.store.commit(batch).await
    }

    async fn import(
        &self,
        users: Vec<NewUser>,
        publish: bool,
        observer: &ImportObserver,
    ) -> Result<Imported, StoreError> {
        self.store.import(users, publish, observer).await
    }

    async fn reset_token(&self, hash: TokenHash) -> Result<Option<ResetToken>, StoreError> {
        self.store.reset_token(hash).await
    }

    async fn counters(&self, keys: &[CounterKey]) -> Result<Vec<Counter>, StoreError> {
        self.store.counters(keys).await
    }

    async fn events(&self, query: EventQuery<'_>) -> Result<Vec<EventRecord>, StoreError> {
        self.store.events(query).await
    }

    async fn event_log(&self) -> Result<EventLog, StoreError> {
        self.store.event_log().await
    }

    async fn claim(&self, queue: &QueueName, lease: Duration, limit: u32) -> Result<Claim, StoreError> {
        let error = self.claim_error.lock().unwrap().clone();
        match error {
            Some(error) => Err(error),
            None => self.store.claim(queue, lease, limit).await,
        }
    }

    async fn settle(&self, lease: &Lease, outcome: Outcome) -> Result<bool, StoreError> {
        self.store.settle(lease, outcome).await
    }

    async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRecord>, StoreError> {
        self.store.jobs(filter).await
    }
}
