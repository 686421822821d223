//! The outbox of user events: what a backend that keeps one can do.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::StoreError;
use crate::idp::Timestamp;

/// What became of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// The user is new.
    Created,
    /// Name, password, state or factors of the user changed.
    Updated,
    /// The user is gone.
    Deleted,
}

/// A committed change of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Given by the store. Ids sort in commit order within a namespace.
    pub id: String,
    /// Who changed.
    pub user_id: String,
    /// How.
    pub kind: EventKind,
    /// When.
    pub time: Timestamp,
}

/// Where a new consumer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StartAt {
    /// With the oldest event that is kept.
    #[default]
    Oldest,
    /// With the next event to be committed.
    Next,
}

/// An event that a consumer has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What happened.
    pub event: EventRecord,
    /// How often it has been claimed, this time included.
    pub attempts: u32,
    /// How often the receiver has refused it.
    pub refusals: u32,
    /// Stands for the claim: void once the lease has run out and another claim was made.
    pub lease: Lease,
}

/// One claim of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The consumer that claimed.
    pub consumer: String,
    /// What it claimed.
    pub event_id: String,
    /// The claim itself.
    pub token: [u8; 16],
}

/// What a claim got.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claim {
    /// Of each user at most one event, the oldest that is left.
    pub deliveries: Vec<Delivery>,
    /// When the next event that is leased or backing off can be claimed, if there is one.
    pub next_due: Option<Timestamp>,
    /// Whether there is more to claim at once.
    pub more: bool,
}

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Acknowledged,
    /// It was not tried: the claim does not count.
    Released,
    /// It failed, and can be claimed again at `due`.
    Failed {
        /// Not before.
        due: Timestamp,
        /// Whether the receiver refused it, rather than could not take it.
        refused: bool,
        /// What went wrong.
        reason: String,
    },
    /// It is given up: later events of the user go ahead.
    Dead {
        /// What went wrong.
        reason: String,
    },
}

/// An event that a consumer was not given, and which waits for somebody to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEvent {
    /// Whose delivery was given up.
    pub consumer: String,
    /// What happened.
    pub event: EventRecord,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
}

/// What to do with events that were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revival {
    /// Try again, as if it were for the first time.
    Retry,
    /// Leave them undelivered for good.
    Discard,
}

/// A consumer, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Events that it has not acknowledged, those that were given up left out.
    pub pending: u64,
    /// Events that were given up.
    pub dead: u64,
}

/// The outbox of one namespace.
///
/// An event is appended by the write that it tells of, in the same transaction. Consumers have names and each a position
/// of its own. Delivery is at least once: an event is claimed for a time, and can be claimed again unless it is settled in that time.
/// A consumer is given the events of one user one at a time and in order, however many workers claim for it.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// The kept events after the one with the id `after`, oldest first. An id that was never given out counts all the same:
    /// only its order matters.
    async fn events(&self, after: Option<&str>, limit: u32) -> Result<Vec<EventRecord>, StoreError>;

    /// The event, if it is still kept.
    async fn event(&self, id: &str) -> Result<Option<EventRecord>, StoreError>;

    /// The id of the newest event that was ever committed.
    async fn newest(&self) -> Result<Option<String>, StoreError>;

    /// Adds the consumer, unless there is one of the name.
    async fn add_consumer(&self, name: &str, start: StartAt) -> Result<(), StoreError>;

    /// Forgets the consumer, its position and what it has not acknowledged. `false` if there is none.
    async fn remove_consumer(&self, name: &str) -> Result<bool, StoreError>;

    /// All consumers, by name.
    async fn consumers(&self) -> Result<Vec<Consumer>, StoreError>;

    /// Claims up to `limit` events for the time of `lease`. [`StoreError::NoSuchConsumer`] where there is none of the name.
    async fn claim(&self, consumer: &str, lease: Duration, limit: u32) -> Result<Claim, StoreError>;

    /// Says how a delivery went. `false` if the claim was void by then: nothing has changed.
    async fn settle(&self, lease: &Lease, outcome: Outcome) -> Result<bool, StoreError>;

    /// The events that were given up, of one consumer or of all, oldest first, `limit` of each consumer at the most.
    async fn dead(&self, consumer: Option<&str>, limit: u32) -> Result<Vec<DeadEvent>, StoreError>;

    /// Decides on one event that was given up, or on all of the consumer's. Returns how many there were.
    async fn revive(&self, consumer: &str, event_id: Option<&str>, revival: Revival) -> Result<u64, StoreError>;

    /// Removes events committed before the moment which every consumer has acknowledged. Returns how many there were.
    async fn prune(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// Changes with every commit of this process. Of other processes' commits nothing tells; they have to be looked for.
    fn commits(&self) -> watch::Receiver<u64>;
}
