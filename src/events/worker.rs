//! The worker that posts events to a webhook.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::reader::{POLL, wait};
use super::webhook::{Failure, Webhook, WebhookSettings};
use super::{EventError, Events, InvalidWebhook, StartAt};
use crate::backoff;
use crate::idp::Timestamp;
use crate::store::{Claim, Delivery, Outcome, StoreError};

/// What a lease leaves beyond the longest request, for the commit of the claim to be through. A worker that is killed holds up
/// the users of its events for so long.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// How long to wait when the store takes no writes for the moment.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// Posts a namespace's events to a webhook, each until the receiver has taken it.
///
/// Several workers can run for one webhook, in one process or in many: they share the events and keep each user's order.
#[derive(Debug)]
pub struct WebhookWorker {
    events: Events,
    webhook: Arc<Webhook>,
}

impl WebhookWorker {
    /// Prepares the worker.
    ///
    /// # Errors
    ///
    /// [`InvalidWebhook`] where the settings cannot be used.
    pub fn new(events: Events, settings: WebhookSettings) -> Result<Self, InvalidWebhook> {
        Ok(Self { events, webhook: Arc::new(Webhook::new(settings)?) })
    }

    /// Works until `shutdown` is there, then ends the requests under way. A consumer that is not there yet begins at `start`.
    ///
    /// # Errors
    ///
    /// [`EventError`] where the store fails for good; events that were under way are delivered again later.
    pub async fn run(&self, start: StartAt, shutdown: impl Future<Output = ()>) -> Result<(), EventError> {
        let settings = &self.webhook.settings;
        self.events.add_consumer(&settings.consumer, start).await?;
        let mut shutdown = pin!(shutdown);
        let mut commits = self.events.commits()?;
        let mut under_way = JoinSet::new();
        let mut paused_until = Instant::now();
        loop {
            // Before looking: a commit after the look wakes the wait.
            commits.borrow_and_update();
            let pause = paused_until.saturating_duration_since(Instant::now());
            let free = settings.concurrency - under_way.len();
            let mut rest = POLL;
            if pause.is_zero() && free > 0 {
                let claim = match self.claim(free).await {
                    Err(EventError::Store(error @ (StoreError::Locked { .. } | StoreError::Full))) => {
                        tracing::warn!(%error, "the outbox cannot be read for the moment");
                        rest = STORE_WAIT;
                        Claim::default()
                    }
                    claim => claim?,
                };
                for delivery in claim.deliveries {
                    under_way.spawn(deliver(self.events.clone(), Arc::clone(&self.webhook), delivery));
                }
                if claim.more && under_way.len() < settings.concurrency {
                    rest = Duration::ZERO;
                }
                rest = claim.next_due.map_or(rest, |due| due.since(Timestamp::now()).min(rest));
            }
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(done) = under_way.join_next(), if !under_way.is_empty() => {
                    if let Ok(Some(pause)) = done {
                        paused_until = paused_until.max(Instant::now() + pause);
                    }
                }
                () = wait(&mut commits, rest) => {}
            }
        }
        // Each ends within the timeout of a request.
        while under_way.join_next().await.is_some() {}
        Ok(())
    }

    async fn claim(&self, free: usize) -> Result<Claim, EventError> {
        let settings = &self.webhook.settings;
        // Longer than a request can take: while one runs, nobody else is given the event.
        let lease = settings.timeout.saturating_add(LEASE_MARGIN);
        Ok(self.events.store()?.claim(&settings.consumer, lease, u32::try_from(free).unwrap_or(u32::MAX)).await?)
    }
}

/// Posts one event and says how it went. Returns how long the receiver wants to be left alone.
async fn deliver(events: Events, webhook: Arc<Webhook>, delivery: Delivery) -> Option<Duration> {
    let Delivery { event, attempts, refusals, lease } = delivery;
    let event = events.event(event);
    let posted = if attempts > webhook.settings.max_attempts {
        // None of the tries came to its end.
        let reason = format!("the worker died at each of {} tries", attempts - 1);
        Err(Failure { reason, refused: false, retry_after: None })
    } else {
        webhook.post(&event).await
    };
    let (outcome, pause) = match posted {
        Ok(()) => (Outcome::Acknowledged, None),
        Err(failure) => {
            let pause = failure.retry_after.map(|pause| pause.min(webhook.settings.max_delay));
            (after_failure(&webhook.settings, attempts, refusals, failure), pause)
        }
    };
    match &outcome {
        Outcome::Failed { reason, .. } => {
            tracing::warn!(event = event.id, attempts, reason, "an event was not delivered, and is tried again");
        }
        Outcome::Dead { reason } => {
            tracing::error!(event = event.id, attempts, reason, "an event was given up: see `events dead`");
        }
        _ => tracing::debug!(event = event.id, attempts, "an event was delivered"),
    }
    let settled = match events.store() {
        Ok(store) => store.settle(&lease, outcome).await,
        Err(error) => Err(error),
    };
    match settled {
        Ok(true) => {}
        Ok(false) => tracing::warn!(event = event.id, "the lease of an event was over before its delivery was"),
        Err(error) => tracing::warn!(event = event.id, %error, "an event is delivered again: its outcome was not kept"),
    }
    pause
}

fn after_failure(settings: &WebhookSettings, attempts: u32, refusals: u32, failure: Failure) -> Outcome {
    let Failure { reason, refused, retry_after } = failure;
    let hopeless = refused && refusals.saturating_add(1) >= settings.max_refusals;
    if hopeless || attempts >= settings.max_attempts {
        return Outcome::Dead { reason };
    }
    let asked = retry_after.unwrap_or_default().min(settings.max_delay);
    let delay = backoff::delay(attempts, settings.first_delay, settings.max_delay).max(asked);
    Outcome::Failed { due: Timestamp::now().after(delay), refused, reason }
}
