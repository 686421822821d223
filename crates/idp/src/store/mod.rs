//! Stores: rows of users, and what belongs to them.
//!
//! A [`Store`] keeps the rows of one namespace and knows no rules: it reads by key, lists by predicate, and writes a
//! [`Batch`] whose expectations it checks in the same transaction. The rules are in [`local`](crate::local), once for all
//! stores. [`SqliteDatabase`] is the embedded store, on disk or in memory; [`PostgresDatabase`] is the store for several machines. A
//! store kept elsewhere runs the tests of `contract` (feature `store-contract`).

mod batch;
#[cfg(feature = "store-contract")]
pub mod contract;
mod counter;
mod deadline;
mod error;
mod job;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;

use async_trait::async_trait;
use tokio::sync::watch;

pub use batch::{Batch, Committed, Expect, Mutation, NewEvent, PasswordChange, UserPatch, UserRef};
pub use counter::{Counter, CounterKey};
pub use deadline::call_deadline;
pub(crate) use deadline::within_deadline;
pub use error::StoreError;
pub use job::{Claim, Delivery, JobFilter, JobKey, JobRecord, JobState, Lease, NewJob, Outcome, QueueName};
#[cfg(feature = "postgres")]
pub use postgres::{
    InvalidPostgres, NamespaceStatus, PostgresDatabase, PostgresOptions, PostgresStatus, PostgresStore,
    ReadReplicaStatus, ReplicaStatus,
};
pub use record::{
    Consumer, Credentials, EventLog, EventQuery, Factor, ImportObserver, ImportProgress, Imported, NewUser, Page,
    PageRequest, ResetToken, Skipped, StartAt, TokenHash,
};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteDatabase, SqliteSnapshot, SqliteStore};

use crate::model::{EventRecord, Timestamp, UserKey, UserRecord};

/// The rows of one namespace.
///
/// Every method is atomic. A write is durable when it returns: it survives the death of the process and of the machine.
/// Every method fails with [`StoreError`] if the store cannot be read or written; further errors are listed per method.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The store's clock. All times that the store assigns or compares are by this clock: creation times, due times of jobs,
    /// ends of leases, windows of counters.
    fn now(&self) -> Timestamp;

    /// 32 secret random bytes that live as long as the rows. They seal page tokens, so that a token outlives the process.
    fn seal_key(&self) -> [u8; 32];

    /// A value that changes with each commit of this process. Commits of other processes change it only if the store is told of
    /// them: poll for those.
    fn commits(&self) -> watch::Receiver<u64>;

    /// Whether [`commits`](Self::commits) now changes soon after other processes append events or queue jobs. Then it is enough
    /// to poll rarely. [`commits`](Self::commits) must have been called.
    fn hears_other_processes(&self) -> bool {
        false
    }

    /// The user with this key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn get(&self, key: UserKey<'_>) -> Result<Option<UserRecord>, StoreError>;

    /// The user with this key, the password hash and all factors, read at one point in time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn credentials(&self, key: UserKey<'_>) -> Result<Option<Credentials>, StoreError>;

    /// One page of the users for whom a predicate holds, and their exact total, read at one point in time. A page costs the
    /// same wherever it is in the listing.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn list(&self, request: PageRequest) -> Result<Page, StoreError>;

    /// Applies a batch: all of it, or nothing.
    ///
    /// # Errors
    ///
    /// - [`StoreError::Conflict`] if an expectation does not hold, or a mutation's user does not exist.
    /// - [`StoreError::NameTaken`] if another user has the name.
    /// - [`StoreError::NoSuchConsumer`] if a mutation is about the queue of an unknown consumer.
    /// - [`StoreError::UnknownOutcome`] if the batch may or may not have been committed.
    async fn commit(&self, batch: Batch) -> Result<Committed, StoreError>;

    /// Adds the users whose names are free, in one transaction, in the order of the batch. With `publish`, each leaves a
    /// `created` event. Other writes wait until it is done, which may take seconds. Tells `observer` the progress at least every
    /// thousand users.
    ///
    /// # Errors
    ///
    /// [`StoreError::Cancelled`] if `observer` cancels. After any error no user was added, unless it is
    /// [`StoreError::UnknownOutcome`].
    async fn import(
        &self,
        users: Vec<NewUser>,
        publish: bool,
        observer: &ImportObserver,
    ) -> Result<Imported, StoreError>;

    /// The reset token with this hash, expired or not.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn reset_token(&self, hash: TokenHash) -> Result<Option<ResetToken>, StoreError>;

    /// The counters with these keys, in their order, also those whose windows have ended: the caller knows the length. A counter
    /// that does not exist is zero. A window that starts in the future, since the clock was set back, starts now.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn counters(&self, keys: &[CounterKey]) -> Result<Vec<Counter>, StoreError>;

    /// The events that match, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn events(&self, query: EventQuery<'_>) -> Result<Vec<EventRecord>, StoreError>;

    /// The position of the event log, and its consumers.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn event_log(&self) -> Result<EventLog, StoreError>;

    /// Leases up to `limit` due jobs of the queue for the duration `lease`. Jobs with an ordering key are leased one at a time
    /// per key, in order. A look that finds nothing takes no write lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchConsumer`] if the queue is of an unknown consumer.
    async fn claim(&self, queue: &QueueName, lease: std::time::Duration, limit: u32) -> Result<Claim, StoreError>;

    /// Records the outcome of a leased job. `false` if the lease is no longer valid; then nothing changes.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be written.
    async fn settle(&self, lease: &Lease, outcome: Outcome) -> Result<bool, StoreError>;

    /// The jobs that match.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot be read.
    async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRecord>, StoreError>;
}
