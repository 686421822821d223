//! The attempts of one call, and its time.

use std::future::{Future, pending};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::error::{Failure, RETRY_FOR};
use super::transaction::SHORT_REPLY;
use crate::random;
use crate::store::{StoreError, call_deadline};

/// The pause before another attempt: at random up to this, doubled with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The maximum pause before another attempt.
pub(super) const MAX_PAUSE: Duration = Duration::from_millis(500);

/// A call that has waited long for a connection still waits this long for the reply to a short statement.
const MIN_REPLY: Duration = Duration::from_secs(1);

/// The attempts of one call.
pub(super) struct Attempts {
    started: Instant,
    /// How long to try to reach the server.
    reach_for: Duration,
    /// When the caller stops waiting.
    deadline: Option<Instant>,
    /// Closed when the caller has stopped waiting.
    caller: Option<watch::Receiver<()>>,
    next_pause: Mutex<Duration>,
}

impl Attempts {
    /// Of a call that starts now, in the task of its caller.
    pub(super) fn begin() -> Self {
        Self::reaching_for(RETRY_FOR)
    }

    /// As [`begin`](Self::begin), trying to reach the server for this long.
    pub(super) fn reaching_for(reach_for: Duration) -> Self {
        let next_pause = Mutex::new(FIRST_PAUSE);
        Self { started: Instant::now(), reach_for, deadline: call_deadline(), caller: None, next_pause }
    }

    /// Ends the attempts when the channel is closed, but not a commit.
    pub(super) fn while_open(mut self, caller: watch::Receiver<()>) -> Self {
        self.caller = Some(caller);
        self
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// How long to still try to reach the server. Not zero.
    pub(super) fn left(&self) -> Duration {
        self.reach_for.saturating_sub(self.elapsed()).max(FIRST_PAUSE)
    }

    /// How long to wait for a reply, at most `limit`. The replies to short statements tell whether the server is there at all.
    pub(super) fn reply_within(&self, limit: Duration) -> Duration {
        if limit > SHORT_REPLY { limit } else { limit.min(self.left().max(MIN_REPLY)) }
    }

    /// The time until the deadline, at most `limit`. Not zero, which stands for no limit in PostgreSQL.
    pub(super) fn limited(&self, limit: Duration) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(limit, |left| left.min(limit)).max(FIRST_PAUSE)
    }

    /// Runs what may be ended at any point: at the deadline, and when the caller has stopped waiting.
    pub(super) async fn in_time<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let deadline = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline.into()).await,
                None => pending().await,
            }
        };
        let mut caller = self.caller.clone();
        let caller_is_gone = async {
            match &mut caller {
                // Nothing is sent.
                Some(caller) => drop(caller.changed().await),
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = deadline => {
                let waited_secs = self.elapsed().as_secs_f64().ceil() as u64;
                Err(StoreError::TimedOut { waited_secs }.into())
            }
            () = caller_is_gone => Err(StoreError::Cancelled.into()),
        }
    }

    /// Waits before another attempt; fails if there is none.
    pub(super) async fn pause_after(&self, failure: Failure) -> Result<(), StoreError> {
        let pause = {
            let mut next = self.next_pause.lock();
            let pause = *next;
            *next = (pause * 2).min(MAX_PAUSE);
            // Attempts of several callers must not meet again.
            random::bytes::<1>().map_or(pause, |[byte]| pause * u32::from(byte) / 255)
        };
        match failure {
            Failure::Final(error) => return Err(error),
            failure if self.elapsed() + pause > self.reach_for => return Err(failure.into_error()),
            failure => tracing::debug!(?failure, ?pause, "trying again"),
        }
        self.in_time(async {
            sleep(pause).await;
            Ok(())
        })
        .await
    }
}
