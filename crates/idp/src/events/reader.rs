//! Events for Rust code.

use std::time::Duration;

use tokio::sync::watch;

use super::{EventError, Events, StartAt, UserEvent};
use crate::store::{Lease, Outcome, QueueName};

/// The default time to settle an event before it is handed out again.
const DEFAULT_LEASE: Duration = Duration::from_secs(60);

/// The interval of looking for commits of other processes. Commits of this process wake the reader.
const POLL: Duration = Duration::from_millis(250);

/// The interval if the store is told of commits of other processes: for what they could not tell.
const POLL_WHEN_TOLD: Duration = Duration::from_secs(2);

/// Hands out the events of one consumer, one by one.
///
/// Several readers of one consumer, in one process or in many, share its events: each event goes to one of them. Readers of
/// different consumers each receive all events.
///
/// ```no_run
/// # use tailor_idp_core::{Router, events::{EventError, EventReader, Events, StartAt}};
/// # async fn f(router: Router) -> Result<(), EventError> {
/// let events = Events::new(&router, "builtin-idp")?;
/// let mut reader = EventReader::subscribe(events, "search-index", StartAt::Oldest).await?;
/// loop {
///     let received = reader.next().await?;
///     println!("{} {}", received.event.kind.type_name(), received.event.user_id);
///     received.acknowledge().await?;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct EventReader {
    events: Events,
    queue: QueueName,
    lease: Duration,
    commits: watch::Receiver<u64>,
}

impl EventReader {
    /// Reads as the consumer with this name, which is added unless it exists.
    ///
    /// # Errors
    ///
    /// [`EventError::ConsumerName`] if the name is malformed, and [`EventError::Store`].
    pub async fn subscribe(events: Events, consumer: &str, start: StartAt) -> Result<Self, EventError> {
        events.add_consumer(consumer, start).await?;
        let commits = events.commits();
        Ok(Self { events, queue: QueueName::Events(consumer.to_owned()), lease: DEFAULT_LEASE, commits })
    }

    /// Sets the time to settle an event before it is handed out again, 60 s by default.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Waits for the next event. Further events of its user follow when it is settled.
    ///
    /// If the future is dropped while it claims an event, the event is handed out again when its lease ends.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]. The reader can be used again.
    pub async fn next(&mut self) -> Result<ReceivedEvent, EventError> {
        loop {
            // Before the look: a commit after it wakes the wait.
            self.commits.borrow_and_update();
            let claim = self.events.store().claim(&self.queue, self.lease, 1).await?;
            if let Some(delivery) = claim.deliveries.into_iter().next() {
                let Some(event) = self.events.event_of(&delivery).await else { continue };
                let (attempts, lease) = (delivery.job.attempts, delivery.lease);
                return Ok(ReceivedEvent { event, attempts, events: self.events.clone(), lease });
            }
            if !claim.more {
                let poll = self.events.poll_interval();
                let due = claim.next_due.map_or(poll, |due| due.since(self.events.store().now()));
                wait(&mut self.commits, due.min(poll)).await;
            }
        }
    }
}

impl Events {
    /// The interval of looking for commits of other processes.
    pub(super) fn poll_interval(&self) -> Duration {
        if self.store().hears_other_processes() { POLL_WHEN_TOLD } else { POLL }
    }
}

/// Waits for a commit of this process, or of one that the store is told of, for at most this time.
pub(super) async fn wait(commits: &mut watch::Receiver<u64>, at_most: Duration) {
    // A closed store fails at the next look.
    let _ = tokio::time::timeout(at_most, async {
        if commits.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await;
}

/// An event that waits to be settled. If it is dropped, it is handed out again when its lease ends.
#[derive(Debug)]
pub struct ReceivedEvent {
    /// The event.
    pub event: UserEvent,
    /// The number of times that it was handed out, including this one.
    pub attempts: u32,
    events: Events,
    lease: Lease,
}

impl ReceivedEvent {
    /// Acknowledges the event: it is not handed out again. Returns `false` if the lease had ended and another reader has it.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]: the event is handed out again when its lease ends.
    pub async fn acknowledge(self) -> Result<bool, EventError> {
        self.settle(Outcome::Done { keep: false }).await
    }

    /// Requests redelivery of the event after `delay`, before further events of its user.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]: the event is handed out again when its lease ends.
    pub async fn retry_after(self, delay: Duration, reason: impl Into<String>) -> Result<bool, EventError> {
        self.settle(Outcome::Retry { after: delay, refused: false, reason: reason.into() }).await
    }

    /// Gives the event up: it joins the dead events, and further events of its user go ahead.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]: the event is handed out again when its lease ends.
    pub async fn give_up(self, reason: impl Into<String>) -> Result<bool, EventError> {
        self.settle(Outcome::Dead { reason: reason.into() }).await
    }

    async fn settle(self, outcome: Outcome) -> Result<bool, EventError> {
        Ok(self.events.store().settle(&self.lease, outcome).await?)
    }
}
