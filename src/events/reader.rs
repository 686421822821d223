//! Events for Rust code.

use std::time::Duration;

use tokio::sync::watch;

use super::{EventError, Events, UserEvent};
use crate::idp::Timestamp;
use crate::store::{Lease, Outcome};

/// How long the code that took an event has for it before another may be given the event.
const DEFAULT_LEASE: Duration = Duration::from_secs(60);

/// How often to look for what other processes have committed; of this process's commits the reader is told.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// Hands out the events of one consumer, one by one.
///
/// Several readers of one consumer share its events, in one process or in many; each event goes to one of them. Readers of
/// different consumers each see all.
///
/// ```no_run
/// # use tailor_idp::{events::{EventError, StartAt}, idp::Idp};
/// # async fn f(idp: Idp) -> Result<(), EventError> {
/// let mut reader = idp.subscribe_events("builtin-idp", "search-index", StartAt::Oldest).await?;
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
    consumer: String,
    lease: Duration,
    commits: watch::Receiver<u64>,
}

impl EventReader {
    pub(super) fn new(events: Events, consumer: &str, commits: watch::Receiver<u64>) -> Self {
        Self { events, consumer: consumer.to_owned(), lease: DEFAULT_LEASE, commits }
    }

    /// With so long for each event, 60 s if not said. An event that is not settled in that time is handed out again.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// The next event, once there is one. Further events of its user come when it is settled.
    ///
    /// An event that was claimed in the moment in which the caller stopped waiting comes again when its lease is over.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]. The reader can be asked again.
    pub async fn next(&mut self) -> Result<ReceivedEvent, EventError> {
        loop {
            // Before looking: a commit after the look wakes the wait.
            self.commits.borrow_and_update();
            let claim = self.events.store()?.claim(&self.consumer, self.lease, 1).await?;
            if let Some(delivery) = claim.deliveries.into_iter().next() {
                let event = self.events.event(delivery.event);
                let (attempts, lease) = (delivery.attempts, delivery.lease);
                return Ok(ReceivedEvent { event, attempts, events: self.events.clone(), lease });
            }
            if !claim.more {
                wait(&mut self.commits, claim.next_due.map_or(POLL, |due| due.since(Timestamp::now())).min(POLL)).await;
            }
        }
    }
}

/// Waits for a commit of this process, and for others' so long.
pub(super) async fn wait(commits: &mut watch::Receiver<u64>, at_most: Duration) {
    // A closed store fails at the next look.
    let _ = tokio::time::timeout(at_most, async {
        if commits.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await;
}

/// An event that waits for the code that took it. One that is dropped comes again when its lease is over.
#[derive(Debug)]
pub struct ReceivedEvent {
    /// What happened.
    pub event: UserEvent,
    /// How often it has been handed out, this time included.
    pub attempts: u32,
    events: Events,
    lease: Lease,
}

impl ReceivedEvent {
    /// Done: it does not come again. `false` if the lease was over and it went to another reader.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]: it comes again when its lease is over.
    pub async fn acknowledge(self) -> Result<bool, EventError> {
        self.settle(Outcome::Acknowledged).await
    }

    /// Failed: it comes again after `delay`, and further events of its user after it.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]: it comes again when its lease is over.
    pub async fn retry_after(self, delay: Duration, reason: impl Into<String>) -> Result<bool, EventError> {
        let due = Timestamp::now().after(delay);
        self.settle(Outcome::Failed { due, refused: false, reason: reason.into() }).await
    }

    /// Hopeless: it goes to the dead events, and further events of its user go ahead.
    ///
    /// # Errors
    ///
    /// [`EventError::Store`]: it comes again when its lease is over.
    pub async fn give_up(self, reason: impl Into<String>) -> Result<bool, EventError> {
        self.settle(Outcome::Dead { reason: reason.into() }).await
    }

    async fn settle(self, outcome: Outcome) -> Result<bool, EventError> {
        Ok(self.events.store()?.settle(&self.lease, outcome).await?)
    }
}
