//! The worker that posts events to a webhook.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::reader::wait;
use super::webhook::{Webhook, WebhookSettings};
use super::{EventError, Events, InvalidWebhook, StartAt};
use crate::jobs::{Failure, FailureKind};
use crate::store::{Claim, Delivery, Outcome, QueueName};

/// The time that a lease lasts beyond the longest request, for the commit of the claim. A killed worker blocks the users of its
/// events for as long.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// The pause when the store is temporarily unavailable.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// Posts a namespace's events to a webhook, each until the receiver accepts it.
///
/// Several workers, in one process or in many, can serve one webhook: they share the events and keep the order of each user.
#[derive(Debug)]
pub struct WebhookWorker {
    events: Events,
    webhook: Arc<Webhook>,
}

impl WebhookWorker {
    /// A worker that has not started.
    ///
    /// # Errors
    ///
    /// [`InvalidWebhook`].
    pub fn new(events: Events, settings: WebhookSettings) -> Result<Self, InvalidWebhook> {
        Ok(Self { events, webhook: Arc::new(Webhook::new(settings)?) })
    }

    /// Works until `shutdown` completes, then finishes the requests in progress. A new consumer starts at `start`.
    ///
    /// # Errors
    ///
    /// [`EventError`] if the store fails permanently. Events in progress are delivered again later.
    pub async fn run(&self, start: StartAt, shutdown: impl Future<Output = ()>) -> Result<(), EventError> {
        let settings = &self.webhook.settings;
        self.events.add_consumer(&settings.consumer, start).await?;
        let mut shutdown = pin!(shutdown);
        let mut commits = self.events.commits();
        let mut under_way = JoinSet::new();
        let pause = Arc::new(Pause::default());
        loop {
            // Before the look: a commit after it wakes the wait.
            commits.borrow_and_update();
            let left = pause.left();
            let free = settings.concurrency - under_way.len();
            let poll = self.events.poll_interval();
            let mut rest = if left.is_zero() { poll } else { left.min(poll) };
            if left.is_zero() && free > 0 {
                let claim = match self.claim(free).await {
                    // A claim whose outcome is unknown leaves at most leases that end.
                    Err(EventError::Store(error)) if error.is_temporary() || error.is_unknown_outcome() => {
                        tracing::warn!(%error, "the event log is temporarily unavailable");
                        rest = STORE_WAIT;
                        Claim::default()
                    }
                    claim => claim?,
                };
                for delivery in claim.deliveries {
                    under_way.spawn(deliver(
                        self.events.clone(),
                        Arc::clone(&self.webhook),
                        delivery,
                        Arc::clone(&pause),
                    ));
                }
                if claim.more && under_way.len() < settings.concurrency {
                    rest = Duration::ZERO;
                }
                rest = claim.next_due.map_or(rest, |due| due.since(self.events.store().now()).min(rest));
            }
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
                () = wait(&mut commits, rest) => {}
            }
        }
        // Each ends within the request timeout.
        while under_way.join_next().await.is_some() {}
        Ok(())
    }

    async fn claim(&self, free: usize) -> Result<Claim, EventError> {
        let settings = &self.webhook.settings;
        // Longer than a request can take: while it runs, no other worker claims the event.
        let lease = settings.timeout.saturating_add(LEASE_MARGIN);
        let queue = QueueName::Events(settings.consumer.clone());
        Ok(self.events.store().claim(&queue, lease, u32::try_from(free).unwrap_or(u32::MAX)).await?)
    }
}

/// The pause that the receiver requests, of all deliveries.
#[derive(Debug, Default)]
struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Pauses for at least this long from now.
    fn extend(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut current = self.0.lock();
        *current = (*current).max(Some(until));
    }

    /// How long the pause lasts from now.
    fn left(&self) -> Duration {
        self.0.lock().map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// Posts one event and records the outcome.
async fn deliver(events: Events, webhook: Arc<Webhook>, delivery: Delivery, pause: Arc<Pause>) {
    let Some(event) = events.event_of(&delivery).await else { return };
    let Delivery { job, lease } = delivery;
    let retries = webhook.settings.retries();
    let attempts = job.attempts;
    let posted = if retries.is_exhausted(&job) {
        let reason = format!("the worker died at each of {} tries", attempts - 1);
        Err(Failure { reason, kind: FailureKind::Permanent, retry_after: None })
    } else {
        webhook.post(&event).await
    };
    let outcome = match posted {
        Ok(()) => Outcome::Done { keep: false },
        Err(failure) => {
            // Before the outcome is recorded: the record wakes the next claim.
            if let Some(requested) = failure.retry_after {
                pause.extend(requested.min(retries.max_delay));
            }
            retries.after(&job, failure)
        }
    };
    match &outcome {
        Outcome::Retry { reason, .. } => {
            tracing::warn!(event = event.id, attempts, reason, "an event was not delivered, and is tried again");
        }
        Outcome::Dead { reason } => {
            tracing::error!(event = event.id, attempts, reason, "an event was given up: see `events dead`");
        }
        Outcome::Done { .. } => tracing::debug!(event = event.id, attempts, "an event was delivered"),
        // Not made here: a delivery is done, retried or given up.
        Outcome::Released | Outcome::Ended { .. } => {}
    }
    match events.store().settle(&lease, outcome).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(event = event.id, "the lease of an event ended before its delivery did"),
        Err(error) => {
            tracing::warn!(event = event.id, %error, "an event is delivered again: its outcome was not recorded")
        }
    }
}
