//! The event log of a namespace.

use std::sync::Arc;

use tokio::sync::watch;

use super::error::check_consumer_name;
use super::{EventError, UserEvent};
use crate::local::LocalDirectory;
use crate::model::EventRecord;
use crate::router::Router;
use crate::store::{
    Batch, Consumer, Delivery, EventQuery, JobFilter, JobKey, JobState, Mutation, Outcome, QueueName, StartAt, Store,
};

/// A dead event: its delivery to a consumer was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadUserEvent {
    /// The name of the consumer.
    pub consumer: String,
    /// The event.
    pub event: UserEvent,
    /// The number of attempts.
    pub attempts: u32,
    /// The reason why it was given up.
    pub reason: String,
}

/// What to do with dead events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revival {
    /// Deliver them again, with no attempts counted.
    Retry,
    /// Never deliver them.
    Discard,
}

/// The events of one namespace. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events {
    local: Arc<LocalDirectory>,
}

impl Events {
    /// The events of a namespace.
    ///
    /// # Errors
    ///
    /// [`EventError::Namespace`] if the namespace does not exist, or its users are not in a store.
    pub fn new(router: &Router, namespace: &str) -> Result<Self, EventError> {
        Ok(Self { local: Arc::clone(router.local(namespace)?) })
    }

    /// The events after the one with the id `after` that are still kept, oldest first.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<UserEvent>, EventError> {
        let records = self.store().events(EventQuery::After { id: after, limit }).await?;
        Ok(records.into_iter().map(|record| self.event(record)).collect())
    }

    /// The event with this id, if it is still kept.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn get(&self, id: &str) -> Result<Option<UserEvent>, EventError> {
        let records = self.store().events(EventQuery::Id(id)).await?;
        Ok(records.into_iter().next().map(|record| self.event(record)))
    }

    /// The id of the newest event that was ever committed.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn newest(&self) -> Result<Option<String>, EventError> {
        Ok(self.store().event_log().await?.newest)
    }

    /// The consumers and their progress, by name.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn consumers(&self) -> Result<Vec<Consumer>, EventError> {
        Ok(self.store().event_log().await?.consumers)
    }

    /// Adds a consumer, unless it exists.
    ///
    /// # Errors
    ///
    /// [`EventError::ConsumerName`] if the name is malformed, and [`EventError::Store`].
    pub async fn add_consumer(&self, consumer: &str, start: StartAt) -> Result<(), EventError> {
        check_consumer_name(consumer)?;
        // Looking first keeps the common case free of a write.
        if self.consumers().await?.iter().any(|known| known.name == consumer) {
            return Ok(());
        }
        self.commit(Mutation::AddConsumer { name: consumer.to_owned(), start }).await?;
        Ok(())
    }

    /// Removes a consumer: events no longer wait for it. Returns `false` if it does not exist.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn forget(&self, consumer: &str) -> Result<bool, EventError> {
        Ok(self.commit(Mutation::RemoveConsumer { name: consumer.to_owned() }).await? > 0)
    }

    /// The dead events of one consumer or of all, by consumer and then oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`].
    pub async fn dead(&self, consumer: Option<&str>, limit: u32) -> Result<Vec<DeadUserEvent>, EventError> {
        let mut dead = Vec::new();
        let names = self.consumers().await?.into_iter().map(|known| known.name);
        for name in names.filter(|name| consumer.is_none_or(|wanted| wanted == name)) {
            let queue = QueueName::Events(name.clone());
            let limit = limit.saturating_sub(u32::try_from(dead.len()).unwrap_or(u32::MAX));
            if limit == 0 {
                break;
            }
            let filter = JobFilter { state: Some(JobState::Dead), limit, ..JobFilter::new(queue) };
            dead.extend(self.store().jobs(filter).await?.into_iter().filter_map(|job| {
                Some(DeadUserEvent {
                    consumer: name.clone(),
                    event: self.event(job.event?),
                    attempts: job.attempts,
                    reason: job.reason.unwrap_or_default(),
                })
            }));
        }
        Ok(dead)
    }

    /// Retries or discards one dead event, or all of the consumer's. Returns how many there were. A retried event comes after
    /// those of its user that went ahead of it.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`], with [`NoSuchConsumer`](crate::store::StoreError::NoSuchConsumer) if there is no such consumer.
    pub async fn revive(&self, consumer: &str, event: Option<&str>, revival: Revival) -> Result<u64, EventError> {
        let (queue, job) = (QueueName::Events(consumer.to_owned()), event.map(|id| JobKey::Event(id.to_owned())));
        self.commit(match revival {
            Revival::Retry => Mutation::RetryDead { queue, job },
            Revival::Discard => Mutation::DiscardDead { queue, job },
        })
        .await
    }

    /// A value that changes with each commit of this process: there may be new events.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.store().commits()
    }

    pub(super) fn store(&self) -> &dyn Store {
        &**self.local.store()
    }

    fn event(&self, record: EventRecord) -> UserEvent {
        let EventRecord { id, user_id, kind, time } = record;
        UserEvent {
            id,
            kind,
            time,
            workspace_id: self.local.settings().workspace_id.clone(),
            namespace_name: self.local.namespace().to_string(),
            user_id,
        }
    }

    /// The event of a claimed job. If the store no longer has it, ends the job, so that further events of its user follow.
    pub(super) async fn event_of(&self, delivery: &Delivery) -> Option<UserEvent> {
        let Delivery { job, lease } = delivery;
        if let Some(event) = &job.event {
            return Some(self.event(event.clone()));
        }
        tracing::error!(queue = %lease.queue, job = job.id, user = job.user_id, "an event to deliver is missing");
        let ended = Outcome::Ended { reason: "the event no longer exists".to_owned() };
        if let Err(error) = self.store().settle(lease, ended).await {
            tracing::warn!(%error, "the job of a missing event waits until its lease ends");
        }
        None
    }

    /// Commits one mutation, and returns the number of rows that it changed.
    async fn commit(&self, mutation: Mutation) -> Result<u64, EventError> {
        let batch = Batch { mutations: vec![mutation], ..Batch::default() };
        Ok(self.store().commit(batch).await?.affected.into_iter().sum())
    }
}
