//! Events: telling others that users changed.
//!
//! A namespace that publishes ([`publish_user_events`](crate::idp::NamespaceSettings::publish_user_events)) leaves an event in
//! its outbox with every change, in the same transaction. [`Events`] looks into the outbox. An [`EventReader`] hands events to
//! Rust code, which acknowledges each; a [`WebhookWorker`] posts them, signed, to a URL. Both deliver at least once, and
//! the events of one user in order.

mod model;
mod reader;
mod retry_after;
mod signature;
mod webhook;
mod worker;

use std::sync::Arc;

pub use model::UserEvent;
pub use reader::{EventReader, ReceivedEvent};
pub use signature::{SIGNATURE_HEADER, SIGNATURE_TOLERANCE, SignatureError, sign, verify};
pub use webhook::{InvalidWebhook, WebhookSettings};
pub use worker::WebhookWorker;

pub use crate::store::{Consumer, EventKind, Revival, StartAt};

use crate::idp::{IdpError, NamespaceName};
use crate::store::{EventRecord, EventStore, StoreError, UserStore};

/// Letters of a consumer's name at the most.
const MAX_CONSUMER_NAME: usize = 64;

/// Why events could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// The namespace has none.
    #[error(transparent)]
    Namespace(#[from] IdpError),

    /// The name does not fit.
    #[error("a consumer's name is 1 to {MAX_CONSUMER_NAME} letters, digits, hyphens, dots and underscores: got {0:?}")]
    ConsumerName(String),

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event that a consumer was not given: see [`Events::dead`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadUserEvent {
    /// Whose delivery was given up.
    pub consumer: String,
    /// What happened.
    pub event: UserEvent,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
}

/// The events of one namespace. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    store: Arc<dyn UserStore>,
    namespace: NamespaceName,
    workspace_id: Arc<str>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl Events {
    /// `None` where the store keeps no events.
    pub(crate) fn new(store: Arc<dyn UserStore>, namespace: NamespaceName, workspace_id: &str) -> Option<Self> {
        store.events()?;
        Some(Self { store, namespace, workspace_id: workspace_id.into() })
    }

    /// The kept events after the one with the id `after`, oldest first.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<UserEvent>, EventError> {
        let records = self.store()?.events(after, limit).await?;
        Ok(records.into_iter().map(|record| self.event(record)).collect())
    }

    /// The event with this id, if it is still kept.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn get(&self, id: &str) -> Result<Option<UserEvent>, EventError> {
        Ok(self.store()?.event(id).await?.map(|record| self.event(record)))
    }

    /// The id of the newest event that was ever committed.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn newest(&self) -> Result<Option<String>, EventError> {
        Ok(self.store()?.newest().await?)
    }

    /// Reads as the consumer of this name, which is added where it is not there.
    ///
    /// # Errors
    ///
    /// [`EventError::ConsumerName`] for a name not of the form, and [`EventError::Store`].
    pub async fn subscribe(&self, consumer: &str, start: StartAt) -> Result<EventReader, EventError> {
        self.add_consumer(consumer, start).await?;
        Ok(EventReader::new(self.clone(), consumer, self.store()?.commits()))
    }

    /// The consumers, by name, and how far they are.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn consumers(&self) -> Result<Vec<Consumer>, EventError> {
        Ok(self.store()?.consumers().await?)
    }

    /// Forgets the consumer: events no longer wait for it. `false` if there is none of the name.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn forget(&self, consumer: &str) -> Result<bool, EventError> {
        Ok(self.store()?.remove_consumer(consumer).await?)
    }

    /// The events that were given up, of one consumer or of all, oldest first.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn dead(&self, consumer: Option<&str>, limit: u32) -> Result<Vec<DeadUserEvent>, EventError> {
        let dead = self.store()?.dead(consumer, limit).await?;
        Ok(dead
            .into_iter()
            .map(|dead| DeadUserEvent {
                consumer: dead.consumer,
                event: self.event(dead.event),
                attempts: dead.attempts,
                reason: dead.reason,
            })
            .collect())
    }

    /// Decides on one event that was given up, or on all of the consumer's, and returns how many there were.
    ///
    /// An event that is tried again comes after those of its user that went ahead of it.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`], with [`StoreError::NoSuchConsumer`] where there is none of the name.
    pub async fn revive(&self, consumer: &str, event: Option<&str>, revival: Revival) -> Result<u64, EventError> {
        Ok(self.store()?.revive(consumer, event, revival).await?)
    }

    pub(crate) async fn add_consumer(&self, consumer: &str, start: StartAt) -> Result<(), EventError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if consumer.is_empty() || consumer.len() > MAX_CONSUMER_NAME || !consumer.bytes().all(fits) {
            return Err(EventError::ConsumerName(crate::idp::shortened(consumer).into_owned()));
        }
        Ok(self.store()?.add_consumer(consumer, start).await?)
    }

    /// Counts the commits of this process: changes when there may be something new.
    pub fn commits(&self) -> Result<tokio::sync::watch::Receiver<u64>, EventError> {
        Ok(self.store()?.commits())
    }

    pub(crate) fn store(&self) -> Result<&dyn EventStore, StoreError> {
        self.store.events().ok_or(StoreError::Closed)
    }

    pub(crate) fn event(&self, record: EventRecord) -> UserEvent {
        UserEvent {
            id: record.id,
            kind: record.kind,
            time: record.time,
            workspace_id: self.workspace_id.to_string(),
            namespace_name: self.namespace.to_string(),
            user_id: record.user_id,
        }
    }
}
